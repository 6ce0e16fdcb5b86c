"""FIF: MNE-Python's own format, also split into several files, and packed with gzip."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

from eeg.errors import RecordingError, SplitPartError
from eeg.io.formats import Format, Opened

_START = struct.pack(">iii", 100, 31, 20)  # FIFF_FILE_ID, an id structure, of 20 bytes


# MNE-Python's words where a part is not there.
_MISSING_PART = re.compile(r"Split raw file detected but next file (.+?) does not exist", re.DOTALL)

# Samples are packed to a half or so, flat stretches to less.
_MOST_PACKED = 100


def _recognises(start: bytes, path: Path) -> bool:
    if start[:2] != b"\x1f\x8b":
        return start[:12] == _START
    import gzip
    import zlib

    try:
        with gzip.open(path) as file:
            return file.read(12) == _START
    except (OSError, EOFError, zlib.error):
        return False


def _open(path: Path) -> Opened:
    from eeg.io.fif_samples import FifSamples, first_of, previous_of, walk
    from eeg.io.mne import quiet_mne

    if not path.name.lower().endswith(".gz") and (first := first_of(path)) != path:
        raise SplitPartError(path, first)
    scratch, source = _unpack(path) if path.name.lower().endswith(".gz") else (None, path)
    try:
        if scratch is not None and previous_of(source):
            raise RecordingError(_packed_part(path))
        walked = walk(source)
        with quiet_mne():
            raw = _read(source)
            named = [Path(str(name)) for name in raw.filenames if name is not None]
            fast = FifSamples.open(raw, named, walked)
    except BaseException as error:
        if scratch is not None:
            scratch.cleanup()
        if missing := _MISSING_PART.search(str(error)):
            if scratch is not None:
                raise RecordingError(_packed_part(path)) from error
            raise RecordingError(
                f"{path} is split into parts, and {Path(missing[1]).name} is not beside it: "
                "put all parts into one folder, under the names they were saved with"
            ) from error
        raise
    files = (path,) if scratch is not None else tuple(dict.fromkeys([path, *named]))
    clock = "utc" if raw.info["meas_date"] is not None else "none"
    return Opened(raw, files, clock, fast=fast, scratch=scratch)


def _packed_part(path: Path) -> str:
    return (
        f"{path} is one of several packed parts, which name each other as they were before packing: "
        "unpack them, or save the recording as one file"
    )


def _read(path: Path) -> Any:
    """Open a recording; the parts of one that is named by a link may lie where that leads."""
    from eeg.io.mne import import_mne

    read = import_mne().io.read_raw_fif
    try:
        return read(path, allow_maxshield="yes", preload=False)
    except ValueError as error:
        if not path.is_symlink() or not _MISSING_PART.search(str(error)):
            raise
        return read(path.resolve(), allow_maxshield="yes", preload=False)


def _unpack(path: Path) -> tuple[Any, Path]:
    """Unpack a ``.fif.gz`` into a scratch file: gzip has no random access, each backward step starts afresh."""
    import gzip
    import tempfile
    import zlib

    scratch = tempfile.TemporaryDirectory(prefix="therapy-gen-eeg-")
    target = Path(scratch.name) / path.name[: -len(".gz")]
    try:
        with gzip.open(path) as packed, target.open("wb") as out:
            most = _MOST_PACKED * path.stat().st_size + 2**26
            while block := packed.read(2**20):
                out.write(block)
                if out.tell() > most:
                    raise OSError("it unpacks to far more than a recording can")
    except EOFError:
        scratch.cleanup()
        raise RecordingError(f"{path} is cut short: copy it again") from None
    except (gzip.BadGzipFile, zlib.error):
        scratch.cleanup()
        raise RecordingError(f"{path} cannot be unpacked (it is damaged): copy it again") from None
    except OSError as error:
        scratch.cleanup()
        text = " ".join((error.strerror or str(error)).split())
        raise RecordingError(f"{path} cannot be unpacked ({text[:200]}): copy it again") from None
    return scratch, target


FORMAT = Format(
    name="FIF",
    suffixes=(".fif", ".fif.gz"),
    recognises=_recognises,
    open=_open,
    name_this="`.fif`, `.fif.gz`, the first of split files",
    notes="float32 and int16 buffers are read directly once the first and last samples agree with MNE's",
)
