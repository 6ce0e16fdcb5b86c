"""Ranking a listener's pieces from all plays, with the uncertainty stated, and drawing the next session from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from eeg.errors import ParameterError, TooLittleDataError
from eeg.mixedmodel import FLAT_SD, Design, Noise, Posterior, f_test, fit
from eeg.results import RecordingScore
from eeg.settings import FLAG_BELOW_S

Float64 = npt.NDArray[np.float64]

CRITERIA = ("beta", "gamma", "both")

# SD between plays with 60 s of clean data, measured on rest without any effect (docs/eeg.md): median and spread of its
# logarithm over listeners, and the floor under which no small sample may talk the model.
SAMPLING_SD, SAMPLING_SPREAD, SAMPLING_FLOOR = 0.30, 0.5, 0.15
DRIFT_SD, DRIFT_SPREAD = 0.15, 0.7
MEMORY_S = (60.0, 400.0)
# SD of the effects of pieces: half-Cauchy, so that large ones stay possible.
TAU_SCALE = 0.5
# SD of the change from the middle to the end of a recording, and of dB in the band for one dB of muscle.
TIME_SD, MUSCLE_SD = 1.0, 0.7

# Of the test that the pieces are equal. Rest without any effect wanders, which lets 4 to 6 % of such listeners pass a
# test at 4 % (benchmarks/eeg_null.py); at 2.5 % it is under 4 %.
ALPHA = 0.025
LEVEL = 0.90
DRAWS = 20_000


@dataclass(frozen=True)
class Observation:
    """One play, or one block of baseline, as the ranking sees it.

    Parameters
    ----------
    piece : str or None
        None: baseline.
    recording : str
        Which recording (its digest).
    time_s : float
        Its middle, seconds from the start of the recording.
    value_db : float
        The criterion against that recording's baseline.
    muscle_db : float or None
    clean_s : float
    """

    piece: str | None
    recording: str
    time_s: float
    value_db: float
    muscle_db: float | None
    clean_s: float


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
    flags : tuple of str
        ``"one-play"``, ``"short"`` (under 60 s of clean data), ``"gamma-may-be-muscle"``.
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
    recordings, plays : int
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
            "pieces": [piece.as_dict() for piece in self.pieces],
        }

    def difference(self, one: str, two: str) -> tuple[float, tuple[float, float]]:
        """Return the posterior mean and 90 % interval of piece `one` minus piece `two`, dB."""
        at = {piece.piece: i for i, piece in enumerate(self.pieces)}
        for name in (one, two):
            if name not in at:
                raise ParameterError(f"piece {name} is not in the ranking")
        values = self.draws[:, at[one]] - self.draws[:, at[two]]
        low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(values.mean()), (float(low), float(high))


def observations(scores: Iterable[RecordingScore], criterion: str = "beta") -> list[Observation]:
    """Return what the ranking needs from scored recordings.

    Parameters
    ----------
    scores : iterable of RecordingScore
        Of one listener.
    criterion : str
        ``"beta"``, ``"gamma"`` or ``"both"``.
    """
    _check(criterion)
    found = []
    for score in scores:
        for play in (*score.plays, *score.baseline):
            value = combine(play.beta_db, play.gamma_db, criterion)
            if value is None or "too-little-clean" in play.flags or play.clean_s <= 0:
                continue
            middle = play.onset_s + play.duration_s / 2
            found.append(
                Observation(play.piece, score.sha256 or score.file, middle, value, play.muscle_db, play.clean_s)
            )
    return found


def combine(beta_db: float | None, gamma_db: float | None, criterion: str) -> float | None:
    """Return the value of a criterion from the two bands; None where a band it needs is missing."""
    _check(criterion)
    if criterion == "beta":
        return beta_db
    if criterion == "gamma":
        return gamma_db
    return None if beta_db is None or gamma_db is None else (beta_db + gamma_db) / 2


def _check(criterion: str) -> None:
    if criterion not in CRITERIA:
        raise ParameterError(f"criterion {criterion!r} is not known: give {', '.join(CRITERIA)}")


def rank(
    data: Sequence[Observation],
    *,
    criterion: str = "beta",
    lower_is_better: bool = True,
    use_muscle: bool = True,
    seed: int = 0,
) -> Ranking:
    """Rank pieces from plays.

    ``value = recording + mean of pieces + piece + time in recording + muscle + noise``; blocks of baseline take part
    without the piece terms, which ties the pieces to silence and carries the baseline's own uncertainty along.

    Parameters
    ----------
    data : sequence of Observation
        Of one listener, from all recordings.
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
        There is no play.
    """
    _check(criterion)
    for row in data:
        if not (math.isfinite(row.value_db) and math.isfinite(row.time_s) and row.clean_s > 0):
            raise ParameterError(
                f"a play of piece {row.piece} in recording {row.recording} holds values that are no numbers"
            )
    names = sorted({row.piece for row in data if row.piece is not None})
    if not names:
        raise TooLittleDataError("no play with enough clean data to rank: score a recording first")
    design, muscle_column, has_mean = _design(data, names, use_muscle)
    posterior = fit(design, _noise_grid(), _tau_grid())
    first = len(design.prior_sd)
    draws, new = _draw(posterior, first, has_mean, seed)
    mean = _pieces(posterior.mean()[None], first, has_mean)[0]
    sd = draws.std(axis=0)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    sign = 1.0 if lower_is_better else -1.0
    places = np.argsort(np.argsort(sign * draws, axis=1), axis=1) + 1
    expected = places.mean(axis=0)
    best = (places == 1).mean(axis=0)
    order = np.lexsort((sign * mean, np.round(expected, 9)))
    plays = {name: [row for row in data if row.piece == name] for name in names}
    tested = np.zeros(design.columns.shape[1], dtype=np.bool_)
    tested[first:] = True
    p_value = f_test(design, posterior.best_noise(), tested)
    reliable, reason = _decide(p_value, data, sign * draws[:, order])
    pieces = tuple(
        PieceRank(
            piece=names[j],
            rank=place + 1,
            expected_rank=float(expected[j]),
            mean_db=float(mean[j]),
            sd_db=float(sd[j]),
            ci90_db=(float(low[j]), float(high[j])),
            p_best=float(best[j]),
            plays=len(plays[names[j]]),
            clean_s=float(sum(row.clean_s for row in plays[names[j]])),
            flags=_flags(plays[names[j]], criterion, reliable),
        )
        for place, j in enumerate(order)
    )
    slope = float(posterior.mean()[muscle_column]) if muscle_column is not None else 0.0
    return Ranking(
        criterion=criterion,
        lower_is_better=lower_is_better,
        reliable_order=reliable,
        reason=reason,
        p_value=p_value,
        pieces=pieces,
        against_silence=has_mean,
        tau_db=posterior.average([point.tau for point in posterior.points]),
        noise_db=posterior.average([math.hypot(p.noise.sampling, p.noise.drift) for p in posterior.points]),
        muscle_slope=slope,
        recordings=len({row.recording for row in data}),
        plays=sum(len(rows) for rows in plays.values()),
        draws=draws[:, order],
        new_draws=new,
    )


def _design(data: Sequence[Observation], names: Sequence[str], use_muscle: bool) -> tuple[Design, int | None, bool]:
    """Build columns: recordings, time in each, muscle, mean of pieces (where there is baseline), pieces."""
    recordings = sorted({row.recording for row in data})
    index = np.array([recordings.index(row.recording) for row in data])
    groups = [np.flatnonzero(index == i) for i in range(len(recordings))]
    time_s = np.array([row.time_s for row in data])
    columns: list[Float64] = []
    prior: list[float] = []
    for rows in groups:
        one = np.zeros(len(data))
        one[rows] = 1.0
        columns.append(one)
        prior.append(FLAT_SD)
    for rows in groups:
        span = time_s[rows]
        half = (span.max() - span.min()) / 2
        if half > 0:
            trend = np.zeros(len(data))
            trend[rows] = (span - (span.max() + span.min()) / 2) / half
            columns.append(trend)
            prior.append(TIME_SD)
    muscle_column = None
    known = np.array([row.muscle_db is not None and math.isfinite(row.muscle_db) for row in data])
    if use_muscle and np.count_nonzero(known) > 2:
        values = np.array([row.muscle_db if ok else 0.0 for row, ok in zip(data, known, strict=True)], dtype=np.float64)
        for rows in groups:
            here = rows[known[rows]]
            values[here] -= values[here].mean() if len(here) else 0.0
        values[~known] = 0.0
        if np.ptp(values) > 1e-9:
            muscle_column = len(columns)
            columns.append(values)
            prior.append(MUSCLE_SD)
    is_music = np.array([row.piece is not None for row in data])
    has_mean = bool((~is_music).any())
    if has_mean:
        columns.append(is_music.astype(np.float64))
        prior.append(FLAT_SD)
    for name in names:
        columns.append(np.array([float(row.piece == name) for row in data]))
    design = Design(
        y=np.array([row.value_db for row in data]),
        columns=np.column_stack(columns),
        prior_sd=np.array(prior),
        pieces=len(names),
        clean_s=np.array([row.clean_s for row in data]),
        time_s=time_s,
        groups=groups,
    )
    return design, muscle_column, has_mean


def _noise_grid() -> list[tuple[Noise, float]]:
    grid = []
    for sampling in np.geomspace(SAMPLING_FLOOR, 2.4, 11):
        for drift in (0.05, 0.15, 0.3, 0.6):
            for memory in MEMORY_S:
                weight = -0.5 * (math.log(sampling / SAMPLING_SD) / SAMPLING_SPREAD) ** 2
                weight -= 0.5 * (math.log(drift / DRIFT_SD) / DRIFT_SPREAD) ** 2
                grid.append((Noise(float(sampling), drift, memory), weight))
    return grid


def _tau_grid() -> list[tuple[float, float]]:
    taus = np.geomspace(0.03, 6.0, 16)
    # Half-Cauchy density, times tau for the even spacing in the logarithm; what lies below goes to the first point.
    density = taus / (1 + (taus / TAU_SCALE) ** 2)
    density[0] += TAU_SCALE * math.atan(taus[0] / TAU_SCALE) / math.log(taus[1] / taus[0])
    return [(float(tau), float(math.log(weight))) for tau, weight in zip(taus, density, strict=True)]


def _flags(rows: Sequence[Observation], criterion: str, reliable: bool) -> tuple[str, ...]:
    """Return what a reader must know about a piece; gamma is taken for muscle until an order survives the regressor."""
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
    counts = rng.multinomial(DRAWS, posterior.weights)
    parts, new = [], []
    for count, point in zip(counts, posterior.points, strict=True):
        if count:
            drawn = point.draw(int(count), rng)
            parts.append(_pieces(drawn, first, has_mean))
            centre = drawn[:, first - 1] if has_mean else 0.0
            new.append(centre + point.tau * rng.standard_normal(count))
    shuffled = rng.permutation(DRAWS)
    return np.concatenate(parts)[shuffled], np.concatenate(new)[shuffled]


def _decide(p_value: float, data: Sequence[Observation], ordered: Float64) -> tuple[bool, str]:
    """Say whether the pieces differ; of listeners without any effect at most 5 % may hear yes."""
    plays: dict[str, list[Observation]] = {}
    for row in data:
        if row.piece is not None:
            plays.setdefault(row.piece, []).append(row)
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
    apart = float((ordered[:, 0] < ordered[:, -1]).mean())
    if p_value >= ALPHA or apart < LEVEL:
        return False, f"no reliable order: equal pieces would look as different with p = {p_value:.2g}"
    return True, f"the pieces differ (p = {p_value:.2g}); first before last with probability {apart:.2f}"


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
