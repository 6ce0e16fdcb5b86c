"""Frames of MPEG-1 Layer III: read, put end to end, and told of in the first one (Xing and LAME tags).

Sources: ISO/IEC 11172-3, 2.4.1; the Xing VBR header and the LAME tag (revision 1).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

SAMPLES = 1152
"""Of each channel, in a frame."""

_KBIT = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_RATES = (44100, 48000, 32000)
# A head of 4 bytes, and 32 that say how two channels are coded.
_START = 36
_ENTRIES = 100
# Places in the first frame.
_XING_AT, _FRAMES_AT, _TOC_AT, _LAME_AT, _PADDING_AT, _LENGTH_AT, _CRC_AT = 36, 44, 52, 156, 177, 184, 190
_LANES = 4096


@dataclass(frozen=True)
class Mp3Frame:
    """A frame of two channels: its head and side information, and its share of the main data.

    Main data may begin before its own frame, in bytes that those before it left free: `points_back` says how many.
    """

    start: bytes
    area: bytes

    @property
    def points_back(self) -> int:
        """Bytes before `area` at which the frame's main data begin."""
        return self.start[4] << 1 | self.start[5] >> 7

    @property
    def windows(self) -> tuple[int, ...]:
        """How each granule of each channel is windowed: 0 long, otherwise the bits that say which kind."""
        bits = int.from_bytes(self.start[4:], "big")
        # Nine bits, three, eight, then four times 59, of which bits 33 to 36 are the window's.
        found = (bits >> (256 - 20 - 59 * n - 37) & 0xF for n in range(4))
        return tuple(kind if kind & 8 else 0 for kind in found)

    def longer(self, by: int) -> Mp3Frame:
        """Return the frame with at least so many more free bytes at its end, at a higher bit rate."""
        index, rate, padding = self.start[2] >> 4, _RATES[self.start[2] >> 2 & 3], self.start[2] >> 1 & 1
        for higher in range(index, len(_KBIT)):
            size = _size(higher, rate, padding) - _START
            if size >= len(self.area) + by:
                head = bytes((*self.start[:2], higher << 4 | self.start[2] & 0xF))
                return Mp3Frame(head + self.start[3:], self.area + bytes(size - len(self.area)))
        raise ValueError(f"no frame is {by} bytes longer")


def read_frames(content: bytes) -> list[Mp3Frame]:
    """Return the frames of an MP3 file of two channels without a tag, the first that only tells among them.

    Raises
    ------
    ValueError
        It is none.
    """
    frames = []
    at = 0
    while at < len(content):
        head = content[at : at + 4]
        if len(head) < 4 or head[0] != 0xFF or head[1] != 0xFB or head[2] >> 4 in (0, 15) or head[3] >> 6 == 3:
            raise ValueError(f"no MPEG-1 Layer III in stereo at byte {at}")
        size = _size(head[2] >> 4, _RATES[head[2] >> 2 & 3], head[2] >> 1 & 1)
        frames.append(Mp3Frame(content[at : at + _START], content[at + _START : at + size]))
        at += size
    return frames


def joined(before: Sequence[Mp3Frame], after: Sequence[Mp3Frame], first: int) -> tuple[list[Mp3Frame], int]:
    """Return where one encoding can give way to another of the same sound, and the frames before that place.

    Parameters
    ----------
    before, after : sequence of Mp3Frame
        Both of the same frames of sound: what goes on, and what begins.
    first : int
        From here on the second encoding may be taken.

    Returns
    -------
    list of Mp3Frame
        Those of `before` that stay, the last bytes of which are what `after` points back to.
    int
        The first of `after` that follows them.
    """
    last = min(len(before), len(after))
    # Both have the same windows where they meet, so that their halves of the overlap fit.
    alike = [n for n in range(first, last) if all(before[m].windows == after[m].windows for m in (n - 1, n))]
    choices = alike or list(range(first, last))
    cut = next((n for n in choices if after[n].points_back <= before[n].points_back), choices[0])
    kept, free, wanted = list(before[:cut]), before[cut].points_back, after[cut].points_back
    if free < wanted:
        kept[-1] = kept[-1].longer(wanted - free)
    borrowed = b"".join(frame.area for frame in after[max(cut - 12, 0) : cut])[-wanted:] if wanted else b""
    for n in range(len(kept) - 1, -1, -1):
        if not borrowed:
            break
        area = kept[n].area
        share = borrowed[-len(area) :]
        kept[n] = replace(kept[n], area=area[: len(area) - len(share)] + share)
        borrowed = borrowed[: len(borrowed) - len(share)]
    return kept, cut


def told(first: Mp3Frame, offsets: Sequence[int], size: int, padding: int, crc: int) -> bytes:
    """Return the first frame of a file, which tells of the others.

    Parameters
    ----------
    first : Mp3Frame
        As the encoder wrote it for its part of the sound.
    offsets : sequence of int
        Where each frame of sound begins in the file.
    size : int
        Of the file, in bytes.
    padding : int
        Samples after the end of the sound.
    crc : int
        `crc16` of the frames of sound.
    """
    content = bytearray(first.start + first.area)
    if bytes(content[_XING_AT : _XING_AT + 4]) not in (b"Xing", b"Info") or content[_LAME_AT : _LAME_AT + 4] != b"LAME":
        raise ValueError("the first frame tells nothing")
    struct.pack_into(">II", content, _FRAMES_AT, len(offsets), size)
    for n in range(_ENTRIES):
        content[_TOC_AT + n] = min(256 * offsets[n * len(offsets) // _ENTRIES] // size, 255)
    content[_PADDING_AT + 1] = content[_PADDING_AT + 1] & 0xF0 | padding >> 8
    content[_PADDING_AT + 2] = padding & 0xFF
    struct.pack_into(">IH", content, _LENGTH_AT, size, crc)
    struct.pack_into(">H", content, _CRC_AT, crc16(bytes(content[:_CRC_AT])))
    return bytes(content)


def padding_of(first: Mp3Frame) -> int:
    """Return the samples after the end of the sound that a first frame tells of."""
    place = _PADDING_AT - _START
    return (first.area[place + 1] & 0xF) << 8 | first.area[place + 2]


def crc16(content: bytes, crc: int = 0) -> int:
    """Return the checksum that the LAME tag has (polynomial 0x8005, mirrored), going on from another.

    Examples
    --------
    >>> hex(crc16(b"123456789"))
    '0xbb3d'
    """
    steps = len(content) // _LANES
    if steps:
        # A lane for each stretch; they follow one another, so that each is moved on by the zeros of those behind it.
        lanes = np.frombuffer(content, np.uint8, steps * _LANES).reshape(_LANES, steps)
        table, state = _table(), np.zeros(_LANES, np.uint16)
        for column in np.ascontiguousarray(lanes.T):
            state = state >> 8 ^ table[(state ^ column) & 0xFF]
        on = _moved_on(steps)
        for own in state.tolist():
            crc = on[0][crc & 0xFF] ^ on[1][crc >> 8] ^ own
    entries = _table().tolist()
    for byte in content[steps * _LANES :]:
        crc = crc >> 8 ^ entries[(crc ^ byte) & 0xFF]
    return crc


@lru_cache(maxsize=1)
def _table() -> npt.NDArray[np.uint16]:
    state: npt.NDArray[np.uint16] = np.arange(256, dtype=np.uint16)
    for _ in range(8):
        state = (state >> 1 ^ np.where(state & 1, 0xA001, 0)).astype(np.uint16)
    return state


def _moved_on(zeros: int) -> tuple[list[int], list[int]]:
    """Return what so many zero bytes make of a checksum's low byte and of its high byte."""
    state = np.concatenate((np.arange(256), np.arange(256) << 8)).astype(np.uint16)
    table = _table()
    for _ in range(zeros):
        state = state >> 8 ^ table[state & 0xFF]
    return state[:256].tolist(), state[256:].tolist()


def _size(index: int, rate: int, padding: int) -> int:
    return 144000 * _KBIT[index] // rate + padding
