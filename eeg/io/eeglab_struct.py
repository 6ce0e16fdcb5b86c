"""EEGLAB sets that MNE-Python does not read: labels that are numbers or empty, events without a latency."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from eeg.errors import RecordingError
from eeg.io.formats import Opened
from eeg.io.mne import import_mne


def read_set(path: Path) -> Opened:
    """Read an EEGLAB set into memory, field by field.

    Raises
    ------
    RecordingError
        It holds epochs, or its samples are not there.
    """
    import pymatreader

    loaded: Any = pymatreader.read_mat(str(path))
    eeg = loaded.get("EEG", loaded)
    trials, sfreq = int(_number(eeg.get("trials"), 1)), _number(eeg.get("srate"), 0.0)
    if trials > 1:
        raise RecordingError(f"{path} holds {trials} epochs; continuous data are needed: save the set before epoching")
    if sfreq <= 0:
        raise RecordingError(f"{path} has no sampling rate (EEG.srate): save the set again")
    samples, files = _samples(path, eeg)
    names = _labels(eeg.get("chanlocs"), len(samples))
    mne = import_mne()
    raw = mne.io.RawArray(samples * 1e-6, mne.create_info(names, sfreq, "eeg"), copy=None)
    marks = _events(eeg.get("event"), sfreq)
    if marks:
        onsets, durations, texts = zip(*marks, strict=True)
        raw.set_annotations(mne.Annotations(onsets, durations, texts))
    return Opened(raw, files, "none")


def _samples(path: Path, eeg: Any) -> tuple[Any, tuple[Path, ...]]:
    """Return samples (n_channels, n_samples) in microvolts, and the files that hold them."""
    data = eeg.get("data")
    if isinstance(data, str):
        beside = path.with_name(Path(data.replace("\\", "/")).name)
        if not beside.is_file():
            beside = path.with_suffix(".fdt")
        if not beside.is_file():
            raise RecordingError(f"{path} has its samples in a file {beside.name}, which is not beside it: copy both")
        flat = np.fromfile(beside, "<f4")
        channels = int(_number(eeg.get("nbchan"), 0))
        if channels < 1 or len(flat) % channels:
            raise RecordingError(f"{beside} is cut short: copy it again")
        return flat.reshape(-1, channels).T.astype(np.float64), (path, beside)
    samples = np.atleast_2d(np.asarray(data, dtype=np.float64))
    if samples.ndim != 2:
        raise RecordingError(f"{path} holds epochs; continuous data are needed: save the set before epoching")
    return samples, (path,)


def _labels(chanlocs: Any, count: int) -> list[str]:
    """Return names: as written, numbers as numbers, and ``EEG 006`` where there is none."""
    written = chanlocs.get("labels") if isinstance(chanlocs, dict) else None
    entries = written if isinstance(written, list | np.ndarray) and len(written) == count else [None] * count
    names: list[str] = []
    for i, entry in enumerate(entries):
        if isinstance(entry, str) and entry.strip():
            name = entry.strip()
        elif isinstance(entry, int | float | np.number):
            name = f"{float(entry):g}"
        else:
            name = f"EEG {i + 1:03d}"
        while name in names:
            name += "+"
        names.append(name)
    return names


def _events(event: Any, sfreq: float) -> list[tuple[float, float, str]]:
    """Return onset, duration and text of every event that has a latency."""
    if not isinstance(event, dict):
        return []
    columns = [_listed(event.get(name)) for name in ("latency", "type", "duration")]
    found = []
    for i, latency in enumerate(columns[0]):
        at = _number(latency, float("nan"))
        if not np.isfinite(at):
            continue
        text = columns[1][i] if i < len(columns[1]) else ""
        length = _number(columns[2][i], 0.0) if i < len(columns[2]) else 0.0
        text = f"{text:g}" if isinstance(text, float) else str(text)
        found.append(((at - 1) / sfreq, max(length, 0.0) / sfreq if np.isfinite(length) else 0.0, text))
    return found


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, np.ndarray):
        return list(np.atleast_1d(value))
    return value if isinstance(value, list) else [value]


def _number(value: Any, otherwise: float) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return otherwise
