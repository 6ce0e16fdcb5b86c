"""Pictures of a report as SVG that takes its colours from the page: piano rolls, arcs, intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from sessions.planning.arcs import Curve
from therapy_gen.music.performance import Performance

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


def clock(seconds: float) -> str:
    """Return a length or moment as ``m:ss``."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


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
                paths.append(f'<path class="{look}" d="{strokes}"/>')
    return (
        f'<svg class="roll" id="roll-{number}" role="img" aria-label="{escape(f"Piano roll of {title}")}" '
        f'viewBox="0 -1 {performance.duration:.2f} {high - low + 2}" preserveAspectRatio="none">{"".join(paths)}'
        f'<line class="cursor" id="cursor-{number}" x1="0" x2="0" y1="-1" y2="{high - low + 1}"/></svg>'
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

    out = [_opened(ARC_WIDTH, _ARC_HEIGHT, "Arc of the session: calmness asked for and achieved over time")]
    for value in (low, (low + high) / 2, high):
        out.append(
            f'<line class="axis" x1="{ARC_LEFT}" x2="{ARC_WIDTH - 10}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
        )
        out.append(f'<text x="{ARC_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.2f}</text>')
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        anchor = "start" if share == 0 else "end" if share == 1 else "middle"
        moment = share * duration_s
        out.append(f'<text x="{x(moment):.1f}" y="{_ARC_HEIGHT - 6}" text-anchor="{anchor}">{clock(moment)}</text>')
    for onset, end, calm in achieved:
        out.append(f'<line class="came" x1="{x(onset):.1f}" x2="{x(end):.1f}" y1="{y(calm):.1f}" y2="{y(calm):.1f}"/>')
    if target:
        out.append(
            f'<polyline class="target" points="{" ".join(f"{x(at):.1f},{y(calm):.1f}" for at, calm in target)}"/>'
        )
    out.append(
        f'<line class="cursor" id="arc-cursor" x1="{ARC_LEFT}" x2="{ARC_LEFT}" y1="8" '
        f'y2="{_ARC_HEIGHT - _FOOT}"/></svg>'
    )
    return "".join(out)


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

    out = [_opened(width, height, what)]
    out.append(f'<line class="zero" x1="{x(0):.1f}" x2="{x(0):.1f}" y1="0" y2="{height - 22}"/>')
    out.append(f'<text x="{x(0):.1f}" y="{height - 6}" text-anchor="middle">0 {escape(unit)}</text>')
    for place, row in enumerate(rows):
        y = _ROW * (place + 0.5)
        label = row.label if len(row.label) <= 18 else row.label[:17] + "…"
        out.append(f'<text x="{left - 10}" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>')
        if row.low is not None and row.high is not None:
            out.append(f'<line class="whisker" x1="{x(row.low):.1f}" x2="{x(row.high):.1f}" y1="{y}" y2="{y}"/>')
        out.append(f'<circle class="dot" cx="{x(row.value):.1f}" cy="{y}" r="5"/>')
    return "".join([*out, "</svg>"])


def _opened(width: float, height: float, what: str) -> str:
    return f'<svg class="chart" role="img" aria-label="{escape(what)}" viewBox="0 0 {width:g} {height:g}">'
