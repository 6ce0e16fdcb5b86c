"""BrainVision: a header, a file of samples and a file of markers."""

from __future__ import annotations

import re
from pathlib import Path

from eeg.io.formats import Format, Opened


def _recognises(start: bytes, path: Path) -> bool:
    text = start.decode("latin-1").lstrip("ï»¿").lstrip()
    return re.match(r"Brain ?Vision (?:Core )?Data Exchange Header", text, re.IGNORECASE) is not None


def _open(path: Path) -> Opened:
    from eeg.io.brainvision_header import check_brainvision
    from eeg.io.mne import import_mne, quiet_mne

    files = check_brainvision(path)
    with quiet_mne():
        raw = import_mne().io.read_raw_brainvision(path, preload=False)
    return Opened(raw, files, "local" if raw.info["meas_date"] is not None else "none")


FORMAT = Format(
    name="BrainVision",
    suffixes=(".vhdr",),
    recognises=_recognises,
    open=_open,
    name_this="`.vhdr`",
    notes="with `.eeg` and `.vmrk` beside it",
    parts=(".vmrk", ".eeg", ".dat"),
)
