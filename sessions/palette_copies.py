"""Copies of pieces for other instruments: the same notes in another palette."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from sessions.storage.pieces import new_ids
from sessions.storage.store import Store
from sessions.storage.tables import PieceRow
from therapy_gen.music.analysis.calmness import calmness_of
from therapy_gen.music.arranging.palettes import PALETTES, check_palette
from therapy_gen.music.midi.midi import read_performance, to_midi
from therapy_gen.music.performance import Part, Performance


def pieces_in_palette(store: Store, ids: Sequence[str], palette: str) -> list[str]:
    """Return each piece in a palette: its copy with the same notes, made where the library has none.

    A piece in that palette already, or in none (an imported one), is returned itself.

    Parameters
    ----------
    store : Store
    ids : sequence of str
        ULIDs.
    palette : str

    Raises
    ------
    PlanError
        Where the palette is not known.
    """
    check_palette(palette)
    found = []
    with store.write() as database:
        for id_ in ids:
            row = database.get_one(PieceRow, id_, options=[undefer(PieceRow.midi)])
            found.append(_copy(database, row, palette) if row.palette not in (None, palette) else id_)
    return found


def _copy(database: Session, row: PieceRow, palette: str) -> str:
    """Return the id of a piece's copy in a palette; make the copy where there is none."""
    same = select(PieceRow.id).where(
        PieceRow.palette == palette,
        PieceRow.z == row.z,
        PieceRow.seed == row.seed,
        PieceRow.key == row.key,
        PieceRow.duration_s == row.duration_s,
    )
    known = database.scalars(same.order_by(PieceRow.id)).first()
    if known is not None:
        return known
    assert row.midi is not None  # a recorded piece is of no palette
    performance = _in_palette(read_performance(row.midi), palette)
    scored = calmness_of(performance)
    kept = {
        column.key: getattr(row, column.key)
        for column in PieceRow.__table__.columns
        if column.key not in ("id", "created", "palette", "midi", "calm", "features")
    }
    (id_,) = new_ids(1)
    # Two in one millisecond would begin alike.
    while database.get(PieceRow, id_) is not None:
        (id_,) = new_ids(1)
    measured = {name: round(value, 4) for name, value in scored.values.items()}
    database.add(
        PieceRow(
            **kept,
            id=id_,
            palette=palette,
            midi=to_midi(performance, title=row.title),
            calm=round(scored.score, 4),
            features={**row.features, **measured},
        )
    )
    database.flush()
    return id_


def _in_palette(performance: Performance, palette: str) -> Performance:
    """Return a performance whose parts, known by their names, are played by the instruments of a palette."""
    wanted = PALETTES[palette]
    instruments = {one.name: one for one in (*wanted.voices, wanted.pad)}
    before = PALETTES.get(performance.palette)
    usual = {one.name: one.velocity for one in (*before.voices, before.pad)} if before else {}
    pedal = next((part.pedal for part in performance.parts if part.pedal), ())

    def played(part: Part) -> Part:
        instrument = instruments.get(part.name)
        if instrument is None:
            return part
        harder = instrument.velocity - usual.get(part.name, instrument.velocity)
        notes = tuple(replace(note, velocity=min(max(note.velocity + harder, 1), 127)) for note in part.notes)
        return replace(
            part,
            program=instrument.program,
            level=instrument.level,
            pan=instrument.pan,
            pedal=pedal if instrument.pedal else (),
            notes=notes,
            changes=(),
        )

    return replace(performance, parts=tuple(played(part) for part in performance.parts), palette=palette)
