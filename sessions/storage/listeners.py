"""Listeners: their names, made by first mention."""

from __future__ import annotations

import unicodedata

from sqlalchemy import select
from sqlalchemy.orm import Session

from sessions.errors import NotFoundError
from sessions.storage.store import Store, added
from sessions.storage.tables import ListenerRow
from therapy_gen.errors import InputError

_LONGEST_NAME = 200


def listener_name(text: str) -> str:
    """Return a listener's name as it is stored: without blanks around it, accents in one form.

    Raises
    ------
    InputError
        Where nothing is left, or it is too long, or cannot be written as text.
    """
    name = unicodedata.normalize("NFC", text.strip())
    if not name:
        raise InputError("the listener's name is empty; give --listener a name")
    if len(name) > _LONGEST_NAME:
        raise InputError(f"the listener's name has {len(name)} characters; give at most {_LONGEST_NAME}")
    if "\0" in name or any("\ud800" <= character <= "\udfff" for character in name):
        raise InputError(f"the listener's name {name!a} is not text; check the terminal's encoding")
    return name


def add_listener(database: Session, name: str) -> ListenerRow:
    """Return the listener of a name (as `listener_name` gives it), made where there is none."""
    query = select(ListenerRow).where(ListenerRow.name == name)
    return database.scalar(query) or added(database, ListenerRow(name=name)) or database.scalars(query).one()


def find_listener(database: Session, name: str) -> ListenerRow:
    """Return the listener of a name; NotFoundError where there is none."""
    wanted = listener_name(name)
    found = database.scalar(select(ListenerRow).where(ListenerRow.name == wanted))
    if found is None:
        raise NotFoundError(f"listener {wanted!r} is not known; `therapy-gen session list` shows those who are")
    return found


def is_listener(store: Store, name: str) -> bool:
    """Say whether there is a listener of that name."""
    wanted = listener_name(name)
    with store.read() as database:
        return database.scalar(select(ListenerRow.id).where(ListenerRow.name == wanted)) is not None
