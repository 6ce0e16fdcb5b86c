"""Killed at any moment, commands lose no row that was stored, damage no database and leave no file behind.

Twice in the usual run, a hundred times in the long one, a thousand times with `pytest -m hours`.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sessions.storage.store import Store
from therapy_gen.files import remove_leftovers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL of POSIX")

# Many commands in a process of their own, one after the other: what is killed is the work, not Python's start.
WORKER = """
import sys
from pathlib import Path
from therapy_gen.cli.main import run
home, out, number = sys.argv[1:]
told, sys.stdout = sys.stdout, open("/dev/null", "w")
for round in range(1000):
    run(["--quiet", "--home", home, "session", "rate", "1", PIECE, str(1 + round % 5)])
    run(["--quiet", "--home", home, "export", "--session", "1", "-o", f"{out}/s.mid", "--overwrite"])
    run(["--quiet", "--home", home, "export", "--session", "1", "-o", f"{out}/s.csv", "--overwrite"])
    run(["--quiet", "--home", home, "db", "backup", f"{out}/copy.db", "--overwrite"])
    run(["--quiet", "--home", home, "piece", "import", f"{out}/in.mid"])
    print(round, file=told, flush=True)
"""


def kill_often(home: Path, out: Path, kills: int, seed: int) -> None:
    """Kill the worker so many times, each time at another moment, and look at what is there."""
    with sqlite3.connect(home / "therapy.db") as connection:
        (piece,) = connection.execute("SELECT id FROM pieces").fetchone()
    connection.close()
    rng = random.Random(seed)
    code = WORKER.replace("PIECE", repr(piece))
    for number in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-c", code, home, out, str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdout is not None
        # Once all was done a first time, so that imports are over.
        process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.3))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        for name in ("copy.db", "s.mid", "s.csv"):
            assert (out / name).exists(), f"kill {number}: {name} is gone"
        assert (out / "s.mid").read_bytes()[:4] == b"MThd"
    store = Store.open(home / "therapy.db")
    assert store.check() == []
    assert store.info().sessions == 1
    assert Store(out / "copy.db").check() == []
    remove_leftovers(out)
    assert not [path.name for path in out.iterdir() if path.name.startswith(".")]


def prepared(home: Path, tmp_path: Path) -> Path:
    from therapy_gen.music.midi.midi import to_midi
    from therapy_gen.music.performance import Note, Part, Performance

    out = tmp_path / "out"
    out.mkdir()
    notes = tuple(Note(n / 2, 0.5, 60 + n, 60) for n in range(8))
    tune = Performance((Part("piano", 0, notes),), 60.0, "C major", 5.0, "piano")
    (out / "in.mid").write_bytes(to_midi(tune, title="tune"))
    return out


def test_killed_a_few_times(stored_home: Path, tmp_path: Path) -> None:
    shutil.copytree(stored_home, tmp_path / "home")
    out = prepared(tmp_path / "home", tmp_path)
    kill_often(tmp_path / "home", out, 2, seed=1)


@pytest.mark.long
def test_killed_a_hundred_times(stored_home: Path, tmp_path: Path) -> None:
    shutil.copytree(stored_home, tmp_path / "home")
    out = prepared(tmp_path / "home", tmp_path)
    kill_often(tmp_path / "home", out, 100, seed=3)


@pytest.mark.hours
def test_killed_a_thousand_times(stored_home: Path, tmp_path: Path) -> None:
    shutil.copytree(stored_home, tmp_path / "home")
    out = prepared(tmp_path / "home", tmp_path)
    kill_often(tmp_path / "home", out, 1000, seed=2)
