"""The Williams designs that a listener's sessions followed, so that orders continue from session to session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from sessions.planning.counterbalance import Design
from sessions.storage.tables import ListenerRow, SessionRow

if TYPE_CHECKING:
    from sessions.storage.store import Store


def designs_of(store: Store, listener: str | None) -> list[Design]:
    """Return the designs that a listener's sessions followed, one for each set of pieces.

    The listener's name is as `listener_name` gives it; None: sessions without a listener.

    The pieces of a design keep the numbers that its first session gave them.
    """
    query = select(SessionRow.parameters).order_by(SessionRow.id)
    if listener is None:
        query = query.where(SessionRow.listener_id.is_(None))
    else:
        query = query.join(ListenerRow, ListenerRow.id == SessionRow.listener_id)
        query = query.where(ListenerRow.name == listener)
    found: dict[frozenset[str], Design] = {}
    with store.read() as database:
        for parameters in database.scalars(query):
            stored = parameters.get("design")
            if not stored:
                continue
            pieces, rows = tuple(stored["pieces"]), tuple(stored["rows"])
            before = found.get(frozenset(pieces), Design(pieces, ()))
            found[frozenset(pieces)] = Design(before.pieces, before.used + rows)
    return list(found.values())
