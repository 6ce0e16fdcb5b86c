"""The prior over sections in Keras 3, and its fit to the posteriors of a trained model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from therapy_gen.musicvae.prior.descriptors import DENSITY
from therapy_gen.musicvae.prior.prior import LAGS, PREFIX, SPREAD, USUAL_METRE, pieces_of, place_conditions
from therapy_gen.musicvae.training.interrupts import held_interrupts
from therapy_gen.musicvae.training.network import LSTM, weight_arrays

FloatArray = npt.NDArray[np.float32]
Tensor = Any

_RATE = 1e-3
_HALVED_EVERY = 800
_JUDGED_EVERY = 50
# Nats a bar by which the held-out loss has to fall for the fit to go on.
_WORTH = 0.02
# Most epochs: with 52 sections, held-out loss stopped falling after 200.
_MOST_EPOCHS = 300
# Descriptors are clipped to so many standard deviations.
_FURTHEST = 4.0
# The descriptors of so many calm sections are stored to draw from, without the sparsest and densest (percentiles of
# density).
_KEPT = 1024
_USUAL = (17.0, 93.0)
# A metre with fewer sections than this does not count as learned.
_LEARNED = 16
_LOG_ROOT_TWO_PI = 0.5 * float(np.log(2.0 * np.pi))


class PriorNetwork(keras.Model):
    """Gives the density of the z of every piece of every bar, given those before it; see `prior.BarPrior`."""

    def __init__(
        self, bars: int, bar_z: int, units: int = 256, new: int = 12, dropout: float = 0.2, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.pieces = pieces_of(bar_z)
        self.size = bar_z // self.pieces
        self.components = len(LAGS) + new
        self.places = place_conditions(bars, self.pieces)
        self.drop = keras.layers.Dropout(dropout)
        self.seen_gates = keras.layers.Dense(4 * units, use_bias=False, name="seen_gates")
        self.before_gates = keras.layers.Dense(4 * units, use_bias=False, name="before_gates")
        self.section_gates = keras.layers.Dense(4 * units, use_bias=False, name="section_gates")
        self.place_gates = keras.layers.Dense(4 * units, use_bias=False, name="place_gates")
        self.lstm = LSTM(units, name="lstm")
        self.mixture = keras.layers.Dense(
            self.components * (1 + self.size) + new * self.size,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.05),
            name="mixture",
        )

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """Return log densities (batch, bars) of ``z`` (batch, bars, bar_z) under ``told`` (batch, conditions)."""
        z, told = inputs["z"], inputs["told"]
        bars, m, size = z.shape[1], self.components, self.size
        padded = ops.pad(z, ((0, 0), (max(LAGS), 0), (0, 0)))
        seen = ops.stack([padded[:, max(LAGS) - lag : max(LAGS) - lag + bars] for lag in LAGS], axis=2)
        flat = ops.reshape(z, (-1, bars * self.pieces, size))
        before = ops.pad(flat[:, :-1], ((0, 0), (1, 0), (0, 0)))
        of_bar = self.seen_gates(self.drop(ops.reshape(seen, (-1, bars, len(LAGS) * z.shape[2])), training=training))
        gates = ops.repeat(of_bar, self.pieces, axis=1)
        gates = gates + self.before_gates(self.drop(before, training=training)) + self.place_gates(self.places[None])
        gates = gates + ops.expand_dims(self.section_gates(self.drop(told, training=training)), 1)
        out = self.mixture(self.drop(self.lstm(gates), training=training))
        closed = np.array(
            [[lag > place // self.pieces for lag in LAGS] + [False] * (m - len(LAGS)) for place in range(flat.shape[1])]
        )
        weights = ops.log_softmax(ops.where(closed[None], -1e9, out[..., :m]), axis=-1)
        deviations = ops.reshape(out[..., m : m * (1 + size)], (-1, flat.shape[1], m, size))
        new = ops.reshape(out[..., m * (1 + size) :], (-1, flat.shape[1], m - len(LAGS), size))
        # (batch, bars, lags, pieces, size) -> (batch, bars * pieces, lags, size)
        returning = ops.moveaxis(ops.reshape(seen, (-1, bars, len(LAGS), self.pieces, size)), 3, 2)
        means = ops.concatenate([ops.reshape(returning, (-1, flat.shape[1], len(LAGS), size)), new], axis=2)
        deviations = ops.clip(deviations, *SPREAD)
        scaled = (ops.expand_dims(flat, 2) - means) * ops.exp(-deviations)
        log_p = -ops.sum(0.5 * ops.square(scaled) + deviations + _LOG_ROOT_TWO_PI, axis=-1)
        return ops.sum(ops.reshape(ops.logsumexp(weights + log_p, axis=-1), (-1, bars, self.pieces)), axis=-1)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        """Return the mean negative log density of a bar, in nats."""
        return -ops.mean(y_pred)


def fit_prior(
    mu: FloatArray,
    sigma: FloatArray,
    minor: npt.NDArray[np.bool_],
    metre: npt.NDArray[np.integer],
    descriptors: FloatArray,
    bar_z: int,
    *,
    held_out: npt.NDArray[np.bool_],
    calm: npt.NDArray[np.bool_],
    steps: int = 3000,
    patience: int = 6,
    batch_size: int = 128,
    seed: int = 0,
    report: Callable[[int, float, float], None] | None = None,
) -> tuple[dict[str, FloatArray], float]:
    """Fit the prior to posteriors; stop when held-out sections become less likely.

    Parameters
    ----------
    mu, sigma : arrays of shape (n, bars * bar_z)
        Posterior means and deviations; z is drawn anew from them each time.
    minor : bool array of shape (n,)
    metre : int array of shape (n,)
        Beats a bar (6 for 6/8).
    descriptors : array of shape (n, descriptors)
        Of each section; see `descriptors.section_descriptors`.
    bar_z : int
    held_out : bool array of shape (n,)
        Sections to judge by.
    calm : bool array of shape (n,)
        Sections that samples should resemble.
    steps, patience, batch_size, seed : int
        Steps at most; how often in a row the held-out loss may fail to fall by `_WORTH`.
    report : callable, optional
        Gets the step and the loss on the sections learned from and held out, in nats a bar.

    Returns
    -------
    arrays : dict
        For a model file, with ``prior/`` before each name.
    loss : float
        Nats a bar on the sections held out.
    """
    # Keras takes seeds of 32 bits.
    keras.utils.set_random_seed(seed % 2**32)
    rng = np.random.default_rng(seed)
    learn = np.flatnonzero(~held_out)
    scale = np.stack([descriptors[learn].mean(axis=0), np.maximum(descriptors[learn].std(axis=0), 1e-3)])
    units = ((descriptors - scale[0]) / scale[1]).clip(-_FURTHEST, _FURTHEST).astype(np.float32)
    bars = mu.shape[1] // bar_z
    flags = np.stack([minor, metre != USUAL_METRE], axis=1).astype(np.float32)
    told = np.concatenate([flags, units], axis=1)

    def drawn(which: npt.NDArray[np.intp], noise: np.random.Generator) -> dict[str, FloatArray]:
        z = mu[which] + sigma[which] * noise.standard_normal(mu[which].shape, dtype=np.float32)
        return {"z": z.reshape(-1, bars, bar_z), "told": told[which]}

    network = PriorNetwork(bars, bar_z)
    on_jax = keras.backend.backend() == "jax"
    network.compile(optimizer=keras.optimizers.Adam(_RATE, global_clipnorm=1.0), jit_compile=on_jax)
    test = drawn(np.flatnonzero(held_out) if held_out.any() else learn, np.random.default_rng(seed + 1))
    size = min(batch_size, len(learn))
    steps = min(steps, _MOST_EPOCHS * -(-len(learn) // size))
    best, mark, arrays, waited, losses = np.inf, np.inf, {}, 0, []
    order = rng.permutation(learn)
    with held_interrupts() as let_interrupts_through:
        for step in range(steps):
            let_interrupts_through()
            if len(order) < size:
                order = rng.permutation(learn)
            batch, order = order[:size], order[size:]
            network.optimizer.learning_rate = _RATE * 0.5 ** (step / _HALVED_EVERY)
            losses.append(float(network.train_on_batch(drawn(batch, rng))))
            if (step + 1) % _JUDGED_EVERY:
                continue
            loss = float(-np.mean(network.predict(test, batch_size=batch_size, verbose=0)))
            if report:
                report(step + 1, float(np.mean(losses[-_JUDGED_EVERY:])), loss)
            if loss < best:
                best = loss
                arrays = {PREFIX + name: array for name, array in weight_arrays(network).items()}
            if loss < mark - _WORTH:
                mark, waited = loss, 0
            else:
                waited += 1
                if waited == patience:
                    break
    like = rng.permutation(_to_be_like(units[:, DENSITY], metre, learn, calm))[:_KEPT]
    arrays |= {
        PREFIX + "traits/scale": scale.astype(np.float32),
        PREFIX + "traits/known": units[like],
        PREFIX + "traits/minor": minor[like].astype(np.float32),
        PREFIX + "traits/metre": metre[like].astype(np.float32),
        PREFIX + "traits/asked": np.zeros(units.shape[1], dtype=np.float32),
        PREFIX + "traits/gain": np.ones(units.shape[1], dtype=np.float32),
    }
    return arrays, best


def _to_be_like(
    density: FloatArray, metre: npt.NDArray[np.integer], learn: npt.NDArray[np.intp], calm: npt.NDArray[np.bool_]
) -> npt.NDArray[np.intp]:
    """Return the sections that samples should resemble: calm ones of usual density, and some of every learned metre."""
    like = learn[calm[learn]] if calm[learn].any() else learn
    low, high = np.percentile(density[like], _USUAL)
    usual = like[(density[like] >= low) & (density[like] <= high)]
    found = [usual if len(usual) else like]
    for quarters in set(metre[learn].tolist()) - set(metre[found[0]].tolist()):
        own = learn[metre[learn] == quarters]
        if len(own) >= _LEARNED:
            found.append(own[calm[own]] if calm[own].any() else own)
    return np.concatenate(found)
