"""Muse headsets: the tables of Mind Monitor (a phone's) and of muselsl."""

from __future__ import annotations

from pathlib import Path

from eeg.errors import RecordingError
from eeg.io.formats import Format, Opened

_RATE = 256.0
_SITES = ("TP9", "AF7", "AF8", "TP10")


def _open_mind_monitor(path: Path) -> Opened:
    """Read Mind Monitor's table: raw values in microvolts, a moment in local time, marks under Elements.

    Rows of samples end before the last column, Elements; rows of a mark, a blink or the connection hold no samples.
    """
    from datetime import UTC, datetime

    import numpy as np

    from eeg.io.headset_table import Signals, number, opened, read_cells

    header = _header(path)
    columns = [header.index("TimeStamp"), *(header.index(f"RAW_{site}") for site in _SITES)]
    # A column that is not there is read beyond the last, where every cell is empty.
    columns += [header.index(name) if name in header else len(header) for name in ("HeadBandOn", "Elements")]
    cells = read_cells(path, ",", 1, columns)
    full = [row for row in cells if any(row[1:5])]
    marks = []
    done = 0
    for row in cells:
        if (text := row[6].strip()) and not text.startswith("/muse/"):
            marks.append((min(done, len(full) - 1), text.removeprefix("/Marker/").strip("/")))
        done += any(row[1:5])
    if len(full) < 2:
        raise RecordingError(f"{path} holds no raw values: record with Mind Monitor's interval set to Constant")
    try:
        stamps = np.array([datetime.fromisoformat(row[0].strip()).replace(tzinfo=UTC).timestamp() for row in full])
    except ValueError:
        raise RecordingError(f"{path} has a moment that is no date and time: export it again") from None
    samples = np.array([[number(cell) for cell in row[1:5]] for row in full]).T * 1e-6
    off = np.array([number(row[5]) == 0 for row in full])
    return opened(path, Signals(samples, _SITES, _RATE, stamps, "local", marks=marks, bad=off))


def _open_muselsl(path: Path) -> Opened:
    """Read muselsl's table: seconds since 1970, microvolts, markers as numbers."""
    import numpy as np

    from eeg.io.headset_table import Signals, opened, read_rows

    header = _header(path)
    extra = [name for name in ("Right AUX",) if name in header]
    markers = [i for i, name in enumerate(header) if name.lower().startswith("marker")]
    names = [*_SITES, *extra]
    columns = [0, *(header.index(name) for name in names), *markers]
    data = read_rows(path, ",", 1, columns)
    marks = [
        (int(row), f"{data[len(names) + 1 + i, row]:g}")
        for i in range(len(markers))
        for row in np.flatnonzero(np.nan_to_num(data[len(names) + 1 + i]))
    ]
    clock = "utc" if data[0, 0] > 1e9 else "none"
    kinds = ["eeg"] * 4 + ["misc"] * len(extra)
    return opened(path, Signals(data[1 : len(names) + 1] * 1e-6, names, _RATE, data[0], clock, kinds, marks))


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return [name.strip() for name in file.readline().split(",")]


FORMATS = (
    Format(
        name="Mind Monitor",
        suffixes=(".csv",),
        recognises=lambda start, path: b"TimeStamp," in start[:200] and b"RAW_TP9" in start,
        open=_open_mind_monitor,
        name_this="`.csv`",
        notes="Muse; the recording interval must be Constant; markers by number or name; while the band is off, marked "
        "bad",
        in_memory=True,
    ),
    Format(
        name="muselsl",
        suffixes=(".csv",),
        recognises=lambda start, path: (
            start.lstrip(b"\xef\xbb\xbf").startswith(b"timestamps,") and b"TP9" in start[:200]
        ),
        open=_open_muselsl,
        name_this="`.csv`",
        notes="Muse; `Marker0` as numbers",
        in_memory=True,
    ),
)
