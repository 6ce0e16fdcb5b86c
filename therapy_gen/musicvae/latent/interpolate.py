"""Spherical interpolation between latent vectors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Z = npt.NDArray[np.float32]

# Two directions closer than this are taken as one: slerp becomes a straight line instead of 0/0.
_PARALLEL = 1e-4


def slerp(a: Z, b: Z, t: float) -> Z:
    """Interpolate on the great circle from `a` to `b` (z_size,), with their lengths interpolated too.

    Returns `a` at t = 0 and `b` at t = 1; for equal, opposite or zero end points the straight line between them.

    Notes
    -----
    Shoemake 1985, "Animating rotation with quaternion curves", as MusicVAE uses it (arXiv 1803.05428, section 4).
    """
    length_a, length_b = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if length_a == 0.0 or length_b == 0.0:
        return ((1.0 - t) * a + t * b).astype(np.float32)
    cosine = float(np.clip(np.dot(a / length_a, b / length_b), -1.0, 1.0))
    angle = float(np.arccos(cosine))
    if angle < _PARALLEL or np.pi - angle < _PARALLEL:
        return ((1.0 - t) * a + t * b).astype(np.float32)
    length = (1.0 - t) * length_a + t * length_b
    direction = np.sin((1.0 - t) * angle) * (a / length_a) + np.sin(t * angle) * (b / length_b)
    point: Z = (length * direction / np.sin(angle)).astype(np.float32)
    return point
