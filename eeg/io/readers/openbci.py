"""OpenBCI: the text files of its GUI, of version 4 and 5 on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from eeg.errors import RecordingError
from eeg.io.formats import Format, Opened

# The converter's ends at a gain of 24 (4.5 V / 24); what stays there is not connected.
_RAIL_UV = 187_500.0


def _open(path: Path) -> Opened:
    import numpy as np

    from eeg.io.headset_table import Signals, opened, read_rows

    said, header, skip = _head(path)
    count, sfreq = int(said.get("number of channels", "0")), float(said.get("sample rate", "0"))
    columns = _columns(header, count)
    stamp = next((i for i, name in enumerate(header) if name.lower() == "timestamp"), None)
    wanted = [0, *columns, *([stamp] if stamp is not None else [])]
    data = read_rows(path, ",", skip, wanted)
    samples = data[1 : count + 1]
    with np.errstate(invalid="ignore"):
        railed = (np.abs(samples) >= _RAIL_UV * 0.999).mean(axis=1) > 0.5
    stamps = _seconds(data[-1]) if stamp is not None else None
    made = opened(
        path,
        Signals(
            samples * 1e-6,
            [f"EXG {i + 1}" for i in range(count)],
            sfreq,
            stamps,
            "utc" if stamps is not None and stamps[0] > 1e9 else "none",
            counter=data[0],
        ),
    )
    made.raw.info["bads"] = [f"EXG {i + 1}" for i in range(count) if railed[i]]
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
    if not re.fullmatch(r"\d{1,3}", said.get("number of channels", "")) or not _is_rate(said.get("sample rate", "")):
        raise RecordingError(f"{path} does not say its number of channels and its sample rate: record it again")
    return said, header, lines


def _is_rate(text: str) -> bool:
    return re.fullmatch(r"\d{2,5}(\.\d*)?", text) is not None


def _columns(header: list[str], count: int) -> list[int]:
    found = [i for i, name in enumerate(header) if re.match(r"EXG Channel \d+$", name)]
    return found[:count] if len(found) >= count else list(range(1, count + 1))


def _seconds(stamps: Any) -> Any:
    """Return seconds; old files count milliseconds."""
    return stamps / 1e3 if stamps[0] > 1e11 else stamps


FORMAT = Format(
    name="OpenBCI",
    suffixes=(".txt", ".csv"),
    recognises=lambda start, path: start.lstrip(b"\xef\xbb\xbf").startswith(b"%OpenBCI Raw"),
    open=_open,
    name_this="`.txt`",
    notes="of the GUI; rate and channels by its header, lost packets marked bad, channels at a rail (187,500 µV) bad",
    in_memory=True,
)
