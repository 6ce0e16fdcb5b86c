"""Many training steps in one compiled call, for JAX on a GPU: selecting and transposing windows runs there, too.

With single steps from the host, a GPU waits most of the time. The steps are those of `train`: the same windows
in the same order, in the same keys; only the noise, and the order in which floats are summed, differ.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import numpy.typing as npt

from therapy_gen.musicvae.config import Config
from therapy_gen.musicvae.features import HOLD, NOTE_OFF, coupled_pairs

Array = Any


def rows_of(tokens: Array, num_classes: int) -> Array:
    """Return what `features.token_rows` does, on the device."""
    steps, voices = tokens.shape[-2:]
    place = jnp.where(tokens != HOLD, jnp.arange(steps)[:, None], -1)
    last = jax.lax.cummax(place, axis=tokens.ndim - 2)
    event = jnp.take_along_axis(tokens, jnp.maximum(last, 0), axis=-2)
    sounding = jnp.where((last >= 0) & (event != NOTE_OFF), event, 0)
    return jnp.concatenate([tokens, sounding], axis=-1) + jnp.arange(2 * voices) * num_classes


def inputs_of(tokens: Array, num_classes: int) -> dict[str, Array]:
    """Return what `network.batch_inputs` does for the inputs, on the device."""
    rows = rows_of(tokens, num_classes)
    voices = tokens.shape[-1]
    silence = jnp.broadcast_to(jnp.arange(2 * voices) * num_classes, rows[..., :1, :].shape)
    pairs = [
        jnp.stack(
            [
                rows[..., speaker] + (2 * pair - speaker) * num_classes,
                rows[..., voices + speaker] + (2 * pair + 1 - voices - speaker) * num_classes,
            ],
            axis=-1,
        )
        for pair, (speaker, _) in enumerate(coupled_pairs(voices))
    ]
    return {
        "rows": rows,
        "inputs": jnp.concatenate([silence, rows[..., :-1, :]], axis=-2),
        "couplings": jnp.stack(pairs, axis=-2),
    }


def moved(tokens: Array, shift: Array, num_classes: int) -> Array:
    """Return windows (n, steps, voices) transposed by `shift` (n,) semitones, unless that leaves the range."""
    notes = tokens > NOTE_OFF
    there = tokens + jnp.where(notes, shift[:, None, None], 0)
    stays = (notes & ((there <= NOTE_OFF) | (there >= num_classes))).any(axis=(1, 2), keepdims=True)
    return jnp.where(stays, tokens, there)


class CompiledSteps:
    """Runs steps of a compiled Keras model on windows in the device's memory.

    Parameters
    ----------
    model : MusicVAE
        Compiled and built, on Keras's JAX backend.
    tokens : array of uint8, shape (n, steps, voices)
    config : Config
    """

    def __init__(self, model: Any, tokens: npt.NDArray[np.uint8], config: Config) -> None:
        self.model, self.tokens = model, jnp.asarray(tokens)
        optimizer = model.optimizer
        noise = model.noise.state

        def loss(trainable: list[Array], seed: Array, at: Array, batch: Array) -> tuple[Array, tuple[Array, ...]]:
            mapping = [*zip(model.trainable_variables, trainable, strict=True), (noise, seed)]
            with keras.StatelessScope(state_mapping=mapping) as scope:
                parts = model.terms(inputs_of(batch, config.num_classes), batch, at, training=True)
                after = scope.get_current_value(noise)
            return parts["loss"], (parts, seed if after is None else after)

        def step(windows: Array, carry: tuple[Any, ...], given: tuple[Array, Array, Array]) -> tuple[Any, Any]:
            trainable, held, seed = carry
            which, shift, rate = given
            batch = moved(windows[which].astype(jnp.int32), shift, config.num_classes)
            held = [rate.astype(v.dtype) if n == self._rate else v for n, v in enumerate(held)]
            (_, (parts, seed)), gradients = jax.value_and_grad(loss, has_aux=True)(
                trainable, seed, held[self._iterations], batch
            )
            trainable, held = optimizer.stateless_apply(held, gradients, trainable)
            return (list(trainable), list(held), seed), parts

        variables = [id(variable) for variable in optimizer.variables]
        self._rate = variables.index(id(optimizer._learning_rate))
        self._iterations = variables.index(id(optimizer.iterations))
        self._run = jax.jit(
            lambda windows, carry, given: jax.lax.scan(partial(step, windows), carry, given), donate_argnums=1
        )

    def run(
        self, windows: npt.NDArray[np.intp], shifts: npt.NDArray[np.integer], rates: npt.NDArray[np.float32]
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Take steps (windows and semitones (steps, batch), rates (steps,)); return the figures of each (steps,)."""
        model = self.model
        carry = (
            [jnp.array(v.value) for v in model.trainable_variables],
            [jnp.array(v.value) for v in model.optimizer.variables],
            jnp.array(model.noise.state.value),
        )
        given = (jnp.asarray(windows, jnp.int32), jnp.asarray(shifts, jnp.int32), jnp.asarray(rates, jnp.float32))
        (trainable, held, seed), figures = self._run(self.tokens, carry, given)
        for variable, value in zip(model.trainable_variables, trainable, strict=True):
            variable.assign(value)
        for variable, value in zip(model.optimizer.variables, held, strict=True):
            variable.assign(value)
        model.noise.state.assign(seed)
        return {name: np.asarray(values) for name, values in figures.items()}
