"""The schema's revision: making a new database, migrating an old one, refusing a newer one."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, inspect, select, table
from sqlalchemy import column as sql_column
from sqlalchemy.exc import OperationalError

from sessions.errors import DatabaseError, ExportError
from sessions.export_paths import atomic_write, check_file_target
from sessions.storage.database import BUSY_TIMEOUT_S, is_full, is_locked, label, sqlite_path, writing
from therapy_gen.files import keep_private

# The newest revision in migrations/versions; stated here so that opening a database does not import Alembic.
HEAD = "0008"

_VERSION = table("alembic_version", sql_column("version_num"))
_RETRY_S = 0.02
# What SQLite keeps beside a database while that is written.
_JOURNALS = ("-wal", "-journal")


def all_tables() -> MetaData:
    """Return the tables of the newest revision; what reads sessions need not know those of clients and of studies."""
    from sessions.studies.study_tables import StudyRow

    return StudyRow.metadata


def revision_of(connection: Connection) -> str | None:
    """Return the revision of a database; None for one without tables.

    Raises
    ------
    DatabaseError
        Where its tables belong to another program.
    """
    names = set(inspect(connection).get_table_names())
    if _VERSION.name in names:
        revision: str | None = connection.execute(select(_VERSION.c.version_num)).scalar()
        if revision is not None or names == {_VERSION.name}:
            return revision
    if not names:
        return None
    raise DatabaseError(
        f"database {label(connection.engine.url)} belongs to another program; give another file with `db`"
    )


def ensure(engine: Engine) -> None:
    """Bring a database to `HEAD`: make the tables in an empty one, migrate an old one.

    Raises
    ------
    DatabaseError
        Where the database is newer than this program or belongs to another.
    """
    with engine.connect() as connection:
        revision = revision_of(connection)
    if revision == HEAD:
        return
    if revision is not None:
        upgrade(engine)
        return
    _patiently(lambda: _create(engine))


def require_newest(engine: Engine) -> None:
    """Raise DatabaseError where a database that cannot be written is not at `HEAD`."""
    with engine.connect() as connection:
        revision = revision_of(connection)
    if revision == HEAD:
        return
    if revision is not None and revision not in known_revisions():
        raise _newer(engine, revision)
    raise DatabaseError(
        f"database {label(engine.url)} is of an older version, and cannot be migrated where it cannot be written; "
        "copy it to another place and give the copy with `db`"
    )


def _newer(engine: Engine, revision: str) -> DatabaseError:
    return DatabaseError(
        f"database {label(engine.url)} is newer than this program (its revision is {revision}, "
        f"the newest known is {HEAD}); install a newer therapy-gen"
    )


def _create(engine: Engine) -> None:
    with writing(engine).begin() as connection:
        # Another process may have been first.
        if revision_of(connection) is not None:
            return
        all_tables().create_all(connection, checkfirst=False)
        _stamp(connection)
    path = sqlite_path(engine.url)
    if path is not None:
        # Readers and one writer at a time do not wait for each other. The mode stays with the file.
        with engine.connect() as connection:
            driver_connection(connection).execute("PRAGMA journal_mode = WAL")


def _stamp(connection: Connection) -> None:
    """Write the revision as Alembic does."""
    if _VERSION.name not in inspect(connection).get_table_names():
        connection.exec_driver_sql(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
            "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    connection.execute(_VERSION.insert().values(version_num=HEAD))


def _patiently(work: Callable[[], None]) -> None:
    """Do `work`; where another process is changing the journal mode, which SQLite does not wait for, try again."""
    until = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            return work()
        except (OperationalError, sqlite3.OperationalError) as error:
            if not is_locked(error) or time.monotonic() > until:
                raise
            time.sleep(_RETRY_S)


def scripts_folder() -> Path:
    """Return where the migrations are: inside this package in an installed wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


def known_revisions() -> list[str]:
    """Return the revisions that this program knows, oldest first."""
    from alembic.script import ScriptDirectory

    return [script.revision for script in ScriptDirectory(str(scripts_folder())).walk_revisions()][::-1]


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Migrate a database to `HEAD` in one transaction; return its revision before and after.

    An SQLite file that is not empty is copied first, to ``<name>.<revision>.bak`` beside it.

    Raises
    ------
    DatabaseError
        Where the database is newer than this program or belongs to another.
    """
    with engine.connect() as connection:
        revision = revision_of(connection)
    if revision == HEAD:
        return revision, HEAD
    if revision is None:
        ensure(engine)
        return None, HEAD
    if revision not in known_revisions():
        raise _newer(engine, revision)
    path = sqlite_path(engine.url)
    if path is not None:
        # Made by an earlier version.
        keep_private(path)
        # Where another process has migrated it meanwhile, the copy that it made first stays.
        with contextlib.suppress(_MigratedMeanwhile):
            backup(engine, path.with_name(f"{path.name}.{revision}.bak"), overwrite=True, of_revision=revision)
    with writing(engine).connect() as connection:
        if path is not None:
            # Rebuilding a table must not delete rows that refer to it; references are checked before the commit.
            driver_connection(connection).execute("PRAGMA foreign_keys = OFF")
        with connection.begin():
            if revision_of(connection) != HEAD:
                _migrate(connection)
            if path is not None and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise DatabaseError(f"database {label(engine.url)} has dangling references; see `db check`")
    return revision, HEAD


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


class _MigratedMeanwhile(Exception):
    """A database was migrated before it could be copied."""


def backup(engine: Engine, target: Path, *, overwrite: bool, of_revision: str | None = None) -> None:
    """Copy an SQLite database, consistent also while others write, to `target`, whole or not at all.

    Raises
    ------
    DatabaseError
        Where the database is not an SQLite file.
    ExportError
        Where the copy cannot be written, or there is a file that may not be replaced.
    """
    path = sqlite_path(engine.url)
    if path is None:
        raise DatabaseError(f"database {label(engine.url)} is not a file; make a backup with its server (pg_dump)")
    check_file_target(target)
    if target.exists():
        if path.exists() and target.samefile(path):
            raise DatabaseError(f"{target} is the database itself; give the backup another name")
        if not overwrite:
            raise ExportError(f"{target} exists; choose another place, or give `overwrite`")
    journal = next((file for mark in _JOURNALS if (file := target.with_name(f"{target.name}{mark}")).exists()), None)
    if journal is not None:
        # SQLite would take the journal for the copy's own.
        raise ExportError(
            f"{target} is in use, or was when its program was stopped: {journal.name} is beside it; "
            "choose another place"
        )
    with atomic_write(target, replace=overwrite) as part, engine.connect() as connection:
        # SQLite only says that it cannot open a database, and not which of the two: so test the target here.
        part.touch()
        copy = sqlite3.connect(part)
        try:
            driver_connection(connection).backup(copy)
            # One file, without the journal beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
            if of_revision and copy.execute("SELECT version_num FROM alembic_version").fetchall() != [(of_revision,)]:
                raise _MigratedMeanwhile
        except sqlite3.OperationalError as error:
            # Of the two only the copy grows.
            if is_full(error):
                raise ExportError(
                    f"cannot write {target}: the disk is full; free some space, or choose another place"
                ) from error
            raise
        finally:
            copy.close()


def driver_connection(connection: Connection) -> sqlite3.Connection:
    """Return the driver's own connection."""
    raw: Any = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        raise TypeError("not an SQLite connection")
    return raw
