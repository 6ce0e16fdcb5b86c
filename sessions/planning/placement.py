"""Places of library pieces in a session: where they match its arc and lie near their neighbours' keys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from sessions.planning.keys import fifths_between, parsed
from sessions.planning.request import USUAL_GAP_S, SessionRequest

if TYPE_CHECKING:
    from sessions.records import PieceRecord

# A placement costs 1 for each of these: this RMS distance from the arc; a key this many fifths too far from its
# neighbour's for the new pieces between them to lead there; a melody this many semitones too far.
_AWAY, _FIFTHS, _SEMITONES = 0.02, 2.0, 4.0
# How much higher or lower a melody may lie than its neighbour's at no cost.
_NEAR = 2.0
# Shortest length assumed for a new piece, in seconds, however little time is left.
_SHORTEST = 40.0
# Places are exchanged in so many rounds at most; in long sessions only between near places, so many in all.
_ROUNDS, _EXCHANGES = 4, 400
# At how many places the arc is sampled.
_LOOKS = 240


@dataclass(frozen=True)
class HeldPiece:
    """A piece of the library that a session holds."""

    id: str
    duration_s: float
    calm: float | None
    key: str
    register: float | None = None

    @classmethod
    def of(cls, piece: PieceRecord) -> HeldPiece:
        """Return a piece of the library as a plan sees it."""
        return cls(piece.id, piece.duration_s, piece.calm, piece.key, piece.register)


Placement = list[HeldPiece | None]


def place_held(request: SessionRequest, count: int, held: Sequence[HeldPiece]) -> list[int]:
    """Return which of `count` places of a session each held piece takes."""
    line: Placement = [None] * count
    for n, piece in enumerate(held):
        # Spread evenly.
        line[math.floor((n + 0.5) * count / len(held))] = piece
    if held and request.repeats == 1:
        line = _exchanged(_Arc(request), line)
    return [next(slot for slot, piece in enumerate(line) if piece is one) for one in held]


def places_of_new(request: SessionRequest, count: int, held: Sequence[HeldPiece], slots: Sequence[int]) -> list[float]:
    """Return the places in the music, 0 to 1, of the new ones of `count` pieces; `slots` are those of held ones."""
    line: Placement = [None] * count
    for slot, piece in zip(slots, held, strict=True):
        line[slot] = piece
    if request.repeats > 1 or not held:
        return [(slot + 0.5) / count for slot, piece in enumerate(line) if piece is None]
    return [(a + b) / 2.0 for (a, b), piece in zip(_Arc(request).spans(line), line, strict=True) if piece is None]


class _Arc:
    """An arc's targets, and the cost of a sequence of pieces on it."""

    def __init__(self, request: SessionRequest) -> None:
        self._music_s = request.minutes * 60.0 - 2.0 * request.baseline_s
        targets = [request.target.at((n + 0.5) / _LOOKS) for n in range(_LOOKS)]
        self.level = targets[0] == targets[-1]
        self._sums = [0.0, *accumulate(targets)]
        self._squares = [0.0, *accumulate(target * target for target in targets)]

    def spans(self, line: Placement) -> list[tuple[float, float]]:
        """Return about when each piece begins and ends, as shares of the music; new ones divide what is left."""
        held = sum(piece.duration_s for piece in line if piece is not None)
        new = sum(piece is None for piece in line)
        gaps = USUAL_GAP_S * (len(line) - 1)
        usual = max((self._music_s - gaps - held) / new, _SHORTEST) if new else 0.0
        total = held + new * usual + gaps
        spans = []
        at = 0.0
        for piece in line:
            lasts = usual if piece is None else piece.duration_s
            spans.append((at / total, (at + lasts) / total))
            at += lasts + USUAL_GAP_S
        return spans

    def cost(self, line: Placement) -> float:
        """Return the cost of a sequence; see the constants above."""
        away = 0.0
        for (begin, end), piece in zip(self.spans(line), line, strict=True):
            if piece is not None and piece.calm is not None:
                away += (end - begin) * self._distance(piece.calm, begin, end)
        cost = away / _AWAY**2
        there = [(slot, piece) for slot, piece in enumerate(line) if piece is not None]
        for (slot, one), (following, two) in pairwise(there):
            steps = following - slot
            first, second = parsed(one.key), parsed(two.key)
            if first is not None and second is not None:
                cost += (max(fifths_between(first, second) - steps, 0) / _FIFTHS) ** 2
            if one.register is not None and two.register is not None:
                cost += (max(abs(two.register - one.register) - _NEAR * steps, 0.0) / _SEMITONES) ** 2
        return cost

    def _distance(self, calm: float, begin: float, end: float) -> float:
        """Return the mean squared distance of a score from the arc over a span."""
        first = min(int(begin * _LOOKS), _LOOKS - 1)
        last = max(min(round(end * _LOOKS), _LOOKS), first + 1)
        looks = last - first
        total, squares = self._sums[last] - self._sums[first], self._squares[last] - self._squares[first]
        return calm * calm - 2.0 * calm * total / looks + squares / looks


def _calm(piece: HeldPiece) -> float:
    """Return a piece's calmness; a recorded piece, which has none, goes between the others."""
    return 0.5 if piece.calm is None else piece.calm


def _exchanged(arc: _Arc, line: Placement) -> Placement:
    """Exchange places as long as that reduces the cost."""
    if not arc.level:
        # To begin with, in order of calmness.
        taken = [slot for slot, piece in enumerate(line) if piece is not None]
        by_calm = sorted((piece for piece in line if piece is not None), key=lambda piece: (_calm(piece), piece.id))
        for slot, piece in zip(taken, by_calm, strict=True):
            line[slot] = piece
    least = arc.cost(line)
    reach = min(len(line) - 1, max(_EXCHANGES // len(line), 1))
    for _ in range(_ROUNDS):
        before = least
        for slot in range(len(line)):
            for other in range(slot + 1, min(slot + reach, len(line) - 1) + 1):
                one, two = line[slot], line[other]
                # On a level arc held pieces stay spread among new ones.
                if (one is None and two is None) or (arc.level and (one is None or two is None)):
                    continue
                line[slot], line[other] = two, one
                cost = arc.cost(line)
                if cost < least - 1e-9:
                    least = cost
                else:
                    line[slot], line[other] = one, two
        if least == before:
            break
    return line
