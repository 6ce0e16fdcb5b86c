"""Choosing the next session's pieces from a ranking."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eeg.errors import ParameterError
from eeg.ranking.ranked_pieces import PieceRank, Ranking, RatedPiece, WithRatings


def thompson(
    ranking: Ranking, candidates: Sequence[str], n: int, *, explore: float = 0.25, rng: np.random.Generator
) -> list[str]:
    """Choose pieces for the next session: each choice is the best of one draw from the posterior.

    Parameters
    ----------
    ranking : Ranking
        Ratings count where it has them.
    candidates : sequence of str
        Pieces to choose from; those never ranked are drawn from the prior.
    n : int
        How many; at most as many as there are candidates.
    explore : float
        Share of choices that are made evenly among all candidates, 0 to 1.
    rng : Generator

    Returns
    -------
    list of str
        Different pieces, in the order chosen.

    Examples
    --------
    >>> import numpy as np
    >>> from eeg import rank, thompson
    >>> from eeg.ranking.observations import Observation
    >>> plays = [
    ...     Observation(piece, f"recording {n}", 60.0 * k, value, 0.0, 60.0)
    ...     for n in range(4)
    ...     for k, (piece, value) in enumerate([("A", -3.0), ("B", 3.0)])
    ... ]
    >>> thompson(rank(plays, use_muscle=False), ["A", "B"], 1, explore=0.0, rng=np.random.default_rng(1))
    ['A']
    """
    if not 0.0 <= explore <= 1.0:
        raise ParameterError(f"explore {explore:g} is out of range: give 0 to 1")
    drawn: Ranking | WithRatings = ranking.with_ratings or ranking
    pieces: Sequence[PieceRank | RatedPiece] = drawn.pieces
    at = {piece.piece: i for i, piece in enumerate(pieces)}
    left = list(dict.fromkeys(candidates))
    # Index of each candidate among the ranked pieces, -1 for one that was never ranked.
    place = np.array([at.get(name, -1) for name in left], dtype=np.int64)
    sign = 1.0 if ranking.lower_is_better else -1.0
    chosen: list[str] = []
    while left and len(chosen) < n:
        if rng.random() < explore:
            best = int(rng.integers(len(left)))
        else:
            draw = np.asarray(drawn.draws[int(rng.integers(len(drawn.draws)))])
            new = place < 0
            values = draw[place] if len(draw) else np.zeros(len(place))
            if new.any():
                values[new] = np.asarray(drawn.new_draws)[rng.integers(len(drawn.new_draws), size=int(new.sum()))]
            best = int(np.argmin(sign * values))
        chosen.append(left.pop(best))
        place = np.delete(place, best)
    return chosen
