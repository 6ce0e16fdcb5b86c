"""Listeners: each is made where a name is first used."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sessions.errors import NotFoundError
from sessions.storage.pseudonyms import pseudonym_of
from sessions.storage.store import Store, added
from sessions.storage.tables import ListenerRow, RatingRow, RecordingRow, SessionItemRow, SessionPlayRow, SessionRow
from therapy_gen.errors import InputError

_LONGEST_NAME = 200

COLOURS = ("teal", "blue", "purple", "rose", "orange", "olive", "brown", "grey")
"""Colours that mark a listener on pages."""


def listener_name(text: str) -> str:
    """Return a listener's name as it is stored: stripped and in Unicode NFC; or its pseudonym.

    Raises
    ------
    InputError
        Where nothing is left, or it is too long, or cannot be written as text.
    """
    name = unicodedata.normalize("NFC", text.strip())
    if not name:
        raise InputError("the listener's name is empty; give a name")
    if len(name) > _LONGEST_NAME:
        raise InputError(f"the listener's name has {len(name)} characters; give at most {_LONGEST_NAME}")
    if "\0" in name or any("\ud800" <= character <= "\udfff" for character in name):
        raise InputError(f"the listener's name {name!a} is not text; check the terminal's encoding")
    return pseudonym_of(name)


def add_listener(database: Session, name: str) -> ListenerRow:
    """Return the listener of a name (as `listener_name` gives it), made where there is none."""
    query = select(ListenerRow).where(ListenerRow.name == name)
    return database.scalar(query) or added(database, ListenerRow(name=name)) or database.scalars(query).one()


def find_listener(database: Session, name: str) -> ListenerRow:
    """Return the listener of a name; NotFoundError where there is none."""
    wanted = listener_name(name)
    found = database.scalar(select(ListenerRow).where(ListenerRow.name == wanted))
    if found is None:
        raise NotFoundError(f"listener {wanted!r} is not known; `therapy-gen listener list` shows those who are")
    return found


def is_listener(store: Store, name: str) -> bool:
    """Say whether there is a listener of that name."""
    wanted = listener_name(name)
    with store.read() as database:
        return database.scalar(select(ListenerRow.id).where(ListenerRow.name == wanted)) is not None


@dataclass(frozen=True)
class ListenerSummary:
    """A line of `listener list`.

    Attributes
    ----------
    id : int
    name : str
    alias, colour : str or None
        What pages show in place of the name, and the colour that marks the listener.
    sessions, plays, ratings, recordings : int
    last : datetime or None
        When the newest session was made.
    """

    id: int
    name: str
    alias: str | None
    colour: str | None
    created: datetime
    sessions: int
    plays: int
    ratings: int
    recordings: int
    last: datetime | None

    @property
    def shown(self) -> str:
        """What pages show."""
        return self.alias or self.name

    def document(self) -> dict[str, Any]:
        """Return what `listener list --json` says of it."""
        return {
            "listener": self.name,
            "alias": self.alias,
            "colour": self.colour,
            "created": self.created.isoformat(),
            "sessions": self.sessions,
            "plays": self.plays,
            "ratings": self.ratings,
            "recordings": self.recordings,
            "last_session": self.last.isoformat() if self.last else None,
        }


def list_listeners(store: Store, name: str | None = None) -> list[ListenerSummary]:
    """Return all listeners by name, or the one of a name; NotFoundError where that is not known."""
    with store.read() as database:
        query = select(ListenerRow).order_by(func.lower(ListenerRow.name), ListenerRow.name)
        if name is not None:
            query = query.where(ListenerRow.id == find_listener(database, name).id)
        made = _counts(
            database, select(SessionRow.listener_id, func.count(), func.max(SessionRow.created)), SessionRow.listener_id
        )
        plays = _counts(
            database,
            select(SessionRow.listener_id, func.count()).join(
                SessionPlayRow, SessionPlayRow.session_id == SessionRow.id
            ),
            SessionRow.listener_id,
        )
        ratings = _counts(
            database,
            select(SessionRow.listener_id, func.count()).join(RatingRow, RatingRow.session_id == SessionRow.id),
            SessionRow.listener_id,
        )
        recordings = _counts(database, select(RecordingRow.listener_id, func.count()), RecordingRow.listener_id)
        return [
            ListenerSummary(
                row.id,
                row.name,
                row.alias,
                row.colour,
                row.created,
                made.get(row.id, (0, None))[0],
                plays.get(row.id, (0,))[0],
                ratings.get(row.id, (0,))[0],
                recordings.get(row.id, (0,))[0],
                made.get(row.id, (0, None))[1],
            )
            for row in database.scalars(query)
        ]


def _counts(database: Session, query: Any, column: Any) -> dict[int, tuple[Any, ...]]:
    rows = database.execute(query.where(column.is_not(None)).group_by(column))
    return {row[0]: tuple(row[1:]) for row in rows}


def only_listener_of(store: Store, pieces: Collection[str]) -> str | None:
    """Return the only listener there is, if all of these pieces are in sessions of theirs; None otherwise."""
    with store.read() as database:
        names = database.scalars(select(ListenerRow.name)).all()
        if len(names) != 1 or not pieces:
            return None
        rows = database.execute(
            select(SessionItemRow.piece_id, SessionRow.listener_id)
            .join(SessionRow, SessionRow.id == SessionItemRow.session_id)
            .where(SessionItemRow.piece_id.in_(list(pieces)))
        ).all()
    known = {piece for piece, listener in rows if listener is not None}
    return names[0] if known == set(pieces) and all(listener is not None for _, listener in rows) else None


def new_listener(store: Store, name: str, *, alias: str | None = None, colour: str | None = None) -> str:
    """Make a listener; InputError where there is one of that name. Return the name as it is stored."""
    wanted = listener_name(name)
    with store.write() as database:
        if database.scalar(select(ListenerRow.id).where(ListenerRow.name == wanted)) is not None:
            raise InputError(f"listener {wanted!r} is there already; choose another name")
        row = ListenerRow(name=wanted)
        database.add(row)
        _show_as(row, alias, colour)
    return wanted


def similar_listeners(store: Store, name: str) -> list[str]:
    """Return the names of listeners that differ from a name only in case, blanks, dots, accents and the like."""
    wanted = listener_name(name)
    with store.read() as database:
        names = list(database.scalars(select(ListenerRow.name).order_by(ListenerRow.name)))
    return [other for other in names if other != wanted and _essence(other) == _essence(wanted)]


def _essence(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if letter.isalnum()) or name


def show_listener_as(store: Store, name: str, *, alias: str | None = None, colour: str | None = None) -> None:
    """Set what pages show in place of a name, and the colour; None leaves one as it is, an empty text removes it."""
    with store.write() as database:
        _show_as(find_listener(database, name), alias, colour)


def _show_as(row: ListenerRow, alias: str | None, colour: str | None) -> None:
    if alias is not None:
        row.alias = listener_name(alias) if alias.strip() else None
    if colour is not None:
        if colour and colour not in COLOURS:
            raise InputError(f"colour {colour!r} is not known; give one of: {', '.join(COLOURS)}")
        row.colour = colour or None


def rename_listener(store: Store, old: str, new: str) -> str:
    """Give a listener another name; InputError where somebody has it. Return the name as it is stored."""
    wanted = listener_name(new)
    with store.write() as database:
        row = find_listener(database, old)
        taken = database.scalar(select(ListenerRow).where(ListenerRow.name == wanted))
        if taken is not None and taken.id != row.id:
            raise InputError(f"listener {wanted!r} is there already; to make them one: listener merge")
        row.name = wanted
    return wanted
