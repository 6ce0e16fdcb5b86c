"""The aperiodic (1/f) part of a power spectrum, in the way of specparam, and power above it.

The algorithm is that of Donoghue et al. 2020 (10.1038/s41593-020-00744-x), fixed mode: a robust line in log-log,
Gaussian peaks above it, and the line again without them. It is written here for one spectrum and a fixed range, which
keeps a dependency out; `tests/eeg/test_aperiodic.py` compares it with specparam itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

_MAX_PEAKS = 6
_PEAK_WIDTH_HZ = (1.0, 12.0)
_PEAK_DEVIATIONS = 2.0
_MAX_STEPS = 200
_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))


@dataclass(frozen=True)
class Aperiodic:
    """``log10 P = offset - exponent log10 f``.

    Parameters
    ----------
    offset : float
        log10 of uV^2/Hz at 1 Hz.
    exponent : float
        Steepness; white noise has 0.
    peaks : array, shape (n_peaks, 3)
        Centre in Hz, height in log10, standard deviation in Hz.
    """

    offset: float
    exponent: float
    peaks: Float64

    def density(self, freqs: Float64) -> Float64:
        """Return the aperiodic power density at some frequencies."""
        result: Float64 = 10.0 ** (self.offset - self.exponent * np.log10(freqs))
        return result


def _line(x: Float64, y: Float64) -> tuple[float, float]:
    slope, intercept = np.polyfit(x, y, 1)
    return float(intercept), float(-slope)


def _gaussians(freqs: Float64, parameters: Float64) -> Float64:
    peaks = parameters.reshape(-1, 3)
    shape = np.exp(-((freqs[:, None] - peaks[:, 0]) ** 2) / (2.0 * peaks[:, 2] ** 2))
    result: Float64 = shape @ peaks[:, 1]
    return result


def _guess(flat: Float64, freqs: Float64) -> Float64:
    """Find peaks one after the other, highest first."""
    step = freqs[1] - freqs[0]
    low, high = (width / _FWHM for width in _PEAK_WIDTH_HZ)
    rest = flat.copy()
    peaks: list[Float64] = []
    while len(peaks) < _MAX_PEAKS:
        at = int(np.argmax(rest))
        height = rest[at]
        if height <= _PEAK_DEVIATIONS * rest.std() or height <= 0:
            break
        below = rest <= height / 2.0
        left = np.flatnonzero(below[:at])
        right = np.flatnonzero(below[at + 1 :])
        sides = ([at - left[-1]] if len(left) else []) + ([right[0] + 1] if len(right) else [])
        width = 2.0 * min(sides) * step / _FWHM if sides else sum(_PEAK_WIDTH_HZ) / 2 / _FWHM
        peak = np.array([freqs[at], height, float(np.clip(width, low, high))])
        peaks.append(peak)
        rest = rest - _gaussians(freqs, peak)
    if not peaks:
        return np.empty((0, 3))
    found = np.array(peaks)
    # Peaks at the edge of the range are half seen; of two that overlap the higher stays.
    found = found[(found[:, 0] - freqs[0] > found[:, 2]) & (freqs[-1] - found[:, 0] > found[:, 2])]
    found = found[np.argsort(found[:, 0])]
    keep = np.ones(len(found), dtype=np.bool_)
    for i in range(len(found) - 1):
        if found[i, 0] + 0.75 * found[i, 2] > found[i + 1, 0] - 0.75 * found[i + 1, 2]:
            keep[i if found[i, 1] < found[i + 1, 1] else i + 1] = False
    return np.asarray(found[keep])


def _fit_peaks(flat: Float64, freqs: Float64, guess: Float64) -> Float64:
    """Fit all peaks together by least squares within bounds (Levenberg and Marquardt, steps cut at the bounds)."""
    low, high = (width / _FWHM for width in _PEAK_WIDTH_HZ)
    lower = np.column_stack(
        [np.maximum(guess[:, 0] - 3.0 * guess[:, 2], freqs[0]), np.zeros(len(guess)), np.full(len(guess), low)]
    ).ravel()
    upper = np.column_stack(
        [np.minimum(guess[:, 0] + 3.0 * guess[:, 2], freqs[-1]), np.full((len(guess), 2), (np.inf, high))]
    ).ravel()
    at = np.clip(guess.ravel(), lower, upper)
    rest = flat - _gaussians(freqs, at)
    damping = 1e-2
    for _ in range(_MAX_STEPS):
        peaks = at.reshape(-1, 3)
        away = freqs[:, None] - peaks[:, 0]
        shape = np.exp(-(away**2) / (2.0 * peaks[:, 2] ** 2))
        slope = peaks[:, 1] * shape * away / peaks[:, 2] ** 2
        jacobian = np.stack([slope, shape, slope * away / peaks[:, 2]], axis=2).reshape(len(freqs), -1)
        gram = jacobian.T @ jacobian
        step = np.linalg.solve(gram + damping * np.diag(np.diag(gram) + 1e-9), jacobian.T @ rest)
        tried = np.clip(at + step, lower, upper)
        left = flat - _gaussians(freqs, tried)
        if left @ left < rest @ rest:
            done = rest @ rest - left @ left < 1e-10 * (flat @ flat)
            at, rest, damping = tried, left, damping / 3.0
            if done:
                break
        else:
            damping *= 4.0
            if damping > 1e8:
                break
    return np.asarray(at).reshape(-1, 3)


def fit_aperiodic(freqs: Float64, density: Float64) -> Aperiodic | None:
    """Fit the aperiodic part of a spectrum.

    Parameters
    ----------
    freqs : array, shape (n,)
        Evenly spaced, ascending, above 0 Hz; customary: 2 to 40 Hz.
    density : array, shape (n,)
        Power densities, positive. Spectra of less than 3 min give unsteady fits (Li 2024).

    Returns
    -------
    Aperiodic or None
        None where there is nothing to fit (under 20 bins, or values that are not positive).
    """
    if len(freqs) < 20 or not np.isfinite(density).all() or (density <= 0).any():
        return None
    x, y = np.log10(freqs), np.log10(density)
    offset, exponent = _line(x, y)
    flat = np.maximum(y - (offset - exponent * x), 0.0)
    calm = flat <= np.percentile(flat, 2.5)
    if np.count_nonzero(calm) >= 3:
        offset, exponent = _line(x[calm], y[calm])
    flat = y - (offset - exponent * x)
    guess = _guess(flat, freqs)
    peaks = _fit_peaks(flat, freqs, guess) if len(guess) else guess
    offset, exponent = _line(x, y - _gaussians(freqs, peaks.ravel()) if len(peaks) else y)
    return Aperiodic(offset, exponent, peaks)
