"""The prior over sections: bar after bar, each a variation of an earlier bar or something new."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

# The bars, so many back, that a new bar knows, and may take up again: the last one, and those of two, four, eight ago.
LAGS = (1, 2, 4, 8)
KINDS = ("major", "minor")
PREFIX = "prior/"
# Bounds of a component's log deviation.
SPREAD = (-5.0, 3.0)


class BarPrior:
    """An autoregressive mixture of Gaussians over the bars of z, fitted to the aggregate posterior of calm music.

    The distribution of a bar's z has a component around each bar of `LAGS` (it returns) and some of its own (it is
    new). An LSTM that reads the bars so far says how likely, where and how wide each is.

    Parameters
    ----------
    arrays : mapping of str to float32 array
        Those of a model file; the prior's begin with ``prior/``.
    bars, bar_z : int
        Shape of z.

    Notes
    -----
    Mixture density outputs as in Bishop 1994, "Mixture density networks", and Graves 2013 (arXiv 1308.0850).
    """

    def __init__(self, arrays: Mapping[str, FloatArray], bars: int, bar_z: int) -> None:
        self.arrays = {name.removeprefix(PREFIX): array for name, array in arrays.items() if name.startswith(PREFIX)}
        self.bars, self.bar_z = bars, bar_z

    def sample(self, n: int, rng: np.random.Generator, kind: str, density: float, temperature: float) -> FloatArray:
        """Draw z (n, bars * bar_z).

        Parameters
        ----------
        n : int
        rng : Generator
        kind : {"major", "minor"}
        density : float
            Notes, in standard deviations of the training music from its mean; see `standardised`.
        temperature : float
            Scale of the noise within a component, and of the choice among components.
        """
        a = self.arrays
        known = np.zeros((n, self.bars + max(LAGS), self.bar_z), dtype=np.float32)
        hidden = cell = np.zeros((n, len(a["lstm/recurrent"])), dtype=np.float32)
        for bar in range(self.bars):
            seen = [known[:, max(LAGS) + bar - lag] for lag in LAGS]
            features = np.concatenate([*seen, conditions(n, bar, self.bars, kind, density)], axis=-1)
            gates = features @ a["gates/kernel"] + a["lstm/bias"] + hidden @ a["lstm/recurrent"]
            i, f, g, o = np.split(gates, 4, axis=-1)
            cell = _sigmoid(f) * cell + _sigmoid(i) * np.tanh(g)
            hidden = _sigmoid(o) * np.tanh(cell)
            weights, means, deviations = self._mixture(hidden, np.stack(seen, axis=1), bar)
            chosen = (weights / max(temperature, 1e-3) + rng.gumbel(size=weights.shape)).argmax(axis=-1)
            rows = np.arange(n)
            noise = temperature * rng.standard_normal((n, self.bar_z), dtype=np.float32)
            known[:, max(LAGS) + bar] = means[rows, chosen] + deviations[rows, chosen] * noise
        return known[:, max(LAGS) :].reshape(n, -1)

    def standardised(self, density: float) -> float:
        """Return a density in notes a bar (of all voices) in the prior's own units."""
        mean, deviation, _ = self.arrays["density"]
        return float((density - mean) / deviation)

    @property
    def usual_density(self) -> float:
        """The density, in the prior's own units, of the calm music it was fitted to."""
        return float(self.arrays["density"][2])

    def _mixture(self, hidden: FloatArray, seen: FloatArray, bar: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return log weights (n, m), means (n, m, bar_z) and deviations (n, m, bar_z) of the components."""
        out = hidden @ self.arrays["mixture/kernel"] + self.arrays["mixture/bias"]
        weights, deviations, means = split_mixture(out, self.bar_z)
        closed = [lag > bar for lag in LAGS] + [False] * (weights.shape[-1] - len(LAGS))
        return (
            np.where(closed, -np.inf, weights),
            np.concatenate([seen, means], axis=1),
            np.exp(deviations.clip(*SPREAD)),
        )


def conditions(n: int, bar: int, bars: int, kind: str, density: float) -> FloatArray:
    """Return what the prior is told besides the bars before: (n, bars + 2) with the bar's place, mode and density."""
    told = np.zeros((n, bars + 2), dtype=np.float32)
    told[:, bar] = 1.0
    told[:, bars] = float(kind == "minor")
    told[:, bars + 1] = density
    return told


def split_mixture(out: FloatArray, bar_z: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Take the output layer apart: log weights (n, m), log deviations (n, m, bar_z), means (n, m - lags, bar_z)."""
    count = (out.shape[-1] + len(LAGS) * bar_z) // (1 + 2 * bar_z)
    weights = out[:, :count]
    deviations = out[:, count : count * (1 + bar_z)].reshape(len(out), count, bar_z)
    means = out[:, count * (1 + bar_z) :].reshape(len(out), count - len(LAGS), bar_z)
    return weights, deviations, means


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.reciprocal(1.0 + np.exp(-x), dtype=np.float32)
