"""Encoding MP3 on several processors: overlapping stretches are encoded in parallel, and their frames joined.

After some frames an encoder writes what one that began earlier would, so that the joined file decodes to the same
samples.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt

from therapy_gen.music.audio.files.mp3_frames import (
    MP3_RATES,
    Mp3Frame,
    blank_info,
    crc16,
    info_frame,
    joined,
    read_frames,
    samples_per_frame,
)

__all__ = ["MP3_RATES", "Mp3Writer"]

Frames = npt.NDArray[np.float32]

# LAME's scales from 0 (best) to 9: a bit rate at which soft music is transparent, about 130 kbit/s; and a search that
# takes as long, and finds the same, from 0 to 3.
_VBR_QUALITY, _QUALITY = 4.5, 3

# Frames of MP3 in a stretch: 53 s.
_STRETCH = 2048

# Stretches overlap by so many frames; the later encoder agrees with the earlier one after so many.
_BESIDE, _SETTLED = 96, 56
# So many frames at the end of a stretch contain the encoder's padding.
_MADE_UP = 8


class Mp3Writer:
    """Writes sound as MP3, as a context manager; the result does not depend on the number of threads.

    Parameters
    ----------
    file : binary file
        Open to be written; it begins where the file stands.
    sample_rate : int
        One of `MP3_RATES`.
    workers : int
        Threads.
    stretch : int
        Frames of MP3 that are encoded at a time.
    """

    def __init__(self, file: BinaryIO, sample_rate: int, *, workers: int = 2, stretch: int = _STRETCH) -> None:
        self._file, self._rate = file, sample_rate
        self._frame = samples_per_frame(sample_rate)
        self._stretch, self._step = stretch, stretch * self._frame
        self._waiting: list[npt.NDArray[np.int16]] = []
        self._count = 0
        # Of all that was added.
        self._samples = 0
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="mp3")
        self._most = workers + 1
        self._under_way: deque[Future[list[Mp3Frame]]] = deque()
        self._first: Mp3Frame | None = None
        # Frames of the last stretch that are not written yet.
        self._open: list[Mp3Frame] = []
        self._cut = 0
        self._offsets: list[int] = []
        self._size = 0
        self._crc = 0

    def write(self, block: Frames) -> None:
        """Add sound of shape (frames, 2); it is clipped at full scale."""
        self._waiting.append(np.rint(np.clip(block * np.float32(32768), -32768, 32767)).astype("<i2"))
        self._count += len(block)
        self._samples += len(block)
        whole = self._step + _BESIDE * self._frame
        # More than one stretch, so that the last one is never only overlap.
        while self._count > whole:
            sound = np.concatenate(self._waiting)
            self._submit(sound[:whole])
            self._waiting = [sound[self._step :]]
            self._count = len(self._waiting[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _finish(self) -> None:
        """Write the rest, and the info frame."""
        self._submit(np.concatenate(self._waiting) if self._waiting else np.zeros((0, 2), "<i2"))
        while self._under_way:
            self._take()
        self._put(self._open)
        assert self._first is not None
        self._file.seek(-self._size, io.SEEK_CUR)
        described = (self._first, self._offsets, self._size, self._samples, self._crc)
        self._file.write(info_frame(*described, _VBR_QUALITY, _QUALITY))
        self._file.seek(0, io.SEEK_END)

    def _submit(self, sound: npt.NDArray[np.int16]) -> None:
        self._under_way.append(self._pool.submit(_encoded, sound.tobytes(), self._rate))
        while len(self._under_way) > self._most:
            self._take()

    def _take(self) -> None:
        """Join the next stretch to those before it."""
        frames = self._under_way.popleft().result()
        if self._first is None:
            self._first = frames[0]
            head = blank_info(self._first)
            self._file.write(head)
            self._size = len(head)
            self._open = frames
            return
        # Where this stretch begins in the earlier frames, without their padding.
        at = self._stretch - self._cut
        kept, self._cut = joined(self._open[at : at + _BESIDE - _MADE_UP], frames, _SETTLED)
        self._put([*self._open[:at], *kept])
        self._open = frames[self._cut :]

    def _put(self, frames: Sequence[Mp3Frame]) -> None:
        content = b"".join(frame.start + frame.area for frame in frames)
        for frame in frames:
            self._offsets.append(self._size)
            self._size += len(frame.start) + len(frame.area)
        self._crc = crc16(content, self._crc)
        self._file.write(content)


def _encoded(sound: bytes, sample_rate: int) -> list[Mp3Frame]:
    """Return the frames of a stretch of 16-bit samples, left and right by turns."""
    import lameenc

    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_channels(2)
    encoder.set_in_sample_rate(sample_rate)
    encoder.set_out_sample_rate(sample_rate)
    encoder.set_quality(_QUALITY)
    encoder.set_vbr(lameenc.VBR_MTRH)
    encoder.set_vbr_quality(_VBR_QUALITY)
    return read_frames(bytes(encoder.encode(sound) + encoder.flush()))
