"""The memory of a model: new sections on the plans of real ones, as points at which its decoder writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from therapy_gen.music.tokens import FIRST_PITCH_CLASS, MIN_PITCH
from therapy_gen.musicvae.config import Config
from therapy_gen.musicvae.features import NOTE_OFF, sounding
from therapy_gen.musicvae.prior.section_memory import PREFIX
from therapy_gen.musicvae.training.section_variations import fit_progressions, varied

FloatArray = npt.NDArray[np.float32]
Tokens = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.integer]
Encode = Callable[[Tokens], tuple[FloatArray, FloatArray]]

# At most so many plans of a metre, and of one piece.
MOST_PLANS = {4: 2600}
_MOST_PLANS_ELSE = 500
_OF_ONE_PIECE = 8
# A plan shares at most so much of its bars with others that were chosen.
_SHARED_BARS = 0.5
# So many sections tell how chords follow each other.
_COUNTED = 1500
_TRIES = 4
# A variation begins as its section does, for one bar in so many, and as many bars at least are others.
_BEGINNING = 4
# Sections are left out that are more dissonant: of calm real music in 4/4 four fifths are less, by the share of
# intervals between voices, sixteenth by sixteenth, that are seconds, sevenths or tritones.
_MOST_DISSONANT = 0.22
_DISSONANT = np.isin(np.arange(12), (1, 2, 6, 10, 11))
# They stay within these pitches, so that no key leads off the piano.
_LOWEST, _HIGHEST = 28, 100
# Two bars in a row with at least so many notes, that stand in training music, are a copy.
_COPIED_BARS = 2
_LEAST_COPIED_NOTES = 4
_STEPS_PER_BAR = 16
# Steps by which a point is led to where its section is written, their size at first and at last, and the pull back, in
# nats for each unit squared of the way.
_REFINEMENTS = 8
_RATES = (0.2, 0.06)
_PULL = 0.01
_BATCH = 32
_QUANTISED = 127


class MemoryMaterial(NamedTuple):
    """What a memory is made of: training sections that begin phrases.

    Attributes
    ----------
    tokens : array of uint8, shape (n, steps, voices)
    minor : bool array of shape (n,)
    metre, piece : int arrays of shape (n,)
        Beats a bar; number of the piece.
    """

    tokens: Tokens
    minor: BoolArray
    metre: Ints
    piece: Ints

    def part(self, rows: Ints) -> MemoryMaterial:
        """Return some of them."""
        return MemoryMaterial(self.tokens[rows], self.minor[rows], self.metre[rows], self.piece[rows])


class Pairs(NamedTuple):
    """Sections (n, 2, steps, voices), each with a variation, and the numbers (n,) of the plans they are on."""

    tokens: Tokens
    plan: npt.NDArray[np.intp]


def written_pairs(material: MemoryMaterial, known: Tokens, seed: int = 0) -> Pairs:
    """Write a section and a variation of it, which begins alike and goes another way, on the plans of training music.

    Parameters
    ----------
    material : MemoryMaterial
    known : array of uint8, shape (m, steps, voices)
        Training sections: what shares two bars in a row with them is written anew, or left out.
    seed : int
    """
    rng = np.random.default_rng(seed)
    counted = rng.permutation(len(material.tokens))[:_COUNTED]
    progressions = fit_progressions(material.tokens[counted], material.minor[counted])
    phrases = {phrase for section in known for phrase in _phrases(section)}
    pairs, plans = [], []
    for row in _plans(material, rng):
        plan, minor = material.tokens[row], bool(material.minor[row])
        bars = len(plan) // _STEPS_PER_BAR
        for _ in range(_TRIES):
            theme, moves = varied(plan, minor, progressions, rng)
            if _fits(theme, phrases):
                break
        else:
            continue
        for _ in range(_TRIES):
            kept = moves[: bars // _BEGINNING].tolist()
            other, others = varied(plan, minor, progressions, rng, kept=kept, without=moves.tolist())
            if (others != moves).sum() >= max(bars // _BEGINNING, 1) and _fits(other, phrases):
                pairs.append(np.stack([theme, other]))
                plans.append(row)
                break
    shape = (0, 2, *material.tokens.shape[1:])
    return Pairs(np.stack(pairs) if pairs else np.zeros(shape, dtype=np.uint8), np.array(plans, dtype=np.intp))


def _plans(material: MemoryMaterial, rng: np.random.Generator) -> list[int]:
    """Choose sections whose plans are used, as many of each metre as there is room for."""
    chosen: list[int] = []
    for metre in sorted({int(value) for value in material.metre}):
        rows = rng.permutation(np.flatnonzero(material.metre == metre))
        taken: dict[int, list[set[bytes]]] = {}
        kept: list[int] = []
        for row in rows.tolist():
            others = taken.setdefault(int(material.piece[row]), [])
            bars = material.tokens[row].reshape(-1, _STEPS_PER_BAR * material.tokens.shape[-1])
            own = [bar.tobytes() for bar in bars]
            shared = sum(any(bar in other for other in others) for bar in own)
            if len(others) < _OF_ONE_PIECE and shared <= _SHARED_BARS * len(own):
                others.append(set(own))
                kept.append(row)
        # One plan of every piece, then a second one, and so on: no piece is left out.
        order = _rounds([int(material.piece[row]) for row in kept])
        chosen += [kept[n] for n in order[: MOST_PLANS.get(metre, _MOST_PLANS_ELSE)]]
    return chosen


def _rounds(pieces: list[int]) -> list[int]:
    """Return an order in which each piece's first section comes before any piece's second one."""
    seen: dict[int, int] = {}
    rounds = []
    for piece in pieces:
        rounds.append(seen.get(piece, 0))
        seen[piece] = rounds[-1] + 1
    order: list[int] = np.argsort(rounds, kind="stable").tolist()
    return order


def _phrases(section: Tokens) -> list[bytes]:
    """Return every two bars in a row in which something happens."""
    found = []
    length = _COPIED_BARS * _STEPS_PER_BAR
    for begin in range(0, len(section) - length + 1, _STEPS_PER_BAR):
        part = section[begin : begin + length]
        if (part > NOTE_OFF).sum() >= _LEAST_COPIED_NOTES:
            found.append(np.ascontiguousarray(part).tobytes())
    return found


def dissonance(section: Tokens) -> float:
    """Return the share of intervals between voices of a section (steps, voices), step by step, that are dissonant."""
    heard = sounding(section).astype(np.int64)
    dissonant = intervals = 0
    for upper in range(heard.shape[-1]):
        for lower in range(upper + 1, heard.shape[-1]):
            both = (heard[:, upper] > NOTE_OFF) & (heard[:, lower] > NOTE_OFF)
            intervals += int(both.sum())
            dissonant += int((_DISSONANT[np.abs(heard[:, upper] - heard[:, lower]) % 12] & both).sum())
    return dissonant / max(intervals, 1)


def _fits(section: Tokens, phrases: set[bytes]) -> bool:
    """Return whether a section is new, not too dissonant, and not too low or high."""
    pitches = section[section > NOTE_OFF].astype(np.int64) - FIRST_PITCH_CLASS + MIN_PITCH
    if not len(pitches) or pitches.min() < _LOWEST or pitches.max() > _HIGHEST:
        return False
    return dissonance(section) <= _MOST_DISSONANT and not any(phrase in phrases for phrase in _phrases(section))


def refined(config: Config, arrays: Mapping[str, FloatArray], tokens: Tokens, mu: FloatArray) -> FloatArray:
    """Lead points (n, z_size) to where the decoder writes `tokens` (n, steps, voices), by gradient, from their means.

    The network stays what it is. A pull back keeps points near where the encoder puts the section.
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

        def call(self, inputs: dict[str, object]) -> object:
            return self.network.decode(self.start + self.way, inputs["inputs"], inputs["couplings"])

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):  # type: ignore[no-untyped-def]
            """Return the sum over sections: each goes its own way."""
            log_p = ops.log_softmax(y_pred, axis=-1)
            right = ops.take_along_axis(log_p, ops.expand_dims(y, -1), axis=-1)
            return _PULL * ops.sum(ops.square(self.way)) - ops.sum(right)

    points = Points(_BATCH)
    rate = keras.optimizers.schedules.PolynomialDecay(_RATES[0], _REFINEMENTS, _RATES[1])
    found = []
    for first in range(0, len(tokens), _BATCH):
        # The last batch is filled up with the first section, so that all have one shape.
        rows = np.resize(np.arange(first, min(first + _BATCH, len(tokens))), _BATCH)
        inputs, targets = batch_inputs(tokens[rows], config)
        inputs = {name: inputs[name] for name in ("inputs", "couplings")}
        points.start.assign(mu[rows])
        points.way.assign(np.zeros_like(mu[rows]))
        points.compile(keras.optimizers.Adam(rate, beta_1=0.8, beta_2=0.95), run_eagerly=False)
        for _ in range(_REFINEMENTS):
            points.train_on_batch(inputs, targets)
        moved = np.asarray(ops.convert_to_numpy(points.start.value + points.way.value), dtype=np.float32)
        found.append(moved[: min(_BATCH, len(tokens) - first)])
    return np.concatenate(found)


def memory_arrays(
    material: MemoryMaterial, pairs: Pairs, z: FloatArray, bar_z: int
) -> dict[str, npt.NDArray[np.generic]]:
    """Return the arrays of a memory (see `SectionMemory`) for z (2 n, z_size) of pairs, theme after theme."""
    parts = z.reshape(len(pairs.plan), 2, -1, bar_z)
    scale = np.abs(parts).max(axis=(0, 1, 2)) / _QUANTISED
    bars = pairs.tokens.shape[2] // _STEPS_PER_BAR
    arrays = {
        "sections": np.rint(parts / scale).astype(np.int8).reshape(len(parts), 2, -1),
        "scale": scale.astype(np.float32),
        "minor": material.minor[pairs.plan].astype(np.uint8),
        "metre": material.metre[pairs.plan].astype(np.uint8),
        "density": ((pairs.tokens[:, 0] > NOTE_OFF).sum(axis=(1, 2)) / bars).astype(np.float32),
        "source": material.piece[pairs.plan].astype(np.uint16),
    }
    return {PREFIX + name: array for name, array in arrays.items()}


def fit_memory(
    config: Config,
    arrays: Mapping[str, FloatArray],
    encode: Encode,
    material: MemoryMaterial,
    known: Tokens,
    seed: int = 0,
) -> dict[str, npt.NDArray[np.generic]]:
    """Make the memory of a model: sections written on plans of `material`, and the points at which it writes them.

    Where none of the plans gives sections that may be kept, there is no memory: the result is empty.
    """
    pairs = written_pairs(material, known, seed)
    if not len(pairs.plan):
        return {}
    tokens = pairs.tokens.reshape(-1, *pairs.tokens.shape[2:])
    mu, _ = encode(tokens)
    return memory_arrays(material, pairs, refined(config, arrays, tokens, mu), config.bar_z)
