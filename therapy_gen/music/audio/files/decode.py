"""Recorded music: reading and checking audio files, and keeping them unchanged or as FLAC."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.files import check_input
from therapy_gen.music.audio import SAMPLE_RATE
from therapy_gen.music.audio.files.resample import resampled
from therapy_gen.music.audio.loudness import LoudnessMeter
from therapy_gen.music.midi.title import clean_text
from therapy_gen.text import clock

Frames = npt.NDArray[np.float32]

SHORTEST_S, LONGEST_S = 1.0, 3600.0
_LARGEST_BYTES = 2 * 2**30
# What is kept in a database.
_LARGEST_KEPT = 512 * 2**20
# Below this peak (-60 dB) and this loudness a file counts as silent.
_SILENT_PEAK, _SILENT_LUFS = 1e-3, -65.0
_FRAMES_PER_READ = 1 << 16
# These are kept unchanged if their sampling frequency is `SAMPLE_RATE`; others become FLAC, without loss.
_KEPT = {"FLAC": ".flac", "MP3": ".mp3", "OGG": ".ogg"}
# Of a decoder's messages.
_MOST_HEARD = 10_000
# A header may count one codec frame too many.
_MISSING_S = 0.25


@dataclass(frozen=True)
class RecordedMusic:
    """An audio file that can be a piece.

    Attributes
    ----------
    content : bytes
        A FLAC, MP3 or Ogg file at `SAMPLE_RATE`, of one or two channels.
    duration_s : float
        Length in seconds.
    loudness : float
        Integrated, in LUFS (ITU-R BS.1770).
    title : str
        As its tags say, or empty.
    remarks : tuple of str
        What was changed.
    """

    content: bytes
    duration_s: float
    loudness: float
    title: str
    remarks: tuple[str, ...]


def read_audio(path: Path) -> RecordedMusic:
    """Read an audio file to the end, and check whether it can be a piece.

    Raises
    ------
    InputError
        It is not audio, or empty, silent, cut short, too short, too long, or of more than two channels.
    """
    import soundfile

    check_input(path, _LARGEST_BYTES)
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty; copy it again")
    rate = 0
    try:
        with _quiet() as said, soundfile.SoundFile(path) as file:
            rate, channels, count, container = file.samplerate, file.channels, file.frames, file.format
            _check_form(path, rate, channels, count)
            meter = LoudnessMeter(rate)
            read = _measured(path, file, meter)
            title = clean_text(file.title)
            deep = file.subtype not in (
                "PCM_16",
                "PCM_S8",
                "PCM_U8",
                "VORBIS",
                "OPUS",
                "MPEG_LAYER_III",
                "ULAW",
                "ALAW",
            )
    except soundfile.LibsndfileError:
        what = (
            "is damaged or cut short; copy it again" if rate else "holds no audio that can be read; convert it to FLAC"
        )
        raise InputError(f"{path} {what}") from None
    if count - read > _MISSING_S * rate or _is_cut_short(path, container):
        raise InputError(f"{path} is cut short: it ends after {clock(read / rate)}; copy it again")
    if read < SHORTEST_S * rate:
        raise InputError(f"{path} lasts {read / rate:.2f} s; a piece lasts {SHORTEST_S:g} s or more")
    loudness = meter.integrated()
    if meter.peak < _SILENT_PEAK or loudness < _SILENT_LUFS:
        raise InputError(f"{path} is silent; give a recording of music")
    remarks = []
    if said:
        remarks.append("bytes between its frames that are no sound are left out")
    if container in _KEPT and rate == SAMPLE_RATE and not said:
        content = path.read_bytes()
    else:
        gain = min(1.0, 1.0 / meter.peak)
        if gain < 1.0:
            remarks.append(f"peaks {-20 * np.log10(gain):.1f} dB above full scale are turned down with all of it")
        if rate != SAMPLE_RATE:
            remarks.append(f"brought from {rate} to {SAMPLE_RATE} Hz")
        content = _as_flac(path, gain, deep=deep)
    if len(content) > _LARGEST_KEPT:
        raise InputError(
            f"{path} takes {len(content) / 1e6:.0f} MB, and up to {_LARGEST_KEPT / 1e6:.0f} are kept; give it as MP3"
        )
    return RecordedMusic(content, round(read / rate, 3), round(loudness, 2), title, tuple(remarks))


def decoded(content: bytes, sample_rate: int, name: str) -> Iterator[Frames]:
    """Give the sound of kept music in stereo blocks, at any sampling frequency.

    Raises
    ------
    InputError
        It cannot be read; the error calls it `name`.
    """
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            yield from resampled(_blocks(file), file.samplerate, sample_rate)
    except soundfile.LibsndfileError:
        raise InputError(f"{name} holds damaged audio; import it again") from None


def frames_of(content: bytes, sample_rate: int, name: str) -> int:
    """Return how many frames `decoded` gives."""
    import soundfile

    try:
        found = soundfile.info(io.BytesIO(content))
    except soundfile.LibsndfileError:
        raise InputError(f"{name} holds damaged audio; import it again") from None
    return round(int(found.frames) * sample_rate / int(found.samplerate))


@contextlib.contextmanager
def _quiet() -> Iterator[list[str]]:
    """Keep the MPEG decoder's own messages off the terminal; in the end, the list holds what it said."""
    said: list[str] = []
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:
        # There is no standard error.
        yield said
        return
    with tempfile.TemporaryFile() as heard:
        try:
            os.dup2(heard.fileno(), 2)
            yield said
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            heard.seek(0)
            if text := heard.read(_MOST_HEARD).decode(errors="replace").strip():
                said.append(text)


def _check_form(path: Path, rate: int, channels: int, count: int) -> None:
    if channels > 2:
        raise InputError(f"{path} has {channels} channels, and headphones have two; mix it down to stereo")
    if count == 0:
        raise InputError(f"{path} holds no sound; record or export it again")
    if not 8000 <= rate <= 384000:
        raise InputError(f"{path} is sampled at {rate} Hz; export it at {SAMPLE_RATE} Hz")
    if count > LONGEST_S * rate:
        raise InputError(
            f"{path} lasts {clock(count / rate)}; a piece lasts up to {clock(LONGEST_S)}: cut it into parts"
        )


def _measured(path: Path, file: object, meter: LoudnessMeter) -> int:
    """Measure a file to its end, and return how many frames it held."""
    read = 0
    for block in _blocks(file):
        if not np.isfinite(block).all():
            raise InputError(f"{path} is damaged: it holds values that are no numbers; export it again")
        meter.add(np.ascontiguousarray(block.T))
        read += len(block)
    return read


def _blocks(file: object) -> Iterator[Frames]:
    """Give what an open file holds, in stereo."""
    while len(block := file.read(_FRAMES_PER_READ, dtype="float32", always_2d=True)):  # type: ignore[attr-defined]
        yield np.repeat(block, 2, axis=1) if block.shape[1] == 1 else block


def _as_flac(path: Path, gain: float, *, deep: bool) -> bytes:
    import soundfile

    made = io.BytesIO()
    with (
        _quiet(),
        soundfile.SoundFile(path) as file,
        soundfile.SoundFile(made, "w", SAMPLE_RATE, 2, format="FLAC", subtype="PCM_24" if deep else "PCM_16") as out,
    ):
        for block in resampled(_blocks(file), file.samplerate, SAMPLE_RATE):
            out.write(np.clip(block * np.float32(gain), -1.0, 1.0))
    return made.getvalue()


def _is_cut_short(path: Path, container: str) -> bool:
    """Return whether a file ends before its own structure does, which decoders ignore."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        if container in ("WAV", "WAVEX"):
            return _riff_is_cut(stream, size)
        if container == "OGG":
            return _ogg_is_cut(stream, size)
    return False


def _riff_is_cut(stream: BinaryIO, size: int) -> bool:
    """Look for the samples' chunk; programs that write to a pipe leave its length 0 or at its largest."""
    at = 12
    while at + 8 <= size:
        stream.seek(at)
        name, length = struct.unpack("<4sI", stream.read(8))
        if name == b"data":
            return bool(0 < length < 0xFFFFFF00 and at + 8 + length > size)
        at += 8 + length + length % 2
    return False


def _ogg_is_cut(stream: BinaryIO, size: int) -> bool:
    """Look whether the last page ends where the file does."""
    start = max(size - 2 * 65307, 0)
    stream.seek(start)
    tail = stream.read()
    at = tail.rfind(b"OggS")
    if at < 0 or at + 27 > len(tail):
        return True
    sizes = tail[at + 27 : at + 27 + tail[at + 26]]
    return len(sizes) < tail[at + 26] or at + 27 + len(sizes) + sum(sizes) > len(tail)
