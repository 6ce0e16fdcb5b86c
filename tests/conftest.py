"""Fixtures for all tests: homes of their own, the program in this process and as a process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from therapy_gen.cli.context import use_one_thread

# As the program does, before anything imports NumPy.
use_one_thread()

# The program is started hundreds of times: it is compiled once, also where the environment says otherwise.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A busy machine is no reason to fail, nor is chance: the same examples every time. `--hypothesis-profile searching`
# looks for others.
hypothesis.settings.register_profile("patient", deadline=None, derandomize=True)
hypothesis.settings.register_profile("searching", deadline=None)
hypothesis.settings.load_profile("patient")

PROGRAM = [sys.executable, "-m", "therapy_gen.cli.main"]


@dataclass(frozen=True)
class Outcome:
    """What a run of the program came to."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Its standard output as JSON."""
        return json.loads(self.out)

    @property
    def error_line(self) -> str:
        """The one line that it told as an error."""
        assert self.out == ""
        (line,) = self.err.splitlines()
        assert line.startswith("error: ")
        assert "Traceback" not in line
        return line


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder that does not exist yet; the program uses it."""
    folder = tmp_path / "home"
    monkeypatch.setenv("THERAPY_GEN_HOME", str(folder))
    monkeypatch.delenv("THERAPY_GEN_DB", raising=False)
    return folder


Cli = Callable[..., Outcome]


@pytest.fixture
def cli(home: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The program in this process: `cli("session", "list")`."""
    from therapy_gen.cli.main import run

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Outcome(status, said.out, said.err)

    return call


@pytest.fixture
def program(home: Path) -> Cli:
    """The program as a process of its own."""

    def call(*arguments: object, **options: Any) -> Outcome:
        done = subprocess.run(
            [*PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120, **options
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="session")
def stored_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one short session in it, made once: copy it, do not write to it."""
    folder = tmp_path_factory.mktemp("stored") / "home"
    made = subprocess.run(
        [*PROGRAM, "--home", folder, "session", "new", "--minutes", "3", "--seed", "5", "--listener", "ana"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def with_session(stored_home: Path, home: Path) -> Path:
    """The home of this test, with session 1 for ana in it."""
    shutil.copytree(stored_home, home)
    return home


def _postgres_binaries() -> Path | None:
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "pg_ctl").exists()), None)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server of its own, reached by a socket; yields the folder of the socket."""
    pytest.importorskip("psycopg", reason="no driver for PostgreSQL")
    binaries = _postgres_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed")
    # Short, since the path of a socket may have 100 characters; and open to the server's user.
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    user: dict[str, Any] = {}
    if os.geteuid() == 0:
        # The server refuses to run as root.
        import pwd

        try:
            account = pwd.getpwnam("postgres")
        except KeyError:
            account = pwd.getpwnam("nobody")
        os.chown(folder, account.pw_uid, account.pw_gid)
        user = {"user": account.pw_uid, "group": account.pw_gid}
    data = folder / "data"

    def server(tool: str, *arguments: object) -> None:
        done = subprocess.run(
            [binaries / tool, *map(str, arguments)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            **user,
        )
        if done.returncode != 0:
            pytest.skip(f"PostgreSQL does not run here ({tool})")

    try:
        server("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        server("pg_ctl", "-D", data, "-w", "-o", f"-k {folder} -c listen_addresses='' -c fsync=off", "start")
        yield str(folder)
        server("pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    import secrets

    import psycopg

    name = f"test_{secrets.token_hex(4)}"
    with psycopg.connect(host=postgres_server, user="postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield f"postgresql://postgres@/{name}?host={postgres_server}"
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _parameters(item: pytest.Item) -> list[Any]:
    return list(item.callspec.params.values()) if hasattr(item, "callspec") else []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave what takes long on either database, since it makes sound, to `-m hours` on the server."""
    for item in items:
        named = [mark.name for mark in item.iter_markers()]
        if "postgresql" in _parameters(item) and named.count("long") > 1:
            item.own_markers = [mark for mark in item.own_markers if mark.name != "long"]
            item.add_marker("hours")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a new database is: a test that takes it runs on both kinds, on the server with `-m long`."""
    if request.param == "sqlite":
        return str(tmp_path / "therapy.db")
    return str(request.getfixturevalue("postgres"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium, one for all tests of a process: Playwright allows no second one."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    flags = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    flags += " --disable-component-update --disable-sync --mute-audio"
    with sync_api.sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(executable_path=found, headless=True, args=flags.split())
        except sync_api.Error as error:
            pytest.skip(f"no Chromium to start: {str(error).splitlines()[0]}")
        yield opened
        opened.close()
