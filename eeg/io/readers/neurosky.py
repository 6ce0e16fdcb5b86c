"""NeuroSky MindWave: tables of raw values beside the headset's own figures, as eegID and the like write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eeg.errors import RecordingError
from eeg.io.formats import Format, Opened

_RATE = 512.0
# Of a converter of 12 bits at 1.8 V behind a gain of 2000 (ThinkGear Serial Stream Guide).
_VOLTS = 1.8 / 4096 / 2000


def _open(path: Path) -> Opened:
    import numpy as np

    from eeg.io.headset_table import Signals, opened, read_cells, read_rows

    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = [cell.strip() for cell in file.readline().split(",")]
    at = {name.lower(): i for i, name in enumerate(header)}
    value = at.get("eegrawvalue", at.get("rawvalue"))
    if value is None or "timestampms" not in at:
        raise RecordingError(f"{path} has no column of raw values and moments: export raw values")
    columns = [at["timestampms"], value, at.get("poorsignal", value)]
    data = read_rows(path, ",", 1, columns)
    kept = np.isfinite(data[1])
    marks = _tags(read_cells(path, ",", 1, [*columns, at["tagevent"]]), kept) if "tagevent" in at else []
    data = data[:, kept]
    bad = data[2] > 0 if "poorsignal" in at else None
    return opened(path, Signals(data[1:2] * _VOLTS, ["Fp1"], _RATE, data[0] / 1e3, "utc", marks=marks, bad=bad))


def _tags(cells: list[list[str]], kept: Any) -> list[tuple[int, str]]:
    """Return where the listener set another tag (eegID: every row repeats the last)."""
    found = []
    last = None
    texts = [row[-1].strip() for row in cells]
    for row, text in enumerate(text for text, keep in zip(texts, kept, strict=False) if keep):
        if last is not None and text and text != last:
            found.append((row, text))
        last = text
    return found


FORMAT = Format(
    name="NeuroSky",
    suffixes=(".csv",),
    recognises=lambda start, path: b"timestampms" in start[:300].lower() and b"rawvalue" in start[:600].lower(),
    open=_open,
    name_this="`.csv`",
    notes="raw values at 512 Hz (eegID); rows of poor signal are marked bad, another tag is a marker",
    in_memory=True,
)
