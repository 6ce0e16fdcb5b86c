"""MIDI to sound, offline: instruments of a soundfont, a light room, one steady loudness, a gentle end."""

from __future__ import annotations

import tempfile
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.music.audio.loudness import LoudnessMeter
from therapy_gen.music.audio.reverb import BLOCK, Reverb
from therapy_gen.music.audio.soundfont import SoundFont, default_soundfont
from therapy_gen.music.audio.stage import pan_of, seat_of
from therapy_gen.music.audio.synth import StruckNote, Synthesiser
from therapy_gen.music.midi.midi import read_performance
from therapy_gen.music.performance import Part, Performance

Frames = npt.NDArray[np.float32]

SAMPLE_RATE = 44100

TARGET_LUFS = -23.0
"""Every piece is brought to the loudness that EBU R 128 sets for broadcast. Soft piano peaks up to 19 dB above its
loudness as a rule (measured), so that nothing comes near full scale and no limiter is needed."""

# A piece with sharper peaks (few, slow notes have them) is left softer: above this, the true peak between samples could
# clip.
_HIGHEST_PEAK = 10 ** (-2 / 20)
# What is too quiet to be measured is measured at this peak, and what is too short is left there.
_QUIET_PEAK = 0.25

LEAD_IN_S = 0.06
"""So much silence a piece begins with: nobody is met by a chord."""

# The embedded instruments are recorded softly and close. What lies above 4 kHz is raised towards this share of the
# energy, by so much at most.
_AIR_HZ, _AIR_DB, _MOST_AIR = 4000.0, -22.0, 6.0
_AIR_TAPS = np.hanning(11)[1:-1].astype(np.float32) / np.float32(np.hanning(11).sum())

_FADE_IN_S = 0.004
_FADE_OUT_S = 4.0
# By so much the place of a piece may be shorter than its MIDI, whose times are in ticks.
_ROUNDING_S = 0.01

# Pieces above this are kept in a file while they are measured.
_LARGEST_IN_MEMORY = 256 << 20
_FRAMES_PER_YIELD = 1 << 16


@dataclass(frozen=True)
class TimelineItem:
    """A stretch of a session: a piece as MIDI bytes, or silence where `midi` is None; `duration` in seconds."""

    duration: float
    midi: bytes | None = None
    name: str = "the MIDI data"


def render(
    midi: bytes, *, soundfont: Path | None = None, sample_rate: int = SAMPLE_RATE, name: str = "the MIDI data"
) -> Frames:
    """Render a piece.

    Parameters
    ----------
    midi : bytes
        A Standard MIDI File.
    soundfont : Path, optional
        An .sf2 or .sf3 file; by default the one that is installed.
    sample_rate : int
    name : str
        What to call the MIDI bytes in an error.

    Returns
    -------
    array of float32, shape (frames, 2)
        As long as `read_performance` says, at `TARGET_LUFS`, below full scale.

    Raises
    ------
    InputError
        Where MIDI or soundfont cannot be read.

    Examples
    --------
    >>> from therapy_gen.music.performance import Note, Part, Performance
    >>> import therapy_gen
    >>> note = Note(0.0, 1.0, 60, 50)
    >>> midi = therapy_gen.to_midi(Performance((Part("Piano", 0, (note,), pedal=()),), 60, "", 1.0, ""), title="One")
    >>> therapy_gen.render(midi, sample_rate=22050).shape[1]
    2
    """
    return _Renderer(soundfont, sample_rate).piece(midi, name)


def render_timeline(
    items: Sequence[TimelineItem],
    *,
    soundfont: Path | None = None,
    sample_rate: int = SAMPLE_RATE,
    workers: int = 2,
    apart: bool = False,
    start_s: float = 0.0,
) -> Iterator[Frames]:
    """Render pieces and silences one after the other, in blocks of at most 65,536 frames of shape (frames, 2).

    Item boundaries stand at the sums of the durations, rounded to a frame; `apart`, each becomes a file of its own,
    and is as long as it is alone. While one piece is handed on, the next ones are rendered by `workers` threads; no
    more than that are held in memory. Errors are those of `render`, raised when a piece's turn comes.

    With `start_s`, it begins so many seconds into the timeline: the samples are those that all of it has there.
    """
    renderer = _Renderer(soundfont, sample_rate)
    lengths = lengths_of([item.duration for item in items], sample_rate, apart=apart)
    skipped = min(max(round(start_s * sample_rate), 0), sum(lengths))
    while lengths and skipped >= lengths[0]:
        skipped -= lengths[0]
        items, lengths = items[1:], lengths[1:]
    pieces = deque(item for item in items if item.midi is not None)
    with ThreadPoolExecutor(workers, thread_name_prefix="render") as pool:
        under_way: deque[Future[Frames]] = deque()

        def start_more() -> None:
            while pieces and len(under_way) < workers:
                item = pieces.popleft()
                assert item.midi is not None
                under_way.append(pool.submit(renderer.piece, item.midi, item.name))

        try:
            for item, length in zip(items, lengths, strict=True):
                start_more()
                sound = np.zeros((0, 2), dtype=np.float32)
                if item.midi is not None:
                    sound = _fitted(under_way.popleft().result(), length, sample_rate)
                    start_more()
                for start in range(skipped, length, _FRAMES_PER_YIELD):
                    stop = min(start + _FRAMES_PER_YIELD, length)
                    block = np.zeros((stop - start, 2), dtype=np.float32)
                    heard = sound[start:stop]
                    block[: len(heard)] = heard
                    yield block
                skipped = 0
        finally:
            renderer.stop.set()
            pool.shutdown(cancel_futures=True)


def lengths_of(durations: Sequence[float], sample_rate: int, *, apart: bool = False) -> list[int]:
    """Return the frames of items that follow one another, or of which each stands apart."""
    seconds = np.asarray(durations, dtype=np.float64)
    if apart:
        return [int(frames) for frames in np.rint(seconds * sample_rate)]
    ends = np.rint(np.cumsum(seconds) * sample_rate).astype(np.int64)
    return [int(frames) for frames in np.diff(ends, prepend=0)]


class _Renderer:
    """Renders pieces with what they share: instruments and room."""

    def __init__(self, soundfont: Path | None, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._own = soundfont is None
        self._synthesiser = Synthesiser(
            SoundFont(soundfont or default_soundfont()), sample_rate, pads=soundfont is None
        )
        self._reverb = Reverb(sample_rate)
        self.stop = threading.Event()

    def piece(self, midi: bytes, name: str) -> Frames:
        performance = read_performance(midi, name=name)
        frames = round(performance.duration * self.sample_rate)
        sound = _allocate(frames)
        meter = LoudnessMeter(self.sample_rate)
        dry = self._synthesiser.blocks(struck_notes(performance), frames, BLOCK)
        for index, block in enumerate(self._reverb.process(dry)):
            if self.stop.is_set():
                return np.zeros((0, 2), dtype=np.float32)
            stop = min((index + 1) * BLOCK, frames)
            kept = block[:, : stop - index * BLOCK]
            meter.add(kept)
            sound[index * BLOCK : stop] = kept.T
        if meter.peak > 0:
            gain = np.float32(_gain(meter))
            if self._own and (air := _air_gain(meter)) > 0:
                _raise_air(sound, air)
                gain *= np.float32(10 ** (-meter.change_db(1 + air * (1 - _air_response(len(meter.spectrum)))) / 20))
            sound *= gain
        _fade_in(sound, self.sample_rate)
        _fade_out(sound, self.sample_rate)
        return sound


def _gain(meter: LoudnessMeter) -> float:
    """Return the factor that brings what was measured, which is not silent, to the loudness of all pieces."""
    raised = 1.0
    loudness = meter.integrated()
    if not np.isfinite(loudness):
        # Too quiet for the meter's gate as it is, or too short.
        raised = _QUIET_PEAK / meter.peak
        loudness = meter.integrated(raised)
        if not np.isfinite(loudness):
            return float(raised)
    return float(min(raised * 10 ** ((TARGET_LUFS - loudness) / 20), _HIGHEST_PEAK / meter.peak))


def _air_gain(meter: LoudnessMeter) -> float:
    """Return the factor of what lies high that is to be added to a sound."""
    missing_db = _AIR_DB - meter.share_above_db(_AIR_HZ)
    return float(min(max(10 ** (missing_db / 20) - 1, 0.0), _MOST_AIR))


def _air_response(bins: int) -> npt.NDArray[np.float64]:
    """Return the amplitude response of the low-pass beside the air, at so many frequencies up to the highest."""
    padded = np.zeros(2 * (bins - 1))
    padded[: len(_AIR_TAPS)] = _AIR_TAPS
    return np.abs(np.fft.rfft(padded))


def _raise_air(sound: Frames, gain: float) -> None:
    margin = len(_AIR_TAPS) // 2
    edge = np.zeros((margin, 2), dtype=np.float32)
    before = edge
    for start in range(0, len(sound), _FRAMES_PER_YIELD):
        stop = min(start + _FRAMES_PER_YIELD, len(sound))
        own = np.concatenate((before, sound[start : stop + margin], edge))[: stop - start + 2 * margin]
        before = sound[max(stop - margin, 0) : stop].copy()
        for channel in (0, 1):
            low = np.convolve(own[:, channel], _AIR_TAPS, "valid")
            sound[start:stop, channel] += np.float32(gain) * (own[margin:-margin, channel] - low)


def struck_notes(performance: Performance) -> list[StruckNote]:
    """Return what the synthesiser has to play: notes held as long as keys or pedal hold them."""
    return [note for part in performance.parts for note in _part_notes(part)]


def _part_notes(part: Part) -> Iterator[StruckNote]:
    seat = seat_of(part.program)
    downs = [down for down, _ in part.pedal]
    struck_again: dict[int, float] = {}
    for note in reversed(part.notes):
        end = note.onset + note.duration
        span = bisect_right(downs, end) - 1
        if span >= 0:
            end = max(end, part.pedal[span][1])
        # A string that is struck again starts anew.
        end = min(end, struck_again.get(note.pitch, end))
        struck_again[note.pitch] = note.onset
        yield StruckNote(
            note.onset + LEAD_IN_S,
            end - note.onset,
            note.pitch,
            note.velocity,
            part.program,
            part.bank,
            part.level,
            pan_of(seat, note.pitch, part.pan),
            seat.send,
        )


def _allocate(frames: int) -> Frames:
    if frames * 8 <= _LARGEST_IN_MEMORY:
        return np.empty((frames, 2), dtype=np.float32)
    try:
        # The file has no name; its space is free again when the array goes.
        with tempfile.TemporaryFile() as file:
            return np.memmap(file, dtype=np.float32, mode="w+", shape=(frames, 2))
    except OSError as error:
        raise InputError(f"no room for a long piece in {tempfile.gettempdir()}: {error.strerror or error}") from None


def _fade_in(sound: Frames, sample_rate: int) -> None:
    sound[: round(_FADE_IN_S * sample_rate)] *= _ramp(min(round(_FADE_IN_S * sample_rate), len(sound)))


def _fade_out(sound: Frames, sample_rate: int) -> None:
    count = min(round(_FADE_OUT_S * sample_rate), len(sound))
    sound[len(sound) - count :] *= _ramp(count)[::-1]


def _ramp(count: int) -> Frames:
    """Return the way from silence to full, as a column."""
    curve = 0.5 - 0.5 * np.cos(np.pi * np.arange(count) / max(count, 1))
    return np.asarray(curve[:, None], dtype=np.float32)


def _fitted(sound: Frames, length: int, sample_rate: int) -> Frames:
    """Return a piece that fits its place in the timeline: one that is too long fades out where the place ends."""
    too_long = len(sound) - length
    sound = sound[:length]
    if too_long > _ROUNDING_S * sample_rate:
        _fade_out(sound, sample_rate)
    return sound
