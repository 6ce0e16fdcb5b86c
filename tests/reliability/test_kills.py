"""Killed at any moment, commands lose no row that was stored, damage no database and leave no file behind.

Twice in the usual run, a hundred times in the long one, ten times a hundred with `pytest -m hours`.
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

# A process imports everything and does each command once in a home of its own, then makes a copy of itself for each
# kill: what is killed is the work, not Python's start.
WORKER = """
import os, sys, time
from therapy_gen.cli.main import run
told, sys.stdout = sys.stdout, open("/dev/null", "w")
def work(home, out, rounds):
    for round in range(rounds):
        run(["--quiet", "--home", home, "session", "rate", "1", PIECE, str(1 + round % 5)])
        run(["--quiet", "--home", home, "export", "--session", "1", "-o", f"{out}/s.mid", "--overwrite"])
        run(["--quiet", "--home", home, "export", "--session", "1", "-o", f"{out}/s.csv", "--overwrite"])
        run(["--quiet", "--home", home, "db", "backup", f"{out}/copy.db", "--overwrite"])
        run(["--quiet", "--home", home, "piece", "import", f"{out}/in.mid"])
home, out, warm_home, warm_out = sys.argv[1:]
work(warm_home, warm_out, 1)
begun = time.monotonic()
work(home, out, 1)
print(time.monotonic() - begun, file=told, flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os.setsid()
        print(os.getpid(), file=told, flush=True)
        work(home, out, 1000)
        os._exit(1)
    print("ended by", os.waitpid(child, 0)[1], file=told, flush=True)
"""


def kill_often(home: Path, out: Path, kills: int, seed: int) -> None:
    """Kill the worker so many times, each time at another moment, and look at what is there."""
    with sqlite3.connect(home / "therapy.db") as connection:
        (piece,) = connection.execute("SELECT id FROM pieces").fetchone()
    connection.close()
    warm = (home.with_name("warm-home"), out.with_name("warm-out"))
    shutil.copytree(home, warm[0])
    shutil.copytree(out, warm[1])
    with subprocess.Popen(
        [sys.executable, "-c", WORKER.replace("PIECE", repr(piece)), home, out, *warm],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as parent:
        _kill_children(parent, out, kills, random.Random(seed))
    assert parent.returncode == 0
    store = Store.open(home / "therapy.db")
    assert store.check() == []
    assert store.info().sessions == 1
    assert Store(out / "copy.db").check() == []
    remove_leftovers(out)
    assert not [path.name for path in out.iterdir() if path.name.startswith(".")]


def _kill_children(parent: subprocess.Popen[str], out: Path, kills: int, rng: random.Random) -> None:
    assert parent.stdin is not None
    assert parent.stdout is not None
    round_s = float(parent.stdout.readline())
    for number in range(kills):
        parent.stdin.write("again\n")
        parent.stdin.flush()
        child = int(parent.stdout.readline())
        time.sleep(rng.uniform(0.0, 1.2 * round_s))
        os.kill(child, signal.SIGKILL)
        assert parent.stdout.readline() == f"ended by {int(signal.SIGKILL)}\n"
        for name in ("copy.db", "s.mid", "s.csv"):
            assert (out / name).exists(), f"kill {number}: {name} is gone"
        assert (out / "s.mid").read_bytes()[:4] == b"MThd"
        print(f"kill {number + 1} of {kills}", flush=True)


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
@pytest.mark.parametrize("seed", range(10, 20))
def test_killed_a_thousand_times(stored_home: Path, tmp_path: Path, seed: int) -> None:
    shutil.copytree(stored_home, tmp_path / "home")
    out = prepared(tmp_path / "home", tmp_path)
    kill_often(tmp_path / "home", out, 100, seed)
