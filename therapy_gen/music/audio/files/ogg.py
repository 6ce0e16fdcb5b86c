"""Pages of Ogg files (RFC 3533): their checksums, and a serial number that is the same for the same sound."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

PAGE_HEAD = 27
_SERIAL_AT, _CHECKSUM_AT = 14, 22
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def page_checksum(page: bytes) -> int:
    """Return the checksum of a page whose own is zero.

    It is the CRC of zlib read from the other end, that begins and ends with no bit turned.

    Examples
    --------
    >>> hex(page_checksum(b"OggS"))
    '0x5fb0a94f'
    """
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def set_serial(file: BinaryIO, content: bytes) -> None:
    """Replace the random serial number of a one-stream file, open for reading and writing, by one from its content.

    Parameters
    ----------
    file : binary file
        Ogg pages, as libsndfile writes them.
    content : bytes
        What determines the sound; the same content gives the same number.

    Raises
    ------
    ValueError
        Where it is no Ogg file.
    """
    serial = struct.pack("<I", zlib.crc32(content))
    file.seek(0)
    while head := file.read(PAGE_HEAD):
        if head[:4] != b"OggS":
            raise ValueError("no Ogg page")
        start = file.tell() - PAGE_HEAD
        lacings = file.read(head[26])
        body = file.read(sum(lacings))
        fresh = head[:_SERIAL_AT] + serial + head[_SERIAL_AT + 4 : _CHECKSUM_AT] + bytes(4) + head[_CHECKSUM_AT + 4 :]
        checksum = page_checksum(fresh + lacings + body)
        file.seek(start)
        file.write(fresh[:_CHECKSUM_AT] + struct.pack("<I", checksum) + fresh[_CHECKSUM_AT + 4 :])
        file.seek(start + PAGE_HEAD + len(lacings) + len(body))
