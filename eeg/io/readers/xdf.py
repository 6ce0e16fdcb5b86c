"""XDF: what LabRecorder writes from Lab Streaming Layer."""

from __future__ import annotations

from pathlib import Path

from eeg.io.formats import Format, Opened


def _open(path: Path, stream: str | None = None) -> Opened:
    from eeg.io.xdf import read_xdf

    raw, notes = read_xdf(path, stream)
    return Opened(raw, (path,), "none", notes=tuple(notes))


FORMAT = Format(
    name="XDF",
    suffixes=(".xdf",),
    recognises=lambda start, path: start[:4] == b"XDF:",
    open=_open,
    name_this="`.xdf`",
    notes="the EEG stream (of several the one that `--stream` names), on an even grid by its time stamps, at the "
    "rate that they show; holes are marked bad, markers without EEG beside them are named",
    in_memory=True,
    has_streams=True,
)
