"""Arcs: how calm a session is to be over time, and how near its pieces come to that."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sessions.errors import PlanError

START = (0.0, 1.0)
# The calmness score of music that an arc can ask for. Below it would be another kind of music; above it, notes become
# so few that nothing is left to tell pieces apart by.
LEAST_CALM, MOST_CALM = 0.5, 0.978
# An iso arc has come down by then, as a share of the music; the rest is as calm as it gets.
_DOWN_BY = 0.85
# How finely a curve is kept and compared.
_POINTS = 25
_COMPARED = 400


@dataclass(frozen=True)
class Arc:
    """A kind of curve: the calmness score at its start, unless another is asked for, and at its end."""

    start: float
    end: float


# That an iso arc does better than another has not been found (10.1177/10298649261421187, N = 193): all are offered,
# none is praised.
ARCS: Mapping[str, Arc] = MappingProxyType({"calm": Arc(0.96, 0.974), "iso": Arc(0.6, 0.972), "flat": Arc(0.97, 0.97)})

Curve = tuple[tuple[float, float], ...]


def start_calm(arc: str, arousal: float | None) -> float:
    """Return the calmness score that an arc begins with.

    Parameters
    ----------
    arc : str
        One of `ARCS`.
    arousal : float or None
        Where the listener is, 0 (calm) to 1: the score is to begin at ``1 - arousal``, as far as calm music goes.

    Raises
    ------
    PlanError
        Where arc or arousal is not one.
    """
    if arc not in ARCS:
        raise PlanError(f"arc {arc!r} is not known; give one of: {', '.join(ARCS)}")
    if arousal is None:
        return ARCS[arc].start
    if not START[0] <= arousal <= START[1]:
        raise PlanError(f"from {arousal:g} is out of range; give 0 (calm) to 1 (aroused)")
    return min(max(1.0 - arousal, LEAST_CALM), MOST_CALM)


def target_at(arc: str, arousal: float | None, place: float) -> float:
    """Return the calmness score that an arc asks for at a place in the music, 0 (its start) to 1 (its end)."""
    start, end = start_calm(arc, arousal), ARCS[arc].end
    if arc == "flat":
        return start
    # It never leads up: who begins calmer than the end stays there.
    end = max(start, end)
    if arc == "calm":
        return start + (end - start) * place
    return start + (end - start) * 0.5 * (1.0 - math.cos(math.pi * min(place / _DOWN_BY, 1.0)))


def target_curve(arc: str, arousal: float | None, onset_s: float, end_s: float) -> Curve:
    """Return what an arc asks for over music from `onset_s` to `end_s`, as pairs of seconds and calmness score."""
    places = [n / (_POINTS - 1) for n in range(_POINTS)]
    return tuple(
        (round(onset_s + place * (end_s - onset_s), 3), round(target_at(arc, arousal, place), 4)) for place in places
    )


def mean_over(curve: Curve, onset_s: float, end_s: float) -> float:
    """Return the mean of a curve over a stretch of time."""
    count = 50
    return sum(value_at(curve, onset_s + (n + 0.5) / count * (end_s - onset_s)) for n in range(count)) / count


def value_at(curve: Curve, seconds: float) -> float:
    """Return a curve's value at a moment, between its points by straight lines, beyond them as at the nearest."""
    before = curve[0]
    for point in curve:
        if point[0] >= seconds:
            width = point[0] - before[0]
            share = (seconds - before[0]) / width if width > 0 else 1.0
            return before[1] + (point[1] - before[1]) * max(share, 0.0)
        before = point
    return before[1]


def rms(target: Curve, achieved: Sequence[tuple[float, float, float]]) -> float:
    """Return the root mean square distance of pieces from a curve, over the time that they sound.

    Parameters
    ----------
    target : Curve
    achieved : sequence of (float, float, float)
        Onset and end in seconds, and calmness score, of each piece.
    """
    total = weight = 0.0
    for onset, end, calm in achieved:
        step = (end - onset) / _COMPARED
        for n in range(_COMPARED):
            total += step * (calm - value_at(target, onset + (n + 0.5) * step)) ** 2
        weight += end - onset
    return math.sqrt(total / weight) if weight else 0.0
