"""BrainFlow's tables: no header, so that the board is known by its columns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eeg.errors import RecordingError
from eeg.io.formats import Format, Opened


@dataclass(frozen=True)
class _Board:
    """Columns of a board: where EEG begins, its sites, the rate, the stamp and the marker (from the end)."""

    name: str
    rate: float
    names: tuple[str, ...]
    stamp: int = -2
    marker: int = -1


_CYTON = ("Fp1", "Fp2", "C3", "C4", "P7", "P8", "O1", "O2")
_DAISY = (*_CYTON, "F7", "F8", "F3", "F4", "T7", "T8", "P3", "P4")
_SYNTHETIC = (
    "Fz", "C3", "Cz", "C4", "Pz", "PO7", "Oz", "PO8", "F5", "F7", "F3", "F1", "F2", "F4", "F6", "F8",
)  # fmt: skip
# By the number of columns (brainflow_boards.json of BrainFlow 5); where two boards have as many, the rate tells.
_BOARDS: dict[int, tuple[_Board, ...]] = {
    24: (_Board("Cyton", 250.0, _CYTON),),
    32: (_Board("synthetic", 250.0, _SYNTHETIC), _Board("Cyton Daisy", 125.0, _DAISY)),
    15: (_Board("Ganglion", 200.0, ("EXG 1", "EXG 2", "EXG 3", "EXG 4")),),
    8: (_Board("Muse", 256.0, ("TP9", "AF7", "AF8", "TP10")),),
}


def _recognises(start: bytes, path: Path) -> bool:
    if path.suffix.lower() not in (".csv", ".txt"):
        return False
    cells = start.decode("ascii", "replace").splitlines()[:1]
    delimiter = "\t" if cells and "\t" in cells[0] else ","
    row = cells[0].strip().split(delimiter) if cells else []
    try:
        values = [float(cell) for cell in row]
    except ValueError:
        return False
    return len(values) in _BOARDS and any(value > 1e9 for value in values)


def _open(path: Path) -> Opened:
    import numpy as np

    from eeg.io.headset_table import MAX_RATE_ERROR, Signals, opened, read_rows

    with path.open(encoding="ascii", errors="replace") as file:
        first = file.readline()
    delimiter = "\t" if "\t" in first else ","
    count = len(first.strip().split(delimiter))
    data = read_rows(path, delimiter, 0, range(count))
    stamps = data[-2]
    span = float(stamps[-1] - stamps[0])
    rate = (data.shape[1] - 1) / span if span > 0 else 0.0
    board = next((b for b in _BOARDS[count] if abs(rate / b.rate - 1) <= MAX_RATE_ERROR), None)
    if board is None:
        raise RecordingError(
            f"{path} has the {count} columns of {' or '.join(b.name for b in _BOARDS[count])}, but {rate:.4g} samples "
            "a second: that is another board; save it as EDF or FIF (mne.io.RawArray)"
        )
    marks = [(int(row), f"{data[board.marker, row]:g}") for row in np.flatnonzero(np.nan_to_num(data[board.marker]))]
    samples = data[1 : len(board.names) + 1] * 1e-6
    return opened(path, Signals(samples, board.names, board.rate, stamps, "utc", marks=marks, counter=data[0]))


FORMAT = Format(
    name="BrainFlow",
    suffixes=(".csv", ".txt"),
    recognises=_recognises,
    open=_open,
    name_this="`.csv`",
    notes="without a header: Cyton, Daisy, Ganglion, Muse and the synthetic board are known by columns and rate; "
    "markers as numbers",
    in_memory=True,
)
