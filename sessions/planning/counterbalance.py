"""Orders in which pieces are played several times: rounds that are rows of a Williams design.

A Williams design (Williams 1949, Australian Journal of Scientific Research A 2, 149) is a set of orders in which every
piece stands equally often at every place, and equally often right after every other piece: over the whole design a
drift (fatigue, drying electrodes) favours none, nor does carry-over from the piece before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise

import numpy as np

# How many orders of a session's rounds are tried.
_ORDERS_TRIED = 50


@dataclass(frozen=True)
class Design:
    """What a listener has heard of a design.

    Attributes
    ----------
    pieces : tuple of str
        Ids of the pieces; the design's rows count them from 0.
    used : tuple of int
        Rows heard so far.
    """

    pieces: tuple[str, ...]
    used: tuple[int, ...]


@cache
def williams(pieces: int) -> tuple[tuple[int, ...], ...]:
    """Return the rows of a Williams design: one square of `pieces` rows, or, for an odd number, that and its mirror.

    In a square the first row goes 0, 1, n-1, 2, n-2 and so on, and each further one counts one more (modulo n).
    """
    first = [0]
    low, high = 1, pieces - 1
    while low <= high:
        first.append(low)
        if high > low:
            first.append(high)
        low, high = low + 1, high - 1
    square = tuple(tuple((piece + row) % pieces for piece in first) for row in range(pieces))
    return square if pieces % 2 == 0 or pieces == 1 else (*square, *(row[::-1] for row in square))


def rounds_of(pieces: int, repeats: int, used: Sequence[int], rng: np.random.Generator) -> tuple[int, ...]:
    """Return the rows of the design that a session's rounds follow.

    Least used rows come first; among them, those that even out the pieces' mean places within the session: rows come in
    mirrored pairs, so with an even number of rounds all pieces have the same mean place. The order of the rounds is
    random, but where possible no piece ends one round and begins the next.

    Parameters
    ----------
    pieces, repeats : int
    used : sequence of int
        Rows in the listener's earlier sessions with these pieces.
    rng : Generator
    """
    rows = williams(pieces)
    places = np.array([np.argsort(row) for row in rows], dtype=np.int64)
    uses = Counter(used)
    sums = np.zeros(pieces, dtype=np.int64)
    chosen: list[int] = []
    while len(chosen) < repeats:
        missing = repeats - len(chosen)
        least = min(uses[row] for row in range(len(rows)))
        free = [row for row in range(len(rows)) if uses[row] == least]
        block = _evening(places, free, min(missing, len(free)), sums, rng)
        for row in block:
            uses[row] += 1
            sums += places[row]
        chosen += block
    return _without_repeats(rows, chosen, rng)


def _evening(
    places: np.ndarray, free: Sequence[int], missing: int, sums: np.ndarray, rng: np.random.Generator
) -> list[int]:
    """Choose two of the free rows, or three where an odd number is missing, which even out the sums of places."""
    order: list[int] = rng.permutation(free).tolist()
    size = min(missing, 3 if missing % 2 else 2)
    if len(order) <= size:
        return order
    # With nothing chosen yet all first rows are alike.
    starts = order if sums.any() else order[:1]
    choices = [(first, *rest) for first in starts for rest in combinations([r for r in order if r != first], size - 1)]
    return list(min(choices, key=lambda rows: float(np.var(sums + places[list(rows)].sum(axis=0)))))


def _without_repeats(rows: Sequence[Sequence[int]], chosen: Sequence[int], rng: np.random.Generator) -> tuple[int, ...]:
    orders = [rng.permutation(chosen).tolist() for _ in range(_ORDERS_TRIED if len(chosen) > 2 else 1)]
    return tuple(min(orders, key=lambda order: sum(rows[a][-1] == rows[b][0] for a, b in pairwise(order))))
