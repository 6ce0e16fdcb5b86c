"""SVG elements as text: all pictures are drawn with these, without a plotting library."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from therapy_gen.text import xml_text

# Okabe and Ito's colours, distinguishable with any colour vision; then darker and lighter ones.
COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#8c6d31",
    "#003f5c", "#a63c06", "#2f6b4f", "#99627a", "#a07a00", "#4a7a96", "#b39ddb", "#c9a66b",
)  # fmt: skip
# These follow the picture's page, light or dark.
INK, GREY, LINE = "var(--ink,#222222)", "var(--soft,#6b6b6b)", "var(--line,#dddddd)"


def element(name: str, content: str = "", /, **attributes: Any) -> str:
    """Return an element; ``class_`` is written as ``class``, ``font_size`` as ``font-size``, None is left out.

    Examples
    --------
    >>> element("circle", cx=1.26, cy=2, class_="dot")
    '<circle cx="1.3" cy="2" class="dot"/>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def _value(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else f"{round(value, 1):g}"


def text(x: float, y: float, words: str, *, anchor: str | None = None, **attributes: Any) -> str:
    """Return words at a point; `anchor` is ``start``, ``middle`` or ``end``."""
    return element("text", escape(xml_text(words)), x=x, y=y, text_anchor=anchor, **attributes)


def line(x1: float, x2: float, y1: float, y2: float, **attributes: Any) -> str:
    """Return a straight line."""
    return element("line", x1=x1, x2=x2, y1=y1, y2=y2, **attributes)


def rect(x: float, y: float, width: float, height: float, title: str = "", **attributes: Any) -> str:
    """Return a rectangle; `title` is shown where the pointer rests on it."""
    return element("rect", tip(title), x=x, y=y, width=width, height=height, **attributes)


def polyline(points: Iterable[tuple[float, float]], title: str = "", **attributes: Any) -> str:
    """Return a line through points."""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return element("polyline", tip(title), points=joined, **attributes)


def tip(title: str) -> str:
    """Return an element's tooltip."""
    return f"<title>{escape(xml_text(title))}</title>" if title else ""


def picture(width: float, height: float, label: str, body: str, /, **attributes: Any) -> str:
    """Return an SVG element; `label` says in words what it shows."""
    return element(
        "svg",
        body,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=xml_text(label),
        **attributes,
    )


def ticks(low: float, high: float, about: int = 6, steps: Sequence[float] = (1, 2, 2.5, 5, 10)) -> list[float]:
    """Return round values between `low` and `high`, `steps` times a power of ten apart."""
    if not high > low:
        return [low]
    raw = (high - low) / max(about, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in steps if power * factor >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def number(value: float) -> str:
    """Return a short number with a true minus sign."""
    return f"{value:g}".replace("-", "−")
