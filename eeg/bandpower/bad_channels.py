"""Which channels are bad as a whole: judged before re-referencing, against one another and against their neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eeg.bandpower.neighbours import MAX_UNCORRELATED, counted_bins, misplaced, sphere, uncorrelated
from eeg.bandpower.psd import Bool, Complex64, Float32, Float64, FrequencyGrid, off_line
from eeg.bandpower.reject import FLAT_V, P2P_HIGH_V, RAIL_FRACTION, RAIL_MIN_V, EpochStats

# Rules that compare channels with one another need a few of them.
_MIN_CHANNELS_TO_COMPARE = 6
# PREP's robust deviation (Bigdely-Shamlo 2015, 10.3389/fninf.2015.00016): 5.
_MAX_DEVIATION = 5.0
# Least spread assumed between channels: dB of level, share of the median noisiness.
_LEVEL_FLOOR_DB = 1.5
_NOISE_FLOOR = 0.19
_LINE_BAD_DB = 10.0
_FAST_HZ = (30.0, 60.0)


@dataclass(frozen=True)
class SampledChannels:
    """Channels in epochs sampled over a recording, before re-referencing.

    Parameters
    ----------
    stats : EpochStats
    spectra : array, shape (n_channels, n_epochs, bins), complex64
        In volts.
    density : array, shape (n_channels, bins)
        Median over epochs of power density, uV^2/Hz.
    line_db : array, shape (n_channels,)
        Height of the line frequency.
    """

    stats: EpochStats
    spectra: Complex64
    density: Float32
    line_db: Float64


def bad_channels(
    sampled: SampledChannels,
    sites: Sequence[str | None],
    labels: Sequence[str],
    grid: FrequencyGrid,
    line_freq: float | None,
    marked: Mapping[int, str],
) -> dict[int, str]:
    """Return the channels that are bad as a whole, and why; marked ones are left out of the comparison.

    Parameters
    ----------
    sampled : SampledChannels
    sites : sequence of str or None
        10-10 site of each channel.
    labels : sequence of str
    grid : FrequencyGrid
    line_freq : float or None
    marked : mapping of int to str
        Channels that the file marks as bad.
    """
    bad = dict(marked)

    def add(found: Bool, why: str) -> None:
        for i in np.flatnonzero(found):
            bad.setdefault(int(i), why)

    stats = sampled.stats
    add(np.mean(stats.raw_p2p < FLAT_V, axis=1) > 0.5, "flat")
    add(np.mean((stats.rail > RAIL_FRACTION) & (stats.raw_p2p > RAIL_MIN_V), axis=1) > 0.5, "railed")
    add(np.mean(stats.p2p > 2 * P2P_HIGH_V, axis=1) > 0.5, "too large")
    alive = [i for i in range(len(labels)) if i not in bad]
    if len(alive) < _MIN_CHANNELS_TO_COMPARE:
        return bad
    keep = off_line(grid, line_freq)
    bad |= _outliers(sampled, alive, grid, keep, line_freq)
    counted = sampled.spectra[..., counted_bins(grid.freqs, keep)]
    share = uncorrelated(counted, [i for i in alive if i not in bad])
    add(share >= MAX_UNCORRELATED, "correlates with no other channel")
    for i, other in misplaced(counted, sphere(sites), [i for i in alive if i not in bad]).items():
        bad[i] = "unlike its neighbours" if other is None else f"looks swapped with {labels[other]}"
    return bad


def _outliers(
    sampled: SampledChannels, alive: Sequence[int], grid: FrequencyGrid, keep: Bool, line_freq: float | None
) -> dict[int, str]:
    """Return channels that lie far from the others in level, in fast activity or in line noise."""
    found: dict[int, str] = {}

    def add(outlying: Bool, why: str) -> None:
        for i in np.flatnonzero(outlying):
            found.setdefault(alive[int(i)], why)

    density = sampled.density[list(alive)].astype(np.float64)
    slow = density[:, grid.band(1.0, 30.0) & keep].mean(axis=1)
    level = _deviation(10 * np.log10(np.maximum(slow, 1e-30)), _LEVEL_FLOOR_DB)
    add(level > _MAX_DEVIATION, "deviates: larger than the other channels")
    add(level < -_MAX_DEVIATION, "deviates: smaller than the other channels")
    fast_bins = grid.band(_FAST_HZ[0], min(_FAST_HZ[1], float(grid.freqs[-1]))) & keep
    if fast_bins.any():
        # PREP's noisiness is a ratio of amplitudes.
        noise = np.sqrt(density[:, fast_bins].mean(axis=1) / np.maximum(slow, 1e-30))
        add(
            _deviation(noise, _NOISE_FLOOR * float(np.median(noise))) > _MAX_DEVIATION,
            "noisy: fast activity out of proportion, as of muscle",
        )
    if line_freq:
        height = sampled.line_db[list(alive)]
        outlying = _deviation(height, _LEVEL_FLOOR_DB) > _MAX_DEVIATION
        add(outlying & (height > np.median(height) + _LINE_BAD_DB), "line noise")
    return found


def _deviation(values: Float64, floor: float) -> Float64:
    """Return robust deviations from the median; the spread is taken as `floor` at least."""
    middle = np.median(values)
    spread = max(1.4826 * float(np.median(np.abs(values - middle))), floor)
    return np.asarray((values - middle) / spread)
