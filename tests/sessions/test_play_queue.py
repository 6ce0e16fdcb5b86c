"""Playing while the database has no time."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import UTC, datetime

import pytest

from sessions.playback.log import QueuedPlayLog
from sessions.records import SessionRecord
from sessions.storage.library import delete_session
from sessions.storage.play_log import list_plays
from sessions.storage.store import Store

# Another writer locks the file of SQLite.
ON_FILE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
STARTED = datetime(2026, 11, 1, 20, 0, tzinfo=UTC)


@ON_FILE
def test_locked_database_delays_no_sound(store: Store, session: SessionRecord, database: str) -> None:
    holder = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    hurried = Store(f"sqlite:///{database}?timeout=0.1")
    began = time.monotonic()
    log = QueuedPlayLog(hurried, session.id, STARTED)
    log.begin(0, 0.0)
    log.end(4.0)
    log.begin(1, 4.0)
    log.close(9.0, finished=False)
    assert time.monotonic() - began < 0.5
    threading.Timer(1.0, lambda: holder.execute("COMMIT")).start()
    log.wait()
    assert log.problem is None
    (play,) = list_plays(store, session.id)
    assert (play.started, play.ended_s, play.finished) == (STARTED, 9.0, False)
    assert [(one.position, one.onset_s, one.duration_s) for one in play.stretches] == [(0, 0.0, 4.0), (1, 4.0, 5.0)]


@ON_FILE
def test_patience_ends(store: Store, session: SessionRecord, database: str) -> None:
    holder = sqlite3.connect(database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    log = QueuedPlayLog(Store(f"sqlite:///{database}?timeout=0.1"), session.id, STARTED, patience_s=0.5)
    log.close(1.0, finished=False)
    log.wait()
    assert "locked" in str(log.problem)
    holder.execute("ROLLBACK")


def test_session_that_is_gone_is_told(store: Store, session: SessionRecord) -> None:
    delete_session(store, session.id)
    log = QueuedPlayLog(store, session.id, STARTED)
    log.begin(0, 0.0)
    log.close(1.0, finished=True)
    log.wait()
    assert "does not exist" in str(log.problem)
