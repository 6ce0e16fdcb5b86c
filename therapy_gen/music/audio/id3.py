"""ID3 tags of MP3 files: libsndfile 1.2 stores UTF-8 marked as Latin-1, which players show as they are told."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

from therapy_gen.files import atomic_write

# Text frames of ID3v2.3, https://id3.org/id3v2.3.0.
_FRAMES = {"title": b"TIT2", "album": b"TALB", "artist": b"TPE1", "tracknumber": b"TRCK"}
_HEADER = 10
_UTF16 = b"\x01"
_LARGEST = 1 << 28


def write_id3(path: Path, tags: Mapping[str, str]) -> None:
    """Put tags (title, album, artist, tracknumber, comment) at the start of an MP3 file in place of those it has."""
    frames = b"".join(
        _frame(name, _UTF16 + tags[tag].encode("utf-16")) for tag, name in _FRAMES.items() if tags.get(tag)
    )
    if tags.get("comment"):
        # A language, an empty description, the text.
        body = _UTF16 + b"eng" + "\0".encode("utf-16") + tags["comment"].encode("utf-16")
        frames += _frame(b"COMM", body)
    head = b"ID3\x03\x00\x00" + _syncsafe(len(frames)) + frames
    with atomic_write(path) as tagged, path.open("rb") as source, tagged.open("wb") as target:
        source.seek(_length(source.read(_HEADER)))
        target.write(head)
        shutil.copyfileobj(source, target, 1 << 20)


def _length(start: bytes) -> int:
    """Return the length of the tag that a file of such a start has; 0 where there is none."""
    if len(start) < _HEADER or start[:3] != b"ID3":
        return 0
    a, b, c, d = start[6:]
    return _HEADER + (a << 21 | b << 14 | c << 7 | d)


def _frame(name: bytes, body: bytes) -> bytes:
    return name + struct.pack(">IH", len(body), 0) + body


def _syncsafe(value: int) -> bytes:
    if value >= _LARGEST:
        raise ValueError(f"{value} bytes of tags are more than ID3 has room for")
    return bytes(value >> shift & 0x7F for shift in (21, 14, 7, 0))
