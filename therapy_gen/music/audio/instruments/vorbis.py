"""Samples in Ogg Vorbis, decoded once and only as far as needed."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

_FRAMES_PER_READ = 1 << 16
# Half an hour: no instrument has more.
_MOST_FRAMES = 80_000_000


class VorbisSample:
    """A compressed sample that is decoded incrementally; thread-safe.

    Parameters
    ----------
    content : bytes
        An Ogg Vorbis file.
    unreadable : callable
        Makes the exception for a sample that cannot be decoded.
    """

    def __init__(self, content: bytes, unreadable: Callable[[], Exception]) -> None:
        import soundfile

        self._lock = threading.Lock()
        self._unreadable = unreadable
        self._error = soundfile.LibsndfileError
        try:
            self._file = soundfile.SoundFile(io.BytesIO(content))
        except soundfile.LibsndfileError as error:
            raise unreadable() from error
        self.length = int(self._file.frames)
        if self.length > _MOST_FRAMES:
            raise unreadable()
        # Space that is not written yet takes no memory.
        self._frames = np.empty(self.length, dtype=np.float32)
        self._decoded = 0

    def frames(self, until: int | None = None) -> npt.NDArray[np.float32]:
        """Return the sample, mono; with `until`, at least so many frames of it, or all it has."""
        wanted = self.length if until is None else min(until, self.length)
        with self._lock:
            while self._decoded < wanted:
                try:
                    read = self._file.read(_FRAMES_PER_READ, dtype="float32", always_2d=True)[:, 0]
                except self._error as error:
                    raise self._unreadable() from error
                if not len(read):
                    # It is shorter than its header says.
                    self.length = self._decoded
                    break
                read = read[: self.length - self._decoded]
                self._frames[self._decoded : self._decoded + len(read)] = read
                self._decoded += len(read)
                if self._decoded == self.length:
                    self._file.close()
            return self._frames[: self._decoded]
