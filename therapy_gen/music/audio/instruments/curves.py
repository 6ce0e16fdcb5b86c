"""Curves that are computed at control points and interpolated between them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.float32]


def filled_in(points: npt.NDArray[np.float64], every: int) -> Frames:
    """Return the frames between control points, on straight lines.

    Parameters
    ----------
    points : array, shape (points,)
    every : int
        Frames from one to the next.

    Returns
    -------
    array of float32, shape ((points - 1) * every,)

    Examples
    --------
    >>> filled_in(np.array([0.0, 1.0]), 4).tolist()
    [0.0, 0.25, 0.5, 0.75]
    """
    values = points.astype(np.float32)
    ramp = np.arange(every, dtype=np.float32) / np.float32(every)
    frames = np.multiply.outer(np.diff(values), ramp)
    frames += values[:-1, None]
    return np.asarray(frames.ravel(), dtype=np.float32)
