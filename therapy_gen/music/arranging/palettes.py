"""Palettes: the instruments of the voices, with their levels, panning and pedal."""

from __future__ import annotations

from dataclasses import dataclass

from therapy_gen.errors import InputError


@dataclass(frozen=True)
class Instrument:
    """A part of a palette.

    Attributes
    ----------
    name : str
    program : int
        General MIDI instrument, 0 to 127.
    velocity : int
        Mean velocity of its notes. Soft, and never rising far: Bernardi et al. 2006 (Heart 92, 445) and later work link
        a rising volume to a rising blood pressure.
    level : float
        Factor of amplitude against the other parts.
    pan : float
        -1 (left) to 1 (right).
    pedal : bool
        Whether a pedal lets it ring with the harmony (struck and plucked strings).
    """

    name: str
    program: int
    velocity: int
    level: float
    pan: float
    pedal: bool = False


@dataclass(frozen=True)
class Palette:
    """Instruments for the voices (melody, inner, bass), and for the pad of inferred chords under them."""

    title: str
    melody: Instrument
    inner: Instrument
    bass: Instrument
    pad: Instrument

    @property
    def voices(self) -> tuple[Instrument, Instrument, Instrument]:
        """The instruments in the order of the voices of a section."""
        return self.melody, self.inner, self.bass


# The name of the part that plays the melody, in every palette.
MELODY_PART = "Melody"
# The name of the part that plays the chords under it.
PAD_PART = "Pad"

PALETTES: dict[str, Palette] = {
    "piano": Palette(
        "piano over a warm pad",
        Instrument(MELODY_PART, 0, 58, 1.0, 0.08, pedal=True),
        Instrument("Inner voice", 0, 49, 0.9, -0.08, pedal=True),
        Instrument("Bass", 0, 52, 0.9, -0.12, pedal=True),
        Instrument(PAD_PART, 89, 46, 0.15, 0.0),
    ),
    "harp": Palette(
        "harp with strings",
        Instrument(MELODY_PART, 46, 58, 1.0, 0.1, pedal=True),
        Instrument("Inner voice", 46, 50, 0.7, 0.05, pedal=True),
        Instrument("Bass", 42, 48, 0.2, -0.1),
        Instrument(PAD_PART, 49, 46, 0.16, 0.0),
    ),
    "guitar": Palette(
        "nylon-string guitar",
        Instrument(MELODY_PART, 24, 60, 1.0, 0.1, pedal=True),
        Instrument("Inner voice", 24, 52, 0.42, -0.15, pedal=True),
        Instrument("Bass", 24, 50, 0.31, -0.05, pedal=True),
        Instrument(PAD_PART, 89, 46, 0.11, 0.0),
    ),
    "pad": Palette(
        "soft pads under a vibraphone",
        Instrument(MELODY_PART, 11, 56, 1.0, 0.1, pedal=True),
        Instrument("Inner voice", 89, 48, 0.2, -0.2),
        Instrument("Bass", 89, 50, 0.17, 0.0),
        Instrument(PAD_PART, 89, 46, 0.13, 0.2),
    ),
}
"""Every palette by its name. Help texts, completion and errors read them from here."""


def check_palette(name: str) -> None:
    """Raise InputError where a palette is not known."""
    if name not in PALETTES:
        raise InputError(f"palette {name!r} is not known; give one of: {', '.join(PALETTES)}")
