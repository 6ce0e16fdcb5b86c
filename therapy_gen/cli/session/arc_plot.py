"""An arc in the terminal: its target and the calmness of the pieces."""

from __future__ import annotations

import math
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

from therapy_gen.cli.output import clock, text_width

if TYPE_CHECKING:
    from sessions.records import SessionRecord

_WIDEST, _HEIGHT = 64, 8
_MARGIN = 8
# Target, piece, both: with and without what ASCII lacks.
_MARKS = {True: ("·", "━", "━"), False: (".", "=", "=")}


def arc_lines(record: SessionRecord) -> list[str]:
    """Return the lines of the picture, at most 80 characters wide; none for a session without a known target."""
    from sessions.planning.arcs import rms, value_at

    target, achieved = record.curve(), record.achieved()
    width = max(min(_WIDEST, text_width() - _MARGIN), 20)
    if not target or not achieved:
        return []
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    dot, bar, _ = _MARKS[_can(encoding, "·━")]
    moments = [(column + 0.5) / width * record.duration_s for column in range(width)]
    wanted = [value_at(target, moment) if target[0][0] <= moment <= target[-1][0] else None for moment in moments]
    heard = [next((calm for onset, end, calm in achieved if onset <= moment < end), None) for moment in moments]
    known = [value for value in (*wanted, *heard) if value is not None]
    low = math.floor(20 * min(known)) / 20
    high = max(math.ceil(20 * max(known)) / 20, low + 0.1)

    def row_of(value: float) -> int:
        return min(int((high - value) / (high - low) * _HEIGHT), _HEIGHT - 1)

    rows = [[" "] * width for _ in range(_HEIGHT)]
    for column, (aim, calm) in enumerate(zip(wanted, heard, strict=True)):
        if aim is not None:
            rows[row_of(aim)][column] = dot
        if calm is not None:
            rows[row_of(calm)][column] = bar
    lines = []
    for number, row in enumerate(rows):
        label = f"{high:.2f}" if number == 0 else f"{low:.2f}" if number == _HEIGHT - 1 else ""
        lines.append(f"{label:>5} |{''.join(row)}".rstrip())
    end = clock(record.duration_s)
    lines.append(f"      +{'-' * width}")
    lines.append(f"       0:00{end:>{width - 4}}")
    away = rms(target, achieved)
    lines.append(f"Calm, 0 to 1: {dot * 3} asked for, {bar * 3} pieces; root mean square distance {away:.3f}")
    return lines


def register_line(record: SessionRecord) -> str:
    """Return a line on the register of a session's melodies, from its first piece to its last."""
    known = [piece.register for piece in record.pieces() if piece.register is not None]
    if not known:
        return ""
    from therapy_gen.music.analysis.register import pitch_name

    first, last = pitch_name(known[0]), pitch_name(known[-1])
    steps = [abs(b - a) for a, b in pairwise(known)]
    if not steps:
        return f"Register: the melody lies about {first}"
    return f"Register: melodies about {first} to {last}, neighbours {sum(steps) / len(steps):.1f} semitones apart"


def _can(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
