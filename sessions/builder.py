"""A new session: laid out, composed and stored."""

from __future__ import annotations

import numpy as np

from sessions.compose import DEFAULT_PALETTE, DEFAULT_TEMPERATURE, compose
from sessions.errors import PlanError
from sessions.library import add_session, listener_name
from sessions.plan import SessionRequest, plan_session
from sessions.records import SessionRecord
from sessions.store import Store
from therapy_gen.music.arrangement import duration_of
from therapy_gen.musicvae.runtime import Model

# What a BIGINT holds.
LARGEST_SEED = 2**63 - 1


def new_session(
    store: Store,
    model: Model,
    request: SessionRequest,
    *,
    seed: int,
    listener: str | None = None,
    temperature: float = DEFAULT_TEMPERATURE,
    palette: str = DEFAULT_PALETTE,
) -> SessionRecord:
    """Make a session and store it in one transaction.

    Everything musical in it follows from `request`, `model`, `seed`, `temperature` and `palette`.

    Raises
    ------
    InputError
        Where a value is out of range or no session can be laid out as asked.
    """
    check_seed(seed)
    if listener is not None:
        listener_name(listener)
    # Two streams: what is planned stays the same for one seed, whatever the model draws.
    planning, composing = np.random.default_rng(seed).spawn(2)
    plan = plan_session(request, planning, duration_of)
    pieces = compose(plan.pieces, model, composing, temperature=temperature, palette=palette)
    return add_session(
        store,
        plan,
        pieces,
        model,
        arc=request.arc,
        seed=seed,
        listener=listener,
        parameters={
            "minutes": request.minutes,
            "tempo": list(request.tempo),
            "key": request.key or "auto",
            "baseline_s": request.baseline_s,
            "repeats": request.repeats,
            "temperature": temperature,
            "palette": palette,
            "model": model.name,
            "model_sha256": model.sha256,
        },
    )


def check_seed(seed: int) -> None:
    """Raise PlanError where a seed is out of range."""
    if not 0 <= seed <= LARGEST_SEED:
        raise PlanError(f"seed {seed} is out of range; give a whole number from 0 to {LARGEST_SEED}")
