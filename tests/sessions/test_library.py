from __future__ import annotations

import multiprocessing
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from sessions.builder import new_session
from sessions.errors import NotFoundError
from sessions.planning.plan import SessionRequest
from sessions.records import SessionRecord
from sessions.storage.library import (
    delete_session,
    get_piece,
    get_session,
    list_pieces,
    list_sessions,
    midi_of,
    rate,
    z_of,
)
from sessions.storage.listeners import listener_name, new_listener, only_listener_of, similar_listeners
from sessions.storage.piece_edits import rename_piece
from sessions.storage.store import Store
from sessions.storage.tables import ModelRow, PieceRow, PlayRow, RatingRow, RecordingRow
from tests.processes import forking
from therapy_gen.errors import InputError
from therapy_gen.music.midi.midi import read_performance
from therapy_gen.musicvae.model import Model, load_model

SHORT = SessionRequest(minutes=1.0)


def test_what_was_made_is_what_is_found(store: Store, session: SessionRecord) -> None:
    assert get_session(store, session.id) == session
    assert [summary.id for summary in list_sessions(store)] == [session.id]
    assert list_sessions(store)[0].pieces == len(session.pieces()) == 2
    assert list_pieces(store) == sorted(session.pieces(), key=lambda piece: piece.id)
    assert session.listener == "ana"
    assert store.check() == []
    ids = [piece.id for piece in session.pieces()]
    assert only_listener_of(store, ids) == "ana"
    assert only_listener_of(store, [*ids, "0" * 26]) is None
    new_listener(store, "ben")
    assert only_listener_of(store, ids) is None


def test_pieces_sort_as_they_come_and_differ_early(store: Store, session: SessionRecord) -> None:
    del session
    ids = [piece.id for piece in list_pieces(store)]
    assert ids == sorted(ids)
    assert len({id_[:10] for id_ in ids}) == len(ids)


def test_a_stored_latent_vector_is_the_piece(store: Store, session: SessionRecord, model: Model) -> None:
    import numpy as np

    with store.read() as database:
        for row in database.scalars(select(PieceRow)):
            assert row.z is not None
            assert row.form is not None
            z = np.frombuffer(row.z, "<f4").reshape(-1, model.config.z_size)
            assert len(z) == len(set(row.form.split()))
    ids = [piece.id for piece in list_pieces(store)]
    with store.write() as database:
        other = ModelRow(name="other", sha256="0" * 64, config={})
        database.add(other)
        database.flush()
        database.get_one(PieceRow, ids[-1]).model_id = other.id
    assert z_of(store, ids, model.sha256).keys() == set(ids[:-1])
    assert z_of(store, ids, other.sha256).keys() == {ids[-1]}


@pytest.mark.parametrize("number", [0, -1, 2, 2**31, 10**30])
def test_a_session_that_is_not_there(store: Store, session: SessionRecord, number: int) -> None:
    del session
    with pytest.raises(NotFoundError, match=f"session {number} does not exist"):
        get_session(store, number)


def test_pieces_are_found_by_any_prefix_that_is_theirs_alone(store: Store, session: SessionRecord) -> None:
    first, second = session.pieces()
    assert get_piece(store, first.id) == first
    assert get_piece(store, second.id[:12].lower()) == second
    with pytest.raises(InputError, match="give more of its id"):
        get_piece(store, first.id[:4])
    with pytest.raises(NotFoundError, match="not in the library"):
        get_piece(store, "ZZZZ")
    for bad in ("", "01K", "%%%%", "____", "01KA;--", first.id + "0", "é" * 5):
        with pytest.raises(InputError, match="no piece id"):
            get_piece(store, bad)


def test_ratings_replace_each_other(store: Store, session: SessionRecord) -> None:
    piece = session.pieces()[0]
    rate(store, session.id, piece.id[:12], 2)
    rated, found = rate(store, session.id, piece.id, 5)
    assert found == piece
    assert {item.rating for item in rated.items if item.piece == piece} == {5}
    assert {item.rating for item in rated.items if item.piece != piece} == {None}
    with store.read() as database:
        assert [row.value for row in database.scalars(select(RatingRow))] == [5]


@pytest.mark.parametrize("value", [0, 6, -1])
def test_ratings_go_from_one_to_five(store: Store, session: SessionRecord, value: int) -> None:
    with pytest.raises(InputError, match="out of range; give 1"):
        rate(store, session.id, session.pieces()[0].id, value)


def test_only_what_was_heard_can_be_rated(store: Store, session: SessionRecord, model: Model) -> None:
    other = new_session(store, model, SHORT, seed=1)
    with pytest.raises(NotFoundError, match=f"not in session {other.id}"):
        rate(store, other.id, session.pieces()[0].id, 3)


def test_a_deleted_session_leaves_its_pieces_and_its_number(store: Store, session: SessionRecord, model: Model) -> None:
    rate(store, session.id, session.pieces()[0].id, 4)
    assert delete_session(store, session.id) == 0
    assert list_sessions(store) == []
    assert list_pieces(store) == sorted(session.pieces(), key=lambda piece: piece.id)
    assert new_session(store, model, SHORT, seed=1).id == session.id + 1
    assert store.check() == []


def test_a_session_can_be_deleted_with_pieces_that_nothing_else_holds(
    store: Store, session: SessionRecord, model: Model
) -> None:
    kept = session.pieces()[0]
    with store.write() as database:
        recording = RecordingRow(sha256="0" * 64, file="a.fif", session_id=session.id, facts={})
        database.add(recording)
        database.flush()
        database.add(PlayRow(recording_id=recording.id, piece_id=kept.id, onset_s=0.0, duration_s=9.0, clean_s=8.0))
    assert delete_session(store, session.id, with_pieces=True) == 1
    assert list_pieces(store) == [kept]
    with store.read() as database:
        assert database.scalars(select(RecordingRow)).one().session_id is None
        assert database.scalars(select(PlayRow)).one().piece_id == kept.id
    assert store.check() == []


NAMES = [
    'O"Hara',
    "d'Arc",
    "a\nb",
    "tab\there",
    "Zoë 🎧🎶",
    "); DROP TABLE sessions;--",
    "[red]x[/red]",
    "名前",
    "%s{}",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_comes_back_as_it_was(name: str, store: Store, model: Model) -> None:
    made = new_session(store, model, SHORT, seed=1, listener=name)
    assert get_session(store, made.id).listener == name
    assert new_session(store, model, SHORT, seed=2, listener=f" {name} ").listener == name
    assert store.info().listeners == 1


def test_names_that_differ_in_case_and_dots_are_found(store: Store) -> None:
    for name in ("ana", "ANA", "Ána.", "anna"):
        new_listener(store, name)
    assert set(similar_listeners(store, "ana")) == {"ANA", "Ána."}
    assert set(similar_listeners(store, "Ána.")) == {"ANA", "ana"}


@pytest.mark.parametrize("name", ["\ud800", "a\udfff", "a\0b"])
def test_a_name_that_is_no_text_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="is not text"):
        listener_name(name)


@given(st.text(max_size=250))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_name_is_kept_or_refused(name: str) -> None:
    try:
        kept = listener_name(name)
    except InputError:
        return
    assert listener_name(kept) == kept
    kept.encode()


def test_accents_written_in_two_ways_are_one_listener(store: Store, model: Model) -> None:
    for name in ("Zo\u00eb", "Zoe\u0308"):
        new_session(store, model, SHORT, seed=1, listener=name)
    assert store.info().listeners == 1


def _make(path: Path, seeds: range, results: multiprocessing.Queue[object]) -> None:
    store = Store.open(path)
    model = load_model()
    for seed in seeds:
        results.put(new_session(store, model, SHORT, seed=seed, listener="ana").id)


def test_two_processes_store_sessions_at_once(tmp_path: Path) -> None:
    context = forking()
    results: multiprocessing.Queue[object] = context.Queue()
    path = tmp_path / "a.db"
    processes = [context.Process(target=_make, args=(path, range(n, n + 4), results)) for n in (0, 10)]
    for process in processes:
        process.start()
    ids = [results.get(timeout=120) for _ in range(8)]
    for process in processes:
        process.join()
    assert sorted(ids) == list(range(1, 9))  # type: ignore[type-var]
    store = Store.open(path)
    assert store.check() == []
    assert store.info().listeners == 1
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM models").fetchone() == (1,)


def test_postgres_keeps_sessions_too(postgres: str, model: Model) -> None:
    store = Store.open(postgres)
    made = new_session(store, model, SHORT, seed=2**63 - 1, listener="Zoë 🎧\n")
    assert get_session(store, made.id) == made
    rate(store, made.id, made.pieces()[0].id[:10], 4)
    assert midi_of(store, [made.pieces()[0].id])[made.pieces()[0].id][:4] == b"MThd"
    assert store.check() == []
    assert delete_session(store, made.id, with_pieces=True) == 1
    assert list_pieces(store) == []


def test_titles_are_unique_but_for_the_same_music(store: Store, model: Model) -> None:
    made = [
        new_session(store, model, SessionRequest(minutes=3.0), seed=seed, palette=palette)
        for seed, palette in ((1, "piano"), (1, "harp"), (1, "guitar"), (1, "piano"))
    ]
    titles = [session.pieces()[0].title for session in made]
    assert titles[1:3] == [f"{titles[0]} II", f"{titles[0]} III"]
    assert titles[3] == titles[0]
    ids = [session.pieces()[0].id for session in made]
    music = midi_of(store, ids)
    midi = [music[id_] for id_ in ids]
    assert midi[0] == midi[3]
    assert read_performance(midi[1]).title == titles[0]
    renamed = rename_piece(store, ids[1], "Quiet Hour")
    assert read_performance(midi_of(store, [renamed.id])[renamed.id]).title == "Quiet Hour"
