"""Sound to WAV, FLAC, Ogg Vorbis and MP3 files with titles; a file appears whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.files import atomic_write, check_target
from therapy_gen.music.audio.files.id3 import write_id3
from therapy_gen.music.audio.files.mp3 import MP3_RATES, Mp3Writer
from therapy_gen.music.audio.files.ogg import set_serial
from therapy_gen.music.audio.files.tags import NO_TAGS, Tags, replay_gain
from therapy_gen.music.audio.files.vorbis_comments import write_flac_tags, write_ogg_tags
from therapy_gen.music.audio.loudness import LoudnessMeter

Frames = npt.NDArray[np.float32]

_LIBSNDFILE_TAGS = ("title", "album", "artist", "date", "genre", "tracknumber", "comment")
_TAG_WRITERS: Mapping[str, Callable[[Path, Mapping[str, str], bytes], None]] = {
    "FLAC": write_flac_tags,
    "OGG": write_ogg_tags,
    "MP3": write_id3,
}

# libsndfile's Vorbis encoder has crashed on longer writes.
_FRAMES_PER_WRITE = 1 << 15
_WAV_LIMIT_BYTES = (1 << 32) - (1 << 16)


@dataclass(frozen=True)
class _Format:
    """A container, and what libsndfile writes into it."""

    container: str
    subtype: str = ""
    compression_level: float | None = None


FORMATS: Mapping[str, _Format] = MappingProxyType(
    {
        "wav": _Format("WAV", "PCM_16"),
        "flac": _Format("FLAC", "PCM_16", 0.5),
        "ogg": _Format("OGG", "VORBIS", 0.4),
        "mp3": _Format("MP3"),
    }
)


def write_audio(
    path: Path,
    samples: Frames | Iterable[Frames],
    sample_rate: int,
    format: str | None = None,
    *,
    tags: Tags = NO_TAGS,
    threads: int = 1,
) -> int:
    """Write sound to a file, whole or not at all.

    The ReplayGain 2.0 tags are measured meanwhile.

    Parameters
    ----------
    path : Path
    samples : array of float32, shape (frames, 2), or an iterable of such
        Below full scale.
    sample_rate : int
        For MP3 one of `therapy_gen.music.audio.files.mp3.MP3_RATES`.
    format : str, optional
        One of `FORMATS`; by default the ending of the file's name.
    tags : Tags
        A WAV file takes title, album, artist, date, genre, track and comment.
    threads : int
        Beside this one; with 0, this thread measures loudness, too.

    Returns
    -------
    int
        The frames written.

    Raises
    ------
    InputError
        Where the format is not known, or the file cannot be written there.
    """
    import soundfile

    chosen = FORMATS.get((format or path.suffix.removeprefix(".")).lower())
    if chosen is None:
        given = format or path.suffix or path.name
        raise InputError(f"audio format {given!r} is not known; give one of: {', '.join(FORMATS)}")
    if chosen.container == "MP3" and sample_rate not in MP3_RATES:
        rates = ", ".join(str(rate) for rate in MP3_RATES)
        raise InputError(f"MP3 has no {sample_rate} Hz; give one of: {rates}")
    check_target(path)
    meter = LoudnessMeter(sample_rate)
    written = 0
    try:
        with atomic_write(path) as part:
            with _writing(part, path, chosen, sample_rate, tags, threads) as write:
                for block in _measured(_blocks(samples), meter, apart=threads > 0):
                    write(block)
                    written += len(block)
                    if chosen.container == "WAV" and written * 4 > _WAV_LIMIT_BYTES:
                        raise InputError(f"{path} would be larger than a WAV file can be; give flac")
            if (write_tags := _TAG_WRITERS.get(chosen.container)) is not None:
                write_tags(part, tags.texts() | replay_gain(meter.integrated(), meter.peak), tags.cover)
            if chosen.container == "OGG":
                with part.open("r+b") as pages:
                    set_serial(pages, repr(sorted(tags.texts().items())).encode())
            # A full disk shows only here where the last bytes were still in a buffer.
            if soundfile.info(part).frames < written:
                raise InputError(f"{path} cannot be written whole; free some space on the disk")
    except soundfile.LibsndfileError as error:
        raise InputError(f"{path} cannot be written: {error.error_string}") from None
    return written


@contextmanager
def _writing(
    part: Path, path: Path, chosen: _Format, sample_rate: int, tags: Tags, threads: int
) -> Iterator[Callable[[Frames], None]]:
    """Give a function that adds sound to a file; `path` is its final name."""
    import soundfile

    if chosen.container == "MP3":
        try:
            with part.open("wb") as target, Mp3Writer(target, sample_rate, workers=2 if threads else 1) as mp3:
                yield mp3.write
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror or error}") from None
        return
    with soundfile.SoundFile(
        part,
        "w",
        sample_rate,
        2,
        format=chosen.container,
        subtype=chosen.subtype,
        compression_level=chosen.compression_level,
    ) as file:
        for name, value in tags.texts().items():
            if name.lower() in _LIBSNDFILE_TAGS:
                setattr(file, name.lower(), value)
        yield file.write


def _measured(blocks: Iterable[Frames], meter: LoudnessMeter, *, apart: bool) -> Iterator[Frames]:
    """Pass blocks on, measuring each before it is written or, `apart`, in a thread of its own."""
    if not apart:
        for block in blocks:
            meter.add(np.ascontiguousarray(block.T))
            yield block
        return
    with ThreadPoolExecutor(1, thread_name_prefix="loudness") as pool:
        under_way: Future[None] | None = None
        for block in blocks:
            if under_way is not None:
                under_way.result()
            under_way = pool.submit(meter.add, np.ascontiguousarray(block.T))
            yield block
        if under_way is not None:
            under_way.result()


def _blocks(samples: Frames | Iterable[Frames]) -> Iterator[Frames]:
    for block in (samples,) if isinstance(samples, np.ndarray) else samples:
        for start in range(0, len(block), _FRAMES_PER_WRITE):
            yield block[start : start + _FRAMES_PER_WRITE]
