"""Latent points that decode to given sections, found by gradient descent."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from therapy_gen.musicvae.config import Config

FloatArray = npt.NDArray[np.float32]
Tokens = npt.NDArray[np.uint8]

# Number of gradient steps, their first and last size, and the penalty on the squared distance from the start, in nats.
_STEPS = 40
_RATES = (0.2, 0.02)
_PULL = 0.001
# In the first share of the steps the loss is the likelihood; then a margin of so many nats.
_BY_LIKELIHOOD = 0.25
_MARGIN = 0.3
_BATCH = 32
_NEVER = 1e9


def refined(config: Config, arrays: Mapping[str, FloatArray], tokens: Tokens, mu: FloatArray) -> FloatArray:
    """Optimise points (n, z_size), from the posterior means, so that they decode to `tokens` (n, steps, voices).

    The network is not changed. At first the likelihood of a section is increased, then each of its events is made
    likelier than any other by a margin, which greedy decoding needs. A penalty keeps points near the posterior mean.
    """
    import keras
    from keras import ops

    from therapy_gen.musicvae.training.network import MusicVAE, batch_inputs
    from therapy_gen.musicvae.training.network_weights import assign_weights

    network = MusicVAE(config)
    network(batch_inputs(tokens[:1], config)[0])
    assign_weights(network, arrays)
    network.trainable = False

    class Points(keras.Model):  # type: ignore[misc]
        """Points of the latent space as the only weights."""

        def __init__(self, count: int) -> None:
            super().__init__()
            self.network = network
            self.start = self.add_weight(shape=(count, config.z_size), initializer="zeros", trainable=False)
            self.way = self.add_weight(shape=(count, config.z_size), initializer="zeros")
            self.by_margin = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, inputs: dict[str, object]) -> object:
            return self.network.decode(self.start + self.way, inputs["inputs"], inputs["couplings"])

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):  # type: ignore[no-untyped-def]
            """Return the sum over sections, which are optimised independently."""
            right = ops.take_along_axis(y_pred, ops.expand_dims(y, -1), axis=-1)[..., 0]
            unlikely = ops.sum(ops.logsumexp(y_pred, axis=-1) - right)
            others = ops.max(y_pred - _NEVER * ops.one_hot(y, y_pred.shape[-1], dtype=y_pred.dtype), axis=-1)
            behind = ops.sum(ops.relu(_MARGIN + others - right))
            pull = _PULL * ops.sum(ops.square(self.way))
            return pull + self.by_margin * behind + (1.0 - self.by_margin) * unlikely

    points = Points(_BATCH)
    rate = keras.optimizers.schedules.PolynomialDecay(_RATES[0], _STEPS, _RATES[1])
    found = []
    for first in range(0, len(tokens), _BATCH):
        # The last batch is filled up with the first section, so that all have one shape.
        rows = np.resize(np.arange(first, min(first + _BATCH, len(tokens))), _BATCH)
        inputs, targets = batch_inputs(tokens[rows], config)
        inputs = {name: inputs[name] for name in ("inputs", "couplings")}
        points.start.assign(mu[rows])
        points.way.assign(np.zeros_like(mu[rows]))
        points.compile(keras.optimizers.Adam(rate, beta_1=0.8, beta_2=0.95), run_eagerly=False)
        for step in range(_STEPS):
            points.by_margin.assign(float(step >= _BY_LIKELIHOOD * _STEPS))
            points.train_on_batch(inputs, targets)
        moved = np.asarray(ops.convert_to_numpy(points.start.value + points.way.value), dtype=np.float32)
        found.append(moved[: min(_BATCH, len(tokens) - first)])
    return np.concatenate(found)
