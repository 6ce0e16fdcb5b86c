"""Pictures of a report as SVG that takes its colours from the page: piano rolls, arcs, intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sessions.planning.arcs import Curve
from therapy_gen.music.performance import Performance
from therapy_gen.svg import element, line, picture, polyline, text
from therapy_gen.text import clock

# The arc's picture: its width, and where the time axis begins and how long it is.
ARC_WIDTH, ARC_LEFT = 600.0, 44.0
ARC_SPAN = ARC_WIDTH - ARC_LEFT - 10.0
_ARC_HEIGHT, _FOOT = 180.0, 24.0
_ROW = 30.0
_PART_COLOURS = 4
_SOFT_BELOW = 44


@dataclass(frozen=True)
class Interval:
    """A value with its interval, and what it is of; `low` and `high` are None where it has none."""

    label: str
    value: float
    low: float | None
    high: float | None


def roll(performance: Performance, number: int, title: str) -> str:
    """Draw a piece's notes, time in seconds to the right; ``cursor-<number>`` is a line to be moved."""
    notes = [note for part in performance.parts for note in part.notes]
    low = min((note.pitch for note in notes), default=60) - 2
    high = max((note.pitch for note in notes), default=72) + 2
    paths = []
    for place, part in enumerate(performance.parts):
        for soft in (True, False):
            strokes = "".join(
                f"M{note.onset:.2f} {high - note.pitch}h{max(note.duration, 0.05):.2f}"
                for note in part.notes
                if (note.velocity < _SOFT_BELOW) is soft
            )
            if strokes:
                look = f"p{place % _PART_COLOURS}" + (" soft-notes" if soft else "")
                paths.append(element("path", class_=look, d=strokes))
    cursor = line(0, 0, -1, high - low + 1, class_="cursor", id=f"cursor-{number}")
    return element(
        "svg",
        "".join([*paths, cursor]),
        class_="roll",
        id=f"roll-{number}",
        role="img",
        aria_label=f"Piano roll of {title}",
        viewBox=f"0 -1 {performance.duration:.2f} {high - low + 2}",
        preserveAspectRatio="none",
    )


def arc(target: Curve, achieved: Sequence[tuple[float, float, float]], duration_s: float) -> str:
    """Draw what an arc asked for (dashed) and what its pieces came to (bars), over the session."""
    values = [calm for _, calm in target] + [calm for _, _, calm in achieved]
    low = math.floor(20 * min(values)) / 20
    high = min(max(math.ceil(20 * max(values)) / 20, low + 0.1), 1.0)
    low = min(low, high - 0.1)

    def x(seconds: float) -> float:
        return ARC_LEFT + seconds / duration_s * ARC_SPAN

    def y(calm: float) -> float:
        return 8 + (high - calm) / (high - low) * (_ARC_HEIGHT - _FOOT - 8)

    out = []
    for value in (low, (low + high) / 2, high):
        out.append(line(ARC_LEFT, ARC_WIDTH - 10, y(value), y(value), class_="axis"))
        out.append(text(ARC_LEFT - 6, y(value) + 4, f"{value:.2f}", anchor="end"))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        anchor = "start" if share == 0 else "end" if share == 1 else "middle"
        moment = share * duration_s
        out.append(text(x(moment), _ARC_HEIGHT - 6, clock(moment), anchor=anchor))
    out += [line(x(onset), x(end), y(calm), y(calm), class_="came") for onset, end, calm in achieved]
    if target:
        out.append(polyline(((x(at), y(calm)) for at, calm in target), class_="target"))
    out.append(line(ARC_LEFT, ARC_LEFT, 8, _ARC_HEIGHT - _FOOT, class_="cursor", id="arc-cursor"))
    label = "Arc of the session: calmness asked for and achieved over time"
    return picture(ARC_WIDTH, _ARC_HEIGHT, label, "".join(out), class_="chart")


def intervals(rows: Sequence[Interval], what: str, unit: str = "dB") -> str:
    """Draw values with their intervals, one row each, zero marked."""
    ends = [end for row in rows for end in (row.value, row.low, row.high) if end is not None]
    low, high = min(*ends, 0.0), max(*ends, 0.0)
    room = max(high - low, 0.1) * 0.06
    low, high = low - room, high + room
    width, left, right = 600.0, 190.0, 16.0
    height = _ROW * len(rows) + 26

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (width - left - right)

    out = [
        line(x(0), x(0), 0, height - 22, class_="zero"),
        text(x(0), height - 6, f"0 {unit}", anchor="middle"),
    ]
    for place, row in enumerate(rows):
        y = _ROW * (place + 0.5)
        label = row.label if len(row.label) <= 18 else row.label[:17] + "…"
        out.append(text(left - 10, y + 4, label, anchor="end"))
        if row.low is not None and row.high is not None:
            out.append(line(x(row.low), x(row.high), y, y, class_="whisker"))
        out.append(element("circle", class_="dot", cx=x(row.value), cy=y, r=5))
    return picture(width, height, what, "".join(out), class_="chart")
