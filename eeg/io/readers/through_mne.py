"""Formats of amplifiers that MNE-Python reads by itself: GDF, CNT, EGI, Nihon Kohden, Curry, Persyst, ANT, NEDF."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from eeg.errors import RecordingError
from eeg.io.formats import Format, Opened


def _open(reader: str, path: Path) -> Opened:
    from eeg.io.mne import import_mne, quiet_mne

    with quiet_mne():
        try:
            raw = getattr(import_mne().io, f"read_raw_{reader}")(path, preload=False)
        except ImportError as error:  # of a package that one format alone needs
            name = getattr(error, "name", None) or "another package"
            raise RecordingError(f"{path} is read by MNE-Python with {name}: pip install {name}") from None
    named = [Path(str(name)) for name in raw.filenames if name is not None and Path(str(name)).is_file()]
    files = (
        tuple(dict.fromkeys([path, *named]))
        if path.is_file()
        else tuple(sorted(one for one in path.rglob("*") if one.is_file()))
    )
    clock = "local" if raw.info["meas_date"] is not None else "none"
    return Opened(raw, files, clock)


def _egi(start: bytes, path: Path) -> bool:
    """EGI's simple binary: a version of 2 to 7, then a date."""
    return (
        path.suffix.lower() == ".raw"
        and len(start) > 36
        and int.from_bytes(start[:4], "big") in range(2, 8)
        and 1 <= int.from_bytes(start[6:8], "big") <= 12
    )


def _curry(start: bytes, path: Path) -> bool:
    return path.suffix.lower() == ".cdt"


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
        "CNT", (".cnt",), lambda start, path: start[:9] == b"Version 3", partial(_open, "cnt"), "`.cnt`", "of Neuroscan"
    ),
    Format("ANT", (".cnt",), lambda start, path: start[:4] == b"RIFF", partial(_open, "ant"), "`.cnt`", "with antio"),
    Format("EGI", (".raw",), _egi, partial(_open, "egi"), "`.raw`", "simple binary"),
    Format(
        "EGI MFF", (".mff",), lambda start, path: False, partial(_open, "egi"), "the folder `.mff`", "", folder=True
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
    Format("Curry", (".cdt",), _curry, partial(_open, "curry"), "`.cdt`", "of version 8, with curryreader"),
    Format(
        "Persyst",
        (".lay",),
        lambda start, path: start.lstrip()[:10].lower() == b"[fileinfo]",
        partial(_open, "persyst"),
        "`.lay`",
        "with its `.dat`",
    ),
    Format("NEDF", (".nedf",), lambda start, path: start[:5] == b"<?xml" and path.suffix.lower() == ".nedf",
           partial(_open, "nedf"), "`.nedf`", "of Neuroelectrics"),
)  # fmt: skip
