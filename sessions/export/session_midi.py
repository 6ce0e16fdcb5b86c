"""A whole session as one performance, and as one Standard MIDI File."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from sessions.errors import ExportError
from therapy_gen.music.midi.midi import MOST_INSTRUMENTS, read_performance, to_midi
from therapy_gen.music.performance import DRUM_BANK, Part, Performance


def join_midi(pieces: Sequence[tuple[float, bytes]], *, title: str, duration_s: float) -> bytes:
    """Set pieces, given as (onset in seconds, MIDI), on a common clock as one MIDI file that ends at `duration_s`.

    Every piece begins with a time signature, of the same metre, too: readers begin a bar there, and so all are barred
    from their own beginning, however long the silences between them are.

    Raises
    ------
    ExportError
        Where the pieces have more instruments than a MIDI file has channels.
    """
    placed = [(onset, read_performance(midi)) for onset, midi in pieces]
    parts = _joined_parts(placed, by_name=True)
    if _instruments(parts) > MOST_INSTRUMENTS:
        parts = _joined_parts(placed, by_name=False)
    if _instruments(parts) > MOST_INSTRUMENTS:
        raise ExportError(
            f"the pieces have {_instruments(parts)} instruments, one MIDI file has channels for {MOST_INSTRUMENTS} and "
            "drums; export the pieces one by one (therapy-gen piece export), or all as audio (`format` flac)"
        )
    tempi = tuple((onset + at, tempo) for onset, piece in placed for at, tempo in piece.tempi)
    # A clock starts at 0, also where silence comes first.
    first = placed[0][1]
    start = () if tempi and tempi[0][0] == 0.0 else ((0.0, first.tempo),)
    metres = tuple((onset + at, metre) for onset, piece in placed for at, metre in piece.metres)
    bars = () if metres and metres[0][0] == 0.0 else ((0.0, first.metre),)
    joined = Performance(
        parts=parts,
        tempo=first.tempo,
        key="",
        duration=duration_s,
        palette="",
        tempi=(*start, *tempi),
        title=title,
        metre=first.metre,
        metres=(*bars, *metres),
    )
    return to_midi(joined, title=title)


def _instruments(parts: Sequence[Part]) -> int:
    """Return how many parts need a channel of their own: all but drums."""
    return sum(part.bank != DRUM_BANK for part in parts)


def _joined_parts(placed: Sequence[tuple[float, Performance]], *, by_name: bool) -> tuple[Part, ...]:
    """Return the parts of all pieces, those of one instrument (and one name) as one.

    Parts of one piece stay apart: the notes of one would end those of the other. A part is as loud, and where, as in
    the piece that it comes from.
    """
    joined: dict[tuple[str, int, int, int], Part] = {}
    for onset, piece in placed:
        met: Counter[tuple[str, int, int]] = Counter()
        for part in piece.parts:
            instrument = (part.name if by_name else "", part.program, part.bank)
            key = (*instrument, met[instrument])
            met[instrument] += 1
            earlier = joined.setdefault(key, replace(part, notes=(), pedal=()))
            _, *place = earlier.changes[-1] if earlier.changes else (0.0, earlier.level, earlier.pan)
            change = () if place == [part.level, part.pan] else ((onset, part.level, part.pan),)
            joined[key] = replace(
                earlier,
                notes=earlier.notes + tuple(replace(note, onset=note.onset + onset) for note in part.notes),
                pedal=earlier.pedal + tuple((down + onset, up + onset) for down, up in part.pedal),
                changes=earlier.changes + change,
            )
    return tuple(joined.values())
