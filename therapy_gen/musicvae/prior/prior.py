"""The prior over sections: bar after bar, each a variation of an earlier bar or something new."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from therapy_gen.musicvae.prior.descriptors import DENSITY

FloatArray = npt.NDArray[np.float32]

# Distances of the earlier bars on which a new bar is conditioned, and which it may repeat.
LAGS = (1, 2, 4, 8)
# A bar's part of z is drawn in so many pieces, each conditioned on those before it.
_PIECES = 4
KINDS = ("major", "minor")
PREFIX = "prior/"
# Beats a bar (6 for 6/8) by default.
USUAL_METRE = 4
# Bounds of a component's log deviation.
SPREAD = (-5.0, 3.0)
# The temperature of the choice among components is lower than that of the noise within one, by this factor.
_SURER = 0.3
# SD of a new section's descriptors around those of a real section, and of densities around the requested one; in
# standard deviations of each.
_BLUR = 0.05
_NEAR = 0.1
# Requests of a descriptor are limited to so many standard deviations. That is more than any section has, since samples
# follow some descriptors by a fraction only.
_MOST_REQUESTED = 8.0


class BarPrior:
    """An autoregressive mixture of Gaussians over the bars of z, fitted to the aggregate posterior of calm music.

    A bar's z is drawn piece after piece. The distribution of a piece has a component around that of each bar of `LAGS`
    (it returns) and some of its own (it is new). An LSTM over all pieces so far, conditioned on the section's
    descriptors (`descriptors`), gives weight, mean and deviation of each component. The descriptors are drawn first,
    near those of a calm section that the prior was fitted to.

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

    @property
    def metres(self) -> tuple[int, ...]:
        """Beats a bar (4, 3, or 6 for 6/8) of the metres that the prior was fitted to."""
        return tuple(sorted({int(quarters) for quarters in self.arrays["traits/metre"]}, reverse=True))

    def sample(
        self,
        n: int,
        rng: np.random.Generator,
        kind: str,
        temperature: float,
        density: float | None = None,
        metre: int = USUAL_METRE,
    ) -> FloatArray:
        """Draw z (n, bars * bar_z).

        Parameters
        ----------
        n : int
        rng : Generator
        kind : {"major", "minor"}
        temperature : float
            Scale of the noise within a component; the choice among components has a lower temperature.
        density : float, optional
            Notes a bar, of all voices together.
        metre : int
            Beats a bar (6 for 6/8), one of `metres`.
        """
        return self.given(self.draw_descriptors(n, rng, kind, density, metre), rng, kind, temperature, metre)

    def draw_descriptors(
        self,
        n: int,
        rng: np.random.Generator,
        kind: str,
        density: float | None = None,
        metre: int = USUAL_METRE,
    ) -> FloatArray:
        """Draw descriptors of n sections, (n, descriptors) in standard deviations, from calm music of a kind."""
        a = self.arrays
        of_metre = a["traits/metre"] == metre
        of_kind = of_metre & (a["traits/minor"] == float(kind == "minor"))
        found = a["traits/known"][of_kind if of_kind.any() else of_metre if of_metre.any() else slice(None)]
        weights = np.full(len(found), 1.0 / len(found))
        if density is not None:
            mean, deviation = a["traits/scale"][:, DENSITY]
            away = np.abs(found[:, DENSITY] - (density - mean) / deviation)
            # Relative to the nearest one, so that there is always one.
            weights = np.exp(-0.5 * ((away - away.min()) / _NEAR) ** 2)
            weights /= weights.sum()
        drawn: FloatArray = found[rng.choice(len(found), n, p=weights)]
        return drawn + np.float32(_BLUR) * rng.standard_normal(drawn.shape, dtype=np.float32)

    def given(
        self,
        descriptors: FloatArray,
        rng: np.random.Generator,
        kind: str,
        temperature: float,
        metre: int = USUAL_METRE,
    ) -> FloatArray:
        """Draw z (n, bars * bar_z) for descriptors (n, descriptors) in standard deviations."""
        a = self.arrays
        n, pieces = len(descriptors), pieces_of(self.bar_z)
        size = self.bar_z // pieces
        requested = (a["traits/gain"] * descriptors + a["traits/asked"]).clip(-_MOST_REQUESTED, _MOST_REQUESTED)
        told = _section_conditions(kind == "minor", metre, requested) @ a["section_gates/kernel"]
        places = place_conditions(self.bars, pieces) @ a["place_gates/kernel"] + a["lstm/bias"]
        known = np.zeros((n, self.bars + max(LAGS), self.bar_z), dtype=np.float32)
        before = np.zeros((n, size), dtype=np.float32)
        hidden = cell = np.zeros((n, len(a["lstm/recurrent"])), dtype=np.float32)
        rows = np.arange(n)
        for bar in range(self.bars):
            seen = np.stack([known[:, max(LAGS) + bar - lag] for lag in LAGS], axis=1)
            of_bar = told + seen.reshape(n, -1) @ a["seen_gates/kernel"]
            for piece in range(pieces):
                gates = of_bar + places[bar * pieces + piece] + before @ a["before_gates/kernel"]
                i, f, g, o = np.split(gates + hidden @ a["lstm/recurrent"], 4, axis=-1)
                cell = _sigmoid(f) * cell + _sigmoid(i) * np.tanh(g)
                hidden = _sigmoid(o) * np.tanh(cell)
                part = slice(piece * size, (piece + 1) * size)
                weights, means, deviations = self._mixture(hidden, seen[:, :, part], bar)
                chosen = (weights / max(temperature * _SURER, 1e-3) + rng.gumbel(size=weights.shape)).argmax(axis=-1)
                noise = temperature * rng.standard_normal((n, size), dtype=np.float32)
                before = means[rows, chosen] + deviations[rows, chosen] * noise
                known[:, max(LAGS) + bar, part] = before
        return known[:, max(LAGS) :].reshape(n, -1)

    def _mixture(self, hidden: FloatArray, seen: FloatArray, bar: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return log weights (n, m), means (n, m, size) and deviations (n, m, size) of the components of a piece."""
        out = hidden @ self.arrays["mixture/kernel"] + self.arrays["mixture/bias"]
        weights, deviations, means = _split_mixture(out, seen.shape[-1])
        closed = [lag > bar for lag in LAGS] + [False] * (weights.shape[-1] - len(LAGS))
        return (
            np.where(closed, -np.inf, weights),
            np.concatenate([seen, means], axis=1),
            np.exp(deviations.clip(*SPREAD)),
        )


def pieces_of(bar_z: int) -> int:
    """Return the number of pieces in which a bar's z of so many dimensions is drawn."""
    return math.gcd(_PIECES, bar_z)


def _section_conditions(minor: bool, metre: int, descriptors: FloatArray) -> FloatArray:
    """Return the prior's conditions for whole sections: mode, metre, descriptors; (n, 2 + descriptors)."""
    told = np.empty((len(descriptors), 2), dtype=np.float32)
    told[:] = float(minor), float(metre != USUAL_METRE)
    return np.concatenate([told, descriptors], axis=1)


def place_conditions(bars: int, pieces: int) -> FloatArray:
    """Return the prior's conditions for a piece's place: bar and piece, one-hot; (bars * pieces, bars + pieces)."""
    bar, piece = np.eye(bars, dtype=np.float32), np.eye(pieces, dtype=np.float32)
    return np.concatenate([np.repeat(bar, pieces, axis=0), np.tile(piece, (bars, 1))], axis=1)


def _split_mixture(out: FloatArray, size: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Split the output layer: log weights (n, m), log deviations (n, m, size), means (n, m - lags, size)."""
    count = (out.shape[-1] + len(LAGS) * size) // (1 + 2 * size)
    weights = out[:, :count]
    deviations = out[:, count : count * (1 + size)].reshape(len(out), count, size)
    means = out[:, count * (1 + size) :].reshape(len(out), count - len(LAGS), size)
    return weights, deviations, means


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.reciprocal(1.0 + np.exp(-x), dtype=np.float32)
