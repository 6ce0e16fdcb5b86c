"""Fitting the mixed model: the points of the grid that matter are found and weighted, and equal pieces are tested."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eeg.ranking.f_distribution import f_upper_tail
from eeg.ranking.mixed_model import FLAT_SD, MixedModel, ModelDesign, Point, Posterior

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_POINTS_AT_ONCE = 256
# Up to so many recordings times points, searching the grid costs more than computing all of it.
_FEW = 300

_At = tuple[int, ...]


def fit(model: MixedModel, trend_sd: float, *, keep: float = 1e-4, everywhere: bool = False) -> Posterior:
    """Average over the grid.

    The points that matter lie together: from the best that a search along the axes finds, neighbours are computed as
    long as they matter.

    Parameters
    ----------
    model : MixedModel
    trend_sd : float
        Prior SD of the trend within a recording, dB.
    keep : float
        Points with less than this share of the largest weight are dropped.
    everywhere : bool
        Compute every point of the grid, for comparison.
    """
    search = _Search(model, trend_sd, np.log(keep))
    everything = list(np.ndindex(*model.grid.shape))
    if everywhere or len(everything) * len(model.design.recordings) <= _FEW:
        search.compute(everything)
    else:
        search.climb()
        front = search.mattering()
        while front:
            fresh = search.compute([at for centre in front for at in _neighbours(centre, model.grid.shape)])
            front = [at for at in fresh if search.matters(at)]
    points = [point for at, point in sorted(search.points.items()) if search.matters(at)]
    logs = np.array([point.logs for point in points])
    weights = np.where(logs > search.best + np.log(keep), np.exp(logs - search.best), 0.0)
    return Posterior(model.grid, points, weights / weights.sum())


class _Search:
    """The points of the grid that were computed; those that do not matter are not kept."""

    def __init__(self, model: MixedModel, trend_sd: float, log_keep: float) -> None:
        self._model, self._trend_sd, self._log_keep = model, trend_sd, log_keep
        self.points: dict[_At, Point] = {}
        self._heights: dict[_At, float] = {}
        self.best = -np.inf

    def matters(self, at: _At) -> bool:
        return bool(self._heights[at] > self.best + self._log_keep)

    def compute(self, wanted: Sequence[_At]) -> list[_At]:
        """Compute what is not yet, and return it."""
        new = [at for at in dict.fromkeys(wanted) if at not in self._heights]
        for start in range(0, len(new), _POINTS_AT_ONCE):
            for point in self._model.points(np.array(new[start : start + _POINTS_AT_ONCE]), self._trend_sd):
                height = self._heights[point.at] = float(point.logs.max())
                self.best = max(self.best, height)
                if self.matters(point.at):
                    self.points[point.at] = point
        return new

    def mattering(self) -> list[_At]:
        """Return the points computed so far that matter."""
        return [at for at in self.points if self.matters(at)]

    def climb(self) -> None:
        """Compute along the axes until none leads higher."""
        shape = self._model.grid.shape
        at: _At = tuple(size // 2 for size in shape)
        start: _At = ()
        while at != start:
            start = at
            for axis, size in enumerate(shape):
                along = [(*at[:axis], i, *at[axis + 1 :]) for i in range(size)]
                self.compute(along)
                at = max(along, key=lambda one: self._heights[one])


def _neighbours(at: _At, shape: tuple[int, ...]) -> list[_At]:
    """Return the points one step away along each axis."""
    return [
        (*at[:axis], at[axis] + step, *at[axis + 1 :])
        for axis in range(len(at))
        for step in (-1, 1)
        if 0 <= at[axis] + step < shape[axis]
    ]


def f_test(model: MixedModel, posterior: Posterior, *, share: float = 0.95) -> float:
    """Return the p value of an F test that all pieces are equal, averaged over the noise that the data allow.

    Parameters
    ----------
    model : MixedModel
        Of plays, without ratings.
    posterior : Posterior
        Only the proportions of its variances matter: the size is estimated from the residuals.
    share : float
        Of the weight; the rest of the points is left out.

    Returns
    -------
    float
        1 where nothing can be tested (no residual degrees of freedom).
    """
    extra, free = _degrees_of_freedom(model.design)
    if extra < 1 or free < 1:
        return 1.0
    weights = posterior.weights.sum(axis=1)
    order = np.argsort(-weights)
    order = order[: int(np.searchsorted(np.cumsum(weights[order]), share)) + 1]
    gram, _ = model.products(np.array([posterior.points[i].at for i in order]), FLAT_SD)
    q = model.design.pieces
    full = _residual(gram, np.arange(gram.shape[1] - 1))
    small = _residual(gram, np.arange(q, gram.shape[1] - 1))
    values = f_upper_tail(extra, free, np.maximum(small - full, 0.0) / extra / np.maximum(full / free, 1e-300))
    return float(weights[order] @ values / weights[order].sum())


def _residual(gram: Float64, columns: Int64) -> Float64:
    """Return the residual sum of squares after some coefficients, for each gram matrix."""
    if not len(columns):
        return np.asarray(gram[:, -1, -1])
    inner, moment = gram[:, columns[:, None], columns], gram[:, columns, -1]
    inverse = np.linalg.pinv(inner, rcond=1e-12, hermitian=True)
    return np.asarray(gram[:, -1, -1] - np.einsum("pi,pij,pj->p", moment, inverse, moment))


def _degrees_of_freedom(design: ModelDesign) -> tuple[int, int]:
    """Return the degrees of freedom of pieces and of residuals, with a level and a trend for each recording."""
    q, g = design.pieces, len(design.shared_sd)
    inner = np.zeros((q + g, q + g))
    rows = local_rank = 0
    for one in design.recordings:
        local = one.local[:, :2]
        columns = np.column_stack([one.piece[:, None] == np.arange(q), one.shared])
        left, sizes, _ = np.linalg.svd(local, full_matrices=False)
        basis = left[:, sizes > 1e-9 * max(sizes.max(), 1e-300)]
        columns = columns - basis @ (basis.T @ columns)
        inner += columns.T @ columns
        rows += len(one.y)
        local_rank += basis.shape[1]
    full = _rank(inner)
    return full - _rank(inner[q:, q:]), rows - local_rank - full


def _rank(inner: Float64) -> int:
    if not inner.size:
        return 0
    values = np.linalg.eigvalsh(inner)
    return int((values > 1e-9 * max(float(values[-1]), 1e-300)).sum())
