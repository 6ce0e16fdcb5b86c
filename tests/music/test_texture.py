"""Patterns of accompaniments: held voices move in contrasting sections, in the chord, below the melody."""

from __future__ import annotations

from itertools import pairwise

import pytest

from therapy_gen.music.arranging.harmony import infer_chords
from therapy_gen.music.arranging.texture import ALTERNATING, BROKEN, HELD, ROCKING, patterns_of, with_patterns
from therapy_gen.music.metre import FOUR_FOUR, METRES
from therapy_gen.music.tokens import STEPS_PER_BAR, STEPS_PER_SECTION, VoiceNote

BARS = 16
# C, G, A minor and F, as melody, inner voice and bass.
CHORDS = ((76, 60, 48), (74, 59, 43), (76, 60, 45), (77, 60, 41))


def chorale() -> list[list[VoiceNote]]:
    """Held notes, a bar each, under a melody that moves in halves."""
    lines: list[list[VoiceNote]] = [[], [], []]
    for bar in range(BARS):
        melody, inner, bass = CHORDS[bar % 4]
        start = bar * STEPS_PER_BAR
        lines[0] += [VoiceNote(start, start + 8, melody, 0), VoiceNote(start + 8, start + 16, melody + 3, 0)]
        lines[1].append(VoiceNote(start, start + 16, inner, 1))
        lines[2].append(VoiceNote(start, start + 16, bass, 2))
    return lines


@pytest.mark.parametrize(("pattern", "voice"), [(ROCKING, 1), (BROKEN, 1), (ALTERNATING, 2)])
@pytest.mark.parametrize("metre", ["4/4", "3/4"])
def test_held_voices_take_turns_between_tones_of_the_chord(pattern: str, voice: int, metre: str) -> None:
    lines = chorale()
    chords = infer_chords([note for line in lines for note in line], STEPS_PER_SECTION, 0, "major", METRES[metre])
    moved = with_patterns(lines, chords, [pattern], METRES[metre])
    assert moved[0] == lines[0]
    assert moved[3 - voice] == lines[3 - voice]
    line = moved[voice]
    assert len(line) > 1.5 * len(lines[voice])
    assert all(a.end == b.start for a, b in pairwise(line))
    # What a bar begins with, and the whole of the last one, are as they were.
    assert [note for note in line if note.start % STEPS_PER_BAR == 0 and note.start < 240] != []
    assert {note.pitch for note in line if note.start % STEPS_PER_BAR == 0} == {n.pitch for n in lines[voice]}
    assert line[-1] == lines[voice][-1]
    for note in line:
        (chord,) = [one for one in chords if one.start <= note.start < one.end]
        assert note.pitch % 12 in chord.pitch_classes
        assert note.start % STEPS_PER_BAR < METRES[metre].steps
        assert note.pitch < min(other.pitch for other in lines[0])


def test_what_moves_already_stays_and_held_sections_too() -> None:
    lines = chorale()
    chords = infer_chords([note for line in lines for note in line], STEPS_PER_SECTION, 0, "major")
    assert with_patterns(lines, chords, [HELD], FOUR_FOUR) == lines
    busy = [lines[0], [n._replace(start=s, end=s + 4) for n in lines[1] for s in range(n.start, n.end, 4)], lines[2]]
    assert with_patterns(busy, chords, [ROCKING], FOUR_FOUR) == busy


@pytest.mark.parametrize("seed", range(6))
def test_every_thought_has_a_pattern_of_its_own(seed: int) -> None:
    first, second, third, again = patterns_of(("A", "A'", "B", "A"), seed)
    assert first == again == HELD
    assert len({first, second, third}) == 3
