"""Emotiv: the tables of EmotivPRO and of its older programs."""

from __future__ import annotations

import re
from pathlib import Path

from eeg.errors import RecordingError
from eeg.io.formats import Format, Opened

_SITES = re.compile(r"(?:EEG\.)?([A-Z][A-Za-z]{0,2}(?:\d{1,2}|z))")
# What the headsets are set to; older exports do not say it.
_RATES = (128.0, 256.0)
_MARKERS = ("MarkerValueInt", "EEG.MarkerHardware", "MARKER")
_OTHER = {"Counter", "COUNTER", "Interpolated", "INTERPOLATED", "RawCq", "RAW_CQ"}


def _open(path: Path) -> Opened:
    from eeg.io.channels import site_of
    from eeg.io.headset_table import Signals, changes, opened, read_rows

    said, header, skip = _head(path)
    sites = {}
    for i, name in enumerate(header):
        match = _SITES.fullmatch(name)
        if match is not None and match.group(1) not in _OTHER and site_of(match.group(1)):
            sites[match.group(1)] = i
    rate = _rate(said)
    if not sites or rate is None:
        raise RecordingError(f"{path} names no electrodes, or no sampling rate: export it again, or as EDF")
    by_name = {name: i for i, name in enumerate(header)}
    stamp = by_name.get("Timestamp")
    markers = [by_name[name] for name in _MARKERS if name in by_name]
    data = read_rows(path, ",", skip, [*sites.values(), *markers, *([stamp] if stamp is not None else [])])
    n = len(sites)
    marks = [mark for codes in data[n : n + len(markers)] for mark in changes(codes)]
    stamps = data[-1] if stamp is not None else None
    if not said and stamps is not None and stamps[-1] > stamps[0]:
        actual = (len(stamps) - 1) / float(stamps[-1] - stamps[0])
        rate = min(_RATES, key=lambda one: abs(one - actual))
    clock = "utc" if stamps is not None and stamps[0] > 1e9 else "none"
    return opened(path, Signals(data[:n] * 1e-6, list(sites), rate, stamps, clock, marks=marks))


def _head(path: Path) -> tuple[str, list[str], int]:
    """Return the line of facts (empty without), the names of the columns, and the lines before the rows."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first, second = file.readline(), file.readline()
    if first.lower().startswith("title"):
        labels = re.search(r"labels:([^,]*)", first)
        if labels is not None:
            return first, labels.group(1).split(), 1
        return first, [cell.strip() for cell in second.split(",")], 2
    return "", [cell.strip() for cell in first.split(",")], 1


def _rate(said: str) -> float | None:
    """Return the rate of the EEG from the line of facts: ``eeg_128``, ``sampling:128``; 128 without such a line."""
    match = re.search(r"eeg_(\d{2,4})|sampling(?: rate)?\s*:\s*(\d{2,4})", said, re.IGNORECASE)
    if match is None:
        return None if said else 128.0
    return float(match.group(1) or match.group(2))


FORMAT = Format(
    name="Emotiv",
    suffixes=(".csv",),
    recognises=lambda start, path: (
        b"EEG.AF3" in start
        or b"EEG.Counter" in start
        or (start[:5].lower() == b"title" and (b"labels:" in start or b"sampling" in start))
    ),
    open=_open,
    name_this="`.csv`",
    notes="of EmotivPRO and Xavier; quality, counters and motion are left out, markers as numbers",
    in_memory=True,
)
