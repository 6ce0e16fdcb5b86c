"""Storing and finding sessions, pieces, listeners and ratings."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, joinedload, selectinload, undefer
from ulid import ULID

from sessions.errors import NotFoundError
from sessions.records import ItemRecord, PieceRecord, SessionRecord, SessionSummary
from sessions.storage.evidence import Ranker, rank_again
from sessions.storage.listeners import add_listener, listener_name
from sessions.storage.store import Store, added
from sessions.storage.tables import (
    MUSIC,
    ULID_LENGTH,
    ModelRow,
    PieceRow,
    PlayRow,
    RankingRow,
    RatingRow,
    SessionItemRow,
    SessionRow,
    now,
)
from therapy_gen.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sessions.composing.compose import ComposedPiece
    from sessions.planning.plan import SessionPlan
    from therapy_gen.musicvae.section_model import SectionModel

SHORTEST_PREFIX = 4
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
    why : sequence of str, optional
        Why each piece of the plan is in it.
    """
    from sessions.planning.plan import HeldPiece

    name = listener_name(listener) if listener is not None else None
    ids = new_ids(len(pieces))
    new = iter(ids)
    own = [piece.id if isinstance(piece, HeldPiece) else next(new) for piece in plan.pieces]
    reasons = dict(zip(own, why, strict=True)) if why is not None else {}
    created = now()
    with store.write() as database:
        model_row = _model(database, model)
        database.add_all(
            PieceRow(
                id=id_,
                title=piece.title,
                model=model_row,
                z=piece.z.astype("<f4").tobytes(),
                form=" ".join(piece.form),
                seed=piece.seed,
                temperature=piece.temperature,
                palette=piece.palette,
                key=piece.key,
                tempo=piece.tempo,
                duration_s=piece.duration_s,
                midi=piece.midi,
                features=dict(piece.features),
                calm=piece.calm,
                register=piece.register,
                metre=piece.metre,
                created=created,
            )
            for id_, piece in zip(ids, pieces, strict=True)
        )
        database.flush()
        row = SessionRow(
            listener=add_listener(database, name) if name is not None else None,
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


def _design(plan: SessionPlan, ids: Sequence[str]) -> dict[str, Any]:
    """Return the design that the rounds of a plan are rows of, as it is stored; empty without one."""
    if not plan.rows:
        return {}
    return {"design": {"pieces": [ids[piece] for piece in plan.numbers], "rows": list(plan.rows)}}


def new_ids(count: int) -> list[str]:
    """Return ULIDs a millisecond apart: they sort in this order, and differ within their first ten characters."""
    moment = time.time_ns() // 1_000_000
    return [str(ULID.from_timestamp((moment + n) / 1000)) for n in range(count)]


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


def list_sessions(store: Store) -> list[SessionSummary]:
    """Return all sessions, oldest first."""
    pieces = func.count(SessionItemRow.piece_id.distinct())
    query = (
        select(SessionRow, pieces)
        .outerjoin(SessionItemRow, SessionItemRow.session_id == SessionRow.id)
        .options(joinedload(SessionRow.listener))
        .group_by(SessionRow.id)
        .order_by(SessionRow.id)
    )
    with store.read() as database:
        return [
            SessionSummary(
                row.id, row.created, row.listener.name if row.listener else None, row.arc, row.seed, row.duration_s, n
            )
            for row, n in database.execute(query)
        ]


def delete_session(store: Store, number: int, *, with_pieces: bool = False) -> int:
    """Delete a session and its ratings; return how many pieces went with it.

    Its pieces stay in the library. `with_pieces` deletes those that a model wrote and that no other session,
    rating, recording or ranking holds.
    """
    with store.write() as database:
        row = _session_row(database, number)
        own = {item.piece_id for item in row.items if item.piece_id}
        database.delete(row)
        if not with_pieces:
            return 0
        database.flush()
        return _delete_unused(database, own)


def _delete_unused(database: Session, ids: set[str]) -> int:
    used: set[str | None] = set()
    for holder in (SessionItemRow, PlayRow, RankingRow, RatingRow):
        used |= set(database.scalars(select(holder.piece_id).where(holder.piece_id.in_(ids))))
    unused = select(PieceRow.id).where(PieceRow.id.in_(ids - used), PieceRow.model_id.is_not(None))
    going = list(database.scalars(unused))
    database.execute(delete(PieceRow).where(PieceRow.id.in_(going)))
    return len(going)


def rate(
    store: Store, number: int, piece: str, value: int, ranker: Ranker | None = None
) -> tuple[SessionRecord, PieceRecord]:
    """Note how much a piece (by prefix) of a session was liked, 1 to 5; a later rating replaces an earlier one.

    With a `ranker`, the listener's pieces are ranked again in the same transaction.

    Raises
    ------
    InputError
        Where the value is not 1 to 5, or the session does not hold the piece.
    """
    if not 1 <= value <= 5:
        raise InputError(f"rating {value} is out of range; give 1 (not at all) to 5 (very much)")
    with store.write() as database:
        row = _session_row(database, number)
        own = {item.piece_id for item in row.items if item.piece_id}
        id_ = _resolve(database, piece, own, f"session {number}")
        rating = database.scalar(select(RatingRow).where(RatingRow.session_id == number, RatingRow.piece_id == id_))
        if rating is None:
            database.add(RatingRow(session_id=number, piece_id=id_, value=value))
        else:
            rating.value, rating.created = value, now()
        database.flush()
        if ranker is not None:
            rank_again(database, row.listener_id, ranker)
        record = _session_record(database, row)
    return record, next(held for held in record.pieces() if held.id == id_)


def list_pieces(store: Store) -> list[PieceRecord]:
    """Return all pieces, oldest first."""
    with store.read() as database:
        query = select(PieceRow).options(joinedload(PieceRow.model)).order_by(PieceRow.id)
        return [_piece_record(row) for row in database.scalars(query)]


def get_piece(store: Store, prefix: str) -> PieceRecord:
    """Return the piece whose ULID begins with `prefix`; InputError where there is none or more than one."""
    with store.read() as database:
        row = database.get_one(PieceRow, _resolve(database, prefix), options=[joinedload(PieceRow.model)])
        return _piece_record(row)


def find_pieces(store: Store, ids: Collection[str]) -> dict[str, PieceRecord]:
    """Return those pieces that there are, by ULID."""
    with store.read() as database:
        query = select(PieceRow).where(PieceRow.id.in_(ids)).options(joinedload(PieceRow.model))
        return {row.id: _piece_record(row) for row in database.scalars(query)}


def z_of(store: Store, ids: Collection[str], model_sha256: str) -> dict[str, npt.NDArray[np.float32]]:
    """Return where pieces begin in the latent space of a model, shape (z_size,), by ULID; only pieces of that model."""
    import numpy as np

    with store.read() as database:
        query = select(PieceRow.id, PieceRow.z, PieceRow.form).join(ModelRow, ModelRow.id == PieceRow.model_id)
        query = query.where(PieceRow.id.in_(ids), ModelRow.sha256 == model_sha256, PieceRow.z.is_not(None))
        return {
            id_: np.frombuffer(z, "<f4").reshape(len(set((form or "A").split())), -1)[0].astype(np.float32)
            for id_, z, form in database.execute(query)
            if z is not None
        }


def titles_of(store: Store, ids: Collection[str]) -> dict[str, str]:
    """Return the titles of pieces, by ULID."""
    with store.read() as database:
        query = select(PieceRow.id, PieceRow.title).where(PieceRow.id.in_(ids))
        rows = database.execute(query).all()
    return {row.id: row.title for row in rows}


def midi_of(store: Store, ids: Sequence[str]) -> dict[str, bytes]:
    """Return the Standard MIDI Files of pieces, by ULID."""
    with store.read() as database:
        query = select(PieceRow).where(PieceRow.id.in_(ids)).options(undefer(PieceRow.midi))
        return {row.id: row.midi for row in database.scalars(query)}


def _resolve(database: Session, prefix: str, among: set[str] | None = None, where: str = "the library") -> str:
    wanted = prefix.strip().upper()
    if not SHORTEST_PREFIX <= len(wanted) <= ULID_LENGTH or not wanted.isalnum() or not wanted.isascii():
        raise InputError(
            f"piece {prefix!r} is no piece id; give at least the first {SHORTEST_PREFIX} of its {ULID_LENGTH} "
            "letters and digits, as `therapy-gen piece list` shows them"
        )
    if among is None:
        query = select(PieceRow.id).where(PieceRow.id.startswith(wanted)).order_by(PieceRow.id).limit(4)
        found = list(database.scalars(query))
    else:
        found = sorted(id_ for id_ in among if id_.startswith(wanted))
    if not found:
        raise NotFoundError(f"piece {prefix!r} is not in {where}; `therapy-gen piece list` shows all")
    if len(found) > 1:
        raise InputError(f"piece {prefix!r} could be {found[0]}, {found[1]} or another; give more of its id")
    return found[0]


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
            record = pieces.setdefault(piece.id, _piece_record(piece))
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


def _piece_record(row: PieceRow) -> PieceRecord:
    return PieceRecord(
        id=row.id,
        title=row.title,
        source=row.source,
        model=row.model.name if row.model else None,
        form=row.form,
        seed=row.seed,
        temperature=row.temperature,
        palette=row.palette,
        key=row.key,
        tempo=row.tempo,
        duration_s=row.duration_s,
        calm=row.calm,
        features=row.features,
        register=row.register,
        metre=row.metre,
        created=row.created,
    )
