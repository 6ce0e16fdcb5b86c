"""The cover picture of a session: its pieces as hills one behind the other, calm ones lower, coloured by key."""

from __future__ import annotations

import colorsys

import numpy as np
import numpy.typing as npt

from sessions.records import Programme
from therapy_gen.errors import InputError
from therapy_gen.music.audio.files.png import png
from therapy_gen.music.tonality import parse_key

_SIZE = 480
_MOST_HILLS = 9
# Keys stand on the circle of fifths as colours do on theirs; C is blue.
_FIRST_HUE = 0.58


def cover_of(programme: Programme) -> bytes:
    """Return a PNG picture; the same pieces give the same one."""
    pieces = list({item.piece.id: item.piece for item in programme.items if item.piece}.values())[:_MOST_HILLS]
    hues = [_hue(piece.key) for piece in pieces] or [_FIRST_HUE]
    down = np.linspace(0.0, 1.0, _SIZE)[:, None, None]
    top, bottom = _colour(hues[0], 0.35, 0.30), _colour(hues[-1], 0.30, 0.92)
    picture = (top + (bottom - top) * down**0.8) * np.ones((1, _SIZE, 1))
    across = np.linspace(0.0, 1.0, _SIZE)
    for place, (piece, hue) in enumerate(zip(pieces, hues, strict=False)):
        share = (place + 1) / len(pieces)
        waves = np.random.RandomState(sum(piece.id.encode()) % 2**31)
        line = 0.38 + 0.5 * share
        for number in (1, 2, 3):
            height = (0.02 + 0.25 * (1.0 - (0.5 if piece.calm is None else piece.calm)) ** 0.7) / number
            line = line + height * np.sin(2 * np.pi * (number * across * waves.uniform(0.5, 1.1) + waves.uniform()))
        # A pixel's width of both at the edge.
        cover = np.clip((np.arange(_SIZE)[:, None] - line * _SIZE) + 0.5, 0, 1)[:, :, None]
        picture = picture * (1 - cover) + _colour(hue, 0.25 + 0.3 * share, 0.85 - 0.6 * share) * cover
    return png(np.rint(picture * 255).astype(np.uint8))


def _hue(key: str) -> float:
    try:
        tonic, mode = parse_key(key)
    except InputError:
        # Drums alone are in no key.
        return _FIRST_HUE
    if mode == "minor":
        tonic += 3
    return (_FIRST_HUE + tonic * 7 % 12 / 12) % 1.0


def _colour(hue: float, saturation: float, value: float) -> npt.NDArray[np.float64]:
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value))
