"""FIF: MNE-Python's own format, also split into several files, and packed with gzip."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from eeg.errors import RecordingError, SplitPartError
from eeg.io.formats import Format, Opened

_START = struct.pack(">iii", 100, 31, 20)  # FIFF_FILE_ID, an id structure, of 20 bytes


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
    from eeg.io.fif_samples import FifSamples, first_of, walk
    from eeg.io.mne import import_mne, quiet_mne

    if not path.name.lower().endswith(".gz") and (first := first_of(path)) != path:
        raise SplitPartError(path, first)
    scratch, source = _unpack(path) if path.name.lower().endswith(".gz") else (None, path)
    try:
        walked = walk(source)
        with quiet_mne():
            raw = import_mne().io.read_raw_fif(source, allow_maxshield="yes", preload=False)
            named = [Path(str(name)) for name in raw.filenames if name is not None]
            fast = FifSamples.open(raw, named, walked)
    except BaseException as error:
        if scratch is not None:
            scratch.cleanup()
            if "Split raw file" in str(error):
                raise RecordingError(
                    f"{path} is the first of several packed parts, which name each other as they were before packing: "
                    "unpack them, or save the recording as one file"
                ) from error
        raise
    files = (path,) if scratch is not None else tuple(dict.fromkeys([path, *named]))
    clock = "utc" if raw.info["meas_date"] is not None else "none"
    return Opened(raw, files, clock, fast=fast, scratch=scratch)


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
    except (OSError, zlib.error) as error:
        scratch.cleanup()
        text = " ".join(str(error).split())
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
