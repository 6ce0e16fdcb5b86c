"""Pieces from files, into the library: MIDI, and recorded music."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from sessions.records import PieceRecord
from sessions.storage.library import get_piece
from sessions.storage.listeners import add_listener, listener_name
from sessions.storage.pieces import new_ids
from sessions.storage.store import Store
from sessions.storage.tables import PieceRow, now
from therapy_gen.errors import InputError
from therapy_gen.music.analysis.calmness import calmness_of
from therapy_gen.music.analysis.register import register_of
from therapy_gen.music.analysis.valence import valence_of
from therapy_gen.music.audio.files.decode import read_audio
from therapy_gen.music.audio.files.kind import AUDIO_SUFFIXES
from therapy_gen.music.midi.key import key_of
from therapy_gen.music.midi.midi import performance_of
from therapy_gen.music.midi.reader import MIDI_SUFFIXES, read_midi_bytes, read_midi_file
from therapy_gen.music.midi.title import readable_text
from therapy_gen.music.performance import DRUM_BANK, Performance
from therapy_gen.text import clock

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
        What a user should know about the file.
    """

    piece: PieceRecord
    file: Path
    new: bool
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class _Read:
    """A file that was read: its row, without an id yet, and remarks on it."""

    row: PieceRow
    remarks: tuple[str, ...]


def import_pieces(store: Store, files: Sequence[Path], *, listener: str | None = None) -> list[Imported]:
    """Store MIDI files and recorded music as pieces, all of them in one transaction, or none.

    A file whose music was imported before is not stored again.

    Parameters
    ----------
    store : Store
    files : sequence of Path
        MIDI; or WAV, FLAC, MP3, Ogg and AIFF, which become pieces without notes.
    listener : str, optional
        Whose they are: they are exported and forgotten with that listener, who is made where there is none.

    Raises
    ------
    InputError
        Where a file cannot be read or holds no notes and no sound.

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
    name = None if listener is None else listener_name(listener)
    read = [_read(file) for file in files]
    found: list[tuple[str, bool]] = []
    with store.write() as database:
        owner = None if name is None else add_listener(database, name)
        for one, id_ in zip(read, new_ids(len(read)), strict=True):
            known = _known(database, one.row)
            if known is None:
                one.row.id = id_
                one.row.listener_id = None if owner is None else owner.id
                database.add(one.row)
                database.flush()
            found.append((known or id_, known is None))
    return [
        Imported(get_piece(store, id_), file, new, one.remarks)
        for file, one, (id_, new) in zip(files, read, found, strict=True)
    ]


def _known(database: Session, row: PieceRow) -> str | None:
    """Return the imported piece that has the same music."""
    same = PieceRow.midi == row.midi if row.audio is None else PieceRow.audio == row.audio
    query = select(PieceRow.id).where(PieceRow.source.is_not(None), PieceRow.duration_s == row.duration_s, same)
    return database.scalars(query.limit(1)).first()


def _read(file: Path) -> _Read:
    return _read_audio(file) if file.suffix.lower() in AUDIO_SUFFIXES else _read_midi(file)


def _read_audio(file: Path) -> _Read:
    music = read_audio(file)
    title = music.title or _readable(file.stem)
    remarks = (f"{music.loudness:.1f} LUFS, played as loud as all pieces", *music.remarks)
    row = PieceRow(
        title=title[:_LONGEST_TITLE],
        source=_readable(file.name),
        key="",
        duration_s=music.duration_s,
        audio=music.content,
        features={},
        metre="",
        created=now(),
    )
    return _Read(row, remarks)


def _read_midi(file: Path) -> _Read:
    if file.suffix.lower() not in MIDI_SUFFIXES:
        raise InputError(
            f"{file} is neither a MIDI file ({', '.join(MIDI_SUFFIXES)}) nor recorded music "
            f"({', '.join(AUDIO_SUFFIXES)}); give one of these"
        )
    midi = read_midi_bytes(file)
    found = read_midi_file(midi, str(file))
    performance = performance_of(found, str(file))
    sounding = [part for part in performance.parts if part.notes]
    if not sounding:
        raise InputError(f"{file} holds no notes; give another file")
    remarks = list(found.remarks)
    drums = sum(len(part.notes) for part in sounding if part.bank == DRUM_BANK)
    if drums:
        remarks.append(f"{drums} strokes of drums, which calm music does without, are kept")
    if len(sounding) < len(performance.parts):
        remarks.append(f"{len(performance.parts) - len(sounding)} tracks without notes")
    if performance.silence_cut:
        remarks.append(f"{clock(performance.silence_cut)} of silence behind the last note are left out")
    return _Read(_row(file, midi, performance, key_of(found)), tuple(remarks))


def _row(file: Path, midi: bytes, performance: Performance, key: str) -> PieceRow:
    calm = calmness_of(performance)
    pleasant = valence_of(performance)
    register = register_of(performance)
    title = performance.title.strip() or _readable(file.stem)
    return PieceRow(
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
