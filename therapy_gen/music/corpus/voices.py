"""Melody, inner voice and bass out of many notes on the sixteenth grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from therapy_gen.music.tokens import MAX_PITCH, MIN_PITCH, STEPS_PER_QUARTER, VoiceNote

MELODY, INNER, BASS = 0, 1, 2

# A voice that has just fallen silent is not taken over by a note this far off (in semitones) within a beat:
# an accompaniment is not the melody because the singer takes breath.
_FAR = 7
_BREATH = STEPS_PER_QUARTER


@dataclass
class _Line:
    voice: int
    notes: list[VoiceNote] = field(default_factory=list)
    start: int = 0
    end: int = 0
    pitch: int = -1

    def sounds(self, step: int) -> bool:
        return self.pitch >= 0 and self.end > step

    def far(self, step: int, pitch: int) -> bool:
        resting = self.pitch >= 0 and not self.sounds(step) and step - self.end < _BREATH
        return resting and ((pitch < self.pitch - _FAR) if self.voice == MELODY else (pitch > self.pitch + _FAR))

    def take(self, step: int, end: int, pitch: int) -> None:
        self.close(step)
        self.start, self.end, self.pitch = step, end, pitch

    def close(self, step: int) -> None:
        if self.pitch >= 0 and self.end > self.start:
            self.notes.append(VoiceNote(self.start, min(self.end, step), self.pitch, self.voice))


def extract_voices(notes: Iterable[tuple[int, int, int]], steps: int) -> list[VoiceNote]:
    """Reduce notes (start, end, pitch in sixteenth steps) to three monophonic voices.

    A note joins the melody when nothing that sounds at its onset lies above it, the bass when nothing lies below it;
    of the rest of an onset, the highest joins the inner voice. A voice's note ends where its next one begins, so a
    long note under a moving one is never struck again.

    Returns
    -------
    list of VoiceNote, sorted; none reaches beyond `steps`.
    """
    onsets: dict[int, dict[int, int]] = {}
    for start, end, pitch in notes:
        if MIN_PITCH <= pitch <= MAX_PITCH and 0 <= start < steps and end > start:
            ends = onsets.setdefault(start, {})
            ends[pitch] = max(ends.get(pitch, 0), min(end, steps))
    lines = (_Line(MELODY), _Line(INNER), _Line(BASS))
    melody, inner, bass = lines
    active: dict[int, int] = {}
    for step in sorted(onsets):
        active = {pitch: end for pitch, end in active.items() if end > step}
        fresh = dict(sorted(onsets[step].items()))
        high = max(fresh)
        if high >= max(active, default=-1) and not melody.far(step, high):
            melody.take(step, fresh.pop(high), high)
            active = {pitch: end for pitch, end in active.items() if pitch != high}
        if fresh:
            low = min(fresh)
            below = min(active, default=128)
            if low <= below and not (melody.sounds(step) and low >= melody.pitch) and not bass.far(step, low):
                bass.take(step, fresh.pop(low), low)
        if fresh:
            middle = max(fresh)
            if not (melody.sounds(step) and middle >= melody.pitch):
                inner.take(step, fresh[middle], middle)
        active.update(onsets[step])
    for line in lines:
        line.close(steps)
    return sorted(note for line in lines for note in line.notes)
