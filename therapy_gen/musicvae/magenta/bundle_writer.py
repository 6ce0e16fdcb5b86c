"""TensorFlow 1 checkpoints written without TensorFlow, as its own `Saver` writes them: one index, one shard."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from therapy_gen.files import atomic_write, write_bytes
from therapy_gen.musicvae.magenta.bundle import DT_FLOAT, FOOTER_BYTES, NO_COMPRESSION, TABLE_MAGIC, crc32c, masked

_DT_INT64 = 9
_RESTART_INTERVAL = 16
_BLOCK_BYTES = 1 << 18
_CHUNK_BYTES = 16 << 20

Pairs = list[tuple[bytes, bytes]]


def write_bundle(prefix: Path, variables: Mapping[str, npt.NDArray[np.float32]], *, step: int = 0) -> list[Path]:
    """Write a checkpoint and return its files: ``PREFIX.index``, ``PREFIX.data-00000-of-00001``.

    Parameters
    ----------
    prefix : Path
    variables : mapping of str to float32 array
        Possibly mapped from a file: one is read at a time.
    step : int
        Stored as `global_step`, which Magenta's graph has.

    Raises
    ------
    InputError
        Where the files cannot be written.
    """
    index = prefix.with_name(f"{prefix.name}.index")
    data = prefix.with_name(f"{prefix.name}.data-00000-of-00001")
    pairs: Pairs = [(b"", _message((1, 1), (3, _message((1, 1)))))]
    with atomic_write(data) as part, part.open("wb") as stream:
        for name in sorted([*variables, "global_step"], key=str.encode):
            if name == "global_step":
                value = _stored(stream, [struct.pack("<q", step)], _DT_INT64, ())
            else:
                array = variables[name]
                value = _stored(stream, _bytes_of(array), DT_FLOAT, array.shape)
            pairs.append((name.encode(), value))
    # The index last: a reader looks for it first.
    write_bytes(index, _table(pairs))
    return [index, data]


def _stored(stream: IO[bytes], chunks: Iterable[bytes], dtype: int, shape: tuple[int, ...]) -> bytes:
    offset = stream.tell()
    crc = 0
    for chunk in chunks:
        stream.write(chunk)
        crc = crc32c(chunk, crc)
    dimensions = b"".join(_message((2, _message((1, size)))) for size in shape)
    # BundleEntryProto: dtype, shape, shard (0), offset, size, checksum.
    return _message((1, dtype), (2, dimensions), (4, offset), (5, stream.tell() - offset)) + struct.pack(
        "<BI", 6 << 3 | 5, masked(crc)
    )


def _bytes_of(array: npt.NDArray[np.float32]) -> Iterable[bytes]:
    flat = np.ascontiguousarray(array, dtype="<f4").reshape(-1)
    for start in range(0, len(flat), _CHUNK_BYTES // 4):
        yield flat[start : start + _CHUNK_BYTES // 4].tobytes()


def _message(*fields: tuple[int, int | bytes]) -> bytes:
    """Write fields of a protocol buffer message; zeros are left out, as its third version does."""
    out = b""
    for number, value in fields:
        if isinstance(value, bytes):
            out += _varint(number << 3 | 2) + _varint(len(value)) + value
        elif value:
            out += _varint(number << 3) + _varint(value)
    return out


def _table(pairs: Pairs) -> bytes:
    """Write a sorted table (LevelDB's format), without compression."""
    out = bytearray()
    index: Pairs = []
    block: Pairs = []
    size = 0
    for number, pair in enumerate(pairs, 1):
        block.append(pair)
        size += len(pair[0]) + len(pair[1]) + 12
        if size >= _BLOCK_BYTES or number == len(pairs):
            index.append((block[-1][0], _append_block(out, block)))
            block, size = [], 0
    footer = _append_block(out, []) + _append_block(out, index)
    return bytes(out) + footer.ljust(FOOTER_BYTES - 8, b"\0") + struct.pack("<Q", TABLE_MAGIC)


def _append_block(out: bytearray, pairs: Pairs) -> bytes:
    """Append a block and return its handle: where it begins, and its size."""
    block = bytearray()
    restarts: list[int] = []
    before = b""
    for number, (key, value) in enumerate(pairs):
        shared = 0
        if number % _RESTART_INTERVAL:
            shared = next((n for n, (a, b) in enumerate(zip(before, key, strict=False)) if a != b), len(before))
        else:
            restarts.append(len(block))
        block += _varint(shared) + _varint(len(key) - shared) + _varint(len(value)) + key[shared:] + value
        before = key
    restarts = restarts or [0]
    block += struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))
    handle = _varint(len(out)) + _varint(len(block))
    out += block + struct.pack("<BI", NO_COMPRESSION, masked(crc32c(bytes(block) + bytes((NO_COMPRESSION,)))))
    return handle


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
