"""The header of BrainVision recordings, the files that it names, and whether all of the data is there."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

from eeg.errors import RecordingError

_SAMPLE_BYTES = {"INT_16": 2, "UINT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4}


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
