"""Plots with axes, in the colours of their page, light or dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from therapy_gen.svg import GREY, INK, LINE, element, line, number, picture, polyline, rect, text, ticks

# Widths in pixels: about that of a letter on an axis, and that of a picture for a phone.
_LETTER = 7.0
PHONE = 380


def label(
    x: float, y: float, words: str, *, anchor: str = "middle", size: float = 12, colour: str = INK, **attributes: Any
) -> str:
    """Return text at a pixel."""
    return text(x, y, words, anchor=anchor, font_size=size, fill=colour, **attributes)


@dataclass
class Plot:
    """Axes in an SVG picture.

    Parameters
    ----------
    width, height : int
        Pixels.
    x, y : (float, float)
        Data range.
    left, right, top, bottom : int
        Margins in pixels.
    log_x : bool
    """

    width: int
    height: int
    x: tuple[float, float]
    y: tuple[float, float]
    left: int = 62
    right: int = 16
    top: int = 12
    bottom: int = 44
    log_x: bool = False
    parts: list[str] = field(default_factory=list)

    def px(self, value: float) -> float:
        """Return the pixel of an x value."""
        low, high = self.x
        share = math.log(value / low) / math.log(high / low) if self.log_x else (value - low) / (high - low)
        return self.left + share * (self.width - self.left - self.right)

    def py(self, value: float) -> float:
        """Return the pixel of a y value."""
        low, high = self.y
        return self.height - self.bottom - (value - low) / (high - low) * (self.height - self.top - self.bottom)

    def rect(
        self, x0: float, x1: float, y0: float, y1: float, colour: str, *, opacity: float = 1.0, title: str = ""
    ) -> None:
        """Add a filled rectangle in data units."""
        left, right = sorted((self.px(x0), self.px(x1)))
        top, bottom = sorted((self.py(y0), self.py(y1)))
        width, height = max(right - left, 0.6), max(bottom - top, 0.6)
        self.parts.append(rect(left, top, width, height, title, fill=colour, fill_opacity=f"{opacity:g}"))

    def line(
        self,
        xs: Iterable[float],
        ys: Iterable[float],
        colour: str,
        *,
        width: float = 1.6,
        dash: str = "",
        title: str = "",
    ) -> None:
        """Add a line through points; it is broken where a value is not finite."""
        runs: list[list[tuple[float, float]]] = [[]]
        for x, y in zip(xs, ys, strict=True):
            if math.isfinite(y) and math.isfinite(x):
                runs[-1].append((self.px(x), self.py(y)))
            elif runs[-1]:
                runs.append([])
        look: dict[str, Any] = {
            "fill": "none",
            "stroke": colour,
            "stroke_width": width,
            "stroke_dasharray": dash or None,
        }
        self.parts += [polyline(run, title, **look, stroke_linejoin="round") for run in runs if len(run) > 1]

    def dots(
        self, xs: Iterable[float], ys: Iterable[float], colour: str, *, radius: float = 2.0, opacity: float = 1.0
    ) -> None:
        """Add dots; those that are not finite are left out."""
        circles = "".join(
            f'<circle cx="{self.px(x):.1f}" cy="{self.py(y):.1f}" r="{radius:g}"/>'
            for x, y in zip(xs, ys, strict=True)
            if math.isfinite(y) and math.isfinite(x)
        )
        self.parts.append(element("g", circles, fill=colour, fill_opacity=f"{opacity:g}"))

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        anchor: str = "start",
        size: float = 12,
        colour: str = INK,
        dx: float = 0,
        dy: float = 0,
    ) -> None:
        """Add words at a data point, moved by pixels."""
        self.parts.append(text(self.px(x) + dx, self.py(y) + dy, words, anchor=anchor, font_size=size, fill=colour))

    def axes(
        self,
        x_label: str,
        y_label: str,
        *,
        x_ticks: Sequence[float] | None = None,
        y_ticks: Sequence[float] | None = None,
        x_text: Callable[[float], str] = number,
        y_text: Callable[[float], str] = number,
        grid: bool = True,
    ) -> None:
        """Add both axes, with a light grid behind what is drawn so far."""
        back: list[str] = []
        bottom, top, left, right = self.height - self.bottom, self.top, self.left, self.width - self.right
        for value in ticks(*self.x) if x_ticks is None else x_ticks:
            at = self.px(value)
            back.append(line(at, at, top, bottom, stroke=LINE))
            words = x_text(value)
            # The last one does not run out of the picture.
            out = at + _LETTER * len(words) / 2 > self.width
            self.parts.append(label(self.width if out else at, bottom + 17, words, anchor="end" if out else "middle"))
        for value in ticks(*self.y) if y_ticks is None else y_ticks:
            at = self.py(value)
            back.append(line(left, right, at, at, stroke=LINE))
            self.parts.append(label(left - 8, at + 4, y_text(value), anchor="end"))
        if grid:
            self.parts[:0] = back
        self.parts.append(line(left, right, bottom, bottom, stroke=GREY))
        if x_label:
            self.parts.append(label((left + right) / 2, self.height - 6, x_label, size=13))
        if y_label:
            middle = (top + bottom) / 2
            self.parts.append(label(16, middle, y_label, size=13, transform=f"rotate(-90 16 {middle:.0f})"))

    def svg(self, what: str, *, fits: bool = False) -> str:
        """Return the picture in a box that scrolls on a narrow screen; `what` says in words what it shows.

        One that `fits` is made as narrow as a phone instead, with larger letters.
        """
        drawn = picture(self.width, self.height, what, "".join(self.parts), width=self.width)
        return scrolling(drawn, what, self.width, fits=fits)


def scrolling(drawn: str, what: str, width: float, *, fits: bool = False) -> str:
    """Return a picture in a box in which a narrow screen scrolls it, rather than made too small to read."""
    kind = "wide fits" if fits else "wide"
    box = f'class="{kind}" tabindex="0" role="region" aria-label="{escape(what)}" style="--least:{0.7 * width:.0f}px"'
    return f"<div {box}>{drawn}</div>"


def for_both(broad: str, narrow: str) -> str:
    """Return a picture that is drawn twice: for a broad page, and for a phone."""
    return f'<div class="broad">{broad}</div><div class="narrow">{narrow}</div>'
