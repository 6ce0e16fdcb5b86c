"""Whether a MATLAB 5 file (EEGLAB's `.set`) is sound: on some damaged ones the reader ends the whole process.

The layout is that of "MAT-File Format" (MathWorks): elements with a type and a size, matrices made of elements.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

from eeg.errors import RecordingError

_MATRIX, _COMPRESSED = 14, 15
# Bytes of a value of each type of element.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
# Classes of matrices.
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE, _DOUBLE, _UINT64 = 1, 2, 3, 4, 5, 6, 15
_COMPLEX = 0x800
_DEEPEST = 64
_MAX_BYTES = 8 * 2**30


class _DamagedError(Exception):
    """The structure does not hold together."""


def check_matlab(path: Path) -> None:
    """Walk through the elements of a MATLAB 5 file.

    Raises
    ------
    RecordingError
        An element reaches past the end, or a matrix does not hold what its dimensions say.
    """
    data = memoryview(path.read_bytes())
    order = {b"IM": "<", b"MI": ">"}.get(bytes(data[126:128]))
    try:
        if order is None:
            raise _DamagedError
        at = 128
        while at < len(data):
            kind, start, size, at = _element(data, at, len(data), order)
            if kind == _COMPRESSED:
                # Compressed elements are not padded.
                at = start + size
                unpacker = zlib.decompressobj()
                inner = memoryview(unpacker.decompress(data[start : start + size], _MAX_BYTES))
                if not unpacker.eof:
                    raise _DamagedError
                kind, start, size, _ = _element(inner, 0, len(inner), order)
                _expect(kind == _MATRIX)
                _matrix(inner, start, start + size, order, 0)
            else:
                _expect(kind == _MATRIX)
                _matrix(data, start, start + size, order, 0)
    except (_DamagedError, zlib.error):
        raise RecordingError(f"{path} is cut short or damaged: export or copy it again") from None


def _expect(sound: bool) -> None:
    if not sound:
        raise _DamagedError


def _element(data: memoryview, at: int, end: int, order: str) -> tuple[int, int, int, int]:
    """Return type, first byte and size of an element, and where the next one begins."""
    _expect(at + 8 <= end)
    kind, size = struct.unpack_from(order + "II", data, at)
    if kind >> 16:  # a small one: size and up to four bytes in the tag itself
        kind, size, start, after = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        _expect(size <= 4)
    else:
        start = at + 8
        after = start + size + -size % 8
    _expect(start + size <= end)
    return kind, start, size, min(after, end)


def _values(data: memoryview, at: int, end: int, order: str, count: int) -> int:
    """Step over an element of so many numbers (or letters)."""
    kind, _, size, after = _element(data, at, end, order)
    _expect(kind in _SIZES and size == count * _SIZES[kind])
    return after


def _matrix(data: memoryview, at: int, end: int, order: str, depth: int) -> None:
    """Check a matrix between two bytes, and the matrices in it."""
    if at == end:  # an empty one has no body
        return
    _expect(depth < _DEEPEST)
    kind, start, size, at = _element(data, at, end, order)
    _expect(kind == 6 and size == 8)
    flags = struct.unpack_from(order + "I", data, start)[0]
    made_of = flags & 0xFF
    kind, start, size, at = _element(data, at, end, order)
    _expect(kind in {5, 6} and size >= 8 and size % 4 == 0)  # some writers take unsigned ones
    dimensions = struct.unpack_from(f"{order}{size // 4}i", data, start)
    _expect(min(dimensions) >= 0)
    count = math.prod(dimensions)
    kind, _, _, at = _element(data, at, end, order)
    _expect(kind in {1, 2, 16})
    if made_of in {_CELL, _STRUCT, _OBJECT}:
        fields = 1
        if made_of == _OBJECT:
            _, _, _, at = _element(data, at, end, order)
        if made_of != _CELL:
            kind, start, size, at = _element(data, at, end, order)
            _expect(kind == 5 and size == 4)
            width = struct.unpack_from(order + "i", data, start)[0]
            kind, _, size, at = _element(data, at, end, order)
            _expect(kind == 1 and width > 0 and size % width == 0)
            fields = size // width
        _expect(count * fields * 8 <= end - at)
        for _ in range(count * fields):
            kind, start, size, at = _element(data, at, end, order)
            _expect(kind == _MATRIX)
            _matrix(data, start, start + size, order, depth + 1)
    elif made_of == _CHAR:
        # In UTF-8 a letter may be several bytes; without any, all letters are blanks.
        kind, _, size, at = _element(data, at, end, order)
        _expect(kind in _SIZES and (size == 0 or size >= count * _SIZES[kind]))
    elif _DOUBLE <= made_of <= _UINT64:
        for _ in range(2 if flags & _COMPLEX else 1):
            at = _values(data, at, end, order, count)
    elif made_of == _SPARSE:
        for _ in range(4 if flags & _COMPLEX else 3):  # rows, columns' beginnings, values
            kind, _, size, at = _element(data, at, end, order)
            _expect(kind in _SIZES)
    else:
        _expect(made_of in {16, 17})  # functions, and what is opaque
