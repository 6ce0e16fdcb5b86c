"""Preparing the pass over a recording: segments, epochs, channels, bands, reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from eeg.bandpower.epochs import Span, bad_spans, cut, epoch_length
from eeg.bandpower.picks import scored_channels, some_of
from eeg.bandpower.psd import FrequencyGrid, ceiling_of, frequency_grid, usable_band
from eeg.bandpower.quality import ChannelQuality, channel_quality
from eeg.errors import RecordingError, TooLittleDataError
from eeg.io.recording import Recording
from eeg.settings import MUSCLE_HZ, Settings
from eeg.timeline.known_pieces import Item
from eeg.timeline.timeline import Timeline

_FEW_CHANNELS_OVERLAP = 32
_MIN_CHANNELS_AVERAGE = 16
# Blocks of baseline are as long as a play, within these limits, so that both carry the same noise.
_BLOCK_S = (20.0, 90.0)

Range = tuple[float, float]


@dataclass(frozen=True)
class Segments:
    """Plays first, then blocks of the baseline."""

    items: tuple[Item, ...]
    n_plays: int

    def spans(self, sfreq: float) -> list[Span]:
        """Return the segments as samples; to the nearest, as formats round marks (FIF keeps them as float32)."""
        return [Span(round(item.onset_s * sfreq), round(item.end_s * sfreq)) for item in self.items]


def _make_segments(timeline: Timeline) -> Segments:
    """Return plays, then the baseline cut into blocks about as long as a play."""
    plays = timeline.plays
    wanted = float(np.clip(np.median([play.duration_s for play in plays]), *_BLOCK_S))
    blocks: list[Item] = []
    for item in timeline.baseline:
        parts = max(1, int(item.duration_s / wanted + 0.501))  # not `round`: a rounded onset must not change the count
        each = item.duration_s / parts
        blocks += [replace(item, onset_s=item.onset_s + i * each, duration_s=each) for i in range(parts)]
    return Segments((*plays, *blocks), len(plays))


@dataclass(frozen=True)
class Preparation:
    """Everything that is decided before the pass.

    Parameters
    ----------
    eeg : tuple of int
        The EEG channels, as positions in the recording.
    scored : tuple of int
        Channels that are averaged, as positions in `eeg`; all good.
    segments : Segments
    spans : list of Span
    marked_bad : list of (int, int)
        Samples that the file marks as bad, merged.
    grid : FrequencyGrid
    overlap : float
        As used.
    hop : int
        Samples from one epoch to the next.
    starts, owners : array of int, shape (n_epochs,)
        First sample of each epoch, and its segment.
    quality : ChannelQuality
    average : bool
        Whether samples are re-referenced to the mean of the good channels.
    bands : dict of str to (float, float) or None
        As used, after clipping.
    warnings : list of str
    """

    eeg: tuple[int, ...]
    scored: tuple[int, ...]
    segments: Segments
    spans: list[Span]
    marked_bad: list[tuple[int, int]]
    grid: FrequencyGrid
    overlap: float
    hop: int
    starts: npt.NDArray[np.int64]
    owners: npt.NDArray[np.int64]
    quality: ChannelQuality
    average: bool
    bands: dict[str, Range | None]
    warnings: list[str]

    @property
    def n_good(self) -> int:
        """How many EEG channels are not bad as a whole."""
        return len(self.eeg) - len(self.quality.bad)


def prepare(recording: Recording, timeline: Timeline, settings: Settings) -> Preparation:
    """Choose segments, epochs, channels, bands and reference of a recording.

    Raises
    ------
    ParameterError, RecordingError, TooLittleDataError
        No such channel, none that is good, no epoch within a play, or no band that the recording carries.
    """
    eeg = recording.eeg
    scored = scored_channels(recording, settings.picks)
    segments = _make_segments(timeline)
    share = settings.overlap
    if share is None:
        share = 0.5 if len(eeg) <= _FEW_CHANNELS_OVERLAP else 0.0
    parts = max(1, round(1 / (1 - share)))
    hop = epoch_length(recording.sfreq) // parts
    length = hop * parts
    top = max(high for _, high in settings.all_bands.values())
    grid = frequency_grid(recording.sfreq, length, max(MUSCLE_HZ[1] + 1.0, top + 1.0))
    spans, marked = segments.spans(recording.sfreq), bad_spans(recording)
    starts, owners = cut(spans, marked, recording.n_samples, length, hop)
    if not len(starts) or not (owners < segments.n_plays).any():
        raise TooLittleDataError(
            f"{recording.path}: no play holds a whole window of {length / recording.sfreq:g} s outside spans marked bad"
        )
    average = settings.average_reference
    quality = channel_quality(recording, eeg, starts, grid, rereference=_wants_average(average, len(eeg)))
    bands, warnings = _bands(recording, settings, quality, grid)
    return Preparation(
        eeg=eeg,
        scored=_good(recording, eeg, scored, quality),
        segments=segments,
        spans=spans,
        marked_bad=marked,
        grid=grid,
        overlap=share,
        hop=hop,
        starts=starts,
        owners=owners,
        quality=quality,
        average=_wants_average(average, len(eeg) - len(quality.bad)),
        bands=bands,
        warnings=[*recording.notes, *timeline.notes, *quality.notes, *warnings],
    )


def _good(recording: Recording, eeg: Sequence[int], scored: Sequence[int], quality: ChannelQuality) -> tuple[int, ...]:
    """Return the channels to score that are not bad."""
    lost = [i for i in scored if i in quality.bad]
    kept = tuple(i for i in scored if i not in quality.bad)
    if not kept:
        reasons = some_of(f"{recording.channels[eeg[i]].label} ({quality.bad[i]})" for i in lost)
        raise TooLittleDataError(f"{recording.path}: no good channel to score; bad channels: {reasons}")
    return kept


def _wants_average(setting: bool | None, n_channels: int) -> bool:
    return n_channels >= _MIN_CHANNELS_AVERAGE if setting is None else setting and n_channels > 1


def _bands(
    recording: Recording, settings: Settings, quality: ChannelQuality, grid: FrequencyGrid
) -> tuple[dict[str, Range | None], list[str]]:
    """Clip the bands to what the recording carries."""
    ceiling = min(
        ceiling_of(recording.lowpass, recording.sfreq, quality.line_freq), float(grid.freqs[-1]) + grid.step / 2
    )
    bands: dict[str, Range | None] = {}
    warnings = []
    for name, (low, high) in settings.all_bands.items():
        bands[name] = usable = usable_band(low, high, ceiling)
        if usable is None:
            warnings.append(f"{name} {low:g}-{high:g} Hz is not scored: the recording carries up to {ceiling:g} Hz")
        elif usable[1] < high:
            warnings.append(
                f"{name} is clipped to {low:g}-{usable[1]:g} Hz: the recording carries up to {ceiling:g} Hz"
            )
    if not any(bands.values()):
        raise RecordingError(f"{recording.path} carries up to {ceiling:g} Hz: none of the bands can be scored")
    return bands, warnings
