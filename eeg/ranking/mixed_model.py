"""A Gaussian mixed model, fitted recording by recording, with restricted likelihood averaged over a grid of variances.

``y = F b + Z u + e``. The coefficients ``b`` are the pieces (normal, SD tau) and what all recordings share (muscle,
mean of the pieces); the effects ``u`` belong to one recording: its level (flat, which makes the marginal likelihood of
the variances the restricted one: Harville 1974, 10.1093/biomet/61.2.383), its trend and curvature, what music does on
that day, and what each piece does on that day. The noise ``e`` has a part that goes down with clean time and a part
that drifts. Taking the maximum of the likelihood would call the pieces equal in half of all small studies and make
intervals too narrow in the others, so it is averaged over a grid, each variance weighted by a prior from measured
recordings (Gelman 2006, 10.1214/06-BA117A).

Noise and effects ``u`` are independent between recordings, so that each recording is reduced by itself to its products
with the shared coefficients, and these are added: time and memory grow linearly with the recordings. Within a recording
the covariance is diagonal in the eigenvectors of its drift, whatever the two sizes of the noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

FLAT_SD = 100.0
# SD of the middle of a recording against both ends, dB: rest of ten people bends by 0.4 (benchmarks/eeg/null.py).
CURVE_SD = 0.5
# Columns of a recording that belong to it alone: level, trend, curvature, music. Those of its pieces follow.
LOCAL = 4
# Recordings times points of the grid that are computed at once; bounds the memory.
_AT_ONCE = 4000


@dataclass(frozen=True)
class RecordingRows:
    """One recording's plays and silences.

    Parameters
    ----------
    y : array, shape (n,)
        dB.
    local : array, shape (n, 4)
        Columns of level, trend, curvature and music.
    shared : array, shape (n, g)
        Columns of the coefficients that all recordings share.
    piece : array of int, shape (n,)
        Number of the piece; -1 for silence.
    clean_s, time_s : array, shape (n,)
        Clean seconds, and the middle of each play from the start of the recording, seconds.
    """

    y: Float64
    local: Float64
    shared: Float64
    piece: Int64
    clean_s: Float64
    time_s: Float64


@dataclass(frozen=True)
class ModelDesign:
    """The data.

    Parameters
    ----------
    recordings : sequence of RecordingRows
    shared_sd : array, shape (g,)
        Prior SD of the shared coefficients, dB; `FLAT_SD` for fixed ones.
    pieces : int
        q, how many pieces there are.
    rated : array, shape (q + g + 1, q + g + 1)
        Products that ratings add; zero without ratings.
    """

    recordings: Sequence[RecordingRows]
    shared_sd: Float64
    pieces: int
    rated: Float64


@dataclass(frozen=True)
class Axis:
    """One variance of the grid: its values and the logarithm of their prior weights, both shape (m,)."""

    values: Float64
    log_prior: Float64


@dataclass(frozen=True)
class ParameterGrid:
    """The variances that are averaged over.

    Parameters
    ----------
    sampling, drift, memory_s : Axis
        SD in dB of a play with 60 clean seconds; SD of the drift, dB; time in which the drift's correlation falls to
        1/e (an Ornstein-Uhlenbeck process), seconds.
    music_day, piece_day : Axis
        SD in dB of the effects of music, and of a piece, that one day adds to those of all days.
    tau : Axis
        SD of the piece effects, dB.
    """

    sampling: Axis
    drift: Axis
    memory_s: Axis
    music_day: Axis
    piece_day: Axis
    tau: Axis

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes of the noise."""
        return self.sampling, self.drift, self.memory_s, self.music_day, self.piece_day

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each axis of the noise has."""
        return tuple(len(axis.values) for axis in self.axes)


@dataclass(frozen=True)
class _Bucket:
    """Recordings of similar size, padded to one: columns in the eigenvectors of the drift for each memory."""

    columns: Float64  # (memories, recordings, n, LOCAL + k + g + 1)
    spectrum: Float64  # (memories, recordings, n)
    real: npt.NDArray[np.bool_]  # (recordings, n)
    pieces: Int64  # (recordings, k): numbers of the pieces, q where padded

    @property
    def k(self) -> int:
        return int(self.pieces.shape[1])


def _buckets(design: ModelDesign, memories: Float64) -> list[_Bucket]:
    """Sort recordings by size, so that little is padded."""
    sizes: dict[tuple[int, int], list[tuple[RecordingRows, Int64]]] = {}
    for one in design.recordings:
        here = np.unique(one.piece[one.piece >= 0])
        key = (_rounded(len(one.y)), _rounded(len(here)))
        sizes.setdefault(key, []).append((one, here))
    return [_bucket(rows, design, memories) for rows in sizes.values()]


def _rounded(size: int) -> int:
    return 0 if size == 0 else size if size <= 4 else 4 * -(-size // 4)


def _bucket(rows: Sequence[tuple[RecordingRows, Int64]], design: ModelDesign, memories: Float64) -> _Bucket:
    n, k = max(len(one.y) for one, _ in rows), max(len(here) for _, here in rows)
    g = len(design.shared_sd)
    columns = np.zeros((len(memories), len(rows), n, LOCAL + k + g + 1))
    spectrum = np.zeros((len(memories), len(rows), n))
    real = np.zeros((len(rows), n), dtype=np.bool_)
    pieces = np.full((len(rows), k), design.pieces)
    for r, (one, here) in enumerate(rows):
        size = len(one.y)
        real[r, :size] = True
        pieces[r, : len(here)] = here
        indicator = np.zeros((size, k))
        indicator[:, : len(here)] = one.piece[:, None] == here
        scale = np.sqrt(one.clean_s / 60.0)
        plain = np.column_stack([one.local, indicator, one.shared, one.y]) * scale[:, None]
        apart = np.abs(one.time_s[:, None] - one.time_s)
        for m, memory in enumerate(memories):
            values, vectors = np.linalg.eigh(scale[:, None] * np.exp(-apart / memory) * scale)
            columns[m, r, :size] = vectors.T @ plain
            spectrum[m, r, :size] = np.maximum(values, 0.0)
    return _Bucket(columns, spectrum, real, pieces)


@dataclass(frozen=True)
class Point:
    """A point of the noise grid: the posterior of the coefficients there, for any SD between pieces.

    Parameters
    ----------
    at : tuple of int
        Where on the grid.
    logs : array, shape (taus,)
        Logarithm of the weight with each SD between pieces.
    vectors, values, moment : array, shapes (q, q), (q,), (q,)
        Eigenvectors and eigenvalues of the pieces' precision without its prior, and the data in these vectors.
    shared_root : array, shape (g, g)
        ``shared_root.T @ shared_root`` is the covariance of the shared coefficients, the pieces known.
    shared_pieces, shared_moment : array, shapes (g, q), (g,)
    """

    at: tuple[int, ...]
    logs: Float64
    vectors: Float64
    values: Float64
    moment: Float64
    shared_root: Float64
    shared_pieces: Float64
    shared_moment: Float64

    def mean(self, taus: Float64, weights: Float64) -> Float64:
        """Return the posterior mean of pieces and shared coefficients, averaged over SDs between pieces."""
        square = taus[:, None] ** 2
        centre = weights @ (square * self.moment / (1 + square * self.values)) / weights.sum()
        pieces = self.vectors @ centre
        return np.concatenate([pieces, self._shared(pieces[None])[0]])

    def draw(self, taus: Float64, rng: np.random.Generator) -> Float64:
        """Return draws of pieces and shared coefficients, one for each SD between pieces, shape (draws, q + g)."""
        square = taus[:, None] ** 2
        shrunk = square / (1 + square * self.values)
        normal = rng.standard_normal((len(taus), len(self.values) + len(self.shared_moment)))
        q = len(self.values)
        pieces = (shrunk * self.moment + np.sqrt(shrunk) * normal[:, :q]) @ self.vectors.T
        return np.hstack([pieces, self._shared(pieces) + normal[:, q:] @ self.shared_root])

    def _shared(self, pieces: Float64) -> Float64:
        rest = self.shared_moment - pieces @ self.shared_pieces.T
        return np.asarray(rest @ self.shared_root.T @ self.shared_root)


@dataclass(frozen=True)
class Posterior:
    """The points of the grid that matter, with their weights (which sum to 1), shape (points, taus)."""

    grid: ParameterGrid
    points: Sequence[Point]
    weights: Float64

    def mean(self) -> Float64:
        """Return the posterior mean of the coefficients, pieces first."""
        taus = self.grid.tau.values
        return np.asarray(
            sum(row.sum() * point.mean(taus, row) for point, row in zip(self.points, self.weights, strict=True))
        )

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Float64, Float64]:
        """Return draws of the coefficients, shape (count, q + g), and the SD between pieces of each."""
        counts = rng.multinomial(count, self.weights.ravel()).reshape(self.weights.shape)
        each = [np.repeat(self.grid.tau.values, row) for row in counts]
        drawn = [point.draw(taus, rng) for point, taus in zip(self.points, each, strict=True) if len(taus)]
        shuffled = rng.permutation(count)
        return np.concatenate(drawn)[shuffled], np.concatenate(each)[shuffled]

    def average(self, axis: int) -> float:
        """Return the posterior mean of one of the noise's axes."""
        values = self.grid.axes[axis].values
        return float(sum(w * values[p.at[axis]] for p, w in zip(self.points, self.weights.sum(axis=1), strict=True)))

    def average_tau(self) -> float:
        """Return the posterior mean SD between pieces."""
        return float(self.weights.sum(axis=0) @ self.grid.tau.values)


class MixedModel:
    """A design, ready to be evaluated at points of a grid."""

    def __init__(self, design: ModelDesign, grid: ParameterGrid) -> None:
        self.design, self.grid = design, grid
        self._buckets = _buckets(design, grid.memory_s.values)

    def products(self, at: Int64, trend_sd: float) -> tuple[Float64, Float64]:
        """Reduce the recordings to products of the coefficients that they share.

        Parameters
        ----------
        at : array of int, shape (p, 5)
            Points of the noise's grid.
        trend_sd : float
            Prior SD of the trends.

        Returns
        -------
        gram : array, shape (p, q + g + 1, q + g + 1)
            Whitened products of pieces, shared coefficients and data.
        logdet : array, shape (p,)
            Of the covariance of the data, but for a constant.
        """
        q, g = self.design.pieces, len(self.design.shared_sd)
        gram = np.zeros((len(at), q + g + 2, q + g + 2))  # one more for padding, cut off below
        logdet = np.zeros(len(at))
        keys = np.ravel_multi_index((at[:, 0], at[:, 1], at[:, 2]), self.grid.shape[:3])
        for bucket in self._buckets:
            step = max(1, _AT_ONCE // max(len(bucket.real), 1))
            for start in range(0, len(at), step):
                rows = slice(start, start + step)
                _add_products(bucket, self, at[rows], keys[rows], trend_sd, gram[rows], logdet[rows])
        keep = np.r_[0:q, q + 1 : q + g + 2]
        return gram[:, keep[:, None], keep] + self.design.rated, logdet

    def points(self, at: Int64, trend_sd: float) -> list[Point]:
        """Return the posterior at points of the grid."""
        gram, logdet = self.products(at, trend_sd)
        q, g = self.design.pieces, len(self.design.shared_sd)
        prior = sum(axis.log_prior[at[:, i]] for i, axis in enumerate(self.grid.axes))
        shared = gram[:, q : q + g, q : q + g] + np.diag(self.design.shared_sd**-2.0)
        roots = np.linalg.cholesky(shared)
        inverse = np.linalg.inv(roots)
        logdet = logdet + 2 * np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
        # The pieces and the data, with the shared coefficients taken out.
        half = inverse @ np.concatenate([gram[:, q : q + g, :q], gram[:, q : q + g, -1:]], axis=2)
        rest = np.concatenate([gram[:, :q, :q], gram[:, :q, -1:]], axis=2) - half[:, :, :q].transpose(0, 2, 1) @ half
        values, vectors = np.linalg.eigh(rest[:, :, :q])
        values = np.maximum(values, 0.0)
        moment = np.einsum("pij,pi->pj", vectors, rest[:, :, q])
        left = gram[:, -1, -1] - (half[:, :, q] ** 2).sum(axis=1)
        taus = self.grid.tau.values[:, None, None] ** 2
        gain = (moment**2 * taus / (1 + taus * values)).sum(axis=2).T
        size = np.log1p(taus * values).sum(axis=2).T
        logs = (prior - 0.5 * (logdet + left))[:, None] + 0.5 * (gain - size) + self.grid.tau.log_prior
        return [
            Point(
                tuple(int(i) for i in at[p]),
                logs[p],
                vectors[p],
                values[p],
                moment[p],
                inverse[p],
                gram[p, q : q + g, :q],
                gram[p, q : q + g, -1],
            )
            for p in range(len(at))
        ]


def _add_products(
    bucket: _Bucket, model: MixedModel, at: Int64, keys: Int64, trend_sd: float, gram: Float64, logdet: Float64
) -> None:
    """Add one bucket's products at some points to `gram` and `logdet`."""
    grid, k = model.grid, bucket.k
    q, g = model.design.pieces, len(model.design.shared_sd)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    sampling = grid.sampling.values[at[first, 0], None, None]
    drift = grid.drift.values[at[first, 1], None, None]
    memory = at[first, 2]
    variance = sampling**2 + drift**2 * bucket.spectrum[memory]  # (u, recordings, n)
    columns = bucket.columns[memory]
    products = (columns / variance[..., None]).swapaxes(-1, -2) @ columns  # (u, recordings, c, c)
    sizes = np.where(bucket.real, np.log(variance), 0.0).sum(axis=(1, 2))
    local = LOCAL + k
    sd = np.empty((len(at), local))
    sd[:, 0], sd[:, 1] = FLAT_SD, trend_sd
    sd[:, 2], sd[:, 3] = CURVE_SD, grid.music_day.values[at[:, 3]]
    sd[:, LOCAL:] = grid.piece_day.values[at[:, 4], None]
    here = products[inverse]  # (p, recordings, c, c)
    inner = here[:, :, :local, :local] * sd[:, None, :, None] * sd[:, None, None, :]
    inner[..., np.arange(local), np.arange(local)] += 1.0
    roots = np.linalg.cholesky(inner)
    cross = here[:, :, :local, LOCAL:] * sd[:, None, :, None]
    half = np.linalg.solve(roots, cross)
    reduced = here[:, :, LOCAL:, LOCAL:] - half.swapaxes(-1, -2) @ half  # (p, recordings, k + g + 1, k + g + 1)
    logdet += sizes[inverse] + 2 * np.log(np.diagonal(roots, axis1=2, axis2=3)).sum(axis=(1, 2))
    rest = np.broadcast_to(np.arange(q + 1, q + g + 2), (len(bucket.pieces), g + 1))
    places = np.concatenate([bucket.pieces, rest], axis=1)  # (recordings, k + g + 1)
    width = q + g + 2
    flat = (places[:, :, None] * width + places[:, None, :]).ravel()
    for p in range(len(at)):
        gram[p] += np.bincount(flat, reduced[p].ravel(), width * width).reshape(width, width)
