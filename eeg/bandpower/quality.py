"""A first look at epochs from all over a recording: units, line frequency, bad channels, limits for rejection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from eeg.bandpower.bad_channels import SampledChannels, bad_channels
from eeg.bandpower.psd import (
    Bool,
    Complex64,
    Float32,
    Float64,
    FrequencyGrid,
    hann_spectra,
    off_line,
    plausible,
    power,
    usable_band,
)
from eeg.bandpower.reject import (
    FLAT_V,
    JUMP_HZ,
    EpochStats,
    Limits,
    learn_limits,
    measure,
)
from eeg.errors import RecordingError
from eeg.io.recording import Recording
from eeg.settings import MUSCLE_HZ

_LOOKED_AT = 60
# Bursts of muscle, where the recording does not carry 51 to 69 Hz.
_BURST_HZ = (35.0, 45.0)
_LINE_SEEN_DB = 3.0
_LINE_WIDTH_HZ = 1.5
# 1 uV to 2 mV within 2 s, read a million times too small.
_TINY_V = (1e-12, 2e-9)


@dataclass(frozen=True)
class ChannelQuality:
    """What a first look found.

    Parameters
    ----------
    bad : dict of int to str
        Positions (in the picked EEG channels) of bad channels, and why.
    line_freq : float or None
        50 or 60 Hz where it stands out of the spectrum (or the file says so), else None.
    line_db : float
        How far it stands out, median over channels, dB.
    limits : Limits
        For rejection, one for each picked channel.
    unit_factor : float
        1, or 1e-6 where microvolts were stored as volts.
    fast_bins : array of bool, shape (bins,)
        Where the power of a jump shows.
    burst_bins : array of bool, shape (bins,), or None
        Where a burst of muscle shows.
    muscle_band : (float, float) or None
        Where muscle power is read; None: by the slope.
    notes : tuple of str
    """

    bad: dict[int, str]
    line_freq: float | None
    line_db: float
    limits: Limits
    unit_factor: float
    fast_bins: Bool
    burst_bins: Bool | None
    muscle_band: tuple[float, float] | None
    notes: tuple[str, ...]


def channel_quality(
    recording: Recording, picks: Sequence[int], starts: npt.NDArray[np.int64], grid: FrequencyGrid, *, rereference: bool
) -> ChannelQuality:
    """Look at up to 60 epochs spread over a recording; channels that it marks as bad take no part in anything.

    Parameters
    ----------
    recording : Recording
    picks : sequence of int
        The EEG channels, as positions in the recording.
    starts : array of int
        Of all epochs planned.
    grid : FrequencyGrid
    rereference : bool
        Judge sizes of epochs against the median of the channels, as the average reference will (a median: bad channels
        are not known yet). Channels are judged before re-referencing: a bad one would be hidden in the mean.
    """
    marked = np.array([recording.channels[at].name in recording.bads for at in picks], dtype=np.bool_)
    judged = ~marked if not marked.all() else marked
    raw_spectra, psd, stats = _look(recording, picks, starts, grid, marked, judged, rereference=rereference)
    factor, notes = _unit_factor(recording, stats.raw_p2p[judged]), []
    if factor != 1.0:
        stored, read = ("microvolts", "volts") if factor < 1 else ("volts", "microvolts")
        notes.append(f"values look like {stored} stored as {read}: taken as {stored}")
        size = np.float32(factor)
        stats = replace(stats, raw_p2p=stats.raw_p2p * size, p2p=stats.p2p * size, step=stats.step * size)
        raw_spectra *= size
        psd *= size * size
    middle = np.median(power(raw_spectra, grid), axis=1)
    line_by_channel = np.zeros(len(picks))
    line_freq, line_db, line_by_channel[judged] = _find_line(middle[judged], grid, recording.raw.info["line_freq"])
    muscle_band = _find_muscle_band(recording, grid, line_freq)
    burst_bins = _find_burst(recording, grid, line_freq, muscle_band)
    muscle = None if burst_bins is None else psd[..., burst_bins].mean(axis=2)
    fast_bins = grid.band(*JUMP_HZ) & off_line(grid, line_freq)
    stats = replace(stats, fast=psd[..., fast_bins].mean(axis=2))
    channels = [recording.channels[at] for at in picks]
    bad = bad_channels(
        SampledChannels(stats, raw_spectra, middle, line_by_channel),
        [channel.site for channel in channels],
        [channel.label for channel in channels],
        grid,
        line_freq,
        {int(i): "marked bad in the file" for i in np.flatnonzero(marked)},
    )
    return ChannelQuality(
        bad=bad,
        line_freq=line_freq,
        line_db=line_db,
        limits=learn_limits(stats, muscle, _line_p2p(psd, grid, line_freq)),
        unit_factor=factor,
        fast_bins=fast_bins,
        burst_bins=burst_bins,
        muscle_band=muscle_band,
        notes=tuple(notes),
    )


def _look(
    recording: Recording,
    picks: Sequence[int],
    starts: npt.NDArray[np.int64],
    grid: FrequencyGrid,
    marked: Bool,
    judged: Bool,
    *,
    rereference: bool,
) -> tuple[Complex64, Float32, EpochStats]:
    """Return spectra before, power after re-referencing, and sizes of epochs spread over a recording."""
    chosen = np.unique(np.sort(starts)[np.linspace(0, len(starts) - 1, min(_LOOKED_AT, len(starts))).astype(int)])
    spectra = np.empty((len(picks), len(chosen), grid.bins), np.complex64)
    psd = np.empty((len(picks), len(chosen), grid.bins), np.float32)
    columns: list[EpochStats] = []
    nothing = np.zeros((len(picks), 1), np.float32)
    for i, start in enumerate(chosen):
        samples = recording.read32(int(start), int(start) + grid.length, picks)
        samples[marked] = 0.0
        if not plausible(samples):
            raise RecordingError(
                f"{recording.path} holds values that are no numbers, or no voltages, at "
                f"{start / recording.sfreq:.0f} s: mark that stretch as BAD"
            )
        spectra[:, i] = hann_spectra(samples, grid, grid.length)[:, 0]
        referenced = samples - _middle(samples[judged]) if rereference else samples
        psd[:, i] = power(hann_spectra(referenced, grid, grid.length), grid)[:, 0]
        columns.append(measure(samples, referenced, grid.length, grid.length, nothing))
    return spectra, psd, EpochStats(*(np.concatenate([getattr(c, n) for c in columns], axis=1) for n in _STATS))


def _middle(samples: Float32) -> Float32:
    """Return the median over channels; by sorting, which takes a sixth of the time of `np.median`."""
    ordered = np.sort(samples, axis=0)
    half = len(ordered) // 2
    result: Float32 = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) * np.float32(0.5)
    return result


_STATS = ("raw_p2p", "rail", "p2p", "step", "fast")


def _unit_factor(recording: Recording, raw_p2p: Float32) -> float:
    """Return what brings values to volts: scalp EEG spans microvolts, never a volt, within 2 s.

    Parameters
    ----------
    recording : Recording
    raw_p2p : array, shape (n_channels, n_epochs)
        Peak-to-peak as stored. Epochs that are flat, as before an amplifier is switched on, say nothing of the unit.
    """
    sizes = np.median(raw_p2p, axis=0)
    moving = sizes[sizes >= FLAT_V]
    if not len(moving):
        # What spans microvolts once taken a million times is volts that were read as microvolts.
        tiny = float(np.median(sizes[sizes > 0])) if (sizes > 0).any() else 0.0
        return 1e6 if _TINY_V[0] <= tiny <= _TINY_V[1] else 1.0
    size = float(np.median(moving))
    if size < 0.5:
        return 1.0
    if size > 5e4:
        raise RecordingError(
            f"{recording.path}: values span {size:.3g} V in 2 s, which is no EEG in volts or microvolts: "
            "export it with physical units"
        )
    return 1e-6


def _find_line(spectra: Float32, grid: FrequencyGrid, stated: float | None) -> tuple[float | None, float, Float64]:
    """Find the line frequency: the larger of the peaks at 50 and 60 Hz over their surroundings, if over 3 dB.

    Parameters
    ----------
    spectra : array, shape (n_channels, bins)
        Power densities.
    grid : FrequencyGrid
    stated : float or None
        What the file says; taken where it is 50 or 60.

    Returns
    -------
    line_freq : float or None
    height_db : float
        Median over channels.
    by_channel : array, shape (n_channels,)
        Height of the peak in dB (0 where there is none).
    """
    best: tuple[float | None, float, Float64] = (None, 0.0, np.zeros(len(spectra)))
    for line in (50.0, 60.0):
        if grid.freqs[-1] < line + 3.0:
            continue
        height = line_height(spectra.astype(np.float64), grid, line)
        middle = float(np.median(height))
        wanted = stated is not None and abs(stated - line) < 1.0
        if wanted or (middle > _LINE_SEEN_DB and middle > best[1]):
            best = (line, middle, height)
            if wanted:
                break
    return best


def line_height(spectra: Float64, grid: FrequencyGrid, line: float) -> Float64:
    """Return how far the line frequency stands above its surroundings in each spectrum, dB."""
    away = np.abs(grid.freqs - line)
    logs = 10 * np.log10(np.maximum(spectra, 1e-30))
    result: Float64 = logs[:, away <= 0.75].max(axis=1) - logs[:, (away >= 1.5) & (away <= 4.0)].mean(axis=1)
    return result


def _line_p2p(psd: Float32, grid: FrequencyGrid, line_freq: float | None) -> Float32:
    """Return the peak-to-peak that the line frequency alone has in each channel, volts: that of a sine of its power."""
    if line_freq is None:
        return np.zeros(len(psd), np.float32)
    near = np.abs(grid.freqs - line_freq) <= _LINE_WIDTH_HZ
    return np.asarray(np.sqrt(8 * np.median(psd[..., near].sum(axis=2), axis=1) * grid.step) * 1e-6, dtype=np.float32)


def _find_muscle_band(recording: Recording, grid: FrequencyGrid, line_freq: float | None) -> tuple[float, float] | None:
    """Return the part of 51 to 69 Hz that the recording carries, or None where too little of it does."""
    ceiling = min(0.95 * recording.lowpass, 0.9 * recording.sfreq / 2)
    band = usable_band(*MUSCLE_HZ, ceiling)
    if band is None:
        return None
    kept = np.count_nonzero(grid.band(*band) & off_line(grid, line_freq)) * grid.step
    return band if kept >= 4.0 else None


def _find_burst(
    recording: Recording, grid: FrequencyGrid, line_freq: float | None, muscle_band: tuple[float, float] | None
) -> Bool | None:
    """Return where bursts of muscle are looked for: the muscle band, or else the upper end of gamma; None below it."""
    ceiling = min(recording.lowpass, 0.9 * recording.sfreq / 2)
    band = muscle_band or usable_band(*_BURST_HZ, ceiling)
    return None if band is None else grid.band(*band) & off_line(grid, line_freq)
