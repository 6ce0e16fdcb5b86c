"""Magenta's MusicVAE in NumPy: flat and hierarchical decoders, single, joined and split outputs, deep encoders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.musicvae.latent.interpolate import slerp
from therapy_gen.musicvae.magenta.cells import (
    FloatArray,
    LstmLayer,
    State,
    advance,
    dense,
    layer,
    split_state,
)
from therapy_gen.musicvae.magenta.configs import (
    MELODY_CLASSES,
    MagentaConfig,
    cores,
    decoder_shapes,
    encoder_layer,
    encoder_shapes,
)
from therapy_gen.musicvae.magenta.imported_weights import StoredModel, load_stored
from therapy_gen.musicvae.prior.prior import KINDS, USUAL_METRE

Tokens = npt.NDArray[np.uint16]
BoolArray = npt.NDArray[np.bool_]

_FIRST_PITCH_CLASS = 2
_MIN_PITCH = 21
# Memory limit for the gate sums of a layer, which decides how many sections are encoded at once.
_MOST_GATE_BYTES = 256 << 20


class MagentaModel:
    """An imported network: a `ScoringModel` of `therapy_gen.musicvae.section_model`, as `Model` is.

    Parameters
    ----------
    stored : StoredModel
    name : str

    Raises
    ------
    InputError
        Where a variable of the decoder is missing, or one has another shape than the config says.
    """

    common_tonic = False
    kinds = KINDS[:1]
    metres = (USUAL_METRE,)

    def __init__(self, stored: StoredModel, name: str) -> None:
        self.name = name
        self.stored = stored
        self.config: MagentaConfig = stored.config
        self.facts: Mapping[str, Any] = stored.facts
        self.arrays = stored.arrays
        self.can_encode = _check(stored)
        self._conductor = [
            layer(self.arrays, f"decoder/hierarchical_level_0/cell_{n}/lstm_cell", first=n == 0)
            for n in range(len(self.config.decoder_units) if self.config.hierarchical else 0)
        ]
        self._cores = [_Core(self.arrays, scope, self.config, n) for n, (scope, _) in enumerate(cores(self.config))]

    @property
    def sha256(self) -> str:
        """Of the model's file."""
        return self.stored.sha256

    @property
    def label(self) -> str:
        """Its name in titles of samples: its configuration."""
        return self.config.name

    @property
    def bars(self) -> int:
        """Bars that it writes at a time."""
        return self.config.bars

    @property
    def voices(self) -> tuple[str, ...]:
        """Names of the columns of its tokens."""
        return self.config.voice_names

    def encode(self, tokens: npt.NDArray[np.integer]) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation, each (n, z_size), of the posterior for tokens (n, steps, voices).

        Raises
        ------
        InputError
            Where the model has no encoder, or sections have another length than it was trained on.
        """
        c = self.config
        if not self.can_encode:
            raise InputError(
                f"model {self.name} has no complete encoder (it was not in the files it was imported from); "
                "it samples and decodes, but cannot encode: use another model"
            )
        if tokens.shape[1:] != (c.steps, c.voices):
            raise InputError(f"sections for model {self.name} have {c.steps} steps and {c.voices} voices")
        most = max(_MOST_GATE_BYTES // (c.steps * 16 * max(c.encoder_units)), 1)
        parts = [self._encode(tokens[start : start + most]) for start in range(0, len(tokens), most)]
        if not parts:
            empty = np.zeros((0, c.z_size), dtype=np.float32)
            return empty, empty
        return np.concatenate([mu for mu, _ in parts]), np.concatenate([sigma for _, sigma in parts])

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
        """Draw z (n, z_size) from N(0, I), scaled by `temperature`; `kind`, `metre` and `density` are ignored."""
        return np.float32(temperature) * rng.standard_normal((n, self.config.z_size), dtype=np.float32)

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
        """Write sections for z, one sixteenth at a time, all of them side by side.

        Parameters
        ----------
        z : array of shape (n, z_size)
        temperature : float
            0 takes the likeliest class at each step; 1 samples the model's own distribution.
        rng : Generator, optional
            Needed above temperature 0.
        pitch_classes : bool array of shape (12,) or (n, 12), optional
            Pitch classes that notes of melody and bass may have.
        chromatic, consonance : float
            Ignored: other pitch classes are excluded.

        Returns
        -------
        array of uint16, shape (n, steps, voices)
            Classes as the network chose them.
        """
        if temperature > 0 and rng is None:
            raise ValueError("sampling above temperature 0 needs a generator")
        c = self.config
        tokens = np.zeros((len(z), c.steps, c.voices), dtype=np.uint16)
        closed = _closed_classes(pitch_classes, len(z))
        contexts = self._contexts(z)
        for core in self._cores:
            core.write(tokens, contexts, temperature, rng if temperature > 0 else None, closed)
        return tokens

    def logits(self, z: FloatArray, tokens: npt.NDArray[np.integer]) -> FloatArray:
        """Return teacher-forced logits (n, steps, depth), all outputs side by side, of `tokens` given z."""
        contexts = self._contexts(z)
        return np.concatenate([core.score(tokens, contexts) for core in self._cores], axis=-1)

    def voice_logits(self, z: FloatArray, tokens: npt.NDArray[np.integer]) -> list[FloatArray]:
        """Return `logits` voice by voice, each (n, steps, classes)."""
        return np.split(self.logits(z, tokens), np.cumsum(self.config.outputs)[:-1], axis=-1)

    def _contexts(self, z: FloatArray) -> FloatArray:
        """Return the decoder's context for each segment (n, segments, width): z itself, or the conductor's outputs."""
        z = np.ascontiguousarray(z, dtype=np.float32)
        if not self.config.hierarchical:
            return z[:, None]
        units = self.config.decoder_units
        hidden, cell = split_state(np.tanh(dense(self.arrays, "decoder/hierarchical_level_0/initial_state", z)), units)
        outputs = np.empty((len(z), self.config.segments, units[-1]), dtype=np.float32)
        for segment in range(self.config.segments):
            # Its input is a zero: only its state changes.
            outputs[:, segment] = _through(self._conductor, self._conductor[0].bias, hidden, cell)
        return outputs

    def _encode(self, tokens: npt.NDArray[np.integer]) -> tuple[FloatArray, FloatArray]:
        c = self.config
        rows = tokens.astype(np.int64) + _offsets(c.outputs)
        outputs: FloatArray | None = None
        last: list[FloatArray] = []
        for n in range(len(c.encoder_units)):
            sides = []
            last = []
            for direction in ("fw", "bw"):
                cells = layer(self.arrays, encoder_layer(n, direction))
                gates = cells.inputs[rows].sum(axis=2) if outputs is None else outputs @ cells.inputs
                side = _run(cells, gates + cells.bias, reverse=direction == "bw")
                sides.append(side)
                last.append(side[:, 0 if direction == "bw" else -1])
            outputs = np.concatenate(sides, axis=-1)
        summary = np.concatenate(last, axis=-1)
        sigma = np.logaddexp(np.float32(0.0), dense(self.arrays, "encoder/sigma", summary))
        return dense(self.arrays, "encoder/mu", summary), sigma.astype(np.float32)


class _Core:
    """An LSTM that writes steps: all outputs of the model, or one of them where they are split."""

    def __init__(self, arrays: Mapping[str, FloatArray], scope: str, config: MagentaConfig, number: int) -> None:
        self.arrays, self.scope, self.config = arrays, scope, config
        own = range(config.voices) if not config.split else range(number, number + 1)
        self.voices = slice(own.start, own.stop)
        self.outputs = config.outputs[self.voices]
        self.melodic = [n < 2 and config.outputs[n] == MELODY_CLASSES for n in own]
        units = config.decoder_units
        self.layers = [
            layer(arrays, f"{scope}/multi_rnn_cell/cell_{n}/lstm_cell", first=n == 0) for n in range(len(units))
        ]
        depth = sum(self.outputs)
        self.table, self.context_kernel = self.layers[0].inputs[:depth], self.layers[0].inputs[depth:]
        self.offsets = _offsets(self.outputs)
        self.projection = np.ascontiguousarray(arrays[f"{scope}/output_projection/kernel"])
        self.projection_bias = arrays[f"{scope}/output_projection/bias"]

    def start(self, contexts: FloatArray) -> tuple[State, State, FloatArray]:
        """Return initial states, and the contexts' input to the gates of the first layer, for contexts (n, width)."""
        flat = np.tanh(dense(self.arrays, f"{self.scope}/z_to_initial_state", contexts))
        hidden, cell = split_state(flat, self.config.decoder_units)
        return hidden, cell, contexts @ self.context_kernel + self.layers[0].bias

    def write(
        self,
        tokens: Tokens,
        contexts: FloatArray,
        temperature: float,
        rng: np.random.Generator | None,
        closed: BoolArray | None,
    ) -> None:
        """Fill this core's voices of `tokens` (n, steps, voices)."""
        edges = np.cumsum(self.outputs)[:-1]
        before: npt.NDArray[np.int64] | None = None
        for segment in range(self.config.segments):
            hidden, cell, added = self.start(contexts[:, segment])
            for step in range(self.config.segment_steps):
                inputs = added
                if before is not None:
                    inputs = added + self.table[before + self.offsets].sum(axis=1)
                top = _through(self.layers, inputs, hidden, cell)
                logits = top @ self.projection + self.projection_bias
                before = np.stack(
                    [
                        _choose(scores, temperature, rng, closed if melodic else None)
                        for scores, melodic in zip(np.split(logits, edges, axis=-1), self.melodic, strict=True)
                    ],
                    axis=-1,
                )
                tokens[:, segment * self.config.segment_steps + step, self.voices] = before

    def score(self, tokens: npt.NDArray[np.integer], contexts: FloatArray) -> FloatArray:
        """Return teacher-forced logits (n, steps, depth of this core); all segments run side by side."""
        c = self.config
        count = len(tokens)
        own = tokens[:, :, self.voices].astype(np.int64) + self.offsets
        hidden, cell, added = self.start(contexts.reshape(-1, contexts.shape[-1]))
        inputs = np.zeros((count, c.steps, self.table.shape[1]), dtype=np.float32)
        inputs[:, 1:] = self.table[own[:, :-1]].sum(axis=2)
        inputs = inputs.reshape(count * c.segments, c.segment_steps, -1)
        logits = np.empty((count * c.segments, c.segment_steps, sum(self.outputs)), dtype=np.float32)
        for step in range(c.segment_steps):
            top = _through(self.layers, added + inputs[:, step], hidden, cell)
            logits[:, step] = top @ self.projection + self.projection_bias
        return logits.reshape(count, c.steps, -1)


def _through(layers: list[LstmLayer], inputs: FloatArray, hidden: State, cell: State) -> FloatArray:
    """Advance all layers by a step, given the inputs at the gates of the first, and return the output of the last."""
    for n, cells in enumerate(layers):
        x = np.concatenate([hidden[n - 1], hidden[n]], axis=-1) if n else hidden[0]
        hidden[n], cell[n] = cells.step(x, cells.bias if n else inputs, cell[n])
    return hidden[-1]


def _run(cells: LstmLayer, gates: FloatArray, *, reverse: bool) -> FloatArray:
    """Return the outputs (n, steps, units) of a layer from a zero state, given all of its inputs at the gates."""
    count, steps = gates.shape[:2]
    hidden = cell = np.zeros((count, cells.units), dtype=np.float32)
    outputs = np.empty((count, steps, cells.units), dtype=np.float32)
    for step in reversed(range(steps)) if reverse else range(steps):
        hidden, cell = advance(gates[:, step] + hidden @ cells.recurrent, cell)
        outputs[:, step] = hidden
    return outputs


def _choose(
    scores: FloatArray, temperature: float, rng: np.random.Generator | None, closed: BoolArray | None
) -> npt.NDArray[np.int64]:
    if closed is not None:
        scores = np.where(closed, -np.inf, scores)
    if rng is not None:
        # The Gumbel-max trick: the argmax of perturbed logits is a sample of their softmax.
        scores = scores / temperature + rng.gumbel(size=scores.shape).astype(np.float32)
    chosen: npt.NDArray[np.int64] = scores.argmax(axis=-1)
    return chosen


def _offsets(outputs: tuple[int, ...]) -> npt.NDArray[np.int64]:
    return np.cumsum((0, *outputs[:-1]))


def _closed_classes(pitch_classes: BoolArray | None, count: int) -> BoolArray | None:
    if pitch_classes is None:
        return None
    allowed = np.broadcast_to(pitch_classes, (count, 12))
    closed = np.zeros((count, MELODY_CLASSES), dtype=bool)
    pitches = np.arange(MELODY_CLASSES - _FIRST_PITCH_CLASS) + _MIN_PITCH
    closed[:, _FIRST_PITCH_CLASS:] = ~allowed[:, pitches % 12]
    return closed


def _check(stored: StoredModel) -> bool:
    """Return whether the model can encode; InputError where its decoder does not match its config."""
    for name, shape in decoder_shapes(stored.config).items():
        if name not in stored.arrays:
            raise InputError(f"model {stored.path} lacks {name}; it is incomplete: import it again")
        if stored.arrays[name].shape != shape:
            raise InputError(f"model {stored.path}: {name} has another shape than its config says")
    encoder = encoder_shapes(stored.config)
    for name, shape in encoder.items():
        if name in stored.arrays and stored.arrays[name].shape != shape:
            raise InputError(f"model {stored.path}: {name} has another shape than its config says")
    return all(name in stored.arrays for name in encoder)


def load_magenta_model(path: Path) -> MagentaModel:
    """Load an imported model from its file."""
    return MagentaModel(load_stored(path), path.stem)
