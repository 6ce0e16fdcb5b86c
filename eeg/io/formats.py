"""What kind of recording a file is by its content, and whether all of it is there."""

from __future__ import annotations

import configparser
import gzip
import re
import stat
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from eeg.errors import RecordingError

SUFFIXES: dict[str, tuple[str, ...]] = {
    "FIF": (".fif", ".fif.gz"),
    "EDF": (".edf",),
    "BDF": (".bdf",),
    "BrainVision": (".vhdr",),
    "EEGLAB": (".set",),
    "XDF": (".xdf",),
}
MAX_BYTES = 64 * 2**30
# EEGLAB files without .fdt and XDF files have no random access: they are held in memory while they are read.
MAX_BYTES_IN_MEMORY = 2 * 2**30

# Data records of EDF+D follow one another where they are this near to it: onsets are rounded, to milliseconds at times.
_GAP_SAMPLES, _ROUNDED_S = 3, 1e-3
_SAMPLE_BYTES = {"INT_16": 2, "UINT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4}
_FIF_START = struct.pack(">iii", 100, 31, 20)  # FIFF_FILE_ID, an id structure, of 20 bytes


@dataclass(frozen=True)
class EdfHeader:
    """What the header of an EDF, EDF+ or BDF file says.

    Parameters
    ----------
    labels, units : tuple of str
        One for each signal, annotations included.
    samples_per_record : tuple of int
        Of each signal.
    record_count : int
        -1 where the recording software did not finish.
    record_s : float
        Duration of a data record in seconds.
    header_bytes : int
        Where the data begin.
    sample_bytes : int
        2 (EDF) or 3 (BDF).
    discontinuous : bool
        EDF+D or BDF+D: records need not follow one another.
    """

    labels: tuple[str, ...]
    units: tuple[str, ...]
    samples_per_record: tuple[int, ...]
    record_count: int
    record_s: float
    header_bytes: int
    sample_bytes: int
    discontinuous: bool

    @property
    def record_bytes(self) -> int:
        """Bytes of one data record."""
        return sum(self.samples_per_record) * self.sample_bytes


def find_format(path: Path) -> str:
    """Return the format of a recording by its content.

    Parameters
    ----------
    path : Path
        The file; for BrainVision the ``.vhdr``, for EEGLAB the ``.set``.

    Returns
    -------
    str
        A key of `SUFFIXES`.

    Raises
    ------
    RecordingError
        The file is missing, a folder, empty, too large, of no known format, or named as another format.
    """
    if path.is_dir():
        raise RecordingError(f"{path} is a folder: name a recording in it")
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise RecordingError(f"{path} is a pipe or a device: save the recording as a file first")
        size = facts.st_size
        with path.open("rb") as file:
            start = file.read(256)
    except FileNotFoundError:
        raise RecordingError(f"{path} does not exist: check the name") from None
    except OSError as error:
        raise RecordingError(f"{path} cannot be read ({error.strerror}): check its permissions") from None
    if size == 0:
        raise RecordingError(f"{path} is empty (0 bytes): record or copy it again")
    if size > MAX_BYTES:
        raise RecordingError(f"{path} is larger than {MAX_BYTES // 2**30} GiB: split it first")
    name = path.name.lower()
    found = _format_of(start, path)
    if found is None:
        raise RecordingError(_why_unknown(path, name))
    packed = start[:2] == b"\x1f\x8b"
    if not name.endswith(SUFFIXES[found]) or packed != name.endswith(".gz"):
        wanted = SUFFIXES[found][1] if packed else SUFFIXES[found][0]
        raise RecordingError(f"{path} is {_a(found)} file by its content: rename it to end in {wanted}")
    if found in {"XDF", "EEGLAB"} and size > MAX_BYTES_IN_MEMORY:
        raise RecordingError(
            f"{path} is larger than {MAX_BYTES_IN_MEMORY // 2**30} GiB: convert it to EDF or FIF first"
        )
    return found


def _format_of(start: bytes, path: Path) -> str | None:
    if start[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path) as file:
                start = file.read(12)
        except (OSError, EOFError, zlib.error):
            return None
        return "FIF" if start == _FIF_START else None
    if start[:12] == _FIF_START:
        return "FIF"
    if start[:8] == b"0       ":
        return "EDF"
    if start[:8] == b"\xffBIOSEMI":
        return "BDF"
    text = start.decode("latin-1").lstrip("ï»¿").lstrip()
    if re.match(r"Brain ?Vision (?:Core )?Data Exchange Header", text, re.IGNORECASE):
        return "BrainVision"
    if text.startswith("MATLAB 5.0 MAT-file") or start[:8] == b"\x89HDF\r\n\x1a\n" or text.startswith("MATLAB 7.3"):
        return "EEGLAB"
    if start[:4] == b"XDF:":
        return "XDF"
    return None


def is_hdf5(path: Path) -> bool:
    """Return whether a file (EEGLAB's of MATLAB 7.3) is HDF5, with or without MATLAB's block before it."""
    with path.open("rb") as file:
        start = file.read(16)
    return start.startswith((b"\x89HDF", b"MATLAB 7.3"))


def _a(found: str) -> str:
    return f"{'an' if found[0] in 'EX' else 'a'} {found}"


def _why_unknown(path: Path, name: str) -> str:
    for suffix, header in ((".vmrk", ".vhdr"), (".eeg", ".vhdr"), (".dat", ".vhdr"), (".fdt", ".set")):
        if name.endswith(suffix):
            return f"{path} is one part of a recording: name its header file ({path.with_suffix(header).name}) instead"
    for found, suffixes in SUFFIXES.items():
        if name.endswith(suffixes):
            return f"{path} does not begin as {_a(found)} file does: it is damaged or another kind of file"
    known = ", ".join(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)
    return f"{path} is not an EEG recording that can be read: give one of {known}"


def read_edf_header(path: Path) -> EdfHeader:
    """Read the header of an EDF, EDF+ or BDF file (www.edfplus.info/specs/edf.html).

    Raises
    ------
    RecordingError
        The header is cut short or holds no numbers where it must, or the data are cut short.
    """
    sample_bytes = 3 if path.name.lower().endswith(".bdf") else 2
    size = path.stat().st_size
    with path.open("rb") as file:
        fixed = file.read(256)
        try:
            header_bytes, record_count = int(fixed[184:192]), int(fixed[236:244])
            record_s, count = float(fixed[244:252]), int(fixed[252:256])
            if count < 1 or header_bytes != 256 * (count + 1) or record_s < 0 or record_count < -1:
                raise ValueError
            rest = file.read(256 * count).decode("latin-1")
            columns = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
            fields, at = [], 0
            for width in columns:
                fields.append([rest[at + i * width : at + (i + 1) * width].strip() for i in range(count)])
                at += width * count
            samples = tuple(int(text) for text in fields[8])
            if min(samples) < 0 or sum(samples) == 0:
                raise ValueError
        except ValueError:
            raise RecordingError(f"{path} has a damaged EDF header: record or export it again") from None
    header = EdfHeader(
        tuple(fields[0]),
        tuple(fields[2]),
        samples,
        record_count,
        record_s,
        header_bytes,
        sample_bytes,
        fixed[192:236].decode("latin-1").startswith(("EDF+D", "BDF+D")),
    )
    present = (size - header_bytes) // header.record_bytes
    if present < 1:
        raise RecordingError(f"{path} ends after its header: it holds no data; record or copy it again")
    if record_count > present:
        raise RecordingError(f"{path} is cut short: it holds {present} of {record_count} data records; copy it again")
    if header.discontinuous:
        _check_continuous(path, header, present)
    return header


def _check_continuous(path: Path, header: EdfHeader, present: int) -> None:
    """Refuse an EDF+D file whose records do not follow one another (most do).

    From record to record, few samples may be missing; over the file, half a record: clocks drift.
    """
    at, width = 0, 0
    for label, samples in zip(header.labels, header.samples_per_record, strict=True):
        if label in {"EDF Annotations", "BDF Annotations"}:
            width = samples * header.sample_bytes
            break
        at += samples * header.sample_bytes
    if not width:
        return
    signals = [
        n for label, n in zip(header.labels, header.samples_per_record, strict=True) if "Annotations" not in label
    ]
    most = max(signals, default=1) or 1
    step_s = max(_GAP_SAMPLES * header.record_s / most, _ROUNDED_S) + 1e-6
    first: float | None = None
    last = 0.0
    with path.open("rb") as file:
        for record in range(present):
            file.seek(header.header_bytes + record * header.record_bytes + at)
            match = re.match(rb"([+-]\d+(?:\.\d*)?)\x14", file.read(min(width, 32)))
            if match is None:
                continue
            onset = float(match.group(1)) - record * header.record_s
            if first is None:
                first = last = onset
            step, last = abs(onset - last), onset
            if step > step_s or abs(onset - first) > 0.5 * max(header.record_s, 1e-3):
                raise RecordingError(
                    f"{path} is an EDF+D file with gaps (the first at {record * header.record_s:.1f} s): "
                    "export it as continuous EDF+ or as one file per stretch"
                )


def check_brainvision(path: Path) -> tuple[Path, ...]:
    """Return header, data and marker files of a BrainVision recording; refuse where one is missing or cut short."""
    text = path.read_bytes().decode("utf-8", errors="replace").lstrip("\ufeff")
    body = text.partition("[Common Infos]")[2].partition("[Comment]")[0]
    parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True, comment_prefixes=(";",))
    try:
        parser.read_string("[Common Infos]" + body)
        common = parser["Common Infos"]
        channels = int(common["NumberOfChannels"])
        data = path.with_name((common["DataFile"] or "").replace("$b", path.stem))
    except (configparser.Error, KeyError, ValueError):
        raise RecordingError(f"{path} has a damaged BrainVision header: export it again") from None
    files = [path, data]
    marker = common.get("MarkerFile")
    if marker:
        files.append(path.with_name(marker.replace("$b", path.stem)))
    for file in files:
        if not file.is_file():
            raise RecordingError(f"{path} names {file.name}, which is not beside it: copy all files of the recording")
    if common.get("DataFormat", "BINARY").upper() == "BINARY":
        binary = parser.get("Binary Infos", "BinaryFormat", fallback="INT_16").upper()
        frame = channels * _SAMPLE_BYTES.get(binary, 2)
        points, rest = divmod(data.stat().st_size, frame)
        wanted = int(common.get("DataPoints") or 0) if (common.get("DataPoints") or "0").isdigit() else 0
        last = _last_marker(files[2]) if len(files) > 2 else 0
        if rest or points < max(wanted, last, 1):
            raise RecordingError(
                f"{data} is cut short: it holds {points} samples"
                + (f", its markers go to {last}" if last > points else f", its header says {wanted}" if wanted else "")
                + "; copy it again"
            )
    return tuple(files)


def _last_marker(path: Path) -> int:
    """Return the position of the last marker of a ``.vmrk`` file, in samples from 1; 0 without any."""
    text = path.read_bytes().decode("utf-8", errors="replace")
    return max((int(at) for at in re.findall(r"^Mk\d+=[^,\r\n]*,[^,\r\n]*,(\d+),", text, re.MULTILINE)), default=0)
