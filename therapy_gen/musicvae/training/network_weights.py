"""Loading a model file into Keras: to fine-tune it, and to compare the NumPy runtime with Keras."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from therapy_gen.errors import InputError
from therapy_gen.musicvae.config import Config
from therapy_gen.musicvae.training.network import MusicVAE, batch_inputs

FloatArray = npt.NDArray[np.float32]


def assign_weights(network: keras.Model, arrays: Mapping[str, FloatArray]) -> None:
    """Set the trainable variables of a built network from a model's arrays, by name.

    Raises
    ------
    InputError
        Where one is missing or has another shape.
    """
    for variable in network.trainable_variables:
        name = variable.path.split("/", 1)[1]
        if name not in arrays or tuple(arrays[name].shape) != tuple(variable.shape):
            raise InputError(f"the model has no {name} of shape {tuple(variable.shape)}; its network is another one")
        variable.assign(arrays[name])


def keras_figures(
    config: Config, arrays: Mapping[str, FloatArray], tokens: npt.NDArray[np.uint8]
) -> dict[str, FloatArray]:
    """Run the Keras network of a model on `tokens` (n, steps, voices).

    Returns
    -------
    dict
        ``mu`` and ``sigma`` (n, z_size), ``logits`` (n, steps, voices, classes), teacher-forced with z at the mean.
    """
    network = MusicVAE(config)
    inputs, _ = batch_inputs(tokens, config)
    network(inputs)
    assign_weights(network, arrays)
    return {name: np.asarray(ops.convert_to_numpy(value), dtype=np.float32) for name, value in network(inputs).items()}
