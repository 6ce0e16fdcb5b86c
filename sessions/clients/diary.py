"""What is noted about sessions: words, measures before and after, marks of pieces, and how somebody listens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from sessions.clients.scales import Scale, find_scale, known_scales
from sessions.errors import NotFoundError
from sessions.storage.client_tables import (
    FAVOURITE,
    NEVER,
    MeasureRow,
    PieceMarkRow,
    PlayerSettingsRow,
    SessionNoteRow,
)
from sessions.storage.library import get_piece
from sessions.storage.listeners import add_listener, find_listener, listener_name
from sessions.storage.store import Store
from sessions.storage.tables import ListenerRow, RatingRow, SessionItemRow, SessionRow, now
from therapy_gen.errors import InputError

_LONGEST_NOTE = 20_000
# So many stars or fewer: not to come back.
_DISLIKED = 2


@dataclass(frozen=True)
class SessionNote:
    """What was written about a session."""

    id: int
    session: int
    text: str
    created: datetime


@dataclass(frozen=True)
class Measure:
    """What a scale came to before and after a session; None where it was not asked."""

    session: int
    scale: str
    before: float | None
    after: float | None
    created: datetime

    @property
    def change(self) -> float | None:
        """After less before."""
        return None if self.before is None or self.after is None else self.after - self.before


def add_note(store: Store, session: int, text: str) -> SessionNote:
    """Keep a note about a session, and return it."""
    said = text.strip()
    if not said:
        raise InputError("the note is empty; write what is to be kept")
    if len(said) > _LONGEST_NOTE or "\0" in said:
        raise InputError(f"the note has {len(said)} characters, or some that are no text; give {_LONGEST_NOTE} at most")
    with store.write() as database:
        _require(database, session)
        row = SessionNoteRow(session_id=session, text=said)
        database.add(row)
        database.flush()
        return SessionNote(row.id, session, row.text, row.created)


def delete_note(store: Store, note: int) -> None:
    """Delete a note; NotFoundError where there is none of that number."""
    with store.write() as database:
        row = database.get(SessionNoteRow, note)
        if row is None:
            raise NotFoundError(f"note {note} does not exist")
        database.delete(row)


def list_notes(store: Store, *, session: int | None = None, listener: str | None = None) -> list[SessionNote]:
    """Return the notes of a session, or of all sessions of a listener, oldest first."""
    query = select(SessionNoteRow).order_by(SessionNoteRow.id)
    with store.read() as database:
        query = _of(database, query, SessionNoteRow.session_id, session, listener)
        return [SessionNote(row.id, row.session_id, row.text, row.created) for row in database.scalars(query)]


def set_measure(
    store: Store, session: int, scale: str, before: float | None = None, after: float | None = None
) -> tuple[Scale, Measure]:
    """Keep what a scale came to before or after a session, or both; what is None stays as it was.

    Raises
    ------
    NotFoundError
        Where there is no such session or scale.
    InputError
        Where a value is out of range, or none is given.
    """
    found = find_scale(store, scale)
    if before is None and after is None:
        raise InputError("no value is given; give before, after, or both")
    for value in (before, after):
        if value is not None:
            found.check(value)
    with store.write() as database:
        _require(database, session)
        query = select(MeasureRow).where(MeasureRow.session_id == session, MeasureRow.scale == found.name)
        row = database.scalar(query)
        if row is None:
            row = MeasureRow(session_id=session, scale=found.name, before=None, after=None, created=now())
            database.add(row)
        row.before = row.before if before is None else before
        row.after = row.after if after is None else after
        return found, Measure(session, found.name, row.before, row.after, row.created)


def list_measures(store: Store, *, session: int | None = None, listener: str | None = None) -> list[Measure]:
    """Return the measures of a session, or of all sessions of a listener, by session."""
    query = select(MeasureRow).order_by(MeasureRow.session_id, MeasureRow.id)
    with store.read() as database:
        query = _of(database, query, MeasureRow.session_id, session, listener)
        return [
            Measure(row.session_id, row.scale, row.before, row.after, row.created) for row in database.scalars(query)
        ]


def measures_by_scale(store: Store, listener: str) -> list[tuple[Scale, list[Measure]]]:
    """Return a listener's measures by scale, each from the oldest session on."""
    known = known_scales(store)
    found: dict[str, list[Measure]] = {}
    for measure in list_measures(store, listener=listener):
        found.setdefault(measure.scale, []).append(measure)
    return [(known[name], found[name]) for name in known if name in found]


def mark_piece(store: Store, piece: str, mark: str, listener: str | None, *, on: bool = True) -> str:
    """Mark a piece (by prefix) as never to come back, or as a favourite, or take that back; return its ULID."""
    if mark not in (NEVER, FAVOURITE):
        raise InputError(f"mark {mark!r} is not known; give {NEVER} or {FAVOURITE}")
    id_ = get_piece(store, piece).id
    with store.write() as database:
        owner = None
        if listener is not None:
            row = add_listener(database, listener_name(listener))
            database.flush()
            owner = row.id
        # A piece has one mark at most.
        database.execute(delete(PieceMarkRow).where(PieceMarkRow.listener_id == owner, PieceMarkRow.piece_id == id_))
        if on:
            database.add(PieceMarkRow(listener_id=owner, piece_id=id_, mark=mark))
    return id_


def marked_pieces(store: Store, listener: str | None) -> dict[str, str]:
    """Return the marks of a listener by ULID of the piece."""
    with store.read() as database:
        owner = _owner(database, listener)
        if listener is not None and owner is None:
            return {}
        query = select(PieceMarkRow).where(PieceMarkRow.listener_id == owner).order_by(PieceMarkRow.id)
        return {row.piece_id: row.mark for row in database.scalars(query)}


def refused_pieces(store: Store, listener: str | None) -> set[str]:
    """Return the pieces that are not to come back: rated 1 or 2 when last rated, or marked so."""
    refused = {piece for piece, mark in marked_pieces(store, listener).items() if mark == NEVER}
    with store.read() as database:
        owner = _owner(database, listener)
        if listener is not None and owner is None:
            return refused
        query = (
            select(RatingRow.piece_id, RatingRow.value)
            .join(SessionRow, SessionRow.id == RatingRow.session_id)
            .where(SessionRow.listener_id == owner)
            .order_by(RatingRow.created, RatingRow.id)
        )
        newest = {row.piece_id: row.value for row in database.execute(query)}
    return refused | {piece for piece, value in newest.items() if value <= _DISLIKED}


def earlier_pieces(store: Store, listener: str) -> list[str]:
    """Return the pieces of a listener's sessions, in the order in which they came."""
    with store.read() as database:
        query = (
            select(SessionItemRow.piece_id)
            .join(SessionRow, SessionRow.id == SessionItemRow.session_id)
            .where(SessionRow.listener_id == _owner(database, listener), SessionItemRow.piece_id.is_not(None))
            .order_by(SessionRow.id, SessionItemRow.position)
        )
        return list(dict.fromkeys(piece for piece in database.scalars(query) if piece))


def player_settings(store: Store, listener: str | None) -> dict[str, Any]:
    """Return what the app remembers of how somebody listens; an empty dict where that is nothing."""
    with store.read() as database:
        owner = _owner(database, listener)
        if listener is not None and owner is None:
            return {}
        row = database.scalar(select(PlayerSettingsRow).where(PlayerSettingsRow.listener_id == owner))
        return dict(row.values) if row is not None else {}


def remember_settings(store: Store, listener: str | None, values: Mapping[str, Any]) -> None:
    """Remember how somebody listens, in place of what was remembered."""
    with store.write() as database:
        owner = _owner(database, listener)
        if listener is not None and owner is None:
            return
        row = database.scalar(select(PlayerSettingsRow).where(PlayerSettingsRow.listener_id == owner))
        if row is None:
            database.add(PlayerSettingsRow(listener_id=owner, values=dict(values)))
        else:
            row.values = dict(values)


def _owner(database: Session, listener: str | None) -> int | None:
    if listener is None:
        return None
    return database.scalar(select(ListenerRow.id).where(ListenerRow.name == listener_name(listener)))


def _require(database: Session, session: int) -> None:
    if not 0 < session < 2**31 or database.get(SessionRow, session) is None:
        raise NotFoundError(f"session {session} does not exist; `therapy-gen session list` shows those that do")


def _of(database: Session, query: Any, column: Any, session: int | None, listener: str | None) -> Any:
    if session is not None:
        query = query.where(column == session)
    if listener is not None:
        owner = find_listener(database, listener)
        query = query.join(SessionRow, SessionRow.id == column).where(SessionRow.listener_id == owner.id)
    return query
