"""OpenBCI: the text files of its GUI, of every version."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import Any

from eeg.errors import RecordingError
from eeg.io.formats import Format, Opened

# The converter's ends at a gain of 24 (4.5 V / 24); what stays there is not connected.
_RAIL_UV = 187_500.0
_FIRST_ROWS = 9


def _open(path: Path) -> Opened:
    import numpy as np

    from eeg.io.headset_table import Signals, changes, opened, read_rows

    said, header, skip = _head(path)
    rows = _first_rows(path, skip)
    count, sfreq = _facts(path, said, rows)
    by_name = {name.lower(): i for i, name in reversed(list(enumerate(header)))}
    stamp = by_name.get("timestamp", _stamp_column(rows, count))
    marker = by_name.get("marker channel")
    others = [i for i in (stamp, marker) if i is not None]
    data = read_rows(path, ",", skip, [0, *_columns(header, count), *others])
    stamps = _seconds(data[count + 1]) if stamp is not None else None
    if stamps is not None:  # the GUI may begin with a row of zeros
        begin = int(np.argmax(stamps > 0))
        data, stamps = data[:, begin:], stamps[begin:]
    names = [f"EXG {i + 1}" for i in range(count)]
    samples = data[1 : count + 1]
    with np.errstate(invalid="ignore"):
        railed = (np.abs(samples) >= _RAIL_UV * 0.999).mean(axis=1) > 0.5
    clock = "utc" if stamps is not None and stamps[0] > 1e9 else "none"
    marks = changes(data[-1]) if marker is not None else []
    made = opened(path, Signals(samples * 1e-6, names, sfreq, stamps, clock, marks=marks, counter=data[0]))
    made.raw.info["bads"] = [name for name, at_rail in zip(names, railed, strict=True) if at_rail]
    return made


def _head(path: Path) -> tuple[dict[str, str], list[str], int]:
    """Return what the lines before the rows say, the names of the columns (none in old files), and how many lines."""
    said: dict[str, str] = {}
    header: list[str] = []
    lines = 0
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for line in file:
            if line.startswith("%"):
                name, _, value = line[1:].partition("=")
                said[name.strip().lower()] = re.sub(r"\s*Hz\s*$", "", value.strip(), flags=re.IGNORECASE)
            elif line[:1].isalpha():
                header = [cell.strip() for cell in line.split(",")]
            else:
                break
            lines += 1
    return said, header, lines


def _first_rows(path: Path, skip: int) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return [line.split(",") for line in islice(file, skip, skip + _FIRST_ROWS)]


def _facts(path: Path, said: dict[str, str], rows: list[list[str]]) -> tuple[int, float]:
    """Return the number of channels and the rate; files before 2017 give the number by their columns only."""
    channels, rate = said.get("number of channels"), said.get("sample rate", "")
    if channels is None and said.get("first column", "").lower() == "sampleindex" and rows:
        accel = 3 if "accel" in said.get("other columns", "").lower() else 0
        channels = str(len(rows[-1]) - 1 - accel - ("last column" in said))
    if channels is None or not re.fullmatch(r"[1-9]\d{0,2}", channels) or not re.fullmatch(r"\d{2,5}(\.\d*)?", rate):
        raise RecordingError(f"{path} does not say its number of channels and its sample rate: record it again")
    return int(channels), float(rate)


def _columns(header: list[str], count: int) -> list[int]:
    found = [i for i, name in enumerate(header) if re.match(r"EXG Channel \d+$", name)]
    return found[:count] if len(found) >= count else list(range(1, count + 1))


def _stamp_column(rows: list[list[str]], count: int) -> int | None:
    """Return the column of time where none has its name: it holds milliseconds or seconds since 1970."""
    for row in reversed(rows[1:]):
        for i, cell in enumerate(row[count + 1 :], count + 1):
            if re.fullmatch(r"\s*1\d{9}(\d{3})?(\.\d*)?\s*", cell):
                return i
    return None


def _seconds(stamps: Any) -> Any:
    """Return seconds; old files count milliseconds."""
    return stamps / 1e3 if stamps[-1] > 1e11 else stamps


FORMAT = Format(
    name="OpenBCI",
    suffixes=(".txt", ".csv"),
    recognises=lambda start, path: start.lstrip(b"\xef\xbb\xbf").startswith(b"%OpenBCI Raw"),
    open=_open,
    name_this="`.txt`",
    notes="of the GUI from 2014 on; rate and channels by its header, the marker channel as numbers, lost "
    "packets marked bad, channels at a rail (187,500 µV) bad",
    in_memory=True,
)
