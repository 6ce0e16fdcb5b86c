"""Sound to MP3 on several processors: stretches that overlap are encoded side by side, and their frames joined.

Once an encoder has settled, it writes what one that began earlier would: the joined file decodes to the same samples.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt

from therapy_gen.music.audio.files.mp3_frames import SAMPLES, Mp3Frame, crc16, joined, padding_of, read_frames, told

Frames = npt.NDArray[np.float32]

MP3_RATES = (32000, 44100, 48000)
"""Sampling frequencies of MPEG-1."""

# Frames of MP3 in a stretch: 53 s.
_STRETCH = 2048

# A stretch goes on for so many frames beside the next one; the encoder of that has settled after so many.
_BESIDE, _SETTLED = 96, 56
# So many at its end hold what the encoder took to follow.
_MADE_UP = 8
# libsndfile's encoder has crashed on longer writes.
_FRAMES_PER_WRITE = 1 << 15


class Mp3Writer:
    """Writes sound as MP3, a context manager; what comes out does not depend on the number of threads.

    Parameters
    ----------
    file : binary file
        Open to be written; it begins where the file stands.
    sample_rate : int
        One of `MP3_RATES`.
    options : mapping
        Of libsndfile's encoder: compression level and how bit rates vary.
    workers : int
        Threads.
    stretch : int
        Frames of MP3 that are encoded at a time.
    """

    def __init__(
        self, file: BinaryIO, sample_rate: int, options: Mapping[str, Any], *, workers: int = 2, stretch: int = _STRETCH
    ) -> None:
        self._file, self._rate, self._options = file, sample_rate, options
        self._step = stretch * SAMPLES
        self._waiting: list[Frames] = []
        self._count = 0
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="mp3")
        self._most = workers + 1
        self._under_way: deque[Future[list[Mp3Frame]]] = deque()
        self._first: Mp3Frame | None = None
        self._padding = 0
        # Frames of the last stretch that are not written yet.
        self._open: list[Mp3Frame] = []
        self._cut = 0
        self._stretch = stretch
        self._offsets: list[int] = []
        self._size = 0
        self._crc = 0

    def write(self, block: Frames) -> None:
        """Add sound of shape (frames, 2)."""
        self._waiting.append(block)
        self._count += len(block)
        whole = self._step + _BESIDE * SAMPLES
        # More than one stretch, so that the last one is never only what lies beside another.
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
        """Write what is left, and what the file tells of itself."""
        self._submit(np.concatenate(self._waiting) if self._waiting else np.zeros((0, 2), np.float32))
        while self._under_way:
            self._take()
        self._put(self._open)
        assert self._first is not None
        self._file.seek(-self._size, io.SEEK_CUR)
        self._file.write(told(self._first, self._offsets, self._size, self._padding, self._crc))
        self._file.seek(0, io.SEEK_END)

    def _submit(self, sound: Frames) -> None:
        self._under_way.append(self._pool.submit(_encoded, sound, self._rate, self._options))
        while len(self._under_way) > self._most:
            self._take()

    def _take(self) -> None:
        """Join the next stretch to those before it."""
        head, *frames = self._under_way.popleft().result()
        self._padding = padding_of(head)
        if self._first is None:
            self._first = head
            self._put([head])
            self._offsets, self._crc = [], 0
            self._open = frames
            return
        # Where this stretch begins in those before it, without the end that their encoder made up.
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


def _encoded(sound: Frames, sample_rate: int, options: Mapping[str, Any]) -> list[Mp3Frame]:
    """Return the frames of a stretch, after the one that tells of them."""
    import soundfile

    made = io.BytesIO()
    with soundfile.SoundFile(made, "w", sample_rate, 2, format="MP3", subtype="MPEG_LAYER_III", **options) as file:
        for start in range(0, len(sound), _FRAMES_PER_WRITE):
            file.write(sound[start : start + _FRAMES_PER_WRITE])
    return read_frames(made.getvalue())
