"""The next session to listen to: one made earlier and not yet heard, or a new one by a listener's wishes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from therapy_gen.errors import InputError

if TYPE_CHECKING:
    from sessions.records import SessionRecord
    from sessions.storage.store import Store
    from therapy_gen.musicvae.section_model import SectionModel

# Seeds of new sessions are drawn below this.
_SEEDS = 10**6


@dataclass(frozen=True)
class Wishes:
    """How somebody wants to listen.

    Attributes
    ----------
    minutes : float
    arc : str
    palette : str
    explore : float or None
        Share of new pieces, 0 to 1; None takes the default.
    layers : tuple of str
        Under the music, such as ``"rain:-18dB"``.
    transition : str
        Between pieces.
    """

    minutes: float = 24.0
    arc: str = "calm"
    palette: str = "piano"
    explore: float | None = None
    layers: tuple[str, ...] = ()
    transition: str = "silence"

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Wishes:
        """Return wishes from stored values; unknown and invalid ones are left out."""
        known = {key: values[key] for key in asdict(cls()) if values.get(key) is not None}
        try:
            return cls(
                minutes=float(known.get("minutes", 24.0)),
                arc=str(known.get("arc", "calm")),
                palette=str(known.get("palette", "piano")),
                explore=float(known["explore"]) if "explore" in known else None,
                layers=tuple(str(layer) for layer in known.get("layers", ())),
                transition=str(known.get("transition", "silence")),
            )
        except (TypeError, ValueError) as error:
            raise InputError(f"the wishes {dict(known)} make no sense; give minutes and share as numbers") from error


def next_session(store: Store, model: SectionModel, listener: str | None, wishes: Wishes) -> SessionRecord:
    """Return a session for somebody to listen to next.

    One with the same wishes that nobody has heard or rated is taken; else a new one is made by the listener's
    preference.

    Raises
    ------
    InputError
        Where no session can be made as wished.
    """
    from sessions.builder import new_session
    from sessions.export.sound_settings import Sound, read_layers
    from sessions.planning.request import SessionRequest, usual_tempo
    from sessions.storage.library import get_session
    from therapy_gen.study.posterior import preference_of

    waiting = _unheard_session(store, listener, wishes)
    if waiting is not None:
        return get_session(store, waiting)
    seed = secrets.randbelow(_SEEDS)
    sound = Sound(layers=read_layers(wishes.layers) or None, transition=wishes.transition)
    request = SessionRequest(minutes=wishes.minutes, arc=wishes.arc, tempo=usual_tempo(wishes.arc))
    preference = preference_of(store, listener, wishes.explore, seed) if listener is not None else None
    return new_session(
        store,
        model,
        request,
        seed=seed,
        listener=listener,
        palette=wishes.palette,
        preference=preference,
        sound=sound.parameters(),
    )


def _unheard_session(store: Store, listener: str | None, wishes: Wishes) -> int | None:
    """Return the number of a listener's newest session if it is as wished and neither heard nor rated."""
    from sqlalchemy import select

    from sessions.storage.library import list_sessions
    from sessions.storage.listeners import is_listener
    from sessions.storage.play_log import list_plays
    from sessions.storage.tables import RatingRow, SessionRow

    if listener is None or not is_listener(store, listener):
        return None
    newest = list_sessions(store, listener=listener, limit=1)
    if not newest or list_plays(store, newest[-1].id):
        return None
    number = newest[-1].id
    with store.read() as database:
        row = database.get_one(SessionRow, number)
        made = replace(Wishes.of({**row.parameters, "arc": row.arc}), explore=wishes.explore)
        rated = database.scalar(select(RatingRow.id).where(RatingRow.session_id == number).limit(1))
        newest_rating = database.scalar(
            select(RatingRow.created)
            .join(SessionRow, SessionRow.id == RatingRow.session_id)
            .where(SessionRow.listener_id == row.listener_id)
            .order_by(RatingRow.created.desc())
            .limit(1)
        )
        # It does not reflect later ratings or recordings.
        stale = newest_rating is not None and newest_rating > row.created
    return number if made == wishes and rated is None and not stale else None
