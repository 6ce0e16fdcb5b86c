"""Overview of a client: sessions with plays, ratings and measures, in a fixed number of queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from sessions.clients.diary import SessionNote, list_measures, list_notes
from sessions.clients.scales import known_scales
from sessions.storage.listeners import ListenerSummary, find_listener, list_listeners
from sessions.storage.store import Store
from sessions.storage.tables import RatingRow, SessionPlayRow, SessionRow


@dataclass(frozen=True)
class ClientSession:
    """A session of a client.

    Attributes
    ----------
    plays : int
        How often it was played.
    rating : float or None
        Mean of its ratings.
    measures : tuple of str
        Such as ``"vas-calm 40 to 65"``.
    notes : tuple of SessionNote
    """

    id: int
    created: datetime
    arc: str
    duration_s: float
    plays: int
    rating: float | None
    measures: tuple[str, ...]
    notes: tuple[SessionNote, ...]

    def document(self) -> dict[str, Any]:
        """Return what `listener show --json` says of it."""
        return {
            "id": self.id,
            "created": self.created.isoformat(),
            "arc": self.arc,
            "duration_s": self.duration_s,
            "plays": self.plays,
            "mean_rating": self.rating,
            "notes": [{"id": note.id, "created": note.created.isoformat(), "text": note.text} for note in self.notes],
        }


@dataclass(frozen=True)
class Client:
    """A client with all sessions, oldest first."""

    summary: ListenerSummary
    sessions: tuple[ClientSession, ...]
    measures: tuple[dict[str, Any], ...]

    def document(self) -> dict[str, Any]:
        """Return what `listener show --json` says."""
        return {
            **self.summary.document(),
            "sessions": [one.document() for one in self.sessions],
            "measures": list(self.measures),
        }


def client_overview(store: Store, name: str) -> Client:
    """Return a client; NotFoundError where there is no such listener."""
    (summary,) = list_listeners(store, name)
    titles = {scale.name: scale.title for scale in known_scales(store).values()}
    measures = list_measures(store, listener=name)
    said: dict[int, list[str]] = {}
    for one in measures:
        values = " to ".join("–" if value is None else f"{value:g}" for value in (one.before, one.after))
        said.setdefault(one.session, []).append(f"{titles.get(one.scale, one.scale)} {values}")
    notes: dict[int, list[SessionNote]] = {}
    for note in list_notes(store, listener=name):
        notes.setdefault(note.session, []).append(note)
    with store.read() as database:
        owner = find_listener(database, name).id
        own = select(SessionRow.id).where(SessionRow.listener_id == owner)
        plays = _by_session(database, select(SessionPlayRow.session_id, func.count()), SessionPlayRow.session_id, own)
        rated = _by_session(
            database, select(RatingRow.session_id, func.avg(RatingRow.value)), RatingRow.session_id, own
        )
        columns = (SessionRow.id, SessionRow.created, SessionRow.arc, SessionRow.duration_s)
        query = select(*columns).where(SessionRow.listener_id == owner).order_by(SessionRow.id)
        sessions = tuple(
            ClientSession(
                row.id,
                row.created,
                row.arc,
                row.duration_s,
                int(plays.get(row.id, 0)),
                None if row.id not in rated else float(rated[row.id]),
                tuple(said.get(row.id, ())),
                tuple(notes.get(row.id, ())),
            )
            for row in database.execute(query)
        )
    documents = tuple(
        {"session": one.session, "scale": one.scale, "before": one.before, "after": one.after, "change": one.change}
        for one in measures
    )
    return Client(summary, sessions, documents)


def _by_session(database: Any, query: Any, column: Any, own: Any) -> dict[int, Any]:
    return {row[0]: row[1] for row in database.execute(query.where(column.in_(own)).group_by(column))}
