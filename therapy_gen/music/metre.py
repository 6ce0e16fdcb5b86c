"""Metres, and how shorter bars lie in the grid of sixteen steps a bar that sections have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from therapy_gen.music.tokens import HOLD, STEPS_PER_BAR, STEPS_PER_QUARTER, Tokens, VoiceNote


@dataclass(frozen=True)
class Metre:
    """How many quarters a bar has.

    A section has sixteen steps a bar whatever its metre. Where a bar has fewer, the others stand at its end and hold
    what sounds: they take no time, and no note begins in them.
    """

    quarters: int

    @property
    def name(self) -> str:
        """As it stands in a score."""
        return f"{self.quarters}/4"

    @property
    def steps(self) -> int:
        """Sixteenths of a bar that take time."""
        return self.quarters * STEPS_PER_QUARTER

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
        """Return a note counted in time as it lies in the grid."""
        return note._replace(start=self.to_grid(note.start), end=self.to_grid(note.end))


FOUR_FOUR = Metre(4)
THREE_FOUR = Metre(3)
METRES = {metre.name: metre for metre in (FOUR_FOUR, THREE_FOUR)}


def in_metres(tokens: Tokens, metres: Sequence[Metre]) -> Tokens:
    """Return sections (n, steps, voices) without what a model wrote, rarely, where bars of their metres have ended."""
    used = np.array([metre.steps for metre in metres])[:, None]
    beyond = np.arange(tokens.shape[1]) % STEPS_PER_BAR >= used
    return np.where(beyond[..., None], HOLD, tokens).astype(tokens.dtype)
