"""The play log: when sessions were played, and when each stretch of them was heard."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from sessions.errors import NotFoundError
from sessions.records import SessionRecord
from sessions.storage.store import Store
from sessions.storage.tables import PlayedStretchRow, SessionItemRow, SessionPlayRow, SessionRow


@dataclass(frozen=True)
class PlayedStretch:
    """A stretch of a session as it was heard.

    Attributes
    ----------
    position : int
        Of the item in the session.
    role : str
        ``"music"`` or ``"silence"``.
    piece : str or None
        ULID; None for silence.
    onset_s, duration_s : float
        Seconds, from the start of the play.
    from_s : float
        Which second of the item it began with: 0 unless it was resumed after a pause.
    """

    position: int
    role: str
    piece: str | None
    onset_s: float
    duration_s: float
    from_s: float = 0.0


@dataclass(frozen=True)
class SessionPlay:
    """One time that a session was played.

    Attributes
    ----------
    started : datetime
        When its first sample was heard; aware, to the microsecond.
    ended_s : float or None
        Seconds to the last sound; None where the program ended without saying so.
    finished : bool
        Whether it was played to its end.
    stretches : tuple of PlayedStretch
        By onset.
    """

    id: int
    session: int
    started: datetime
    ended_s: float | None
    finished: bool
    stretches: tuple[PlayedStretch, ...]


class PlayWriter:
    """Writes one play while it happens, every stretch in a transaction of its own, so that none is lost.

    Parameters
    ----------
    store : Store
    session : int
    started : datetime
        Aware.

    Raises
    ------
    NotFoundError
        Where there is no such session.
    """

    def __init__(self, store: Store, session: int, started: datetime) -> None:
        self._store = store
        self._open: int | None = None
        self._onset = 0.0
        with store.write() as database:
            if database.get(SessionRow, session) is None:
                raise NotFoundError(f"session {session} does not exist; `therapy-gen session list` shows those that do")
            query = select(SessionItemRow.position, SessionItemRow.id).where(SessionItemRow.session_id == session)
            self._items = {row.position: row.id for row in database.execute(query)}
            row = SessionPlayRow(session_id=session, started=started, ended_s=None, finished=False)
            database.add(row)
            database.flush()
            self.id = row.id

    def begin(self, position: int, onset_s: float, from_s: float = 0.0) -> None:
        """Note that an item is heard from `onset_s` on, from its second `from_s` on."""
        with self._store.write() as database:
            row = PlayedStretchRow(
                session_play_id=self.id,
                item_id=self._items[position],
                onset_s=onset_s,
                from_s=from_s,
                duration_s=None,
            )
            database.add(row)
            database.flush()
            self._open, self._onset = row.id, onset_s

    def end(self, at_s: float) -> None:
        """Note that what was heard last ended; nothing where nothing is under way."""
        if self._open is None:
            return
        with self._store.write() as database:
            database.get_one(PlayedStretchRow, self._open).duration_s = max(at_s - self._onset, 0.0)
        self._open = None

    def close(self, at_s: float, *, finished: bool) -> None:
        """Note that the play ended, to its end or before."""
        self.end(at_s)
        with self._store.write() as database:
            row = database.get_one(SessionPlayRow, self.id)
            row.ended_s, row.finished = max(at_s, 0.0), finished


def list_plays(store: Store, session: int | None = None) -> list[SessionPlay]:
    """Return the plays of a session, or of all, oldest first.

    A stretch whose end was not written is taken to have lasted as long as its item, but at most until the next stretch
    or the next play of any session.
    """
    plays = select(SessionPlayRow).order_by(SessionPlayRow.started, SessionPlayRow.id)
    stretches = (
        select(PlayedStretchRow, SessionItemRow)
        .join(SessionItemRow, SessionItemRow.id == PlayedStretchRow.item_id)
        .order_by(PlayedStretchRow.session_play_id, PlayedStretchRow.onset_s)
    )
    if session is not None:
        plays = plays.where(SessionPlayRow.session_id == session)
        stretches = stretches.where(SessionItemRow.session_id == session)
    with store.read() as database:
        moments = sorted(database.scalars(select(SessionPlayRow.started)))
        heard: dict[int, list[tuple[PlayedStretchRow, SessionItemRow]]] = {}
        for stretch, item in database.execute(stretches):
            heard.setdefault(stretch.session_play_id, []).append((stretch, item))
        return [
            SessionPlay(
                row.id,
                row.session_id,
                row.started,
                row.ended_s,
                row.finished,
                _stretches(row.started, heard.get(row.id, ()), moments),
            )
            for row in database.scalars(plays)
        ]


def _stretches(
    started: datetime, rows: Sequence[tuple[PlayedStretchRow, SessionItemRow]], moments: Sequence[datetime]
) -> tuple[PlayedStretch, ...]:
    """Return what was heard in a play; `moments` are those at which plays began, in order."""
    found = []
    for number, (row, item) in enumerate(rows):
        lasted = row.duration_s
        if lasted is None:
            lasted = max(item.duration_s - row.from_s, 0.0)
            if number + 1 < len(rows):
                lasted = min(lasted, rows[number + 1][0].onset_s - row.onset_s)
            begun = started + timedelta(seconds=row.onset_s)
            for moment in moments[bisect_right(moments, begun) :][:1]:
                lasted = min(lasted, (moment - begun).total_seconds())
        found.append(PlayedStretch(item.position, item.role, item.piece_id, row.onset_s, lasted, row.from_s))
    return tuple(found)


def log_play(
    store: Store,
    session: int,
    started: datetime,
    stretches: Sequence[tuple[int, float, float]],
    *,
    finished: bool = True,
) -> SessionPlay:
    """Note a play that is over, as (position, onset, duration) of its stretches in seconds, and return it."""
    writer = PlayWriter(store, session, started)
    end = 0.0
    for position, onset, duration in stretches:
        writer.begin(position, onset)
        end = onset + duration
        writer.end(end)
    writer.close(end, finished=finished)
    return next(play for play in list_plays(store, session) if play.id == writer.id)


def note_heard(store: Store, record: SessionRecord, started: datetime | None = None) -> SessionPlay:
    """Note that a session was heard elsewhere, to its end; it ended now where `started` is None."""
    begun = started or datetime.now(UTC) - timedelta(seconds=record.duration_s)
    heard = [(item.position, item.onset_s, item.duration_s) for item in record.items]
    return log_play(store, record.id, begun, heard)


def play_moments(store: Store, sessions: Collection[int]) -> dict[int, list[datetime]]:
    """Return when sessions were played, by their numbers; oldest first."""
    query = (
        select(SessionPlayRow.session_id, SessionPlayRow.started)
        .where(SessionPlayRow.session_id.in_(sessions))
        .order_by(SessionPlayRow.started)
    )
    found: dict[int, list[datetime]] = {}
    with store.read() as database:
        for session, started in database.execute(query):
            found.setdefault(session, []).append(started)
    return found
