"""How commands go on as a database grows: `python benchmarks/program/growth.py [SESSIONS] [PIECES] [RECORDINGS]`.

Makes a database in a temporary folder (10,000 sessions, 50,000 pieces and 1,000 recordings by default, filled with the
rows of one real session over and over) and prints for each command its CPU time and its memory there, beside those on
an empty database (one session, a listener who heard nothing) and on one that holds nothing but one of its listeners.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert, select

from sessions.storage.library import get_session
from sessions.storage.pieces import new_ids
from sessions.storage.store import Store
from sessions.storage.tables import (
    ListenerRow,
    PieceRow,
    PlayRow,
    PlayScoreRow,
    RecordingRow,
    SessionItemRow,
    SessionRow,
)

LISTENERS = 100
PIECES_A_SESSION = 5
RUNS = 3
_PROGRAM = [sys.executable, "-m", "therapy_gen.cli.main"]


def run(home: Path, *arguments: str, refuse: bool = False) -> tuple[float, float]:
    """Return CPU seconds and peak memory in MB of a command; the best of three, which the machine disturbs least.

    It must succeed, unless it may `refuse`, as where nothing is there to rank.
    """
    best = (float("inf"), float("inf"))
    for _ in range(RUNS):
        pid = os.fork()
        if pid == 0:
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(null, descriptor)
            os.execv(_PROGRAM[0], [*_PROGRAM, "--home", str(home), *arguments])
        _, status, usage = os.wait4(pid, 0)
        if status and not refuse:
            raise SystemExit(f"{arguments} ended with {status}")
        best = min(best, (usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))
    return best


def fill(home: Path, sessions: int, pieces: int, recordings: int, *, listeners: int = LISTENERS) -> None:
    """Put so many rows into a home's database, copies of those of its first session."""
    store = Store.open(home / "therapy.db")
    record = get_session(store, 1)
    with store.read() as database:
        columns = list(PieceRow.__table__.columns)
        piece = dict(database.execute(select(*columns).limit(1)).mappings().one())
    ids = new_ids(pieces)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    with store.write() as database:
        database.execute(insert(ListenerRow), [{"name": f"listener {n}"} for n in range(listeners)])
        people = list(database.scalars(select(ListenerRow.id).order_by(ListenerRow.id)))
        first = {"title": piece["title"]}
        if not sessions:
            return
        database.execute(insert(PieceRow), [{**piece, **first, "id": id_} for id_ in ids])
        database.execute(
            insert(SessionRow),
            [
                {
                    "id": n,
                    "listener_id": people[n % listeners],
                    "arc": "calm",
                    "seed": n,
                    "duration_s": 100.0 * PIECES_A_SESSION,
                    "parameters": dict(record.parameters),
                    "created": moment + timedelta(hours=n),
                }
                for n in range(2, sessions + 2)
            ],
        )
        database.execute(
            insert(SessionItemRow),
            [
                {
                    "session_id": n,
                    "position": position,
                    "role": "music",
                    "piece_id": ids[(n * PIECES_A_SESSION + position) % pieces],
                    "onset_s": 100.0 * position,
                    "duration_s": 100.0,
                }
                for n in range(2, sessions + 2)
                for position in range(PIECES_A_SESSION)
            ],
        )
        for n in range(recordings):
            row = RecordingRow(
                sha256=f"{n:064x}",
                file=f"/recordings/{n}.fif",
                listener_id=people[n % listeners],
                session_id=2 + n,
                measured=None,
                facts={"criterion": "beta", "lower_is_better": True, "baseline": []},
            )
            database.add(row)
            database.flush()
            for position in range(PIECES_A_SESSION):
                play = PlayRow(
                    recording_id=row.id,
                    piece_id=ids[((n % listeners) * PIECES_A_SESSION + position) % pieces],
                    onset_s=100.0 * position,
                    duration_s=90.0,
                    clean_s=80.0,
                )
                database.add(play)
                database.flush()
                database.add(
                    PlayScoreRow(
                        play_id=play.id,
                        band="beta",
                        db=-0.1 * position + 0.01 * (n % 7),
                        adjusted_db=None,
                        muscle_db=0.1,
                        windows=40,
                        parameters={"flags": []},
                    )
                )


def main() -> None:
    """Print the table."""
    sessions, pieces, recordings = (
        int(text) for text in (*sys.argv[1:], *("10000", "50000", "1000")[len(sys.argv) - 1 :])
    )
    with tempfile.TemporaryDirectory() as folder:
        homes = {name: Path(folder) / name for name in ("empty", "alone", "full")}
        for home in homes.values():
            made = subprocess.run(
                [*_PROGRAM, "--home", home, "session", "new", "--minutes", "12", "--seed", "1", "--json"],
                check=True,
                capture_output=True,
            )
        small = (homes["full"] / "therapy.db").stat().st_size
        fill(homes["full"], sessions, pieces, recordings)
        fill(homes["empty"], 0, 0, 0, listeners=1)
        # One listener, as large as each of those of the full one.
        fill(homes["alone"], sessions // LISTENERS, pieces // LISTENERS, recordings // LISTENERS, listeners=1)
        size = (homes["full"] / "therapy.db").stat().st_size
        print(f"{sessions} sessions, {pieces} pieces, {recordings} recordings: {size / 1e6:.0f} MB")
        grown = sum(1 for item in json.loads(made.stdout)["session"]["items"] if item["piece"])
        print(f"a session of 12 minutes ({grown} pieces): {small / 1e3:.0f} kB at first")
        commands = (
            ("session", "list"),
            ("piece", "list"),
            ("session", "show", "1"),
            ("rank", "--listener", "listener 0"),
            ("report", "--listener", "listener 0", "-o", str(Path(folder) / "r.html")),
            ("session", "new", "--minutes", "6", "--seed", "2", "--listener", "listener 0"),
            ("db", "info"),
        )
        print(f"{'command':<32}{'empty':>8}{'alone':>8}{'full':>8}{'/empty':>8}{'/alone':>8}{'MB':>6}{'MB':>6}")
        for command in commands:
            empty, low = run(homes["empty"], *command, refuse=command[0] in ("rank", "report"))
            (alone, _), (full, high) = (run(homes[name], *command) for name in ("alone", "full"))
            print(
                f"{' '.join(command[:3]):<32}{empty:7.2f}s{alone:7.2f}s{full:7.2f}s"
                f"{full / empty:8.2f}{full / alone:8.2f}{low:6.0f}{high:6.0f}",
                flush=True,
            )


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
