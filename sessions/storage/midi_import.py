"""Pieces from MIDI files, into the library."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from sessions.records import PieceRecord
from sessions.storage.library import get_piece
from sessions.storage.pieces import new_ids
from sessions.storage.store import Store
from sessions.storage.tables import PieceRow, now
from therapy_gen.errors import InputError
from therapy_gen.music.analysis.calmness import calmness_of
from therapy_gen.music.analysis.register import register_of
from therapy_gen.music.analysis.valence import valence_of
from therapy_gen.music.midi.key import key_of
from therapy_gen.music.midi.midi import performance_of
from therapy_gen.music.midi.reader import read_midi_bytes, read_midi_file
from therapy_gen.music.midi.title import readable_text
from therapy_gen.music.performance import Performance
from therapy_gen.text import clock

_DRUM_BANK = 128
_LONGEST_TITLE = 120


@dataclass(frozen=True)
class Imported:
    """A piece that came from a file.

    Attributes
    ----------
    piece : PieceRecord
    file : Path
    new : bool
        False where the library had the same file already.
    remarks : tuple of str
        What is particular about the file.
    """

    piece: PieceRecord
    file: Path
    new: bool
    remarks: tuple[str, ...]


def import_pieces(store: Store, files: Sequence[Path]) -> list[Imported]:
    """Store MIDI files as pieces, all of them in one transaction, or none.

    A file whose music the library has already, from an import, is not stored again.

    Raises
    ------
    InputError
        Where a file cannot be read or holds no notes.

    Examples
    --------
    >>> from pathlib import Path
    >>> import sessions
    >>> from therapy_gen import to_midi
    >>> from therapy_gen.music.performance import Note, Part, Performance
    >>> notes = tuple(Note(2.0 * n, 2.0, 60, 50) for n in range(30))
    >>> piece = Performance((Part("Piano", 0, notes, pedal=()),), 60, "", 60.0, "")
    >>> _ = Path("mine.mid").write_bytes(to_midi(piece, title="Mine"))
    >>> [made.piece.title for made in sessions.import_pieces(sessions.Store.open("therapy.db"), [Path("mine.mid")])]
    ['Mine']
    """
    read = [(file, *_read(file)) for file in files]
    ids = new_ids(len(read))
    found: list[tuple[str, bool]] = []
    with store.write() as database:
        for (file, midi, performance, key, _), id_ in zip(read, ids, strict=True):
            query = select(PieceRow.id).where(
                PieceRow.source.is_not(None), PieceRow.midi == midi, PieceRow.duration_s == _seconds(performance)
            )
            known = database.scalar(query)
            if known is None:
                database.add(_row(id_, file, midi, performance, key))
                database.flush()
            found.append((known or id_, known is None))
    return [
        Imported(get_piece(store, id_), file, new, remarks)
        for (file, _, _, _, remarks), (id_, new) in zip(read, found, strict=True)
    ]


def _read(file: Path) -> tuple[bytes, Performance, str, tuple[str, ...]]:
    midi = read_midi_bytes(file)
    found = read_midi_file(midi, str(file))
    performance = performance_of(found, str(file))
    sounding = [part for part in performance.parts if part.notes]
    if not sounding:
        raise InputError(f"{file} holds no notes; give another file")
    remarks = []
    drums = sum(len(part.notes) for part in sounding if part.bank == _DRUM_BANK)
    if drums:
        remarks.append(f"{drums} strokes of drums, which calm music does without, are kept")
    if len(sounding) < len(performance.parts):
        remarks.append(f"{len(performance.parts) - len(sounding)} tracks without notes")
    if performance.silence_cut:
        remarks.append(f"{clock(performance.silence_cut)} of silence behind the last note are left out")
    return midi, performance, key_of(found), tuple(remarks)


def _row(id_: str, file: Path, midi: bytes, performance: Performance, key: str) -> PieceRow:
    calm = calmness_of(performance)
    pleasant = valence_of(performance)
    register = register_of(performance)
    title = performance.title.strip() or _readable(file.stem)
    return PieceRow(
        id=id_,
        title=title[:_LONGEST_TITLE],
        source=_readable(file.name),
        key=key,
        tempo=round(performance.tempo, 3),
        duration_s=_seconds(performance),
        midi=midi,
        features={
            name: round(value, 4) for name, value in {**calm.values, **(pleasant.values if pleasant else {})}.items()
        },
        calm=round(calm.score, 4),
        valence=None if pleasant is None else round(pleasant.score, 4),
        register=None if register is None else round(register, 2),
        metre=performance.metre,
        created=now(),
    )


def _readable(name: str) -> str:
    """Return a file's name as UTF-8, which names need not be, but databases hold."""
    return readable_text(os.fsencode(name))


def _seconds(performance: Performance) -> float:
    return round(performance.duration, 3)
