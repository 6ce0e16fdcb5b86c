"""Sessions that hold pieces that were requested by name, and new ones for the rest of the time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sessions.errors import PlanError
from sessions.planning.choosing import Choice
from sessions.planning.counterbalance import Design
from sessions.planning.plan import DurationOf, HeldPiece, SessionRequest, plan_session
from sessions.storage.library import get_piece
from sessions.storage.store import Store

_WHY = "asked for"


def choose_requested(
    store: Store,
    request: SessionRequest,
    requested: Sequence[str],
    seed: np.random.SeedSequence,
    duration_of: DurationOf,
    designs: Sequence[Design] = (),
    most_new: int | None = None,
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
                f"{request.least_play_s:g} s or more: leave it out, or --repeats"
            )
    try:
        fresh = len(plan_session(request, np.random.default_rng(seed), duration_of).pieces)
    except PlanError:
        # New pieces alone do not fill the time; those asked for may.
        fresh = 0
    if most_new is not None:
        fresh = min(fresh, most_new)
    for new in range(fresh, -1, -1):
        try:
            plan = plan_session(request, np.random.default_rng(seed), duration_of, held=held, new=new, designs=designs)
        except PlanError:
            continue
        why = tuple(_WHY if isinstance(piece, HeldPiece) else "new" for piece in plan.pieces)
        return Choice(plan, why, (None,) * len(plan.composed()))
    music = request.repeats * sum(piece.duration_s for piece in held)
    gaps = ", another --gap" if request.fixed_gap_s is not None else ""
    alone = " and nothing else" if most_new == 0 else ""
    raise PlanError(
        f"no session of {request.minutes:g} minutes {request.conditions}holds the pieces asked for{alone} "
        f"({music / 60:.1f} minutes of music); give other --minutes{gaps}, or fewer pieces"
    )
