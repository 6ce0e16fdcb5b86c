"""Pictures of pages about sessions: piano rolls, arcs, intervals, trends. Their colours follow the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sessions.planning.arcs import Curve
from therapy_gen.music.performance import Performance
from therapy_gen.pages.plot import PHONE, Plot, for_both, label, scrolling
from therapy_gen.svg import GREY, LINE, element, line, number, picture, ticks, tip
from therapy_gen.text import clock

ARC_LEFT, ARC_SPAN = 48.0, 640.0 - 48.0 - 12.0
"""Where the time axis of an arc begins in its picture, and how long it is."""

_PART_COLOURS = 4
_SOFT_BELOW = 44
_ROW = 30.0
_MINUTES = (1, 2, 5, 10)


@dataclass(frozen=True)
class Interval:
    """A labelled value with its interval; `low` and `high` are None where it has none."""

    label: str
    value: float
    low: float | None
    high: float | None


def roll(performance: Performance, key: str, title: str) -> str:
    """Draw a piece's notes, time in seconds to the right; ``cursor-<key>`` is a line to be moved."""
    notes = [note for part in performance.parts for note in part.notes]
    low = min((note.pitch for note in notes), default=60) - 2
    high = max((note.pitch for note in notes), default=72) + 2
    drawn = []
    for place, part in enumerate(performance.parts):
        for soft in (True, False):
            strokes = "".join(
                f"M{note.onset:.2f} {high - note.pitch}h{max(note.duration, 0.05):.2f}"
                for note in part.notes
                if (note.velocity < _SOFT_BELOW) is soft
            )
            if strokes:
                look = f"p{place % _PART_COLOURS}" + (" soft-notes" if soft else "")
                drawn.append(element("path", class_=look, d=strokes))
    drawn.append(element("line", class_="cursor", id=f"cursor-{key}", x1=0, x2=0, y1=-1, y2=high - low + 1))
    return element(
        "svg",
        "".join(drawn),
        class_="roll",
        id=f"roll-{key}",
        role="img",
        aria_label=f"Piano roll of {title}",
        viewBox=f"0 -1 {max(performance.duration, 0.01):.2f} {high - low + 2}",
        preserveAspectRatio="none",
    )


def arc(target: Curve, achieved: Sequence[tuple[float, float, float]], duration_s: float) -> str:
    """Draw an arc's target (dashed) and the calmness of its pieces (bars), over the session."""
    values = [calm for _, calm in target] + [calm for _, _, calm in achieved]
    low = math.floor(20 * min(values)) / 20
    high = min(max(math.ceil(20 * max(values)) / 20, low + 0.1), 1.0)
    plot = Plot(640, 200, (0.0, duration_s), (min(low, high - 0.1), high), left=48, right=12, top=10, bottom=30)
    for onset, end, calm in achieved:
        plot.line([onset, end], [calm, calm], "var(--p0,#0072b2)", width=5, title=f"{clock(onset)}: {calm:.2f}")
    if target:
        plot.line([at for at, _ in target], [calm for _, calm in target], "var(--target,#b34d00)", width=2, dash="5 4")
    marks = [60 * minute for minute in ticks(0.0, duration_s / 60, 8, steps=_MINUTES)]
    plot.axes(
        "",
        "",
        x_ticks=marks,
        x_text=clock,
        y_ticks=ticks(*plot.y, 5, steps=(1, 2, 5, 10)),
        y_text=lambda value: f"{value:.2f}",
    )
    plot.parts.append(element("line", class_="cursor", id="arc-cursor", x1=ARC_LEFT, x2=ARC_LEFT, y1=10, y2=170))
    return plot.svg("Arc of the session: calmness asked for and achieved over time", fits=True)


def intervals(rows: Sequence[Interval], what: str, unit: str = "dB") -> str:
    """Draw values with their intervals, one row each, on an axis with ticks, zero marked."""
    broad, narrow = (_intervals(rows, what, unit, narrow=narrow) for narrow in (False, True))
    return for_both(broad, narrow)


def _intervals(rows: Sequence[Interval], what: str, unit: str, *, narrow: bool) -> str:
    """Draw the rows; for a phone (`narrow`) with the names above them."""
    ends = [end for row in rows for end in (row.value, row.low, row.high) if end is not None]
    low, high = min(*ends, 0.0), max(*ends, 0.0)
    room = max(high - low, 0.1) * 0.06
    low, high = low - room, high + room
    width, left, right, height = (float(PHONE), 12.0, 16.0, 46.0) if narrow else (640.0, 190.0, 16.0, _ROW)
    foot = height * len(rows)

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (width - left - right)

    drawn = []
    for value in ticks(low, high, 4 if narrow else 6):
        drawn.append(line(x(value), x(value), 0, foot, stroke=GREY if value == 0 else LINE))
        drawn.append(
            label(x(value), foot + 16, f"{number(value)} {unit}" if value == 0 else number(value), colour=GREY)
        )
    for place, row in enumerate(rows):
        y = height * (place + 0.5) + (10 if narrow else 0)
        name = row.label if narrow or len(row.label) <= 22 else row.label[:21] + "…"
        if narrow:
            drawn.append(label(left, y - 14, name, anchor="start", size=13))
        else:
            drawn.append(label(left - 12, y + 4, name, anchor="end", size=13))
        if row.low is not None and row.high is not None:
            drawn.append(line(x(row.low), x(row.high), y, y, stroke="var(--p0,#0072b2)", stroke_width=2))
        drawn.append(element("circle", cx=x(row.value), cy=y, r=5, fill="var(--p0,#0072b2)"))
    return scrolling(picture(width, foot + 26, what, "".join(drawn), width=width), what, width)


def trend(pairs: Sequence[tuple[str, float | None, float | None]], what: str, limits: tuple[float, float]) -> str:
    """Draw measures before (hollow) and after (full) each session, one column each: pairs of (name, before, after)."""
    count = len(pairs)
    plot = Plot(640, 220, (-0.5, max(count, 4) - 0.5), limits, left=48, right=12, top=14, bottom=34)
    steps = max(1, math.ceil(count / 12))
    plot.axes(
        "",
        "",
        x_ticks=list(range(0, count, steps)),
        x_text=lambda value: pairs[round(value)][0],
        y_ticks=ticks(*limits, 5),
    )
    after = [(place, value) for place, (_, _, value) in enumerate(pairs) if value is not None]
    plot.line([float(place) for place, _ in after], [value for _, value in after], LINE, width=2)
    for place, (name, before, value) in enumerate(pairs):
        if before is not None and value is not None:
            plot.line([place, place], [before, value], "var(--p0,#0072b2)", width=2)
        for one, fill, word in ((before, "var(--ground,#fff)", "before"), (value, "var(--p0,#0072b2)", "after")):
            if one is not None:
                circle = {"cx": plot.px(place), "cy": plot.py(one), "r": 5, "fill": fill, "stroke_width": 2}
                said = tip(f"{name}, {word}: {one:g}")
                plot.parts.append(element("circle", said, **circle, stroke="var(--p0,#0072b2)"))
    return plot.svg(what, fits=True)
