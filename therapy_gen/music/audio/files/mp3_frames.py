"""Frames of MPEG Layer III in stereo: reading, joining, and the info frame (Xing and LAME tags).

Sources: ISO/IEC 11172-3, 2.4.1; ISO/IEC 13818-3, 2.4.1 (lower sampling frequencies); the Xing VBR header and the LAME
tag (revision 1).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class _Version:
    """A version of MPEG.

    Attributes
    ----------
    samples : int
        Of each channel in a frame.
    start : int
        Bytes of head and side information.
    shared_bits, granule_bits, granules : int
        Of the side information: before the first granule of a channel, of each, and how many there are.
    pointer_bits : int
        Of the pointer to the beginning of the main data.
    kbit, rates : tuple of int
        Bit rates and sampling frequencies by their numbers.
    own_kbit : int
        Bit rate of the info frame.
    """

    samples: int
    start: int
    shared_bits: int
    granule_bits: int
    granules: int
    pointer_bits: int
    kbit: tuple[int, ...]
    rates: tuple[int, ...]
    own_kbit: int


_LOW_KBIT = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
# By the second byte of a frame: MPEG-1, MPEG-2 and MPEG-2.5, without a checksum.
_VERSIONS: Mapping[int, _Version] = MappingProxyType(
    {
        0xFB: _Version(
            1152,
            36,
            20,
            59,
            4,
            9,
            (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
            (44100, 48000, 32000),
            128,
        ),
        0xF3: _Version(576, 21, 10, 63, 2, 8, _LOW_KBIT, (22050, 24000, 16000), 64),
        0xE3: _Version(576, 21, 10, 63, 2, 8, _LOW_KBIT, (11025, 12000, 8000), 64),
    }
)
MP3_RATES = tuple(sorted(rate for version in _VERSIONS.values() for rate in version.rates))
"""Sampling frequencies that there are."""

DELAY = 576
"""Samples before the sound that LAME adds."""

_ENTRIES = 100
# Places after the start of a frame: the Xing header's table, the LAME tag's parts.
_TOC_AT, _LAME_AT, _CRC_AT, _TAG_BYTES = 16, 120, 154, 156
_ENCODER, _VBR_METHOD, _JOINT_STEREO = b"LAME3.100", 4, 3
_LANES = 4096


@dataclass(frozen=True)
class Mp3Frame:
    """A frame of two channels: its head and side information, and its share of the main data.

    Main data may begin before their frame, in bytes that earlier frames left free: `points_back` says how many.
    """

    start: bytes
    area: bytes

    @property
    def points_back(self) -> int:
        """Bytes before `area` at which the frame's main data begin."""
        return int.from_bytes(self.start[4:6], "big") >> 16 - _VERSIONS[self.start[1]].pointer_bits

    @property
    def windows(self) -> tuple[int, ...]:
        """How each granule of each channel is windowed: 0 long, otherwise the bits that say which kind."""
        version = _VERSIONS[self.start[1]]
        bits = int.from_bytes(self.start[4:], "big")
        # The window's four bits are the last but 22 of MPEG-1's 59, and the last but 21 of the others' 63.
        end = 8 * (version.start - 4) - version.shared_bits - version.granule_bits
        rest = 22 if version.granules == 4 else 21
        found = (bits >> (end - version.granule_bits * n + rest) & 0xF for n in range(version.granules))
        return tuple(kind if kind & 8 else 0 for kind in found)

    def longer(self, by: int) -> Mp3Frame:
        """Return the frame with at least so many more free bytes at its end, at a higher bit rate."""
        for higher in range((self.start[2] >> 4) + 1, 15):
            head = bytes((*self.start[:2], higher << 4 | self.start[2] & 0xF))
            size = _size(head) - len(self.start)
            if size >= len(self.area) + by:
                return Mp3Frame(head + self.start[3:], self.area + bytes(size - len(self.area)))
        raise ValueError(f"no frame is {by} bytes longer")


def samples_per_frame(sample_rate: int) -> int:
    """Return how many samples of each channel a frame holds."""
    return next(version.samples for version in _VERSIONS.values() if sample_rate in version.rates)


def read_frames(content: bytes) -> list[Mp3Frame]:
    """Return the frames of an MP3 file of two channels without a tag.

    Raises
    ------
    ValueError
        It is none.
    """
    frames = []
    at = 0
    while at < len(content):
        head = content[at : at + 4]
        if (
            len(head) < 4
            or head[0] != 0xFF
            or head[1] not in _VERSIONS
            or head[2] >> 4 in (0, 15)
            or head[2] >> 2 & 3 == 3
            or head[3] >> 6 == 3
        ):
            raise ValueError(f"no MPEG Layer III in stereo at byte {at}")
        start, size = _VERSIONS[head[1]].start, _size(head)
        frames.append(Mp3Frame(content[at : at + start], content[at + start : at + size]))
        at += size
    return frames


def joined(before: Sequence[Mp3Frame], after: Sequence[Mp3Frame], first: int) -> tuple[list[Mp3Frame], int]:
    """Find a place to change from one encoding to another of the same sound; return the frames before it.

    Parameters
    ----------
    before, after : sequence of Mp3Frame
        Both of the same frames of sound: the earlier encoding and the later one.
    first : int
        The first frame at which the second encoding may be used.

    Returns
    -------
    list of Mp3Frame
        Frames of `before` that stay; their last bytes are the main data that `after` points back to.
    int
        The first of `after` that follows them.
    """
    last = min(len(before), len(after))
    # At the join both have the same windows, so that their overlapping halves fit.
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


def blank_info(first: Mp3Frame) -> bytes:
    """Return a silent frame with room for what `info_frame` writes, for a file whose first frame of sound is given."""
    version = _VERSIONS[first.start[1]]
    head = bytes((*first.start[:2], version.kbit.index(version.own_kbit) << 4 | first.start[2] & 0xC, first.start[3]))
    return head + bytes(_size(head) - len(head))


def info_frame(
    first: Mp3Frame, offsets: Sequence[int], size: int, samples: int, crc: int, vbr_quality: float, quality: int
) -> bytes:
    """Return the first frame of a file, which describes the others: seek table, delay and padding, checksums.

    Parameters
    ----------
    first : Mp3Frame
        Of sound.
    offsets : sequence of int
        Where each frame of sound begins in the file.
    size : int
        Of the file, in bytes.
    samples : int
        Length of the sound.
    crc : int
        `crc16` of the frames of sound.
    vbr_quality, quality : float, int
        What LAME was asked for.
    """
    content = bytearray(blank_info(first))
    version = _VERSIONS[first.start[1]]
    rate = version.rates[first.start[2] >> 2 & 3]
    at = version.start
    struct.pack_into(">4sIII", content, at, b"Xing", 0xF, len(offsets), size)
    for n in range(_ENTRIES):
        content[at + _TOC_AT + n] = min(256 * offsets[n * len(offsets) // _ENTRIES] // size, 255)
    struct.pack_into(">I", content, at + _LAME_AT - 4, max(int(100 - 10 * vbr_quality - quality), 0))
    padding = len(offsets) * version.samples - DELAY - samples
    # No low-pass, peak or gain is given; the least bit rate is the lowest that there is.
    struct.pack_into(
        ">9sBBIHHBB3sBBHIH",
        content,
        at + _LAME_AT,
        _ENCODER,
        _VBR_METHOD,
        0,
        0,
        0,
        0,
        0,
        version.kbit[1],
        (DELAY << 12 | padding).to_bytes(3, "big"),
        (2 if rate == 48000 else 1 if rate == 44100 else 0) << 6 | _JOINT_STEREO << 2 | 1,
        0,
        0,
        size,
        crc,
    )
    struct.pack_into(">H", content, at + _CRC_AT, crc16(bytes(content[: at + _CRC_AT])))
    return bytes(content)


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
    """Return tables of the effect of so many zero bytes on a checksum's low and high byte."""
    state = np.concatenate((np.arange(256), np.arange(256) << 8)).astype(np.uint16)
    table = _table()
    for _ in range(zeros):
        state = state >> 8 ^ table[state & 0xFF]
    return state[:256].tolist(), state[256:].tolist()


def _size(head: bytes) -> int:
    """Return the bytes of a frame that begins so."""
    version = _VERSIONS[head[1]]
    kbit, rate = version.kbit[head[2] >> 4], version.rates[head[2] >> 2 & 3]
    return version.samples * 125 * kbit // rate + (head[2] >> 1 & 1)
