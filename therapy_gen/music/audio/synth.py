"""A sample player for soundfonts in NumPy: struck notes in, stereo blocks out, the same bytes on every run.

What it plays of SoundFont 2.04: key and velocity ranges, looped samples, tuning, the volume envelope, the modulation
envelope on pitch and filter, the low-pass filter, vibrato, tremolo and panning. Left out: effects sends (the room is
`room`'s work), exclusive classes, the modulation LFO on the filter, and modulators other than velocity on volume.
"""

from __future__ import annotations

import heapq
import math
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from therapy_gen.music.audio.soundfont import SoundFont, Zone
from therapy_gen.music.audio.tone import SEGMENT, SILENCE_DB, held_tone, release_curve

Frames = npt.NDArray[np.float32]

_KEPT_BYTES = 160 << 20
_SHORTEST_S = 0.03
_SHORTEST_RELEASE_S = 0.01


@dataclass(frozen=True, order=True)
class StruckNote:
    """A note as the synthesiser needs it: when, how long held (pedal included), and through which instrument.

    `onset` and `duration` are seconds; `gain` scales the instrument, `pan` is -1 (left) to 1 (right).
    """

    onset: float
    duration: float
    pitch: int
    velocity: int
    program: int
    bank: int = 0
    gain: float = 1.0
    pan: float = 0.0


@dataclass(frozen=True)
class _Voice:
    """A zone of a note that sounds; `start`, `held` and `release` in frames."""

    zone: Zone
    key: int
    start: int
    held: int
    release: int
    gains: tuple[float, float]


class Synthesiser:
    """Plays notes through a soundfont; what it worked out for one piece serves the next, from any thread.

    Parameters
    ----------
    soundfont : SoundFont
    sample_rate : int
        Frames a second of what is played.
    """

    def __init__(self, soundfont: SoundFont, sample_rate: int = 44100) -> None:
        self.soundfont = soundfont
        self.sample_rate = sample_rate
        self._segments: OrderedDict[tuple[int, int, int], Frames | None] = OrderedDict()
        self._kept_bytes = 0
        self._lock = threading.Lock()

    def blocks(self, notes: Sequence[StruckNote], frames: int, block: int) -> Iterator[Frames]:
        """Yield at least `frames` frames of music as arrays of shape (2, block)."""
        waiting = sorted(notes, reverse=True)
        sounding: list[tuple[int, int, _Voice]] = []
        struck = 0
        for start in range(0, frames, block):
            while waiting and waiting[-1].onset * self.sample_rate < start + block:
                for voice in self._strike(waiting.pop()):
                    heapq.heappush(sounding, (voice.start + voice.held + voice.release, struck, voice))
                    struck += 1
            while sounding and sounding[0][0] <= start:
                heapq.heappop(sounding)
            out = np.zeros((2, block), dtype=np.float32)
            # In the order they were struck: floating-point sums depend on it.
            for _, _, voice in sorted(sounding, key=lambda entry: entry[1]):
                self._mix(voice, start, out)
            yield out

    def _strike(self, note: StruckNote) -> list[_Voice]:
        voices = []
        for zone in self.soundfont.zones(note.bank, note.program, note.pitch, note.velocity):
            # Velocity attenuates by the concave curve of section 8.4.1, which is its square.
            level = note.gain * (note.velocity / 127) ** 2 * 10 ** (-zone.attenuation_db / 20)
            angle = (min(max(zone.pan + note.pan, -1.0), 1.0) + 1) * math.pi / 4
            voices.append(
                _Voice(
                    zone,
                    note.pitch,
                    start=round(note.onset * self.sample_rate),
                    held=round(max(note.duration, _SHORTEST_S) * self.sample_rate),
                    release=round(_release_seconds(zone, note.pitch, note.duration) * self.sample_rate),
                    gains=(level * math.cos(angle), level * math.sin(angle)),
                )
            )
        return voices

    def _mix(self, voice: _Voice, block_start: int, out: Frames) -> None:
        """Add what a voice sounds in the block of frames from `block_start`."""
        position = max(block_start - voice.start, 0)
        end = min(block_start + out.shape[1] - voice.start, voice.held + voice.release)
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
            for channel, gain in enumerate(voice.gains):
                if gain > 1e-6:
                    out[channel, at : at + stop - position] += tone * np.float32(gain)
            position = stop

    def _segment(self, zone: Zone, key: int, index: int) -> Frames | None:
        """Return a stretch of a held tone, or None where it has died away."""
        wanted = (id(zone), key, index)
        with self._lock:
            if wanted in self._segments:
                self._segments.move_to_end(wanted)
                return self._segments[wanted]
        segment = held_tone(zone, key, index, self.soundfont.sample(zone), self.sample_rate)
        with self._lock:
            if wanted not in self._segments:
                self._segments[wanted] = segment
                self._kept_bytes += 0 if segment is None else segment.nbytes
            while self._kept_bytes > _KEPT_BYTES:
                _, oldest = self._segments.popitem(last=False)
                self._kept_bytes -= 0 if oldest is None else oldest.nbytes
        return segment


def _release_seconds(zone: Zone, key: int, held: float) -> float:
    """Return how long a released key takes to fall silent.

    A released key falls by 100 dB in its zone's release. The tone under it goes on with a decay that it was in, so
    that much less is left to the release.
    """
    fall = 100 / max(zone.release, _SHORTEST_RELEASE_S)
    decay = zone.volume.decay(key)
    decaying = held - zone.volume.delay - zone.volume.attack - zone.volume.hold(key)
    if decay and 0 < decaying < decay * zone.sustain_db / 100:
        fall = max(fall - 100 / decay, fall / 4)
    return SILENCE_DB / fall
