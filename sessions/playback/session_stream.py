"""A stored session as a WAV file rendered on demand: any part of it, without the rest."""

from __future__ import annotations

import struct
import threading
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np

from sessions.export.audio import SAMPLE_RATE, Samples, Sound, live_session
from sessions.storage.library import get_session
from sessions.storage.store import Store
from therapy_gen.music.audio.stream import lengths_of

_HEADER_BYTES = 44
_FRAME_BYTES = 4
# 1.5 s of sound.
_CHUNK_FRAMES = 1 << 16
_CHUNK_BYTES = _CHUNK_FRAMES * _FRAME_BYTES
# Chunks that are cached: 12 minutes.
_KEPT_CHUNKS = 480
# Up to so many chunks ahead it is quicker to go on rendering than to begin anew.
_WORTH_GOING_ON = 20


def warm_up() -> None:
    """Load the usual instruments, so that the first sound does not wait for them."""
    from therapy_gen.music.audio.live.live_timeline import live_renderer
    from therapy_gen.music.audio.mix import Mix

    live_renderer(Mix(), SAMPLE_RATE)


class SessionStream:
    """The sound of a stored session, stereo in 16 bits at `sessions.export.audio.SAMPLE_RATE`.

    Parameters
    ----------
    store : Store
    number : int
        Of the session.
    sound : Sound, optional
        How to render.

    Attributes
    ----------
    size : int
        Bytes of the whole WAV file.

    Raises
    ------
    NotFoundError
        Where there is no such session.
    """

    def __init__(self, store: Store, number: int, sound: Sound | None = None) -> None:
        self._store, self.number, self._sound = store, number, sound
        record = get_session(store, number)
        self._frames = sum(lengths_of([item.duration_s for item in record.items], SAMPLE_RATE))
        self.size = _HEADER_BYTES + self._frames * _FRAME_BYTES
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._blocks: Iterator[Samples] | None = None
        self._next = 0
        self._rest = np.zeros((0, 2), np.float32)

    def prepare(self, seconds: float = 6.0) -> None:
        """Render the beginning, so that it is there when it is asked for."""
        for index in range(min(int(seconds * SAMPLE_RATE / _CHUNK_FRAMES) + 1, self._count())):
            self._chunk(index)

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Give the bytes of the WAV file from `start` to before `stop`, as they are rendered."""
        stop = min(stop, self.size)
        if start < _HEADER_BYTES:
            yield self._header()[start : min(stop, _HEADER_BYTES)]
        at = max(start - _HEADER_BYTES, 0)
        end = stop - _HEADER_BYTES
        while at < end:
            index, offset = divmod(at, _CHUNK_BYTES)
            part = self._chunk(index)[offset : offset + end - at]
            yield part
            at += len(part)

    def close(self) -> None:
        """Stop rendering."""
        with self._lock:
            self._stop()
            self._kept.clear()

    def _count(self) -> int:
        return -(-self._frames // _CHUNK_FRAMES)

    def _header(self) -> bytes:
        data = self._frames * _FRAME_BYTES
        form = struct.pack("<HHIIHH", 1, 2, SAMPLE_RATE, SAMPLE_RATE * _FRAME_BYTES, _FRAME_BYTES, 16)
        size = struct.pack("<I", 16)
        return b"RIFF" + struct.pack("<I", 36 + data) + b"WAVEfmt " + size + form + b"data" + struct.pack("<I", data)

    def _chunk(self, index: int) -> bytes:
        with self._lock:
            while index not in self._kept:
                self._render_towards(index)
            self._kept.move_to_end(index)
            return self._kept[index]

    def _render_towards(self, index: int) -> None:
        """Render the next chunk on the way to one that is wanted."""
        if self._blocks is None or not self._next <= index < self._next + _WORTH_GOING_ON:
            self._stop()
            self._next = index
            start_s = index * _CHUNK_FRAMES / SAMPLE_RATE
            self._blocks = live_session(self._store, self.number, start_s=start_s, sound=self._sound)
        wanted = min(_CHUNK_FRAMES, self._frames - self._next * _CHUNK_FRAMES)
        parts, have = [self._rest], len(self._rest)
        while have < wanted:
            block = next(self._blocks)
            parts.append(block)
            have += len(block)
        joined = np.concatenate(parts)
        self._rest = joined[wanted:]
        samples = np.clip(np.rint(joined[:wanted] * 32767.0), -32768, 32767).astype("<i2")
        self._kept[self._next] = samples.tobytes()
        self._next += 1
        while len(self._kept) > _KEPT_CHUNKS:
            self._kept.popitem(last=False)

    def _stop(self) -> None:
        self._blocks = None
        self._rest = np.zeros((0, 2), np.float32)
