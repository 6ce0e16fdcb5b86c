"""Vorbis comments and pictures of FLAC and Ogg Vorbis files: libsndfile writes few tags and no picture.

Formats: xiph.org/flac/format.html, xiph.org/vorbis/doc/v-comment.html, RFC 3533 (Ogg).
"""

from __future__ import annotations

import base64
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from therapy_gen.files import atomic_write
from therapy_gen.music.audio.files.ogg import PAGE_HEAD, page_checksum

_STREAMINFO, _PADDING, _COMMENT, _PICTURE = 0, 1, 4, 6
_LAST = 0x80
_FRONT_COVER = 3
_LARGEST_PAGE = 255 * 255
_COMMENT_PACKET = b"\x03vorbis"


def write_flac_tags(path: Path, texts: Mapping[str, str], cover: bytes) -> None:
    """Put tags and a PNG picture into a FLAC file, in place of those it has."""
    blocks: list[tuple[int, bytes]] = []
    vendor = b""
    with atomic_write(path) as tagged, path.open("rb") as source, tagged.open("wb") as target:
        source.read(4)
        last = 0
        while not last:
            kind, size = source.read(1)[0], int.from_bytes(source.read(3), "big")
            last, kind = kind & _LAST, kind & ~_LAST
            body = source.read(size)
            if kind == _COMMENT:
                vendor = body[4 : 4 + int.from_bytes(body[:4], "little")]
            elif kind not in (_PADDING, _PICTURE):
                blocks.append((kind, body))
        blocks.append((_COMMENT, _comments(vendor, texts)))
        if cover:
            blocks.append((_PICTURE, _picture(cover)))
        target.write(b"fLaC")
        for number, (kind, body) in enumerate(blocks):
            flag = _LAST if number == len(blocks) - 1 else 0
            target.write(bytes((kind | flag,)) + len(body).to_bytes(3, "big") + body)
        shutil.copyfileobj(source, target, 1 << 20)


def write_ogg_tags(path: Path, texts: Mapping[str, str], cover: bytes) -> None:
    """Put tags and a PNG picture into an Ogg Vorbis file, in place of those it has.

    The headers keep their number of pages, so that nothing behind them changes; a picture that has no room is left out.
    """
    with atomic_write(path) as tagged, path.open("rb") as source, tagged.open("wb") as target:
        first = _page(source)
        pages = [_page(source)]
        # The comment's packet and that of the codebooks end on the same page or on the next ones.
        while sum(1 for page in pages for lacing in page[1] if lacing < 255) < 2:
            pages.append(_page(source))
        packets = _packets(pages)
        vendor_size = int.from_bytes(packets[0][7:11], "little")
        vendor = packets[0][11 : 11 + vendor_size]
        room = _LARGEST_PAGE - len(packets[1]) - 1024
        for picture in (cover, b""):
            own = dict(texts)
            if picture:
                own["METADATA_BLOCK_PICTURE"] = base64.b64encode(_picture(picture)).decode()
            packets[0] = _COMMENT_PACKET + _comments(vendor, own) + b"\x01"
            if len(packets[0]) < room:
                break
        target.write(first[0] + bytes(first[1]) + first[2])
        for head, lacings, body in _paged(pages, packets):
            target.write(head + bytes(lacings) + body)
        shutil.copyfileobj(source, target, 1 << 20)


_Page = tuple[bytes, list[int], bytes]


def _page(source: BinaryIO) -> _Page:
    head = source.read(PAGE_HEAD)
    if head[:4] != b"OggS":
        raise ValueError("no Ogg page")
    lacings = list(source.read(head[26]))
    return head, lacings, source.read(sum(lacings))


def _packets(pages: list[_Page]) -> list[bytes]:
    packets, open_packet = [], b""
    for _, lacings, body in pages:
        at = 0
        for lacing in lacings:
            open_packet += body[at : at + lacing]
            at += lacing
            if lacing < 255:
                packets.append(open_packet)
                open_packet = b""
    return packets


def _paged(pages: list[_Page], packets: list[bytes]) -> list[_Page]:
    """Return packets on as many pages as there were: all on the first, or one on each."""
    groups = [packets] if len(pages) == 1 else [[packets[0]], [b"".join(packets[1:])]]
    if len(pages) != len(groups):
        raise ValueError("headers on more pages than can be kept")
    made = []
    for (head, _, _), own in zip(pages, groups, strict=True):
        lacings = [value for packet in own for value in (*[255] * (len(packet) // 255), len(packet) % 255)]
        body = b"".join(own)
        # No page is the continuation of a packet any more.
        fresh = head[:5] + bytes((head[5] & ~1,)) + head[6:22] + bytes(4) + bytes((len(lacings),))
        checked = fresh[:22] + struct.pack("<I", page_checksum(fresh + bytes(lacings) + body)) + fresh[26:]
        made.append((checked, lacings, body))
    return made


def _comments(vendor: bytes, texts: Mapping[str, str]) -> bytes:
    lines = [f"{name}={value}".encode() for name, value in texts.items()]
    body = struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", len(lines))
    return body + b"".join(struct.pack("<I", len(line)) + line for line in lines)


def _picture(png: bytes) -> bytes:
    width, height = struct.unpack(">II", png[16:24])
    mime, about = b"image/png", b"Cover"
    return (
        struct.pack(">II", _FRONT_COVER, len(mime))
        + mime
        + struct.pack(">I", len(about))
        + about
        + struct.pack(">IIIII", width, height, 24, 0, len(png))
        + png
    )
