"""TensorFlow 1 checkpoints (tensor bundles) read without TensorFlow: an index as a sorted table, and shards of data.

The formats: `tensorflow/core/util/tensor_bundle`, `tensorflow/core/lib/io/table_format.txt`, and the messages of
`tensor_bundle.proto` and `tensor_shape.proto`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from therapy_gen.errors import InputError

TABLE_MAGIC = 0xDB4775248B80FB57
FOOTER_BYTES = 48
_TRAILER_BYTES = 5
NO_COMPRESSION = 0

# Of `DataType` in `types.proto`, as NumPy names them.
DTYPES = {1: "<f4", 2: "<f8", 19: "<f2"}
DT_FLOAT = 1

_MAX_INDEX_BYTES = 64 << 20
_CHUNK_BYTES = 16 << 20


# TensorFlow's checkpoints guard their contents with CRC-32C, masked so that a checksum of checksums stays sound.
_CRC_MASK_DELTA = 0xA282EAD8


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
    """Return a checksum as it is stored (masked, as TensorFlow does)."""
    return ((crc >> 15 | crc << 17) + _CRC_MASK_DELTA) & 0xFFFFFFFF


@dataclass(frozen=True)
class Extent:
    """A range of a file that contains a whole file: a checkpoint's file, or a member of a tar."""

    path: Path
    offset: int
    size: int
    name: str

    def read(self, start: int, size: int) -> bytes:
        """Return `size` bytes from `start`; InputError where they lie outside or cannot be read."""
        if start < 0 or size < 0 or start + size > self.size:
            raise InputError(f"{self.name} is cut short or damaged; get it again")
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.offset + start)
                content = stream.read(size)
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror or error}") from error
        if len(content) != size:
            raise InputError(f"{self.name} is cut short; get it again")
        return content


@dataclass(frozen=True)
class TensorEntry:
    """Where a variable is stored."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int
    sliced: bool


@dataclass(frozen=True)
class Bundle:
    """A checkpoint.

    Attributes
    ----------
    name : str
        For messages.
    entries : mapping of str to TensorEntry
        Every variable of the checkpoint, those of the optimiser too.
    shards : mapping of int to Extent
    """

    name: str
    entries: Mapping[str, TensorEntry]
    shards: Mapping[int, Extent] = field(repr=False)

    def chunks(self, name: str) -> Iterator[bytes]:
        """Give the stored bytes of a variable, piece by piece.

        Raises
        ------
        InputError
            Where they are cut short, or (at the end) do not match their checksum.
        """
        entry = self.entries[name]
        if entry.shard not in self.shards:
            raise InputError(
                f"{self.name} lacks its data file number {entry.shard}; keep the checkpoint's files together"
            )
        shard = self.shards[entry.shard]
        crc = 0
        for start in range(0, entry.size, _CHUNK_BYTES):
            chunk = shard.read(entry.offset + start, min(_CHUNK_BYTES, entry.size - start))
            crc = crc32c(chunk, crc)
            yield chunk
        if masked(crc) != entry.checksum:
            raise InputError(f"{shard.name} is damaged ({name} does not match its checksum); get it again")


def open_bundle(name: str, index: Extent, shards: Mapping[int, Extent]) -> Bundle:
    """Read the index of a checkpoint.

    Raises
    ------
    InputError
        Where it is not an index, is damaged, or of an unsupported kind.
    """
    if index.size > _MAX_INDEX_BYTES:
        raise InputError(f"{index.name} has {index.size / 1e6:.0f} MB; it is no index of a checkpoint")
    table = index.read(0, index.size)
    try:
        pairs = dict(_read_table(table, index.name))
        header = pairs.pop(b"", None)
        if header is None:
            raise InputError(f"{index.name} has no header; it is no index of a TensorFlow checkpoint")
        if next((value for number, value in _fields(header) if number == 2), 0) != 0:
            raise InputError(f"{index.name} is of a big-endian machine; save the checkpoint on another")
        entries = {key.decode(): _entry(value) for key, value in pairs.items()}
    except (ValueError, IndexError, KeyError, TypeError, struct.error, UnicodeDecodeError) as error:
        raise InputError(f"{index.name} is damaged, or no index of a TensorFlow checkpoint; get it again") from error
    return Bundle(name, entries, shards)


def _entry(message: bytes) -> TensorEntry:
    values: dict[int, int] = {}
    shape: tuple[int, ...] = ()
    sliced = False
    for number, value in _fields(message):
        if number == 2 and isinstance(value, bytes):
            shape = tuple(_dimension(dim) for n, dim in _fields(value) if n == 2 and isinstance(dim, bytes))
        elif number == 7:
            sliced = True
        elif isinstance(value, int):
            values[number] = value
    entry = TensorEntry(
        values.get(1, 0), shape, values.get(3, 0), values.get(4, 0), values.get(5, 0), values.get(6, 0), sliced
    )
    if any(size < 0 for size in shape):
        raise ValueError("a negative size")
    if entry.dtype in DTYPES and not sliced and entry.size != math.prod(shape) * int(DTYPES[entry.dtype][-1]):
        raise ValueError("size and shape disagree")
    return entry


def _dimension(message: bytes) -> int:
    sizes = [value for number, value in _fields(message) if number == 1 and isinstance(value, int)]
    return sizes[-1] if sizes else 0


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Give number and value of each field of a protocol buffer message."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield number, value
        elif kind == 1:
            yield number, int(struct.unpack_from("<Q", message, position)[0])
            position += 8
        elif kind == 2:
            size, position = _varint(message, position)
            if position + size > len(message):
                raise ValueError("cut short")
            yield number, message[position : position + size]
            position += size
        elif kind == 5:
            yield number, int(struct.unpack_from("<I", message, position)[0])
            position += 4
        else:
            raise ValueError("a field of a kind that is not known")


def _read_table(table: bytes, name: str) -> Iterator[tuple[bytes, bytes]]:
    """Give the keys and values of a sorted table (LevelDB's format)."""
    if len(table) < FOOTER_BYTES or struct.unpack_from("<Q", table, len(table) - 8)[0] != TABLE_MAGIC:
        raise InputError(f"{name} is no index of a TensorFlow checkpoint, or is cut short")
    footer = table[-FOOTER_BYTES:]
    _, position = _handle(footer, 0)
    index, _ = _handle(footer, position)
    for _, block in _read_block(table, index, name):
        handle, _ = _handle(block, 0)
        yield from _read_block(table, handle, name)


def _handle(data: bytes, position: int) -> tuple[tuple[int, int], int]:
    offset, position = _varint(data, position)
    size, position = _varint(data, position)
    return (offset, size), position


def _read_block(table: bytes, handle: tuple[int, int], name: str) -> Iterator[tuple[bytes, bytes]]:
    offset, size = handle
    if offset + size + _TRAILER_BYTES > len(table):
        raise ValueError("a block outside the file")
    block = table[offset : offset + size]
    kind = table[offset + size]
    (checksum,) = struct.unpack_from("<I", table, offset + size + 1)
    if kind != NO_COMPRESSION:
        raise InputError(f"{name} is compressed, as only checkpoints of before 2016 are; save it anew")
    if masked(crc32c(block + bytes((kind,)))) != checksum:
        raise InputError(f"{name} is damaged (a block does not match its checksum); get it again")
    (restarts,) = struct.unpack_from("<I", block, size - 4)
    end = size - 4 - 4 * restarts
    position = 0
    key = b""
    while position < end:
        shared, position = _varint(block, position)
        fresh, position = _varint(block, position)
        length, position = _varint(block, position)
        if shared > len(key) or position + fresh + length > end:
            raise ValueError("an entry outside its block")
        key = key[:shared] + block[position : position + fresh]
        position += fresh
        yield key, block[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Return a variable-length number of seven bits a byte, and the position after it."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a number without end")
