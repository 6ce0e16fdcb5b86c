"""The play log: what was heard when, also where the program did not end as it should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sessions.errors import NotFoundError
from sessions.records import SessionRecord
from sessions.storage.library import delete_session
from sessions.storage.play_log import PlayWriter, list_plays, log_play
from sessions.storage.store import Store

STARTED = datetime(2026, 7, 1, 20, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))


def test_a_play_keeps_its_moment_and_its_stretches(store: Store, session: SessionRecord) -> None:
    writer = PlayWriter(store, session.id, STARTED)
    writer.begin(0, 0.25)
    writer.end(10.25)
    writer.begin(1, 10.25)
    writer.end(30.5)
    writer.begin(1, 41.0, from_s=20.25)
    writer.close(50.0, finished=False)
    (play,) = list_plays(store, session.id)
    assert play.started == STARTED
    assert play.started.tzinfo is UTC
    assert (play.ended_s, play.finished) == (50.0, False)
    piece = session.items[1].piece
    assert piece is not None
    told = [(one.position, one.role, one.piece, one.onset_s, one.duration_s, one.from_s) for one in play.stretches]
    assert told == [
        (0, "silence", None, 0.25, 10.0, 0.0),
        (1, "music", piece.id, 10.25, 20.25, 0.0),
        (1, "music", piece.id, 41.0, 9.0, 20.25),
    ]


def test_a_program_that_was_killed_leaves_what_was_heard(store: Store, session: SessionRecord) -> None:
    writer = PlayWriter(store, session.id, STARTED)
    writer.begin(0, 0.0)
    writer.begin(1, 10.0)
    (play,) = list_plays(store)
    assert (play.ended_s, play.finished) == (None, False)
    assert [one.duration_s for one in play.stretches] == [10.0, session.items[1].duration_s]


def test_what_a_killed_program_left_open_ends_where_the_next_play_begins(store: Store, session: SessionRecord) -> None:
    killed = PlayWriter(store, session.id, STARTED)
    killed.begin(1, 2.0)
    again = log_play(store, session.id, STARTED + timedelta(seconds=8.5), [(1, 0.0, 20.0)])
    log_play(store, session.id, STARTED - timedelta(hours=1), [(0, 0.0, 10.0)])
    _, first, second = list_plays(store)
    assert [one.duration_s for one in first.stretches] == [6.5]
    assert second == again


def test_deleting_a_session_deletes_its_log(store: Store, session: SessionRecord) -> None:
    log_play(store, session.id, STARTED, [(0, 0.0, 10.0)])
    delete_session(store, session.id)
    assert list_plays(store) == []
    assert store.check() == []


def test_a_session_that_does_not_exist_is_refused(store: Store) -> None:
    with pytest.raises(NotFoundError, match="session 9 does not exist"):
        PlayWriter(store, 9, STARTED)


def test_postgres_keeps_the_log(postgres: str) -> None:
    from sessions.builder import new_session
    from sessions.planning.plan import SessionRequest
    from therapy_gen.musicvae.model import load_model

    store = Store.open(postgres)
    made = new_session(store, load_model(), SessionRequest(minutes=3.0), seed=3)
    log_play(store, made.id, STARTED, [(0, 0.5, 60.0)])
    (play,) = list_plays(store, made.id)
    assert play.started == STARTED
    assert play.stretches[0].onset_s == 0.5
    delete_session(store, made.id)
    assert list_plays(store) == []
