"""Magenta itself, as the reference: its graph of a configuration, whose weights it saves, restores and runs.

Imports TensorFlow and Magenta: only functions that need them call `import_magenta`, in a process of their own or late.
"""

from __future__ import annotations

import copy
import importlib
import os
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError, MissingExtraError
from therapy_gen.musicvae.magenta.configs import MagentaConfig
from therapy_gen.musicvae.training.quiet import quiet_libraries

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.integer[Any]]

# A temperature so low that the likeliest class is sampled.
GREEDY_TEMPERATURE = 1e-8


def import_magenta() -> tuple[Any, Any]:
    """Return TensorFlow's version 1 and `magenta.models.music_vae`.

    Raises
    ------
    MissingExtraError
        Where Magenta is not installed.
    """
    if find_spec("magenta") is None or find_spec("tensorflow") is None:
        raise MissingExtraError("Magenta", "magenta")
    # Magenta is written for Keras 2; TensorFlow reads these when it is first imported.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    with warnings.catch_warnings(), quiet_libraries():
        warnings.simplefilter("ignore")
        tf = importlib.import_module("tensorflow.compat.v1")
        tf.logging.set_verbosity(tf.logging.ERROR)
        tf.disable_v2_behavior()
        music_vae = importlib.import_module("magenta.models.music_vae")
        importlib.import_module("magenta.models.music_vae.configs")
        importlib.import_module("magenta.models.music_vae.lstm_models")
        importlib.import_module("magenta.models.music_vae.base_model")
    return tf, music_vae


def magenta_config(config: MagentaConfig, music_vae: Any) -> Any:
    """Return Magenta's own configuration of that name, with the sizes of `config`."""
    lstm_models = music_vae.lstm_models
    theirs = copy.deepcopy(music_vae.configs.CONFIG_MAP[config.name])
    theirs.hparams.z_size = config.z_size
    theirs.hparams.enc_rnn_size = list(config.encoder_units)
    theirs.hparams.dec_rnn_size = list(config.decoder_units)
    theirs.hparams.max_seq_len = config.steps
    if config.hierarchical:
        core = (
            lstm_models.SplitMultiOutLstmDecoder(
                core_decoders=[lstm_models.CategoricalLstmDecoder() for _ in config.outputs],
                output_depths=list(config.outputs),
            )
            if config.split
            else lstm_models.CategoricalLstmDecoder()
        )
        decoder = lstm_models.HierarchicalLstmDecoder(
            core, level_lengths=[config.segments, config.segment_steps], disable_autoregression=True
        )
        model = music_vae.base_model.MusicVAE(lstm_models.BidirectionalLstmEncoder(), decoder)
        theirs = theirs._replace(model=model)
    return theirs


def one_hot(tokens: IntArray, outputs: tuple[int, ...]) -> FloatArray:
    """Return tokens (n, steps, voices) one-hot, as Magenta's converters do: (n, steps, sum of classes)."""
    return np.concatenate(
        [np.eye(classes, dtype=np.float32)[tokens[..., n]] for n, classes in enumerate(outputs)], axis=-1
    )


class Reference:
    """Magenta's graph of a configuration in a session.

    Parameters
    ----------
    config : MagentaConfig
    batch_size : int
        How many sections each call takes: the graph is made for so many.
    """

    def __init__(self, config: MagentaConfig, batch_size: int) -> None:
        self.config, self.batch_size = config, batch_size
        self._tf, music_vae = import_magenta()
        tf = self._tf
        with warnings.catch_warnings(), tf.Graph().as_default() as graph:
            warnings.simplefilter("ignore")
            theirs = magenta_config(config, music_vae)
            theirs.hparams.batch_size = batch_size
            # Scheduled sampling, outside of training, would feed back samples in place of the truth.
            theirs.hparams.sampling_schedule, theirs.hparams.sampling_rate = "constant", 0.0
            model = theirs.model
            model.build(theirs.hparams, config.depth, is_training=False)
            if config.hierarchical and config.split:
                # Magenta 2.1.4 compares the length of a segment with the whole section's, and stops.
                core = model.decoder._core_decoder
                core.hparams = copy.deepcopy(core.hparams)
                core.hparams.max_seq_len = config.segment_steps
            self._z = tf.placeholder(tf.float32, [batch_size, config.z_size])
            self._temperature = tf.placeholder(tf.float32, shape=())
            self._x = tf.placeholder(tf.float32, [batch_size, config.steps, config.depth])
            lengths = tf.fill([batch_size], config.steps)
            self._samples, _ = model.sample(
                batch_size, max_length=tf.constant(config.steps), z=self._z, temperature=self._temperature
            )
            posterior = model.encode(self._x, lengths, tf.zeros([batch_size, config.steps, 0]))
            self._mu, self._sigma = posterior.loc, posterior.scale.diag
            inputs = tf.pad(self._x[:, :-1], [(0, 0), (1, 0), (0, 0)])
            with tf.variable_scope(tf.get_variable_scope(), reuse=tf.AUTO_REUSE):
                _, _, results = model.decoder.reconstruction_loss(inputs, self._x, lengths, self._z)
            self._logits = results.rnn_output
            self._saver = tf.train.Saver()
            self._graph = graph
            self._session = tf.Session(graph=graph)

    def save(self, prefix: Path) -> None:
        """Write a checkpoint with TensorFlow's own saver."""
        self._saver.save(self._session, str(prefix))

    def restore(self, prefix: Path) -> None:
        """Read a checkpoint with TensorFlow's own saver."""
        try:
            self._saver.restore(self._session, str(prefix))
        except self._tf.errors.OpError as error:
            raise InputError(f"Magenta cannot read {prefix}: {error.message}") from error

    def logits(self, z: FloatArray, tokens: IntArray) -> FloatArray:
        """Return teacher-forced logits (n, steps, depth) of `tokens` (n, steps, voices) given z (n, z_size)."""
        logits: FloatArray = self._run(self._logits, {self._z: z, self._x: one_hot(tokens, self.config.outputs)})
        return logits

    def encode(self, tokens: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of the posterior, each (n, z_size)."""
        mu, sigma = self._run([self._mu, self._sigma], {self._x: one_hot(tokens, self.config.outputs)})
        return mu, sigma

    def greedy(self, z: FloatArray) -> npt.NDArray[np.int64]:
        """Return the likeliest class of each output at each step, (n, steps, voices), each given those before it."""
        samples = self._run(self._samples, {self._z: z, self._temperature: GREEDY_TEMPERATURE})
        edges = np.cumsum(self.config.outputs)[:-1]
        return np.stack([part.argmax(axis=-1) for part in np.split(samples, edges, axis=-1)], axis=-1)

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def _run(self, fetches: Any, feed: Mapping[Any, Any]) -> Any:
        return self._session.run(fetches, feed_dict=dict(feed))
