"""CRC-32C (Castagnoli) as TensorFlow's checkpoints guard their contents with it."""

from __future__ import annotations

_MASK_DELTA = 0xA282EAD8
_ALL = 0xFFFFFFFF


def crc32c(data: bytes | bytearray | memoryview, crc: int = 0) -> int:
    """Return the checksum of `data`, going on from the checksum `crc` of what came before it.

    Examples
    --------
    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    import google_crc32c

    return int(google_crc32c.extend(crc, bytes(data)))


def masked(crc: int) -> int:
    """Return a checksum as it is stored (masked, so that a checksum of checksums stays sound)."""
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & _ALL
