"""Storing and finding sessions, pieces, listeners and ratings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import count
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, defer, selectinload

from sessions.composing.titles import numbered
from sessions.errors import NotFoundError
from sessions.records import ItemRecord, PieceRecord, SessionRecord, SessionSummary
from sessions.storage.evidence import RankFunction, rank_again
from sessions.storage.listeners import add_listener, find_listener
from sessions.storage.pieces import AT_ONCE, SHORTEST_PREFIX, new_ids, piece_record, piece_row, resolve_piece
from sessions.storage.pieces import count_pieces as count_pieces
from sessions.storage.pieces import find_pieces as find_pieces
from sessions.storage.pieces import get_piece as get_piece
from sessions.storage.pieces import iter_pieces as iter_pieces
from sessions.storage.pieces import list_pieces as list_pieces
from sessions.storage.pieces import midi_of as midi_of
from sessions.storage.pieces import music_of as music_of
from sessions.storage.pieces import titles_of as titles_of
from sessions.storage.pieces import z_of as z_of
from sessions.storage.store import Store, added
from sessions.storage.tables import (
    MUSIC,
    ListenerRow,
    ModelRow,
    PieceRow,
    PlayRow,
    RatingRow,
    SessionItemRow,
    SessionRow,
    now,
)
from therapy_gen.errors import InputError

if TYPE_CHECKING:
    from sessions.composing.compose import ComposedPiece
    from sessions.planning.plan import SessionPlan
    from therapy_gen.musicvae.section_model import SectionModel

# What an SQLite row number or a PostgreSQL integer can be.
_LARGEST_ID = 2**31 - 1


def add_session(
    store: Store,
    plan: SessionPlan,
    pieces: Sequence[ComposedPiece],
    model: SectionModel,
    *,
    arc: str,
    seed: int,
    parameters: Mapping[str, Any],
    listener: str | None = None,
    why: Sequence[str] | None = None,
) -> SessionRecord:
    """Store a session with its new pieces, in one transaction, and return it.

    Parameters
    ----------
    pieces : sequence of ComposedPiece
        Those of the plan that were to be composed, in its order.
    listener : str, optional
        As `listener_name` gives it.
    why : sequence of str, optional
        Why each piece of the plan is in it.
    """
    from sessions.planning.plan import HeldPiece

    ids = new_ids(len(pieces))
    new = iter(ids)
    own = [piece.id if isinstance(piece, HeldPiece) else next(new) for piece in plan.pieces]
    reasons = dict(zip(own, why, strict=True)) if why is not None else {}
    created = now()
    with store.write() as database:
        model_row = _model(database, model)
        database.add_all(
            piece_row(
                piece,
                id=id_,
                title=title,
                model=model_row,
                source=None,
                z=piece.z.astype("<f4").tobytes(),
                form=" ".join(piece.form),
                features=dict(piece.features),
                created=created,
            )
            for id_, title, piece in zip(ids, _free_titles(database, pieces), pieces, strict=True)
        )
        database.flush()
        row = SessionRow(
            listener=add_listener(database, listener) if listener is not None else None,
            arc=arc,
            seed=seed,
            duration_s=plan.duration_s,
            parameters={**parameters, **_design(plan, own), **({"why": reasons} if reasons else {})},
            created=created,
            items=[
                SessionItemRow(
                    position=position,
                    role=item.role,
                    piece_id=None if item.piece is None else own[item.piece],
                    onset_s=item.onset_s,
                    duration_s=item.duration_s,
                )
                for position, item in enumerate(plan.items)
            ],
        )
        database.add(row)
        database.flush()
        return _session_record(database, row)


def _free_titles(database: Session, pieces: Sequence[ComposedPiece]) -> list[str]:
    """Return the title of each new piece, numbered where other music in the library has the same one.

    The same music, made again, keeps its title. The title in its MIDI stays as it was drawn, so that one seed gives the
    same bytes whatever the library holds.
    """
    chosen: list[str] = []
    given: dict[str, bytes] = {}

    def is_free(title: str, midi: bytes) -> bool:
        other = select(PieceRow.id).where(PieceRow.title == title, PieceRow.midi.is_distinct_from(midi)).limit(1)
        return given.get(title, midi) == midi and database.scalar(other) is None

    for piece in pieces:
        wanted = (numbered(piece.title, number) for number in count(1))
        title = next(title for title in wanted if is_free(title, piece.midi))
        given[title] = piece.midi
        chosen.append(title)
    return chosen


def _design(plan: SessionPlan, ids: Sequence[str]) -> dict[str, Any]:
    """Return the Williams design of a plan's rounds as session parameters; empty without one."""
    if not plan.rows:
        return {}
    return {"design": {"pieces": [ids[piece] for piece in plan.numbers], "rows": list(plan.rows)}}


def _model(database: Session, model: SectionModel) -> ModelRow:
    query = select(ModelRow).where(ModelRow.sha256 == model.sha256)
    found = database.scalar(query)
    if found is not None:
        return found
    row = ModelRow(name=model.name, sha256=model.sha256, config=asdict(model.config))
    return added(database, row) or database.scalars(query).one()


def get_session(store: Store, number: int) -> SessionRecord:
    """Return a session; NotFoundError where there is none of that number."""
    with store.read() as database:
        return _session_record(database, _session_row(database, number))


def _session_row(database: Session, number: int) -> SessionRow:
    row = database.get(SessionRow, number) if 0 < number <= _LARGEST_ID else None
    if row is None:
        raise NotFoundError(f"session {number} does not exist; `therapy-gen session list` shows those that do")
    return row


def iter_sessions(store: Store, *, listener: str | None = None, limit: int | None = None) -> Iterator[SessionSummary]:
    """Give sessions one after the other, oldest first; only some are in memory at a time.

    Parameters
    ----------
    store : Store
    listener : str, optional
        Whose; NotFoundError where there is no such listener.
    limit : int, optional
        Only so many of the newest.
    """
    wanted = select(SessionRow.id)
    with store.read() as database:
        if listener is not None:
            wanted = wanted.where(SessionRow.listener_id == find_listener(database, listener).id)
        if limit is not None:
            wanted = wanted.order_by(SessionRow.id.desc()).limit(limit)
        pieces = (
            select(func.count(SessionItemRow.piece_id.distinct()))
            .where(SessionItemRow.session_id == SessionRow.id)
            .scalar_subquery()
        )
        query = (
            select(SessionRow, ListenerRow.name, pieces)
            .outerjoin(ListenerRow, ListenerRow.id == SessionRow.listener_id)
            .options(defer(SessionRow.parameters))
            .where(SessionRow.id.in_(wanted))
            .order_by(SessionRow.id)
            .execution_options(yield_per=AT_ONCE)
        )
        for row, name, pieces in database.execute(query):
            yield SessionSummary(row.id, row.created, name, row.arc, row.seed, row.duration_s, pieces)


def list_sessions(store: Store, *, listener: str | None = None, limit: int | None = None) -> list[SessionSummary]:
    """Return sessions, oldest first; parameters as in `iter_sessions`."""
    return list(iter_sessions(store, listener=listener, limit=limit))


def count_sessions(store: Store, *, listener: str | None = None) -> int:
    """Return how many sessions there are, or how many of a listener."""
    query = select(func.count()).select_from(SessionRow)
    with store.read() as database:
        if listener is not None:
            query = query.where(SessionRow.listener_id == find_listener(database, listener).id)
        return database.scalar(query) or 0


def delete_session(store: Store, number: int, *, with_pieces: bool = False, ranker: RankFunction | None = None) -> int:
    """Delete a session and its ratings; return how many pieces went with it.

    Its pieces stay in the library; with `with_pieces`, those that a model wrote and that no other session, rating or
    recording refers to are deleted. With a `ranker`, the listener's pieces are ranked again without its ratings.
    """
    with store.write() as database:
        row = _session_row(database, number)
        own = {item.piece_id for item in row.items if item.piece_id}
        owner = row.listener_id
        database.delete(row)
        database.flush()
        deleted = _delete_unused(database, own) if with_pieces else 0
    if ranker is not None:
        rank_again(store, [owner], ranker)
    return deleted


def _delete_unused(database: Session, ids: set[str]) -> int:
    used: set[str | None] = set()
    for holder in (SessionItemRow, PlayRow, RatingRow):
        used |= set(database.scalars(select(holder.piece_id).where(holder.piece_id.in_(ids))))
    unused = select(PieceRow.id).where(PieceRow.id.in_(ids - used), PieceRow.model_id.is_not(None))
    going = list(database.scalars(unused))
    database.execute(delete(PieceRow).where(PieceRow.id.in_(going)))
    return len(going)


def rate(
    store: Store, number: int, piece: str, value: int, ranker: RankFunction | None = None
) -> tuple[SessionRecord, PieceRecord]:
    """Note how much a piece of a session was liked, 1 to 5; a later rating replaces an earlier one.

    The piece is named by its id or the first characters of it, by its title, or by its number in the session, where
    1 is the first piece that is heard.

    With a `ranker`, the listener's pieces are ranked again afterwards.

    Raises
    ------
    InputError
        Where the value is not 1 to 5, or the session does not hold the piece.
    """
    if not 1 <= value <= 5:
        raise InputError(f"rating {value} is out of range; give 1 (not at all) to 5 (very much)")
    with store.write() as database:
        row = _session_row(database, number)
        id_ = _of_session(database, row, piece)
        rating = database.scalar(select(RatingRow).where(RatingRow.session_id == number, RatingRow.piece_id == id_))
        if rating is None:
            database.add(RatingRow(session_id=number, piece_id=id_, value=value))
        else:
            rating.value, rating.created = value, now()
        database.flush()
        record = _session_record(database, row)
        owner = row.listener_id
    if ranker is not None:
        rank_again(store, [owner], ranker)
    return record, next(held for held in record.pieces() if held.id == id_)


def _of_session(database: Session, row: SessionRow, said: str) -> str:
    """Return the piece of a session that is named by its number, title or id."""
    heard: list[str] = [item.piece_id for item in row.items if item.piece_id]
    wanted = said.strip()
    if wanted.isascii() and wanted.isdigit() and len(wanted) < SHORTEST_PREFIX:
        if not 1 <= int(wanted) <= len(heard):
            raise InputError(f"session {row.id} has no piece {wanted}; give 1 to {len(heard)}, a title or an id")
        return heard[int(wanted) - 1]
    query = select(PieceRow.id, PieceRow.title).where(PieceRow.id.in_(heard))
    titles: dict[str, str] = {id_: title.casefold() for id_, title in database.execute(query)}
    for fits in (str.__eq__, str.startswith):
        found = [id_ for id_, title in titles.items() if fits(title, wanted.casefold())]
        if len(found) == 1 and wanted:
            return found[0]
    return resolve_piece(database, said, set(titles), f"session {row.id}")


def _session_record(database: Session, row: SessionRow) -> SessionRecord:
    given = select(RatingRow.piece_id, RatingRow.value).where(RatingRow.session_id == row.id)
    ratings = {rating.piece_id: rating.value for rating in database.execute(given)}
    query = (
        select(SessionItemRow)
        .where(SessionItemRow.session_id == row.id)
        .options(selectinload(SessionItemRow.piece).joinedload(PieceRow.model))
        .order_by(SessionItemRow.position)
    )
    reasons = row.parameters.get("why", {})
    pieces: dict[str, PieceRecord] = {}
    items = []
    for item in database.scalars(query):
        piece = item.piece
        record = None
        if item.role == MUSIC and piece is not None:
            record = pieces.setdefault(piece.id, piece_record(piece))
        rating = ratings.get(record.id) if record else None
        because = reasons.get(record.id) if record else None
        items.append(ItemRecord(item.position, item.role, record, item.onset_s, item.duration_s, rating, because))
    return SessionRecord(
        id=row.id,
        listener=row.listener.name if row.listener else None,
        arc=row.arc,
        seed=row.seed,
        duration_s=row.duration_s,
        parameters={name: value for name, value in row.parameters.items() if name != "why"},
        created=row.created,
        items=tuple(items),
    )
