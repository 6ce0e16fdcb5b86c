"""Forgetting a person: every row, the bytes that rows leave behind, and the files made from them."""

from __future__ import annotations

import contextlib
import mmap
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from sessions.errors import DatabaseError, ExportError
from sessions.storage.client_tables import PieceMarkRow, PlayerSettingsRow
from sessions.storage.database import sqlite_path
from sessions.storage.listeners import find_listener
from sessions.storage.store import Store
from sessions.storage.tables import (
    ListenerRow,
    PieceRow,
    PlayRow,
    RankingRow,
    RatingRow,
    RecordingRow,
    SessionItemRow,
    SessionRow,
)
from therapy_gen.files import reason, remove_leftovers

# Shorter names stand in every large file by chance.
_SHORT_NAME = 6


@dataclass(frozen=True)
class Forgotten:
    """What was forgotten.

    Attributes
    ----------
    listener : str
    sessions, pieces, recordings : int
        Rows that are gone.
    files : tuple of Path
        Files and folders that are gone: renders, temporary files, copies that migrations left.
    searched : int
        Files that were searched afterwards for what was forgotten; nothing was found.
    """

    listener: str
    sessions: int
    pieces: int
    recordings: int
    files: tuple[Path, ...]
    searched: int


def forget_listener(store: Store, name: str, folders: Sequence[Path] = ()) -> Forgotten:
    """Forget a listener: sessions, ratings, notes, measures, recordings, rankings, and pieces that nobody else has.

    Parameters
    ----------
    store : Store
    name : str
    folders : sequence of Path
        Where renders and recordings lie: files in them that hold the name or a forgotten piece are deleted.

    Raises
    ------
    NotFoundError
        Where there is no such listener.
    DatabaseError
        Where bytes are found afterwards: another program had the database open.
    ExportError
        Where a file cannot be deleted.
    """
    with store.write() as database:
        row = find_listener(database, name)
        wanted = row.name
        numbers = list(database.scalars(select(SessionRow.id).where(SessionRow.listener_id == row.id)))
        recordings = list(database.scalars(select(RecordingRow.sha256).where(RecordingRow.listener_id == row.id)))
        pieces = _own_pieces(database, row.id)
        _delete_rows(database, row.id, pieces)
        # The app remembers who listened last.
        for memory in database.scalars(select(PlayerSettingsRow).where(PlayerSettingsRow.listener_id.is_(None))):
            if memory.values.get("listener") == wanted:
                memory.values = {key: value for key, value in memory.values.items() if key != "listener"}
    needles = _needles(wanted, numbers, pieces, recordings)
    gone = [_remove(copy) for copy in store.copies()]
    # Recordings of a session are named by it.
    gone += [_remove(path) for path in _files(folders) if path.name.startswith(_named(numbers))]
    gone += [_remove(path) for path in _holding(_files(folders), needles)]
    gone += [path for folder in _around(store, folders) for path in remove_leftovers(folder)]
    kept = store.erase()
    left = list(_holding([*kept, *_files(folders)], needles))
    if left:
        raise DatabaseError(
            f"{left[0]} still holds what was forgotten: another program has the database open; "
            "close it and run `listener forget` again for a listener of that name"
        )
    searched = len(kept) + len(list(_files(folders)))
    return Forgotten(wanted, len(numbers), len(pieces), len(recordings), tuple(gone), searched)


def _named(sessions: Iterable[int]) -> tuple[str, ...]:
    return tuple(f"session-{number}-" for number in sessions)


def _own_pieces(database: Session, owner: int) -> list[str]:
    """Return the pieces that a model wrote or the listener brought, and that nobody else has."""
    theirs = select(SessionItemRow.piece_id).join(SessionRow).where(SessionRow.listener_id == owner)
    written = PieceRow.id.in_(theirs) & PieceRow.model_id.is_not(None)
    mine = select(PieceRow.id).where(written | (PieceRow.listener_id == owner))
    others = {
        *database.scalars(
            select(SessionItemRow.piece_id)
            .join(SessionRow)
            .where(SessionItemRow.piece_id.in_(mine), SessionRow.listener_id.is_distinct_from(owner))
        ),
        *database.scalars(
            select(PlayRow.piece_id)
            .join(RecordingRow)
            .where(PlayRow.piece_id.in_(mine), RecordingRow.listener_id.is_distinct_from(owner))
        ),
        *database.scalars(
            select(PieceMarkRow.piece_id).where(
                PieceMarkRow.piece_id.in_(mine), PieceMarkRow.listener_id.is_distinct_from(owner)
            )
        ),
        *database.scalars(
            select(RatingRow.piece_id)
            .join(SessionRow)
            .where(RatingRow.piece_id.in_(mine), SessionRow.listener_id.is_distinct_from(owner))
        ),
    }
    return sorted(set(database.scalars(mine)) - others)


def _delete_rows(database: Session, owner: int, pieces: Sequence[str]) -> None:
    database.execute(delete(RecordingRow).where(RecordingRow.listener_id == owner))
    # Recordings of a session whose listener was not named.
    theirs = select(SessionRow.id).where(SessionRow.listener_id == owner)
    database.execute(delete(RecordingRow).where(RecordingRow.session_id.in_(theirs)))
    database.execute(delete(SessionRow).where(SessionRow.listener_id == owner))
    database.execute(delete(RankingRow).where(RankingRow.piece_id.in_(pieces)))
    database.execute(delete(PieceRow).where(PieceRow.id.in_(pieces)))
    database.execute(delete(ListenerRow).where(ListenerRow.id == owner))


def _needles(name: str, sessions: Iterable[int], pieces: Iterable[str], recordings: Iterable[str]) -> list[bytes]:
    """Return what must not be found in any file."""
    said = [f"Session {number} for {name}" for number in sessions]
    if len(name) >= _SHORT_NAME:
        said.append(name)
    texts = [*said, *(text.encode("unicode_escape").decode() for text in said), *pieces, *recordings]
    return sorted({coded for text in texts for coded in (text.encode(), text.encode("utf-16-le"))})


def _around(store: Store, folders: Iterable[Path]) -> set[Path]:
    """Return the folders in which this program writes."""
    found = {path for folder in folders if folder.is_dir() for path in (folder, *folder.rglob("*")) if path.is_dir()}
    place = sqlite_path(store.url)
    return found | ({place.resolve().parent} if place is not None else set())


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        if folder.is_dir():
            yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def _holding(paths: Iterable[Path], needles: Sequence[bytes]) -> Iterator[Path]:
    """Give the files that hold one of the byte strings."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError), path.open("rb") as stream:
            if path.stat().st_size == 0:
                continue
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
                found = any(content.find(needle) >= 0 for needle in needles)
            if found:
                yield path


def _remove(path: Path) -> Path:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:
        raise ExportError(f"cannot delete {path}: {reason(error)}; delete it, then forget again") from error
    return path
