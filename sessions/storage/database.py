"""Reaching a database by path or URL: connections, transactions, and errors in words."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, SAWarning
from sqlalchemy.pool import NullPool

from sessions.errors import DatabaseError
from therapy_gen.errors import MissingExtraError

# Seconds to wait for other processes that are writing; `?timeout=` in the URL of an SQLite file changes it.
BUSY_TIMEOUT_S = 30.0
# The advisory lock that each writer takes on a PostgreSQL server ("therapy" in ASCII).
_WRITERS_LOCK = 0x74686572617079
_WRITES = "writes"

# SQLAlchemy's pool logs what stops it while it closes a connection, an interrupt too, and raises it as well: without a
# handler of its own the log would put a traceback on standard error.
logging.getLogger("sqlalchemy").addHandler(logging.NullHandler())


def locate(where: str | Path) -> URL:
    """Return the URL of a database given by path or URL.

    Raises
    ------
    DatabaseError
        Where a URL is not valid or names a kind of database that is not supported.
    """
    text = str(where)
    if "://" not in text:
        # SQLite's own spelling of a file, without what may follow a question mark.
        text = text.removeprefix("file:")
        if not text or "\0" in text:
            raise DatabaseError("the database has no name; give `db` a path or a URL")
        try:
            path = Path(text).expanduser()
        except RuntimeError as error:
            raise DatabaseError(
                f"`db` {text}: the home folder of {Path(text).parts[0]} is not known; write its path out"
            ) from error
        return URL.create("sqlite", database=str(path))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise DatabaseError(f"`db` {_without_password(text)} is not a database URL; give a path, or {_URLS}") from error
    backend = url.drivername.partition("+")[0]
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite":
        if url.database and url.database.startswith("file:") and "uri" not in url.query:
            return url.set(database=url.database.removeprefix("file:"))
        return url
    raise DatabaseError(f"{backend} databases are not supported; give `db` a path, or {_URLS}")


_URLS = "sqlite:///FILE or postgresql://USER@HOST/NAME"


def _without_password(text: str) -> str:
    scheme, _, rest = text.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def sqlite_path(url: URL) -> Path | None:
    """Return the file of an SQLite database; None for one in memory or on a server."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    if url.database.startswith("file:"):
        name = url.database.removeprefix("file:").partition("?")[0]
        return Path(name)
    return Path(url.database)


def label(url: URL) -> str:
    """Return how to name a database to the user: its path, or its URL without the password."""
    path = sqlite_path(url)
    return str(path) if path else url.render_as_string(hide_password=True)


def connect(url: URL, *, read_only: bool = False) -> Engine:
    """Return an engine; nothing is opened yet.

    Parameters
    ----------
    url : URL
    read_only : bool
        Whether an SQLite file is opened for reading only; on a read-only medium, as a file that nobody changes.

    Raises
    ------
    DatabaseError
        Where no SQLite file can be at its path.
    MissingExtraError
        Where the driver for PostgreSQL is not installed.
    """
    if url.get_backend_name() != "sqlite":
        try:
            # A reader sees one state of the database, as it does in SQLite.
            engine = create_engine(url, poolclass=NullPool, isolation_level="REPEATABLE READ")
        except (ImportError, NoSuchModuleError) as error:
            raise MissingExtraError("a PostgreSQL database", "postgres") from error
        event.listen(engine, "begin", _on_begin_at_server)
        return engine
    path = sqlite_path(url)
    if path is not None:
        if path.is_dir():
            raise DatabaseError(f"database {path} is a folder; give `db` a file in it, such as {path / 'therapy.db'}")
        if path.exists() and not path.is_file():
            raise DatabaseError(f"database {path} is a pipe or a device; give `db` a file")
        if not path.parent.is_dir():
            raise DatabaseError(f"database {path}: the folder {path.parent} does not exist; make it, or choose another")
    # Transactions are begun by the events below, not by the driver, which would leave DDL and reads outside.
    arguments: dict[str, Any] = {"isolation_level": None}
    if "timeout" not in url.query:
        arguments["timeout"] = BUSY_TIMEOUT_S
    pool: dict[str, Any] = {"poolclass": NullPool} if path is not None else {}
    if read_only and path is not None and not may_be_written(path):
        pool["creator"] = lambda: sqlite3.connect(_read_only_address(path), uri=True, **arguments)
    try:
        with warnings.catch_warnings():
            # SQLAlchemy only warns of unknown arguments.
            warnings.simplefilter("error", SAWarning)
            engine = create_engine(url, connect_args=arguments, **pool)
    except (ArgumentError, SAWarning, TypeError, ValueError) as error:
        said = str(error).partition(";")[0]
        raise DatabaseError(f"database {label(url)}: {said}; mend what follows the question mark") from error
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def may_be_written(path: Path) -> bool:
    """Say whether SQLite can write a database and the journal beside it."""
    return not path.exists() or (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def _read_only_address(path: Path) -> str:
    """Return the URI of a file on a read-only medium: immutable where no journal lies beside it."""
    journal = path.with_name(f"{path.name}-wal")
    changed = journal.exists() and journal.stat().st_size > 0
    return f"file:{quote(str(path.absolute()))}?mode=ro" + ("" if changed else "&immutable=1")


def _on_connect(connection: sqlite3.Connection, record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    # What is deleted is overwritten, whatever SQLite was built with.
    connection.execute("PRAGMA secure_delete = ON")


def _on_begin(connection: Connection) -> None:
    # A transaction that will write takes its lock at once: one that reads first and then writes would fail where
    # another has written in between, however long it waits.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _on_begin_at_server(connection: Connection) -> None:
    # Writers run one after the other, as in SQLite: no row that one has read changes meanwhile, and no two make the
    # same listener, model or recording.
    if connection.get_execution_options().get(_WRITES, False):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(1000 * BUSY_TIMEOUT_S)}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})")


def writing(engine: Engine) -> Engine:
    """Return the same engine for transactions that write."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(**{_WRITES: True})
    # It must see what was committed while it waited for the lock.
    return engine.execution_options(**{_WRITES: True, "isolation_level": "READ COMMITTED"})


@contextlib.contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn errors of the database and its driver into one DatabaseError that says how to mend it."""
    try:
        yield
    except DBAPIError as error:
        raise explain(error, url) from error
    except sqlite3.Error as error:
        raise explain(error, url) from error
    except UnicodeDecodeError as error:
        # SQLite's message on a damaged schema quotes it, and Python's module cannot decode the quotation.
        raise DatabaseError(
            f"database {label(url)} is damaged; restore a backup, or see what `db check` says"
        ) from error


def is_locked(error: BaseException) -> bool:
    """Say whether another process holds the database."""
    return isinstance(error, OperationalError | sqlite3.OperationalError) and "locked" in str(error)


def is_full(error: BaseException) -> bool:
    """Say whether the disk has no room left."""
    return isinstance(error, sqlite3.OperationalError) and "full" in str(error)


# Messages of SQLite or PostgreSQL -> what is wrong and how to mend it.
_MEANINGS = (
    ("not a database", "is not an SQLite database; give another file with `db`"),
    ("malformed", "is damaged; restore a backup, or see what `db check` says"),
    ("readonly", "is read-only; make it writable, or copy it and give the copy with `db`"),
    ("locked", "is locked by another program; try again when that is done"),
    ("lock timeout", "is locked by another program; try again when that is done"),
    ("full", "cannot grow: the disk is full; free some space and try again"),
    ("No space left", "cannot grow: the disk of its server is full; free some space and try again"),
    ("unable to open", "cannot be opened; check that its folder may be read and written, or choose another with `db`"),
    ("disk I/O", "cannot be read or written (disk error); check the disk and its free space"),
    ("permission denied", "may not be accessed; check its rights, or choose another with `db`"),
)
_PASSING = frozenset(("locked", "lock timeout", "full", "No space left", "unable to open", "disk I/O"))


def explain(error: DBAPIError | sqlite3.Error, url: URL) -> DatabaseError:
    """Return the DatabaseError that says what `error` means."""
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    said = " ".join(str(original).split())
    for sign, meaning in _MEANINGS:
        if sign in said:
            return DatabaseError(f"database {label(url)} {meaning}", passing=sign in _PASSING)
    if url.get_backend_name() != "sqlite" and isinstance(error, OperationalError):
        return DatabaseError(
            f"database {label(url)} cannot be reached; check the server and the URL ({said})", passing=True
        )
    return DatabaseError(f"database {label(url)}: {said}")
