from __future__ import annotations

import json
import multiprocessing
import re
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine

from sessions.errors import DatabaseError
from sessions.storage import schema
from sessions.storage.database import connect, locate
from sessions.storage.store import Store
from tests.processes import forking


def by_migrations(url: str, to: str = "head") -> Engine:
    """A database whose tables Alembic has made, one migration after the other."""
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(schema.scripts_folder()))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)
    return engine


def statements(path: Path) -> dict[str, list[str]]:
    """What made each table and index: its columns in order, then its constraints, whose order means nothing."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    # A table that was rebuilt has its name in quotes.
    rows = [(name, " ".join(sql.replace(f'"{name}"', name, 1).split())) for name, sql in rows]
    parts = {name: re.split(r",? CONSTRAINT ", sql.rstrip(" )")) for name, sql in rows}
    return {
        name: [part.replace("( ", "(").rstrip(" )") for part in (columns, *sorted(constraints))]
        for name, (columns, *constraints) in parts.items()
    }


def test_migrations_make_what_the_classes_say(tmp_path: Path) -> None:
    engine = by_migrations(f"sqlite:///{tmp_path / 'a.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.all_tables()) == []


def test_a_new_database_is_the_migrated_one_word_for_word(tmp_path: Path) -> None:
    by_migrations(f"sqlite:///{tmp_path / 'a.db'}")
    Store.open(tmp_path / "b.db")
    assert statements(tmp_path / "a.db") == statements(tmp_path / "b.db")


def test_migrations_go_down_to_nothing_and_up_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    engine = by_migrations(url)
    config = Config()
    config.set_main_option("script_location", str(schema.scripts_folder()))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    # SQLite keeps its own table of the numbers that have been given.
    assert set(statements(tmp_path / "a.db")) == {"alembic_version", "sqlite_sequence"}
    assert Store(url).upgrade() == (None, schema.HEAD)
    assert Store(url).check() == []


def test_register_and_metre_leave_the_features(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    engine = by_migrations(url, "0002")
    features = {"note rate": 1.5, "register": 67.2, "metre": "3/4"}
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO pieces (id, title, source, key, tempo, duration_s, midi, features, calm, created) "
            "VALUES ('P', 'Still Water', 'a.mid', 'C major', 60, 90, x'00', ?, 0.9, '2026-01-01'), "
            "('Q', 'Slow Lake', 'b.mid', 'C major', 60, 90, x'00', '{}', 0.9, '2026-01-01')",
            (json.dumps(features),),
        )
    assert Store(url).upgrade() == ("0002", schema.HEAD)
    query = "SELECT features, register, metre, valence FROM pieces ORDER BY id"
    with engine.connect() as connection:
        first, second = connection.exec_driver_sql(query).fetchall()
    assert (json.loads(first[0]), *first[1:]) == ({"note rate": 1.5}, 67.2, "3/4", None)
    assert (json.loads(second[0]), *second[1:]) == ({}, None, "4/4", None)
    config = Config()
    config.set_main_option("script_location", str(schema.scripts_folder()))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
        again = connection.exec_driver_sql("SELECT features FROM pieces ORDER BY id").scalars().all()
    assert [json.loads(row) for row in again] == [features, {}]


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory(str(schema.scripts_folder())).get_current_head() == schema.HEAD
    assert schema.known_revisions()[-1] == schema.HEAD


def test_postgres_holds_the_same_schema(postgres: str) -> None:
    store = Store.open(postgres)
    assert store.check() == []
    assert store.upgrade() == (schema.HEAD, schema.HEAD)
    assert store.info().revision == schema.HEAD


def test_postgres_by_migrations(postgres: str) -> None:
    url = locate(postgres)
    engine = by_migrations(url.render_as_string(hide_password=False))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.all_tables()) == []
    engine.dispose()


def test_opening_a_known_database_does_not_import_alembic(tmp_path: Path) -> None:
    import subprocess

    code = f"""
import sys
from sessions.storage.store import Store
Store.open({str(tmp_path / "a.db")!r})
Store.open({str(tmp_path / "a.db")!r})
print("alembic" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_new_database_is_in_wal_and_keeps_references(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.db")
    with store.read() as database:
        assert database.connection().exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert database.connection().exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    Store.open(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()
    with pytest.raises(DatabaseError, match=r"newer than this program.*9999.*install a newer"):
        Store.open(path)
    with pytest.raises(DatabaseError, match="newer"):
        Store(path).upgrade()
    assert path.read_bytes() == before
    assert list(tmp_path.glob("*.bak")) == []


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(DatabaseError, match="another program"):
        Store.open(path)
    assert path.read_bytes() == before


def test_an_upgrade_that_fails_leaves_the_old_schema_and_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database at an older revision, and a program whose newer migration cannot run on it."""
    path = tmp_path / "a.db"
    Store.open(path)
    scripts = tmp_path / "migrations"
    (scripts / "versions").mkdir(parents=True)
    for file in (schema.scripts_folder() / "env.py", *(schema.scripts_folder() / "versions").glob("*.py")):
        (scripts / file.relative_to(schema.scripts_folder())).write_bytes(file.read_bytes())
    (scripts / "versions" / "broken.py").write_text(
        "from alembic import op\nimport sqlalchemy as sa\n"
        f"revision = 'next'\ndown_revision = {schema.HEAD!r}\n"
        "def upgrade():\n"
        "    op.add_column('pieces', sa.Column('extra', sa.String()))\n"
        "    op.execute('INSERT INTO nowhere VALUES (1)')\n"
    )
    newest = schema.HEAD
    monkeypatch.setattr(schema, "scripts_folder", lambda: scripts)
    monkeypatch.setattr(schema, "HEAD", "next")
    before = statements(path)
    with pytest.raises(DatabaseError, match="nowhere"):
        Store.open(path)
    assert statements(path) == before
    assert statements(tmp_path / f"a.db.{newest}.bak") == before


def test_an_older_database_is_migrated_when_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.db"
    Store.open(path)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO listeners (name, created) VALUES ('ana', '2026-01-01')")
    scripts = tmp_path / "migrations"
    (scripts / "versions").mkdir(parents=True)
    for file in (schema.scripts_folder() / "env.py", *(schema.scripts_folder() / "versions").glob("*.py")):
        (scripts / file.relative_to(schema.scripts_folder())).write_bytes(file.read_bytes())
    (scripts / "versions" / "next.py").write_text(
        "from alembic import op\nimport sqlalchemy as sa\n"
        f"revision = 'next'\ndown_revision = {schema.HEAD!r}\n"
        "def upgrade():\n"
        "    with op.batch_alter_table('listeners') as batch:\n"
        "        batch.add_column(sa.Column('notes', sa.String()))\n"
    )
    monkeypatch.setattr(schema, "scripts_folder", lambda: scripts)
    monkeypatch.setattr(schema, "HEAD", "next")
    dangling = tmp_path / "dangling.db"
    dangling.write_bytes(path.read_bytes())
    with sqlite3.connect(dangling) as connection:
        connection.execute(
            "INSERT INTO ratings (session_id, piece_id, value, created) VALUES (7, 'x', 3, '2026-01-01')"
        )
    Store.open(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name, notes FROM listeners").fetchall() == [("ana", None)]
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("next",)]
    # What refers to nothing is said, and nothing changed.
    with pytest.raises(DatabaseError, match="dangling references; see `db check`"):
        Store.open(dangling)
    with sqlite3.connect(dangling) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() != [("next",)]


def test_a_database_of_the_first_tables_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    by_migrations(f"sqlite:///{path}", "0001").dispose()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO listeners (name, created) VALUES ('ana', '2026-01-01')")
    assert Store.open(path).check() == []
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM listeners").fetchall() == [("ana",)]
        assert connection.execute("SELECT count(*) FROM session_plays").fetchone() == (0,)
    assert (tmp_path / "a.db.0001.bak").exists()


def at_once(task: Callable[..., None], path: Path) -> list[str]:
    """Let six processes do something to one database at the same moment; return what each says."""
    context = forking()
    ready, results = context.Event(), context.Queue()
    processes = [context.Process(target=task, args=(path, ready, results)) for _ in range(6)]
    for process in processes:
        process.start()
    ready.set()
    said = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    return said


def _open(path: Path, ready: object, results: multiprocessing.Queue[str]) -> None:
    ready.wait()  # type: ignore[attr-defined]
    try:
        Store.open(path)
        results.put("done")
    except Exception as error:
        results.put(repr(error))


def test_many_processes_make_one_database(tmp_path: Path) -> None:
    assert at_once(_open, tmp_path / "a.db") == ["done"] * 6
    assert Store(tmp_path / "a.db").check() == []


def _upgrade(path: Path, ready: object, results: multiprocessing.Queue[str]) -> None:
    ready.wait()  # type: ignore[attr-defined]
    try:
        results.put(str(Store(path).upgrade()[1]))
    except Exception as error:
        results.put(repr(error))


@pytest.mark.long
def test_many_processes_upgrade_one_database(tmp_path: Path) -> None:
    by_migrations(f"sqlite:///{tmp_path / 'a.db'}", "0001").dispose()
    assert at_once(_upgrade, tmp_path / "a.db") == [schema.HEAD] * 6
    assert Store(tmp_path / "a.db").check() == []
    with sqlite3.connect(tmp_path / "a.db.0001.bak") as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]


def test_a_failed_creation_leaves_no_table(tmp_path: Path) -> None:
    engine = connect(locate(tmp_path / "a.db"))

    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    from sqlalchemy import event

    event.listen(schema.all_tables().tables["ratings"], "after_create", stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            schema.ensure(engine)
    finally:
        event.remove(schema.all_tables().tables["ratings"], "after_create", stop)
    assert statements(tmp_path / "a.db") == {}
    Store.open(tmp_path / "a.db")
