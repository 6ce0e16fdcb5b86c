"""Ranking a listener's pieces from all plays, with the uncertainty stated, and drawing the next session from it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from eeg.errors import ParameterError, TooLittleDataError
from eeg.ranking.design import make_design, noise_grid, tau_grid
from eeg.ranking.mixed_model import Design, Posterior, f_test, fit
from eeg.ranking.observations import Observation, Rating, check_criterion, rated
from eeg.settings import FLAG_BELOW_S

Float64 = npt.NDArray[np.float64]

# Of the test that the pieces are equal. Rest without any effect wanders, which lets 4 to 6 % of such listeners pass a
# test at 4 % (benchmarks/eeg_null.py); at 2.5 % it is under 4 %.
_ALPHA = 0.025
# Smaller ones are printed as this: the noise is a model, and knows no better.
_SMALLEST_P = 0.001
_LEVEL = 0.90
_DRAWS = 20_000


@dataclass(frozen=True)
class PieceRank:
    """A piece in a ranking.

    Parameters
    ----------
    piece : str
    rank : int
        1 is best.
    expected_rank : float
        Mean of its rank over the posterior.
    mean_db, sd_db : float
        Posterior mean (shrunk towards the listener's mean) and SD, against silence.
    ci90_db : (float, float)
    p_best : float
        Probability that it is the best of all.
    plays : int
    clean_s : float
    ratings : int
    flags : tuple of str
        ``"only-rated"``, ``"one-play"``, ``"short"`` (under 60 s of clean data), ``"gamma-may-be-muscle"``.
    """

    piece: str
    rank: int
    expected_rank: float
    mean_db: float
    sd_db: float
    ci90_db: tuple[float, float]
    p_best: float
    plays: int
    clean_s: float
    ratings: int
    flags: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "piece": self.piece,
            "rank": self.rank,
            "expected_rank": round(self.expected_rank, 2),
            "mean_db": round(self.mean_db, 3),
            "sd_db": round(self.sd_db, 3),
            "ci90_db": [round(value, 3) for value in self.ci90_db],
            "p_best": round(self.p_best, 3),
            "plays": self.plays,
            "clean_s": round(self.clean_s, 1),
            "ratings": self.ratings,
            "flags": list(self.flags),
        }


@dataclass(frozen=True)
class Ranking:
    """A listener's pieces, best first.

    Parameters
    ----------
    criterion : str
        ``"beta"``, ``"gamma"`` or ``"both"`` (their mean).
    lower_is_better : bool
        Declared by the user.
    reliable_order : bool
        Whether the data show that the pieces differ.
    reason : str
        Why, in one line.
    p_value : float
        That equal pieces would look as different.
    pieces : tuple of PieceRank
    against_silence : bool
        Whether `mean_db` is against silence, or (without any) against the mean of all plays.
    tau_db, noise_db : float
        Posterior mean SD between pieces, and of a play with 60 clean seconds.
    muscle_slope : float
        dB in the band for one dB of muscle, taken out.
    recordings, plays, ratings : int
    draws : array, shape (n_draws, n_pieces)
        From the posterior, in the order of `pieces`.
    new_draws : array, shape (n_draws,)
        What a piece never played might do.
    """

    criterion: str
    lower_is_better: bool
    reliable_order: bool
    reason: str
    p_value: float
    pieces: tuple[PieceRank, ...]
    against_silence: bool
    tau_db: float
    noise_db: float
    muscle_slope: float
    recordings: int
    plays: int
    ratings: int
    draws: Float64 = field(repr=False, compare=False)
    new_draws: Float64 = field(repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "criterion": self.criterion,
            "lower_is_better": self.lower_is_better,
            "reliable_order": self.reliable_order,
            "reason": self.reason,
            "p_value": round(self.p_value, 4),
            "against_silence": self.against_silence,
            "tau_db": round(self.tau_db, 3),
            "noise_db": round(self.noise_db, 3),
            "muscle_slope": round(self.muscle_slope, 3),
            "recordings": self.recordings,
            "plays": self.plays,
            "ratings": self.ratings,
            "pieces": [piece.as_dict() for piece in self.pieces],
        }

    def difference(self, one: str, two: str) -> tuple[float, tuple[float, float]]:
        """Return the posterior mean and 90 % interval of piece `one` minus piece `two`, dB."""
        at = {piece.piece: i for i, piece in enumerate(self.pieces)}
        for name in (one, two):
            if name not in at:
                raise ParameterError(f"piece {name} is not in the ranking")
        values = self.draws[:, at[one]] - self.draws[:, at[two]]
        low, high = np.quantile(values, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
        return float(values.mean()), (float(low), float(high))


def rank(
    data: Sequence[Observation],
    ratings: Sequence[Rating] = (),
    *,
    criterion: str = "beta",
    lower_is_better: bool = True,
    use_muscle: bool = True,
    seed: int = 0,
) -> Ranking:
    """Rank pieces from plays.

    ``value = recording + mean of pieces + piece + time in recording + muscle + noise``; blocks of baseline take part
    without the piece terms, which ties the pieces to silence and carries the baseline's own uncertainty along. Ratings
    are observations of the same piece terms, with a mean and a weight of their own (`observations.rated`); whether the
    order is reliable is decided by a fit of the plays alone.

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
        Take out what goes with the muscle index.
    seed : int
        Of the draws that give P(best) and expected rank.

    Raises
    ------
    TooLittleDataError
        There is neither play nor rating.
    """
    check_criterion(criterion)
    for row in data:
        if not (math.isfinite(row.value_db) and math.isfinite(row.time_s) and row.clean_s > 0):
            raise ParameterError(
                f"a play of piece {row.piece} in recording {row.recording} holds values that are no numbers"
            )
    liked = [rated(rating, lower_is_better=lower_is_better) for rating in ratings]
    names = sorted({row.piece for row in (*data, *liked) if row.piece is not None})
    if not names:
        raise TooLittleDataError("no play with enough clean data to rank: score a recording first")
    sign = 1.0 if lower_is_better else -1.0
    found = _fit([*data, *liked], names, use_muscle, seed)
    p_value, apart = _by_plays(data, found if not liked else None, sign, use_muscle, seed)
    reliable, reason = _decide(p_value, data, apart, rated_too=bool(liked))
    order = _order(sign * found.draws, sign * found.mean)
    posterior = found.posterior
    return Ranking(
        criterion=criterion,
        lower_is_better=lower_is_better,
        reliable_order=reliable,
        reason=reason,
        p_value=p_value,
        pieces=_ranked(found, names, order, sign, data, ratings, criterion, reliable=reliable),
        against_silence=found.has_mean,
        tau_db=posterior.average([point.tau for point in posterior.points]),
        noise_db=posterior.average([math.hypot(p.noise.sampling, p.noise.drift) for p in posterior.points]),
        muscle_slope=found.muscle_slope,
        recordings=len({row.recording for row in data}),
        plays=sum(row.piece is not None for row in data),
        ratings=len(ratings),
        draws=found.draws[:, order],
        new_draws=found.new_draws,
    )


@dataclass(frozen=True)
class _Fit:
    """What the model makes of some observations: level of each piece (mean, draws), of a new one, slope of muscle."""

    design: Design
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
    criterion: str,
    *,
    reliable: bool,
) -> tuple[PieceRank, ...]:
    """Return the pieces with their figures, best first."""
    sd = found.draws.std(axis=0)
    low, high = np.quantile(found.draws, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
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
            flags=_flags(plays[names[j]], criterion, reliable),
        )
        for place, j in enumerate(order)
    )


def _fit(data: Sequence[Observation], names: Sequence[str], use_muscle: bool, seed: int) -> _Fit:
    design, muscle_column, has_mean = make_design(data, names, use_muscle)
    posterior = fit(design, noise_grid(), tau_grid())
    first = len(design.prior_sd)
    draws, new = _draw(posterior, first, has_mean, seed)
    mean = posterior.mean()
    slope = float(mean[muscle_column]) if muscle_column is not None else 0.0
    return _Fit(design, posterior, has_mean, _pieces(mean[None], first, has_mean)[0], draws, new, slope)


def _places(values: Float64) -> npt.NDArray[np.int64]:
    """Return the rank of each piece in each draw; low values come first."""
    return np.asarray(np.argsort(np.argsort(values, axis=1), axis=1) + 1)


def _order(values: Float64, mean: Float64) -> npt.NDArray[np.int64]:
    """Return the pieces by expected rank; by mean where that is the same."""
    return np.lexsort((mean, np.round(_places(values).mean(axis=0), 9)))


def _by_plays(
    data: Sequence[Observation], found: _Fit | None, sign: float, use_muscle: bool, seed: int
) -> tuple[float, float]:
    """Return what the plays alone say of the order.

    Parameters
    ----------
    data : sequence of Observation
        Without ratings.
    found : _Fit or None
        Of these, where it is known.
    sign : float
        1 where lower is better, else -1.
    use_muscle : bool
    seed : int

    Returns
    -------
    p_value : float
        How probable it is that equal pieces would look as different.
    apart : float
        How probable it is that the first of the pieces that were played is before the last.
    """
    names = sorted({row.piece for row in data if row.piece is not None})
    if not names:
        return 1.0, 0.0
    found = found or _fit(data, names, use_muscle, seed)
    tested = np.zeros(found.design.columns.shape[1], dtype=np.bool_)
    tested[len(found.design.prior_sd) :] = True
    values = sign * found.draws
    order = _order(values, sign * found.mean)
    apart = float((values[:, order[0]] < values[:, order[-1]]).mean())
    return f_test(found.design, found.posterior.best_noise(), tested), apart


def _flags(rows: Sequence[Observation], criterion: str, reliable: bool) -> tuple[str, ...]:
    """Return what a reader must know about a piece; gamma is taken for muscle until an order survives the regressor."""
    if not rows:
        return ("only-rated",)
    flags = []
    if len(rows) < 2:
        flags.append("one-play")
    if sum(row.clean_s for row in rows) < FLAG_BELOW_S:
        flags.append("short")
    if criterion != "beta" and not reliable:
        flags.append("gamma-may-be-muscle")
    return tuple(flags)


def _pieces(coefficients: Float64, first: int, has_mean: bool) -> Float64:
    """Return the level of each piece: its effect, and with baseline the pieces' mean against it."""
    return coefficients[:, first:] + (coefficients[:, first - 1 : first] if has_mean else 0.0)


def _draw(posterior: Posterior, first: int, has_mean: bool, seed: int) -> tuple[Float64, Float64]:
    """Draw the pieces together, and a piece never played, from the posterior."""
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(_DRAWS, posterior.weights)
    parts, new = [], []
    for count, point in zip(counts, posterior.points, strict=True):
        if count:
            drawn = point.draw(int(count), rng)
            parts.append(_pieces(drawn, first, has_mean))
            centre = drawn[:, first - 1] if has_mean else 0.0
            new.append(centre + point.tau * rng.standard_normal(count))
    shuffled = rng.permutation(_DRAWS)
    return np.concatenate(parts)[shuffled], np.concatenate(new)[shuffled]


def _decide(p_value: float, data: Sequence[Observation], apart: float, *, rated_too: bool) -> tuple[bool, str]:
    """Say whether the pieces differ; of listeners without any effect at most 5 % may hear yes."""
    plays: dict[str, list[Observation]] = {}
    for row in data:
        if row.piece is not None:
            plays.setdefault(row.piece, []).append(row)
    if not plays:
        return False, "no reliable order: nothing was recorded, only rated"
    if len(plays) < 2:
        return False, "no reliable order: there is only one piece"
    repeated = [name for name, rows in plays.items() if len(rows) >= 2]
    if len(repeated) < 2:
        return False, "no reliable order: at least two pieces must have been played twice"
    if 2 * sum(_mixed(name, plays) for name in repeated) < len(repeated):
        return (
            False,
            "no reliable order: plays of a piece follow one another, so that a drift looks like a piece; mix them",
        )
    if p_value >= _ALPHA:
        return False, f"no reliable order: equal pieces would look as different with p = {p_value:.2g}"
    p = f"p = {p_value:.2g}" if p_value >= _SMALLEST_P else f"p < {_SMALLEST_P:g}"
    by_plays = "by the plays alone, " if rated_too else ""
    if apart < _LEVEL:
        return False, (
            f"no reliable order: the pieces differ ({p}), but {by_plays}first before last has a probability of only "
            f"{math.floor(100 * apart) / 100:.2f} ({_LEVEL:.2f} is asked for)"
        )
    return True, f"the pieces differ ({p}); {by_plays}first before last with probability {apart:.2f}"


def _mixed(name: str, plays: Mapping[str, Sequence[Observation]]) -> bool:
    """Return whether a piece was played in several recordings, or with another piece between two of its plays."""
    if len({row.recording for row in plays[name]}) > 1:
        return True
    times = [row.time_s for row in plays[name]]
    return any(
        min(times) < row.time_s < max(times) and row.recording == plays[name][0].recording
        for other, rows in plays.items()
        if other != name
        for row in rows
    )
