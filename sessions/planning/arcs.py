"""Arcs: how calm a session is to be over time, and how near its pieces come to that.

A new arc is an entry of `ARCS`: the request, the command line's help, its completion and the reference read it there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sessions.errors import PlanError
from sessions.planning.calm_levels import LEAST_CALM, MOST_CALM

START = (0.0, 1.0)
# An iso arc has come down by then, as a share of the music; the rest is as calm as it gets.
_DOWN_BY = 0.85
# How finely a curve is kept and compared.
_POINTS = 25
_COMPARED = 400

# Pairs of seconds and calmness score, by time.
Curve = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Arc:
    """A kind of curve.

    Attributes
    ----------
    about : str
        In a few words, for the command line's help.
    start, end : float
        The calmness score at its start, unless another is asked for, and at its end.
    shape : callable
        The share of the way from start to end that is done at a place in the music, 0 (its start) to 1.
    fade : float
        The share of the session, from its end, over which its sound dies away.
    """

    about: str
    start: float
    end: float
    shape: Callable[[float], float]
    fade: float = 0.0


def _evenly(place: float) -> float:
    return place


def _level(place: float) -> float:
    return 0.0


def _down_late(place: float) -> float:
    # A third of the way over three quarters of the time, the rest over the last.
    return place * 4 / 9 if place < 0.75 else 1 / 3 + (place - 0.75) * 8 / 3


def _down_early(place: float) -> float:
    return 0.5 * (1.0 - math.cos(math.pi * min(place / _DOWN_BY, 1.0)))


# No study found an iso arc better than others (10.1177/10298649261421187, N = 193), so none is recommended.
ARCS: dict[str, Arc] = {
    "calm": Arc("calmer and calmer", 0.96, 0.974, _evenly),
    "iso": Arc("from less calm to calm", 0.6, 0.972, _down_early),
    "sleep": Arc("slower, sparser and softer, down to nothing over its last quarter", 0.95, 0.978, _down_late, 0.25),
    "flat": Arc("the same throughout", 0.97, 0.97, _level),
}


@dataclass(frozen=True)
class TargetCurve:
    """An arc with its start: the calmness it asks for at every place in the music.

    Attributes
    ----------
    start, end : float
        Calmness scores. It never becomes less calm: for a listener who is calmer than its end, it is level.
    shape : callable
        As of `Arc`.
    """

    start: float
    end: float
    shape: Callable[[float], float]

    @classmethod
    def of(cls, arc: str, arousal: float | None = None) -> TargetCurve:
        """Bind an arc.

        Parameters
        ----------
        arc : str
            One of `ARCS`.
        arousal : float or None
            The listener's arousal, 0 (calm) to 1: the score begins at ``1 - arousal``, as far as calm music goes.

        Raises
        ------
        PlanError
            Where the arc is not known or the arousal is out of range.

        Examples
        --------
        >>> TargetCurve.of("calm").at(0.5)
        0.967
        """
        if arc not in ARCS:
            raise PlanError(f"arc {arc!r} is not known; give one of: {', '.join(ARCS)}")
        kind = ARCS[arc]
        start = kind.start
        if arousal is not None:
            if not START[0] <= arousal <= START[1]:
                raise PlanError(f"arousal {arousal:g} is out of range; give 0 (calm) to 1 (aroused)")
            start = min(max(1.0 - arousal, LEAST_CALM), MOST_CALM)
        return cls(start, max(start, kind.end), kind.shape)

    def at(self, place: float) -> float:
        """Return the calmness score at a place in the music, 0 (its start) to 1 (its end)."""
        return self.start + (self.end - self.start) * self.shape(place)

    def between(self, onset_s: float, end_s: float) -> Curve:
        """Return it over music from `onset_s` to `end_s`, as pairs of seconds and calmness score."""
        places = [n / (_POINTS - 1) for n in range(_POINTS)]
        return tuple((round(onset_s + place * (end_s - onset_s), 3), round(self.at(place), 4)) for place in places)


def mean_over(curve: Curve, onset_s: float, end_s: float) -> float:
    """Return the mean of a curve over a stretch of time."""
    count = 50
    return sum(value_at(curve, onset_s + (n + 0.5) / count * (end_s - onset_s)) for n in range(count)) / count


def value_at(curve: Curve, seconds: float) -> float:
    """Return a curve's value at a moment by linear interpolation; beyond its ends, the nearest point's."""
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
