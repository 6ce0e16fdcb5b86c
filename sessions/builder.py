"""A new session: laid out, composed and stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from sessions.composing.compose import DEFAULT_PALETTE, Brief, begins_at_memory, compose_session, usual_temperature
from sessions.composing.key_path import Neighbour
from sessions.errors import PlanError
from sessions.planning.arcs import ARCS
from sessions.planning.choosing import Preference, choose, choose_requested
from sessions.planning.plan import HeldPiece, PlannedPiece, SessionRequest
from sessions.records import SessionRecord
from sessions.storage.designs import designs_of
from sessions.storage.library import add_session
from sessions.storage.listeners import listener_name
from sessions.storage.store import Store
from therapy_gen.music.arranging.arrange import duration_of
from therapy_gen.music.metre import METRES
from therapy_gen.musicvae.section_model import SectionModel

# What a BIGINT holds.
_LARGEST_SEED = 2**63 - 1


def new_session(
    store: Store,
    model: SectionModel,
    request: SessionRequest,
    *,
    seed: int,
    listener: str | None = None,
    temperature: float | None = None,
    palette: str = DEFAULT_PALETTE,
    preference: Preference | None = None,
    requested: Sequence[str] = (),
    may_drop: bool = False,
    sound: Mapping[str, Any] | None = None,
) -> SessionRecord:
    """Make a session and store it in one transaction.

    Everything musical in it follows from `request`, `model`, `seed`, `temperature`, `palette`, `preference` and
    `requested`: the same values give the same bytes.

    Parameters
    ----------
    store : Store
    model : SectionModel
    request : SessionRequest
    seed : int
        From 0 on.
    listener : str, optional
        Whose session it is.
    temperature : float, optional
        Of the model's choices; by default the one that suits where its pieces begin.
    palette : str
        Instruments, one of `therapy_gen.music.arranging.palettes.PALETTES`.
    preference : Preference, optional
        What is known of how the listener responds to pieces.
    requested : sequence of str
        ULIDs of pieces of the library that the session is to hold.
    may_drop : bool
        Whether the last of the requested pieces are left out where there is no room for all.
    sound : mapping, optional
        How it is to sound (`sessions.export.sound_settings.Sound.parameters`). An arc that dies away brings a fade of
        its own.

    Raises
    ------
    InputError
        Where a value is out of range or no session can be laid out as asked.

    Examples
    --------
    >>> import sessions
    >>> import therapy_gen
    >>> store = sessions.Store.open("therapy.db")
    >>> request = sessions.SessionRequest(minutes=1.0)
    >>> sessions.new_session(store, therapy_gen.load_model(), request, seed=1).id
    1
    """
    check_seed(seed)
    name = None if listener is None else listener_name(listener)
    # Two streams: what is planned stays the same for one seed, whatever the model draws.
    planning, composing = np.random.SeedSequence(seed).spawn(2)
    lasts = partial(duration_of, metre=METRES[request.metre])
    designs = designs_of(store, name) if request.repeats > 1 else []
    if requested:
        alone = preference is not None and preference.explore == 0.0
        most_new = 0 if alone else None
        choice = choose_requested(
            store, request, requested, planning, lasts, designs, most_new=most_new, may_drop=may_drop
        )
    else:
        choice = choose(store, request, preference, planning, lasts, model.sha256, designs)
    rng = np.random.default_rng(composing)
    curve = choice.plan.curve(request.target)
    composed = zip(choice.plan.composed(), choice.plan.targets(curve), choice.homes, strict=True)
    briefs = [Brief(*brief) for brief in composed]
    if temperature is None:
        temperature = usual_temperature(begins_at_memory(model, briefs, request.attributes))
    pieces = compose_session(
        briefs,
        model,
        rng,
        temperature=temperature,
        palette=palette,
        attributes=request.attributes,
        # A recorded piece has neither key nor register that its neighbours could follow.
        neighbours=[
            _neighbour(piece)
            for piece in choice.plan.pieces
            if not isinstance(piece, HeldPiece) or piece.calm is not None
        ],
        free_keys=request.key is None,
    )
    return add_session(
        store,
        choice.plan,
        pieces,
        model,
        arc=request.arc,
        seed=seed,
        listener=name,
        why=choice.why,
        parameters={
            **request.parameters,
            "curve": [list(point) for point in curve],
            **{name: list(pair) for name, pair in request.attributes.items()},
            "temperature": temperature,
            "palette": palette,
            "model": model.name,
            "model_sha256": model.sha256,
            **({"explore": preference.explore} if preference is not None else {}),
            **_fade(request),
            **(sound or {}),
        },
    )


def _fade(request: SessionRequest) -> dict[str, float]:
    share = ARCS[request.arc].fade
    return {"fade_s": round(share * request.minutes * 60.0, 3)} if share else {}


def _neighbour(piece: PlannedPiece | HeldPiece) -> Neighbour | None:
    if not isinstance(piece, HeldPiece):
        return None
    assert piece.calm is not None
    return Neighbour(piece.key, piece.register, piece.calm)


def check_seed(seed: int) -> None:
    """Raise PlanError where a seed is out of range."""
    if not 0 <= seed <= _LARGEST_SEED:
        raise PlanError(f"seed {seed} is out of range; give a whole number from 0 to {_LARGEST_SEED}")
