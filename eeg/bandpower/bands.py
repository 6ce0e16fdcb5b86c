"""Band power of every segment against the baseline, in decibels, for any set of named bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eeg.bandpower.aperiodic import Aperiodic, fit_aperiodic
from eeg.bandpower.baseline import SegmentSpectra
from eeg.bandpower.psd import Bool, Float64, FrequencyGrid
from eeg.settings import APERIODIC_HZ

Range = tuple[float, float]


@dataclass(frozen=True)
class NormalisedPower:
    """Band power of every segment; nan where it is not known.

    Parameters
    ----------
    bands : tuple of str
        Their names, the order of the first axis.
    db : array, shape (n_bands, n_segments)
        Against the baseline, mean over channels, dB.
    adjusted_db : array, shape (n_bands, n_segments)
        The same above the aperiodic part.
    uv2 : array, shape (n_bands, n_segments)
        Geometric mean over channels, uV^2.
    channel_db : array, shape (n_bands, n_segments, n_channels)
        `db` before the mean.
    spectra : mapping of str to array, shape (bins,)
        Pooled density of each piece, and of ``""``, the baseline: geometric mean over channels, uV^2/Hz.
    """

    bands: tuple[str, ...]
    db: Float64
    adjusted_db: Float64
    uv2: Float64
    channel_db: Float64
    spectra: Mapping[str, Float64]

    def at(self, band: str) -> int:
        """Return a band's index on the first axis."""
        return self.bands.index(band)


def normalise(
    segments: SegmentSpectra,
    pooled: Mapping[str, Float64],
    grid: FrequencyGrid,
    keep: Bool,
    bands: Mapping[str, Range | None],
    fit_up_to: float,
) -> NormalisedPower:
    """Return band power of every segment against the baseline.

    Each channel is compared with its own baseline, then the decibels are averaged: a loud channel counts no more than
    a quiet one, and the reference electrode's distance drops out.

    Parameters
    ----------
    segments : SegmentSpectra
    pooled : mapping of str to array, shape (bins,)
        From `pooled_spectra`.
    grid : FrequencyGrid
    keep : array of bool, shape (bins,)
        Bins that count: those off the line frequency.
    bands : mapping of str to (float, float) or None
        After clipping, Hz; None where the recording does not carry it.
    fit_up_to : float
        Up to where the recording can be fitted, Hz.
    """
    n, channels = len(segments), segments.density.shape[1]
    fits = _fits(pooled, grid, keep, fit_up_to)
    db, adjusted, uv2 = (np.full((len(bands), n), np.nan) for _ in range(3))
    channel_db = np.full((len(bands), n, channels), np.nan)
    for i, band in enumerate(bands.values()):
        if band is None:
            continue
        bins = grid.band(*band) & keep
        channel_db[i] = _channel_db(segments, bins)
        db[i] = [mean_of(row) for row in channel_db[i]]
        uv2[i] = [_geometric_mean(row) for row in segments.density[..., bins].mean(axis=2) * (band[1] - band[0])]
        adjusted[i] = _adjusted_db(segments, grid.freqs, bins, fits)
    return NormalisedPower(tuple(bands), db, adjusted, uv2, channel_db, pooled)


def pooled_spectra(segments: SegmentSpectra, means: Mapping[str, Float64]) -> dict[str, Float64]:
    """Return the density of the baseline (``""``) and of each piece, geometric mean over channels, uV^2/Hz.

    Parameters
    ----------
    segments : SegmentSpectra
    means : mapping of str to array, shape (n_channels, bins)
        Of each piece, over all clean epochs of its plays.
    """
    return {"": _geometric(segments.baseline)} | {piece: _geometric(density) for piece, density in means.items()}


def mean_over_plays(segments: SegmentSpectra, values: Float64) -> Float64:
    """Return values (n_segments, n_channels) averaged over plays by their clean seconds, shape (n_channels,)."""
    weights = np.where(segments.is_play, segments.clean_s, 0.0)
    use = np.isfinite(values) * weights[:, None]
    total = use.sum(axis=0)
    return np.where(total > 0, (np.nan_to_num(values) * use).sum(axis=0) / np.where(total > 0, total, 1.0), np.nan)


def decibels(ratio: Float64) -> Float64:
    """Return ratios of power in dB; nan and infinities without a warning."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(10.0 * np.log10(ratio))


def mean_of(values: Float64) -> float:
    """Return the mean over channels, leaving out those without a value; nan where none has one."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _channel_db(segments: SegmentSpectra, bins: Bool) -> Float64:
    """Return power in some bins against the baseline's, dB, shape (n_segments, n_channels)."""
    values = decibels(segments.density[..., bins].mean(axis=2) / segments.baseline[:, bins].mean(axis=1))
    return np.where(segments.enough[:, None], values, np.nan)


def _fits(
    pooled: Mapping[str, Float64], grid: FrequencyGrid, keep: Bool, fit_up_to: float
) -> dict[str, Aperiodic | None]:
    bins = grid.band(APERIODIC_HZ[0], min(APERIODIC_HZ[1], fit_up_to) + grid.step) & keep
    return {name: fit_aperiodic(grid.freqs[bins], density[bins]) for name, density in pooled.items()}


def _adjusted_db(
    segments: SegmentSpectra, freqs: Float64, bins: Bool, fits: Mapping[str, Aperiodic | None]
) -> Sequence[float]:
    """Return power above the aperiodic part against the same of the baseline, dB, one value for each segment."""
    ground, enough = fits[""], segments.enough
    result = []
    for i, piece in enumerate(segments.pieces):
        fit = fits.get(piece or "") if segments.is_play[i] else ground
        if ground is None or fit is None or not enough[i]:
            result.append(float("nan"))
            continue
        above = (segments.density[i][:, bins] / fit.density(freqs[bins])).mean(axis=1)
        base = (segments.baseline[:, bins] / ground.density(freqs[bins])).mean(axis=1)
        result.append(mean_of(decibels(above / base)))
    return result


def _geometric(density: Float64) -> Float64:
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(density)
    known = np.isfinite(logs).all(axis=1)
    return np.exp(logs[known].mean(axis=0)) if known.any() else np.full(density.shape[1], np.nan)


def _geometric_mean(values: Float64) -> float:
    known = values[np.isfinite(values) & (values > 0)]
    return float(np.exp(np.log(known).mean())) if len(known) else float("nan")
