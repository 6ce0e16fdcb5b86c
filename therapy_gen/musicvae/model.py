"""The network in NumPy: encode, decode, sample and interpolate, batched, in float32."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.music.tokens import VOICES
from therapy_gen.musicvae.array_shapes import expected_shapes
from therapy_gen.musicvae.config import Config
from therapy_gen.musicvae.features import (
    HOLD,
    NOTE_OFF,
    coupled_pairs,
    coupling_rows,
    decoder_inputs,
    token_rows,
)
from therapy_gen.musicvae.latent.interpolate import slerp
from therapy_gen.musicvae.prior.prior import KINDS, USUAL_METRE, BarPrior
from therapy_gen.musicvae.prior.section_memory import MARK, SectionMemory
from therapy_gen.musicvae.weights import DEFAULT_MODEL, Weights, find_model, load_weights

FloatArray = npt.NDArray[np.float32]
Tokens = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]

# Of the values tried, nearest to held-out calm music in intervals and pitch classes together (docs/sampling.md).
PRIOR_TEMPERATURE = 0.7
# Of those compared by benchmarks/music/sampling.py, nearest to held-out music in scale, intervals and dissonance.
DECODER_TEMPERATURE = 0.5
# Half the distance between two exponential variates in float32, where they are smallest.
_LEAST_VARIATE = np.float32(2.0**-25)
_PRIOR_MARK = "prior/lstm/recurrent"
# Arrays that priors of earlier versions lack.
_PRIOR_NEEDS = ("prior/before_gates/kernel", "prior/traits/metre", "prior/traits/gain")

_FIRST_PITCH_CLASS = 2
_MIN_PITCH = 21
# Semitones, octaves apart or not.
_DISSONANT = (1, 2, 6, 10, 11)


def load_model(name: str = DEFAULT_MODEL, folder: Path | None = None) -> Model:
    """Load a model by name or path (see `find_model`).

    Examples
    --------
    >>> import therapy_gen
    >>> therapy_gen.load_model().can_encode
    True
    """
    path = find_model(name, folder)
    return Model(load_weights(path), path.stem)


class Model:
    """A trained network; a `therapy_gen.musicvae.section_model.ScoringModel`.

    Parameters
    ----------
    weights : Weights
    name : str

    Raises
    ------
    InputError
        Where an array is missing or has another shape than the config says.

    Examples
    --------
    >>> import numpy as np
    >>> import therapy_gen
    >>> model = therapy_gen.load_model()
    >>> tokens = model.decode(model.sample_prior(1, np.random.default_rng(1)), temperature=0.0)
    >>> mean, deviation = model.encode(tokens)
    >>> mean.shape == deviation.shape
    True
    """

    common_tonic = True
    can_encode = True
    kinds = KINDS

    def __init__(self, weights: Weights, name: str) -> None:
        self.name = name
        self.config: Config = weights.config
        self.facts = weights.facts
        self.sha256 = weights.sha256
        self.arrays: Mapping[str, FloatArray] = weights.arrays
        _check(weights)
        # The embedding and its projection to the gates are one table at run time.
        self._decoder_table = self.arrays["decoder_embedding/embeddings"] @ self.arrays["decoder_gates/kernel"]
        self._pairs = coupled_pairs(self.config.voices)
        fitted = _PRIOR_MARK in self.arrays
        self.prior = BarPrior(self.arrays, self.config.bars, self.config.bar_z) if fitted else None
        self._memory: SectionMemory | None = None

    @property
    def label(self) -> str:
        """Its name in titles of samples."""
        return self.name

    @property
    def bars(self) -> int:
        """Bars of a section."""
        return self.config.bars

    @property
    def voices(self) -> tuple[str, ...]:
        """Names of the columns of its tokens."""
        return VOICES[: self.config.voices]

    def encode(self, tokens: npt.NDArray[np.integer]) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation, each (n, z_size), of the posterior for tokens (n, steps, voices)."""
        c, a = self.config, self.arrays
        if tokens.shape[1:] != (c.steps, c.voices):
            raise InputError(f"sections for model {self.name} have {c.steps} steps and {c.voices} voices")
        rows = token_rows(tokens, c.num_classes)
        embedded = a["encoder_embedding/embeddings"][rows].sum(axis=2)
        bars = embedded.reshape(-1, c.bars, c.steps_per_bar * c.embedding)
        for n in range(len(c.bar_units)):
            bars = np.maximum(self._dense(f"bar_{n}", bars), 0.0)
        forward = self._lstm("forward", bars @ a["forward_gates/kernel"])
        backward = self._lstm("backward", bars @ a["backward_gates/kernel"], reverse=True)
        known = np.concatenate([bars, forward, backward], axis=-1)
        mu = self._dense("mu", known).reshape(-1, c.z_size)
        return mu, np.logaddexp(0.0, self._dense("sigma", known).reshape(-1, c.z_size)).astype(np.float32)

    @property
    def metres(self) -> tuple[int, ...]:
        """Beats a bar (4, 3, or 6 for 6/8) of the metres that it can be asked to write."""
        return (USUAL_METRE,) if self.prior is None else self.prior.metres

    @property
    def memory(self) -> SectionMemory | None:
        """The model's stored sections, if it has any."""
        if self._memory is None and MARK in self.arrays:
            self._memory = SectionMemory(self.arrays, self.config.bar_z)
        return self._memory

    def sample_prior(
        self,
        n: int,
        rng: np.random.Generator,
        kind: str = "major",
        *,
        density: float | None = None,
        temperature: float = PRIOR_TEMPERATURE,
        metre: int = USUAL_METRE,
    ) -> FloatArray:
        """Draw z (n, z_size) from the prior fitted to training music.

        Parameters
        ----------
        n : int
        rng : Generator
        kind : {"major", "minor"}
        density : float, optional
            Notes a bar, of all voices together; without it, as many as the calm training music has.
        temperature : float
            Below 1 the draws stay nearer to the mode of the prior.
        metre : int
            Beats a bar (6 for 6/8), one of `metres`.

        Notes
        -----
        A model without a fitted prior draws from N(0, I).
        """
        if self.prior is None:
            return rng.standard_normal((n, self.config.z_size), dtype=np.float32)
        return self.prior.sample(n, rng, kind, temperature, density, metre)

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
            Pitch classes that notes may have.
        chromatic : float
            By how many nats other pitch classes are made less likely; by default they are excluded.
        consonance : float
            By how many nats a note is made less likely for each voice, of those decided before it in a step, with which
            it makes a second, a seventh or a tritone.

        Returns
        -------
        array of uint8, shape (n, steps, voices)
            In canonical form (`therapy_gen.music.tokens`): no note-off where nothing sounds.
        """
        c, a = self.config, self.arrays
        if temperature > 0 and rng is None:
            raise ValueError("sampling above temperature 0 needs a generator")
        count = len(z)
        context = self._conduct(z)
        states = np.tanh(self._dense("decoder_state", context))
        # The conductor's output for all sixteenths at once would take 64 kB a bar: it is computed step by step.
        of_steps = self._step_contexts(context)
        of_bars = context @ a["decoder_context/kernel"] + a["decoder/bias"]
        recurrent = np.concatenate([a["decoder/recurrent"], a["step_gates/kernel"]])
        closed = _closed_classes(pitch_classes, count, c.num_classes)
        shut = None if closed is None else np.where(closed, np.float32(chromatic), np.float32(0.0))
        classes = c.num_classes
        coupling = a["coupling/embeddings"].reshape(-1, classes, classes).copy()
        coupling[1::2] -= np.float32(consonance) * _clashing(classes)
        offsets = np.arange(2 * c.voices) * classes
        previous = np.tile(offsets, (count, 1))
        sounding = np.zeros((count, c.voices), dtype=np.int64)
        tokens = np.zeros((count, c.steps, c.voices), dtype=np.uint8)
        order = _order(self._pairs, c.voices)
        hidden = cell = np.empty(0, dtype=np.float32)
        for step in range(c.steps):
            bar, position = divmod(step, c.steps_per_bar)
            if position == 0:
                hidden, cell = np.split(states[:, bar], 2, axis=-1)
            pre = np.concatenate([hidden, of_steps[:, bar, position]], axis=-1) @ recurrent
            pre += of_bars[:, bar]
            for column in range(2 * c.voices):
                pre += self._decoder_table[previous[:, column]]
            hidden, cell = _cell(pre, cell)
            logits = (hidden @ a["logits/kernel"] + a["logits/bias"]).reshape(count, c.voices, classes)
            for voice in order:
                scores = logits[:, voice]
                for pair, (speaker, listener) in enumerate(self._pairs):
                    if listener == voice:
                        scores = (
                            scores
                            + coupling[2 * pair, previous[:, speaker] - offsets[speaker]]
                            + coupling[2 * pair + 1, sounding[:, speaker]]
                        )
                if shut is not None:
                    scores = scores - shut
                if temperature > 0 and rng is not None:
                    # The Gumbel-max trick: the argmax of perturbed logits is a sample of their softmax. The negative
                    # logarithm of an exponential variate is a Gumbel variate.
                    variates = rng.standard_exponential(scores.shape, dtype=np.float32)
                    scores = scores / np.float32(temperature) - np.log(np.maximum(variates, _LEAST_VARIATE))
                event = scores.argmax(axis=-1)
                event = np.where((event == NOTE_OFF) & (sounding[:, voice] == 0), HOLD, event)
                sounding[:, voice] = np.where(event == HOLD, sounding[:, voice], np.where(event == NOTE_OFF, 0, event))
                previous[:, voice] = event + offsets[voice]
                tokens[:, step, voice] = event
            previous[:, c.voices :] = sounding + offsets[c.voices :]
        return tokens

    def logits(self, z: FloatArray, tokens: npt.NDArray[np.integer]) -> FloatArray:
        """Return teacher-forced logits (n, steps, voices, classes) of `tokens` given z."""
        c, a = self.config, self.arrays
        rows = token_rows(tokens, c.num_classes)
        context = self._conduct(z)
        hidden, cell = np.split(
            np.tanh(self._dense("decoder_state", context)).reshape(-1, 2 * c.decoder_units), 2, axis=-1
        )
        gates = self._decoder_table[decoder_inputs(rows, c.num_classes)].sum(axis=2)
        gates = gates.reshape(len(z), c.bars, c.steps_per_bar, -1) + self._gates_of_steps(context)
        states = self._lstm("decoder", gates.reshape(-1, c.steps_per_bar, gates.shape[-1]), (hidden, cell))
        logits = self._dense("logits", states).reshape(len(z), c.steps, c.voices, c.num_classes)
        heard = a["coupling/embeddings"][coupling_rows(rows, c.num_classes)].sum(axis=3)
        for pair, (_, listener) in enumerate(self._pairs):
            logits[:, :, listener] += heard[:, :, pair]
        return logits

    def voice_logits(self, z: FloatArray, tokens: npt.NDArray[np.integer]) -> list[FloatArray]:
        """Return `logits` voice by voice, each (n, steps, classes)."""
        return list(np.moveaxis(self.logits(z, tokens), 2, 0))

    def _conduct(self, z: FloatArray) -> FloatArray:
        c, a = self.config, self.arrays
        bars = np.tanh(self._dense("z_to_bar", z.reshape(-1, c.bars, c.bar_z)))
        forward = self._lstm("conductor_forward", bars @ a["conductor_forward_gates/kernel"])
        backward = self._lstm("conductor_backward", bars @ a["conductor_backward_gates/kernel"], reverse=True)
        return np.concatenate([bars, forward, backward], axis=-1)

    def _step_contexts(self, context: FloatArray) -> FloatArray:
        """Return the conductor's output for each sixteenth: (n, bars, steps_per_bar, step_width)."""
        c = self.config
        steps: FloatArray = np.tanh(self._dense("step_context", context))
        return steps.reshape(*context.shape[:2], c.steps_per_bar, c.step_width)

    def _gates_of_steps(self, context: FloatArray) -> FloatArray:
        """Return the conductor's input to the decoder's gates: (n, bars, steps_per_bar, 4 decoder_units)."""
        a = self.arrays
        steps = self._step_contexts(context)
        told: FloatArray = steps @ a["step_gates/kernel"] + (context @ a["decoder_context/kernel"])[:, :, None]
        return told

    def _dense(self, name: str, x: FloatArray) -> FloatArray:
        return x @ self.arrays[f"{name}/kernel"] + self.arrays[f"{name}/bias"]

    def _lstm(
        self,
        name: str,
        gates: FloatArray,
        state: tuple[FloatArray, FloatArray] | None = None,
        reverse: bool = False,
    ) -> FloatArray:
        recurrent = self.arrays[f"{name}/recurrent"]
        gates = gates + self.arrays[f"{name}/bias"]
        count, steps = gates.shape[:2]
        hidden, cell = state or (np.zeros((count, len(recurrent)), dtype=np.float32),) * 2
        outputs = np.empty((count, steps, len(recurrent)), dtype=np.float32)
        for step in reversed(range(steps)) if reverse else range(steps):
            hidden, cell = _cell(gates[:, step] + hidden @ recurrent, cell)
            outputs[:, step] = hidden
        return outputs


def _cell(pre: FloatArray, cell: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Advance an LSTM by one step, given the sums at its gates (i, f, g, o)."""
    units = cell.shape[-1]
    gate: FloatArray = np.reciprocal(1.0 + np.exp(-pre), dtype=np.float32)
    cell = gate[:, units : 2 * units] * cell + gate[:, :units] * np.tanh(pre[:, 2 * units : 3 * units])
    return gate[:, 3 * units :] * np.tanh(cell), cell


def _order(pairs: tuple[tuple[int, int], ...], voices: int) -> list[int]:
    """Return the voices in the order of decoding: each comes after the voices it depends on."""
    return sorted(range(voices), key=lambda voice: sum(listener == voice for _, listener in pairs))


def _closed_classes(pitch_classes: BoolArray | None, count: int, num_classes: int) -> BoolArray | None:
    if pitch_classes is None:
        return None
    allowed = np.broadcast_to(pitch_classes, (count, 12))
    closed = np.zeros((count, num_classes), dtype=bool)
    pitches = np.arange(num_classes - _FIRST_PITCH_CLASS) + _MIN_PITCH
    closed[:, _FIRST_PITCH_CLASS:] = ~allowed[:, pitches % 12]
    return closed


def _clashing(num_classes: int) -> FloatArray:
    """Return 1 where notes of two classes make a second, a seventh or a tritone, as (num_classes, num_classes)."""
    pitches = np.arange(num_classes)
    clashes = np.isin(np.abs(pitches[:, None] - pitches) % 12, _DISSONANT).astype(np.float32)
    clashes[:_FIRST_PITCH_CLASS] = clashes[:, :_FIRST_PITCH_CLASS] = 0.0
    return clashes


def _check(weights: Weights) -> None:
    for name, shape in expected_shapes(weights.config).items():
        if name not in weights.arrays:
            raise InputError(f"model {weights.path} lacks {name}; it is incomplete")
        if weights.shape(name) != shape:
            raise InputError(f"model {weights.path}: {name} has shape {weights.shape(name)}, its config says {shape}")
    if _PRIOR_MARK in weights.arrays and not all(name in weights.arrays for name in _PRIOR_NEEDS):
        raise InputError(f"model {weights.path} has a prior of an earlier version of therapy-gen; train it again")
