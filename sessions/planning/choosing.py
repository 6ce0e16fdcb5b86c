"""Which pieces a session holds: those requested by id, or pieces heard before in the order drawn, and new ones."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sessions.errors import PlanError
from sessions.planning.arcs import mean_over, rms
from sessions.planning.counterbalance import Design
from sessions.planning.plan import DurationOf, HeldPiece, SessionPlan, SessionRequest, plan_session
from sessions.records import PieceRecord
from sessions.storage.library import find_pieces, get_piece, z_of
from sessions.storage.store import Store

DEFAULT_EXPLORE = 0.25
# How far the numbers of old and new pieces may be from those wanted where these do not fill the time.
_NUMBERS_TRIED = 3
# A piece heard before may take a place on an arc if its calmness differs from the target by no more than this.
_AS_CALM = 0.06
# The largest RMS distance of a session from its arc: until then, the piece that adds most to it is left out.
_ON_ARC = 0.038
# Pieces drawn that are looked up together: the first of them mostly fill a session.
_AT_ONCE = 64
# Why a piece that was requested by name is in a session.
_REQUESTED = "asked for"

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Drawn:
    """A piece drawn from a listener's posterior, and why in words."""

    piece: str
    why: str


@dataclass(frozen=True)
class Preference:
    """What is known of a listener's pieces.

    Attributes
    ----------
    drawn : tuple of Drawn
        All pieces that the listener has heard, in the order in which they were drawn: each the best of one draw from
        the posterior.
    explore : float
        Share of pieces that are new, 0 to 1.
    """

    drawn: tuple[Drawn, ...]
    explore: float = DEFAULT_EXPLORE

    def __post_init__(self) -> None:
        if not 0.0 <= self.explore <= 1.0:
            raise PlanError(f"explore {self.explore:g} is out of range; give 0 (no new pieces) to 1 (all)")


@dataclass(frozen=True)
class Choice:
    """A plan, why each of its pieces is in it, and where in latent space the new ones begin (None: anywhere)."""

    plan: SessionPlan
    why: tuple[str, ...]
    homes: tuple[FloatArray | None, ...]


def choose(
    store: Store,
    request: SessionRequest,
    preference: Preference | None,
    seed: np.random.SeedSequence,
    duration_of: DurationOf,
    model_sha256: str,
    designs: Sequence[Design] = (),
) -> Choice:
    """Lay out a session of pieces heard before and new ones.

    Parameters
    ----------
    preference : Preference or None
        Of the listener; without one, or where it holds no piece, all pieces are new.
    seed : SeedSequence
        Of the plan.
    duration_of : callable
        See `plan_session`.
    model_sha256 : str
        Of the model that writes the new pieces: only in its own latent space do they have neighbours.
    designs : sequence of Design
        See `plan_session`.

    Raises
    ------
    PlanError
        Where no timeline can be laid out.
    """
    fresh = plan_session(request, np.random.default_rng(seed), duration_of)
    if preference is None or not preference.drawn or preference.explore == 1.0:
        why = "new" if preference is None else "new: all pieces are to be" if preference.drawn else "new: nothing heard"
        return Choice(fresh, (why,) * len(fresh.pieces), (None,) * len(fresh.pieces))
    drawn = _in_library(store, preference.drawn)
    heard = _on_arc(request, drawn, len(fresh.pieces)) if request.repeats == 1 else list(drawn)
    # A fraction of a piece is a chance of one more.
    chance = float(np.random.default_rng(seed.spawn(1)[0]).random())
    new = min(math.floor(preference.explore * len(fresh.pieces) + chance), len(fresh.pieces))
    while heard:
        plan = _planned(request, seed, duration_of, heard, designs, len(fresh.pieces) - new, new)
        if plan is None:
            break
        away, worst = _furthest(request, plan)
        if away <= _ON_ARC or request.repeats > 1:
            return _explained(store, plan, heard, model_sha256, request.metre)
        heard = [(piece, why) for piece, why in heard if piece.id != worst]
    return Choice(fresh, ("new: no piece heard before fits",) * len(fresh.pieces), (None,) * len(fresh.pieces))


def choose_requested(
    store: Store,
    request: SessionRequest,
    requested: Sequence[str],
    seed: np.random.SeedSequence,
    duration_of: DurationOf,
    designs: Sequence[Design] = (),
    most_new: int | None = None,
    may_drop: bool = False,
) -> Choice:
    """Lay out a session that holds certain pieces.

    Parameters
    ----------
    requested : sequence of str
        Ids of pieces, or the first characters of them.
    designs : sequence of Design
        See `plan_session`.
    most_new : int, optional
        How many new pieces there may be beside them.
    may_drop : bool
        Whether the last of them are left out where there is no room for all; as few new pieces as possible fill the
        rest.

    Raises
    ------
    InputError
        Where a piece is not in the library, or no session of this length holds them all.
    """
    pieces = {piece.id: piece for piece in (get_piece(store, prefix) for prefix in requested)}
    held = [HeldPiece.of(piece) for piece in pieces.values()]
    for piece in pieces.values():
        if piece.duration_s < request.least_play_s:
            raise PlanError(
                f"piece {piece.id} lasts {piece.duration_s:.0f} s; plays to be compared last "
                f"{request.least_play_s:g} s or more: leave it out, or `repeats`"
            )
    try:
        fresh = len(plan_session(request, np.random.default_rng(seed), duration_of).pieces)
    except PlanError:
        # New pieces alone do not fill the time; the requested ones may.
        fresh = 0
    if most_new is not None:
        fresh = min(fresh, most_new)
    tries = [(len(held), new) for new in range(fresh, -1, -1)]
    if may_drop:
        tries += [(kept, new) for kept in range(len(held) - 1, 0, -1) for new in range(fresh + 1)]
    for kept, new in tries:
        with contextlib.suppress(PlanError):
            rng = np.random.default_rng(seed)
            plan = plan_session(request, rng, duration_of, held=held[:kept], new=new, designs=designs)
            why = tuple(_REQUESTED if isinstance(piece, HeldPiece) else "new" for piece in plan.pieces)
            return Choice(plan, why, (None,) * len(plan.composed()))
    music = request.repeats * sum(piece.duration_s for piece in held)
    gaps = ", another `gap`" if request.fixed_gap_s is not None else ""
    alone = " and nothing else" if most_new == 0 else ""
    raise PlanError(
        f"no session of {request.minutes:g} minutes {request.conditions}holds the pieces asked for{alone} "
        f"({music / 60:.1f} minutes of music); give other `minutes`{gaps}, or fewer pieces"
    )


def _planned(
    request: SessionRequest,
    seed: np.random.SeedSequence,
    duration_of: DurationOf,
    heard: Sequence[tuple[PieceRecord, str]],
    designs: Sequence[Design],
    keep: int,
    new: int,
) -> SessionPlan | None:
    """Return a plan with about `keep` pieces heard before and `new` ones; None where no such plan fills the time."""
    for kept, count in _numbers(keep, new, len(heard)):
        held = [HeldPiece.of(piece) for piece, _ in heard[:kept]]
        try:
            return plan_session(
                request, np.random.default_rng(seed), duration_of, held=held, new=count, designs=designs
            )
        except PlanError:
            continue
    return None


def _furthest(request: SessionRequest, plan: SessionPlan) -> tuple[float, str]:
    """Return a plan's RMS distance from its arc (new pieces count as on it), and the piece that adds most."""
    music = [item for item in plan.items if item.piece is not None]
    curve = plan.curve(request.target)
    achieved = []
    shares: dict[str, float] = {}
    for item in music:
        end_s = item.onset_s + item.duration_s
        piece = plan.pieces[item.piece or 0]
        if not isinstance(piece, HeldPiece) or piece.calm is None:
            achieved.append((item.onset_s, end_s, mean_over(curve, item.onset_s, end_s)))
            continue
        achieved.append((item.onset_s, end_s, piece.calm))
        shares[piece.id] = shares.get(piece.id, 0.0) + item.duration_s * rms(curve, achieved[-1:]) ** 2
    return rms(curve, achieved), max(shares, key=lambda id_: shares[id_], default="")


def _in_library(store: Store, drawn: Sequence[Drawn]) -> Iterator[tuple[PieceRecord, str]]:
    """Yield the pieces that there are, as they were drawn, and why; so many at a time are looked up."""
    for start in range(0, len(drawn), _AT_ONCE):
        block = drawn[start : start + _AT_ONCE]
        known = find_pieces(store, [one.piece for one in block])
        yield from ((known[one.piece], one.why) for one in block if one.piece in known)


def _on_arc(
    request: SessionRequest, drawn: Iterable[tuple[PieceRecord, str]], places: int
) -> list[tuple[PieceRecord, str]]:
    """Return the pieces that can each have a place of their own on the arc, in the order drawn."""
    targets = [request.target.at((place + 0.5) / places) for place in range(places)]
    heard: list[tuple[PieceRecord, str]] = []
    holder: dict[int, int] = {}

    def assign(index: int, tried: set[int]) -> bool:
        """Give a piece a place, moving others to further ones where that helps (Kuhn 1955)."""
        for place, target in enumerate(targets):
            calm = heard[index][0].calm
            if place in tried or (calm is not None and abs(calm - target) > _AS_CALM):
                continue
            tried.add(place)
            if place not in holder or assign(holder[place], tried):
                holder[place] = index
                return True
        return False

    found = []
    for piece in drawn:
        heard.append(piece)
        if assign(len(heard) - 1, set()):
            found.append(piece)
            if len(found) == places:
                break
    return found


def _numbers(keep: int, new: int, most: int) -> Iterator[tuple[int, int]]:
    """Give numbers of pieces heard before and new, those wanted first."""
    away = range(-_NUMBERS_TRIED, _NUMBERS_TRIED + 1)
    wanted = (min(keep, most), new + max(keep - most, 0))
    pairs = {(wanted[0] + more, wanted[1] + other) for more in away for other in away}
    allowed = [(k, n) for k, n in pairs if 1 <= k <= most and n >= 0]
    yield from sorted(allowed, key=lambda pair: (abs(pair[1] - wanted[1]) + abs(pair[0] - wanted[0]), pair[1], pair))


def _explained(
    store: Store, plan: SessionPlan, heard: Sequence[tuple[PieceRecord, str]], model_sha256: str, metre: str
) -> Choice:
    reasons = {piece.id: why for piece, why in heard}
    z = z_of(store, [piece.id for piece, _ in heard], model_sha256)
    # A point between pieces of two metres would belong to neither.
    models = [piece for piece, _ in heard if piece.id in z and piece.metre == metre]
    why: list[str] = []
    homes: list[FloatArray | None] = []
    for piece in plan.pieces:
        if isinstance(piece, HeldPiece):
            why.append(reasons[piece.id])
        elif models:
            near = models[len(homes) % len(models)]
            homes.append(z[near.id])
            why.append(f"new: near {near.title} ({near.id[:10]})")
        else:
            homes.append(None)
            why.append("new")
    return Choice(plan, tuple(why), tuple(homes))
