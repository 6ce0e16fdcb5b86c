"""Whether a channel fits the others: its correlation with them, and with their prediction for its site.

The idea is that of PREP (Bigdely-Shamlo 2015, 10.3389/fninf.2015.00016): channels are judged before re-referencing, a
dead electrode correlates with none, and a swapped one not with what its neighbours predict. In place of random subsets
(RANSAC) each channel is predicted from all others by spherical splines (Perrin 1989, 10.1016/0013-4694(89)90180-6),
worst channels taken out one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eeg.bandpower.psd import Bool, Complex64, Float64
from eeg.io.channels import position_of

# PREP: a window counts as bad where no other channel (98th percentile) correlates by this much.
_MIN_CORRELATION = 0.4
_PERCENTILE = 98.0
# The share of such windows that makes a channel bad. PREP's 1 % is for 1 s windows of a whole file; here 60 windows of
# 2 s are sampled, and one of them is more than 1 %. Good channels at the rim of sparse arrays reach 12 %, dead
# electrodes 100 %.
MAX_UNCORRELATED = 0.3
# A channel is unlike its neighbours where the median correlation with their prediction is below this. In 64 sound
# channels it is 0.46 or more, in two that are swapped about 0 (tests/eeg/test_bad_channels.py).
_MIN_PREDICTED = 0.35
# A sparse array predicts worse: 0.2 or more at sound channels of 19 electrodes.
_MIN_PREDICTED_SPARSE, _DENSE_SITES = 0.1, 32
# A swap is named where both of a pair fit the other's site this well.
_SWAP_FITS = 0.5
_SWAP_MARGIN = 0.3
_MIN_SITES = 12
_SMOOTHING = 1e-4
_STIFFNESS, _TERMS = 4, 50


def uncorrelated(spectra: Complex64, judged: Sequence[int]) -> Float64:
    """Return the share of windows in which a channel correlates with no other one, shape (n_channels,).

    Parameters
    ----------
    spectra : array, shape (n_channels, n_windows, bins), complex64
        Before re-referencing, of the frequencies that count.
    judged : sequence of int
        Channels that take part; the others get 0.
    """
    kept = np.asarray(judged)
    share = np.zeros(len(spectra))
    if len(kept) < 3:
        return share
    windows = _unit(spectra[kept].transpose(1, 0, 2))
    correlations = np.abs(np.real(windows @ windows.conj().transpose(0, 2, 1)))
    correlations[:, np.arange(len(kept)), np.arange(len(kept))] = 0.0
    best = np.percentile(correlations, _PERCENTILE, axis=2)
    share[kept] = (best < _MIN_CORRELATION).mean(axis=0)
    # Where most channels correlate with none (independent noise), correlation says nothing about single ones.
    return share if np.median(share[kept]) < MAX_UNCORRELATED else np.zeros(len(spectra))


def _unit(spectra: Complex64) -> Complex64:
    """Scale the last axis to length 1; nothing stays nothing."""
    length = np.sqrt((np.abs(spectra) ** 2).sum(axis=-1, keepdims=True))
    return np.asarray(spectra / np.maximum(length, 1e-30), dtype=np.complex64)


def sphere(sites: Sequence[str | None]) -> Float64:
    """Return unit vectors of 10-10 sites, shape (n_channels, 3); nan where a site is not known."""
    points = np.full((len(sites), 3), np.nan)
    for i, site in enumerate(sites):
        place = position_of(site)
        if place is not None:
            radius = float(np.hypot(*place))
            angle = radius * np.pi / 2
            share = np.sin(angle) / radius if radius > 0 else 0.0
            points[i] = place[0] * share, place[1] * share, np.cos(angle)
    return points


def misplaced(spectra: Complex64, points: Float64, judged: Sequence[int]) -> dict[int, int | None]:
    """Return the channels that do not match what their neighbours predict.

    Where channels do not predict one another at all, none is returned.

    Parameters
    ----------
    spectra : array, shape (n_channels, n_windows, bins), complex64
        Before re-referencing, of the frequencies that count.
    points : array, shape (n_channels, 3)
        Where they are, on the unit sphere; nan where that is not known.
    judged : sequence of int
        Channels that are not bad for another reason.

    Returns
    -------
    dict of int to (int or None)
        By channel, the one that it seems swapped with.
    """
    kept = [i for i in judged if np.isfinite(points[i]).all()]
    if len(kept) < _MIN_SITES:
        return {}
    least = _MIN_PREDICTED if len(kept) >= _DENSE_SITES else _MIN_PREDICTED_SPARSE
    most, lost = len(kept) // 4, list[int]()
    while True:
        fits = _leave_one_out(spectra[kept], points[kept])
        worst = int(np.argmin(fits))
        if fits[worst] >= least:
            break
        if len(lost) == most or np.median(fits) < least:
            return {}
        lost.append(kept.pop(worst))
    found: dict[int, int | None] = dict.fromkeys(lost)
    if len(lost) > 1:
        fit = _fit_at(spectra[kept], points[kept], spectra[lost], points[lost])
        for i, j in _pairs(fit):
            found[lost[i]], found[lost[j]] = lost[j], lost[i]
    return found


def _pairs(fit: Float64) -> list[tuple[int, int]]:
    """Return pairs that fit each other's site; `fit[i, j]` is how channel i fits site j."""
    found, taken = [], set()
    for a in range(len(fit)):
        for b in range(a + 1, len(fit)):
            if a in taken or b in taken:
                continue
            if (
                min(fit[a, b], fit[b, a]) > _SWAP_FITS
                and min(fit[a, b] - fit[a, a], fit[b, a] - fit[b, b]) > _SWAP_MARGIN
            ):
                found.append((a, b))
                taken |= {a, b}
    return found


def _kernel(cosines: Float64) -> Float64:
    """Return Perrin's g(cos) with m = 4."""
    n = np.arange(1, _TERMS + 1)
    factors = np.r_[0.0, (2 * n + 1) / (n * (n + 1.0)) ** _STIFFNESS] / (4 * np.pi)
    return np.asarray(np.polynomial.legendre.legval(np.clip(cosines, -1, 1), factors))


def _system(points: Float64) -> Float64:
    """Return the spline system with its constant, which takes the common reference: shape (n + 1, n + 1)."""
    n = len(points)
    system = np.ones((n + 1, n + 1))
    system[:n, :n] = _kernel(points @ points.T) + _SMOOTHING * _kernel(np.ones(1))[0] * np.eye(n)
    system[n, n] = 0.0
    return system


def _leave_one_out(spectra: Complex64, points: Float64) -> Float64:
    """Return the median over windows of each channel's correlation with its prediction from all others."""
    n = len(points)
    inverse = np.linalg.inv(_system(points))[:n, :n]
    # The residual of each point left out follows from the inverse of the whole system (Wahba 1990, section 4.2).
    operator = (inverse / np.diag(inverse)[:, None]).astype(np.float32)
    values = np.ascontiguousarray(spectra).view(np.float32).reshape(n, -1)
    predicted = np.ascontiguousarray(values - operator @ values).view(np.complex64)
    shared = spectra.mean(axis=0)
    return _agreement(spectra - shared, predicted.reshape(spectra.shape) - shared)


def _fit_at(known: Complex64, at: Float64, lost: Complex64, wanted: Float64) -> Float64:
    """Return how each lost channel agrees with what is predicted for each of their sites, shape (n_lost, n_lost)."""
    n = len(at)
    right = np.ones((len(wanted), n + 1))
    right[:, :n] = _kernel(wanted @ at.T)
    weights = np.linalg.solve(_system(at), right.T).T[:, :n].astype(np.float32)
    predicted = (weights @ np.ascontiguousarray(known).view(np.float32).reshape(n, -1)).view(np.complex64)
    predicted = predicted.reshape(len(wanted), *known.shape[1:])
    shared = known.mean(axis=0)
    return np.array(
        [_agreement(np.repeat(one[None] - shared, len(predicted), axis=0), predicted - shared) for one in lost]
    )


def _agreement(spectra: npt.NDArray[np.complex64], predicted: npt.NDArray[np.complex64]) -> Float64:
    """Return the median over windows of the correlation of spectra with predictions, shape (n_channels,).

    What all channels share, such as the reference electrode, would let every place fit: it is taken out first.
    """
    products = np.real((_unit(spectra) * _unit(predicted).conj()).sum(axis=-1))
    return np.asarray(np.median(products, axis=1), dtype=np.float64)


def counted_bins(freqs: Float64, keep: Bool) -> Bool:
    """Return the bins that count for correlation: 1 to 45 Hz off the line frequency."""
    return keep & (freqs >= 1.0) & (freqs <= 45.0)
