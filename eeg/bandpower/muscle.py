"""The muscle index of every segment, and the height of the line frequency."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from eeg.bandpower.bands import decibels, mean_of
from eeg.bandpower.baseline import SegmentSpectra
from eeg.bandpower.psd import Bool, Float64, FrequencyGrid
from eeg.bandpower.quality import line_height
from eeg.settings import MUSCLE_SLOPE_HZ

# A slope is stated in decibels: power at 60 Hz against 20 Hz.
_SLOPE_TO_DB = 10.0 * np.log10(60.0 / 20.0)

# An index of less than this says little.
_MIN_INDEX_HZ = 4.0


@dataclass(frozen=True)
class MuscleIndex:
    """Muscle in every segment against the baseline.

    Parameters
    ----------
    db : array, shape (n_segments,)
        Power where muscle dominates, dB; nan where the scored bands leave too little of that range.
    slope_db : array, shape (n_segments,)
        Log-log slope as dB at 60 against 20 Hz. It contains the scored bands, so that nothing is regressed on it.
    text : str
        How it was made.
    """

    db: Float64
    slope_db: Float64
    text: str

    @property
    def found(self) -> bool:
        """Whether there is an index to regress on."""
        return bool(np.isfinite(self.db).any())


def muscle_index(
    segments: SegmentSpectra,
    grid: FrequencyGrid,
    keep: Bool,
    band: tuple[float, float] | None,
    scored: Iterable[tuple[float, float] | None],
    carried_hz: float,
) -> MuscleIndex:
    """Return the muscle index of every segment.

    Parameters
    ----------
    segments : SegmentSpectra
    grid : FrequencyGrid
    keep : array of bool, shape (bins,)
        Bins off the line frequency.
    band : (float, float) or None
        What the recording carries of 51 to 69 Hz.
    scored : iterable of (float, float) or None
        Bands that are scored: the index leaves them out, or a true effect would be regressed out with it.
    carried_hz : float
        Up to where the recording carries power.
    """
    slope = _slope_db(segments, grid, keep, carried_hz)
    nothing = np.full(len(segments), np.nan)
    if band is None:
        return MuscleIndex(nothing, slope, f"none: the recording carries power only up to {carried_hz:g} Hz")
    bins = grid.band(*band) & keep
    for limits in scored:
        if limits is not None:
            bins &= ~grid.band(*limits)
    if np.count_nonzero(bins) * grid.step < _MIN_INDEX_HZ:
        return MuscleIndex(nothing, slope, f"none: {band[0]:g}-{band[1]:g} Hz lies within a band that is scored")
    values = decibels(segments.density[..., bins].mean(axis=2) / segments.baseline[:, bins].mean(axis=1))
    low, high = band
    return MuscleIndex(_means(values), slope, f"power {low:g}-{high:g} Hz without line frequency and scored bands, dB")


def _slope_db(segments: SegmentSpectra, grid: FrequencyGrid, keep: Bool, carried_hz: float) -> Float64:
    freqs = grid.freqs
    # Without the alpha peak, which would be read as steepness.
    inside = (freqs >= MUSCLE_SLOPE_HZ[0]) & (freqs <= min(MUSCLE_SLOPE_HZ[1], carried_hz))
    bins = inside & keep & ~((freqs > 7.5) & (freqs < 13.5))
    x = np.log10(freqs[bins])
    x = x - x.mean()

    def slope(density: Float64) -> Float64:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log10(density[..., bins]) @ x / (x @ x))

    return _means((slope(segments.density) - slope(segments.baseline)) * _SLOPE_TO_DB)


def line_heights(segments: SegmentSpectra, grid: FrequencyGrid, line_freq: float | None) -> Float64:
    """Return how far the line frequency stands out in every segment, dB; nan where there is none."""
    if line_freq is None:
        return np.full(len(segments), np.nan)
    return _means(np.array([line_height(row, grid, line_freq) for row in segments.density]))


def _means(values: Float64) -> Float64:
    return np.array([mean_of(row) for row in values])
