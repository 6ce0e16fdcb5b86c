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
from itertools import product

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
    """

    y: Float64
    columns: Float64
    prior_sd: Float64
    pieces: int
    clean_s: Float64
    time_s: Float64
    groups: Sequence[npt.NDArray[np.int64]]


@dataclass(frozen=True)
class Posterior:
    """Normal posteriors of the coefficients, one for each point of the grid, with its weight.

    Parameters
    ----------
    weights : array, shape (k,)
        Sum to 1.
    means : array, shape (k, p)
    covariances : array, shape (k, p, p)
    tau : array, shape (k,)
        SD of the piece effects, dB.
    noise : sequence of Noise, length k
    """

    weights: Float64
    means: Float64
    covariances: Float64
    tau: Float64
    noise: Sequence[Noise]

    def best_noise(self) -> Noise:
        """Return the noise with the most weight, whatever the pieces' variance."""
        sums: dict[Noise, float] = {}
        for noise, weight in zip(self.noise, self.weights, strict=True):
            sums[noise] = sums.get(noise, 0.0) + float(weight)
        return max(sums, key=lambda noise: sums[noise])


def covariance(design: Design, rows: npt.NDArray[np.int64], noise: Noise) -> Float64:
    """Return the noise covariance of one recording's rows."""
    apart = np.abs(design.time_s[rows, None] - design.time_s[rows])
    result: Float64 = noise.drift**2 * np.exp(-apart / noise.memory_s)
    result[np.diag_indices(len(rows))] += noise.sampling**2 * 60.0 / design.clean_s[rows]
    return result


def whiten(design: Design, noise: Noise) -> tuple[Float64, Float64, float]:
    """Return columns and data with the noise's correlation taken out, and the log determinant of its covariance."""
    from scipy.linalg import solve_triangular

    both = np.column_stack([design.columns, design.y])
    out = np.empty_like(both)
    logdet = 0.0
    for rows in design.groups:
        root = np.linalg.cholesky(covariance(design, rows, noise))
        out[rows] = solve_triangular(root, both[rows], lower=True)
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
    fixed = len(design.prior_sd)
    grams = []
    for noise, prior in noises:
        columns, y, logdet = whiten(design, noise)
        grams.append((noise, prior - 0.5 * logdet - 0.5 * float(y @ y), columns.T @ columns, columns.T @ y))
    points: list[tuple[float, float, Noise, Float64, Float64]] = []
    for (noise, constant, gram, moment), (tau, prior) in product(grams, taus):
        sd = np.concatenate([design.prior_sd, np.full(design.pieces, tau)])
        # In units of the prior's SD the matrix is well scaled however flat or narrow a prior is.
        scaled = gram * sd[:, None] * sd
        scaled[np.diag_indices(len(sd))] += 1.0
        root = np.linalg.cholesky(scaled)
        half = np.linalg.solve(root, sd * moment)
        # The part of the determinant that a flat prior adds is the same everywhere, and drops out with the weights.
        value = constant + prior + 0.5 * float(half @ half) - float(np.log(np.diag(root)).sum())
        points.append((value, tau, noise, scaled, sd))
        del root
    values = np.array([point[0] for point in points])
    weights = np.exp(values - values.max())
    chosen = np.flatnonzero(weights >= keep * weights.max())
    weights = weights[chosen] / weights[chosen].sum()
    moments = {noise: moment for noise, _, _, moment in grams}
    p = fixed + design.pieces
    means, covariances = np.empty((len(chosen), p)), np.empty((len(chosen), p, p))
    for k, i in enumerate(chosen):
        _, _, noise, scaled, sd = points[i]
        inverse = np.linalg.inv(scaled) * sd[:, None] * sd
        covariances[k] = (inverse + inverse.T) / 2
        means[k] = inverse @ moments[noise]
    return Posterior(
        weights, means, covariances, np.array([points[i][1] for i in chosen]), [points[i][2] for i in chosen]
    )


def mixture_interval(means: Float64, sds: Float64, weights: Float64, level: float) -> tuple[Float64, Float64]:
    """Return the central interval of mixtures of normals.

    Parameters
    ----------
    means, sds : array, shape (k, q)
    weights : array, shape (k,)
    level : float
        E.g. 0.9.

    Returns
    -------
    low, high : array, shape (q,)
    """
    from scipy.special import ndtr

    def quantile(share: float) -> Float64:
        low, high = (means - 12 * sds).min(axis=0), (means + 12 * sds).max(axis=0)
        for _ in range(60):
            middle = (low + high) / 2
            below = weights @ ndtr((middle - means) / sds) < share
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray((low + high) / 2)

    return quantile((1 - level) / 2), quantile((1 + level) / 2)


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
    from scipy.stats import f

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
    return float(f.sf((small - full) / extra / (full / free), extra, free))
