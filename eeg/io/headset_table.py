"""Tables of samples as headsets' own programs write them: reading columns, and bringing samples to an even grid."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eeg.errors import RecordingError
from eeg.io.formats import Opened
from eeg.io.mne import import_mne

Float64 = npt.NDArray[np.float64]

# Headsets send samples in bursts, so that stamps jitter; a hole is longer.
_HOLE_S = 0.5
MAX_RATE_ERROR = 0.1


@dataclass
class Signals:
    """The contents of a table.

    Parameters
    ----------
    samples : array, shape (n_channels, n_samples)
        In volts; nan where nothing was written.
    names : sequence of str
    sfreq : float
        Nominal rate, Hz.
    stamps : array, shape (n_samples,), or None
        Seconds; of the clock that `clock` names.
    clock : str
        ``"utc"`` (seconds since 1970), ``"local"`` (the same, of an unnamed zone) or ``"none"``.
    kinds : sequence of str, optional
        MNE-Python's kinds of channels; EEG where nothing is given.
    marks : list of (int, str)
        Row and text.
    bad : array of bool, shape (n_samples,), or None
        Rows that the headset itself calls bad.
    counter : array, shape (n_samples,), or None
        Number of each packet, which shows lost ones.
    """

    samples: Float64
    names: Sequence[str]
    sfreq: float
    stamps: Float64 | None = None
    clock: str = "none"
    kinds: Sequence[str] | None = None
    marks: list[tuple[int, str]] = field(default_factory=list)
    bad: npt.NDArray[np.bool_] | None = None
    counter: Float64 | None = None


def read_rows(path: Path, delimiter: str, skip: int, columns: Sequence[int]) -> Float64:
    """Return some columns as numbers, shape (n_columns, n_rows); nan where a cell is empty or no number.

    Parameters
    ----------
    path : Path
    delimiter : str
    skip : int
        Lines before the first row.
    columns : sequence of int
    """
    values = array("d")
    for row in _rows(path, delimiter, skip, max(columns)):
        values.extend(number(row[i]) for i in columns)
    found = np.frombuffer(values, dtype=np.float64).reshape(-1, len(columns)).T
    if found.shape[1] < 2:
        raise RecordingError(f"{path} holds no samples: record or export it again")
    return found


def read_cells(path: Path, delimiter: str, skip: int, columns: Sequence[int]) -> list[list[str]]:
    """Return some cells of every row; empty ones where a program leaves out the last cells of a row."""
    found = [[row[i] if i < len(row) else "" for i in columns] for row in _rows(path, delimiter, skip, 0)]
    if len(found) < 2:
        raise RecordingError(f"{path} holds no samples: record or export it again")
    return found


def _rows(path: Path, delimiter: str, skip: int, most: int) -> Iterator[list[str]]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        for row in csv.reader(islice(file, skip, None), delimiter=delimiter):
            if len(row) > most:
                yield row


def number(cell: str) -> float:
    """Return a cell as a number, nan where it is none."""
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def changes(codes: Float64) -> list[tuple[int, str]]:
    """Return the rows where a column of codes changes to another code than 0, as marks."""
    values = np.nan_to_num(codes)
    starts = np.flatnonzero((values != 0) & (np.diff(values, prepend=0.0) != 0))
    return [(int(row), f"{values[row]:g}") for row in starts]


def opened(path: Path, found: Signals) -> Opened:
    """Return a table as a recording: an even grid by its stamps, holes and what is missing marked ``BAD_gap``."""
    notes: list[str] = []
    samples, missing = _fill(found.samples)
    at = _places(path, found, notes)
    total = int(at[-1]) + 1
    grid = np.zeros((len(samples), total))
    grid[:, at] = samples
    lost = np.ones(total, dtype=np.bool_)
    lost[at] = missing if found.bad is None else missing | found.bad
    spans = [(a / found.sfreq, (b - a) / found.sfreq, "BAD_gap") for a, b in _runs(lost)]
    spans += [(float(at[row]) / found.sfreq, 0.0, text) for row, text in found.marks]
    if found.counter is not None:
        spans += _lost_packets(found, at, notes)
    mne = import_mne()
    kinds: Any = list(found.kinds) if found.kinds is not None else "eeg"
    raw = mne.io.RawArray(grid, mne.create_info(list(found.names), found.sfreq, kinds), copy=None)
    clock = found.clock
    if found.stamps is not None and clock != "none":
        raw.set_meas_date(datetime.fromtimestamp(float(found.stamps[0]), UTC))
    if spans:
        spans.sort()
        onsets, durations, texts = zip(*spans, strict=True)
        raw.set_annotations(mne.Annotations(onsets, durations, texts))
    return Opened(raw, (path,), clock if found.stamps is not None else "none", notes=tuple(notes))


def _fill(samples: Float64) -> tuple[Float64, npt.NDArray[np.bool_]]:
    """Hold the last value where some are missing, and say where all are."""
    empty = ~np.isfinite(samples)
    if not empty.any():
        return samples, np.zeros(samples.shape[1], dtype=np.bool_)
    index = np.where(empty, 0, np.arange(samples.shape[1]))
    held = np.take_along_axis(samples, np.maximum.accumulate(index, axis=1), axis=1)
    return np.nan_to_num(held), np.asarray(empty.any(axis=0))


def _places(path: Path, found: Signals, notes: list[str]) -> npt.NDArray[np.int64]:
    """Return each row's place on the grid: rows follow one another, except for holes."""
    n = found.samples.shape[1]
    rows = np.arange(n)
    if found.stamps is None or n < 3:
        return rows
    stamps = found.stamps
    if not np.isfinite(stamps).all():
        raise RecordingError(f"{path} has rows without a time: export it again")
    steps = np.diff(stamps)
    if (steps < -_HOLE_S).any():
        raise RecordingError(f"{path}: its time runs backwards at {stamps[int(np.argmin(steps))]:.3f}: export it again")
    holes = np.flatnonzero(steps > _HOLE_S)
    inside = float(stamps[-1] - stamps[0] - steps[holes].sum())
    # Where most steps are holes, the rate is low all along.
    mostly = len(holes) < n // 2 and inside > 0
    actual = (n - 1 - len(holes)) / inside if mostly else (n - 1) / max(float(stamps[-1] - stamps[0]), 1e-9)
    if abs(actual / found.sfreq - 1) > MAX_RATE_ERROR:
        raise RecordingError(
            f"{path} holds {actual:.4g} samples a second, where {found.sfreq:g} are expected: record every sample "
            "(a constant interval, no averages)"
        )
    missing = np.zeros(n, dtype=np.int64)
    for hole in holes:
        missing[hole + 1 :] += round(float(steps[hole]) * found.sfreq) - 1
    if len(holes):
        notes.append(f"{len(holes)} holes, {steps[holes].sum():.1f} s together, are marked bad")
    return rows + np.maximum(missing, 0)


def _lost_packets(found: Signals, at: npt.NDArray[np.int64], notes: list[str]) -> list[tuple[float, float, str]]:
    """Return a mark where packets are missing; numbers of packets go round at 256."""
    assert found.counter is not None
    steps = np.diff(found.counter) % 256
    usual = float(np.median(steps)) or 1.0
    jumps = np.flatnonzero((steps != usual) & (np.diff(at) == 1))
    if len(jumps):
        notes.append(f"packets are missing at {len(jumps)} places, which are marked bad")
    return [(float(at[i]) / found.sfreq, 1.0 / found.sfreq, "BAD_lost") for i in jumps]


def _runs(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False].astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
