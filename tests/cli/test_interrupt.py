"""Ctrl-C at any moment: exit code 130, one line, and nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sessions.storage.store import Store

PROGRAM = [sys.executable, "-m", "therapy_gen.cli.main"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise on Windows")


def interrupted(arguments: list[object], after_s: float) -> tuple[int, str]:
    """Start the program, send it SIGINT after a while, and return its exit code and standard error."""
    process = subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # As from a terminal: some runners start their children with the signal ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def assert_ended_well(status: int, said: str) -> None:
    if status == 0:
        assert "Traceback" not in said
    elif status == 130:
        assert said.splitlines()[-1] == "error: interrupted"
        assert "Traceback" not in said
    else:
        # Python itself was still starting: no line of the program had run.
        assert status == -signal.SIGINT


def duration_of_a_run(arguments: list[object]) -> float:
    started = time.monotonic()
    subprocess.run([*PROGRAM, *map(str, arguments)], stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - started


@pytest.mark.long
def test_session_new_stores_all_or_nothing(home: Path, tmp_path: Path) -> None:
    arguments: list[object] = ["--db", tmp_path / "a.db", "session", "new", "--minutes", "3"]
    whole_s = duration_of_a_run(arguments)
    store = Store.open(tmp_path / "a.db")
    stored = store.info().sessions
    moments = [whole_s * share for share in (0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)]
    seen = set()
    for moment in moments:
        status, said = interrupted(arguments, moment)
        assert_ended_well(status, said)
        seen.add(status)
        assert store.check() == []
        now = store.info().sessions
        assert now in (stored, stored + 1)
        assert now == stored + 1 or status != 0
        stored = now
    assert 130 in seen


@pytest.mark.long
def test_the_first_use_makes_all_tables_or_none(home: Path, tmp_path: Path) -> None:
    whole_s = duration_of_a_run(["--db", tmp_path / "warm.db", "db", "upgrade"])
    for number, share in enumerate((0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)):
        path = tmp_path / f"{number}.db"
        assert_ended_well(*interrupted(["--db", path, "db", "upgrade"], whole_s * share))
        assert Store.open(path).check() == []


@pytest.mark.long
@pytest.mark.parametrize("form", ["flac", "m3u8"])
def test_an_export_appears_whole_or_not_at_all(form: str, with_session: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    arguments: list[object] = ["export", "--session", 1, "--format", form, "-o", folder / f"a.{form}"]
    folder.mkdir()
    whole_s = duration_of_a_run(arguments)
    made = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for path in folder.rglob(f"*.{form}"):
        path.unlink()
    for share in (0.6, 0.9):
        status, said = interrupted(arguments, whole_s * share)
        assert_ended_well(status, said)
        for path in folder.rglob("*"):
            if path.is_file():
                assert path.read_bytes() == made[path.relative_to(folder)]
        (folder / f"a.{form}").unlink(missing_ok=True)


@pytest.mark.long
def test_a_killed_program_leaves_the_database_whole(home: Path, tmp_path: Path) -> None:
    arguments: list[object] = ["--db", tmp_path / "a.db", "session", "new", "--minutes", "3"]
    whole_s = duration_of_a_run(arguments)
    for share in (0.7, 0.85, 0.95):
        process = subprocess.Popen([*PROGRAM, *map(str, arguments)], stdout=subprocess.DEVNULL)
        time.sleep(whole_s * share)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert Store.open(tmp_path / "a.db").check() == []


def test_an_interrupt_while_a_connection_closes_is_told_in_one_line(tmp_path: Path) -> None:
    script = f"""
import sys
from sqlalchemy.engine.default import DefaultDialect
def interrupted(self, connection):
    raise KeyboardInterrupt
DefaultDialect.do_close = interrupted
from therapy_gen.cli.main import run
sys.exit(run(["--db", {str(tmp_path / "therapy.db")!r}, "db", "upgrade"]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == "error: interrupted\n"


def test_an_interrupt_where_nothing_can_be_raised_comes_again(tmp_path: Path) -> None:
    script = f"""
import sys, time
class Closing:
    def __del__(self):
        raise KeyboardInterrupt
import sessions.storage.library as library
def busy(*requested, **options):
    Closing()
    time.sleep(60)
library.list_sessions = busy
sys.argv = ["therapy-gen", "--db", {str(tmp_path / "therapy.db")!r}, "session", "list"]
from sessions.storage.store import Store
Store.open(sys.argv[2])
from therapy_gen.cli.main import main
sys.exit(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert done.returncode == 130
    assert done.stderr == "error: interrupted\n"
