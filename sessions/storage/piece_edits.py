"""Changing the library: giving a piece another title, and deleting one."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, joinedload, undefer

from sessions.records import PieceRecord
from sessions.storage.library import get_piece
from sessions.storage.store import Store
from sessions.storage.tables import PieceRow, PlayRow, RankingRow, SessionItemRow
from therapy_gen.errors import InputError

_LONGEST_TITLE = 200
_TRACK_NAME = b"\xff\x03"
_TRACK = b"MTrk"


def rename_piece(store: Store, prefix: str, title: str) -> PieceRecord:
    """Give a piece (by prefix) another title, also in its MIDI, and return it.

    Raises
    ------
    InputError
        Where there is no such piece, or the title is empty, too long or no text.
    """
    wanted = " ".join(title.split())
    if not wanted or len(wanted) > _LONGEST_TITLE or not wanted.isprintable():
        raise InputError(f"title {title!a} cannot be used; give 1 to {_LONGEST_TITLE} characters of text")
    found = get_piece(store, prefix)
    with store.write() as database:
        row = database.get_one(PieceRow, found.id, options=[undefer(PieceRow.midi), joinedload(PieceRow.model)])
        # In the MIDI of a piece whose title was numbered, the title has no number.
        for old in (row.title, row.title.rpartition(" ")[0]):
            row.midi = _retitled(row.midi, old, wanted) if old and row.midi is not None else row.midi
        row.title = wanted
    return get_piece(store, found.id)


def delete_piece(store: Store, prefix: str) -> PieceRecord:
    """Delete a piece (by prefix) with its ratings and marks, and return it.

    Raises
    ------
    InputError
        Where there is no such piece, or a session or a scored recording holds it.
    """
    found = get_piece(store, prefix)
    with store.write() as database:
        holders = _sessions_with(database, found.id)
        if holders:
            named = ", ".join(map(str, holders[:5])) + (" and others" if len(holders) > 5 else "")
            raise InputError(
                f"piece {found.id} ({found.title}) is in session {named}; delete that first (session delete)"
            )
        if database.scalar(select(PlayRow.id).where(PlayRow.piece_id == found.id).limit(1)) is not None:
            raise InputError(
                f"piece {found.id} ({found.title}) was heard in a scored recording; take that out first "
                "(score-eeg --forget)"
            )
        database.execute(delete(RankingRow).where(RankingRow.piece_id == found.id))
        database.execute(delete(PieceRow).where(PieceRow.id == found.id))
    return found


def _sessions_with(database: Session, piece: str) -> list[int]:
    query = select(SessionItemRow.session_id).where(SessionItemRow.piece_id == piece).distinct()
    return sorted(database.scalars(query))


def _retitled(midi: bytes, old: str, new: str) -> bytes:
    """Return a MIDI file with another name of its first track, where that is the old title."""
    start = midi.find(_TRACK)
    before = _name_event(old)
    at = midi.find(before, start)
    end = start + 8 + int.from_bytes(midi[start + 4 : start + 8], "big")
    if start < 0 or not start < at < end:
        return midi
    after = _name_event(new)
    length = end - start - 8 + len(after) - len(before)
    head = midi[:start] + _TRACK + length.to_bytes(4, "big")
    return head + midi[start + 8 : at] + after + midi[at + len(before) :]


def _name_event(title: str) -> bytes:
    content = title.encode()
    size = len(content)
    groups = [size & 0x7F]
    while size := size >> 7:
        groups.append(size & 0x7F | 0x80)
    return _TRACK_NAME + bytes(reversed(groups)) + content
