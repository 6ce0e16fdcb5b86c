"""Ranking a listener's stored evidence with the EEG package."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eeg.ranking.observations import Observation
    from eeg.ranking.ranked_pieces import Ranking
    from sessions.planning.choosing import Preference
    from sessions.storage.evidence import Evidence, StoredRanking
    from sessions.storage.store import Store

# Above this frequency muscle is strong at the scalp.
_MUSCLE_FROM_HZ = 30.0


def observations_of(evidence: Evidence) -> list[Observation]:
    """Return observations of a listener's plays and silences with enough clean data."""
    from eeg.ranking.observations import observe

    data = [
        observe(
            stretch.piece,
            recording.sha256,
            onset_s=stretch.onset_s,
            duration_s=stretch.duration_s,
            clean_s=stretch.clean_s,
            db=stretch.db,
            muscle_db=stretch.muscle_db,
            flags=stretch.flags,
            criterion=evidence.criterion,
        )
        for recording in evidence.recordings
        for stretch in recording.stretches
    ]
    return [one for one in data if one is not None]


def posterior(evidence: Evidence, *, with_ratings: bool = True, other_days: bool = True) -> Ranking | None:
    """Return the ranking that a listener's evidence gives; None where nothing was heard with enough clean data.

    See `eeg.ranking.rank.rank` for `other_days`.
    """
    from eeg.ranking.observations import Rating
    from eeg.ranking.rank import rank

    usable = observations_of(evidence)
    ratings = [Rating(rating.piece, rating.value) for rating in evidence.ratings] if with_ratings else []
    if not ratings and not any(one.piece is not None for one in usable):
        return None
    return rank(
        usable,
        ratings,
        criterion=evidence.criterion,
        lower_is_better=evidence.lower_is_better,
        use_muscle=bool(evidence.plan.settings.get("muscle", True)),
        other_days=other_days,
        may_be_muscle=_may_be_muscle(evidence),
    )


def _may_be_muscle(evidence: Evidence) -> bool:
    """Return whether the criterion's band reaches above 30 Hz."""
    from eeg.settings import ASYMMETRY

    band = evidence.criterion.removesuffix(ASYMMETRY)
    settings = evidence.plan.settings
    limits = {**settings, **(settings.get("bands") or {})}.get(band)
    return band in ("gamma", "both") or (limits is not None and limits[1] > _MUSCLE_FROM_HZ)


class Ranker:
    """Ranks evidence for the database, and keeps the rankings.

    Attributes
    ----------
    made : dict of (str or None) to (Ranking or None)
        By listener.
    evidence : dict of (str or None) to Evidence
        By listener, the evidence of each ranking.
    """

    def __init__(self) -> None:
        self.made: dict[str | None, Ranking | None] = {}
        self.evidence: dict[str | None, Evidence] = {}

    def __call__(self, evidence: Evidence) -> StoredRanking | None:
        """Return the ranking that a listener's evidence gives, as it is stored."""
        from sessions.storage.evidence import RankedPiece, StoredRanking

        # Evidence without a listener may come from several people.
        made = None if evidence.listener is None else posterior(evidence)
        self.made[evidence.listener], self.evidence[evidence.listener] = made, evidence
        if made is None:
            return None
        return StoredRanking(
            made.criterion,
            tuple(
                RankedPiece(
                    piece=piece.piece,
                    mean_db=piece.mean_db,
                    sd_db=piece.sd_db,
                    p_best=piece.p_best,
                    expected_rank=piece.expected_rank,
                    plays=piece.plays,
                    clean_s=piece.clean_s,
                )
                for piece in made.pieces
            ),
        )


def evidence_for(store: Store, listener: str | None, plan: str | None = None) -> Evidence:
    """Return a listener's evidence; without a name, that of the only listener there is.

    Parameters
    ----------
    store : Store
    listener : str, optional
    plan : str, optional
        Name of the analysis plan; the main one by default.

    Raises
    ------
    InputError
        Where there is no such listener or plan, or no name was given and several could be meant.
    """
    from sessions.storage.evidence import evidence_of
    from sessions.storage.recordings import listeners_with_evidence
    from therapy_gen.errors import InputError

    if listener is not None:
        return evidence_of(store, listener, plan)
    known = [name for name in listeners_with_evidence(store) if name is not None]
    if len(known) > 1:
        names = ", ".join(map(shlex.quote, known))
        raise InputError(f"several listeners have been recorded; give `listener` one of: {names}")
    if not known:
        if listeners_with_evidence(store):
            raise InputError(
                "recordings and ratings of nobody named may be of several people, and are not ranked; score the "
                "recordings again with `listener` NAME"
            )
        raise InputError("no recording has been scored and no piece rated yet; to score one: therapy-gen score-eeg")
    return evidence_of(store, known[0], plan)


def ranked_by(store: Store, listener: str, plan: str, ranker: Ranker) -> tuple[Evidence, Ranking | None]:
    """Return a listener's evidence and ranking under a plan; a ranking that `ranker` just made is reused."""
    known = ranker.evidence.get(listener)
    if known is not None and known.plan.name == plan:
        return known, ranker.made[listener]
    evidence = evidence_for(store, listener, plan)
    return evidence, posterior(evidence)


def preference_of(store: Store, listener: str, explore: float | None, seed: int) -> Preference:
    """Return the pieces for a listener's next session, in the order of Thompson sampling from the posterior.

    Pieces of earlier sessions that were neither rated nor measured are drawn from the prior. Those rated 1 or 2, or
    marked as never to be played again, are left out.

    Examples
    --------
    >>> from sessions import Store
    >>> from therapy_gen import study
    >>> study.preference_of(Store.open("therapy.db"), "ana", None, seed=1).drawn
    ()
    """
    from sessions.clients.diary import earlier_pieces, refused_pieces
    from sessions.planning.choosing import DEFAULT_EXPLORE, Drawn, Preference
    from sessions.storage.evidence import evidence_of
    from sessions.storage.listeners import is_listener

    share = DEFAULT_EXPLORE if explore is None else explore
    nothing = Preference((), share)
    if not is_listener(store, listener):
        return nothing
    evidence = evidence_of(store, listener)
    if not evidence.recordings and not evidence.ratings:
        return nothing
    made = posterior(evidence)
    if made is None:
        return nothing
    import numpy as np

    from eeg.ranking.thompson import thompson

    standing = [piece.piece for piece in (made.with_ratings or made).pieces]
    refused = refused_pieces(store, listener)
    known = [name for name in dict.fromkeys([*standing, *earlier_pieces(store, listener)]) if name not in refused]
    order = thompson(made, known, len(known), explore=0.0, rng=np.random.default_rng([seed, 1]))
    why = _reasons(made, evidence)
    return Preference(tuple(Drawn(name, why.get(name, "drawn: heard before, not rated")) for name in order), share)


def _reasons(ranking: Ranking, evidence: Evidence) -> dict[str, str]:
    """Say why each piece was drawn: its rank, ratings included, and its measured effect."""
    standing = (ranking.with_ratings or ranking).pieces
    measured = {piece.piece: piece for piece in ranking.pieces}
    rated: dict[str, list[int]] = {}
    for rating in evidence.ratings:
        rated.setdefault(rating.piece, []).append(rating.value)
    reasons = {}
    for place in standing:
        said = [f"rank {place.rank} of {len(standing)}"]
        if known := measured.get(place.piece):
            low, high = known.ci90_db
            said.append(f"{ranking.criterion} {known.mean_db:+.1f} dB ({low:+.1f} to {high:+.1f})")
        if given := rated.get(place.piece):
            said.append(f"rated {' '.join(map(str, given[-3:]))}")
        reasons[place.piece] = "drawn: " + ", ".join([*said, f"P(best) {place.p_best:.2f}"])
    return reasons
