"""CRC-32C (Castagnoli), as TensorFlow's checkpoints guard their contents, in NumPy: many stripes side by side."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8
_ALL = 0xFFFFFFFF
# Stripes are that wide that NumPy's own work is little beside theirs, and as long as need be.
_STRIPES = 1 << 14
_SMALL = 1 << 12

Words = npt.NDArray[np.uint32]


def crc32c(data: bytes | bytearray | memoryview, crc: int = 0) -> int:
    """Return the checksum of `data`, going on from the checksum `crc` of what came before it."""
    view = np.frombuffer(data, dtype=np.uint8)
    state = crc ^ _ALL
    words = len(view) // 4
    if len(view) >= _SMALL:
        length = max(words // _STRIPES, 1)
        stripes = words // length
        striped = view[: 4 * stripes * length].view("<u4").reshape(stripes, length)
        state = _append(state, _fold(_stripe_crcs(striped, length), 4 * length), 4 * stripes * length)
        view = view[4 * stripes * length :]
    table = _byte_table_list()
    for byte in view.tolist():
        state = state >> 8 ^ table[(state ^ byte) & 0xFF]
    return state ^ _ALL


def masked(crc: int) -> int:
    """Return a checksum as it is stored (masked, so that a checksum of checksums stays sound)."""
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & _ALL


def _stripe_crcs(striped: Words, length: int) -> Words:
    """Return the checksum, from a register of 0, of each row of little-endian words."""
    low, high = _word_tables()
    state = np.zeros(len(striped), dtype=np.uint32)
    # Columns are copied a few at a time: a column alone would touch a cache line for every word.
    for start in range(0, length, 16):
        columns = np.ascontiguousarray(striped[:, start : start + 16].T)
        for column in columns:
            state ^= column
            state = low[state & 0xFFFF] ^ high[state >> 16]
    return state


def _fold(states: Words, size: int) -> int:
    """Join the checksums of neighbours, each of `size` bytes, until one is left."""
    rest: list[tuple[int, int]] = []
    while len(states) > 1:
        if len(states) % 2:
            rest.append((int(states[-1]), size))
            states = states[:-1]
        states = _shift(states[0::2], size) ^ states[1::2]
        size *= 2
    total = int(states[0])
    for tail, tail_size in reversed(rest):
        total = _append(total, tail, tail_size)
    return total


def _append(state: int, following: int, size: int) -> int:
    return int(_shift(np.array([state], dtype=np.uint32), size)[0]) ^ following


def _shift(states: Words, size: int) -> Words:
    """Move registers past `size` zero bytes: a linear map over single bits."""
    columns = _zeros_operator(size)
    shifted = np.zeros_like(states)
    for bit in range(32):
        shifted ^= np.where(states >> np.uint32(bit) & np.uint32(1), np.uint32(columns[bit]), np.uint32(0))
    return shifted


@cache
def _zeros_operator(size: int) -> tuple[int, ...]:
    """Return what each single bit of a register becomes after `size` zero bytes."""
    result: tuple[int, ...] | None = None
    power = tuple(_one_zero_byte(1 << bit) for bit in range(32))
    while size:
        if size & 1:
            result = power if result is None else tuple(_apply(power, column) for column in result)
        power = tuple(_apply(power, column) for column in power)
        size >>= 1
    return result or tuple(1 << bit for bit in range(32))


def _apply(columns: tuple[int, ...], value: int) -> int:
    out = 0
    for bit in range(32):
        if value >> bit & 1:
            out ^= columns[bit]
    return out


def _one_zero_byte(state: int) -> int:
    return state >> 8 ^ _byte_table_list()[state & 0xFF]


@cache
def _byte_table_list() -> list[int]:
    table: list[int] = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return table


@cache
def _word_tables() -> tuple[Words, Words]:
    """Return what the lower and the upper half of a register become after four zero bytes."""
    columns = _zeros_operator(4)
    values = np.arange(1 << 16, dtype=np.uint32)
    low, high = np.zeros_like(values), np.zeros_like(values)
    for bit in range(16):
        chosen = (values >> np.uint32(bit) & np.uint32(1)).astype(bool)
        low[chosen] ^= np.uint32(columns[bit])
        high[chosen] ^= np.uint32(columns[bit + 16])
    return low, high
