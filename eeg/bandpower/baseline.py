"""From summed spectra to decibels: every play and every block of baseline against the recording's baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eeg.bandpower.accumulate import Spectra
from eeg.bandpower.aperiodic import Aperiodic, fit_aperiodic
from eeg.bandpower.psd import Float64, FrequencyGrid, off_line
from eeg.bandpower.quality import ChannelQuality
from eeg.io.channels import GROUPS, group_of
from eeg.io.recording import Recording
from eeg.results import BandScores
from eeg.settings import APERIODIC_HZ, FLAG_BELOW_S, MUSCLE_SLOPE_HZ, REFUSE_BELOW_S

BANDS = ("beta", "gamma")
# A channel without this many clean epochs of baseline has no reference; and no score.
MIN_BASELINE_EPOCHS = 5
# A slope is brought to decibels as what it means at 60 Hz against 20 Hz.
_SLOPE_TO_DB = 10.0 * np.log10(60.0 / 20.0)
# Beyond this, what a play adds over 51 Hz is likely to reach the gamma band.
MUSCLE_FLAG_DB = 1.0
APERIODIC_WANTS_S = 180.0

Maybe = list[float | None]


@dataclass(frozen=True)
class NormalisedPower:
    """Values of every owner (plays, then blocks of baseline); lists are in the order of owners."""

    clean_s: list[float]
    piece_clean_s: list[float]
    db: Mapping[str, Maybe]
    adjusted: Mapping[str, Maybe]
    power: Mapping[str, Maybe]
    muscle: Maybe
    muscle_index: str
    line: Maybe
    groups: list[Mapping[str, BandScores]]
    channel_db: Mapping[str, Float64]
    spectra: Mapping[str, Float64]
    epoch_baseline_db: tuple[float, float]
    baseline: str
    aperiodic_short: list[bool]
    warnings: list[str]


def flags_of(power: NormalisedPower, i: int, *, music: bool) -> tuple[str, ...]:
    """Return the flags of one owner."""
    flags = []
    if music and power.piece_clean_s[i] < REFUSE_BELOW_S:
        flags.append("too-little-clean")
    elif music and power.piece_clean_s[i] < FLAG_BELOW_S:
        flags.append("short")
    if power.baseline == "plays":
        flags.append("no-silence-baseline")
    muscle = power.muscle[i]
    if music and muscle is not None and abs(muscle) > MUSCLE_FLAG_DB:
        flags.append("muscle")
        if power.db["gamma"][i] is not None:
            flags.append("gamma-may-be-muscle")
    if music and power.aperiodic_short[i] and power.adjusted["beta"][i] is not None:
        flags.append("aperiodic-short")
    return tuple(flags)


def _db(ratio: Float64) -> Float64:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(10.0 * np.log10(ratio))


def _mean(values: Float64) -> float | None:
    """Mean over channels, leaving out those without a value; None where none has one."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def normalise_to_baseline(
    recording: Recording,
    spectra: Spectra,
    n_plays: int,
    pieces: Sequence[str | None],
    scored: Sequence[int],
    grid: FrequencyGrid,
    hop: int,
    quality: ChannelQuality,
    bands: Mapping[str, tuple[float, float] | None],
) -> NormalisedPower:
    """Turn sums of power into decibels against the baseline.

    Each channel is compared with its own baseline, then the decibels are averaged: a loud channel counts no more than
    a quiet one, and the reference electrode's distance drops out.

    Parameters
    ----------
    recording : Recording
    spectra : Spectra
    n_plays : int
        Owners that are plays; the others are blocks of baseline.
    pieces : sequence of str or None
        Of each owner.
    scored : sequence of int
        Channels to average.
    grid : FrequencyGrid
    hop : int
    quality : ChannelQuality
    bands : mapping
        Clipped bands, or None.
    """
    n = len(pieces)
    is_play = np.arange(n) < n_plays
    scored = list(scored)
    hop_s = hop / recording.sfreq
    extra_s = grid.length / recording.sfreq - hop_s  # the last of overlapping epochs is counted in full
    clean_s = (spectra.count[:, scored] * hop_s + extra_s * (spectra.count[:, scored] > 0)).mean(axis=1).tolist()
    piece_clean = {
        p: sum(s for s, q in zip(clean_s[:n_plays], pieces[:n_plays], strict=True) if q == p) for p in set(pieces)
    }
    piece_clean_s = [piece_clean.get(p, 0.0) if i < n_plays else clean_s[i] for i, p in enumerate(pieces)]
    warnings: list[str] = []
    baseline, reference = _baseline(is_play, clean_s, warnings)
    base = spectra.mean(reference)[scored]
    base[spectra.count[reference].sum(axis=0)[scored] < MIN_BASELINE_EPOCHS] = np.nan
    if not np.isfinite(base).any():
        base = spectra.mean(np.ones(n, dtype=np.bool_))[scored]
    each = np.stack([spectra.mean(np.arange(n) == i)[scored] for i in range(n)])
    keep = off_line(grid, quality.line_freq)
    enough = np.array([not is_play[i] or piece_clean_s[i] >= REFUSE_BELOW_S for i in range(n)])

    fit_bins = (
        grid.band(APERIODIC_HZ[0], min(APERIODIC_HZ[1], 0.9 * recording.lowpass, 0.9 * recording.sfreq / 2) + grid.step)
        & keep
    )
    pooled = {"": _geometric(base)}
    for piece in dict.fromkeys(p for p in pieces[:n_plays] if p is not None):
        mine = np.array([is_play[i] and pieces[i] == piece for i in range(n)])
        pooled[piece] = _geometric(spectra.mean(mine)[scored])
    fits = {name: _fit(grid, density, fit_bins) for name, density in pooled.items()}

    db: dict[str, Maybe] = {}
    adjusted: dict[str, Maybe] = {}
    absolute: dict[str, Maybe] = {}
    channel: dict[str, Float64] = {}
    by_channel: dict[str, Float64] = {}
    for name in BANDS:
        band = bands[name]
        if band is None:
            db[name], adjusted[name], absolute[name] = [None] * n, [None] * n, [None] * n
            channel[name], by_channel[name] = np.full(len(scored), np.nan), np.full((n, len(scored)), np.nan)
            continue
        bins = grid.band(*band) & keep
        values = _db(each[..., bins].mean(axis=2) / base[:, bins].mean(axis=1))
        by_channel[name] = np.where(enough[:, None], values, np.nan)
        db[name] = [_mean(row) for row in by_channel[name]]
        width = band[1] - band[0]
        absolute[name] = [_geometric_mean(row) for row in each[..., bins].mean(axis=2) * width]
        adjusted[name] = _adjust(each, base, grid, bins, fits, pieces, is_play, enough)
        weights = np.where(is_play, clean_s, 0.0)
        channel[name] = _weighted(by_channel[name], weights)
    muscle, index = _muscle(each, base, grid, keep, quality, recording)
    groups = _group_scores(recording, scored, by_channel)
    in_reference = reference[spectra.epoch_owner]
    epoch_base = tuple(
        float(np.nanmean(spectra.epoch_power[in_reference, i]))
        if np.isfinite(spectra.epoch_power[in_reference, i]).any()
        else 0.0
        for i in range(2)
    )
    return NormalisedPower(
        clean_s=clean_s,
        piece_clean_s=piece_clean_s,
        db=db,
        adjusted=adjusted,
        power=absolute,
        muscle=muscle,
        muscle_index=index,
        line=_line(each, grid, quality),
        groups=groups,
        channel_db=channel,
        spectra=pooled,
        epoch_baseline_db=(epoch_base[0], epoch_base[1]),
        baseline=baseline,
        aperiodic_short=[s < APERIODIC_WANTS_S for s in piece_clean_s],
        warnings=warnings,
    )


def _baseline(
    is_play: npt.NDArray[np.bool_], clean_s: Sequence[float], warnings: list[str]
) -> tuple[str, npt.NDArray[np.bool_]]:
    """Return which owners are the reference: the silences, or all plays where there is too little silence."""
    silent = sum(s for s, play in zip(clean_s, is_play, strict=True) if not play)
    if silent >= REFUSE_BELOW_S:
        if silent < FLAG_BELOW_S:
            warnings.append(f"only {silent:.0f} s of clean silence as baseline: at least {FLAG_BELOW_S:g} s are wanted")
        return "silence", ~is_play
    if not is_play.all():
        warnings.append(
            f"only {silent:.0f} s of clean silence ({REFUSE_BELOW_S:g} s are needed): "
            "values are against the mean of all plays"
        )
    return "plays", is_play


def _geometric(density: Float64) -> Float64:
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(density)
    known = np.isfinite(logs).all(axis=1)
    return np.exp(logs[known].mean(axis=0)) if known.any() else np.full(density.shape[1], np.nan)


def _geometric_mean(values: Float64) -> float | None:
    known = values[np.isfinite(values) & (values > 0)]
    return float(np.exp(np.log(known).mean())) if len(known) else None


def _fit(grid: FrequencyGrid, density: Float64, bins: npt.NDArray[np.bool_]) -> Aperiodic | None:
    return fit_aperiodic(grid.freqs[bins], density[bins])


def _adjust(
    each: Float64,
    base: Float64,
    grid: FrequencyGrid,
    bins: npt.NDArray[np.bool_],
    fits: Mapping[str, Aperiodic | None],
    pieces: Sequence[str | None],
    is_play: npt.NDArray[np.bool_],
    enough: npt.NDArray[np.bool_],
) -> Maybe:
    """Return band power above the aperiodic part, against the same of the baseline, dB."""
    ground = fits[""]
    result: Maybe = []
    for i, piece in enumerate(pieces):
        fit = fits.get(piece or "") if is_play[i] else ground
        if ground is None or fit is None or not enough[i]:
            result.append(None)
            continue
        freqs = grid.freqs[bins]
        above = (each[i][:, bins] / fit.density(freqs)).mean(axis=1)
        result.append(_mean(_db(above / (base[:, bins] / ground.density(freqs)).mean(axis=1))))
    return result


def _weighted(values: Float64, weights: npt.NDArray[np.float64]) -> Float64:
    use = np.isfinite(values) * weights[:, None]
    total = use.sum(axis=0)
    return np.where(total > 0, (np.nan_to_num(values) * use).sum(axis=0) / np.where(total > 0, total, 1.0), np.nan)


def _muscle(
    each: Float64,
    base: Float64,
    grid: FrequencyGrid,
    keep: npt.NDArray[np.bool_],
    quality: ChannelQuality,
    recording: Recording,
) -> tuple[Maybe, str]:
    if quality.muscle_band is not None:
        low, high = quality.muscle_band
        bins = grid.band(low, high) & keep
        values = _db(each[..., bins].mean(axis=2) / base[:, bins].mean(axis=1))
        return [_mean(row) for row in values], f"power {low:g}-{high:g} Hz without line frequency, dB"
    top = min(MUSCLE_SLOPE_HZ[1], recording.lowpass, 0.9 * recording.sfreq / 2)
    freqs = grid.freqs
    # Without the alpha peak, which would be read as steepness.
    bins = (freqs >= MUSCLE_SLOPE_HZ[0]) & (freqs <= top) & keep & ~((freqs > 7.5) & (freqs < 13.5))
    x = np.log10(freqs[bins])
    x = x - x.mean()

    def slope(density: Float64) -> Float64:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log10(density[..., bins]) @ x / (x @ x))

    values = (slope(each) - slope(base)) * _SLOPE_TO_DB
    return [_mean(row) for row in values], f"log-log slope {MUSCLE_SLOPE_HZ[0]:g}-{top:g} Hz as dB at 60 against 20 Hz"


def _line(each: Float64, grid: FrequencyGrid, quality: ChannelQuality) -> Maybe:
    from eeg.bandpower.quality import line_height

    if quality.line_freq is None:
        return [None] * len(each)
    return [_mean(line_height(row, grid, quality.line_freq)) for row in each]


def _group_scores(
    recording: Recording, scored: Sequence[int], by_channel: Mapping[str, Float64]
) -> list[Mapping[str, BandScores]]:
    eeg = recording.eeg
    groups = np.array([group_of(recording.channels[eeg[i]].site) or "" for i in scored])
    present = [group for group in GROUPS if (groups == group).any()]
    return [
        {
            group: BandScores(
                _mean(by_channel["beta"][i, groups == group]), _mean(by_channel["gamma"][i, groups == group])
            )
            for group in present
        }
        for i in range(len(by_channel["beta"]))
    ]
