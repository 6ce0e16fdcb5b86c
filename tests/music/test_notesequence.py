"""Tokens and NoteSequences are the same thing, both ways, and what cannot be tokens is refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.needs import needs
from therapy_gen.errors import InputError
from therapy_gen.music.tokens import VoiceNote, notes_to_tokens, tokens_to_notes

needs("note_seq", "note-seq is an extra")

from therapy_gen.music.notesequence import from_note_sequence, to_note_sequence


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 89), min_size=3, max_size=3), min_size=32, max_size=32),
    st.sampled_from([30.0, 57.3, 66.0, 120.0, 133.7]),
)
def test_tokens_survive_the_way_to_a_note_sequence_and_back(rows: list[list[int]], qpm: float) -> None:
    tokens = notes_to_tokens(tokens_to_notes(np.array(rows, dtype=np.uint8)), 32)
    assert np.array_equal(from_note_sequence(to_note_sequence(tokens, qpm)), tokens)


def test_a_note_sequence_of_ours_reads_as_midi_elsewhere(tmp_path) -> None:
    tokens = notes_to_tokens([VoiceNote(0, 4, 60, 0), VoiceNote(4, 16, 64, 0), VoiceNote(0, 16, 40, 2)], 16)
    path = tmp_path / "x.mid"
    import note_seq

    note_seq.sequence_proto_to_midi_file(to_note_sequence(tokens, 60.0), str(path))
    read = note_seq.midi_file_to_note_sequence(str(path))
    assert sorted((round(n.start_time, 3), round(n.end_time, 3), n.pitch) for n in read.notes) == [
        (0.0, 1.0, 60),
        (0.0, 4.0, 40),
        (1.0, 4.0, 64),
    ]


def test_what_is_off_the_grid_is_refused() -> None:
    sequence = to_note_sequence(np.zeros((16, 3), dtype=np.uint8), 60.0)
    sequence.notes.add(pitch=60, velocity=80, start_time=0.1, end_time=1.0, instrument=0)
    with pytest.raises(InputError, match="off the sixteenth grid"):
        from_note_sequence(sequence)


def test_two_tempi_are_refused() -> None:
    sequence = to_note_sequence(np.zeros((16, 3), dtype=np.uint8), 60.0)
    sequence.tempos.add(time=1.0, qpm=90.0)
    with pytest.raises(InputError, match="2 tempi"):
        from_note_sequence(sequence)
