"""The hierarchical MusicVAE in Keras 3, in backend-neutral operations.

Sixteen bars are encoded in parallel, a bidirectional LSTM reads their codes, and each bar's own part of z is drawn from
its code and its context, with weights shared by all bars. A bidirectional conductor reads these parts and conditions
one bar decoder, for the bar and for every step, which writes all voices. Within a step the voices are coupled: the bass
depends on the melody, the inner voice on both (couplings between their logits).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from therapy_gen.musicvae.config import Config
from therapy_gen.musicvae.features import coupled_pairs, coupling_rows, decoder_inputs, token_rows

Tensor = Any


class LSTM(keras.layers.Layer):
    """An LSTM over inputs whose projection to the gates is given; gates in the order i, f, g, o."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units

    def build(self, gates_shape: tuple[int | None, ...]) -> None:
        """Make the weights."""
        self.recurrent = self.add_weight(name="recurrent", shape=(self.units, 4 * self.units), initializer="orthogonal")
        # A forget bias of 1 at the start (Jozefowicz et al. 2015, section 5).
        self.bias = self.add_weight(name="bias", shape=(4 * self.units,), initializer=_forget_bias(self.units))

    def call(self, gates: Tensor, state: tuple[Tensor, Tensor] | None = None, reverse: bool = False) -> Tensor:
        """Return hidden states (batch, steps, units) for `gates` (batch, steps, 4 units)."""
        steps = gates.shape[1]
        if state is None:
            hidden = ops.zeros_like(gates[:, 0, : self.units])
            cell = hidden
        else:
            hidden, cell = state
        if keras.backend.backend() == "jax":
            # A loop compiles in a tenth of the time that its steps, one after the other, do.
            _, states = ops.scan(self._step, (hidden, cell), ops.moveaxis(gates + self.bias, 1, 0), reverse=reverse)
            return ops.moveaxis(states, 0, 1)
        # Unstacked, not sliced: the gradient of a slice is a full-size array of zeros, once for each step.
        inputs = ops.unstack(gates + self.bias, axis=1)
        outputs: list[Tensor] = [None] * steps
        for step in reversed(range(steps)) if reverse else range(steps):
            (hidden, cell), outputs[step] = self._step((hidden, cell), inputs[step])
        return ops.stack(outputs, axis=1)

    def _step(self, state: tuple[Tensor, Tensor], gates: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        hidden, cell = state
        i, f, g, o = ops.split(gates + ops.matmul(hidden, self.recurrent), 4, axis=-1)
        cell = ops.sigmoid(f) * cell + ops.sigmoid(i) * ops.tanh(g)
        hidden = ops.sigmoid(o) * ops.tanh(cell)
        return (hidden, cell), hidden


def _forget_bias(units: int) -> Any:
    def initial(shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
        bias = np.zeros(shape, dtype=np.float32)
        bias[units : 2 * units] = 1.0
        return ops.convert_to_tensor(bias, dtype=dtype)

    return initial


class MusicVAE(keras.Model):
    """The network of `config`; call it on token rows to get logits and the posterior.

    `compute_loss` is the evidence bound with free bits (`free_bits`) and annealed beta.
    """

    def __init__(self, config: Config, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.noise = keras.random.SeedGenerator(seed)
        c = config
        rows = 2 * c.voices * c.num_classes
        self.pairs = coupled_pairs(c.voices)
        # Six rows are summed at each step: their sum starts with unit variance. With Keras's default, a twentieth of
        # that, the posterior means stay far below the noise, and z is never learned.
        spread = keras.initializers.RandomNormal(stddev=float((2 * c.voices) ** -0.5))
        self.encoder_embedding = keras.layers.Embedding(
            rows, c.embedding, embeddings_initializer=spread.clone(), name="encoder_embedding"
        )
        self.bar_layers = [
            keras.layers.Dense(units, activation="relu", kernel_initializer="he_normal", name=f"bar_{n}")
            for n, units in enumerate(c.bar_units)
        ]
        self.forward_gates = keras.layers.Dense(4 * c.encoder_units, use_bias=False, name="forward_gates")
        self.backward_gates = keras.layers.Dense(4 * c.encoder_units, use_bias=False, name="backward_gates")
        self.forward_lstm = LSTM(c.encoder_units, name="forward")
        self.backward_lstm = LSTM(c.encoder_units, name="backward")
        self.mu = keras.layers.Dense(c.bar_z, name="mu", dtype="float32")
        # Narrow posteriors at the start: with sigma near 1 the decoder learns to ignore z before z is informative.
        self.sigma = keras.layers.Dense(
            c.bar_z,
            activation="softplus",
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            bias_initializer=keras.initializers.Constant(-2.25),
            name="sigma",
            dtype="float32",
        )
        self.z_to_bar = keras.layers.Dense(c.bar_width, activation="tanh", name="z_to_bar")
        self.conductor_forward_gates = keras.layers.Dense(
            4 * c.conductor_units, use_bias=False, name="conductor_forward_gates"
        )
        self.conductor_backward_gates = keras.layers.Dense(
            4 * c.conductor_units, use_bias=False, name="conductor_backward_gates"
        )
        self.conductor_forward = LSTM(c.conductor_units, name="conductor_forward")
        self.conductor_backward = LSTM(c.conductor_units, name="conductor_backward")
        self.decoder_state = keras.layers.Dense(2 * c.decoder_units, activation="tanh", name="decoder_state")
        self.decoder_context = keras.layers.Dense(4 * c.decoder_units, use_bias=False, name="decoder_context")
        self.step_context = keras.layers.Dense(c.steps_per_bar * c.step_width, activation="tanh", name="step_context")
        self.step_gates = keras.layers.Dense(4 * c.decoder_units, use_bias=False, name="step_gates")
        self.decoder_embedding = keras.layers.Embedding(
            rows, c.embedding, embeddings_initializer=spread.clone(), name="decoder_embedding"
        )
        self.decoder_gates = keras.layers.Dense(4 * c.decoder_units, use_bias=False, name="decoder_gates")
        self.decoder = LSTM(c.decoder_units, name="decoder")
        self.logits = keras.layers.Dense(c.voices * c.num_classes, name="logits")
        self.coupling = keras.layers.Embedding(
            2 * len(self.pairs) * c.num_classes, c.num_classes, embeddings_initializer="zeros", name="coupling"
        )

        self.reconstruction_tracker = keras.metrics.Mean(name="reconstruction")
        self.kl_tracker = keras.metrics.Mean(name="kl")
        self.accuracy_trackers = [keras.metrics.Mean(name=f"accuracy_{voice}") for voice in range(c.voices)]

    def encode(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and deviation (batch, z_size) of the posterior for token rows (batch, steps, 2 voices)."""
        c = self.config
        embedded = ops.sum(self.encoder_embedding(rows), axis=2)
        bars = ops.reshape(embedded, (-1, c.bars, c.steps_per_bar * c.embedding))
        for layer in self.bar_layers:
            bars = layer(bars)
        forward = self.forward_lstm(self.forward_gates(bars))
        backward = self.backward_lstm(self.backward_gates(bars), reverse=True)
        known = ops.concatenate([bars, forward, backward], axis=-1)
        return ops.reshape(self.mu(known), (-1, c.z_size)), ops.reshape(self.sigma(known), (-1, c.z_size))

    def conduct(self, z: Tensor) -> Tensor:
        """Return each bar's context (batch, bars, bar_width + 2 conductor_units) for z (batch, z_size)."""
        c = self.config
        bars = self.z_to_bar(ops.reshape(z, (-1, c.bars, c.bar_z)))
        forward = self.conductor_forward(self.conductor_forward_gates(bars))
        backward = self.conductor_backward(self.conductor_backward_gates(bars), reverse=True)
        return ops.concatenate([bars, forward, backward], axis=-1)

    def decode(self, z: Tensor, inputs: Tensor, couplings: Tensor, training: bool = False) -> Tensor:
        """Return teacher-forced logits (batch, steps, voices, classes).

        Parameters
        ----------
        z : tensor (batch, z_size)
        inputs : int tensor (batch, steps, 2 voices)
            Rows of each voice's event and sounding note in the step before.
        couplings : int tensor (batch, steps, pairs, 2)
            Rows of events of the voices decoded earlier in the same step.
        """
        c = self.config
        context = ops.reshape(self.conduct(z), (-1, c.bar_width + 2 * c.conductor_units))
        hidden, cell = ops.split(self.decoder_state(context), 2, axis=-1)
        embedded = ops.sum(self.decoder_embedding(inputs), axis=2)
        if training and c.input_dropout:
            shown = keras.random.uniform(ops.shape(embedded)[:2], seed=self.noise) >= c.input_dropout
            embedded = embedded * ops.expand_dims(ops.cast(shown, embedded.dtype), -1)
        embedded = ops.reshape(embedded, (-1, c.steps_per_bar, c.embedding))
        steps = ops.reshape(self.step_context(context), (-1, c.steps_per_bar, c.step_width))
        gates = self.decoder_gates(embedded) + self.step_gates(steps)
        gates = gates + ops.expand_dims(self.decoder_context(context), 1)
        states = self.decoder(gates, state=(hidden, cell))
        logits = ops.reshape(self.logits(states), (-1, c.steps, c.voices, c.num_classes))
        heard = ops.unstack(ops.cast(ops.sum(self.coupling(couplings), axis=3), "float32"), axis=2)
        voices = list(ops.unstack(ops.cast(logits, "float32"), axis=2))
        for said, (_, listener) in zip(heard, self.pairs, strict=True):
            voices[listener] = voices[listener] + said
        return ops.stack(voices, axis=2)

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        """Encode, draw z (its mean outside training) and decode with the teacher's tokens."""
        mu, sigma = self.encode(inputs["rows"])
        z = mu
        if training:
            z = mu + sigma * keras.random.normal(ops.shape(mu), seed=self.noise)
        logits = self.decode(z, inputs["inputs"], inputs["couplings"], training=training)
        return {"logits": logits, "mu": mu, "sigma": sigma}

    def compute_loss(
        self,
        x: Any = None,
        y: Tensor = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """Return the loss in nats a section: reconstruction plus beta times the KL above the free bits."""
        figures = self._judged(y, y_pred, self.optimizer.iterations)
        self.reconstruction_tracker.update_state(figures["reconstruction"])
        self.kl_tracker.update_state(figures["kl"])
        for voice, tracker in enumerate(self.accuracy_trackers):
            tracker.update_state(figures[f"accuracy_{voice}"])
        return figures["loss"]

    def terms(
        self, inputs: dict[str, Tensor], tokens: Tensor, step: Tensor, training: bool = False
    ) -> dict[str, Tensor]:
        """Return loss, reconstruction, KL and the accuracy of each voice for one batch, at a step of training."""
        return self._judged(tokens, self(inputs, training=training), step)

    def _judged(self, y: Tensor, y_pred: Any, step: Tensor) -> dict[str, Tensor]:
        c = self.config
        log_p = ops.log_softmax(y_pred["logits"], axis=-1)
        hits = ops.squeeze(ops.take_along_axis(log_p, ops.expand_dims(y, -1), axis=-1), -1)
        reconstruction = -ops.sum(hits, axis=(1, 2))
        mu, sigma = y_pred["mu"], ops.maximum(y_pred["sigma"], 1e-5)
        kl = ops.sum(0.5 * (ops.square(mu) + ops.square(sigma) - 1.0) - ops.log(sigma), axis=-1)
        above = ops.maximum(kl - c.free_bits * float(np.log(2.0)), 0.0)
        after = ops.maximum(ops.cast(step, "float32") - c.beta_delay, 0.0)
        beta = c.max_beta * (1.0 - ops.exp(after * float(np.log(c.beta_rate))))
        right = ops.cast(ops.equal(ops.cast(ops.argmax(log_p, axis=-1), y.dtype), y), "float32")
        accuracies = {f"accuracy_{voice}": ops.mean(right[:, :, voice]) for voice in range(c.voices)}
        means = {"reconstruction": ops.mean(reconstruction), "kl": ops.mean(kl), **accuracies}
        return {"loss": ops.mean(reconstruction + beta * above), **means}


def batch_inputs(tokens: npt.NDArray[np.uint8], config: Config) -> tuple[dict[str, npt.NDArray[np.int32]], Any]:
    """Return the network's inputs and targets for tokens (batch, steps, voices)."""
    rows = token_rows(tokens, config.num_classes)
    inputs = {
        "rows": rows,
        "inputs": decoder_inputs(rows, config.num_classes),
        "couplings": coupling_rows(rows, config.num_classes),
    }
    return inputs, tokens.astype(np.int32)


def weight_arrays(model: keras.Model) -> dict[str, npt.NDArray[np.float32]]:
    """Return the trainable arrays of a Keras model by name, without the model's own name in front."""
    return {
        variable.path.split("/", 1)[1]: np.asarray(ops.convert_to_numpy(variable.value), dtype=np.float32)
        for variable in model.trainable_variables
    }
