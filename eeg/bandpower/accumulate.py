"""The pass over a recording: every epoch read once, judged, re-referenced, and its power added to its play's."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eeg.bandpower.psd import Bool, Complex64, Float32, Float64, FrequencyGrid, hann_spectra, off_line, plausible, power
from eeg.bandpower.quality import ChannelQuality
from eeg.bandpower.reject import MAX_BAD_SHARE, REASONS, Limits, find_artifacts, measure
from eeg.errors import RecordingError
from eeg.io.recording import Recording

# Samples, over all channels, to read at a time, and to transform at a time (which fit into the cache).
_READ_SAMPLES = 2_000_000
_WORK_SAMPLES = 500_000
# An epoch is judged again where one channel's peak-to-peak leaks more than this into the average reference.
_LEAK_V = 10e-6


@dataclass(frozen=True)
class Spectra:
    """Power of the clean epochs of each owner (a play, or a block of baseline).

    Parameters
    ----------
    total : array, shape (n_owners, n_channels, bins), float64
        Sum of power densities over clean epochs, uV^2/Hz.
    count : array, shape (n_owners, n_channels)
        Clean epochs of each channel.
    epochs, used : array, shape (n_owners,)
        Epochs cut, and epochs not left out in all channels.
    rejected : array, shape (n_reasons + 1, n_channels)
        Epochs left out for each of `REASONS`, and (last) because too many channels were bad in them; none of channels
        that are bad as a whole.
    epoch_start : array, shape (n_epochs,)
        First sample of each epoch.
    epoch_owner : array, shape (n_epochs,)
    epoch_clean : array, shape (n_epochs,)
        Share of good channels that are clean in it; 0 where it is left out.
    epoch_power : array, shape (n_epochs, n_bands), float32
        Mean over clean channels of band power in dB re 1 uV^2/Hz; nan where left out, or not scored.
    """

    total: Float64
    count: npt.NDArray[np.int64]
    epochs: npt.NDArray[np.int64]
    used: npt.NDArray[np.int64]
    rejected: npt.NDArray[np.int64]
    epoch_start: npt.NDArray[np.int64]
    epoch_owner: npt.NDArray[np.int64]
    epoch_clean: Float32
    epoch_power: Float32

    def mean(self, owners: npt.NDArray[np.bool_]) -> Float64:
        """Return the mean density over all clean epochs of some owners, shape (n_channels, bins); nan without any."""
        count = self.count[owners].sum(axis=0)
        with np.errstate(invalid="ignore"):
            result: Float64 = self.total[owners].sum(axis=0) / np.where(count, count, np.nan)[:, None]
        return result


@dataclass(frozen=True)
class Processing:
    """What a worker needs to know; everything indexed by picked channel.

    Parameters
    ----------
    grid : FrequencyGrid
    hop : int
        Samples from one epoch to the next.
    good : array of bool, shape (n_channels,)
        Channels that are not bad as a whole.
    average : bool
        Re-reference to the mean of the good channels.
    limits : Limits
    fast_bins : array of bool, shape (bins,)
    muscle_bins : array of bool, shape (bins,), or None
    bands : sequence of array of bool, shape (bins,), or None
        For `Spectra.epoch_power`; None where a band is not scored.
    factor : float
        To volts.
    unmix : array, shape (n_channels, n_channels), or None
        Takes out components (ICA), applied to re-referenced samples.
    """

    grid: FrequencyGrid
    hop: int
    good: Bool
    average: bool
    limits: Limits
    fast_bins: Bool
    muscle_bins: Bool | None
    bands: Sequence[Bool | None]
    factor: float
    unmix: Float32 | None = None


@dataclass(frozen=True)
class _Part:
    """Result of one worker: epochs in order, sums for each owner in it."""

    first: int
    verdict: npt.NDArray[np.int8]
    left_out: Bool
    sums: list[tuple[int, Float32, npt.NDArray[np.int64]]]
    power: Float32


def make_processing(
    quality: ChannelQuality,
    grid: FrequencyGrid,
    hop: int,
    n_channels: int,
    *,
    average: bool,
    bands: Sequence[tuple[float, float] | None],
    unmix: Float32 | None,
) -> Processing:
    """Put together what the workers need from what `channel_quality` found."""
    keep = off_line(grid, quality.line_freq)
    good = np.ones(n_channels, dtype=np.bool_)
    good[list(quality.bad)] = False
    return Processing(
        grid=grid,
        hop=hop,
        good=good,
        average=average,
        limits=quality.limits,
        fast_bins=quality.fast_bins,
        muscle_bins=quality.burst_bins,
        bands=[None if band is None else grid.band(*band) & keep for band in bands],
        factor=quality.unit_factor,
        unmix=unmix,
    )


def reference(samples: Float32, good: Bool) -> Float32:
    """Return samples minus the mean of the good channels."""
    total = samples.sum(axis=0) if good.all() else samples[good].sum(axis=0)
    total /= np.float32(np.count_nonzero(good))
    result: Float32 = samples - total
    return result


def _rereference(spectra: Complex64, clean: Bool) -> Complex64:
    """Subtract, in each epoch, the mean of its clean channels, free of what artifacts leaked into the first mean."""
    share = (clean / np.maximum(clean.sum(axis=0), 1)).astype(np.float32)
    mean = np.zeros(spectra.shape[1:], np.complex64)
    for i in np.flatnonzero(clean.any(axis=1)):
        mean += share[i][:, None] * spectra[i]
    spectra -= mean
    return spectra


def _find_artifacts_again(raw: Float32, epoch: int, p2p: Float32, processing: Processing) -> npt.NDArray[np.int8]:
    """Judge an epoch with a reference that leaves out its largest channels, which leaked into the first mean."""
    large = (p2p > processing.limits.p2p) & (p2p > p2p[processing.good].max() / 3)
    kept = processing.good & ~large
    if not kept.any():
        kept = processing.good
    part = raw[:, epoch * processing.hop : epoch * processing.hop + processing.grid.length]
    samples = reference(part, kept)
    if processing.unmix is not None:
        samples = processing.unmix @ samples
    density = power(hann_spectra(samples, processing.grid, processing.grid.length), processing.grid)
    fast = _band_mean(density, processing.fast_bins)
    stats = measure(part, samples, processing.grid.length, processing.grid.length, fast, processing.limits)
    muscle = None if processing.muscle_bins is None else _band_mean(density, processing.muscle_bins)
    return find_artifacts(stats, muscle, processing.limits)[:, 0]


def _process(data: Float32, first: int, owners: npt.NDArray[np.int64], processing: Processing) -> _Part:
    """Judge and transform a stretch of evenly spaced epochs."""
    grid = processing.grid
    raw = data if processing.factor == 1.0 else data * np.float32(processing.factor)
    samples = reference(raw, processing.good) if processing.average else raw
    if processing.unmix is not None:
        samples = processing.unmix @ samples
    spectra = hann_spectra(samples, grid, processing.hop)
    density = power(spectra, grid)
    fast = _band_mean(density, processing.fast_bins)
    stats = measure(raw, samples, grid.length, processing.hop, fast, processing.limits)
    muscle = None if processing.muscle_bins is None else _band_mean(density, processing.muscle_bins)
    verdict = find_artifacts(stats, muscle, processing.limits)
    if processing.average:
        n_good = np.count_nonzero(processing.good)
        leaking = np.where(processing.good[:, None], stats.p2p, 0).max(axis=0) > _LEAK_V * n_good
        for epoch in np.flatnonzero(leaking):
            verdict[:, epoch] = _find_artifacts_again(raw, int(epoch), stats.p2p[:, epoch], processing)
    verdict[~processing.good] = -1
    clean = (verdict < 0) & processing.good[:, None]
    left_out = (verdict >= 0).sum(axis=0) > MAX_BAD_SHARE * np.count_nonzero(processing.good)
    clean &= ~left_out
    spoilt = np.flatnonzero((verdict >= 0).any(axis=0) & ~left_out)
    if processing.average and len(spoilt):
        density[:, spoilt] = power(_rereference(spectra[:, spoilt], clean[:, spoilt]), grid)
    sums = []
    for owner in dict.fromkeys(owners.tolist()):
        mask = clean & (owners == owner)
        total = density.sum(axis=1) if mask.all() else np.einsum("cw,cwk->ck", mask.astype(np.float32), density)
        sums.append((owner, total, mask.sum(axis=1)))
    bands = np.full((density.shape[1], len(processing.bands)), np.nan, np.float32)
    some = clean.any(axis=0)
    for i, bins in enumerate(processing.bands):
        if bins is None:
            continue
        logs = 10 * np.log10(np.maximum(_band_mean(density, bins), np.float32(1e-20)))
        bands[some, i] = (logs * clean).sum(axis=0)[some] / clean.sum(axis=0)[some]
    return _Part(first, verdict, left_out, sums, bands)


def _band_mean(density: Float32, bins: Bool) -> Float32:
    at = np.flatnonzero(bins)
    if len(at) == at[-1] - at[0] + 1:
        return np.asarray(density[..., at[0] : at[-1] + 1].mean(axis=-1))
    return np.asarray(density[..., at].mean(axis=-1))


def _stretches(
    starts: npt.NDArray[np.int64], hop: int, length: int, channels: int, samples: int
) -> Iterator[tuple[int, int]]:
    """Group epochs that follow one another at `hop` into stretches of at most `samples` samples of all channels."""
    most = max(1, int((samples // max(channels, 1) - length) // hop + 1))
    breaks = np.flatnonzero(np.diff(starts) != hop) + 1
    for begin, end in zip(np.r_[0, breaks], np.r_[breaks, len(starts)], strict=True):
        for at in range(int(begin), int(end), most):
            yield at, min(at + most, int(end))


def collect(
    recording: Recording,
    picks: Sequence[int],
    starts: npt.NDArray[np.int64],
    owners: npt.NDArray[np.int64],
    n_owners: int,
    processing: Processing,
    *,
    threads: int = 2,
    progress: Callable[[float], None] | None = None,
) -> Spectra:
    """Read every epoch once, in order, and add up the power of the clean ones.

    Reading goes on in the calling thread while others transform; sums are added in order, so that the result does not
    depend on timing.

    Parameters
    ----------
    recording : Recording
    picks : sequence of int
        EEG channels, as positions in the recording.
    starts, owners : array of int, shape (n_epochs,)
        From `epochs.cut`.
    n_owners : int
    processing : Processing
    threads : int
        Workers; 0 works in the calling thread.
    progress : callable, optional
        Called with the share done.
    """
    order = np.argsort(starts, kind="stable")
    starts, owners = starts[order], owners[order]
    channels, bins, n = len(picks), processing.grid.bins, len(starts)
    total = np.zeros((n_owners, channels, bins))
    count = np.zeros((n_owners, channels), np.int64)
    rejected = np.zeros((len(REASONS) + 1, channels), np.int64)
    share = np.zeros(n, np.float32)
    levels = np.full((n, len(processing.bands)), np.nan, np.float32)
    used = np.zeros(n_owners, np.int64)
    n_good = max(int(np.count_nonzero(processing.good)), 1)

    def add(part: _Part) -> None:
        span = slice(part.first, part.first + part.verdict.shape[1])
        for owner, sums, counts in part.sums:
            total[owner] += sums
            count[owner] += counts
        for reason in range(len(REASONS)):
            rejected[reason] += (part.verdict == reason).sum(axis=1)
        rejected[-1] += ((part.verdict < 0) & processing.good[:, None] & part.left_out).sum(axis=1)
        clean = (part.verdict < 0) & processing.good[:, None] & ~part.left_out
        share[span] = clean.sum(axis=0) / n_good
        levels[span] = part.power
        np.add.at(used, owners[span], ~part.left_out)

    pool = ThreadPoolExecutor(threads) if threads > 0 else None
    waiting: deque[Future[_Part]] = deque()
    try:
        for begin, end in _stretches(starts, processing.hop, processing.grid.length, channels, _READ_SAMPLES):
            data = recording.read32(int(starts[begin]), int(starts[end - 1]) + processing.grid.length, picks)
            # Bad channels must reach neither the reference nor, as 0 times NaN, another channel.
            data[~processing.good] = 0.0
            if not plausible(data):
                since, until = starts[begin] / recording.sfreq, starts[end - 1] / recording.sfreq + 2
                raise RecordingError(
                    f"{recording.path} holds values that are no numbers, or no voltages, between {since:.0f} and "
                    f"{until:.0f} s: mark that stretch as BAD"
                )
            for at, stop in _stretches(
                starts[begin:end], processing.hop, processing.grid.length, channels, _WORK_SAMPLES
            ):
                low = at * processing.hop
                block = data[:, low : (stop - 1) * processing.hop + processing.grid.length]
                arguments = (block, begin + at, owners[begin + at : begin + stop], processing)
                if pool is None:
                    add(_process(*arguments))
                    continue
                waiting.append(pool.submit(_process, *arguments))
                while len(waiting) > 4 * threads:
                    add(waiting.popleft().result())
            if progress is not None:
                progress(end / n)
        while waiting:
            add(waiting.popleft().result())
    finally:
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)
    epochs = np.bincount(owners, minlength=n_owners).astype(np.int64)
    return Spectra(total, count, epochs, used, rejected, starts, owners, share, levels)
