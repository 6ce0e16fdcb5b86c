"""The synthesiser: plays notes by sample zones of a soundfont and synthesised pads, placed in the stereo image."""

from __future__ import annotations

import heapq
import math
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from therapy_gen.music.audio.instruments.pad import TIMBRES, pad_tone
from therapy_gen.music.audio.instruments.soundfont import SoundFont, Zone
from therapy_gen.music.audio.instruments.tone import (
    SEGMENT,
    SILENCE_DB,
    PlayedSamples,
    frames_needed,
    held_tone,
    release_curve,
)

Frames = npt.NDArray[np.float32]

_KEPT_BYTES, _PLAYED_BYTES = 160 << 20, 128 << 20
# So much is added at a time, which a processor keeps near.
_CHUNK = 1 << 13
_SHORTEST_S = 0.03
_SHORTEST_RELEASE_S = 0.01
# A pad is then some 12 dB louder than MuseScore General's at the same velocity (benchmarks/sound/balance.py); the
# palettes' levels allow for that.
_PAD_GAIN = 0.5


@dataclass(frozen=True, order=True)
class StruckNote:
    """A note for the synthesiser: onset, duration (pedal included) and instrument.

    `onset` and `duration` are seconds; `gain` scales the instrument, `pan` is -1 (left) to 1 (right), `send` scales
    what goes into the room.
    """

    onset: float
    duration: float
    pitch: int
    velocity: int
    program: int
    bank: int = 0
    gain: float = 1.0
    pan: float = 0.0
    send: float = 1.0


@dataclass(frozen=True)
class _Voice:
    """A sounding zone of a note; `start`, `held` and `release` in frames."""

    zone: Zone
    key: int
    start: int
    held: int
    release: int
    gains: tuple[float, float]
    send: float

    @property
    def end(self) -> int:
        """The frame after its last."""
        return self.start + self.held + self.release


@dataclass(frozen=True)
class _PadVoice:
    """A note of a pad, computed as a whole, shape (2, frames)."""

    tone: Frames
    start: int
    gains: tuple[float, float]
    send: float

    @property
    def end(self) -> int:
        """The frame after its last."""
        return self.start + int(self.tone.shape[1])


class Synthesiser:
    """Plays notes through a soundfont; tones computed for one piece are reused for the next; thread-safe.

    Parameters
    ----------
    soundfont : SoundFont
    sample_rate : int
        Sampling frequency of the output, in Hz.
    pads : bool
        Whether the programs of `therapy_gen.music.audio.instruments.pad.TIMBRES` are synthesised, in place of the
        soundfont's.
    """

    def __init__(self, soundfont: SoundFont, sample_rate: int = 44100, *, pads: bool = False) -> None:
        self.soundfont = soundfont
        self.sample_rate = sample_rate
        self._pads = pads
        self._segments: OrderedDict[tuple[int, int, int], Frames | None] = OrderedDict()
        self._kept_bytes = 0
        self._played = PlayedSamples(_PLAYED_BYTES)
        self._lock = threading.Lock()

    def blocks(self, notes: Sequence[StruckNote], frames: int, block: int) -> Iterator[tuple[Frames, Frames]]:
        """Yield at least `frames` frames of music: direct sound (2, block) and reverb send (block,)."""
        waiting = sorted(notes, reverse=True)
        sounding: list[tuple[int, int, _Voice | _PadVoice]] = []
        struck = 0
        for start in range(0, frames, block):
            while waiting and waiting[-1].onset * self.sample_rate < start + block:
                for voice in self._strike(waiting.pop()):
                    heapq.heappush(sounding, (voice.end, struck, voice))
                    struck += 1
            while sounding and sounding[0][0] <= start:
                heapq.heappop(sounding)
            direct = np.zeros((2, block), dtype=np.float32)
            sent = np.zeros(block, dtype=np.float32)
            # In the order they were struck: floating-point sums depend on it.
            for _, _, voice in sorted(sounding, key=lambda entry: entry[1]):
                if isinstance(voice, _Voice):
                    self._mix(voice, start, direct, sent)
                else:
                    _mix_pad(voice, start, direct, sent)
            yield direct, sent

    def _strike(self, note: StruckNote) -> list[_Voice | _PadVoice]:
        start = round(note.onset * self.sample_rate)
        if self._pads and note.bank == 0 and note.program in TIMBRES:
            held = max(note.duration, _SHORTEST_S)
            tone = pad_tone(note.program, note.pitch, note.velocity, held, note.onset, self.sample_rate)
            # Balance, so that neither of two channels that differ moves to the other side.
            sides = (1 - max(note.pan, 0), 1 + min(note.pan, 0))
            level = _PAD_GAIN * note.gain
            return [_PadVoice(tone, start, (level * sides[0], level * sides[1]), note.send)]
        voices: list[_Voice | _PadVoice] = []
        for zone, attenuation_db in self.soundfont.zones(note.bank, note.program, note.pitch, note.velocity):
            level = note.gain * 10 ** (-attenuation_db / 20)
            angle = (min(max(zone.pan + note.pan, -1.0), 1.0) + 1) * math.pi / 4
            voices.append(
                _Voice(
                    zone,
                    note.pitch,
                    start=start,
                    held=round(max(note.duration, _SHORTEST_S) * self.sample_rate),
                    release=round(_release_seconds(zone, note.pitch, note.duration) * self.sample_rate),
                    gains=(level * math.cos(angle), level * math.sin(angle)),
                    send=note.send * level * math.sqrt(0.5),
                )
            )
        return voices

    def _mix(self, voice: _Voice, block_start: int, direct: Frames, sent: Frames) -> None:
        """Add a voice's sound in the block from frame `block_start`."""
        position = max(block_start - voice.start, 0)
        end = min(block_start + direct.shape[1] - voice.start, voice.held + voice.release)
        while position < end:
            index, offset = divmod(position, SEGMENT)
            segment = self._segment(voice.zone, voice.key, index)
            if segment is None:
                return
            stop = min(end, (index + 1) * SEGMENT)
            if position < voice.held:
                stop = min(stop, voice.held)
            tone = segment[offset : offset + stop - position]
            if position >= voice.held:
                since = position - voice.held
                tone = tone * release_curve(voice.release)[since : since + stop - position]
            at = voice.start + position - block_start
            for row, gain in (*zip(direct, voice.gains, strict=True), (sent, voice.send)):
                if gain > 1e-6:
                    _add_scaled(row[at : at + stop - position], tone, np.float32(gain))
            position = stop

    def _segment(self, zone: Zone, key: int, index: int) -> Frames | None:
        """Return a stretch of a held tone, or None where it has died away."""
        wanted = (id(zone), key, index)
        with self._lock:
            if wanted in self._segments:
                self._segments.move_to_end(wanted)
                return self._segments[wanted]
        until = frames_needed(zone, key, index, self.sample_rate)
        sample = partial(self.soundfont.sample, zone, until)
        segment = held_tone(zone, key, index, sample, self.sample_rate, self._played)
        with self._lock:
            if wanted not in self._segments:
                self._segments[wanted] = segment
                self._kept_bytes += 0 if segment is None else segment.nbytes
            while self._kept_bytes > _KEPT_BYTES:
                _, oldest = self._segments.popitem(last=False)
                self._kept_bytes -= 0 if oldest is None else oldest.nbytes
        return segment


def _add_scaled(target: Frames, tone: Frames, gain: np.float32) -> None:
    scaled = np.empty(min(_CHUNK, len(tone)), dtype=np.float32)
    for start in range(0, len(tone), _CHUNK):
        part = tone[start : start + _CHUNK]
        np.multiply(part, gain, out=scaled[: len(part)])
        target[start : start + _CHUNK] += scaled[: len(part)]


def _mix_pad(voice: _PadVoice, block_start: int, direct: Frames, sent: Frames) -> None:
    first = max(block_start, voice.start)
    stop = min(block_start + direct.shape[1], voice.end)
    tone = voice.tone[:, first - voice.start : stop - voice.start]
    both = np.zeros(stop - first, dtype=np.float32)
    for channel, gain in enumerate(voice.gains):
        side = tone[channel] * np.float32(gain)
        direct[channel, first - block_start : stop - block_start] += side
        both += side
    both *= np.float32(0.5 * voice.send)
    sent[first - block_start : stop - block_start] += both


def _release_seconds(zone: Zone, key: int, held: float) -> float:
    """Return how long a released key takes to decay to silence.

    A released key falls by 100 dB in its zone's release time; a decay in progress goes on, which shortens the release.
    """
    fall = 100 / max(zone.release, _SHORTEST_RELEASE_S)
    decay = zone.volume.decay(key)
    decaying = held - zone.volume.delay - zone.volume.attack - zone.volume.hold(key)
    if decay and 0 < decaying < decay * zone.sustain_db / 100:
        fall = max(fall - 100 / decay, fall / 4)
    return SILENCE_DB / fall
