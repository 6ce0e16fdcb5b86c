"""Accompaniment patterns: where voices only hold notes, each section has a pattern that moves them.

Voices that move already are left as they are. Patterns move by beats, between tones of the chord, below the melody.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from therapy_gen.music.arranging.harmony import Chord
from therapy_gen.music.arranging.voice_leading import VoiceLine
from therapy_gen.music.metre import Metre
from therapy_gen.music.tokens import BARS_PER_SECTION, STEPS_PER_BAR, STEPS_PER_QUARTER, STEPS_PER_SECTION, VoiceNote

HELD, ROCKING, BROKEN, ALTERNATING = "held", "rocking", "broken", "alternating bass"
# Patterns of contrasts and variations, by turns; the first theme is held.
_PATTERNS = (ROCKING, ALTERNATING, BROKEN)
# A voice with so many notes a bar, or fewer, is held; and so are single notes of this length.
_HELD_NOTES = 2.0
_HELD_STEPS = 2 * STEPS_PER_QUARTER
# The voices' ranges, and how far a pattern moves from the note that it replaces.
_INNER_LOW, _BASS_LOW, _BASS_HIGH = 50, 36, 55
_NEAREST, _FURTHEST = 3, 9
_SECONDS = (1, 2, 10, 11)

# From a note to the pitches of its pattern in turn, its own first; only that where no other fits.
Turns = Callable[[VoiceNote], list[int]]


def patterns_of(form: Sequence[str], seed: int) -> tuple[str, ...]:
    """Return the pattern of each section of a form: the first theme is held, all others have a pattern.

    Examples
    --------
    >>> patterns_of(("A", "A'", "B", "A"), seed=0)
    ('held', 'rocking', 'alternating bass', 'held')
    """
    labels = list(dict.fromkeys(form))
    of = {
        label: HELD if number == 0 else _PATTERNS[(seed + number - 1) % len(_PATTERNS)]
        for number, label in enumerate(labels)
    }
    return tuple(of[label] for label in form)


def with_patterns(
    lines: Sequence[VoiceLine], chords: Sequence[Chord], patterns: Sequence[str], metre: Metre
) -> list[VoiceLine]:
    """Return melody, inner voice and bass, with patterns in the latter two where they are held.

    Parameters
    ----------
    lines : sequence of (list of VoiceNote)
        Melody, inner voice, bass; each by start, one note at a time.
    chords : sequence of Chord
        Without gaps, by start.
    patterns : sequence of str
        Of each section.
    metre : Metre
    """
    melody, inner, bass = (list(line) for line in lines)
    starts = [chord.start for chord in chords]

    def chord_at(step: int) -> Chord:
        return chords[max(bisect_right(starts, step) - 1, 0)]

    for number, pattern in enumerate(patterns):
        begin = number * STEPS_PER_SECTION
        if pattern in (ROCKING, BROKEN):
            moved = _inner_turns(melody, bass, chord_at, broken=pattern == BROKEN)
            inner = _moved(inner, begin, STEPS_PER_QUARTER, moved, metre)
        elif pattern == ALTERNATING:
            bass = _moved(bass, begin, _HELD_STEPS, _bass_turns(inner, chord_at), metre)
    return [melody, inner, bass]


def _inner_turns(melody: VoiceLine, bass: VoiceLine, chord_at: Callable[[int], Chord], *, broken: bool) -> Turns:
    def turns(note: VoiceNote) -> list[int]:
        around = [*_together(melody, note), *_together(bass, note)]
        above = min((pitch for pitch in _together(melody, note)), default=note.pitch + _FURTHEST + 1)
        tones = [
            pitch
            for pitch in range(max(note.pitch - _FURTHEST, _INNER_LOW), min(note.pitch + _FURTHEST + 1, above))
            if pitch % 12 in chord_at(note.start).pitch_classes
            and abs(pitch - note.pitch) >= _NEAREST
            and not any((pitch - other) % 12 in _SECONDS for other in around)
        ]
        nearest = sorted(tones, key=lambda pitch: (abs(pitch - note.pitch), pitch))
        if broken and len(nearest) > 1:
            return [note.pitch, nearest[0], nearest[1], nearest[0]]
        return [note.pitch, *nearest[:1]]

    return turns


def _bass_turns(inner: VoiceLine, chord_at: Callable[[int], Chord]) -> Turns:
    def turns(note: VoiceNote) -> list[int]:
        root, _, fifth = chord_at(note.start).pitch_classes
        if note.pitch % 12 != root:
            return [note.pitch]
        ceiling = min(_together(inner, note), default=_BASS_HIGH + 1)
        fifths = [
            pitch
            for pitch in (note.pitch - 5, note.pitch + 7)
            if pitch % 12 == fifth and _BASS_LOW <= pitch < min(ceiling, _BASS_HIGH + 1)
        ]
        return [note.pitch, *fifths[:1]]

    return turns


def _moved(line: VoiceLine, begin: int, unit: int, turns: Turns, metre: Metre) -> VoiceLine:
    """Return a line with a section's held notes, except in its last bar, divided into the pitches of a pattern."""
    end = begin + STEPS_PER_SECTION - STEPS_PER_BAR
    inside = [note for note in line if begin <= note.start < begin + STEPS_PER_SECTION]
    if len(inside) > _HELD_NOTES * BARS_PER_SECTION:
        return line
    moved: VoiceLine = []
    for note in line:
        cuts = [step for step in range(note.start, note.end, unit) if step % STEPS_PER_BAR < metre.steps]
        held = begin <= note.start and note.end <= end and note.end - note.start >= _HELD_STEPS
        pitches = turns(note) if held and note.start % STEPS_PER_QUARTER == 0 and len(cuts) > 1 else []
        if len(pitches) < 2:
            moved.append(note)
            continue
        for place, (step, following) in enumerate(zip(cuts, [*cuts[1:], note.end], strict=True)):
            moved.append(note._replace(start=step, end=following, pitch=pitches[place % len(pitches)]))
    return moved


def _together(line: VoiceLine, note: VoiceNote) -> list[int]:
    """Return the pitches of a line, by start, that sound with a note."""
    first = max(bisect_right(line, note.start, key=lambda other: other.start) - 1, 0)
    found = []
    for other in line[first:]:
        if other.start >= note.end:
            break
        if other.end > note.start:
            found.append(other.pitch)
    return found
