"""Audible distances between steps of an interpolation, and positions that make them even."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from therapy_gen.musicvae.features import sounding

IntArray = npt.NDArray[np.integer]
FloatArray = npt.NDArray[np.float64]

# Positions that are tried for each step that is wanted.
FINER = 6


def distances(sections: Sequence[IntArray], voices: Sequence[str]) -> FloatArray:
    """Return distances of neighbours: the share of sixteenths, over all voices, at which another note sounds.

    Parameters
    ----------
    sections : sequence of int arrays, shape (steps, voices)
    voices : sequence of str
        What the columns are; drums are compared by what is struck.

    Returns
    -------
    array of shape (len(sections) - 1,), each 0 to 1
    """
    heard = []
    for section in sections:
        sounds = sounding(section)
        drums = [n for n, name in enumerate(voices) if name == "drums"]
        sounds[:, drums] = section[:, drums]
        heard.append(sounds)
    return np.array([float((a != b).mean()) for a, b in pairwise(heard)])


def unevenness(steps: FloatArray) -> float:
    """Return the standard deviation of step sizes over their mean: 0 where all are equal."""
    mean = float(steps.mean()) if len(steps) else 0.0
    return float(steps.std()) / mean if mean > 0 else 0.0


def even_choice(steps: FloatArray, count: int) -> list[int]:
    """Choose `count` of a path's points, both ends included, with distances as even as possible.

    Parameters
    ----------
    steps : array of shape (points - 1,)
        Distances along the path.
    count : int
        2 up to the number of points.
    """
    along = np.concatenate([[0.0], np.cumsum(steps)])
    last = len(along) - 1
    chosen = [0]
    for n in range(1, count - 1):
        wanted = along[-1] * n / (count - 1)
        low, high = chosen[-1] + 1, last - (count - 1 - n)
        chosen.append(low + int(np.argmin(np.abs(along[low : high + 1] - wanted))))
    return [*chosen, last]
