"""Notes of a score on a grid of steps, and whether they lay off it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.music.corpus.score import Score
from therapy_gen.music.tokens import STEPS_PER_QUARTER

# Further than this from its step (in steps), an onset counts as off the grid.
_OFF_GRID = 0.15
# A note shorter than this (in steps) is an ornament, which the grid leaves out.
_ORNAMENT = 1 / 3
# A note that begins so little (in steps) before a bar line belongs to the bar.
_EARLY = 0.4


@dataclass(frozen=True)
class Grid:
    """Notes in steps from a bar line.

    Attributes
    ----------
    notes : list of (start, end, pitch)
        In the order of the score.
    part : list of int
        The part of each.
    start : int array, shape (n,)
    off : bool array, shape (n,)
        Whether each onset lay off the grid.
    """

    notes: list[tuple[int, int, int]]
    part: list[int]
    start: npt.NDArray[np.int64]
    off: npt.NDArray[np.bool_]

    def off_share(self, begin: int, end: int) -> float:
        """Return the share of the onsets from step `begin` up to `end` that lay off the grid; 0 where there is none."""
        inside = (self.start >= begin) & (self.start < end)
        return float(self.off[inside].mean()) if inside.any() else 0.0


def on_grid(score: Score, begin: float, end: float, steps_per_quarter: int = STEPS_PER_QUARTER) -> Grid:
    """Return the notes of a score that begin between two bar lines (in quarters) on a grid; ornaments are left out.

    Parameters
    ----------
    score : Score
    begin, end : float
        Bar lines, in quarter notes.
    steps_per_quarter : int
        4 for sixteenths, 6 for sixteenths of music in triplets (a triplet eighth is two).
    """
    notes: npt.NDArray[Any] = score.notes
    early = _EARLY / steps_per_quarter
    notes = notes[(notes["onset"] >= begin - early) & (notes["onset"] < end - early)]
    notes = notes[notes["duration"] * steps_per_quarter > _ORNAMENT]
    exact = (notes["onset"] - begin) * steps_per_quarter
    start = np.maximum(np.rint(exact), 0).astype(np.int64)
    stop = np.rint((notes["onset"] + notes["duration"] - begin) * steps_per_quarter).astype(np.int64)
    stop = np.maximum(stop, start + 1)
    return Grid(
        list(zip(start.tolist(), stop.tolist(), notes["pitch"].tolist(), strict=True)),
        notes["part"].tolist(),
        start,
        np.abs(exact - start) > _OFF_GRID,
    )
