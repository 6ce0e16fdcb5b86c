"""The timeline of a session: which pieces, how long, how fast, and the silences between, before any note is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np

from sessions.arcs import ARCS, start_calm
from sessions.errors import PlanError
from sessions.orders import counterbalanced
from sessions.tables import MUSIC, SILENCE
from therapy_gen.music.tonality import parse_key

# 24 minutes did about as well as 36, both better than 12 (Mullen & Russo, PLOS Mental Health, n = 144).
DEFAULT_MINUTES = 24.0
MINUTES = (1.0, 180.0)
# Slower than the 60 to 80 BPM of convention: note density and arousal go together (Bernardi 2006, Heart 92:445).
DEFAULT_TEMPO = (54.0, 72.0)
TEMPI = (30.0, 120.0)
# Where nobody asked for a tempo, a session of hardly more than a minute may hold a piece this fast.
SHORT_TEMPO = (54.0, 80.0)
BASELINE_S = (0.0, 1800.0)
REPEATS = (1, 20)
DENSITIES = (1.0, 32.0)
SPANS = (3.0, 36.0)
# A session may be this much shorter or longer than asked for.
TOLERANCE = 0.05

# Seconds between two pieces: usual, and the span within which they absorb the remainder of a fit.
_GAP_S = 8.0
_GAPS_S = (6.0, 10.0)
# Where pieces cannot fill the time, silences grow up to this, and one may follow the last piece.
_LONGEST_GAP_S = 30.0
_TEMPO_STEP = 0.1
# Halvings of the span in which the tempo is sought: finer than a step of it.
_BISECTIONS = 12
# With more pieces than this, only those of usual length are tried.
_FEW = 6
# Pieces are repeated to be compared: a single one costs more than short ones.
_ALONE = 6.0
_BARS_S_AT_1_BPM = 16 * 4 * 60.0

# Tempo over the session as a share of the tempo range, at its start and at its end.
_TEMPO_SHARES = {"calm": (0.5, 0.25), "iso": (1.0, 0.0), "flat": (0.4, 0.4)}
# Where nobody asked for a tempo, an arc that begins less calm may begin faster: this much for all of calmness.
_FASTER_BY = 134.0

# Sections of 16 bars: a letter is a thought, a prime a variation of it.
FORMS: dict[int, tuple[tuple[str, ...], ...]] = {
    1: (("A",),),
    2: (("A", "A'"), ("A", "B")),
    3: (("A", "B", "A"), ("A", "A'", "A"), ("A", "A'", "B")),
    4: (("A", "A'", "B", "A"), ("A", "B", "A'", "A"), ("A", "A'", "B", "A'")),
    5: (("A", "A'", "B", "A'", "A"), ("A", "A'", "B", "B'", "A"), ("A", "B", "A'", "C", "A")),
}
_USUAL_SECTIONS = (3, 5)

DurationOf = Callable[[int, float], float]


@dataclass(frozen=True)
class SessionRequest:
    """What a session is asked to be.

    Attributes
    ----------
    minutes : float
    arc : str
        One of `sessions.arcs.ARCS`.
    arousal : float or None
        Where the listener is when it begins, 0 (calm) to 1; None leaves that to the arc.
    tempo : (float, float)
        Slowest and fastest, in quarter notes a minute.
    key : str or None
        Such as ``"Am"``; None chooses a major key for each piece, near that of its neighbour.
    baseline_s : float
        Silence before and after the music, in seconds.
    repeats : int
        How often each piece is played.
    density : (float, float) or None
        Fewest and most notes a bar, of all voices together.
    span : (float, float) or None
        Smallest and largest range of the melody, in semitones.

    Raises
    ------
    PlanError
        Where a value is out of its range.
    """

    minutes: float = DEFAULT_MINUTES
    arc: str = "calm"
    tempo: tuple[float, float] = DEFAULT_TEMPO
    key: str | None = None
    baseline_s: float = 0.0
    repeats: int = 1
    density: tuple[float, float] | None = None
    span: tuple[float, float] | None = None
    arousal: float | None = None

    def __post_init__(self) -> None:
        _check("minutes", self.minutes, MINUTES)
        start_calm(self.arc, self.arousal)
        for value in self.tempo:
            _check("tempo", value, TEMPI, " BPM")
        if self.tempo[0] > self.tempo[1]:
            raise PlanError(f"tempo {self.tempo[0]:g}:{self.tempo[1]:g} is upside down; give the slower one first")
        _check("baseline", self.baseline_s, BASELINE_S, " seconds")
        _check("repeats", self.repeats, REPEATS)
        for name, pair, limits, unit in (
            ("density", self.density, DENSITIES, " notes a bar"),
            ("range", self.span, SPANS, " semitones"),
        ):
            for value in pair or ():
                _check(name, value, limits, unit)
            if pair is not None and pair[0] > pair[1]:
                raise PlanError(f"{name} {pair[0]:g} to {pair[1]:g} is upside down; give the smaller one first")
        if self.key is not None:
            parse_key(self.key)

    @property
    def attributes(self) -> dict[str, tuple[float, float]]:
        """The attributes of the music that are asked for, by their names in the model."""
        asked = {"density": self.density, "range": self.span}
        return {name: pair for name, pair in asked.items() if pair is not None}


def _check(name: str, value: float, limits: tuple[float, float], unit: str = "") -> None:
    low, high = limits
    if not low <= value <= high:
        raise PlanError(f"{name} {value:g} is out of range; give {low:g} to {high:g}{unit}")


def usual_tempo(arc: str, arousal: float | None = None) -> tuple[float, float]:
    """Return the slowest and the fastest tempo of an arc where nobody asks for one."""
    low, high = DEFAULT_TEMPO
    faster = _FASTER_BY * max(ARCS["calm"].start - start_calm(arc, arousal), 0.0)
    return low, min(high + round(faster), TEMPI[1])


@dataclass(frozen=True)
class PlannedPiece:
    """A piece to be composed."""

    form: tuple[str, ...]
    tempo: float
    tonic: int
    mode: str


@dataclass(frozen=True)
class HeldPiece:
    """A piece of the library that is to be heard again."""

    id: str
    duration_s: float
    tempo: float


@dataclass(frozen=True)
class PlannedItem:
    """A stretch of the timeline; `piece` counts the plan's pieces, None for silence."""

    role: str
    piece: int | None
    onset_s: float
    duration_s: float


@dataclass(frozen=True)
class Plan:
    """A timeline without gaps or overlaps, in whole milliseconds from 0 to `duration_s`."""

    pieces: tuple[PlannedPiece | HeldPiece, ...]
    items: tuple[PlannedItem, ...]

    def composed(self) -> list[PlannedPiece]:
        """Return the pieces that are to be composed."""
        return [piece for piece in self.pieces if isinstance(piece, PlannedPiece)]

    @property
    def duration_s(self) -> float:
        """Length of the whole session in seconds."""
        last = self.items[-1]
        return round(last.onset_s + last.duration_s, 3)


@dataclass(frozen=True)
class _Layout:
    """One way to fill the time."""

    cost: float
    sections: tuple[int, ...]
    tempi: tuple[float, ...]
    gap_s: float
    closing_s: float


def plan_session(
    request: SessionRequest,
    rng: np.random.Generator,
    duration_of: DurationOf,
    *,
    held: Sequence[HeldPiece] = (),
    new: int | None = None,
) -> Plan:
    """Lay out a session.

    Parameters
    ----------
    request : SessionRequest
    rng : Generator
        Decides forms, keys and orders.
    duration_of : callable
        Seconds that a piece of so many sections at a tempo lasts, its ending included; falls with the tempo.
    held : sequence of HeldPiece
        Pieces of the library that it holds, too; where the arc leads down, they find their places by their tempi.
    new : int, optional
        How many pieces are to be composed; as many as fit by default.

    Raises
    ------
    PlanError
        Where no timeline within `TOLERANCE` of the minutes exists.
    """
    duration_of = cache(duration_of)
    layout = _best_layout(request, float(rng.random()), duration_of, tuple(piece.duration_s for piece in held), new)
    keys = _keys(request.key, len(layout.sections), rng)
    composed = [
        PlannedPiece(FORMS[count][int(rng.integers(len(FORMS[count])))], tempo, *key)
        for count, tempo, key in zip(layout.sections, layout.tempi, keys, strict=True)
    ]
    pieces = _merged(composed, held, request.arc, rng) if held else tuple(composed)
    order = counterbalanced(len(pieces), request.repeats, rng)
    stretches: list[tuple[int | None, float]] = [(None, request.baseline_s)]
    for place, index in enumerate(order):
        if place:
            stretches.append((None, layout.gap_s))
        stretches.append((index, _duration(pieces[index], duration_of)))
    stretches.append((None, request.baseline_s + layout.closing_s))
    return Plan(pieces, _timeline(stretches, request.minutes * 60.0))


def _merged(
    composed: Sequence[PlannedPiece], held: Sequence[HeldPiece], arc: str, rng: np.random.Generator
) -> tuple[PlannedPiece | HeldPiece, ...]:
    """Put held pieces among those to be composed: by tempo where the arc leads down, anywhere else."""
    pieces = [*composed, *held]
    mixed = [pieces[index] for index in rng.permutation(len(pieces)).tolist()]
    start, end = _TEMPO_SHARES[arc]
    return tuple(sorted(mixed, key=lambda piece: -piece.tempo) if start > end else mixed)


def _duration(piece: PlannedPiece | HeldPiece, duration_of: DurationOf) -> float:
    return piece.duration_s if isinstance(piece, HeldPiece) else duration_of(len(piece.form), piece.tempo)


def _timeline(stretches: list[tuple[int | None, float]], asked_s: float) -> tuple[PlannedItem, ...]:
    """Set stretches one after the other, in whole milliseconds; the last gap takes what rounding left."""
    lengths = [round(1000 * duration) for _, duration in stretches]
    rest = round(1000 * asked_s) - sum(lengths)
    if len(lengths) > 3 and abs(rest) < len(lengths):
        lengths[-3] += rest
    items: list[PlannedItem] = []
    onset = 0
    for (piece, _), length in zip(stretches, lengths, strict=True):
        if length > 0:
            items.append(PlannedItem(SILENCE if piece is None else MUSIC, piece, onset / 1000, length / 1000))
            onset += length
    return tuple(items)


def _best_layout(
    request: SessionRequest,
    offset: float,
    duration_of: DurationOf,
    held: tuple[float, ...] = (),
    new: int | None = None,
) -> _Layout:
    asked = request.minutes * 60.0
    available = asked - 2.0 * request.baseline_s
    shortest = duration_of(1, request.tempo[1])
    if request.tempo == DEFAULT_TEMPO and shortest > available:
        request = replace(request, tempo=SHORT_TEMPO)
        shortest = duration_of(1, request.tempo[1])
    if not held and available + TOLERANCE * asked < shortest * request.repeats + _GAPS_S[0] * (request.repeats - 1):
        raise PlanError(
            f"minutes {request.minutes:g} {_with(request)}leave {max(available, 0.0):.0f} s for music, "
            f"too little at up to {request.tempo[1]:g} BPM; give more minutes, less baseline or fewer repeats"
        )
    best: _Layout | None = None
    most = max(1, math.ceil((available + _GAP_S) / (request.repeats * (shortest + _GAP_S))))
    middle = sum(request.tempo) / 2.0
    tail = max(duration_of(1, middle) - _BARS_S_AT_1_BPM / middle, 0.0)
    longest = max(FORMS)
    free = available - request.repeats * (sum(held) + _GAP_S * len(held))
    for count in range(1, most + 1) if new is None else (new,):
        if count == 0:
            best = _fit(request, 0, 0, available, offset, duration_of, held)
            break
        slot = (free + _GAP_S) / (request.repeats * count) - _GAP_S - tail
        guess = count * slot * middle / _BARS_S_AT_1_BPM
        if count > _FEW and not _USUAL_SECTIONS[0] - 1 <= guess / count <= _USUAL_SECTIONS[1]:
            continue
        for total in range(math.floor(guess) - 1, math.ceil(guess) + 2):
            if count <= total <= count * longest:
                layout = _fit(request, count, total, available, offset, duration_of, held)
                if layout is not None and (best is None or layout.cost < best.cost):
                    best = layout
    if best is None:
        raise PlanError(
            f"no pieces between {request.tempo[0]:g} and {request.tempo[1]:g} BPM fill {request.minutes:g} minutes "
            f"{_with(request)}within {TOLERANCE:.0%}; give a wider --tempo or other minutes"
        )
    return best


def _with(request: SessionRequest) -> str:
    parts = [f"a baseline of {request.baseline_s:g} s"] if request.baseline_s else []
    parts += [f"{request.repeats} repeats"] if request.repeats > 1 else []
    return f"with {' and '.join(parts)} " if parts else ""


def _fit(
    request: SessionRequest,
    count: int,
    total: int,
    available: float,
    offset: float,
    duration_of: DurationOf,
    held: tuple[float, ...] = (),
) -> _Layout | None:
    """Fit `count` pieces of `total` sections, and held ones, into the seconds available; None where that cannot be."""
    edges = [math.floor(index * total / max(count, 1) + offset) for index in range(count + 1)]
    sections = tuple(after - before for before, after in pairwise(edges))
    plays = (count + len(held)) * request.repeats
    gaps = plays - 1
    low, high = request.tempo
    start, end = _TEMPO_SHARES[request.arc]

    def tempi(shift: float) -> tuple[float, ...]:
        places = (index / (count - 1) if count > 1 else 0.0 for index in range(count))
        shares = (min(max(start + (end - start) * place + shift, 0.0), 1.0) for place in places)
        return tuple(_on_grid(low + (high - low) * share, low, high) for share in shares)

    def music(at: tuple[float, ...]) -> float:
        return request.repeats * (sum(held) + sum(map(duration_of, sections, at)))

    target = available - gaps * _GAP_S
    slow, fast = -1.0, 1.0
    for _ in range(_BISECTIONS):
        shift = (slow + fast) / 2.0
        if music(tempi(shift)) > target:
            slow = shift
        else:
            fast = shift
    # The slower edge of the last step; silences take what is left.
    chosen = min((tempi(slow), tempi(fast)), key=lambda at: abs(music(at) - target))
    rest = available - music(chosen)
    gap = min(max(rest / gaps, _GAPS_S[0]), _GAPS_S[1]) if gaps else 0.0
    rest -= gaps * gap
    stretch = min(rest, (gaps + 1) * _LONGEST_GAP_S - gaps * gap)
    closing = 0.0
    if stretch > 1.0:
        # Too little music: the same more silence after each piece, the last one included.
        closing = min(stretch / (gaps + 1), _LONGEST_GAP_S)
        if gaps:
            gap = min(gap + (stretch - closing) / gaps, _LONGEST_GAP_S)
        rest -= stretch
    if abs(rest) > (TOLERANCE - 0.002) * request.minutes * 60.0:
        return None
    cost = 0.0
    if count:
        cost = abs(slow) + 0.3 * abs(total / count - sum(_USUAL_SECTIONS) / 2.0)
        cost += 2.0 * sum(max(_USUAL_SECTIONS[0] - n, n - _USUAL_SECTIONS[1], 0) for n in sections) / count
    cost += max(stretch, 0.0) / _GAP_S / plays + 40.0 * abs(rest) / (request.minutes * 60.0)
    cost += _ALONE if count + len(held) == 1 < request.repeats else 0.0
    return _Layout(cost, sections, chosen, gap, closing)


def _on_grid(tempo: float, low: float, high: float) -> float:
    return min(max(round(round(tempo / _TEMPO_STEP) * _TEMPO_STEP, 1), low), high)


def _keys(key: str | None, count: int, rng: np.random.Generator) -> list[tuple[int, str]]:
    """Return tonic and mode of each piece: as asked, or major keys a fifth or a fourth apart."""
    if key is not None:
        return [parse_key(key)] * count
    tonic = int(rng.integers(12))
    keys = []
    for _ in range(count):
        keys.append((tonic, "major"))
        tonic = (tonic + (7, 5)[int(rng.integers(2))]) % 12
    return keys
