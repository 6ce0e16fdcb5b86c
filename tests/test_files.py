"""Files that appear whole or not at all, and what is left of those that do not."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from therapy_gen import files
from therapy_gen.errors import InputError

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="rights and signals of POSIX")


def test_file_appears_whole(tmp_path: Path) -> None:
    with files.atomic_write(tmp_path / "a.txt") as part:
        part.write_text("half")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "half"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_error_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with files.atomic_write(tmp_path / "a.txt") as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_taken_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("mine")
    with (
        pytest.raises(InputError, match="exists and holds something else"),
        files.atomic_write(tmp_path / "a.txt", replace=False) as part,
    ):
        part.write_text("yours")
    assert (tmp_path / "a.txt").read_text() == "mine"


@POSIX
def test_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files.write_bytes(tmp_path / "a", b"x", private=True)
        files.write_bytes(tmp_path / "b", b"x")
        files.share_files()
        files.write_bytes(tmp_path / "c", b"x", private=True)
    finally:
        files.share_files(False)
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "abc"] == [0o600, 0o666, 0o666]


KILLED = """
import sys, time
from pathlib import Path
from therapy_gen.files import atomic_write
with atomic_write(Path(sys.argv[1])) as part:
    part.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


@POSIX
def test_leftovers_go_and_live_ones_stay(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", KILLED, tmp_path / name], stdout=subprocess.PIPE, text=True)
        for name in ("a.flac", "b.flac")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
    writers[0].send_signal(signal.SIGKILL)
    writers[0].wait()
    (tmp_path / ".hidden.part.flac").write_text("somebody else's")
    assert len(list(tmp_path.iterdir())) == 3
    files.write_bytes(tmp_path / "c.txt", b"x")
    left = sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".therapy-gen-"))
    assert left == [".hidden.part.flac", "c.txt"]
    assert len(list(tmp_path.iterdir())) == 3
    writers[1].kill()
    writers[1].wait()
    assert len(files.remove_leftovers(tmp_path)) == 1
    for writer in writers:
        writer.stdout.close()  # type: ignore[union-attr]


@POSIX
def test_devices_and_pipes_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    # `/dev/stdout` may be a file; replacing it would take it from the whole machine.
    for target in (Path("/dev/full"), Path("/dev/null"), tmp_path / "pipe", Path("/dev/stdout"), Path("/dev/fd/1")):
        with pytest.raises(InputError, match="device or a pipe"):
            files.write_bytes(target, b"x")
    assert Path("/dev/null").is_char_device()
