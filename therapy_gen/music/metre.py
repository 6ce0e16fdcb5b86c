"""Metres, and how shorter bars lie in the grid of sixteen steps a bar that sections have."""

from __future__ import annotations

from dataclasses import dataclass

from therapy_gen.music.tokens import STEPS_PER_BAR, STEPS_PER_QUARTER, VoiceNote


@dataclass(frozen=True)
class Metre:
    """How many quarters a bar has.

    A section has sixteen steps a bar whatever its metre. Where a bar has fewer, the others stand at its end and hold
    what sounds: they take no time, and no note begins in them.
    """

    name: str
    quarters: int

    @property
    def steps(self) -> int:
        """Sixteenths of a bar that take time."""
        return self.quarters * STEPS_PER_QUARTER

    def to_grid(self, step: int) -> int:
        """Return the step of the grid for a sixteenth counted in time; the end of a bar is the start of the next."""
        bar, within = divmod(step, self.steps)
        return bar * STEPS_PER_BAR + within

    def on_grid(self, note: VoiceNote) -> VoiceNote:
        """Return a note counted in time as it lies in the grid."""
        return note._replace(start=self.to_grid(note.start), end=self.to_grid(note.end))


FOUR_FOUR = Metre("4/4", 4)
THREE_FOUR = Metre("3/4", 3)
METRES = {metre.name: metre for metre in (FOUR_FOUR, THREE_FOUR)}
