"""The prior over sections: bar after bar, each a variation of an earlier bar or something new."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from therapy_gen.musicvae.traits import DENSITY

FloatArray = npt.NDArray[np.float32]

# The bars, so many back, that a new bar knows, and may take up again: the last one, and those of two, four, eight ago.
LAGS = (1, 2, 4, 8)
KINDS = ("major", "minor")
PREFIX = "prior/"
# Bounds of a component's log deviation.
SPREAD = (-5.0, 3.0)
# Deviation of the traits of a new section from those of the one it follows, and of the densities that are near the one
# asked for; in standard deviations of each trait.
# The choice among components is surer than the noise within one: bars return, or do not, as is likeliest.
_SURER = 0.3
_BLUR = 0.05
_NEAR = 0.1


class BarPrior:
    """An autoregressive mixture of Gaussians over the bars of z, fitted to the aggregate posterior of calm music.

    The distribution of a bar's z has a component around each bar of `LAGS` (it returns) and some of its own (it is
    new). An LSTM that reads the bars so far, and is told what the section is like as a whole (`traits`), says how
    likely, where and how wide each is. What a section is like is drawn first: as one of the calm sections that the
    prior was fitted to, nearly.

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
        self.arrays = {name.removeprefix(PREFIX): arrays[name] for name in arrays if name.startswith(PREFIX)}
        self.bars, self.bar_z = bars, bar_z

    def sample(
        self, n: int, rng: np.random.Generator, kind: str, temperature: float, density: float | None = None
    ) -> FloatArray:
        """Draw z (n, bars * bar_z).

        Parameters
        ----------
        n : int
        rng : Generator
        kind : {"major", "minor"}
        temperature : float
            Scale of the noise within a component; the choice among components is surer.
        density : float, optional
            Notes a bar, of all voices together.
        """
        return self.given(self.draw_traits(n, rng, kind, density), rng, kind, temperature)

    def draw_traits(self, n: int, rng: np.random.Generator, kind: str, density: float | None = None) -> FloatArray:
        """Draw what n sections are to be like, (n, traits) in standard deviations, from calm music of a mode."""
        a = self.arrays
        found = a["traits/known"][a["traits/minor"] == float(kind == "minor")]
        if not len(found):
            found = a["traits/known"]
        weights = np.full(len(found), 1.0 / len(found))
        if density is not None:
            mean, deviation = a["traits/scale"][:, DENSITY]
            away = np.abs(found[:, DENSITY] - (density - mean) / deviation)
            # The nearest ones, also where there is none near.
            weights = np.exp(-0.5 * ((away - away.min()) / _NEAR) ** 2)
            weights /= weights.sum()
        drawn: FloatArray = found[rng.choice(len(found), n, p=weights)]
        return drawn + np.float32(_BLUR) * rng.standard_normal(drawn.shape, dtype=np.float32)

    def given(self, traits: FloatArray, rng: np.random.Generator, kind: str, temperature: float) -> FloatArray:
        """Draw z (n, bars * bar_z) for traits (n, traits) in standard deviations."""
        a = self.arrays
        n = len(traits)
        told = traits + a["traits/asked"]
        known = np.zeros((n, self.bars + max(LAGS), self.bar_z), dtype=np.float32)
        hidden = cell = np.zeros((n, len(a["lstm/recurrent"])), dtype=np.float32)
        for bar in range(self.bars):
            seen = [known[:, max(LAGS) + bar - lag] for lag in LAGS]
            features = np.concatenate([*seen, conditions(bar, self.bars, kind, told)], axis=-1)
            gates = features @ a["gates/kernel"] + a["lstm/bias"] + hidden @ a["lstm/recurrent"]
            i, f, g, o = np.split(gates, 4, axis=-1)
            cell = _sigmoid(f) * cell + _sigmoid(i) * np.tanh(g)
            hidden = _sigmoid(o) * np.tanh(cell)
            weights, means, deviations = self._mixture(hidden, np.stack(seen, axis=1), bar)
            chosen = (weights / max(temperature * _SURER, 1e-3) + rng.gumbel(size=weights.shape)).argmax(axis=-1)
            rows = np.arange(n)
            noise = temperature * rng.standard_normal((n, self.bar_z), dtype=np.float32)
            known[:, max(LAGS) + bar] = means[rows, chosen] + deviations[rows, chosen] * noise
        return known[:, max(LAGS) :].reshape(n, -1)

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


def conditions(bar: int, bars: int, kind: str, traits: FloatArray) -> FloatArray:
    """Return what the prior is told besides the bars before: the bar's place, mode, traits; (n, bars + 1 + traits)."""
    told = np.zeros((len(traits), bars + 1), dtype=np.float32)
    told[:, bar] = 1.0
    told[:, bars] = float(kind == "minor")
    return np.concatenate([told, traits], axis=1)


def split_mixture(out: FloatArray, bar_z: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Take the output layer apart: log weights (n, m), log deviations (n, m, bar_z), means (n, m - lags, bar_z)."""
    count = (out.shape[-1] + len(LAGS) * bar_z) // (1 + 2 * bar_z)
    weights = out[:, :count]
    deviations = out[:, count : count * (1 + bar_z)].reshape(len(out), count, bar_z)
    means = out[:, count * (1 + bar_z) :].reshape(len(out), count - len(LAGS), bar_z)
    return weights, deviations, means


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.reciprocal(1.0 + np.exp(-x), dtype=np.float32)
