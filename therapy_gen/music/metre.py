"""Metres, and how shorter bars lie in a section's grid of sixteen steps a bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from therapy_gen.music.tokens import HOLD, STEPS_PER_BAR, STEPS_PER_QUARTER, Tokens, VoiceNote


@dataclass(frozen=True)
class Metre:
    """A metre: the number of beats in a bar, and their note value.

    A section has sixteen steps a bar in any metre. In a shorter bar the steps at its end take no time: sounding notes
    are held through them, and none begins there.

    Attributes
    ----------
    beats : int
        The upper number of the time signature. Corpora and models name a metre by it: 4, 3, or 6.
    unit : int
        The lower number: 4 or 8.

    Examples
    --------
    >>> Metre(6, 8).steps, Metre(6, 8).quarters, Metre(6, 8).pulse_steps
    (12, 3, 6)
    """

    beats: int
    unit: int = 4

    @property
    def name(self) -> str:
        """Its time signature."""
        return f"{self.beats}/{self.unit}"

    @property
    def quarters(self) -> int:
        """Quarter notes that a bar lasts."""
        return self.beats * 4 // self.unit

    @property
    def steps(self) -> int:
        """Sixteenths of a bar that take time."""
        return self.quarters * STEPS_PER_QUARTER

    @property
    def compound(self) -> bool:
        """Whether its beats are dotted quarters, as in 6/8."""
        return self.unit == 8

    @property
    def pulse_steps(self) -> int:
        """Sixteenths from beat to beat: a quarter, or a dotted quarter in a compound metre."""
        return 6 if self.compound else STEPS_PER_QUARTER

    def to_grid(self, step: int) -> int:
        """Return the step of the grid for a sixteenth counted in time; the end of a bar is the start of the next."""
        bar, within = divmod(step, self.steps)
        return bar * STEPS_PER_BAR + within

    def from_grid(self, steps: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """Return the sixteenths, counted in time, of steps of the grid."""
        bars, within = np.divmod(steps, STEPS_PER_BAR)
        return np.asarray(bars * self.steps + np.minimum(within, self.steps))

    def in_time(self, tokens: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """Return tokens (steps, voices) of the grid without the steps that take no time."""
        return tokens[np.arange(len(tokens)) % STEPS_PER_BAR < self.steps]

    def on_grid(self, note: VoiceNote) -> VoiceNote:
        """Return a note counted in time on the grid."""
        return note._replace(start=self.to_grid(note.start), end=self.to_grid(note.end))


FOUR_FOUR = Metre(4)
THREE_FOUR = Metre(3)
SIX_EIGHT = Metre(6, 8)
METRES = {metre.name: metre for metre in (FOUR_FOUR, THREE_FOUR, SIX_EIGHT)}


def metre_of(beats: int) -> Metre:
    """Return the metre that corpora and models name by its beats; KeyError where there is none."""
    return {metre.beats: metre for metre in METRES.values()}[int(beats)]


def in_metres(tokens: Tokens, metres: Sequence[Metre]) -> Tokens:
    """Return sections (n, steps, voices) without the rare notes that begin in steps that take no time."""
    used = np.array([metre.steps for metre in metres])[:, None]
    beyond = np.arange(tokens.shape[1]) % STEPS_PER_BAR >= used
    return np.where(beyond[..., None], HOLD, tokens).astype(tokens.dtype)
