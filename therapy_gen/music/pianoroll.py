"""Piano rolls as SVG pictures: time to the right, pitch upwards, a colour for each part."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from therapy_gen.music.performance import Performance
from therapy_gen.svg import COLOURS, element, picture, rect, text
from therapy_gen.text import xml_text

_COLOURS = (*COLOURS[:6], "#000000")
_LEFT, _TOP, _RIGHT, _BOTTOM = 44, 34, 10, 26
_BLACK_KEYS = frozenset((1, 3, 6, 8, 10))
# Seconds between the lines of the time axis: the first that leaves them this far apart.
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)
_LEAST_STEP_PX = 60


def piano_roll(performance: Performance, *, width: int = 1600, row_height: int = 7, title: str | None = None) -> str:
    """Draw a performance.

    Parameters
    ----------
    performance : Performance
    width : int
        Of the picture, in pixels.
    row_height : int
        Pixels for each semitone.
    title : str, optional
        Above the picture; by default the performance's own.

    Returns
    -------
    str
        A self-contained SVG document. Soft notes are paler; the pedal is a line at the foot.
    """
    notes = [note for part in performance.parts for note in part.notes]
    low = min((note.pitch for note in notes), default=60) - 2
    high = max((note.pitch for note in notes), default=72) + 2
    height = _TOP + (high - low + 1) * row_height + _BOTTOM
    foot = height - _BOTTOM
    per_second = (width - _LEFT - _RIGHT) / max(performance.duration, 1e-3)

    def x(seconds: float) -> float:
        return _LEFT + seconds * per_second

    def y(pitch: int) -> float:
        return _TOP + (high - pitch) * row_height

    heading = xml_text(performance.title if title is None else title)
    out = [
        f"<title>{escape(heading or 'Piano roll')}</title>",
        rect(0, 0, width, height, fill="#fff"),
        text(_LEFT, 14, heading, font_size=13),
    ]
    out += _keyboard(low, high, y, width, row_height)
    step = next((step for step in _STEPS_S if step * per_second >= _LEAST_STEP_PX), _STEPS_S[-1])
    for second in range(0, int(performance.duration) + 1, step):
        out.append(element("path", d=f"M{x(second):.2f} {_TOP}V{foot}", stroke="#ddd"))
        out.append(text(x(second), foot + 14, f"{second // 60}:{second % 60:02d}", anchor="middle"))
    # The pad first, so that it lies behind the voices.
    for index, part in sorted(enumerate(performance.parts), reverse=True):
        colour = _COLOURS[index % len(_COLOURS)]
        drawn = [
            rect(
                x(note.onset),
                y(note.pitch),
                max(note.duration * per_second, 1),
                row_height - 1,
                rx=1,
                fill_opacity=f"{(0.35 + 0.65 * note.velocity / 127) * (0.35 + 0.65 * min(part.level * 2, 1)):.2f}",
            )
            for note in part.notes
        ]
        pedal = "".join(f"M{x(down):.2f} {foot + 1 + index}H{x(up):.2f}" for down, up in part.pedal)
        if pedal:
            drawn.append(element("path", d=pedal, fill="none", stroke_width=1, opacity=".6"))
        out.append(element("g", "\n".join(drawn), fill=colour, stroke=colour, stroke_width=".5"))
        out.append(rect(_LEFT + 150 * index, 21, 10, 8, fill=colour))
        out.append(text(_LEFT + 150 * index + 14, 29, part.name))
    return (
        picture(
            width,
            height,
            heading or "Piano roll",
            "\n".join(out),
            width=width,
            height=height,
            font_family="sans-serif",
            font_size=11,
        )
        + "\n"
    )


def _keyboard(low: int, high: int, y: Callable[[int], float], width: int, row_height: int) -> list[str]:
    """Draw the rows of the black keys, and name every C."""
    out = []
    for pitch in range(low, high + 1):
        if pitch % 12 in _BLACK_KEYS:
            out.append(rect(_LEFT, y(pitch), width - _LEFT - _RIGHT, row_height, fill="#f2f2f2"))
        if pitch % 12 == 0:
            out.append(text(_LEFT - 6, y(pitch) + row_height, f"C{pitch // 12 - 1}", anchor="end"))
    return out
