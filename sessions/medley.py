"""A whole session as one performance, and as one Standard MIDI File."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from therapy_gen.music.midi import read_performance, to_midi
from therapy_gen.music.performance import Part, Performance

# What a MIDI file has channels for.
_MOST_PARTS = 15


def join_midi(pieces: Sequence[tuple[float, bytes]], *, title: str, duration_s: float) -> bytes:
    """Set pieces, given as (onset in seconds, MIDI), on a common clock as one MIDI file that ends at `duration_s`.

    Every piece begins with a time signature, of the same metre, too: readers begin a bar there, and so all are barred
    from their own beginning, however long the silences between them are.
    """
    placed = [(onset, read_performance(midi)) for onset, midi in pieces]
    parts = _joined_parts(placed, by_name=True)
    if len(parts) > _MOST_PARTS:
        parts = _joined_parts(placed, by_name=False)
    tempi = tuple((onset + at, tempo) for onset, piece in placed for at, tempo in piece.tempi)
    # A clock starts at 0, also where silence comes first.
    first = placed[0][1]
    start = () if tempi and tempi[0][0] == 0.0 else ((0.0, first.tempo),)
    metres = tuple((onset + at, metre) for onset, piece in placed for at, metre in piece.metres)
    bars = () if metres and metres[0][0] == 0.0 else ((0.0, first.metre),)
    joined = Performance(
        parts=parts[:_MOST_PARTS],
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


def _joined_parts(placed: Sequence[tuple[float, Performance]], *, by_name: bool) -> tuple[Part, ...]:
    """Return the parts of all pieces, those of one instrument (and one name) as one."""
    joined: dict[tuple[str, int, int], Part] = {}
    for onset, piece in placed:
        for part in piece.parts:
            key = (part.name if by_name else "", part.program, part.bank)
            earlier = joined.setdefault(key, replace(part, notes=(), pedal=()))
            joined[key] = replace(
                earlier,
                notes=earlier.notes + tuple(replace(note, onset=note.onset + onset) for note in part.notes),
                pedal=earlier.pedal + tuple((down + onset, up + onset) for down, up in part.pedal),
            )
    return tuple(joined.values())
