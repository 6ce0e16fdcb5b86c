"""Ranking a listener's pieces from all plays, with the uncertainty stated, and drawing the next session from it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eeg.errors import ParameterError, TooLittleDataError
from eeg.ranking.design import TIME_SD, make_design, make_grid
from eeg.ranking.fit import f_test, fit
from eeg.ranking.mixed_model import MixedModel, Posterior
from eeg.ranking.observations import Observation, Rating, check_criterion, rated
from eeg.ranking.ranked_pieces import PieceRank, Ranking, RatedPiece, WithRatings
from eeg.ranking.verdict import LEVEL, decide
from eeg.settings import ASYMMETRY, FLAG_BELOW_S

Float64 = npt.NDArray[np.float64]

_DRAWS = 20_000


def rank(
    data: Sequence[Observation],
    ratings: Sequence[Rating] = (),
    *,
    criterion: str = "beta",
    lower_is_better: bool = True,
    use_muscle: bool = True,
    other_days: bool = True,
    may_be_muscle: bool | None = None,
    seed: int = 0,
) -> Ranking:
    """Rank pieces from plays.

    ``value = recording + mean of pieces + piece + time in recording + muscle + noise``; blocks of baseline take part
    without the piece terms, which ties the pieces to silence and carries the baseline's own uncertainty along. Two
    terms belong to the day: effects of music, and of each piece, that one recording adds to those of all. Their SDs are
    estimated from two recordings or more; with one alone they are taken to be `design.DAY_ALONE_DB`. All figures are of
    the plays alone. Ratings, as observations of the same piece terms with a mean and a weight of their own
    (`observations.rated`), give a second order, `with_ratings`.

    Parameters
    ----------
    data : sequence of Observation
        Of one listener, from all recordings.
    ratings : sequence of Rating
        Of the same listener.
    criterion : str
        What `value_db` is, for the record.
    lower_is_better : bool
        The declared direction.
    use_muscle : bool
        Regress on the muscle index.
    other_days : bool
        Whether figures and order should hold on other days, too. Without it a single recording is described by itself.
    may_be_muscle : bool, optional
        Whether the band reaches above 30 Hz, where muscle is strong: pieces are then flagged until there is a reliable
        order. By default so for gamma and both.
    seed : int
        Of the draws that give P(best) and expected rank.

    Raises
    ------
    TooLittleDataError
        There is neither play nor rating.

    Examples
    --------
    >>> from eeg import rank
    >>> from eeg.ranking.observations import Observation
    >>> plays = [
    ...     Observation(piece, f"recording {n}", 60.0 * k, value, 0.0, 60.0)
    ...     for n in range(4)
    ...     for k, (piece, value) in enumerate([("A", -1.0 + 0.1 * n), ("B", 1.0 - 0.1 * n)])
    ... ]
    >>> [piece.piece for piece in rank(plays, use_muscle=False).pieces]
    ['A', 'B']
    """
    check_criterion(criterion)
    if may_be_muscle is None:
        may_be_muscle = criterion.removesuffix(ASYMMETRY) in ("gamma", "both")
    for row in data:
        if not (math.isfinite(row.value_db) and math.isfinite(row.time_s) and row.clean_s > 0):
            raise ParameterError(
                f"a play of piece {row.piece} in recording {row.recording} holds values that are no numbers"
            )
    liked = [rated(rating, lower_is_better=lower_is_better) for rating in ratings]
    played = sorted({row.piece for row in data if row.piece is not None})
    if not played and not liked:
        raise TooLittleDataError("no play with enough clean data to rank: score a recording first")
    sign = 1.0 if lower_is_better else -1.0
    found = _fit(data, (), played, use_muscle, other_days, seed)
    order = _order(sign * found.draws, sign * found.mean)
    p_value, apart = 1.0, 0.0
    if played:
        p_value = f_test(found.model, found.posterior)
        apart = float((sign * found.draws[:, order[0]] < sign * found.draws[:, order[-1]]).mean())
    reliable, reason = decide(data, p_value, apart, other_days=other_days)
    noise = [found.posterior.average(axis) for axis in range(5)]
    return Ranking(
        criterion=criterion,
        lower_is_better=lower_is_better,
        reliable_order=reliable,
        reason=reason,
        p_value=p_value,
        pieces=_ranked(found, played, order, sign, data, ratings, doubtful=may_be_muscle and not reliable),
        against_silence=found.has_mean,
        tau_db=found.posterior.average_tau(),
        noise_db=math.hypot(noise[0], noise[1]),
        day_db=(noise[3], noise[4]),
        muscle_slope=found.muscle_slope,
        recordings=len({row.recording for row in data}),
        plays=sum(row.piece is not None for row in data),
        ratings=len(ratings),
        draws=found.draws[:, order],
        new_draws=found.new_draws,
        with_ratings=_with_ratings(data, liked, use_muscle, other_days, sign, seed) if liked else None,
    )


def _with_ratings(
    data: Sequence[Observation],
    liked: Sequence[Observation],
    use_muscle: bool,
    other_days: bool,
    sign: float,
    seed: int,
) -> WithRatings:
    """Rank by plays and ratings together."""
    names = sorted({row.piece for row in (*data, *liked) if row.piece is not None})
    found = _fit(data, liked, names, use_muscle, other_days, seed)
    order = _order(sign * found.draws, sign * found.mean)
    places = _places(sign * found.draws)
    count = Counter(row.piece for row in liked)
    return WithRatings(
        pieces=tuple(
            RatedPiece(
                piece=names[j],
                rank=place + 1,
                expected_rank=float(places[:, j].mean()),
                level_db=float(found.mean[j]),
                p_best=float((places[:, j] == 1).mean()),
                ratings=count[names[j]],
            )
            for place, j in enumerate(order)
        ),
        draws=found.draws[:, order],
        new_draws=found.new_draws,
    )


@dataclass(frozen=True)
class _Fit:
    """The fitted model: levels of each piece (mean, draws) and of a new one, and the muscle slope."""

    model: MixedModel
    posterior: Posterior
    has_mean: bool
    mean: Float64
    draws: Float64
    new_draws: Float64
    muscle_slope: float


def _ranked(
    found: _Fit,
    names: Sequence[str],
    order: npt.NDArray[np.int64],
    sign: float,
    data: Sequence[Observation],
    ratings: Sequence[Rating],
    *,
    doubtful: bool,
) -> tuple[PieceRank, ...]:
    """Return the pieces with their figures, best first."""
    sd = found.draws.std(axis=0)
    low, high = np.quantile(found.draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    places = _places(sign * found.draws)
    expected, best = places.mean(axis=0), (places == 1).mean(axis=0)
    plays: dict[str, list[Observation]] = {name: [] for name in names}
    for row in data:
        if row.piece is not None:
            plays[row.piece].append(row)
    rated_often = Counter(rating.piece for rating in ratings)
    return tuple(
        PieceRank(
            piece=names[j],
            rank=place + 1,
            expected_rank=float(expected[j]),
            mean_db=float(found.mean[j]),
            sd_db=float(sd[j]),
            ci90_db=(float(low[j]), float(high[j])),
            p_best=float(best[j]),
            plays=len(plays[names[j]]),
            clean_s=float(sum(row.clean_s for row in plays[names[j]])),
            ratings=rated_often[names[j]],
            flags=_flags(plays[names[j]], doubtful=doubtful),
        )
        for place, j in enumerate(order)
    )


def _fit(
    data: Sequence[Observation],
    liked: Sequence[Observation],
    names: Sequence[str],
    use_muscle: bool,
    other_days: bool,
    seed: int,
) -> _Fit:
    design, has_muscle, has_mean = make_design(data, liked, names, use_muscle=use_muscle)
    model = MixedModel(design, make_grid(len(design.recordings), has_mean=has_mean, other_days=other_days))
    posterior = fit(model, TIME_SD)
    rng = np.random.default_rng(seed)
    drawn, taus = posterior.draw(_DRAWS, rng)
    draws = _pieces(drawn, len(names), has_mean)
    new = (drawn[:, -1] if has_mean else 0.0) + taus * rng.standard_normal(_DRAWS)
    mean = posterior.mean()
    slope = float(mean[len(names)]) if has_muscle else 0.0
    return _Fit(model, posterior, has_mean, _pieces(mean[None], len(names), has_mean)[0], draws, new, slope)


def _places(values: Float64) -> npt.NDArray[np.int64]:
    """Return the rank of each piece in each draw; low values come first."""
    return np.asarray(np.argsort(np.argsort(values, axis=1), axis=1) + 1)


def _order(values: Float64, mean: Float64) -> npt.NDArray[np.int64]:
    """Return the pieces by expected rank; by mean where that is the same."""
    return np.lexsort((mean, np.round(_places(values).mean(axis=0), 9)))


def _flags(rows: Sequence[Observation], *, doubtful: bool) -> tuple[str, ...]:
    """Return what a reader must know about a piece; gamma counts as possible muscle until there is a reliable order."""
    flags = []
    if len(rows) < 2:
        flags.append("one-play")
    if sum(row.clean_s for row in rows) < FLAG_BELOW_S:
        flags.append("short")
    if doubtful:
        flags.append("gamma-may-be-muscle")
    return tuple(flags)


def _pieces(coefficients: Float64, pieces: int, has_mean: bool) -> Float64:
    """Return the level of each piece: its effect, and with baseline the pieces' mean against it."""
    return coefficients[:, :pieces] + (coefficients[:, -1:] if has_mean else 0.0)
