"""Axes, lines and head maps for the report, as SVG."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.svg import COLOURS, GREY, INK, element, line, number, picture, polyline, rect, text, ticks, tip

Float64 = npt.NDArray[np.float64]

# Names of electrodes are written where there is room for them.
_MAX_NAMES = 40


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
        xs: Sequence[float] | Float64,
        ys: Sequence[float] | Float64,
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

    def dots(self, xs: Float64, ys: Float64, colour: str, *, radius: float = 2.0, opacity: float = 1.0) -> None:
        """Add dots; those that are not finite are left out."""
        circles = "".join(
            f'<circle cx="{self.px(x):.1f}" cy="{self.py(y):.1f}" r="{radius:g}"/>'
            for x, y in zip(xs, ys, strict=True)
            if math.isfinite(y) and math.isfinite(x)
        )
        self.parts.append(f'<g fill="{colour}" fill-opacity="{opacity:g}">{circles}</g>')

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        anchor: str = "start",
        size: int = 12,
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
        grid: bool = True,
    ) -> None:
        """Add both axes, with a light grid behind what is drawn so far."""
        back: list[str] = []
        bottom, top, left, right = self.height - self.bottom, self.top, self.left, self.width - self.right
        for value in ticks(*self.x) if x_ticks is None else x_ticks:
            at = self.px(value)
            back.append(line(at, at, top, bottom, stroke="#eeeeee"))
            self.parts.append(_label(at, bottom + 17, x_text(value)))
        for value in ticks(*self.y) if y_ticks is None else y_ticks:
            at = self.py(value)
            back.append(line(left, right, at, at, stroke="#eeeeee"))
            self.parts.append(_label(left - 8, at + 4, number(value), anchor="end"))
        if grid:
            self.parts[:0] = back
        self.parts.append(line(left, right, bottom, bottom, stroke=GREY))
        self.parts.append(_label((left + right) / 2, self.height - 6, x_label, size=13))
        if y_label:
            middle = (top + bottom) / 2
            self.parts.append(_label(16, middle, y_label, size=13, transform=f"rotate(-90 16 {middle:.0f})"))

    def svg(self, label: str) -> str:
        """Return the picture; `label` says in words what it shows."""
        drawn = picture(self.width, self.height, label, "".join(self.parts), width=self.width)
        # On a narrow screen it is scrolled rather than made too small to read.
        return f'<div class="wide" style="--least:{0.7 * self.width:.0f}px">{drawn}</div>'


def _label(x: float, y: float, words: str, *, anchor: str = "middle", size: float = 12, **attributes: Any) -> str:
    return text(x, y, words, anchor=anchor, font_size=size, fill=INK, **attributes)


def _diverging(share: Float64) -> npt.NDArray[np.uint8]:
    """Return blue for -1 over white to red for 1, shape (…, 3)."""
    share = np.clip(share, -1, 1)
    blue, red = np.array([33, 102, 172.0]), np.array([178, 24, 43.0])
    end = np.where((share < 0)[..., None], blue, red)
    return np.asarray(np.rint(255 + (end - 255) * np.abs(share)[..., None] ** 0.9), dtype=np.uint8)


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return RGBA pixels, shape (height, width, 4), as a PNG file."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + width * 4), np.uint8)
    rows[:, 1:] = pixels.reshape(height, -1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + chunk(b"IEND", b"")
    )


def topography(
    values: Float64, positions: Float64, labels: Sequence[str], title: str, limit: float, size: int = 300
) -> str:
    """Return a head seen from above, nose up, coloured by values in dB; blue is less, red more.

    Parameters
    ----------
    values : array, shape (n,)
    positions : array, shape (n, 2)
        Radius 1 is 90 degrees from the vertex; nan where not known.
    labels : sequence of str
    title : str
    limit : float
        dB at full colour.
    size : int
        Pixels.
    """
    from scipy.interpolate import RBFInterpolator

    known = np.isfinite(values) & np.isfinite(positions).all(axis=1)
    points, shown = positions[known], values[known]
    names = [label for label, ok in zip(labels, known, strict=True) if ok]
    reach = max(1.0, float(np.hypot(*points.T).max()) + 0.04)
    # A little beyond the head's outline, so that it hides the picture's own edge.
    rim = 1.008 * reach
    axis = np.linspace(-rim, rim, 120)
    across, up = np.meshgrid(axis, -axis)
    smooth = RBFInterpolator(points, shown, kernel="thin_plate_spline", smoothing=0.01)
    field_ = smooth(np.column_stack([across.ravel(), up.ravel()])).reshape(across.shape)
    rgba = np.zeros((*across.shape, 4), np.uint8)
    rgba[..., :3] = _diverging(field_ / limit)
    rgba[..., 3] = np.where(np.hypot(across, up) <= rim, 255, 0)
    image = base64.b64encode(_png(rgba)).decode()
    middle, radius = size / 2, size / 2 - 26
    centre = middle + 8
    scale = radius / reach
    wide = rim * scale
    body = [
        f'<path d="M{middle - 13:.0f},{centre - radius + 3:.0f} L{middle:.0f},{centre - radius - 12:.0f} '
        f'L{middle + 13:.0f},{centre - radius + 3:.0f}" fill="none" stroke="{INK}" stroke-width="1.5"/>',
        f'<image x="{middle - wide:.1f}" y="{centre - wide:.1f}" width="{2 * wide:.1f}" '
        f'height="{2 * wide:.1f}" href="data:image/png;base64,{image}"/>',
        f'<circle cx="{middle}" cy="{centre}" r="{radius:.1f}" fill="none" stroke="{INK}" stroke-width="2.6"/>',
    ]
    for name, value, (x, y) in zip(names, shown, points, strict=True):
        right, down = middle + x * scale, centre - y * scale
        body.append(element("circle", tip(f"{name}: {value:+.2f} dB"), cx=right, cy=down, r=3, fill=INK))
        if len(names) <= _MAX_NAMES:
            body.append(_label(right, down - 5, name, size=9.5))
    return picture(size, size + 46, title, "".join([*body, _scale_bar(size, limit)]), width=size)


def _scale_bar(size: int, limit: float) -> str:
    colours = _diverging(np.linspace(-1, 1, 41))
    width = (size - 100) / len(colours)
    boxes = "".join(
        f'<rect x="{50 + i * width:.2f}" y="{size + 8}" width="{width + 0.4:.2f}" height="11" fill="rgb({r},{g},{b})"/>'
        for i, (r, g, b) in enumerate(colours)
    )
    ends = ((0.0, f"−{limit:g} dB"), (0.5, "0"), (1.0, f"+{limit:g} dB"))
    return boxes + "".join(_label(50 + share * (size - 100), size + 36, words) for share, words in ends)


def colours_of(pieces: Sequence[str]) -> Mapping[str, str]:
    """Return a colour for each piece."""
    return {piece: COLOURS[i % len(COLOURS)] for i, piece in enumerate(pieces)}
