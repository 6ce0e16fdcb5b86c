"""Magenta's hierarchical MusicVAE as a network to train in Keras 3: its variables, its loss, another order of work.

The variables have the names and shapes of Magenta's checkpoints, and the loss is that of its `MusicVAE.train`; the same
numbers come out. What differs is how they are computed:

- The bars of the decoder are written side by side: each begins anew from the conductor, so 16 steps do for 256.
- Inputs are rows of the kernel, looked up, where Magenta multiplies one-hot vectors; what the decoder is told of a bar
  is multiplied once a bar, where Magenta repeats it at each step.
- An LSTM's inputs go through the kernel for all steps in one product, and so does the gradient of its weights.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from therapy_gen.musicvae.magenta.cells import FORGET_BIAS
from therapy_gen.musicvae.magenta.configs import MagentaConfig, encoder_layer, variable_shapes

Tensor = Any


@ops.custom_gradient
def lstm(inputs: Tensor, recurrent: Tensor, hidden: Tensor, cell: Tensor) -> Any:
    """Return hidden states (steps, batch, units), given the sums at the gates (steps, batch, 4 units) without them.

    Gates are in TensorFlow's order: i, j, f, o.
    """

    def step(state: Any, pre: Tensor) -> Any:
        hidden, cell, _ = state
        i, j, f, o = ops.split(pre + ops.matmul(hidden, recurrent), 4, axis=-1)
        i, j, f, o = ops.sigmoid(i), ops.tanh(j), ops.sigmoid(f), ops.sigmoid(o)
        cell = f * cell + i * j
        hidden = o * ops.tanh(cell)
        state = hidden, cell, ops.concatenate([i, j, f, o], axis=-1)
        return state, state

    # In TensorFlow `scan` gives back what has the shape of the state, so all that is kept goes along in it.
    _, (states, cells, gates) = ops.scan(step, (hidden, cell, ops.zeros_like(inputs[0])), inputs)

    def gradient(*upstream: Tensor) -> Any:
        (given,) = upstream
        before = ops.concatenate([cell[None], cells[:-1]], axis=0)
        turned = ops.transpose(recurrent)

        def back(carry: Any, at: Any) -> Any:
            d_hidden, d_cell, _ = carry
            given, cell, before, gates = at
            i, j, f, o = ops.split(gates, 4, axis=-1)
            d_hidden = d_hidden + given
            heard = ops.tanh(cell)
            d_cell = d_cell + d_hidden * o * (1.0 - heard * heard)
            d_pre = ops.concatenate(
                [
                    d_cell * j * i * (1.0 - i),
                    d_cell * i * (1.0 - j * j),
                    d_cell * before * f * (1.0 - f),
                    d_hidden * heard * o * (1.0 - o),
                ],
                axis=-1,
            )
            carry = ops.matmul(d_pre, turned), d_cell * f, d_pre
            return carry, carry

        zeros = ops.zeros_like(hidden)
        (d_hidden, d_cell, _), (_, _, d_inputs) = ops.scan(
            back, (zeros, zeros, ops.zeros_like(inputs[0])), (given, cells, before, gates), reverse=True
        )
        shown = ops.concatenate([hidden[None], states[:-1]], axis=0)
        units = recurrent.shape[0]
        d_recurrent = ops.matmul(ops.transpose(ops.reshape(shown, (-1, units))), ops.reshape(d_inputs, (-1, 4 * units)))
        return d_inputs, d_recurrent, d_hidden, d_cell

    return states, gradient


class MagentaNetwork(keras.Model):
    """The network of a hierarchical configuration with one output.

    Parameters
    ----------
    config : MagentaConfig
    """

    def __init__(self, config: MagentaConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.noise = keras.random.SeedGenerator(0)
        self.named = {
            name: self.add_weight(name=name.replace("/", "."), shape=shape, initializer="glorot_uniform")
            for name, shape in variable_shapes(config).items()
        }
        self.built = True

    def assign(self, arrays: Any) -> None:
        """Take the values of Magenta's variables, by their names."""
        for name, variable in self.named.items():
            variable.assign(arrays[name])

    def call(self, tokens: Tensor, training: bool = False) -> dict[str, Tensor]:
        """Return logits (segment steps, segments * batch, classes), mean and deviation for tokens (batch, steps)."""
        steps = ops.transpose(tokens)
        mu, sigma = self._encode(steps)
        z = mu + sigma * keras.random.normal(ops.shape(mu), seed=self.noise) if training else mu
        return {"logits": self._decode(self._conduct(z), steps), "mu": mu, "sigma": sigma}

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        """Return Magenta's loss: nats a section, and max_beta times the KL above the free bits after the first step."""
        c = self.config
        batch = y.shape[0]
        target = self._side_by_side(ops.transpose(y))
        log_p = ops.log_softmax(y_pred["logits"], axis=-1)
        right = ops.take_along_axis(log_p, ops.expand_dims(target, -1), axis=-1)
        mu, sigma = y_pred["mu"], y_pred["sigma"]
        kl = ops.sum(0.5 * (ops.square(mu) + ops.square(sigma) - 1.0) - ops.log(sigma), axis=-1)
        above = ops.maximum(kl - c.free_bits * float(np.log(2.0)), 0.0)
        beta = ops.where(self.optimizer.iterations > 0, c.max_beta, 0.0)
        return -ops.sum(right) / batch + beta * ops.mean(above)

    def _layer(self, scope: str, inputs: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return what an LSTM layer multiplies its inputs by, its recurrent part, and its bias."""
        kernel, bias = self.named[f"{scope}/kernel"], self.named[f"{scope}/bias"]
        units = bias.shape[0] // 4
        forget = np.zeros(4 * units, dtype=np.float32)
        forget[2 * units : 3 * units] = FORGET_BIAS
        return kernel[:inputs], kernel[inputs:], bias + forget

    def _dense(self, name: str, x: Tensor) -> Tensor:
        return ops.matmul(x, self.named[f"{name}/kernel"]) + self.named[f"{name}/bias"]

    def _encode(self, steps: Tensor) -> tuple[Tensor, Tensor]:
        c = self.config
        outputs, last = None, []
        for n, units in enumerate(c.encoder_units):
            sides, last = [], []
            zeros = ops.zeros((steps.shape[1], units))
            for direction in ("fw", "bw"):
                width = c.depth if outputs is None else outputs.shape[-1]
                kernel, recurrent, bias = self._layer(encoder_layer(n, direction), width)
                gates = ops.take(kernel, steps, axis=0) if outputs is None else ops.matmul(outputs, kernel)
                gates = gates + bias
                states = lstm(ops.flip(gates, axis=0) if direction == "bw" else gates, recurrent, zeros, zeros)
                last.append(states[-1])
                sides.append(ops.flip(states, axis=0) if direction == "bw" else states)
            outputs = ops.concatenate(sides, axis=-1)
        summary = ops.concatenate(last, axis=-1)
        return self._dense("encoder/mu", summary), ops.softplus(self._dense("encoder/sigma", summary))

    def _conduct(self, z: Tensor) -> Tensor:
        """Return what each segment is written from: (segments * batch, units)."""
        c = self.config
        scope = "decoder/hierarchical_level_0"
        told = ops.zeros((c.segments, z.shape[0], 1))
        states = self._stack(scope, told, self._dense(f"{scope}/initial_state", z))
        return ops.reshape(states, (-1, c.decoder_units[-1]))

    def _decode(self, contexts: Tensor, steps: Tensor) -> Tensor:
        c = self.config
        scope = "core_decoder/decoder"
        kernel, _, _ = self._layer(f"{scope}/multi_rnn_cell/cell_0/lstm_cell", c.depth + c.decoder_units[-1])
        # Nothing comes before the first step: a row of zeros.
        table = ops.concatenate([kernel[: c.depth], ops.zeros((1, kernel.shape[1]))], axis=0)
        before = ops.concatenate([ops.full_like(steps[:1], c.depth), steps[:-1]], axis=0)
        gates = ops.take(table, self._side_by_side(before), axis=0) + ops.matmul(contexts, kernel[c.depth :])
        states = self._stack(
            f"{scope}/multi_rnn_cell", None, self._dense(f"{scope}/z_to_initial_state", contexts), gates
        )
        return self._dense(f"{scope}/output_projection", states)

    def _stack(self, scope: str, inputs: Tensor, embedded: Tensor, gates: Tensor = None) -> Tensor:
        """Run the layers of a decoder or conductor; `gates` are the sums at the first one, where they are known."""
        units = self.config.decoder_units
        flat = ops.split(
            ops.tanh(embedded), np.cumsum([size for size in units for _ in range(2)])[:-1].tolist(), axis=-1
        )
        for n in range(len(units)):
            kernel = self.named[f"{scope}/cell_{n}/lstm_cell/kernel"]
            kernel, recurrent, bias = self._layer(f"{scope}/cell_{n}/lstm_cell", kernel.shape[0] - units[n])
            pre = gates if n == 0 and gates is not None else ops.matmul(inputs, kernel)
            inputs = lstm(pre + bias, recurrent, flat[2 * n + 1], flat[2 * n])
        return inputs

    def _side_by_side(self, steps: Tensor) -> Tensor:
        """Return steps (segments * segment steps, batch) as (segment steps, segments * batch)."""
        c = self.config
        batch = steps.shape[1]
        parted = ops.reshape(steps, (c.segments, c.segment_steps, batch))
        return ops.reshape(ops.transpose(parted, (1, 0, 2)), (c.segment_steps, c.segments * batch))
