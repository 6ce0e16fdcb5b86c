"""Sections come to rest: long last notes on stable degrees, open before a variation, a cadence at the end."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from therapy_gen.music.arranging.arrange import arrange, steps_of
from therapy_gen.music.arranging.cadences import apply_cadences
from therapy_gen.music.arranging.voice_leading import VoiceLine, gentle_lines
from therapy_gen.music.tokens import STEPS_PER_BAR, STEPS_PER_SECTION, Tokens
from therapy_gen.music.tonality import scale_pitch_classes


def running(seed: int) -> Tokens:
    """A section of notes of C major that never comes to rest."""
    rng = np.random.default_rng(seed)
    scale = sorted(scale_pitch_classes(0, "major"))
    section = np.zeros((STEPS_PER_SECTION, 3), dtype=np.uint8)
    for voice, (every, low) in enumerate(((2, 72), (8, 60), (8, 43))):
        for step in range(0, STEPS_PER_SECTION, every):
            section[step, voice] = 2 + low - 21 + scale[rng.integers(7)] - (low % 12 if low % 12 else 0)
    return section


def at(line: VoiceLine, step: int) -> int:
    return next(note.pitch for note in line if note.start <= step < note.end)


@pytest.mark.parametrize(
    ("form", "roots"),
    [(("A", "A'"), (7, 7)), (("A", "B"), (0, 7)), (("A", "A'", "B", "A"), (7, 0, 0, 7))],
)
@pytest.mark.parametrize("tonic", [0, 5])
def test_sections_end_closed_or_open_and_their_melody_rests(
    form: tuple[str, ...], roots: tuple[int, ...], tonic: int
) -> None:
    lines = gentle_lines([running(ord(label[0])) for label in form], tonic)
    melody, inner, bass = apply_cadences(lines, form, [tonic] * len(form), "major")
    for number, root in enumerate(roots):
        seam = (number + 1) * STEPS_PER_SECTION
        tones = {(tonic + root + third) % 12 for third in (0, 4, 7)}
        assert at(bass, seam - 1) % 12 == (tonic + root) % 12
        assert at(inner, seam - 1) % 12 in tones
        last = next(note for note in melody if note.start < seam <= note.end)
        assert last.pitch % 12 in tones
        assert last.end - last.start >= STEPS_PER_BAR // 4
        middle = seam - STEPS_PER_SECTION // 2
        rest = next(note for note in melody if note.start < middle <= note.end)
        assert rest.end - rest.start >= STEPS_PER_BAR // 4


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=3), st.sampled_from(["major", "minor"]), st.integers(0, 11))
def test_lines_stay_lines(seeds: list[int], mode: str, tonic: int) -> None:
    before = gentle_lines([running(seed) for seed in seeds], tonic)
    for line, settled in zip(
        before, apply_cadences(before, ["A"] * len(seeds), [tonic] * len(seeds), mode), strict=True
    ):
        assert all(a.end <= b.start and a.start < a.end for a, b in pairwise(settled))
        assert all(abs(a.pitch - b.pitch) <= 12 for a, b in pairwise(settled))
        assert len(settled) <= len(line) + 2 * len(seeds)


def test_voices_that_are_silent_stay_silent() -> None:
    assert apply_cadences([[], [], []], ["A"], [0], "major") == [[], [], []]


@pytest.mark.parametrize("mode", ["major", "minor"])
def test_a_piece_ends_from_the_dominant_to_the_tonic(mode: str) -> None:
    made = arrange([running(3)], tonic=2, mode=mode, tempo=60, seed=0)
    bass = made.parts[2].notes
    assert [note.pitch % 12 for note in bass[-2:]] == [9, 2]
    begins = steps_of(1, 60)[STEPS_PER_SECTION - STEPS_PER_BAR // 2]
    assert bass[-2].onset <= begins + 0.02
    sounding = {
        n.pitch % 12 for part in made.parts for n in part.notes if n.onset <= begins + 1.0 < n.onset + n.duration
    }
    assert sounding <= {9, 1, 4}


def test_labels_that_do_not_match_the_sections_are_refused() -> None:
    with pytest.raises(ValueError, match="2 labels for 1 sections"):
        arrange([running(0)], tonic=0, mode="major", tempo=60, seed=0, form=("A", "B"))
