"""The header of BrainVision recordings: finding the files it names, mending it, checking that all is there."""

from __future__ import annotations

import configparser
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eeg.errors import RecordingError
from eeg.io.units import is_counts, is_guessed, is_unknown, to_volts

_SAMPLE_BYTES = {"INT_16": 2, "UINT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4}
_DATA_SUFFIXES, _MARKER_SUFFIXES = (".eeg", ".dat", ".avg", ".seg"), (".vmrk",)
_CHANNEL = re.compile(r"^(Ch\d+=)([^,]*),([^,]*),([^,]*),?(.*)$", re.IGNORECASE)
# MNE-Python's spelling of each multiple of a volt.
_SPELLED = {1.0: "V", 1e-3: "mV", 1e-6: "µV", 1e-9: "nV"}


@dataclass(frozen=True)
class BrainVisionFiles:
    """The files of a header, and its mended text.

    Parameters
    ----------
    files : tuple of Path
        Header, data and markers.
    header, markers : str or None
        Their text, mended, where MNE-Python would not read them as they are.
    notes : tuple of str
    """

    files: tuple[Path, ...]
    header: str | None
    markers: str | None
    notes: tuple[str, ...]


def read_brainvision_header(path: Path) -> BrainVisionFiles:
    """Find the files of a recording, and mend what MNE-Python would not read as other programs write it.

    Files are taken as the header names them, else (it may have been renamed, or written on another system) in another
    case or by the header's own name. Units are spelled as MNE-Python knows them, decimal commas become points.

    Raises
    ------
    RecordingError
        A file is missing or cut short, the header is damaged, or a unit is none.
    """
    text, decoded = _decode(path.read_bytes())
    body = text.partition("[Common Infos]")[2].partition("[Comment]")[0]
    parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True, comment_prefixes=(";",))
    try:
        parser.read_string("[Common Infos]" + body)
        common = parser["Common Infos"]
        count = int(common["NumberOfChannels"])
        named_data, named_markers = common["DataFile"] or "", common.get("MarkerFile")
        lines = [value for name, value in parser["Channel Infos"].items() if re.fullmatch(r"ch\d+", name) and value]
        if count < 1 or len(lines) < count or not named_data:
            raise ValueError
    except (configparser.Error, KeyError, ValueError):
        raise RecordingError(f"{path} has a damaged BrainVision header: export it again") from None
    data = _beside(path, named_data, _DATA_SUFFIXES)
    files = [path, data]
    if named_markers:
        files.append(_beside(path, named_markers, _MARKER_SUFFIXES))
    _check_size(parser, data, files[2] if len(files) > 2 else None, count)
    mended, notes = _mend(path, text, named_data, named_markers, files)
    markers = None
    if len(files) > 2:
        marker_text, marker_decoded = _decode(files[2].read_bytes())
        # MNE-Python knows suffixes in small letters alone.
        markers = marker_text if marker_decoded or files[2].suffix != ".vmrk" else None
    as_it_is = not decoded and mended == text and markers is None and path.suffix == ".vhdr"
    return BrainVisionFiles(tuple(files), None if as_it_is else mended, markers, notes)


def _decode(data: bytes) -> tuple[str, bool]:
    """Return a header's text, and whether it was not UTF-8: older programs write in the code page of Windows."""
    try:
        return data.decode("utf-8-sig"), False
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace"), True


def _beside(path: Path, named: str, suffixes: Sequence[str]) -> Path:
    """Return the file that a header names; where it is not there, in another case or by the header's own name."""
    name = re.split(r"[\\/]", named.replace("$b", path.stem).strip())[-1]
    exact = path.with_name(name) if name else path
    if exact != path and exact.is_file():
        return exact
    folder = {file.name.lower(): file for file in path.parent.iterdir()}
    for wanted in (name, *(path.stem + suffix for suffix in suffixes)):
        found = folder.get(wanted.lower())
        if found is not None and found.is_file():
            return found
    there = sorted(file.name for file in folder.values() if file.name.lower().endswith(tuple(suffixes)))[:4]
    raise RecordingError(
        f"{path} names {name}, which is not beside it"
        + (f" ({', '.join(there)} {'is' if len(there) == 1 else 'are'})" if there else "")
        + ": copy all files of the recording, or correct the name in the header"
    )


def _check_size(parser: configparser.ConfigParser, data: Path, markers: Path | None, channels: int) -> None:
    common = parser["Common Infos"]
    if (common.get("DataFormat") or "BINARY").upper() != "BINARY":
        return
    binary = (parser.get("Binary Infos", "BinaryFormat", fallback="INT_16") or "INT_16").upper()
    points, rest = divmod(data.stat().st_size, channels * _SAMPLE_BYTES.get(binary, 2))
    stated = common.get("DataPoints") or "0"
    wanted = int(stated) if stated.isdigit() else 0
    last = _last_marker(markers) if markers is not None else 0
    if rest or points < max(wanted, last, 1):
        raise RecordingError(
            f"{data} is cut short: it holds {points} samples"
            + (f", its markers go to {last}" if last > points else f", its header says {wanted}" if wanted else "")
            + "; copy it again"
        )


def _mend(
    path: Path, text: str, named_data: str, named_markers: str | None, files: Sequence[Path]
) -> tuple[str, tuple[str, ...]]:
    """Return the header with the files that are there, units as MNE-Python spells them, and points for commas."""
    guessed: list[str] = []
    section, lines = "", []
    for line in text.splitlines():
        if line.strip().startswith("["):
            section = line.strip().strip("[]").lower()
        match = _CHANNEL.match(line) if section == "channel infos" else None
        if match is not None:
            line = _channel(path, match, guessed)
        lines.append(line)
    mended = "\n".join(lines) + "\n"
    for named, file in ((named_data, files[1]), (named_markers, files[2] if len(files) > 2 else None)):
        if named and file is not None and named != file.name:
            mended = mended.replace(f"={named}", f"={file.absolute()}", 1)
    notes = (f"units of {', '.join(guessed[:8])} are taken as microvolts",) if guessed else ()
    return (mended if mended.split() != text.split() else text), notes


def _channel(path: Path, match: re.Match[str], guessed: list[str]) -> str:
    """Return a line of the channels, mended; resolution ``0,1`` reads as a resolution of 0 and a unit that begins 1."""
    head, name, reference, resolution, rest = match.groups()
    unit, _, further = rest.partition(",")
    if resolution == "0" and unit.isdigit():
        resolution, (unit, _, further) = f"0.{unit}", further.partition(",")
    try:
        float(resolution or "1")
    except ValueError:
        raise RecordingError(
            f"{path}: the resolution of channel {name} is {resolution!r}, which is no number: export it again"
        ) from None
    if is_counts(unit):
        raise RecordingError(f"{path} gives channel {name} in {unit!r}, not in volts: export it in microvolts")
    volts = to_volts(unit)
    if volts is not None and unit not in ("µV", "V"):
        if is_guessed(unit):
            guessed.append(name)
        unit = _SPELLED.get(volts, unit)
    elif is_unknown(unit):
        unit = "µV"  # as the format has it where nothing is said
    return f"{head}{name},{reference},{resolution},{unit}" + (f",{further}" if further else "")


def _last_marker(path: Path) -> int:
    """Return the position of the last marker of a ``.vmrk`` file, in samples from 1; 0 without any."""
    text = path.read_bytes().decode("utf-8", errors="replace")
    return max((int(at) for at in re.findall(r"^Mk\d+=[^,\r\n]*,[^,\r\n]*,(\d+),", text, re.MULTILINE)), default=0)
