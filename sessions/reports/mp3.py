"""The sound of pieces, small enough to be carried inside a page."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from sessions.records import PieceRecord
from therapy_gen.music.audio.mix import Mix
from therapy_gen.music.audio.timeline import TimelineItem, render_timeline

# Every browser plays MP3. Soft music in mono at this rate takes about 26 kbit/s, and a third of the time that
# encoding stereo takes: 24 minutes in 7 s and 4.5 MB against 24 s and 7.9 MB (measured on two cores).
SAMPLE_RATE = 22050
_COMPRESSION = 0.7
# libsndfile's MP3 encoder has crashed on longer writes.
_FRAMES_PER_WRITE = 1 << 15
_WORKERS = 2


def small_mp3s(
    pieces: Sequence[PieceRecord],
    midi: Mapping[str, bytes],
    lengths: Mapping[str, float],
    soundfont: Path | None = None,
    advance: Callable[[float], None] = lambda seconds: None,
) -> list[bytes]:
    """Return each piece as an MP3 file in mono, as long as `lengths` (seconds, by ULID) says."""
    stop = threading.Event()

    def made(piece: PieceRecord) -> bytes:
        return _mp3(piece, midi[piece.id], lengths[piece.id], soundfont, stop)

    found = []
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="mp3") as pool:
        try:
            for piece, content in zip(pieces, pool.map(made, pieces), strict=True):
                found.append(content)
                advance(lengths[piece.id])
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
    return found


def _mp3(piece: PieceRecord, midi: bytes, length: float, soundfont: Path | None, stop: threading.Event) -> bytes:
    import soundfile

    content = io.BytesIO()
    item = TimelineItem(length, midi, f"piece {piece.id}")
    with soundfile.SoundFile(
        content,
        "w",
        SAMPLE_RATE,
        1,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=_COMPRESSION,
        bitrate_mode="VARIABLE",
    ) as file:
        for block in render_timeline([item], mix=Mix(soundfont), sample_rate=SAMPLE_RATE, workers=1):
            mono = block.mean(axis=1, dtype=np.float32)
            for start in range(0, len(mono), _FRAMES_PER_WRITE):
                if stop.is_set():
                    return b""
                file.write(mono[start : start + _FRAMES_PER_WRITE])
    return content.getvalue()
