"""XDF recordings (Lab Streaming Layer) through pyxdf: the EEG stream on an even grid, markers beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eeg.errors import MissingEEGExtraError, RecordingError
from eeg.io.mne import import_mne
from eeg.io.units import is_counts, is_unknown, to_volts

_MARKER_TYPES = {"markers", "marker", "events", "event", "stim", "stimulus", "trigger", "triggers"}
# Stream types of programs that do not call EEG by its name; taken where no stream is called EEG.
_LIKELY_EEG = {"signal", "signals", "exg", "biosignal", "biosignals"}
# Names of the description's elements that name channels.
_CHANNEL_WORDS = {"channels", "channel", "chan", "ch", "labels", "label", "names", "name", "electrodes", "electrode"}
_STIM_TYPES = {"trg", "stim", "trigger", "status"}
Float64 = npt.NDArray[np.float64]

# A hole longer than this many samples is marked bad; what is shorter is jitter of the time stamps.
_GAP_SAMPLES = 2
MAX_RATE_ERROR = 0.2
# The rate of the time stamps is followed where the nominal one would be this many samples off in the end.
_DRIFT_SAMPLES = 2


def read_xdf(path: Path, wanted: str | None = None) -> tuple[Any, list[str]]:
    """Read an XDF file.

    Time stamps decide where samples lie: holes (lost samples, a clock that was reset) are filled with zeros and marked
    ``BAD_gap``, so that no window crosses them.

    Parameters
    ----------
    path : Path
    wanted : str, optional
        Name or source id of the stream of EEG, where there are several.

    Returns
    -------
    raw : mne.io.RawArray
        Markers as annotations.
    notes : list of str

    Raises
    ------
    RecordingError
        There is no EEG stream or several, or it is damaged.
    MissingEEGExtraError
        pyxdf is not installed.
    """
    try:
        import pyxdf
    except ImportError:
        raise MissingEEGExtraError("reading XDF recordings") from None
    _check_whole(path)
    import logging

    logger = logging.getLogger("pyxdf")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        streams, _ = pyxdf.load_xdf(str(path))
    finally:
        logger.setLevel(level)
    stream = _eeg_stream(path, streams, wanted)
    grid = _even(path, stream)
    names, kinds, factors = _channels(path, stream, len(grid.samples))
    length_s = grid.samples.shape[1] / grid.sfreq
    found = _markers(streams, grid.start)
    annotations = [(at, 0.0, text) for at, text in found if 0 <= at < length_s]
    notes = [grid.note] if grid.note else []
    if (kind := _text(stream, "type")).lower() in _LIKELY_EEG:
        notes.append(f"stream {_text(stream, 'name')!r} is of type {kind}: taken as EEG")
    notes += _left_out(found, length_s)
    annotations += [(at, length, "BAD_gap") for at, length in grid.gaps]
    mne = import_mne()
    samples = np.multiply(grid.samples, factors[:, None], out=grid.samples)
    raw = mne.io.RawArray(samples, mne.create_info(names, grid.sfreq, kinds), copy=None)
    if annotations:
        annotations.sort()
        onsets, durations, texts = zip(*annotations, strict=True)
        raw.set_annotations(mne.Annotations(onsets, durations, texts))
    # The header's date is when the file was opened and the streams' stamps are of a clock of their own: when the first
    # sample was taken is not known, so no date is given.
    return raw, notes


def _check_whole(path: Path) -> None:
    """Walk through the chunks (github.com/sccn/xdf/wiki/Specifications); refuse where the last is cut short."""
    size = path.stat().st_size
    at = 4
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            width = file.read(1)[0]
            length = int.from_bytes(file.read(width), "little") if width in {1, 4, 8} else -1
            if length < 2 or at + 1 + width + length > size:
                raise RecordingError(f"{path} is cut short or damaged at byte {at}: copy it again")
            at += 1 + width + length


def _eeg_stream(path: Path, streams: Sequence[Mapping[str, Any]], wanted: str | None) -> Mapping[str, Any]:
    """Return the EEG stream, or the one of several that is wanted by its name or source id."""
    listed = ", ".join(f"{_text(s, 'name') or '?'} ({_text(s, 'type') or 'no type'})" for s in streams[:8])
    samples = [s for s in streams if len(s["time_series"])]
    if wanted is not None:
        named = [s for s in samples if wanted in (_text(s, "name"), _text(s, "source_id")) and not _is_markers(s)]
        if len(named) != 1:
            raise RecordingError(
                f"{path} holds {'no stream' if not named else f'{len(named)} streams'} of signals named {wanted!r} "
                f"(its streams: {listed or 'none'})"
            )
        return named[0]
    found = [s for s in samples if _text(s, "type").lower() == "eeg"]
    found = found or [s for s in samples if _text(s, "type").lower() in _LIKELY_EEG]
    if not found:
        raise RecordingError(f"{path} holds no EEG stream with samples (its streams: {listed or 'none'})")
    if len(found) > 1:
        raise RecordingError(f"{path} holds {len(found)} EEG streams ({listed}): choose one by its name (stream)")
    return found[0]


def _text(stream: Mapping[str, Any], name: str) -> str:
    value = stream["info"].get(name)
    return str(value[0]).strip() if value and value[0] is not None else ""


def _is_markers(stream: Mapping[str, Any]) -> bool:
    """Return whether a stream is of markers: text, or numbers that come at no fixed rate."""
    if isinstance(stream["time_series"], list):
        return True
    kind = _text(stream, "type").lower()
    return kind in _MARKER_TYPES or (_text(stream, "nominal_srate") in ("", "0", "0.0") and kind != "eeg")


@dataclass(frozen=True)
class _Grid:
    """Samples (n_channels, n_samples) at `sfreq` from the time stamp `start`; holes as (onset, duration) in seconds."""

    samples: Float64
    sfreq: float
    start: float
    gaps: list[tuple[float, float]]
    note: str | None


def _even(path: Path, stream: Mapping[str, Any]) -> _Grid:
    """Put samples on an even grid by their time stamps."""
    values = np.asarray(stream["time_series"])
    stamps = np.asarray(stream["time_stamps"], dtype=np.float64)
    nominal = float(_text(stream, "nominal_srate") or 0)
    if values.ndim != 2 or not np.issubdtype(values.dtype, np.number) or len(values) != len(stamps) or len(stamps) < 2:
        raise RecordingError(f"{path}: the EEG stream is damaged (samples and time stamps do not fit)")
    sfreq = nominal if nominal > 0 else float(1 / np.median(np.diff(stamps)))
    if not np.isfinite(sfreq) or sfreq <= 0:
        raise RecordingError(f"{path}: the EEG stream has no sampling rate")
    # Runs without a hole; the stamps of each are even (pyxdf), at a rate that may differ from the nominal one.
    breaks = np.flatnonzero(np.abs(np.diff(stamps) * sfreq - 1) > _GAP_SAMPLES) + 1
    runs = [(int(a), int(b)) for a, b in zip(np.r_[0, breaks], np.r_[breaks, len(stamps)], strict=True)]
    if any(stamps[begin] < stamps[begin - 1] for begin, _ in runs[1:]):
        raise RecordingError(f"{path}: the clock of the EEG stream runs backwards: record it again without a reset")
    inside = sum(float(stamps[stop - 1] - stamps[begin]) for begin, stop in runs)
    note = None
    if inside > 0 and nominal > 0:
        actual = (len(stamps) - len(runs)) / inside
        if abs(actual / nominal - 1) > MAX_RATE_ERROR:
            raise RecordingError(
                f"{path}: the EEG stream says {nominal:g} Hz but its time stamps {actual:.4g} Hz: samples were lost"
            )
        if abs(actual / nominal - 1) * inside * nominal > _DRIFT_SAMPLES:
            sfreq = round(actual, 6)
            note = (
                f"the EEG stream says {nominal:g} Hz but its time stamps {actual:.7g} Hz: the time stamps are followed"
            )
    if len(runs) == 1:
        return _Grid(np.ascontiguousarray(values.T, dtype=np.float64), sfreq, float(stamps[0]), [], note)
    start = float(stamps[0])
    total = round((float(stamps[-1]) - start) * sfreq) + 1
    if total > 20 * len(stamps):
        raise RecordingError(f"{path}: the EEG stream is mostly holes ({len(stamps)} samples in {total / sfreq:.0f} s)")
    samples = np.zeros((values.shape[1], total))
    gaps = []
    end = 0
    for begin, stop in runs:
        at = max(round((float(stamps[begin]) - start) * sfreq), end)
        if begin:
            gaps.append(((end - 1) / sfreq, (at - end + 2) / sfreq))
        end = min(at + stop - begin, total)
        samples[:, at:end] = values[begin : begin + end - at].T
    return _Grid(samples, sfreq, start, gaps, note)


def _channels(path: Path, stream: Mapping[str, Any], count: int) -> tuple[list[str], list[str], Float64]:
    """Return names, kinds and the factors to volts; microvolts where the stream does not say.

    Many programs write descriptions of their own: deviations from the convention
    (github.com/sccn/xdf/wiki/EEG-Meta-Data) are read as far as possible.
    """
    described = _described(stream, count)
    names: list[str] = []
    kinds, factors = [], []
    for i in range(count):
        entry = described[i] if described else {}
        name = _first(entry, "label") or _first(entry, "name") or f"EEG {i + 1:03d}"
        while name in names:
            name += "+"
        kind = (_first(entry, "type") or "eeg").lower()
        unit = _first(entry, "unit") or "microvolts"
        volts = to_volts(unit)
        if volts is None and kind == "eeg" and is_counts(unit):
            raise RecordingError(f"{path} gives its EEG in {unit!r}, not in volts: record it in microvolts")
        names.append(name)
        if kind in _STIM_TYPES:
            kinds.append("stim")
        elif volts is None and not is_unknown(unit):
            kinds.append("misc")
        else:
            kinds.append(kind if kind in {"eeg", "eog", "ecg", "emg"} else "misc")
        factors.append(1.0 if kind in _STIM_TYPES else volts or 1e-6)
    return names, kinds, np.array(factors)


def _described(stream: Mapping[str, Any], count: int) -> list[Mapping[str, Any]]:
    """Return the description of each channel: its element, or its text as its name; empty where that is unclear.

    The convention is `channels` of `channel`; other programs write a list of labels, other words, or names with commas.
    """
    levels: list[Any] = [stream["info"].get("desc")]
    while levels:
        following: list[Any] = []
        for level in levels:
            for entry in level if isinstance(level, list) else [level]:
                if not isinstance(entry, Mapping):
                    continue
                for name, values in entry.items():
                    found = _entries(values) if name.lower() in _CHANNEL_WORDS else []
                    if len(found) == count:
                        return found
                    following.append(values)
        levels = following
    return []


def _entries(values: Any) -> list[Mapping[str, Any]]:
    """Return the channels that an element's values may be; names with commas between are some, too."""
    entries = values if isinstance(values, list) else [values]
    if len(entries) == 1 and isinstance(entries[0], str) and re.search("[,;]", entries[0]):
        entries = re.split(r"\s*[,;]\s*", entries[0].strip(" ,;"))
    named = [{"label": [one]} if isinstance(one, str) else one for one in entries]
    return [{key.lower(): value for key, value in one.items()} for one in named if isinstance(one, Mapping)]


def _first(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    value = value[0] if isinstance(value, list) and value else value
    return value.strip() if isinstance(value, str) else ""


def _markers(streams: Sequence[Mapping[str, Any]], start: float) -> list[tuple[float, str]]:
    """Return what every marker stream says, in seconds from the first sample; numbers as text, each channel its own."""
    found = []
    for stream in streams:
        if not _is_markers(stream):
            continue
        series = stream["time_series"]
        if not isinstance(series, list) and _text(stream, "nominal_srate") not in ("", "0", "0.0"):
            series = _changes(np.asarray(series))
        for at, values in zip(stream["time_stamps"], series, strict=False):
            for value in np.atleast_1d(np.asarray(values, dtype=object)).tolist():
                text = f"{value:g}" if isinstance(value, int | float) else str(value).strip()
                if text and text != "nan":
                    found.append((float(at) - start, text))
    return found


def _changes(levels: npt.NDArray[Any]) -> Float64:
    """Return the levels of a trigger line (n_samples, n_channels) where they change, but not to 0; NaN elsewhere."""
    levels = levels.reshape(len(levels), -1).astype(np.float64)
    before = np.vstack((np.zeros((1, levels.shape[1])), levels[:-1]))
    return np.where((levels != before) & (levels != 0), levels, np.nan)


def _left_out(annotations: Sequence[tuple[float, str]], length_s: float) -> list[str]:
    """Say which markers lie outside the samples of the EEG stream: they cannot be annotations."""
    notes = []
    for where, texts in (
        ("before the EEG stream begins", [f"{text} ({at:.1f} s)" for at, text in annotations if at < 0]),
        ("after the EEG stream ends", [f"{text} ({at:.1f} s)" for at, text in annotations if at >= length_s]),
    ):
        if texts:
            some = ", ".join(texts[:6]) + (", …" if len(texts) > 6 else "")
            notes.append(
                f"markers {where} are not used: {some}; start the EEG stream before the music and stop it after"
            )
    return notes
