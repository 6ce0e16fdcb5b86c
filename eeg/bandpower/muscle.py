"""The muscle index of every segment, and the height of the line frequency."""

from __future__ import annotations

import numpy as np

from eeg.bandpower.bands import decibels, mean_of
from eeg.bandpower.baseline import SegmentSpectra
from eeg.bandpower.psd import Bool, Float64, FrequencyGrid
from eeg.bandpower.quality import ChannelQuality, line_height
from eeg.settings import MUSCLE_SLOPE_HZ

# A slope is brought to decibels as what it means at 60 Hz against 20 Hz.
_SLOPE_TO_DB = 10.0 * np.log10(60.0 / 20.0)


def muscle_index(
    segments: SegmentSpectra, grid: FrequencyGrid, keep: Bool, quality: ChannelQuality, carried_hz: float
) -> tuple[Float64, str]:
    """Return the muscle index of every segment against the baseline in dB, and how it was made.

    Parameters
    ----------
    segments : SegmentSpectra
    grid : FrequencyGrid
    keep : array of bool, shape (bins,)
        Bins off the line frequency.
    quality : ChannelQuality
    carried_hz : float
        Up to where the recording carries power.
    """
    if quality.muscle_band is not None:
        low, high = quality.muscle_band
        bins = grid.band(low, high) & keep
        values = decibels(segments.density[..., bins].mean(axis=2) / segments.baseline[:, bins].mean(axis=1))
        return _means(values), f"power {low:g}-{high:g} Hz without line frequency, dB"
    top = min(MUSCLE_SLOPE_HZ[1], carried_hz)
    freqs = grid.freqs
    # Without the alpha peak, which would be read as steepness.
    bins = (freqs >= MUSCLE_SLOPE_HZ[0]) & (freqs <= top) & keep & ~((freqs > 7.5) & (freqs < 13.5))
    x = np.log10(freqs[bins])
    x = x - x.mean()

    def slope(density: Float64) -> Float64:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log10(density[..., bins]) @ x / (x @ x))

    values = (slope(segments.density) - slope(segments.baseline)) * _SLOPE_TO_DB
    return _means(values), f"log-log slope {MUSCLE_SLOPE_HZ[0]:g}-{top:g} Hz as dB at 60 against 20 Hz"


def line_heights(segments: SegmentSpectra, grid: FrequencyGrid, line_freq: float | None) -> Float64:
    """Return how far the line frequency stands out in every segment, dB; nan where there is none."""
    if line_freq is None:
        return np.full(len(segments), np.nan)
    return _means(np.array([line_height(row, grid, line_freq) for row in segments.density]))


def _means(values: Float64) -> Float64:
    return np.array([mean_of(row) for row in values])
