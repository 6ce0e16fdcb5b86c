"""Power spectra of many epochs at once: float32 FFT, Hann weighting in the frequency domain, only the bins needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Complex64 = npt.NDArray[np.complex64]
Bool = npt.NDArray[np.bool_]

_MICROVOLT2 = 1e12  # V^2 in uV^2

# A header's lowpass is where the filter has taken half the power: stay below the knee.
_LINE_MARGIN_HZ = 2.0
_LINE_CEILING_HZ = 5.0


@dataclass(frozen=True)
class FrequencyGrid:
    """Frequencies of an epoch's spectrum, without 0 Hz.

    Parameters
    ----------
    sfreq : float
        Hz.
    length : int
        Samples of an epoch.
    bins : int
        Frequencies ``1 … bins`` times ``sfreq / length``.
    """

    sfreq: float
    length: int
    bins: int

    @property
    def step(self) -> float:
        """Distance of two bins in Hz."""
        return self.sfreq / self.length

    @property
    def freqs(self) -> Float64:
        """Centre of each bin in Hz, shape (bins,)."""
        return np.arange(1, self.bins + 1, dtype=np.float64) * self.step

    @property
    def scale(self) -> float:
        """Factor from ``|X|^2`` of Hann-weighted samples in volts to a one-sided density in uV^2/Hz."""
        return 2.0 * _MICROVOLT2 / (self.sfreq * 0.375 * self.length)

    def band(self, low: float, high: float) -> Bool:
        """Return which bins lie in ``low <= f < high``; each stands for one `step`, so bands do not overlap."""
        tiny = 1e-6 * self.step
        return (self.freqs >= low - tiny) & (self.freqs < high - tiny)


def frequency_grid(sfreq: float, length: int, fmax: float) -> FrequencyGrid:
    """Return the grid up to `fmax`, or to the last bin below Nyquist."""
    step = sfreq / length
    return FrequencyGrid(sfreq, length, int(min(np.ceil(fmax / step), length // 2 - 1)))


def hann_spectra(samples: Float32, grid: FrequencyGrid, hop: int) -> Complex64:
    """Return the spectra of overlapping epochs, weighted with a periodic Hann window.

    The weights ``0.5 - 0.5 cos(2 pi n / N)`` are three taps in the frequency domain, which costs less than a
    multiplication of every epoch when only the lower bins are kept (Harris 1978, Proc. IEEE 66, section IV).

    Parameters
    ----------
    samples : array, shape (n_channels, n_samples), float32
        In volts; an offset does not matter, bins from 2 on do not see it.
    grid : FrequencyGrid
    hop : int
        Samples from the start of an epoch to the next.

    Returns
    -------
    array, shape (n_channels, n_epochs, bins), complex64
    """
    import scipy.fft

    epochs = np.lib.stride_tricks.sliding_window_view(samples, grid.length, axis=1)[:, ::hop]
    rect = scipy.fft.rfft(epochs, axis=-1)[..., : grid.bins + 2]
    spectra: Complex64 = rect[..., 1:-1] * np.float32(0.5)
    sides = rect[..., :-2] + rect[..., 2:]
    sides *= np.float32(0.25)
    spectra -= sides
    return spectra


def power(spectra: Complex64, grid: FrequencyGrid) -> Float32:
    """Return the one-sided power density in uV^2/Hz of spectra in volts, same shape, float32."""
    real, imag = spectra.real, spectra.imag
    result: Float32 = real * real
    result += imag * imag
    result *= np.float32(grid.scale)
    return result


def plausible(samples: Float32) -> bool:
    """Return whether all samples are numbers, and none so large (1e9 V) that float32 might not hold its power."""
    flat = samples.ravel()
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.dot(flat, flat) < 1e18)


def usable_band(low: float, high: float, ceiling: float) -> tuple[float, float] | None:
    """Clip a band to what a recording carries; None where too little is left: a third of it, 8 Hz are always enough.

    Parameters
    ----------
    low, high : float
        Hz.
    ceiling : float
        Highest frequency that the recording carries, in Hz.
    """
    top = min(high, ceiling)
    return (low, top) if top - low >= max(2.0, min(8.0, (high - low) / 3)) else None


def ceiling_of(lowpass: float, sfreq: float, line_freq: float | None) -> float:
    """Return up to where brain power can be read: lowpass, 0.9 of Nyquist, line frequency minus 5 Hz; the least."""
    top = min(lowpass, 0.9 * sfreq / 2)
    return min(top, line_freq - _LINE_CEILING_HZ) if line_freq else top


def off_line(grid: FrequencyGrid, line_freq: float | None) -> Bool:
    """Return which bins are farther than 2 Hz from the line frequency and its harmonics."""
    keep = np.ones(grid.bins, dtype=np.bool_)
    if line_freq:
        for harmonic in np.arange(line_freq, grid.freqs[-1] + _LINE_MARGIN_HZ + line_freq, line_freq):
            keep &= np.abs(grid.freqs - harmonic) > _LINE_MARGIN_HZ
    return keep
