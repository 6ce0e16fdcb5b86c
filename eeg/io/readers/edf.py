"""EDF, EDF+ and BDF, in which nearly every amplifier's program can export."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from eeg.io.formats import Format, Opened


def _open(kind: str, path: Path) -> Opened:
    import numpy as np

    from eeg.io.edf_header import other_rates, read_edf_header
    from eeg.io.mne import import_mne, quiet_mne

    header = read_edf_header(path)
    exclude = other_rates(header)
    notes = [f"set aside, sampled at another rate: {', '.join(exclude)}"] if exclude else []
    io = import_mne().io
    reader = io.read_raw_edf if kind == "EDF" else io.read_raw_bdf
    with quiet_mne():
        try:
            raw = reader(path, exclude=exclude, preload=False)
        except Exception as error:
            if "invalid byte" not in str(error):
                raise
            raw = reader(path, exclude=exclude, preload=False, encoding="latin1")
            notes.append("annotations are not in UTF-8, as EDF+ wants them: read as Latin-1")
    applied = np.atleast_1d(raw._raw_extras[0]["units"])
    written = dict(zip(header.labels, header.units, strict=True))
    units = (
        {name: (written.get(name, ""), float(one)) for name, one in zip(raw.ch_names, applied, strict=True)}
        if len(applied) == len(raw.ch_names)
        else {}
    )
    return Opened(raw, (path,), "local", notes=tuple(notes), units=units)


FORMATS = (
    Format(
        name="EDF",
        suffixes=(".edf",),
        recognises=lambda start, path: start[:8] == b"0       ",
        open=partial(_open, "EDF"),
        name_this="`.edf`",
        notes="EDF+ too; signals sampled otherwise than the EEG are set aside; EDF+D only without gaps of over three "
        "samples",
    ),
    Format(
        name="BDF",
        suffixes=(".bdf",),
        recognises=lambda start, path: start[:8] == b"\xffBIOSEMI",
        open=partial(_open, "BDF"),
        name_this="`.bdf`",
        notes="as EDF, with 24 bits",
    ),
)
