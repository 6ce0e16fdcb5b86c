"""Performances: notes in seconds, parts with their instruments, tempo changes."""

from __future__ import annotations

from dataclasses import dataclass, replace

# The soundfont bank whose instruments are drum kits.
DRUM_BANK = 128


@dataclass(frozen=True)
class Note:
    """A note; `onset` and `duration` (of the held key) in seconds, `pitch` and `velocity` as in MIDI."""

    onset: float
    duration: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Part:
    """The notes of one instrument.

    Attributes
    ----------
    name : str
    program : int
        General MIDI instrument, 0 to 127.
    notes : tuple of Note
        By onset.
    pan : float
        -1 (left) to 1 (right).
    level : float
        Factor of amplitude, 0 to 1.
    pedal : tuple of (float, float)
        When the sustain pedal goes down and up, in seconds.
    bank : int
        Soundfont bank; `DRUM_BANK` for drums.
    changes : tuple of (float, float, float)
        Where level and pan change after the beginning: seconds, level and pan, by time. `to_midi` writes them; a part
        that is read has its notes' average level.
    """

    name: str
    program: int
    notes: tuple[Note, ...]
    pan: float = 0.0
    level: float = 1.0
    pedal: tuple[tuple[float, float], ...] = ()
    bank: int = 0
    changes: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True)
class Performance:
    """A whole piece.

    Attributes
    ----------
    parts : tuple of Part
    tempo : float
        Quarter notes a minute at the start.
    key : str
        Name of the key, e.g. ``"D major"``; empty where it is not known.
    duration : float
        Seconds to the end of the last sound.
    palette : str
        Name of the palette that it was arranged for; empty where it was not.
    tempi : tuple of (float, float)
        Where the tempo changes: seconds and quarter notes a minute, by time, the first at 0.
    title : str
    metre : str
        Beats of a bar over their unit, e.g. ``"3/4"``; where it changes, the one that lasts longest.
    metres : tuple of (float, str)
        Where a bar of a metre begins, whatever came before: seconds and metre, by time, the first at 0; empty where all
        is in one metre from the beginning.
    silence_cut : float
        Seconds of silence at the end of a file that was read, which are left out.
    """

    parts: tuple[Part, ...]
    tempo: float
    key: str
    duration: float
    palette: str
    tempi: tuple[tuple[float, float], ...] = ()
    title: str = ""
    metre: str = "4/4"
    metres: tuple[tuple[float, str], ...] = ()
    silence_cut: float = 0.0

    def with_velocity_offset(self, units: int) -> Performance:
        """Return the performance with `units` added to every velocity."""
        return replace(
            self,
            parts=tuple(
                replace(
                    part,
                    notes=tuple(replace(n, velocity=min(max(n.velocity + units, 1), 127)) for n in part.notes),
                )
                for part in self.parts
            ),
        )
