"""Reducing notes on the sixteenth grid to melody, inner voice and bass, or to the outer two alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from therapy_gen.music.tokens import MAX_PITCH, MIN_PITCH, STEPS_PER_QUARTER, VoiceNote

MELODY, INNER, BASS = 0, 1, 2

# A voice that has just fallen silent is not taken over by a note this far off (in semitones) within a beat:
# an accompaniment is not the melody because the singer takes breath.
_FAR = 7
_BREATH = STEPS_PER_QUARTER
# A part with no more notes an onset than this is a single line; a score needs so many lines for its inner voice to
# follow one.
_MOST_AT_ONCE = 1.5
_LEAST_PARTS = 3


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


def extract_voices(
    notes: Iterable[tuple[int, int, int]], steps: int, parts: Sequence[int] | None = None
) -> list[VoiceNote]:
    """Reduce notes (start, end, pitch in sixteenth steps) to three monophonic voices.

    A note joins the melody when nothing that sounds at its onset lies above it, the bass when nothing lies below it;
    of the rest of an onset, the highest joins the inner voice. A voice's note ends where its next one begins, so a
    long note under a moving one is never struck again. Where a score has parts of one note at a time, as a quartet
    has, the inner voice stays with one of them until that rests.

    Parameters
    ----------
    notes : iterable of (int, int, int)
    steps : int
    parts : sequence of int, optional
        The part of each note.

    Returns
    -------
    list of VoiceNote, sorted; none reaches beyond `steps`.
    """
    notes = list(notes)
    part_of = _single_lines(notes, parts) if parts is not None else {}
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
        middle = _middle(fresh, step, inner, part_of)
        if middle is not None and not (melody.sounds(step) and middle >= melody.pitch):
            inner.take(step, fresh[middle], middle)
        active.update(onsets[step])
    for line in lines:
        line.close(steps)
    return sorted(note for line in lines for note in line.notes)


def _single_lines(notes: list[tuple[int, int, int]], parts: Sequence[int]) -> dict[tuple[int, int], int]:
    """Return the part of each (start, pitch) where a score has three parts or more of one note at a time."""
    starts: dict[int, set[int]] = {}
    counts: dict[int, int] = {}
    for (start, _, _), part in zip(notes, parts, strict=True):
        starts.setdefault(part, set()).add(start)
        counts[part] = counts.get(part, 0) + 1
    single = [part for part, count in counts.items() if count <= _MOST_AT_ONCE * len(starts[part])]
    if len(single) < _LEAST_PARTS or len(single) < len(counts):
        return {}
    return {(start, pitch): part for (start, _, pitch), part in zip(notes, parts, strict=True)}


def _middle(fresh: dict[int, int], step: int, inner: _Line, part_of: dict[tuple[int, int], int]) -> int | None:
    """Return which pitch of an onset the inner voice takes, if any."""
    if not fresh:
        return None
    highest = max(fresh)
    own = part_of.get((inner.start, inner.pitch))
    if own is None:
        return highest
    same = [pitch for pitch in fresh if part_of.get((step, pitch)) == own]
    if same:
        return max(same)
    # Another part takes over when the one that was followed rests.
    return None if inner.end + _BREATH > step else highest


def outer_lines(notes: Iterable[tuple[int, int, int]], steps: int) -> list[VoiceNote]:
    """Reduce notes (start, end, pitch in sixteenth steps) to melody and bass.

    The highest note of an onset joins the melody unless a higher one still sounds there; of what is left, the lowest of
    an onset joins the bass unless a lower one still sounds. So all of a tune without accompaniment is melody.

    Returns
    -------
    list of VoiceNote, sorted; none reaches beyond `steps`.
    """
    inside = [
        (start, min(end, steps), pitch)
        for start, end, pitch in notes
        if MIN_PITCH <= pitch <= MAX_PITCH and 0 <= start < steps and end > start
    ]
    melody = _line(inside, sign=1)
    taken = set(melody)
    bass = _line([note for note in inside if note not in taken], sign=-1)
    return sorted([*_of_voice(melody, MELODY), *_of_voice(bass, BASS)])


def _line(notes: list[tuple[int, int, int]], *, sign: int) -> list[tuple[int, int, int]]:
    outermost: dict[int, tuple[int, int, int]] = {}
    for note in notes:
        held = outermost.get(note[0])
        if held is None or (sign * note[2], note[1]) > (sign * held[2], held[1]):
            outermost[note[0]] = note
    line: list[tuple[int, int, int]] = []
    for start in sorted(outermost):
        note = outermost[start]
        if line and line[-1][1] > start and sign * line[-1][2] > sign * note[2]:
            continue
        line.append(note)
    return line


def _of_voice(line: list[tuple[int, int, int]], voice: int) -> list[VoiceNote]:
    """Return a line as notes of a voice, each ending where the next begins at the latest."""
    following: list[int | None] = [*(note[0] for note in line[1:]), None][: len(line)]
    return [
        VoiceNote(start, end if after is None else min(end, after), pitch, voice)
        for (start, end, pitch), after in zip(line, following, strict=True)
    ]
