"""Voices on the grid and tokens are the same thing, both ways, for every input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from therapy_gen.music.tokens import (
    HOLD,
    MAX_PITCH,
    MIN_PITCH,
    NOTE_OFF,
    NUM_CLASSES,
    VoiceNote,
    notes_to_tokens,
    pitch_to_token,
    token_to_pitch,
    tokens_to_notes,
)

STEPS = 64


@st.composite
def voices(draw: st.DrawFn) -> list[VoiceNote]:
    notes = []
    for voice in range(3):
        step = 0
        for gap, length, pitch in draw(
            st.lists(st.tuples(st.integers(0, 6), st.integers(1, 12), st.integers(MIN_PITCH, MAX_PITCH)), max_size=12)
        ):
            start, end = step + gap, step + gap + length
            if end > STEPS:
                break
            notes.append(VoiceNote(start, end, pitch, voice))
            step = end
    return sorted(notes)


@settings(deadline=None)
@given(voices())
def test_notes_survive_the_way_to_tokens_and_back(notes: list[VoiceNote]) -> None:
    assert tokens_to_notes(notes_to_tokens(notes, STEPS)) == notes


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, NUM_CLASSES - 1), min_size=3, max_size=3), min_size=STEPS, max_size=STEPS))
def test_any_tokens_read_as_notes_that_write_one_canonical_form(rows: list[list[int]]) -> None:
    tokens = np.array(rows, dtype=np.uint8)
    notes = tokens_to_notes(tokens)
    canonical = notes_to_tokens(notes, STEPS)
    assert tokens_to_notes(canonical) == notes
    assert np.array_equal(notes_to_tokens(tokens_to_notes(canonical), STEPS), canonical)


def test_a_note_off_stands_only_where_a_note_ends_in_a_rest() -> None:
    tokens = notes_to_tokens([VoiceNote(0, 4, 60, 0), VoiceNote(4, 6, 62, 0), VoiceNote(8, 10, 64, 0)], 10)
    assert tokens[:, 0].tolist() == [
        pitch_to_token(60),
        0,
        0,
        0,
        pitch_to_token(62),
        0,
        NOTE_OFF,
        0,
        pitch_to_token(64),
        0,
    ]
    assert (tokens[:, 1:] == HOLD).all()


def test_classes_are_those_of_magenta() -> None:
    assert NUM_CLASSES == 90
    assert pitch_to_token(21) == 2
    assert token_to_pitch(89) == 108


@pytest.mark.parametrize(
    "notes",
    [
        [VoiceNote(0, 4, 60, 0), VoiceNote(3, 5, 62, 0)],
        [VoiceNote(0, 0, 60, 0)],
        [VoiceNote(0, STEPS + 1, 60, 0)],
        [VoiceNote(-1, 2, 60, 0)],
        [VoiceNote(0, 4, 20, 0)],
        [VoiceNote(0, 4, 109, 1)],
    ],
)
def test_impossible_notes_are_refused(notes: list[VoiceNote]) -> None:
    with pytest.raises(ValueError, match="overlaps|lie within|outside"):
        notes_to_tokens(notes, STEPS)
