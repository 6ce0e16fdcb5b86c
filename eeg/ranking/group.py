"""Effects of pieces in a group of listeners: a multilevel model of pieces crossed with listeners.

``level of piece p for listener l = m + b_p + u_l + d_lp``: the mean response to music, the pieces' shared effects (SD
tau), a listener's own response to music as such (SD `music`), and a listener's own response to one piece (SD `piece`).
Each listener is reduced to the information on the levels of the pieces, with their own noise, drift, days and muscle
(`mixed_model`); the variances between listeners are averaged over a grid, as within one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eeg.errors import TooLittleDataError
from eeg.ranking.design import TIME_SD, half_cauchy, make_design, make_grid
from eeg.ranking.fit import fit
from eeg.ranking.mixed_model import FLAT_SD, MixedModel
from eeg.ranking.observations import Observation
from eeg.ranking.verdict import LEVEL

Float64 = npt.NDArray[np.float64]

# Of the test that the pieces are equal in the group (benchmarks/eeg/group.py).
_ALPHA = 0.02
_DRAWS = 20_000
_SD_DB = np.geomspace(0.03, 3.0, 11)
_SD_SCALE = 0.4


@dataclass(frozen=True)
class GroupPiece:
    """A piece in a group's ranking: pooled mean and SD against silence, dB, and how many listeners heard it."""

    piece: str
    rank: int
    expected_rank: float
    mean_db: float
    sd_db: float
    ci90_db: tuple[float, float]
    p_best: float
    listeners: int
    plays: int


@dataclass(frozen=True)
class GroupDifference:
    """A listener's difference from the group in one piece, dB; `differs` where chance does not explain it."""

    listener: str
    piece: str
    mean_db: float
    ci90_db: tuple[float, float]
    differs: bool


@dataclass(frozen=True)
class GroupRanking:
    """A group's ranking.

    Parameters
    ----------
    criterion : str
    lower_is_better, reliable_order : bool
    reason : str
    p_value : float
        Probability that pieces with equal mean effects would look as different.
    pieces : tuple of GroupPiece
        Best first.
    against_silence : bool
    listeners, recordings, plays : int
    between_db, music_between_db : (float, (float, float))
        SD between listeners, of one piece's effect and of the response to music as such: posterior mean and 90 %
        interval.
    differences : tuple of GroupDifference
        Of every listener and piece, the largest first.
    """

    criterion: str
    lower_is_better: bool
    reliable_order: bool
    reason: str
    p_value: float
    pieces: tuple[GroupPiece, ...]
    against_silence: bool
    listeners: int
    recordings: int
    plays: int
    between_db: tuple[float, tuple[float, float]]
    music_between_db: tuple[float, tuple[float, float]]
    differences: tuple[GroupDifference, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "criterion": self.criterion,
            "lower_is_better": self.lower_is_better,
            "reliable_order": self.reliable_order,
            "reason": self.reason,
            "p_value": round(self.p_value, 4),
            "against_silence": self.against_silence,
            "listeners": self.listeners,
            "recordings": self.recordings,
            "plays": self.plays,
            "between_listeners_db": _with_interval(self.between_db),
            "music_between_listeners_db": _with_interval(self.music_between_db),
            "pieces": [
                {
                    "piece": piece.piece,
                    "rank": piece.rank,
                    "expected_rank": round(piece.expected_rank, 2),
                    "mean_db": round(piece.mean_db, 3),
                    "sd_db": round(piece.sd_db, 3),
                    "ci90_db": [round(value, 3) for value in piece.ci90_db],
                    "p_best": round(piece.p_best, 3),
                    "listeners": piece.listeners,
                    "plays": piece.plays,
                }
                for piece in self.pieces
            ],
            "differences": [
                {
                    "listener": one.listener,
                    "piece": one.piece,
                    "mean_db": round(one.mean_db, 3),
                    "ci90_db": [round(value, 3) for value in one.ci90_db],
                    "differs": one.differs,
                }
                for one in self.differences
            ],
        }


def _with_interval(value: tuple[float, tuple[float, float]]) -> dict[str, Any]:
    return {"mean": round(value[0], 3), "ci90": [round(end, 3) for end in value[1]]}


@dataclass(frozen=True)
class _Listener:
    """The information of one listener's plays on the levels of all pieces."""

    information: Float64  # (q, q)
    moment: Float64  # (q,)
    heard: npt.NDArray[np.bool_]  # (q,)


def rank_group(
    listeners: Mapping[str, Sequence[Observation]],
    *,
    criterion: str = "beta",
    lower_is_better: bool = True,
    use_muscle: bool = True,
    seed: int = 0,
) -> GroupRanking:
    """Rank pieces over listeners.

    Parameters
    ----------
    listeners : mapping of str to sequence of Observation
        Each listener's plays and silences.
    criterion : str
        What the values are, for the record.
    lower_is_better : bool
        The declared direction.
    use_muscle : bool
    seed : int
        Of the draws that give P(best) and expected rank.

    Raises
    ------
    TooLittleDataError
        Fewer than two listeners have plays.
    """
    known = {name: rows for name, rows in listeners.items() if any(row.piece is not None for row in rows)}
    if len(known) < 2:
        raise TooLittleDataError("a group needs scored recordings of two listeners or more")
    names = sorted({row.piece for rows in known.values() for row in rows if row.piece is not None})
    silent = all(any(row.piece is None for row in rows) for rows in known.values())
    reduced = [_reduce(rows, names, use_muscle=use_muscle) for rows in known.values()]
    group = _Group(reduced, len(names), silent=silent)
    draws = group.draw(np.random.default_rng(seed))
    sign = 1.0 if lower_is_better else -1.0
    places = np.argsort(np.argsort(sign * draws, axis=1), axis=1) + 1
    mean = draws.mean(axis=0)
    order = np.lexsort((sign * mean, places.mean(axis=0)))
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    apart = float((sign * draws[:, order[0]] < sign * draws[:, order[-1]]).mean())
    p_value = group.p_value()
    reliable, reason = _decide(group, len(known), p_value, apart)
    plays = [row for rows in known.values() for row in rows if row.piece is not None]
    return GroupRanking(
        criterion=criterion,
        lower_is_better=lower_is_better,
        reliable_order=reliable,
        reason=reason,
        p_value=p_value,
        pieces=tuple(
            GroupPiece(
                piece=names[j],
                rank=place + 1,
                expected_rank=float(places[:, j].mean()),
                mean_db=float(mean[j]),
                sd_db=float(draws[:, j].std()),
                ci90_db=(float(low[j]), float(high[j])),
                p_best=float((places[:, j] == 1).mean()),
                listeners=sum(bool(one.heard[j]) for one in reduced),
                plays=sum(row.piece == names[j] for row in plays),
            )
            for place, j in enumerate(order)
        ),
        against_silence=silent,
        listeners=len(known),
        recordings=len({(name, row.recording) for name, rows in known.items() for row in rows}),
        plays=len(plays),
        between_db=group.sd(0),
        music_between_db=group.sd(1),
        differences=group.differences(list(known), names),
    )


def _reduce(rows: Sequence[Observation], names: Sequence[str], *, use_muscle: bool) -> _Listener:
    """Return the information of a listener's plays on the pieces' levels, at their most probable noise."""
    design, has_muscle, has_mean = make_design(rows, (), names, use_muscle=use_muscle)
    # The day effect of a single recording is part of its listener's difference.
    model = MixedModel(design, make_grid(len(design.recordings), has_mean=has_mean, other_days=False))
    posterior = fit(model, TIME_SD)
    best = posterior.points[int(np.argmax(posterior.weights.sum(axis=1)))]
    gram, _ = model.products(np.array([best.at]), TIME_SD)
    q, g = len(names), len(design.shared_sd)
    # The mean of the pieces is part of their levels: its column is left out; the muscle's slope is this listener's own.
    keep = np.r_[0:q, [q] * has_muscle, q + g].astype(int)
    inner = gram[0][np.ix_(keep, keep)]
    if has_muscle:
        pivot = inner[q, q] + design.shared_sd[0] ** -2.0
        inner = inner - np.outer(inner[q], inner[q]) / pivot
    heard = np.isin(np.arange(q), np.concatenate([one.piece for one in design.recordings]))
    return _Listener(inner[:q, :q], inner[:q, -1], heard)


class _Group:
    """The posterior of a group on the grid of its variances."""

    def __init__(self, listeners: Sequence[_Listener], pieces: int, *, silent: bool) -> None:
        self.listeners, self.pieces = listeners, pieces
        axis = half_cauchy(_SD_DB, _SD_SCALE)
        music = axis.values if silent else np.array([FLAT_SD])
        music_prior = axis.log_prior if silent else np.zeros(1)
        self._grid = np.array([(piece, overall) for piece in axis.values for overall in music])
        prior = np.array([a + b for a in axis.log_prior for b in music_prior])
        self._taus = axis.values
        information, moment, self._logs = self._pooled(self._grid)
        # The mean response is flat; the pieces' effects are normal around it.
        flat = FLAT_SD**2 * np.ones((pieces, pieces))
        logs = np.empty((len(self._grid), len(self._taus)))
        self._posteriors: dict[tuple[int, int], tuple[Float64, Float64]] = {}
        for t, tau in enumerate(self._taus):
            covariance = flat + tau**2 * np.eye(pieces)
            factor = np.linalg.cholesky(covariance)
            inner = np.eye(pieces) + factor.T @ information @ factor
            roots = np.linalg.cholesky(inner)
            half = np.linalg.solve(roots, (moment @ factor)[:, :, None])[:, :, 0]
            logs[:, t] = self._logs + prior + axis.log_prior[t] + 0.5 * (half**2).sum(axis=1)
            logs[:, t] -= np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
            for i in range(len(self._grid)):
                spread = np.linalg.solve(roots[i], factor.T)  # covariance of the levels: spread.T @ spread
                self._posteriors[i, t] = spread.T @ (spread @ moment[i]), spread
        weights = np.exp(logs - logs.max())
        weights[weights < 1e-4] = 0.0
        self.weights = weights / weights.sum()

    def _pooled(self, grid: Float64) -> tuple[Float64, Float64, Float64]:
        """Return the listeners' information on the shared levels, the moment and the logarithm of the likelihood."""
        q = self.pieces
        information, moment, logs = np.zeros((len(grid), q, q)), np.zeros((len(grid), q)), np.zeros(len(grid))
        for one in self.listeners:
            loading, inverse, logdet = self._own(one, grid)
            cross = one.information @ loading  # (grid, q, 1 + q)
            seen = np.einsum("gqk,q->gk", loading, one.moment)
            solved = np.einsum("gkl,gl->gk", inverse, seen)
            information += one.information - cross @ inverse @ cross.transpose(0, 2, 1)
            moment += one.moment - np.einsum("gqk,gk->gq", cross, solved)
            logs += 0.5 * (seen * solved).sum(axis=1) - 0.5 * logdet
        return information, moment, logs

    @staticmethod
    def _own(one: _Listener, grid: Float64) -> tuple[Float64, Float64, Float64]:
        """Return the loadings of a listener's own effects (music, each piece), their covariance and log determinant."""
        q = len(one.moment)
        loading = np.zeros((len(grid), q, 1 + q))
        loading[:, :, 0] = grid[:, 1, None]
        loading[:, np.arange(q), 1 + np.arange(q)] = grid[:, 0, None]
        inner = loading.transpose(0, 2, 1) @ one.information @ loading
        inner[:, np.arange(1 + q), np.arange(1 + q)] += 1.0
        return loading, np.asarray(np.linalg.inv(inner), np.float64), np.asarray(np.linalg.slogdet(inner)[1])

    def draw(self, rng: np.random.Generator) -> Float64:
        """Return draws of the shared levels, shape (draws, pieces)."""
        parts = []
        counts = rng.multinomial(_DRAWS, self.weights.ravel()).reshape(self.weights.shape)
        for i, t in zip(*np.nonzero(counts), strict=True):
            mean, spread = self._posteriors[int(i), int(t)]
            parts.append(mean + rng.standard_normal((counts[i, t], self.pieces)) @ spread)
        return np.concatenate(parts)

    def sd(self, column: int) -> tuple[float, tuple[float, float]]:
        """Return the posterior mean and 90 % interval of an SD between listeners."""
        weights = self.weights.sum(axis=1)
        values = self._grid[:, column]
        order = np.argsort(values, kind="stable")
        share = np.cumsum(weights[order])
        low, high = (float(values[order][np.searchsorted(share, p)]) for p in ((1 - LEVEL) / 2, (1 + LEVEL) / 2 - 1e-9))
        return float(weights @ values), (low, high)

    def degrees_of_freedom(self) -> tuple[int, int]:
        """Return the degrees of freedom of pieces, and of pieces by listeners."""
        cells = int(sum(one.heard.sum() for one in self.listeners))
        heard = int(np.any([one.heard for one in self.listeners], axis=0).sum())
        return heard - 1, cells - heard - (len(self.listeners) - 1)

    def p_value(self) -> float:
        """Return how probable it is that equal pieces would look as different, against how listeners differ."""
        from scipy.special import fdtrc

        extra, free = self.degrees_of_freedom()
        if extra < 1 or free < 1:
            return 1.0
        weights = self.weights.sum(axis=1)
        chosen = np.flatnonzero(weights > 0.002 * weights.max())
        # Listeners' own levels are taken as fixed: only differences between pieces count.
        grid = np.column_stack([self._grid[chosen, 0], np.full(len(chosen), FLAT_SD)])
        information, moment, _ = self._pooled(grid)
        total = np.zeros(len(grid))
        for one in self.listeners:
            loading, inverse, _ = self._own(one, grid)
            seen = np.einsum("gqk,q->gk", loading, one.moment)
            own = float(one.moment @ np.linalg.pinv(one.information, rcond=1e-12, hermitian=True) @ one.moment)
            total += own - np.einsum("gk,gkl,gl->g", seen, inverse, seen)
        ones = np.ones(self.pieces)
        small = total - (moment @ ones) ** 2 / np.maximum(np.einsum("gij,i,j->g", information, ones, ones), 1e-12)
        general = np.linalg.pinv(information, rcond=1e-10, hermitian=True)
        full = total - np.einsum("gi,gij,gj->g", moment, general, moment)
        values = fdtrc(extra, free, np.maximum(small - full, 0.0) / extra / np.maximum(full / free, 1e-300))
        return float(weights[chosen] @ values / weights[chosen].sum())

    def differences(self, listeners: Sequence[str], pieces: Sequence[str]) -> tuple[GroupDifference, ...]:
        """Return how listeners differ from the group in pieces that they heard, the largest first."""
        from scipy.special import ndtri

        found = []
        cells = sum(int(one.heard.sum()) for one in self.listeners)
        strict = float(ndtri(1 - (1 - LEVEL) / 2 / max(cells, 1)))
        points = [(int(i), int(t)) for i, t in zip(*np.nonzero(self.weights), strict=True)]
        weights = np.array([self.weights[point] for point in points])
        for name, one in zip(listeners, self.listeners, strict=True):
            loading, inverse, _ = self._own(one, self._grid)
            means, squares = np.zeros((len(points), len(pieces))), np.zeros((len(points), len(pieces)))
            for n, (i, t) in enumerate(points):
                level, spread = self._posteriors[i, t]
                gain = inverse[i] @ loading[i].T
                own = gain @ (one.moment - one.information @ level)
                unsure = gain @ one.information @ spread.T
                variance = np.diag(inverse[i]) + (unsure**2).sum(axis=1)
                means[n] = self._grid[i, 0] * own[1:]
                squares[n] = self._grid[i, 0] ** 2 * variance[1:]
            mean = weights @ means
            sd = np.sqrt(weights @ (squares + means**2) - mean**2)
            for j in np.flatnonzero(one.heard):
                half = float(ndtri((1 + LEVEL) / 2) * sd[j])
                interval = (float(mean[j]) - half, float(mean[j]) + half)
                differs = bool(abs(mean[j]) > strict * sd[j])
                found.append(GroupDifference(name, pieces[int(j)], float(mean[j]), interval, differs))
        return tuple(sorted(found, key=lambda one: -abs(one.mean_db)))


def _decide(group: _Group, listeners: int, p_value: float, apart: float) -> tuple[bool, str]:
    extra, free = group.degrees_of_freedom()
    if extra < 1:
        return False, "no reliable order: there is only one piece"
    if free < 1:
        return False, "no reliable order: no piece was heard by two listeners who heard another one, too"
    if p_value >= _ALPHA:
        return False, (
            f"no reliable order: pieces that are equal in the mean of all people would look as different in "
            f"{listeners} of them with p = {p_value:.2g}"
        )
    p = f"p = {p_value:.2g}" if p_value >= 0.001 else "p < 0.001"
    if apart < LEVEL:
        return False, (
            f"no reliable order: the pieces differ ({p}), but first before last has a probability of only "
            f"{math.floor(100 * apart) / 100:.2f} ({LEVEL:.2f} is required)"
        )
    return True, f"the pieces differ ({p}); first before last with probability {apart:.2f}"
