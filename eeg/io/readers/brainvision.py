"""BrainVision: a header, a file of samples and a file of markers."""

from __future__ import annotations

import re
from pathlib import Path

from eeg.io.formats import Format, Opened


def _recognises(start: bytes, path: Path) -> bool:
    text = start.decode("latin-1").lstrip("ï»¿").lstrip()
    return re.match(r"Brain ?Vision (?:Core )?Data Exchange Header", text, re.IGNORECASE) is not None


def _open(path: Path) -> Opened:
    import tempfile

    from eeg.io.brainvision_header import read_brainvision_header
    from eeg.io.mne import import_mne, quiet_mne

    found = read_brainvision_header(path)
    scratch, source = None, path
    if found.header is not None:
        scratch = tempfile.TemporaryDirectory(prefix="therapy-gen-eeg-")
        source = Path(scratch.name) / "header.vhdr"
        header = re.sub(r"(?im)^Codepage=.*$", "Codepage=UTF-8", found.header)
        for file in found.files[1:]:  # beside the mended header there is nothing else
            named = file.absolute()
            if found.markers is not None and file == found.files[2]:
                named = source.with_suffix(".vmrk")
                named.write_text(re.sub(r"(?im)^Codepage=.*$", "Codepage=UTF-8", found.markers), encoding="utf-8")
            key = "DataFile" if file == found.files[1] else "MarkerFile"
            line = f"{key}={named}".replace("\\", "\\\\")  # no escapes of a pattern
            header = re.sub(rf"(?im)^{key}=.*$", line, header, count=1)
        source.write_text(header, encoding="utf-8")
    try:
        with quiet_mne():
            raw = import_mne().io.read_raw_brainvision(source, preload=False)
    except BaseException:
        if scratch is not None:
            scratch.cleanup()
        raise
    clock = "local" if raw.info["meas_date"] is not None else "none"
    return Opened(raw, found.files, clock, notes=found.notes, scratch=scratch)


FORMAT = Format(
    name="BrainVision",
    suffixes=(".vhdr",),
    recognises=_recognises,
    open=_open,
    name_this="`.vhdr`",
    notes="with `.eeg` and `.vmrk` beside it",
    parts=(".vmrk", ".eeg", ".dat"),
)
