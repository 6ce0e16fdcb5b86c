"""Related keys in succession: steps on the circle of fifths, between the keys of pieces of the library."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from therapy_gen.errors import InputError
from therapy_gen.music.tonality import parse_key

if TYPE_CHECKING:
    import numpy as np

_FIFTHS = 12
# The share of new pieces that are in minor: of calm real music in 4/4 a third is. A session ends in major.
_MINOR = 0.3


def fifths_of(tonic: int, mode: str) -> int:
    """Return where a key stands on the circle of fifths, 0 to 11; a minor key as its relative major."""
    return 7 * (tonic + (3 if mode == "minor" else 0)) % _FIFTHS


def fifths_between(first: tuple[int, str], second: tuple[int, str]) -> int:
    """Return how many fifths lie between two keys, 0 to 6."""
    apart = (fifths_of(*second) - fifths_of(*first)) % _FIFTHS
    return min(apart, _FIFTHS - apart)


def related_keys(slots: Sequence[str | None], rng: np.random.Generator) -> list[tuple[int, str]]:
    """Return tonic and mode for every slot of a session.

    Parameters
    ----------
    slots : sequence of (str or None)
        The name of a library piece's key; None where one is chosen: a fifth or a fourth from its neighbour, and between
        two library pieces on the shorter way from one to the other. Some are in minor: a minor key counts as its
        relative major.
    rng : Generator
    """
    keys = [parsed(slot) for slot in slots]
    known = [place for place, key in enumerate(keys) if key is not None]
    fifths = [0 if key is None else fifths_of(*key) for key in keys]
    if not known:
        fifths[0] = int(rng.integers(_FIFTHS))
        known = [0]
    for place in range(known[0] - 1, -1, -1):
        fifths[place] = fifths[place + 1] + _step(rng)
    for first, last in pairwise(known):
        steps = last - first
        apart = (fifths[last] - fifths[first] + _FIFTHS // 2) % _FIFTHS - _FIFTHS // 2
        for place in range(first + 1, last):
            fifths[place] = fifths[first] + round(apart * (place - first) / steps)
    for place in range(known[-1] + 1, len(slots)):
        fifths[place] = fifths[place - 1] + _step(rng)
    minor = rng.random(len(slots)) < _MINOR
    minor[-1] = False
    return [
        key or ((7 * place - 3) % 12 if is_minor else 7 * place % 12, "minor" if is_minor else "major")
        for key, place, is_minor in zip(keys, fifths, minor.tolist(), strict=True)
    ]


def _step(rng: np.random.Generator) -> int:
    return (1, -1)[int(rng.integers(2))]


def parsed(name: str | None) -> tuple[int, str] | None:
    """Return tonic and mode of a key by its name; None where it is not a key."""
    if name is None:
        return None
    try:
        return parse_key(name)
    except InputError:
        return None
