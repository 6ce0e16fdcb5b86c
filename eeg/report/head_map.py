"""Head maps for the report, as SVG, and the colours of its pieces."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from therapy_gen.svg import COLOURS, INK, element, picture, text, tip

Float64 = npt.NDArray[np.float64]

# Names of electrodes are written where there is room for them.
_MAX_NAMES = 40
# A map is light on a dark page, too.
_ON_MAP = "#222222"


def _label(x: float, y: float, words: str, *, size: float = 12, fill: str = INK) -> str:
    return text(x, y, words, anchor="middle", font_size=size, fill=fill)


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
        body.append(element("circle", tip(f"{name}: {value:+.2f} dB"), cx=right, cy=down, r=3, fill=_ON_MAP))
        if len(names) <= _MAX_NAMES:
            body.append(_label(right, down - 5, name, size=9.5, fill=_ON_MAP))
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
