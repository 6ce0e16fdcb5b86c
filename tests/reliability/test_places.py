"""Where databases and files are kept: who may read them, media that cannot be written, names that are mistyped."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")


def rights(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):o}"


@POSIX
def test_rights_whatever_the_umask(cli: Any, home: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = cli("session", "new", "--minutes", "1", "--seed", "1", "--audio", "flac")
        assert made.status == 0
        assert cli("db", "backup", tmp_path / "copy.db").status == 0
        assert cli("export", "--session", "1", "--format", "csv", "-o", tmp_path / "s.csv").status == 0
    finally:
        os.umask(before)
    assert rights(home) == "700"
    assert rights(home / "therapy.db") == "600"
    files = [path for path in (home / "renders").rglob("*") if path.is_file()]
    assert {rights(path) for path in [*files, tmp_path / "copy.db", tmp_path / "s.csv"]} == {"600"}


@POSIX
def test_shared_studies_have_the_rights_of_the_umask(cli: Any, with_session: Path, tmp_path: Path) -> None:
    before = os.umask(0o007)
    try:
        assert cli("--shared", "db", "backup", tmp_path / "copy.db").status == 0
    finally:
        os.umask(before)
        from therapy_gen.files import share_files

        share_files(False)
    assert rights(tmp_path / "copy.db") == "660"


@pytest.mark.parametrize(
    "command",
    [
        ("session", "list"),
        ("session", "show", "1"),
        ("session", "rate", "1", "01AB", "3"),
        ("session", "delete", "1"),
        ("piece", "list"),
        ("rank",),
        ("db", "info"),
        ("export", "--session", "1", "--format", "csv", "-o", "x.csv"),
    ],
)
def test_mistyped_database_is_not_made(cli: Any, home: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    for place in ("typo.db", "file:typo.db"):
        done = cli("--db", tmp_path / place if ":" not in place else f"file:{tmp_path}/typo.db", *command)
        assert done.status == 1
        assert "typo.db does not exist" in done.error_line
    assert list(tmp_path.iterdir()) == []


def test_mistyped_home_is_not_made(cli: Any, home: Path, tmp_path: Path) -> None:
    done = cli("--home", tmp_path / "typo", "session", "list", "--json")
    assert (done.status, done.document) == (0, {"sessions": []})
    assert "there is no database in" in done.err
    assert cli("--home", tmp_path / "typo", "model", "list").status == 0
    assert list(tmp_path.iterdir()) == []


def test_file_with_a_colon_means_one_thing(
    cli: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("--db", "file:study.db", "db", "upgrade").status == 0
    assert [path.name for path in tmp_path.glob("*.db*")] == ["study.db"]
    assert cli("--db", "study.db", "db", "info").status == 0
    assert cli("--db", "sqlite:///file:study.db", "db", "info").status == 0


def read_only(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell line with `folder` mounted read-only."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not installed")
    spaces = ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]
    script = f'mount --bind "{folder}" "{folder}" && mount -o remount,bind,ro "{folder}" && {code}'
    done = subprocess.run([unshare, *spaces, "sh", "-c", script], capture_output=True, text=True, check=False)
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip("nothing can be mounted here")
    return done


@POSIX
def test_read_only_medium(with_session: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    script = tmp_path / "several.py"
    script.write_text(
        "import sys\nfrom therapy_gen.cli.main import run\n"
        f"given = ['--db', {str(with_session / 'therapy.db')!r}]\n"
        "sys.exit(max(run([*given, *line.split()]) for line in sys.argv[1:]))\n"
    )
    lines = ("session list", "session show 1", "piece list", "db info", "db check", f"db backup {copy}")
    done = read_only(shlex.join([sys.executable, str(script), *lines]), with_session)
    assert done.returncode == 0, done.stderr
    assert copy.exists()
    done = read_only(shlex.join([sys.executable, str(script), "session rate 1 AAAA 3"]), with_session)
    assert done.returncode == 1
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr
