"""Who sessions belong to: giving a session to a listener, and merging two listeners."""

from __future__ import annotations

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from sessions.records import SessionRecord
from sessions.storage.client_tables import PieceMarkRow, PlayerSettingsRow
from sessions.storage.evidence import RankFunction, rank_again
from sessions.storage.library import get_session
from sessions.storage.listeners import add_listener, find_listener, listener_name
from sessions.storage.store import Store
from sessions.storage.tables import ListenerRow, PieceRow, PlayRow, RankingRow, RecordingRow, SessionItemRow, SessionRow
from therapy_gen.errors import InputError


def assign_session(store: Store, number: int, listener: str, ranker: RankFunction | None = None) -> SessionRecord:
    """Give a session, its ratings and its recordings to a listener, who is made where there is none of that name.

    A recording that names pieces and no session belongs to this one where all of the pieces are in it, and not all in
    other sessions of the former listener. With a `ranker`, the pieces of the former and of the new listener are ranked
    again.
    """
    name = listener_name(listener)
    get_session(store, number)
    with store.write() as database:
        row = database.get_one(SessionRow, number)
        before = row.listener_id
        owner = add_listener(database, name)
        database.flush()
        its = or_(RecordingRow.session_id == number, RecordingRow.id.in_(_heard_only_in(database, row)))
        database.execute(
            update(RecordingRow)
            .where(its, RecordingRow.listener_id.is_not_distinct_from(before))
            .values(listener_id=owner.id)
            .execution_options(synchronize_session=False)
        )
        row.listener_id = owner.id
        owners = {before, owner.id}
    if ranker is not None:
        rank_again(store, owners, ranker)
    return get_session(store, number)


def _heard_only_in(database: Session, session: SessionRow) -> list[int]:
    """Return the recordings of a session's listener that name no session, but pieces of this one alone."""
    others = select(SessionRow.id).where(
        SessionRow.listener_id.is_not_distinct_from(session.listener_id), SessionRow.id != session.id
    )
    pieces = set(database.scalars(select(SessionItemRow.piece_id).where(SessionItemRow.session_id == session.id)))
    elsewhere = set(database.scalars(select(SessionItemRow.piece_id).where(SessionItemRow.session_id.in_(others))))
    heard: dict[int, set[str]] = {}
    plays = (
        select(PlayRow.recording_id, PlayRow.piece_id)
        .join(RecordingRow)
        .where(RecordingRow.session_id.is_(None), RecordingRow.listener_id.is_not_distinct_from(session.listener_id))
    )
    for recording, piece in database.execute(plays):
        heard.setdefault(recording, set()).add(piece)
    return [number for number, played in heard.items() if played <= pieces and not played <= elsewhere]


def merge_listeners(store: Store, source: str, target: str, ranker: RankFunction | None = None) -> int:
    """Give all that a listener has to another and delete the first; return how many sessions were given.

    With a `ranker`, the other's pieces are ranked again.

    Raises
    ------
    NotFoundError
        Where one of them is not known.
    InputError
        Where both are the same.
    """
    with store.write() as database:
        gone, kept = find_listener(database, source), find_listener(database, target)
        if gone.id == kept.id:
            raise InputError(f"listener {kept.name!r} cannot be merged into itself; name two listeners")
        query = select(func.count()).select_from(SessionRow).where(SessionRow.listener_id == gone.id)
        moved = database.scalar(query) or 0
        for table in (SessionRow, RecordingRow, PieceRow):
            database.execute(update(table).where(table.listener_id == gone.id).values(listener_id=kept.id))
        own = select(PieceMarkRow.piece_id).where(PieceMarkRow.listener_id == kept.id)
        marks = update(PieceMarkRow).where(PieceMarkRow.listener_id == gone.id, PieceMarkRow.piece_id.not_in(own))
        database.execute(marks.values(listener_id=kept.id).execution_options(synchronize_session=False))
        for left in (RankingRow, PieceMarkRow, PlayerSettingsRow):
            database.execute(delete(left).where(left.listener_id == gone.id))
        database.execute(delete(ListenerRow).where(ListenerRow.id == gone.id))
        owner = kept.id
    if ranker is not None:
        rank_again(store, [owner], ranker)
    return moved
