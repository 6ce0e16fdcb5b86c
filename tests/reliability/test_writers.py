"""Sixteen writers at once, on SQLite and on PostgreSQL: all of them get through, and nothing is there twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from sessions.builder import new_session
from sessions.planning.plan import SessionRequest
from sessions.storage.evidence import Evidence
from sessions.storage.library import list_pieces, rate
from sessions.storage.listeners import add_listener
from sessions.storage.piece_import import import_pieces
from sessions.storage.play_log import list_plays, log_play
from sessions.storage.recordings import BandPower, ScoredPlay, ScoredRecording, store_recordings
from sessions.storage.store import Store
from sessions.storage.tables import ListenerRow, PlayRow, RatingRow, RecordingRow
from tests.processes import forking
from therapy_gen.music.midi.midi import to_midi
from therapy_gen.music.performance import Note, Part, Performance
from therapy_gen.musicvae.model import load_model

PROCESSES, THREADS = 4, 4
WRITERS = PROCESSES * THREADS
_PATIENCE_S = 240
_FIRST = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of either kind."""
    if request.param == "sqlite":
        return str(tmp_path / "therapy.db")
    return str(request.getfixturevalue("postgres"))


def at_once(task: Callable[..., None], *arguments: Any) -> list[str]:
    """Let every writer do `task(number, *arguments)` at the same moment; return what went wrong."""
    context = forking()
    barrier, results = context.Barrier(PROCESSES), context.Queue()
    processes = [
        context.Process(target=_process, args=(number, task, arguments, barrier, results))
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    said = [results.get(timeout=_PATIENCE_S) for _ in range(WRITERS)]
    for process in processes:
        process.join()
    return [one for one in said if one != "done"]


def _process(number: int, task: Callable[..., None], arguments: Any, barrier: Any, results: Any) -> None:
    barrier.wait()

    def work(writer: int) -> None:
        try:
            task(writer, *arguments)
            results.put("done")
        except BaseException as error:
            results.put(repr(error))

    threads = [threading.Thread(target=work, args=(number * THREADS + n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _first_use(writer: int, place: str, files: list[Path]) -> None:
    """Make the database, import the same files, and mention the same listener."""
    store = Store.open(place)
    import_pieces(store, files)
    with store.write() as database:
        add_listener(database, "ana")


def _no_ranking(evidence: Evidence) -> None:
    return None


def _everything(writer: int, place: str, session: int, piece: str) -> None:
    """Rate the same piece, score the same recording and one of one's own, and log a play."""
    store = Store.open(place)
    rate(store, session, piece, 1 + writer % 5)
    for digest in ("f" * 64, f"{writer:064x}"):
        store_recordings(store, [_recording(digest, session, piece)], _no_ranking, listener=f"listener {writer % 3}")
    log_play(store, session, _FIRST + timedelta(hours=writer), [(0, 0.0, 5.0)])


def _recording(digest: str, session: int, piece: str) -> ScoredRecording:
    play = ScoredPlay(piece, 10.0, 60.0, 50.0, 25, None, {"beta": BandPower(-1.0, None)}, ())
    return ScoredRecording(digest, f"{digest}.fif", session, None, "beta", True, [play], [], {}, {})


def test_first_use_by_sixteen(place: str, tmp_path: Path, tunes: list[Path]) -> None:
    assert at_once(_first_use, place, tunes) == []
    store = Store.open(place)
    assert store.check() == []
    assert len(list_pieces(store)) == len(tunes)
    with store.read() as database:
        assert database.scalar(select(func.count()).select_from(ListenerRow)) == 1


@pytest.mark.long
def test_everything_by_sixteen(place: str) -> None:
    store = Store.open(place)
    made = new_session(store, load_model(), SessionRequest(minutes=3.0), seed=1)
    piece = made.pieces()[0].id
    assert at_once(_everything, place, made.id, piece) == []
    assert store.check() == []
    assert len(list_plays(store, made.id)) == WRITERS
    with store.read() as database:
        counts = [
            database.scalar(select(func.count()).select_from(table))
            for table in (RatingRow, RecordingRow, PlayRow, ListenerRow)
        ]
    assert counts == [1, WRITERS + 1, WRITERS + 1, 3]


@pytest.fixture
def tunes(tmp_path: Path) -> list[Path]:
    """Three small MIDI files."""
    found = []
    for number in range(3):
        notes = tuple(Note(n / 2, 0.5, 60 + number + n, 60) for n in range(8))
        performance = Performance((Part("piano", 0, notes),), 60.0, "C major", 5.0, "piano")
        path = tmp_path / f"tune{number}.mid"
        path.write_bytes(to_midi(performance, title=f"tune {number}"))
        found.append(path)
    return found
