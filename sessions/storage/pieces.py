"""Pieces of the library: listed page by page, found by the first letters of their ids, and their music."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, func, inspect, select
from sqlalchemy.orm import Session, defer, joinedload
from ulid import ULID

from sessions.errors import NotFoundError
from sessions.records import PieceRecord
from sessions.storage.store import Store
from sessions.storage.tables import ULID_LENGTH, ListenerRow, ModelRow, PieceRow
from therapy_gen.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SHORTEST_PREFIX = 4
# Rows of a list that are in memory at a time.
AT_ONCE = 500


def new_ids(count: int) -> list[str]:
    """Return ULIDs a millisecond apart: they sort in this order, and differ within their first ten characters."""
    moment = time.time_ns() // 1_000_000
    return [str(ULID.from_timestamp((moment + n) / 1000)) for n in range(count)]


def iter_pieces(store: Store, *, title: str | None = None, limit: int | None = None) -> Iterator[PieceRecord]:
    """Give pieces one after the other, oldest first; only some are in memory at a time.

    Parameters
    ----------
    store : Store
    title : str, optional
        A part of their title, in capital or small letters.
    limit : int, optional
        Only so many of the newest.
    """
    wanted = _titled(select(PieceRow.id), title)
    if limit is not None:
        wanted = wanted.order_by(PieceRow.id.desc()).limit(limit)
    query = (
        select(PieceRow, ModelRow.name)
        .outerjoin(ModelRow, ModelRow.id == PieceRow.model_id)
        .options(defer(PieceRow.z))
        .order_by(PieceRow.id)
        .execution_options(yield_per=AT_ONCE)
    )
    if title is not None or limit is not None:
        query = query.where(PieceRow.id.in_(wanted))
    with store.read() as database:
        for row, model in database.execute(query):
            yield piece_record(row, model)


def list_pieces(store: Store, *, title: str | None = None, limit: int | None = None) -> list[PieceRecord]:
    """Return pieces, oldest first; parameters as in `iter_pieces`."""
    return list(iter_pieces(store, title=title, limit=limit))


def count_pieces(store: Store, *, title: str | None = None) -> int:
    """Return how many pieces there are, or how many with a part of a title."""
    with store.read() as database:
        return database.scalar(_titled(select(func.count(PieceRow.id)), title)) or 0


def _titled(query: Select[Any], title: str | None) -> Select[Any]:
    return query if title is None else query.where(PieceRow.title.icontains(title, autoescape=True))


def get_piece(store: Store, prefix: str) -> PieceRecord:
    """Return the piece whose ULID begins with `prefix`; InputError where there is none or more than one."""
    with store.read() as database:
        row = database.get_one(PieceRow, resolve_piece(database, prefix), options=[joinedload(PieceRow.model)])
        return piece_record(row)


def find_pieces(store: Store, ids: Collection[str]) -> dict[str, PieceRecord]:
    """Return the pieces that exist, by ULID."""
    with store.read() as database:
        query = select(PieceRow).where(PieceRow.id.in_(ids)).options(joinedload(PieceRow.model))
        return {row.id: piece_record(row) for row in database.scalars(query)}


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
    """Return the Standard MIDI Files of pieces, by ULID; recorded pieces have none."""
    with store.read() as database:
        query = select(PieceRow.id, PieceRow.midi).where(PieceRow.id.in_(ids), PieceRow.midi.is_not(None))
        return {id_: midi for id_, midi in database.execute(query) if midi is not None}


def music_of(store: Store, ids: Sequence[str]) -> dict[str, bytes]:
    """Return the music of pieces, by ULID: a Standard MIDI File, or recorded sound as FLAC, MP3 or Ogg."""
    with store.read() as database:
        query = select(PieceRow.id, PieceRow.midi, PieceRow.audio).where(PieceRow.id.in_(ids))
        return {id_: music for id_, midi, audio in database.execute(query) if (music := midi or audio) is not None}


def brought_by(store: Store, listener: str) -> list[str]:
    """Return the ULIDs of the pieces that a listener brought."""
    with store.read() as database:
        query = select(PieceRow.id).join(ListenerRow, ListenerRow.id == PieceRow.listener_id)
        return list(database.scalars(query.where(ListenerRow.name == listener).order_by(PieceRow.id)))


def resolve_piece(database: Session, prefix: str, among: set[str] | None = None, where: str = "the library") -> str:
    """Return the ULID that begins with `prefix`, of the library or of those `among`; InputError where it is not one."""
    wanted = prefix.strip().upper()
    if not SHORTEST_PREFIX <= len(wanted) <= ULID_LENGTH or not wanted.isalnum() or not wanted.isascii():
        raise InputError(
            f"piece {prefix!r} is no piece id; give at least the first {SHORTEST_PREFIX} of its {ULID_LENGTH} "
            "letters and digits, as `therapy-gen piece list` shows them"
        )
    if among is None:
        # A range of ids, which uses the index, not LIKE, which scans every piece.
        inside = PieceRow.id.between(wanted, wanted.ljust(ULID_LENGTH, "Z"))
        query = select(PieceRow.id).where(inside).order_by(PieceRow.id).limit(4)
        found = list(database.scalars(query))
    else:
        found = sorted(id_ for id_ in among if id_.startswith(wanted))
    if not found:
        raise NotFoundError(f"piece {prefix!r} is not in {where}; `therapy-gen piece list` shows all")
    if len(found) > 1:
        raise InputError(f"piece {prefix!r} could be {found[0]}, {found[1]} or another; give more of its id")
    return found[0]


def piece_row(made: object, **given: Any) -> PieceRow:
    """Return a piece's row: columns from `given`, others from attributes of `made` with the column's name."""
    found = {name: getattr(made, name) for name in _columns() - given.keys() if hasattr(made, name)}
    return PieceRow(**found, **given)


def piece_record(row: PieceRow, model: str | None = None) -> PieceRecord:
    """Return a stored piece; the name of its `model`, where it was read with it."""
    named = _FIELDS - {"model", "more"}
    return PieceRecord(
        model=model or (row.model.name if row.model_id is not None and row.model else None),
        more={name: getattr(row, name) for name in sorted(_columns() - named - _NOT_TOLD)},
        **{name: getattr(row, name) for name in named},
    )


_FIELDS = {field.name for field in fields(PieceRecord)}
# Music, and columns that a record has under another name.
_NOT_TOLD = {"midi", "audio", "z", "model_id", "listener_id"}


@cache
def _columns() -> frozenset[str]:
    """Return the names of the columns of pieces: a new one needs no mention here."""
    return frozenset(column.key for column in inspect(PieceRow).column_attrs)
