"""Formats of amplifiers that MNE-Python reads by itself: GDF, CNT, EGI, Nihon Kohden, Curry, Persyst, ANT, NEDF."""

from __future__ import annotations

from contextlib import redirect_stdout
from functools import partial
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

from eeg.errors import RecordingError
from eeg.io.formats import Format, Opened

# Shares of samples, and a value, that distinguish samples of 32 bits from those of 16.
_MOSTLY = 0.99
_UNLIKE = 0.25
_SMALL = 256


def _open(reader: str, path: Path, needs: str | None = None, clock: str = "local", **options: str) -> Opened:
    from eeg.io.mne import import_mne, quiet_mne

    if needs is not None and find_spec(needs) is None:
        raise RecordingError(f"{path} is read by MNE-Python with {needs}: pip install {needs}")
    with quiet_mne(), redirect_stdout(StringIO()):  # readers print what they could not read
        raw = getattr(import_mne().io, f"read_raw_{reader}")(path, preload=False, **options)
    named = [Path(str(name)) for name in raw.filenames if name is not None and Path(str(name)).is_file()]
    files = (
        tuple(dict.fromkeys([path, *named]))
        if path.is_file()
        else tuple(sorted(one for one in path.rglob("*") if one.is_file()))
    )
    return Opened(raw, files, clock if raw.info["meas_date"] is not None else "none")


def _egi(start: bytes, path: Path) -> bool:
    """EGI's simple binary: a version of 2 to 7, then a date."""
    return (
        path.suffix.lower() == ".raw"
        and len(start) > 36
        and int.from_bytes(start[:4], "big") in range(2, 8)
        and 1 <= int.from_bytes(start[6:8], "big") <= 12
    )


def _ant(start: bytes, path: Path) -> bool:
    """ANT: RIFF of 32 or 64 bits."""
    return start[:4] in (b"RIFF", b"RF64") and path.suffix.lower() == ".cnt"


def _curry(start: bytes, path: Path) -> bool:
    """Curry: the samples of version 8, or the header of version 7."""
    return path.suffix.lower() == ".cdt" or (path.suffix.lower() == ".dap" and b"DATA_PARAMETERS" in start)


def _open_cnt(path: Path) -> Opened:
    """Read Neuroscan's CNT; where its header's number of samples does not tell their width, the samples do."""
    import numpy as np

    with path.open("rb") as file:
        header = file.read(900)
        channels = int.from_bytes(header[370:372], "little")
        claimed = int.from_bytes(header[864:868], "little", signed=True)
        begin, end = 900 + 75 * channels, int.from_bytes(header[886:890], "little")
        size = path.stat().st_size
        if len(header) < 900 or channels == 0 or begin >= size:
            raise RecordingError(f"{path} has a damaged CNT header: record or export it again")
        data = min(end, size) - begin if end > begin else size - begin
        if claimed > 0 and data in (claimed * channels * 2, claimed * channels * 4):
            return _open("cnt", path)
        file.seek(begin)
        words = np.frombuffer(file.read(min(data, 2**20) // 4 * 4), dtype="<i2").astype(np.int32)
    upper, lower = words[1::2], words[::2]
    # Samples of 32 bits leave the upper half almost empty; halves that are samples themselves look alike.
    empty = len(upper) > 0 and float(((upper == 0) | (upper == -1)).mean()) > _MOSTLY
    small = [float((np.abs(half) <= _SMALL).mean()) if len(half) else 0.0 for half in (upper, lower)]
    return _open("cnt", path, data_format="int32" if empty or small[0] - small[1] > _UNLIKE else "int16")


def _open_gdf(path: Path) -> Opened:
    """Read GDF whose header can be true: a damaged count makes the reader run for minutes."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(256)
    first = start[4:8].startswith(b"1")
    channels = int.from_bytes(start[252:256] if first else start[252:254], "little")
    records = int.from_bytes(start[236:244], "little", signed=True)
    if len(start) < 256 or not 0 < 256 * (channels + 1) <= size or records > size:
        raise RecordingError(f"{path} has a damaged GDF header: record or export it again")
    return _open("gdf", path)


FORMATS = (
    Format("GDF", (".gdf",), lambda start, path: start[:4] == b"GDF ", _open_gdf, "`.gdf`", ""),
    Format(
        "CNT", (".cnt",), lambda start, path: start[:9] == b"Version 3", _open_cnt, "`.cnt`", "of Neuroscan"
    ),
    Format("ANT", (".cnt",), _ant, partial(_open, "ant", needs="antio"), "`.cnt`", "eego; with antio"),
    Format("EGI", (".raw",), _egi, partial(_open, "egi"), "`.raw`", "simple binary"),
    Format(
        "EGI MFF", (".mff",), lambda start, path: False, partial(_open, "egi", needs="mffpy", clock="utc"),
        "the folder `.mff`", "with mffpy", folder=True
    ),
    Format(
        "Nihon Kohden",
        (".eeg",),
        lambda start, path: start[:4] in (b"EEG-", b"QI-4") or start[129:133] in (b"EEG-", b"QI-4"),
        partial(_open, "nihon"),
        "`.EEG`",
        "with the files beside it",
        parts=(".pnt", ".log", ".21e"),
    ),
    Format("Curry", (".cdt", ".dap"), _curry, partial(_open, "curry", needs="curryreader"), "`.cdt`; the `.dap`",
           "of version 8, of version 7; with curryreader", parts=(".dat", ".rs3", ".cef", ".dpa", ".dpo")),
    Format(
        "Persyst",
        (".lay",),
        lambda start, path: start.lstrip()[:10].lower() == b"[fileinfo]",
        partial(_open, "persyst"),
        "`.lay`",
        "with its `.dat`",
    ),
    Format("NEDF", (".nedf",), lambda start, path: start[:1] == b"<" and b"NEDFversion" in start,
           partial(_open, "nedf", needs="defusedxml", clock="utc"), "`.nedf`", "of Neuroelectrics"),
)  # fmt: skip
