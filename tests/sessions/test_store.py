from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sessions.errors import DatabaseError, ExportError
from sessions.storage.store import Store
from sessions.storage.tables import ListenerRow
from therapy_gen.errors import InputError


def add(store: Store, name: str) -> None:
    with store.write() as database:
        database.add(ListenerRow(name=name))


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_a_path_and_a_url_name_the_same_database(tmp_path: Path, form: str) -> None:
    add(Store.open(form.format(tmp_path / "a.db")), "ana")
    assert Store(tmp_path / "a.db").info().listeners == 1


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="is a folder; give `db` a file in it"):
        Store.open(tmp_path)


def test_a_home_that_nobody_has_is_named() -> None:
    with pytest.raises(DatabaseError, match="the home folder of ~nosuchuser is not known"):
        Store.open("~nosuchuser/x.db")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"the folder .*/nowhere does not exist"):
        Store.open(tmp_path / "nowhere" / "a.db")


@pytest.mark.parametrize("content", [b"not a database at all", b"x" * 5000, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(content)
    with pytest.raises(DatabaseError, match=r"not an SQLite database|is damaged"):
        Store.open(path)
    assert path.read_bytes() == content


def test_a_schema_whose_damage_cannot_be_quoted_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    Store.open(path).backup(tmp_path / "b.db")
    content = (tmp_path / "b.db").read_bytes()
    assert b"CREATE TABLE listeners" in content
    path.write_bytes(content.replace(b"CREATE TABLE listeners", b"CREATE \xd0(BLE listeners"))
    with pytest.raises(DatabaseError, match=r"a\.db is damaged; restore a backup"):
        Store(path).check()


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    (tmp_path / "a.db").touch()
    add(Store.open(tmp_path / "a.db"), "ana")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("", "no name"),
        ("mysql://ana:secret@host/db", "mysql databases are not supported"),
        ("nonsense://", "nonsense databases are not supported|not a database URL"),
        ("sqlite:///a.db?frobnicate=1", "frobnicate"),
    ],
)
def test_urls_that_make_no_sense_are_refused(where: str, said: str) -> None:
    with pytest.raises(DatabaseError, match=said) as caught:
        Store.open(where)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    pytest.importorskip("psycopg", reason="no driver for PostgreSQL")
    with pytest.raises(DatabaseError, match="cannot be reached") as caught:
        Store.open("postgresql://ana:secret@127.0.0.1:1/music")
    assert "secret" not in str(caught.value)


def test_a_locked_database_is_waited_for_and_then_named(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    Store.open(path)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    hurried = Store.open(f"sqlite:///{path}?timeout=0.2")
    with pytest.raises(DatabaseError, match="locked by another program; try again"):
        add(hurried, "ana")
    # Whoever reads does not wait.
    assert hurried.info().listeners == 0
    holder.execute("COMMIT")
    add(hurried, "ana")


def test_a_transaction_is_stored_whole_or_not_at_all(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.db")

    def interrupted() -> None:
        with store.write() as database:
            database.add(ListenerRow(name="ana"))
            database.flush()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert store.info().listeners == 0
    with pytest.raises(DatabaseError, match="UNIQUE"), store.write() as database:
        database.add_all([ListenerRow(name="ben"), ListenerRow(name="ben")])
    assert store.info().listeners == 0


def test_references_to_nothing_are_refused(tmp_path: Path) -> None:
    from sessions.storage.tables import RatingRow

    store = Store.open(tmp_path / "a.db")
    with pytest.raises(DatabaseError, match="FOREIGN KEY"), store.write() as database:
        database.add(RatingRow(session_id=1, piece_id="01KAT4X2", value=3))


def as_nobody(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python without the right to overrule file modes, which root has."""
    prefix = []
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("root may write to read-only files, and setpriv is not installed")
        gone = "-dac_override,-dac_read_search"
        prefix = [setpriv, "--bounding-set", gone, "--inh-caps", gone]
    return subprocess.run(
        [*prefix, sys.executable, "-c", textwrap.dedent(code)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


OPEN_AND_WRITE = """
    from sessions.storage.store import Store
    from sessions.storage.tables import ListenerRow
    from therapy_gen.errors import InputError
    try:
        with Store.open("a.db").write() as database:
            database.add(ListenerRow(name="ana"))
    except InputError as error:
        print(error)
    else:
        print("written")
"""


def test_a_read_only_database_is_named(tmp_path: Path) -> None:
    Store.open(tmp_path / "a.db")
    (tmp_path / "a.db").chmod(0o444)
    done = as_nobody(OPEN_AND_WRITE, tmp_path)
    assert "database a.db is read-only; make it writable" in done.stdout, done.stderr


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(0o555)
    done = as_nobody(OPEN_AND_WRITE, folder)
    assert "database a.db cannot be opened; check that its folder may be read and written" in done.stdout, done.stderr


def test_a_database_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    Store.open(tmp_path / "a.db")
    (tmp_path / "a.db").chmod(0o000)
    done = as_nobody(OPEN_AND_WRITE, tmp_path)
    assert "database a.db cannot be opened" in done.stdout, done.stderr


def on_small_disk(code: str, folder: Path, kilobytes: int) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder on a disk of its own with so much room."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not installed")
    script = f'mount -t tmpfs -o size={kilobytes}k none "{folder}" && cd "{folder}" && exec "$0" "$@"'
    spaces = ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]
    command = [unshare, *spaces, "sh", "-c", script]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no disk can be mounted here")
    return subprocess.run(
        [*command, sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )


def test_a_full_disk_stores_nothing_and_is_named(tmp_path: Path) -> None:
    code = """
        from sessions.storage.store import Store
        from sessions.storage.tables import ListenerRow
        from therapy_gen.errors import InputError
        store = Store.open("a.db")
        try:
            with store.write() as database:
                database.add(ListenerRow(name="x" * 2_000_000))
        except InputError as error:
            print(error)
        print(store.info().listeners, store.check())
    """
    done = on_small_disk(code, tmp_path, 1000)
    assert done.stdout.splitlines() == [
        "database a.db cannot grow: the disk is full; free some space and try again",
        "0 []",
    ], done.stderr


def test_a_disk_too_small_for_the_tables_is_named(tmp_path: Path) -> None:
    done = on_small_disk(OPEN_AND_WRITE, tmp_path, 64)
    assert "the disk is full" in done.stdout, done.stderr


def test_a_backup_is_whole_and_one_file(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.db")
    add(store, "ana")
    store.backup(tmp_path / "copy.db")
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]
    add(store, "ben")
    copy = Store.open(tmp_path / "copy.db")
    assert copy.info().listeners == 1
    assert copy.check() == []
    store.backup(tmp_path / "copy.db", overwrite=True)
    assert Store(tmp_path / "copy.db").info().listeners == 2


def test_a_backup_replaces_no_file_unasked(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.db")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match=r"notes\.txt exists; choose another place, or give `overwrite`"):
        store.backup(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"
    # A journal beside it would be read into the copy.
    (tmp_path / "other.db-wal").touch()
    with pytest.raises(ExportError, match=r"other\.db is in use, or was .*: other\.db-wal is beside it"):
        store.backup(tmp_path / "other.db", overwrite=True)
    assert not (tmp_path / "other.db").exists()
    with pytest.raises(InputError, match="the database itself"):
        store.backup(tmp_path / "a.db", overwrite=True)


def test_a_backup_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    code = """
        from pathlib import Path
        from sessions.storage.store import Store
        from therapy_gen.errors import InputError
        try:
            Store("a.db").backup(Path("closed/copy.db"))
        except InputError as error:
            print(error)
    """
    Store.open(tmp_path / "a.db")
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed").chmod(0o555)
    done = as_nobody(code, tmp_path)
    assert done.stdout == "cannot write closed/copy.db: permission denied; choose another place\n", done.stderr


@pytest.mark.parametrize("target", [".", "nowhere/copy.db", "a.db"])
def test_a_backup_has_to_have_a_place(tmp_path: Path, target: str) -> None:
    store = Store.open(tmp_path / "a.db")
    with pytest.raises(InputError, match=r"is a folder|does not exist|the database itself"):
        store.backup(tmp_path / target)
    assert store.check() == []


def test_a_backup_that_fails_leaves_no_part(tmp_path: Path) -> None:
    code = """
        from pathlib import Path
        from sessions.storage.store import Store
        from sessions.storage.tables import ListenerRow
        from therapy_gen.errors import InputError
        store = Store.open("a.db")
        with store.write() as database:
            database.add(ListenerRow(name="x" * 300_000))
        try:
            store.backup(Path("copy.db"))
        except InputError as error:
            print(error)
        print(sorted(path.name for path in Path().iterdir() if "a.db" not in path.name))
    """
    done = on_small_disk(code, tmp_path, 1300)
    said, left = done.stdout.splitlines()
    assert "cannot write copy.db" in said
    assert left == "[]"


def test_no_backup_of_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="does not exist"):
        Store(tmp_path / "a.db").backup(tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


def test_check_names_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = Store.open(path)
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO ratings (session_id, piece_id, value, created) VALUES (7, 'x', 3, '2026-01-01')"
        )
        connection.execute("DROP INDEX ix_plays_piece_id")
    problems = store.check()
    assert "ratings row 1 points at a missing row of sessions" in problems
    assert any("ix_plays_piece_id" in problem for problem in problems)


def test_an_export_error_is_an_input_error() -> None:
    assert issubclass(ExportError, InputError)
