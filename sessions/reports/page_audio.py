"""The sound of pieces, small enough to be carried inside a page."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from sessions.records import PieceRecord
from therapy_gen.music.audio.files.ogg import set_serial
from therapy_gen.music.audio.mix import Mix
from therapy_gen.music.audio.stream import TimelineItem, render_timeline

# Opus in Ogg, which every browser has played since Safari 18.4 (2025): stereo of the whole band at 28 kbit/s, where
# mono MP3 at 22 kHz took 29.
OPUS_RATE = 48000
SUFFIX = ".ogg"
_COMPRESSION = 0.97
# libsndfile's encoders have crashed on longer writes.
_FRAMES_PER_WRITE = 1 << 15
_WORKERS = 2


def small_sounds(
    pieces: Sequence[PieceRecord],
    music: Mapping[str, bytes],
    lengths: Mapping[str, float],
    mix: Mix,
    advance: Callable[[float], None] = lambda seconds: None,
) -> list[bytes]:
    """Return each piece as an Ogg Opus file in stereo, as long as `lengths` (seconds, by ULID) says."""
    stop = threading.Event()

    def made(piece: PieceRecord) -> bytes:
        return _opus(piece, music[piece.id], lengths[piece.id], mix, stop)

    found = []
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="opus") as pool:
        try:
            for piece, content in zip(pieces, pool.map(made, pieces), strict=True):
                found.append(content)
                advance(lengths[piece.id])
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
    return found


def _opus(piece: PieceRecord, music: bytes, length: float, mix: Mix, stop: threading.Event) -> bytes:
    import soundfile

    content = io.BytesIO()
    item = TimelineItem(length, music, f"piece {piece.id}")
    with soundfile.SoundFile(
        content,
        "w",
        OPUS_RATE,
        2,
        format="OGG",
        subtype="OPUS",
        compression_level=_COMPRESSION,
    ) as file:
        for block in render_timeline([item], mix=mix, sample_rate=OPUS_RATE, workers=1):
            for start in range(0, len(block), _FRAMES_PER_WRITE):
                if stop.is_set():
                    return b""
                file.write(block[start : start + _FRAMES_PER_WRITE])
    set_serial(content, music)
    return content.getvalue()
