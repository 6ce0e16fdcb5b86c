"""The timeline of a session: which pieces, how long, how fast, and the silences between, before any note is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from sessions.planning.arcs import Curve, TargetCurve, mean_over
from sessions.planning.counterbalance import Design, rounds_of, williams
from sessions.planning.keys import related_keys
from sessions.planning.layout import TOLERANCE, best_layout
from sessions.planning.placement import HeldPiece, place_held, places_of_new
from sessions.planning.request import DEFAULT_TEMPO, SHORT_TEMPO, DurationOf, SessionRequest, usual_tempo
from sessions.storage.tables import MUSIC, SILENCE
from therapy_gen.music.metre import FOUR_FOUR, METRES, Metre
from therapy_gen.music.tonality import parse_key

if TYPE_CHECKING:
    import numpy as np


__all__ = [
    "DEFAULT_TEMPO",
    "FORMS",
    "SHORT_TEMPO",
    "TOLERANCE",
    "DurationOf",
    "HeldPiece",
    "PlannedItem",
    "PlannedPiece",
    "SessionPlan",
    "SessionRequest",
    "plan_session",
    "timeline",
    "usual_tempo",
]

# Sections of 16 bars: a letter is a theme, a prime a variation of it.
FORMS: dict[int, tuple[tuple[str, ...], ...]] = {
    1: (("A",),),
    2: (("A", "A'"), ("A", "B")),
    3: (("A", "B", "A"), ("A", "B", "A'"), ("A", "A'", "B")),
    4: (("A", "A'", "B", "A'"), ("A", "B", "C", "A'"), ("A", "B", "A'", "B'")),
    5: (("A", "A'", "B", "B'", "A'"), ("A", "B", "A'", "C", "A'"), ("A", "A'", "B", "C", "A'")),
}


@dataclass(frozen=True)
class PlannedPiece:
    """A piece to be composed."""

    form: tuple[str, ...]
    tempo: float
    tonic: int
    mode: str
    metre: Metre = FOUR_FOUR


@dataclass(frozen=True)
class PlannedItem:
    """A stretch of the timeline; `piece` counts the plan's pieces, None for silence."""

    role: str
    piece: int | None
    onset_s: float
    duration_s: float


@dataclass(frozen=True)
class SessionPlan:
    """A timeline without gaps or overlaps, in whole milliseconds from 0 to `duration_s`.

    Attributes
    ----------
    pieces : tuple of (PlannedPiece or HeldPiece)
    items : tuple of PlannedItem
    rows : tuple of int
        Rows of the Williams design (`sessions.planning.counterbalance`) that its rounds follow; empty where pieces
        follow the arc.
    numbers : tuple of int
        Index in the plan of each piece of the design; empty where pieces follow the arc.
    """

    pieces: tuple[PlannedPiece | HeldPiece, ...]
    items: tuple[PlannedItem, ...]
    rows: tuple[int, ...] = ()
    numbers: tuple[int, ...] = ()

    def composed(self) -> list[PlannedPiece]:
        """Return the pieces to be composed."""
        return [piece for piece in self.pieces if isinstance(piece, PlannedPiece)]

    @property
    def duration_s(self) -> float:
        """Length of the whole session in seconds."""
        last = self.items[-1]
        return round(last.onset_s + last.duration_s, 3)

    def curve(self, target: TargetCurve) -> Curve:
        """Return what an arc asks for over the music of the plan."""
        music = [item for item in self.items if item.role == MUSIC]
        return target.between(music[0].onset_s, music[-1].onset_s + music[-1].duration_s)

    def targets(self, curve: Curve) -> list[float]:
        """Return the calmness target of each piece to be composed: the mean of the curve over all its plays."""
        targets = []
        for index, piece in enumerate(self.pieces):
            if isinstance(piece, PlannedPiece):
                plays = [item for item in self.items if item.piece == index]
                wanted = [mean_over(curve, item.onset_s, item.onset_s + item.duration_s) for item in plays]
                targets.append(sum(wanted) / len(wanted))
        return targets


def plan_session(
    request: SessionRequest,
    rng: np.random.Generator,
    duration_of: DurationOf,
    *,
    held: Sequence[HeldPiece] = (),
    new: int | None = None,
    designs: Sequence[Design] = (),
) -> SessionPlan:
    """Lay out a session.

    Without repeats, pieces follow the arc; with repeats, they come in rounds that are rows of a Williams design.

    Parameters
    ----------
    request : SessionRequest
    rng : Generator
        Decides forms, keys and orders.
    duration_of : callable
        Seconds that a piece of so many sections at a tempo, in the metre asked for, lasts, its ending included; falls
        with the tempo.
    held : sequence of HeldPiece
        Pieces of the library that it holds, too; each takes the place where the arc is nearest to its calmness.
    new : int, optional
        How many pieces are to be composed; as many as fit by default.
    designs : sequence of Design
        What the listener has heard of designs before; a design of the same pieces is continued.

    Raises
    ------
    PlanError
        Where no timeline within `TOLERANCE` of the minutes exists.
    """
    duration_of = cache(duration_of)

    @cache
    def slots_of(every: int) -> list[int]:
        return place_held(request, every, held)

    def places_of(count: int) -> list[float]:
        every = count + len(held)
        return places_of_new(request, every, held, slots_of(every))

    lengths = [piece.duration_s for piece in held]
    layout = best_layout(request, float(rng.random()), duration_of, lengths, new, places_of)
    count = len(layout.sections) + len(held)
    slots = dict(zip(slots_of(count), held, strict=True))
    keys = (
        [parse_key(request.key)] * count
        if request.key is not None
        else related_keys([slots[slot].key if slot in slots else None for slot in range(count)], rng)
    )
    composed = iter(zip(layout.sections, layout.tempi, strict=True))
    pieces: list[PlannedPiece | HeldPiece] = []
    for slot in range(count):
        if slot in slots:
            pieces.append(slots[slot])
        else:
            sections, tempo = next(composed)
            form = FORMS[sections][int(rng.integers(len(FORMS[sections])))]
            pieces.append(PlannedPiece(form, tempo, *keys[slot], METRES[request.metre]))
    rows: tuple[int, ...] = ()
    numbers: tuple[int, ...] = ()
    order = list(range(count))
    if request.repeats > 1:
        numbers = tuple(rng.permutation(count).tolist())
        used: tuple[int, ...] = ()
        places = {piece.id: place for place, piece in enumerate(pieces) if isinstance(piece, HeldPiece)}
        for design in designs:
            if len(places) == count and places.keys() == set(design.pieces):
                numbers, used = tuple(places[piece] for piece in design.pieces), design.used
        rows = rounds_of(count, request.repeats, used, rng)
        order = [numbers[piece] for row in rows for piece in williams(count)[row]]
    spans: list[tuple[int | None, float]] = [(None, request.baseline_s)]
    for play, index in enumerate(order):
        if play:
            spans.append((None, layout.gap_s))
        spans.append((index, _duration(pieces[index], duration_of)))
    spans.append((None, request.baseline_s + layout.closing_s))
    items = timeline(spans, request.minutes * 60.0, fixed_gaps=request.fixed_gap_s is not None)
    return SessionPlan(tuple(pieces), items, rows, numbers)


def _duration(piece: PlannedPiece | HeldPiece, duration_of: DurationOf) -> float:
    return piece.duration_s if isinstance(piece, HeldPiece) else duration_of(len(piece.form), piece.tempo)


def timeline(
    spans: Sequence[tuple[int | None, float]], requested_s: float, *, fixed_gaps: bool = False
) -> tuple[PlannedItem, ...]:
    """Set stretches, (piece or None, seconds), one after the other in whole milliseconds.

    Rounding is made up in the silence after the last piece, or, where there is none and gaps are not fixed, in the one
    before it.
    """
    lengths = [round(1000 * duration) for _, duration in spans]
    rest = round(1000 * requested_s) - sum(lengths)
    if abs(rest) < len(lengths):
        if lengths[-1] and rest > 0:
            lengths[-1] += rest
        elif len(lengths) > 3 and not fixed_gaps:
            lengths[-3] += rest
    items: list[PlannedItem] = []
    onset = 0
    for (piece, _), length in zip(spans, lengths, strict=True):
        if length > 0:
            items.append(PlannedItem(SILENCE if piece is None else MUSIC, piece, onset / 1000, length / 1000))
            onset += length
    return tuple(items)
