"""A session as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from therapy_gen.cli.output import brief, clock, figure, print_notes, print_table, printable

if TYPE_CHECKING:
    from sessions.records import SessionRecord


def print_session(record: SessionRecord) -> None:
    """Print a session: its items in order, and why its pieces are there."""
    who = f" for {printable(record.listener)}" if record.listener else ""
    print(f"Session {record.id}{who}: {clock(record.duration_s)} minutes, arc {record.arc}, seed {record.seed}")
    print()
    rated = any(item.rating for item in record.items)
    rows: list[tuple[str, ...]] = []
    for item in record.items:
        piece = item.piece
        row: tuple[str, ...] = (clock(item.onset_s), clock(item.duration_s))
        if piece is None:
            row += ("(silence)", "", "", "", "")
        else:
            row += (piece.title, piece.key, figure(piece.tempo, 1), figure(piece.calm, 2), piece.id)
        rows.append((*row, "*" * (item.rating or 0)) if rated else row)
    columns = ("start", "length", "title", "key", "tempo", "calm", "piece", "rated")
    print_table(columns if rated else columns[:-1], rows, right=(0, 1, 4, 5))
    # By id: titles need not differ.
    reasons = {item.piece.id: (printable(brief(item.piece.title)), item.why) for item in record.items if item.piece}
    told = [(title, printable(why)) for title, why in reasons.values() if why]
    if told:
        print()
        print_notes(told)
