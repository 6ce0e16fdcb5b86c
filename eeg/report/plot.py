"""Pictures for the report: SVG text, drawn here so that a report needs no plotting library and no other file."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

# Okabe and Ito's colours, told apart with any colour vision; then darker and lighter ones of the same kind.
COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#8c6d31",
    "#003f5c", "#a63c06", "#2f6b4f", "#99627a", "#a07a00", "#4a7a96", "#b39ddb", "#c9a66b",
)  # fmt: skip
# Names of electrodes are written where there is room for them.
MAX_NAMES = 40
GREY = "#777777"
INK = "#222222"


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


def words(x: float, y: float, text: str, *, anchor: str = "middle", size: float = 12, colour: str = INK) -> str:
    """Return text at a pixel."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size:g}"'
    return f'<text {place} fill="{colour}">{escape(text)}</text>'


def stroke(x1: float, x2: float, y1: float, y2: float, colour: str) -> str:
    """Return a thin straight line between pixels."""
    return f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def picture(width: float, height: float, label: str, body: str) -> str:
    """Return an SVG element; `label` says in words what it shows."""
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
    return f'<svg {size} role="img" aria-label="{escape(label)}" xmlns="http://www.w3.org/2000/svg">{body}</svg>'


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
        tip = f"<title>{escape(title)}</title>" if title else ""
        width, height = max(right - left, 0.6), max(bottom - top, 0.6)
        self.parts.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="{colour}" fill-opacity="{opacity:g}">{tip}</rect>'
        )

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
        runs: list[list[str]] = [[]]
        for x, y in zip(xs, ys, strict=True):
            if math.isfinite(y) and math.isfinite(x):
                runs[-1].append(f"{self.px(x):.1f},{self.py(y):.1f}")
            elif runs[-1]:
                runs.append([])
        style = f' stroke-dasharray="{dash}"' if dash else ""
        tip = f"<title>{escape(title)}</title>" if title else ""
        for run in runs:
            if len(run) > 1:
                self.parts.append(
                    f'<polyline points="{" ".join(run)}" fill="none" stroke="{colour}" stroke-width="{width:g}"{style} '
                    f'stroke-linejoin="round">{tip}</polyline>'
                )

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
        text: str,
        *,
        anchor: str = "start",
        size: int = 12,
        colour: str = INK,
        dx: float = 0,
        dy: float = 0,
    ) -> None:
        """Add words at a data point, moved by pixels."""
        self.parts.append(words(self.px(x) + dx, self.py(y) + dy, text, anchor=anchor, size=size, colour=colour))

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
            back.append(stroke(at, at, top, bottom, "#eeeeee"))
            self.parts.append(words(at, bottom + 17, x_text(value)))
        for value in ticks(*self.y) if y_ticks is None else y_ticks:
            at = self.py(value)
            back.append(stroke(left, right, at, at, "#eeeeee"))
            self.parts.append(words(left - 8, at + 4, number(value), anchor="end"))
        if grid:
            self.parts[:0] = back
        self.parts.append(stroke(left, right, bottom, bottom, GREY))
        self.parts.append(words((left + right) / 2, self.height - 6, x_label, size=13))
        if y_label:
            middle = (top + bottom) / 2
            turned = words(16, middle, y_label, size=13).replace(
                "<text", f'<text transform="rotate(-90 16 {middle:.0f})"'
            )
            self.parts.append(turned)

    def svg(self, label: str) -> str:
        """Return the picture; `label` says in words what it shows."""
        drawn = picture(self.width, self.height, label, "".join(self.parts))
        # On a narrow screen it is scrolled rather than made too small to read.
        return f'<div class="wide" style="--least:{0.7 * self.width:.0f}px">{drawn}</div>'


def diverging(share: Float64) -> npt.NDArray[np.uint8]:
    """Return blue for -1 over white to red for 1, shape (…, 3)."""
    share = np.clip(share, -1, 1)
    blue, red = np.array([33, 102, 172.0]), np.array([178, 24, 43.0])
    end = np.where((share < 0)[..., None], blue, red)
    return np.asarray(np.rint(255 + (end - 255) * np.abs(share)[..., None] ** 0.9), dtype=np.uint8)


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
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
    rgba[..., :3] = diverging(field_ / limit)
    rgba[..., 3] = np.where(np.hypot(across, up) <= rim, 255, 0)
    image = base64.b64encode(png(rgba)).decode()
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
        tip = f"<title>{escape(name)}: {value:+.2f} dB</title>"
        body.append(f'<circle cx="{right:.1f}" cy="{down:.1f}" r="3" fill="{INK}">{tip}</circle>')
        if len(names) <= MAX_NAMES:
            body.append(words(right, down - 5, name, size=9.5))
    return picture(size, size + 46, title, "".join([*body, _scale_bar(size, limit)]))


def _scale_bar(size: int, limit: float) -> str:
    colours = diverging(np.linspace(-1, 1, 41))
    width = (size - 100) / len(colours)
    boxes = "".join(
        f'<rect x="{50 + i * width:.2f}" y="{size + 8}" width="{width + 0.4:.2f}" height="11" fill="rgb({r},{g},{b})"/>'
        for i, (r, g, b) in enumerate(colours)
    )
    ends = ((0.0, f"−{limit:g} dB"), (0.5, "0"), (1.0, f"+{limit:g} dB"))
    return boxes + "".join(words(50 + share * (size - 100), size + 36, text) for share, text in ends)


def colours_of(pieces: Sequence[str]) -> Mapping[str, str]:
    """Return a colour for each piece."""
    return {piece: COLOURS[i % len(COLOURS)] for i, piece in enumerate(pieces)}
