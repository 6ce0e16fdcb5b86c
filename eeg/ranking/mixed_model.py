"""A Gaussian mixed model with few variances, fitted by restricted likelihood averaged over a grid.

``y = F b + e``: the coefficients ``b`` (recording means, time trends, muscle, mean of the pieces, pieces) have normal
priors, flat for what REML calls fixed; the noise ``e`` has a part that goes down with clean time and a part that
drifts. With flat fixed effects the marginal likelihood of the variances is the restricted likelihood (Harville 1974,
10.1093/biomet/61.2.383). Taking its maximum would call the pieces equal in half of all small studies and make intervals
too narrow in the others, so it is averaged over a grid, each variance weighted by a prior from measured recordings
(Gelman 2006, 10.1214/06-BA117A). Everything stays in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

FLAT_SD = 100.0


@dataclass(frozen=True)
class Noise:
    """Variances of the noise at one point of the grid.

    Parameters
    ----------
    sampling : float
        SD in dB of a play with 60 clean seconds; its square goes with 60 / clean seconds.
    drift : float
        SD in dB of the drift.
    memory_s : float
        Time in which the drift's correlation falls to 1/e (an Ornstein-Uhlenbeck process); seconds.
    """

    sampling: float
    drift: float
    memory_s: float


@dataclass(frozen=True)
class Design:
    """The data.

    Parameters
    ----------
    y : array, shape (n,)
        dB.
    columns : array, shape (n, p)
        All coefficients' columns; the pieces' last.
    prior_sd : array, shape (p - q,)
        Of the coefficients that are not pieces, dB; `FLAT_SD` for fixed ones.
    pieces : int
        q, how many columns are pieces.
    clean_s : array, shape (n,)
    time_s : array, shape (n,)
        Middle of each play from the start of its recording, seconds.
    groups : sequence of array of int
        Rows of each recording: noise is correlated within, not between.
    known_sd : array, shape (n,)
        SD of the noise of rows that neither drift nor depend on clean time, dB; nan for all others.
    """

    y: Float64
    columns: Float64
    prior_sd: Float64
    pieces: int
    clean_s: Float64
    time_s: Float64
    groups: Sequence[npt.NDArray[np.int64]]
    known_sd: Float64


@dataclass(frozen=True)
class Point:
    """A point of the grid: the normal posterior of the coefficients there.

    Parameters
    ----------
    noise : Noise
    tau : float
        SD of the piece effects, dB.
    sd : array, shape (p,)
        Prior SD of each coefficient.
    gram : array, shape (p, p)
    moment : array, shape (p,)
        Products of the whitened columns with one another, and with the data.
    """

    noise: Noise
    tau: float
    sd: Float64
    gram: Float64
    moment: Float64

    def root(self) -> Float64:
        """Return the Cholesky factor of the posterior's precision, in units of the prior's SD (well scaled)."""
        scaled = self.gram * self.sd[:, None] * self.sd
        scaled[np.diag_indices(len(self.sd))] += 1.0
        return np.asarray(np.linalg.cholesky(scaled), dtype=np.float64)

    def mean(self, root: Float64) -> Float64:
        """Return the posterior mean."""
        half = np.linalg.solve(root, self.sd * self.moment)
        return np.asarray(self.sd * np.linalg.solve(root.T, half))

    def draw(self, count: int, rng: np.random.Generator) -> Float64:
        """Return draws from the posterior, shape (count, p)."""
        root = self.root()
        noise = np.linalg.solve(root.T, rng.standard_normal((len(self.sd), count)))
        return np.asarray(self.mean(root) + (self.sd[:, None] * noise).T)


@dataclass(frozen=True)
class Posterior:
    """The points of the grid that matter, with their weights (which sum to 1)."""

    points: Sequence[Point]
    weights: Float64

    def average(self, values: Sequence[float]) -> float:
        """Return the weighted mean of a value of each point."""
        return float(self.weights @ np.asarray(values))

    def mean(self) -> Float64:
        """Return the posterior mean of the coefficients."""
        return np.asarray(sum(w * point.mean(point.root()) for point, w in zip(self.points, self.weights, strict=True)))

    def best_noise(self) -> Noise:
        """Return the noise with the most weight, whatever the pieces' variance."""
        sums: dict[Noise, float] = {}
        for point, weight in zip(self.points, self.weights, strict=True):
            sums[point.noise] = sums.get(point.noise, 0.0) + float(weight)
        return max(sums, key=lambda noise: sums[noise])


def covariance(design: Design, rows: npt.NDArray[np.int64], noise: Noise) -> Float64:
    """Return the noise covariance of one recording's rows."""
    known = design.known_sd[rows]
    if np.isfinite(known).all():
        return np.diag(known**2)
    apart = np.abs(design.time_s[rows, None] - design.time_s[rows])
    result: Float64 = noise.drift**2 * np.exp(-apart / noise.memory_s)
    result[np.diag_indices(len(rows))] += noise.sampling**2 * 60.0 / design.clean_s[rows]
    return result


def whiten(design: Design, noise: Noise) -> tuple[Float64, Float64, float]:
    """Return columns and data with the noise's correlation taken out, and the log determinant of its covariance."""
    both = np.column_stack([design.columns, design.y])
    out = np.empty_like(both)
    logdet = 0.0
    for rows in design.groups:
        root = np.linalg.cholesky(covariance(design, rows, noise))
        out[rows] = np.linalg.solve(root, both[rows])
        logdet += 2.0 * float(np.log(np.diag(root)).sum())
    return out[:, :-1], out[:, -1], logdet


def fit(
    design: Design,
    noises: Sequence[tuple[Noise, float]],
    taus: Sequence[tuple[float, float]],
    *,
    keep: float = 1e-4,
) -> Posterior:
    """Average over a grid of variances.

    Parameters
    ----------
    design : Design
    noises, taus : sequence of (point, log prior weight)
        The grid is their product.
    keep : float
        Points with less than this share of the largest weight are dropped.
    """
    found: list[tuple[float, Point]] = []
    best = -np.inf
    for noise, noise_prior in noises:
        columns, y, logdet = whiten(design, noise)
        gram, moment = columns.T @ columns, columns.T @ y
        constant = noise_prior - 0.5 * logdet - 0.5 * float(y @ y)
        sds = np.array([np.concatenate([design.prior_sd, np.full(design.pieces, tau)]) for tau, _ in taus])
        roots = np.linalg.cholesky(gram * sds[:, :, None] * sds[:, None] + np.eye(sds.shape[1]))
        halves = np.linalg.solve(roots, (sds * moment)[:, :, None])[:, :, 0]
        # What a flat prior adds to the determinant is the same everywhere, and drops out of the weights.
        logs = np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
        values = constant + 0.5 * (halves**2).sum(axis=1) - logs + np.array([prior for _, prior in taus])
        best = max(best, float(values.max()))
        found += [
            (float(value), Point(noise, tau, sd, gram, moment))
            for value, (tau, _), sd in zip(values, taus, sds, strict=True)
        ]
        found = [(value, point) for value, point in found if value > best + np.log(keep)]
    weights = np.exp(np.array([value for value, _ in found]) - best)
    return Posterior([point for _, point in found], weights / weights.sum())


def f_test(design: Design, noise: Noise, tested: npt.NDArray[np.bool_]) -> float:
    """Return the p value of an F test that some columns' coefficients are all zero.

    Parameters
    ----------
    design : Design
    noise : Noise
        Only its proportions matter: the size is estimated from the residuals.
    tested : array of bool, shape (p,)
        Which columns.

    Returns
    -------
    float
        1 where nothing can be tested (no residual degrees of freedom).
    """
    from scipy.special import fdtrc  # the F distribution's upper tail; scipy.stats takes long to import

    columns, y, _ = whiten(design, noise)

    def residual(matrix: Float64) -> tuple[float, int]:
        if matrix.shape[1] == 0:
            return float(y @ y), 0
        left, sizes, _ = np.linalg.svd(matrix, full_matrices=False)
        rank = int((sizes > sizes[0] * 1e-9).sum())
        basis = left[:, :rank]
        rest = y - basis @ (basis.T @ y)
        return float(rest @ rest), rank

    small, small_rank = residual(columns[:, ~tested])
    full, full_rank = residual(columns)
    extra, free = full_rank - small_rank, len(y) - full_rank
    if extra < 1 or free < 1 or full <= 0:
        return 1.0
    return float(fdtrc(extra, free, (small - full) / extra / (full / free)))
