"""Magenta's own `TrainedModel` as a `LatentModel`: the same weights, run by Magenta."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.music.tokens import FIRST_PITCH_CLASS, MAX_PITCH, MIN_PITCH, NOTE_OFF
from therapy_gen.musicvae.latent.interpolate import slerp
from therapy_gen.musicvae.magenta.cells import FloatArray
from therapy_gen.musicvae.magenta.exports import export_magenta
from therapy_gen.musicvae.magenta.reference_model import GREEDY_TEMPERATURE, import_magenta, magenta_config, one_hot
from therapy_gen.musicvae.magenta.runtime import BoolArray, MagentaModel, Tokens
from therapy_gen.musicvae.prior.prior import USUAL_METRE

_BATCH = 8
_LAST_PITCH_CLASS = MAX_PITCH - MIN_PITCH + FIRST_PITCH_CLASS


class MagentaEngine:
    """A `therapy_gen.musicvae.section_model.LatentModel` like `MagentaModel`, through Magenta.

    Parameters
    ----------
    model : MagentaModel
        Whose weights it runs.
    seed : int
        Of what Magenta draws while it decodes.

    Raises
    ------
    MissingExtraError
        Where Magenta is not installed.
    """

    common_tonic = MagentaModel.common_tonic
    kinds = MagentaModel.kinds
    metres = MagentaModel.metres

    def __init__(self, model: MagentaModel, seed: int = 0) -> None:
        tf, music_vae = import_magenta()
        self._model = model
        self.name, self.config, self.facts, self.arrays = model.name, model.config, model.facts, model.arrays
        self.can_encode, self.label = model.can_encode, model.label
        self.bars, self.voices = model.bars, model.voices
        with tempfile.TemporaryDirectory(prefix="therapy-gen-") as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            prefix = Path(folder) / "model.ckpt"
            export_magenta(model, prefix)
            theirs = magenta_config(model.config, music_vae)
            _seed(theirs.model, tf, seed)
            self._trained = music_vae.TrainedModel(theirs, batch_size=_BATCH, checkpoint_dir_or_path=str(prefix))
            _single_threaded(self._trained, tf, str(prefix))

    @property
    def sha256(self) -> str:
        """Of the model's file."""
        return self._model.sha256

    def encode(self, tokens: npt.NDArray[np.integer]) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation, each (n, z_size), of the posterior for tokens (n, steps, voices)."""
        if not self.can_encode:
            raise InputError(f"model {self.name} has no complete encoder; it samples and decodes, but cannot encode")
        inputs = list(one_hot(tokens, self.config.outputs))
        _, mu, sigma = self._trained.encode_tensors(inputs, [len(tensor) for tensor in inputs])
        return mu, sigma

    @property
    def memory(self) -> None:
        """None: these models have no stored sections."""
        return None

    def sample_prior(
        self,
        n: int,
        rng: np.random.Generator,
        kind: str = "major",
        *,
        metre: int = USUAL_METRE,
        density: float | None = None,
        temperature: float = 1.0,
    ) -> FloatArray:
        """Draw z (n, z_size) from N(0, I), scaled by `temperature`."""
        return self._model.sample_prior(n, rng, temperature=temperature)

    def interpolate(self, a: FloatArray, b: FloatArray, steps: int) -> FloatArray:
        """Return z (steps, z_size) on the great circle from `a` to `b`, both ends included."""
        return np.stack([slerp(a, b, t) for t in np.linspace(0.0, 1.0, steps)])

    def decode(
        self,
        z: FloatArray,
        *,
        temperature: float = 1.0,
        rng: np.random.Generator | None = None,
        pitch_classes: BoolArray | None = None,
        chromatic: float = np.inf,
        consonance: float = 0.0,
    ) -> Tokens:
        """Write sections for z (n, z_size), as `MagentaModel.decode` does.

        Magenta draws with its own generator, seeded once, and takes no key: notes outside of `pitch_classes` are moved
        to the nearest one inside.
        """
        wanted = max(temperature, GREEDY_TEMPERATURE)
        outputs = np.stack(self._trained.decode_to_tensors(z, length=self.config.steps, temperature=wanted))
        edges = np.cumsum(self.config.outputs)[:-1]
        columns = [part.argmax(axis=-1) for part in np.split(outputs, edges, axis=-1)]
        tokens = np.stack(columns, axis=-1).astype(np.uint16)
        return tokens if pitch_classes is None else _in_key(tokens, np.broadcast_to(pitch_classes, (len(z), 12)))


def _in_key(phrases: Tokens, allowed: BoolArray) -> Tokens:
    """Move notes (n, steps, voices) to the nearest pitch of the classes that are allowed, downwards where two are."""
    moved = phrases.copy()
    for section, classes in zip(moved, allowed, strict=True):
        if not classes.any():
            continue
        for column in range(min(section.shape[1], 2)):
            events = section[:, column]
            for step in np.flatnonzero(events > NOTE_OFF).tolist():
                event = int(events[step])
                pitch = event - FIRST_PITCH_CLASS + MIN_PITCH
                shifts = [
                    n
                    for n in range(-11, 12)
                    if classes[(pitch + n) % 12] and FIRST_PITCH_CLASS <= event + n <= _LAST_PITCH_CLASS
                ]
                events[step] = event + min(shifts, key=lambda n: (abs(n), n))
    return moved


def _single_threaded(trained: Any, tf: Any, prefix: str) -> None:
    """Have operations run one after the other.

    The random numbers of a step do not depend on the step before, so the decoder's `while_loop` draws for several steps
    at once, in an order that varies from run to run.
    """
    graph = trained._sess.graph
    trained._sess.close()
    for operation in graph.get_operations():
        if "parallel_iterations" in operation.node_def.attr:
            operation._set_attr("parallel_iterations", tf.AttrValue(i=1))
    with graph.as_default():
        # Without its own threads a session shares those of the first one in the process, whatever their number.
        config = tf.ConfigProto(
            inter_op_parallelism_threads=1, intra_op_parallelism_threads=1, use_per_session_threads=True
        )
        trained._sess = tf.Session(graph=graph, config=config)
        tf.train.Saver().restore(trained._sess, prefix)


def _seed(model: Any, tf: Any, seed: int) -> None:
    """Have Magenta's graph seeded where it is built: `TrainedModel` makes it, and copies the model before."""
    encoder = model.encoder
    kind = type(encoder)

    def build(self: Any, *arguments: Any, **options: Mapping[str, Any]) -> None:
        tf.set_random_seed(seed)
        kind.build(self, *arguments, **options)

    encoder.__class__ = type(f"Seeded{kind.__name__}", (kind,), {"build": build})
