"""ID3 tags of MP3 files: texts, ReplayGain and a picture."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

from therapy_gen.files import atomic_write

# Text frames of ID3v2.3, https://id3.org/id3v2.3.0, by the names that Vorbis comments have for them.
_FRAMES = {
    "TITLE": b"TIT2",
    "ALBUM": b"TALB",
    "ARTIST": b"TPE1",
    "ALBUMARTIST": b"TPE2",
    "GENRE": b"TCON",
    "TRACKNUMBER": b"TRCK",
}
_OWN = "REPLAYGAIN_"
_HEADER = 10
_LATIN1, _UTF16 = b"\x00", b"\x01"
_FRONT_COVER = b"\x03"
_LARGEST = 1 << 28


def write_id3(path: Path, tags: Mapping[str, str], cover: bytes = b"") -> None:
    """Replace the tags of an MP3 file by these, named as Vorbis comments are, and a PNG picture."""
    texts = dict(tags)
    if "TRACKTOTAL" in texts and "TRACKNUMBER" in texts:
        texts["TRACKNUMBER"] += f"/{texts['TRACKTOTAL']}"
    frames = b"".join(_frame(name, _text(texts[tag])) for tag, name in _FRAMES.items() if texts.get(tag))
    if date := texts.get("DATE"):
        frames += _frame(b"TYER", _text(date[:4])) + _frame(b"TDAT", _text(date[8:10] + date[5:7]))
    for tag, value in texts.items():
        if tag.startswith(_OWN):
            frames += _frame(b"TXXX", _LATIN1 + tag.encode() + b"\0" + value.encode("latin-1"))
    if texts.get("COMMENT"):
        # A language, an empty description, the text.
        body = _UTF16 + b"eng" + "\0".encode("utf-16") + texts["COMMENT"].encode("utf-16")
        frames += _frame(b"COMM", body)
    if cover:
        frames += _frame(b"APIC", _LATIN1 + b"image/png\0" + _FRONT_COVER + b"\0" + cover)
    head = b"ID3\x03\x00\x00" + _syncsafe(len(frames)) + frames
    with atomic_write(path) as tagged, path.open("rb") as source, tagged.open("wb") as target:
        source.seek(_length(source.read(_HEADER)))
        target.write(head)
        shutil.copyfileobj(source, target, 1 << 20)


def _length(start: bytes) -> int:
    """Return the length of a file's ID3 tag, from its first bytes; 0 where there is none."""
    if len(start) < _HEADER or start[:3] != b"ID3":
        return 0
    a, b, c, d = start[6:]
    return _HEADER + (a << 21 | b << 14 | c << 7 | d)


def _text(value: str) -> bytes:
    return _UTF16 + value.encode("utf-16")


def _frame(name: bytes, body: bytes) -> bytes:
    return name + struct.pack(">IH", len(body), 0) + body


def _syncsafe(value: int) -> bytes:
    if value >= _LARGEST:
        raise ValueError(f"{value} bytes of tags are more than ID3 has room for")
    return bytes(value >> shift & 0x7F for shift in (21, 14, 7, 0))
