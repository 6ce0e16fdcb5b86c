"""NeuroSky MindWave: tables of raw values beside the headset's own figures, as eegID and the like write them."""

from __future__ import annotations

from pathlib import Path

from eeg.errors import RecordingError
from eeg.io.formats import Format, Opened

_RATE = 512.0
# Of a converter of 12 bits at 1.8 V behind a gain of 2000 (ThinkGear Serial Stream Guide).
_VOLTS = 1.8 / 4096 / 2000


def _open(path: Path) -> Opened:
    import numpy as np

    from eeg.io.headset_table import Signals, opened, read_rows

    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = [cell.strip() for cell in file.readline().split(",")]
    at = {name.lower(): i for i, name in enumerate(header)}
    value = at.get("eegrawvalue", at.get("rawvalue"))
    if value is None or "timestampms" not in at:
        raise RecordingError(f"{path} has no column of raw values and moments: export raw values")
    columns = [at["timestampms"], value, at.get("poorsignal", value)]
    data = read_rows(path, ",", 1, columns)
    data = data[:, np.isfinite(data[1])]
    bad = data[2] > 0 if "poorsignal" in at else None
    return opened(path, Signals(data[1:2] * _VOLTS, ["Fp1"], _RATE, data[0] / 1e3, "utc", bad=bad))


FORMAT = Format(
    name="NeuroSky",
    suffixes=(".csv",),
    recognises=lambda start, path: b"timestampms" in start[:300].lower() and b"rawvalue" in start[:600].lower(),
    open=_open,
    name_this="`.csv`",
    notes="raw values at 512 Hz (eegID); rows of poor signal are marked bad",
    in_memory=True,
)
