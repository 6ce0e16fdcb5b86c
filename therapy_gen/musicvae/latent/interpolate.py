"""Moves in the latent space: spherical interpolation, and a Gaussian fitted to the aggregate posterior."""

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


def fit_gaussian(mu: Z, sigma: Z) -> tuple[Z, Z]:
    """Fit a Gaussian to the aggregate posterior.

    Parameters
    ----------
    mu, sigma : arrays of shape (n, z_size)
        Posterior means and standard deviations of n sections.

    Returns
    -------
    mean : array of shape (z_size,)
    factor : array of shape (z_size, z_size)
        Lower triangle L with covariance L L^T: that of the means plus the mean posterior variance (law of total
        variance).
    """
    mean = mu.mean(axis=0, dtype=np.float64)
    centred = mu.astype(np.float64) - mean
    covariance = centred.T @ centred / max(len(mu) - 1, 1)
    covariance[np.diag_indices_from(covariance)] += (sigma.astype(np.float64) ** 2).mean(axis=0) + 1e-8
    return mean.astype(np.float32), np.linalg.cholesky(covariance).astype(np.float32)
