"""How pieces and silences fill the time: how many sections, how fast, how long the silences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from sessions.errors import PlanError
from sessions.planning.request import DEFAULT_TEMPO, SHORT_TEMPO, TEMPI, USUAL_GAP_S, DurationOf, SessionRequest
from therapy_gen.music.metre import METRES
from therapy_gen.music.tokens import BARS_PER_SECTION

# A session may be this much shorter or longer than asked for.
TOLERANCE = 0.05

# Seconds between two pieces: the span within which they absorb the remainder of a fit.
_GAPS_S = (6.0, 10.0)
# Where pieces cannot fill the time, silences grow up to this, and one may follow the last piece.
_LONGEST_GAP_S = 30.0
_LEAST_SILENCE_S = 1.0
_TEMPO_STEP = 0.1
# Halvings of the span in which the tempo is sought: finer than a step of it.
_BISECTIONS = 12
# With more pieces than this, only those of usual length are tried.
_FEW = 6
# Repeats serve to compare pieces: a single piece costs more than short ones.
_ALONE = 6.0
# Cost of plays that are longer or shorter than requested, for a relative difference of 1.
_OTHER_LENGTH = 30.0
# Cost of an arc that changes within pieces, which are equally calm throughout: for an RMS change of 1.
_COARSE = 100.0
# At how many points of each piece.
_POINTS = 6
_MOST_SECTIONS = 5
# Cost of tempi that differ too little, and the fall in beats a minute from which on that counts.
_LEVELLED, _FAR_DOWN = 8.0, 30.0
# Plays may be shorter than requested by this share.
_NEARLY = 0.1
_USUAL_SECTIONS = (3, 5)

# From a number of pieces to compose to their places in the music, 0 to 1.
PlacesOf = Callable[[int], Sequence[float]]


@dataclass(frozen=True)
class LayoutCost:
    """What makes a layout unusual.

    Attributes
    ----------
    tempo : float
        Tempi that are faster or slower than the arc wants, or too close to one another.
    sections : float
        Pieces with an unusual number of sections.
    play_length : float
        Plays that are longer or shorter than requested.
    silence : float
        Silences that had to grow, and time that is left over or missing.
    alone : float
        A single piece where several should be compared.
    coarse : float
        An arc that changes within pieces, which are equally calm throughout.
    """

    tempo: float
    sections: float
    play_length: float
    silence: float
    alone: float
    coarse: float

    @property
    def total(self) -> float:
        """The sum of all."""
        return self.tempo + self.play_length + self.sections + self.silence + self.alone + self.coarse


@dataclass(frozen=True)
class SessionLayout:
    """A layout that fills the time.

    Attributes
    ----------
    cost : LayoutCost
        A smaller total is a more usual layout.
    sections : tuple of int
        How many each piece has.
    tempi : tuple of float
    gap_s : float
        Silence between two plays.
    closing_s : float
        Silence after the last one, a baseline not counted.
    """

    cost: LayoutCost
    sections: tuple[int, ...]
    tempi: tuple[float, ...]
    gap_s: float
    closing_s: float


@dataclass(frozen=True)
class _Silences:
    """How the seconds that music leaves are spread over silences.

    `rest_s` is what does not fit into them (negative where time is missing), `grown_s` by how much they grew.
    """

    gap_s: float
    closing_s: float
    rest_s: float
    grown_s: float


def best_layout(
    request: SessionRequest,
    offset: float,
    duration_of: DurationOf,
    held: Sequence[float],
    new: int | None,
    places_of: PlacesOf,
) -> SessionLayout:
    """Return the most usual layout that fills the time.

    Parameters
    ----------
    request : SessionRequest
    offset : float
        0 to 1; decides which pieces get a section more than others.
    duration_of : callable
        Seconds that a piece of so many sections at a tempo lasts.
    held : sequence of float
        Seconds of each library piece that the session holds, too.
    new : int or None
        How many pieces are to be composed; None: as many as fit.
    places_of : callable
        From the number of composed pieces to their places in the music.

    Raises
    ------
    PlanError
        Where no timeline within `TOLERANCE` of the minutes exists.
    """
    requested_s = request.minutes * 60.0
    available = requested_s - 2.0 * request.baseline_s
    if not request.tempo_requested and request.tempo == DEFAULT_TEMPO and duration_of(1, request.tempo[1]) > available:
        request = replace(request, tempo=SHORT_TEMPO)
    search = _Search(request, offset, duration_of, held, available)
    search.check_possible()
    best: SessionLayout | None = None
    for count in range(1, search.most_pieces() + 1) if new is None else (new,):
        for total in search.totals(count, places_of, exactly=new is not None):
            layout = search.fit(count, total, places_of(count) if count else ())
            if layout is not None and (best is None or layout.cost.total < best.cost.total):
                best = layout
    if best is None:
        raise PlanError(
            f"no pieces between {request.tempo[0]:g} and {request.tempo[1]:g} BPM fill {request.minutes:g} minutes "
            f"{request.conditions}within {TOLERANCE:.0%}{_least(request)}; give a wider `tempo` or other minutes"
        )
    return best


@dataclass(frozen=True)
class _Search:
    """The search for pieces and silences that fill the seconds `available`; attributes as of `best_layout`."""

    request: SessionRequest
    offset: float
    duration_of: DurationOf
    held: Sequence[float]
    available: float

    @property
    def _shortest(self) -> float:
        return max(self.duration_of(1, self.request.tempo[1]), self.request.least_play_s)

    @property
    def _usual_gap(self) -> float:
        return USUAL_GAP_S if self.request.fixed_gap_s is None else self.request.fixed_gap_s

    def check_possible(self) -> None:
        """Raise PlanError where not even the shortest pieces fit, or no play is as long as asked for."""
        request = self.request
        least_gap = _GAPS_S[0] if request.fixed_gap_s is None else request.fixed_gap_s
        needed = self._shortest * request.repeats + least_gap * (request.repeats - 1)
        if not self.held and self.available + TOLERANCE * request.minutes * 60.0 < needed:
            raise PlanError(
                f"minutes {request.minutes:g} {request.conditions}leave {max(self.available, 0.0):.0f} s for music, "
                f"too little at up to {request.tempo[1]:g} BPM{_least(request)}; "
                f"give {_remedies(request)}"
            )
        longest = self.duration_of(_MOST_SECTIONS, request.tempo[0])
        if request.play_s is not None and request.play_s > longest * (1.0 + _NEARLY):
            raise PlanError(
                f"play length {request.play_s:g} is out of reach: pieces have at most {_MOST_SECTIONS} sections, "
                f"{longest:.0f} s at {request.tempo[0]:g} BPM; give a shorter `play_length` or a slower `tempo`"
            )

    def most_pieces(self) -> int:
        """Return how many pieces fit at most."""
        slot = self._shortest + self._usual_gap
        return max(1, math.ceil((self.available + self._usual_gap) / (self.request.repeats * slot)))

    def totals(self, count: int, places_of: PlacesOf, *, exactly: bool) -> Sequence[int]:
        """Return the total numbers of sections worth trying for `count` pieces to be composed.

        Without `exactly`, only numbers that give pieces of usual length are tried.
        """
        request = self.request
        if count == 0:
            return (0,)
        # New pieces are spread over the whole; beside held ones, where those leave room.
        spread = [(point + 0.5) / _POINTS for point in range(_POINTS)]
        middle = _mean_tempo(request, places_of(count) if self.held else spread)
        bars_at_1_bpm = 60.0 * BARS_PER_SECTION * METRES[request.metre].quarters
        tail = max(self.duration_of(1, middle) - bars_at_1_bpm / middle, 0.0)
        free = self.available - request.repeats * (sum(self.held) + self._usual_gap * len(self.held))
        slot = (free + self._usual_gap) / (request.repeats * count) - self._usual_gap - tail
        guess = count * slot * middle / bars_at_1_bpm
        usual = _USUAL_SECTIONS[0] - 1 <= guess / count <= _USUAL_SECTIONS[1]
        if count > _FEW and not usual and request.play_s is None:
            return ()
        totals: Sequence[int] = range(math.floor(guess) - 1, math.ceil(guess) + 2)
        if request.play_s is not None:
            # Plays of one length have equally many sections.
            totals = [count * sections for sections in range(1, _MOST_SECTIONS + 1)]
        if exactly:
            totals = sorted({min(max(total, count), count * _MOST_SECTIONS) for total in totals})
        return [total for total in totals if count <= total <= count * _MOST_SECTIONS]

    def fit(self, count: int, total: int, places: Sequence[float]) -> SessionLayout | None:
        """Fit `count` pieces of `total` sections, and held ones, into the time; None where that cannot be."""
        request = self.request
        edges = [math.floor(index * total / max(count, 1) + self.offset) for index in range(count + 1)]
        sections = tuple(after - before for before, after in pairwise(edges))
        plays = (count + len(self.held)) * request.repeats
        low, high = request.tempo
        usual = [request.tempo_share(place) for place in places]

        def tempi(shift: float) -> tuple[float, ...]:
            shares = (min(max(share + shift, 0.0), 1.0) for share in usual)
            return tuple(_on_grid(low + (high - low) * share, low, high) for share in shares)

        def music(at: tuple[float, ...]) -> float:
            return request.repeats * (sum(self.held) + sum(map(self.duration_of, sections, at)))

        target = self.available - (plays - 1) * self._usual_gap
        slow, fast = -1.0, 1.0
        for _ in range(_BISECTIONS):
            shift = (slow + fast) / 2.0
            if music(tempi(shift)) > target:
                slow = shift
            else:
                fast = shift
        # The better edge of the last step; silences take what is left.
        chosen = min((tempi(slow), tempi(fast)), key=lambda at: abs(music(at) - target))
        silences = _silences(request, self.available - music(chosen), plays - 1)
        lengths = [*self.held, *map(self.duration_of, sections, chosen)]
        too_short = any(length < request.least_play_s for length in lengths)
        if too_short or abs(silences.rest_s) > (TOLERANCE - 0.002) * request.minutes * 60.0:
            return None
        fall_lost = _fall_lost(tempi(0.0), chosen)
        cost = self._cost(sections, lengths, slow, fall_lost, silences)
        return SessionLayout(cost, sections, chosen, silences.gap_s, silences.closing_s)

    def _cost(
        self, sections: Sequence[int], lengths: Sequence[float], shift: float, fall_lost: float, silences: _Silences
    ) -> LayoutCost:
        """Weigh a layout: tempi `shift`ed from where the arc wants them, plays of these lengths."""
        request = self.request
        count, pieces = len(sections), len(lengths)
        tempo = of_sections = play_length = coarse = 0.0
        if request.play_s is not None:
            tempo = abs(shift)
            away = sum(abs(length / request.play_s - 1.0) for length in lengths)
            play_length = _OTHER_LENGTH * away / pieces
        elif count:
            tempo = abs(shift) + _LEVELLED * fall_lost
            unusual = sum(max(_USUAL_SECTIONS[0] - n, n - _USUAL_SECTIONS[1], 0) for n in sections)
            of_sections = 0.3 * abs(sum(sections) / count - sum(_USUAL_SECTIONS) / 2.0) + 2.0 * unusual / count
        if request.repeats == 1 and count:
            coarse = _COARSE * _change_within(request, pieces)
        return LayoutCost(
            tempo=tempo,
            sections=of_sections,
            play_length=play_length,
            silence=max(silences.grown_s, 0.0) / USUAL_GAP_S / (pieces * request.repeats)
            + 40.0 * abs(silences.rest_s) / (request.minutes * 60.0),
            alone=_ALONE if request.repeats > 1 and pieces == 1 else 0.0,
            coarse=coarse,
        )


def _mean_tempo(request: SessionRequest, places: Sequence[float]) -> float:
    """Return about the mean tempo that the arc asks for at these places."""
    shares = [request.tempo_share(place) for place in places]
    return request.tempo[0] + (request.tempo[1] - request.tempo[0]) * sum(shares) / len(shares)


def _change_within(request: SessionRequest, pieces: int) -> float:
    """Return how much the target changes within pieces of equal length: RMS distance from each piece's mean."""
    moments = ((np.arange(pieces * _POINTS) + 0.5) / (pieces * _POINTS)).tolist()
    targets = np.array([request.target.at(moment) for moment in moments])
    return float(np.sqrt(targets.reshape(pieces, _POINTS).var(axis=1).mean()))


def _remedies(request: SessionRequest) -> str:
    """Return words for what would leave more time for music, or need less."""
    remedies = ["more minutes"]
    remedies += ["a faster `tempo`"] if request.tempo[1] < TEMPI[1] else []
    remedies += ["less baseline"] if request.baseline_s else []
    remedies += ["fewer repeats"] if request.repeats > 1 else []
    return remedies[0] if len(remedies) == 1 else f"{', '.join(remedies[:-1])} or {remedies[-1]}"


def _least(request: SessionRequest) -> str:
    return f" in plays of at least {request.least_play_s:g} s" if request.least_play_s else ""


def _fall_lost(wanted: Sequence[float], chosen: Sequence[float]) -> float:
    """Return how much smaller than half of the wanted one a large fall in tempo is, as a share of it."""
    if not wanted:
        return 0.0
    fall = max(wanted) - min(wanted)
    return max(0.5 - (max(chosen) - min(chosen)) / fall, 0.0) if fall > _FAR_DOWN else 0.0


def _silences(request: SessionRequest, rest: float, gaps: int) -> _Silences:
    """Spread the seconds that music leaves over."""
    if request.fixed_gap_s is not None:
        rest -= gaps * request.fixed_gap_s
        # Less than a second makes no silence of its own, but lengthens the baseline.
        closing = min(max(rest, 0.0), _LONGEST_GAP_S) if rest >= _LEAST_SILENCE_S or request.baseline_s else 0.0
        return _Silences(request.fixed_gap_s, closing, rest - closing, closing)
    gap = min(max(rest / gaps, _GAPS_S[0]), _GAPS_S[1]) if gaps else 0.0
    rest -= gaps * gap
    stretch = min(rest, (gaps + 1) * _LONGEST_GAP_S - gaps * gap)
    closing = 0.0
    if stretch > 1.0:
        # Too little music: silence is added equally after each piece, the last one included.
        closing = min(stretch / (gaps + 1), _LONGEST_GAP_S)
        if gaps:
            gap = min(gap + (stretch - closing) / gaps, _LONGEST_GAP_S)
        rest -= stretch
    return _Silences(gap, closing, rest, stretch)


def _on_grid(tempo: float, low: float, high: float) -> float:
    return min(max(round(round(tempo / _TEMPO_STEP) * _TEMPO_STEP, 1), low), high)
