"""A cache of rendered pieces on disk, so that a repeated piece is rendered once."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import IO

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.float32]

# 25 minutes of music.
_MOST_BYTES = 512 << 20


class RenderCache:
    """Keeps rendered sound in unnamed temporary files, which end with the object; thread-safe.

    Parameters
    ----------
    most_bytes : int
        Limit; the least recently used sound is dropped first.

    Examples
    --------
    >>> import numpy as np
    >>> cache = RenderCache()
    >>> cache.sound("a", lambda: np.ones((2, 44100), dtype=np.float32).T).shape
    (44100, 2)
    >>> float(cache.sound("a", lambda: np.zeros((2, 44100), dtype=np.float32).T)[0, 0])
    1.0
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._files: OrderedDict[Hashable, tuple[IO[bytes], int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, threading.Lock] = {}
        weakref.finalize(self, _close, self._files)

    def sound(self, key: Hashable, render: Callable[[], Frames]) -> Frames:
        """Return the sound of a piece, shape (frames, 2), which the caller may change.

        Parameters
        ----------
        key : hashable
            Everything that determines the sound.
        render : callable
            Makes the sound where it is not cached; an empty one is not kept. Other threads that need the same wait.
        """
        with self._lock:
            own = self._under_way.setdefault(key, threading.Lock())
        with own:
            found = self._read(key)
            if found is None:
                found = render()
                self._keep(key, found)
            return found

    def _read(self, key: Hashable) -> Frames | None:
        with self._lock:
            if key not in self._files:
                return None
            self._files.move_to_end(key)
            file, frames = self._files[key]
            sound = np.empty((2, frames), dtype=np.float32)
            file.seek(0)
            whole = file.readinto(sound.data.cast("B")) == sound.nbytes  # type: ignore[attr-defined]
        return sound.T if whole else None

    def _keep(self, key: Hashable, sound: Frames) -> None:
        size = sound.nbytes
        if not 0 < size <= self._most_bytes:
            return
        # A full disk only costs the time of rendering again.
        with contextlib.suppress(OSError), self._lock:
            while self._files and self._bytes + size > self._most_bytes:
                self._drop(next(iter(self._files)))
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (it stays open)
            self._files[key] = file, 0
            try:
                for channel in sound.T:
                    _write_all(file, np.ascontiguousarray(channel).data.cast("B"))
            except OSError:
                self._drop(key)
                raise
            self._files[key] = file, len(sound)
            self._bytes += size

    def _drop(self, key: Hashable) -> None:
        file, frames = self._files.pop(key)
        file.close()
        self._bytes -= 8 * frames


def _close(files: OrderedDict[Hashable, tuple[IO[bytes], int]]) -> None:
    for file, _ in files.values():
        file.close()


def _write_all(file: IO[bytes], content: memoryview) -> None:
    written = 0
    while written < len(content):
        written += file.write(content[written:])
