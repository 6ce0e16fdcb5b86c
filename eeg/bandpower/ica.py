"""Independent components: finding those of eyes and muscles, and a matrix that removes them from every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eeg.bandpower.accumulate import reference
from eeg.bandpower.quality import ChannelQuality
from eeg.bandpower.reject import FLAT_V
from eeg.errors import TooLittleDataError
from eeg.io.channels import position_of
from eeg.io.recording import Recording

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_MIN_CHANNELS = 8
# Samples wanted for n channels: 30 n^2 (Onton 2006, 10.1016/j.neuroimage.2005.11.054: at least 20 n^2), within these.
_MIN_S, _MAX_S = 60.0, 240.0
# Samples a second to thin to: components are recognised by what lies below 45 Hz.
_WORK_SFREQ = 200.0
# Pre-emphasis: this share of the previous sample is subtracted, since large slow waves would hide muscle.
_EMPHASIS = 0.95
MAX_STEPS = 300
_EYE_CORRELATION = 0.6
# Log-log slope 7 to 45 Hz over which a component is muscle; the middle of the cut-offs from paralysis data
# (Fitzgibbon 2016, 10.1016/j.clinph.2015.10.030).
_MUSCLE_SLOPE = -0.59
_MUSCLE_RIM = 0.5


@dataclass(frozen=True)
class Unmixing:
    """A matrix that removes components.

    Parameters
    ----------
    matrix : array, shape (n_channels, n_channels), float32
        Multiplied with (re-referenced) samples; the identity for bad channels.
    eyes, muscles : int
        Components removed.
    note : str
        What was done, in one line.
    """

    matrix: Float32
    eyes: int
    muscles: int
    note: str


def fit_unmixing(
    recording: Recording,
    picks: Sequence[int],
    starts: npt.NDArray[np.int64],
    length: int,
    quality: ChannelQuality,
    *,
    average: bool,
) -> Unmixing:
    """Find eye and muscle components in epochs spread over the recording.

    A component belongs to the eyes if it correlates with the EOG or with the electrodes above the eyes; to muscle if
    its spectrum is flat and its map lies at the rim.

    Parameters
    ----------
    recording : Recording
    picks : sequence of int
        EEG channels.
    starts : array of int
        Of all epochs.
    length : int
        Samples of an epoch.
    quality : ChannelQuality
    average : bool
        Whether samples are re-referenced to the mean.

    Raises
    ------
    TooLittleDataError
        Too few good channels or too little data.
    """
    good = np.array([i not in quality.bad for i in range(len(picks))])
    kept = np.flatnonzero(good)
    if len(kept) < _MIN_CHANNELS:
        raise TooLittleDataError(
            f"{recording.path}: independent components need at least {_MIN_CHANNELS} good channels, "
            f"there are {len(kept)}: leave `ica` out"
        )
    samples, eog = _gather(recording, picks, starts, length, quality, good, average)
    if samples.shape[1] < 20 * len(kept):
        raise TooLittleDataError(f"{recording.path}: too little data for independent components: leave `ica` out")
    weights, mixing = _decompose(_emphasise(samples, length, recording.sfreq), rank=len(kept) - int(average))
    sources = weights @ samples
    sfreq = recording.sfreq / _step(recording.sfreq)
    names = [recording.channels[picks[int(i)]] for i in kept]
    eyes = _eye_components(sources, samples, eog, [channel.site for channel in names], sfreq, recording)
    muscles = _muscle_components(sources, mixing, [channel.site for channel in names], sfreq) & ~eyes
    out = eyes | muscles
    clean = np.eye(len(kept)) - mixing[:, out] @ weights[out]
    matrix = np.eye(len(picks), dtype=np.float32)
    matrix[np.ix_(kept, kept)] = clean.astype(np.float32)
    n_eyes, n_muscles = int(eyes.sum()), int(muscles.sum())
    note = f"independent components taken out: {n_eyes} of the eyes, {n_muscles} of muscle, of {len(out)}"
    return Unmixing(matrix, n_eyes, n_muscles, note)


def _emphasise(samples: Float64, length: int, sfreq: float) -> Float64:
    """Reduce slow waves, epoch by epoch."""
    epoch = -(-length // _step(sfreq))
    blocks = samples.reshape(len(samples), -1, epoch)
    return np.asarray((blocks[..., 1:] - _EMPHASIS * blocks[..., :-1]).reshape(len(samples), -1))


def _step(sfreq: float) -> int:
    return max(1, int(sfreq // _WORK_SFREQ))


def _gather(
    recording: Recording,
    picks: Sequence[int],
    starts: npt.NDArray[np.int64],
    length: int,
    quality: ChannelQuality,
    good: npt.NDArray[np.bool_],
    average: bool,
) -> tuple[Float64, Float64]:
    """Return low-passed, thinned epochs in microvolts, (n_good, n) and the EOG channels' (n_eog, n)."""
    import scipy.signal

    n_good = int(good.sum())
    epoch_s = length / recording.sfreq
    wanted_s = float(np.clip(30 * n_good**2 / _WORK_SFREQ, _MIN_S, _MAX_S))
    count = min(len(starts), round(wanted_s / epoch_s))
    ordered = np.sort(starts)
    chosen = np.unique(ordered[np.linspace(0, len(ordered) - 1, count).astype(int)])
    others = [i for i, channel in enumerate(recording.channels) if channel.kind == "EOG"]
    step = _step(recording.sfreq)
    sos = scipy.signal.butter(4, 0.4 * recording.sfreq / step, fs=recording.sfreq, output="sos")
    parts, eyes = [], []
    for start in chosen:
        data = recording.read(int(start), int(start) + length, [*picks, *others]) * quality.unit_factor
        brain = data[: len(picks)].astype(np.float32)
        if np.ptp(brain[good], axis=1).min() < FLAT_V or np.ptp(brain[good], axis=1).max() > 2e-3:
            continue
        if average:
            brain = reference(brain, good)
        both = np.vstack([brain[good], data[len(picks) :]])
        both = scipy.signal.sosfiltfilt(sos, scipy.signal.detrend(both, axis=1), axis=1)[:, ::step] * 1e6
        parts.append(both[:n_good])
        eyes.append(both[n_good:])
    if not parts:
        return np.empty((n_good, 0)), np.empty((len(others), 0))
    return np.concatenate(parts, axis=1), np.concatenate(eyes, axis=1)


def _decompose(samples: Float64, rank: int) -> tuple[Float64, Float64]:
    """Return weights (rank, n_channels) and mixing (n_channels, rank).

    FastICA, all components together, with tanh (Hyvärinen 1999, 10.1109/72.761722), from a fixed start.
    """
    values, vectors = np.linalg.eigh(np.cov(samples))
    largest = np.argsort(values)[::-1][:rank]
    largest = largest[values[largest] > values.max() * 1e-7]
    whitener = vectors[:, largest].T / np.sqrt(values[largest])[:, None]
    white = (whitener @ samples).astype(np.float32)
    rotation = _orthogonal(np.random.default_rng(0).standard_normal((len(largest), len(largest))))
    for _ in range(MAX_STEPS):
        active = np.tanh(rotation.astype(np.float32) @ white)
        slope = 1.0 - np.einsum("ij,ij->i", active, active) / active.shape[1]
        turned = _orthogonal((active @ white.T) / white.shape[1] - slope[:, None] * rotation)
        change = np.max(np.abs(np.abs(np.einsum("ij,ij->i", turned, rotation)) - 1.0))
        rotation = turned
        if change < 1e-5:
            break
    mixing = (vectors[:, largest] * np.sqrt(values[largest])) @ rotation.T
    return np.asarray(rotation @ whitener, dtype=np.float64), np.asarray(mixing, dtype=np.float64)


def _orthogonal(matrix: Float64) -> Float64:
    left, _, right = np.linalg.svd(matrix)
    return np.asarray(left @ right, dtype=np.float64)


def _eye_components(
    sources: Float64,
    samples: Float64,
    eog: Float64,
    places: Sequence[str | None],
    sfreq: float,
    recording: Recording,
) -> npt.NDArray[np.bool_]:
    """Return which components correlate with the eyes below 8 Hz."""
    import scipy.signal

    traces = [*eog]
    above = [i for i, place in enumerate(places) if place in {"FP1", "FP2", "FPZ", "AF7", "AF8"}]
    if above:
        traces.append(samples[above].mean(axis=0))
    left = [i for i, place in enumerate(places) if place in {"F7", "AF7", "FT7"}]
    right = [i for i, place in enumerate(places) if place in {"F8", "AF8", "FT8"}]
    if left and right:
        traces.append(samples[left].mean(axis=0) - samples[right].mean(axis=0))
    found = np.zeros(len(sources), dtype=np.bool_)
    if not traces:
        return found
    sos = scipy.signal.butter(3, (0.5, 8.0), "bandpass", fs=sfreq, output="sos")
    slow = scipy.signal.sosfiltfilt(sos, sources, axis=1)
    for trace in traces:
        other = scipy.signal.sosfiltfilt(sos, trace)
        if other.std() > 0:
            correlation = np.abs(np.corrcoef(np.vstack([other, slow]))[0, 1:])
            # One component for each trace: the one that correlates best.
            best = int(np.argmax(correlation))
            found[best] |= correlation[best] > _EYE_CORRELATION
    return found


def _muscle_components(
    sources: Float64, mixing: Float64, places: Sequence[str | None], sfreq: float
) -> npt.NDArray[np.bool_]:
    """Return which components have the flat spectrum of muscle, and a map at the rim where places are known."""
    import scipy.signal

    freqs, density = scipy.signal.welch(sources, sfreq, nperseg=int(2 * sfreq))
    inside = (freqs >= 7.0) & (freqs <= min(45.0, 0.36 * sfreq)) & ~((freqs > 7.5) & (freqs < 13.5))
    x = np.log10(freqs[inside])
    slope = np.log10(density[:, inside]) @ (x - x.mean()) / ((x - x.mean()) @ (x - x.mean()))
    found = np.asarray(slope > _MUSCLE_SLOPE)
    where = [position_of(place) for place in places]
    if sum(position is not None for position in where) >= _MIN_CHANNELS:
        radius = np.array([np.hypot(*position) if position else np.nan for position in where])
        known = np.isfinite(radius)
        share = mixing[known] ** 2 / (mixing[known] ** 2).sum(axis=0)
        found &= radius[known] @ share > _MUSCLE_RIM
    return found
