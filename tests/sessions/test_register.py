"""Register: melodies follow the arc, neighbouring pieces by small steps, in related keys."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sessions.builder import new_session
from sessions.planning.keys import fifths_between
from sessions.planning.plan import SessionRequest, usual_tempo
from sessions.records import PieceRecord, SessionRecord
from sessions.storage.library import get_piece, midi_of
from sessions.storage.piece_import import import_pieces
from sessions.storage.store import Store
from therapy_gen.music.analysis.register import pitch_name, register_of
from therapy_gen.music.midi.midi import read_performance, to_midi
from therapy_gen.music.performance import Note, Part, Performance
from therapy_gen.music.tonality import parse_key
from therapy_gen.musicvae.model import Model


def registers(record: SessionRecord) -> list[float]:
    found = [piece.register for piece in record.pieces()]
    assert None not in found
    return [lies for lies in found if lies is not None]


def steps(record: SessionRecord) -> list[float]:
    return [abs(b - a) for a, b in pairwise(registers(record))]


def related(pieces: list[PieceRecord]) -> bool:
    return all(fifths_between(parse_key(a.key), parse_key(b.key)) <= 1 for a, b in pairwise(pieces))


@pytest.mark.long
@pytest.mark.parametrize("arc", ["calm", "iso"])
def test_neighbouring_pieces_lie_about_as_high(arc: str, store: Store, model: Model) -> None:
    """`benchmarks/music/arcs.py` has more seeds and arcs, and the bounds that docs/sessions.md states."""
    found: list[float] = []
    keys = set()
    for seed in range(4):
        made = new_session(store, model, SessionRequest(minutes=16.0, arc=arc, tempo=usual_tempo(arc)), seed=seed)
        found += steps(made)
        keys |= {piece.key for piece in made.pieces()}
        assert related(made.pieces())
    assert np.mean(found) <= 2.0
    assert max(found) <= 5.0
    # Not by staying where the first piece is.
    assert len(keys) >= 4


def test_melodies_sink_as_an_arc_grows_calmer(store: Store, model: Model) -> None:
    sinks = []
    for seed in range(2):
        request = SessionRequest(minutes=16.0, arc="iso", arousal=0.5, tempo=usual_tempo("iso", 0.5))
        lie = registers(new_session(store, model, request, seed=seed))
        sinks.append(np.mean(lie[:2]) - np.mean(lie[-2:]))
    assert np.mean(sinks) > 1.5


def test_in_one_key_octaves_are_chosen(store: Store, model: Model) -> None:
    """A fifth is then out of reach: half an octave is as near as transposition comes."""
    made = new_session(store, model, SessionRequest(minutes=24.0, key="Am"), seed=2)
    assert {piece.key for piece in made.pieces()} == {"A minor"}
    assert max(steps(made)) <= 8.0


def test_pieces_that_are_there_are_regarded(store: Store, model: Model) -> None:
    """Two pieces of other sessions stand among new ones, which come to them in key and register."""
    heard = [
        new_session(store, model, SessionRequest(minutes=4.0, key=key), seed=seed).pieces()[0]
        for seed, key in enumerate(("E", "D"))
    ]
    found: list[float] = []
    for seed in range(2):
        made = new_session(
            store, model, SessionRequest(minutes=24.0), seed=seed, requested=[piece.id for piece in heard]
        )
        assert {piece.id for piece in heard} < {piece.id for piece in made.pieces()}
        for one, two in pairwise(made.pieces()):
            assert fifths_between(parse_key(one.key), parse_key(two.key)) <= 2
        found += steps(made)
    assert np.mean(found) <= 2.5
    assert max(found) <= 6.0


def test_what_is_noted_is_what_the_melody_plays(store: Store, model: Model) -> None:
    made = new_session(store, model, SessionRequest(minutes=8.0), seed=5)
    midi = midi_of(store, [piece.id for piece in made.pieces()])
    for piece in made.pieces():
        performance = read_performance(midi[piece.id])
        melody = next(part for part in performance.parts if part.name == "Melody")
        assert piece.register == pytest.approx(np.mean([note.pitch for note in melody.notes]), abs=0.01)
        assert register_of(performance) == pytest.approx(piece.register, abs=0.01)
        # In the middle of the keyboard, as ever.
        assert all(57 <= note.pitch <= 81 for note in melody.notes)
        assert "register" not in piece.features
    items = made.document()["session"]["items"]
    assert [item["register"] for item in items if item["piece"]] == registers(made)
    assert all(item["register"] is None for item in items if not item["piece"])


def test_an_imported_piece_lies_where_its_highest_line_does(store: Store, tmp_path: Path) -> None:
    chords = [Note(2.0 * bar, 1.9, pitch, 60) for bar in range(8) for pitch in (48, 64, 67 + bar % 2)]
    drums = Part("Drums", 0, (Note(0.0, 0.1, 90, 60),), bank=128)
    file = tmp_path / "chords.mid"
    file.write_bytes(to_midi(Performance((Part("Piano", 0, tuple(chords)), drums), 60.0, "", 18.0, ""), title="Chords"))
    (imported,) = import_pieces(store, [file])
    assert get_piece(store, imported.piece.id).register == pytest.approx(67.5)


@pytest.mark.parametrize(("pitch", "name"), [(60, "C4"), (69.2, "A4"), (58.6, "B3"), (72, "C5"), (66, "F♯4")])
def test_pitches_have_names(pitch: float, name: str) -> None:
    assert pitch_name(pitch) == name
