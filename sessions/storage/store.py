"""The store: a database that is opened, made or migrated on first use, with transactions over it."""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from sessions.errors import DatabaseError
from sessions.storage import schema
from sessions.storage.database import connect, explained, label, locate, may_be_written, sqlite_path, writing
from sessions.storage.tables import Base, ListenerRow, PieceRow, SessionRow
from therapy_gen.files import create_private_file
from therapy_gen.music.audio.files.kind import is_audio

# What SQLite keeps beside a database.
_SIDES = ("-wal", "-shm", "-journal")

Row = TypeVar("Row", bound=Base)


@dataclass(frozen=True)
class StoreInfo:
    """Facts about a database.

    Attributes
    ----------
    database : str
        Path, or URL without the password.
    revision, newest : str
        The schema's revision, and the newest that this program knows.
    bytes : int or None
        Size of the file; None on a server.
    sessions, pieces, listeners : int
        Rows.
    """

    database: str
    revision: str | None
    newest: str
    bytes: int | None
    sessions: int
    pieces: int
    listeners: int


class Store:
    """Sessions, pieces and listeners in a database.

    Parameters
    ----------
    where : str or Path
        A file (made where it does not exist) or a URL.
    read_only : bool
        Whether an SQLite file is only to be read: see `open_to_read`.

    Raises
    ------
    DatabaseError
        Where it cannot be reached; at `open` also where it is newer than this program or not ours.

    Examples
    --------
    >>> import sessions
    >>> sessions.Store.open("therapy.db").info().sessions
    0
    """

    def __init__(self, where: str | Path, *, read_only: bool = False) -> None:
        self.url = locate(where)
        self._engine = connect(self.url, read_only=read_only)
        self._writing = writing(self._engine)

    @classmethod
    def open(cls, where: str | Path) -> Store:
        """Return a store with the newest schema; the database is made or migrated where necessary."""
        store = cls(where)
        path = sqlite_path(store.url)
        if path is not None:
            with contextlib.suppress(OSError):
                create_private_file(path)
        with explained(store.url):
            schema.ensure(store._engine)
        return store

    @classmethod
    def open_to_read(cls, where: str | Path) -> Store:
        """Return a store for reading, possibly on a read-only medium; the database is never made.

        Raises
        ------
        DatabaseError
            Where there is no such database, or it is of an older version and cannot be migrated.
        """
        store = cls(where, read_only=True)
        store.require()
        path = sqlite_path(store.url)
        with explained(store.url):
            if path is not None and not may_be_written(path):
                schema.require_newest(store._engine)
            else:
                schema.ensure(store._engine)
        return store

    @classmethod
    def empty(cls) -> Store:
        """Return a store in memory that holds nothing."""
        return cls.open("sqlite://")

    @property
    def label(self) -> str:
        """How to name the database to the user."""
        return label(self.url)

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """Give an ORM session that sees one consistent state of the database."""
        with explained(self.url), Session(self._engine, expire_on_commit=False) as database:
            yield database

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """Give an ORM session in one transaction: everything is stored at the end, or nothing."""
        with (
            explained(self.url),
            Session(self._writing, expire_on_commit=False) as database,
            database.begin(),
        ):
            yield database

    def info(self) -> StoreInfo:
        """Return facts about the database, without migrating it."""
        path = sqlite_path(self.url)
        with explained(self.url):
            self.require()
            with self._engine.connect() as connection:
                revision = schema.revision_of(connection)
            counts = [0, 0, 0]
            if revision == schema.HEAD:
                with Session(self._engine) as database:
                    counts = [
                        database.scalar(select(func.count()).select_from(table)) or 0
                        for table in (SessionRow, PieceRow, ListenerRow)
                    ]
        return StoreInfo(self.label, revision, schema.HEAD, path.stat().st_size if path else None, *counts)

    def upgrade(self) -> tuple[str | None, str]:
        """Migrate to the newest schema; return the revision before and after."""
        with explained(self.url):
            return schema.upgrade(self._engine)

    def backup(self, target: Path, *, overwrite: bool = False) -> None:
        """Write a consistent copy of the database to `target`, whole or not at all.

        Parameters
        ----------
        target : Path
        overwrite : bool
            Whether an existing file is replaced.

        Raises
        ------
        DatabaseError
            Where the database is not a file, or `target` is the database itself.
        ExportError
            Where the copy cannot be written, or there is a file that may not be replaced.
        """
        self.require()
        with explained(self.url):
            schema.backup(self._engine, target, overwrite=overwrite)

    def erase(self) -> list[Path]:
        """Rewrite the database without deleted data; return the files that hold it.

        SQLite leaves deleted rows in free pages and in its log: both are gone afterwards. On a PostgreSQL server the
        tables are rewritten; its write-ahead log and backups are the server's own.
        """
        path = sqlite_path(self.url)
        with explained(self.url), self._engine.connect() as connection:
            if path is None:
                connection.rollback()
                if self.url.get_backend_name() != "sqlite":
                    connection = connection.execution_options(isolation_level="AUTOCOMMIT")
                    connection.exec_driver_sql("VACUUM FULL")
                return []
            raw = schema.driver_connection(connection)
            raw.execute("VACUUM")
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return [file for file in (path, *(path.with_name(f"{path.name}{end}") for end in _SIDES)) if file.exists()]

    def copies(self) -> list[Path]:
        """Return the copies that migrations left beside an SQLite database."""
        path = sqlite_path(self.url)
        return [] if path is None else sorted(path.parent.glob(f"{glob.escape(path.name)}.*.bak*"))

    def check(self) -> list[str]:
        """Return what is wrong with the database, one line each; an empty list where all is well."""
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

        self.require()
        problems: list[str] = []
        with explained(self.url), self._engine.connect() as connection:
            revision = schema.revision_of(connection)
            if revision != schema.HEAD:
                problems.append(f"schema is at revision {revision or 'none'}, not {schema.HEAD}; run `db upgrade`")
            if self.url.get_backend_name() == "sqlite":
                rows = connection.exec_driver_sql("PRAGMA integrity_check")
                problems += [f"integrity: {row[0]}" for row in rows if row[0] != "ok"]
                rows = connection.exec_driver_sql("PRAGMA foreign_key_check")
                problems += [f"{row[0]} row {row[1]} points at a missing row of {row[2]}" for row in rows]
            if revision == schema.HEAD:
                differences = compare_metadata(MigrationContext.configure(connection), schema.all_tables())
                problems += [f"schema differs: {difference}" for difference in differences]
                problems += _broken_sessions(Session(connection))
        return problems

    def require(self) -> None:
        """Raise DatabaseError where there is no such SQLite file."""
        path = sqlite_path(self.url)
        if path is not None and not path.exists():
            raise DatabaseError(f"database {path} does not exist; `therapy-gen session new` makes it")


def added(database: Session, row: Row) -> Row | None:
    """Add a row; None where another transaction added it first (on a server, where writers run side by side)."""
    try:
        with database.begin_nested():
            database.add(row)
    except IntegrityError:
        return None
    return row


# Onsets are sums of durations in floating point.
_SAME_MOMENT_S = 1e-3


def _broken_sessions(database: Session) -> list[str]:
    problems = []
    for row in database.scalars(select(SessionRow).order_by(SessionRow.id)):
        moment = 0.0
        for item in row.items:
            if abs(item.onset_s - moment) > _SAME_MOMENT_S:
                problems.append(f"session {row.id}: item {item.position} begins at {item.onset_s}, not {moment}")
            moment = item.onset_s + item.duration_s
        if abs(moment - row.duration_s) > _SAME_MOMENT_S:
            problems.append(f"session {row.id} lasts {row.duration_s} s, its items {moment} s")
    heads = select(PieceRow.id, func.substr(PieceRow.midi, 1, 4), func.substr(PieceRow.audio, 1, 4))
    for piece, midi, audio in database.execute(heads):
        if midi is not None and bytes(midi) != b"MThd":
            problems.append(f"piece {piece} holds no MIDI file")
        if midi is None and not is_audio(bytes(audio or b"")):
            problems.append(f"piece {piece} holds no sound")
    return problems
