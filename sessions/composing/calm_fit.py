"""Pieces as calm as an arc asks for: every section is decoded at several densities, and those that fit are taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from therapy_gen.music.analysis.calmness import FEATURES, calmness
from therapy_gen.music.corpus.voices import MELODY
from therapy_gen.music.metre import FOUR_FOUR, Metre
from therapy_gen.music.tokens import (
    BARS_PER_SECTION,
    STEPS_PER_BAR,
    STEPS_PER_QUARTER,
    Tokens,
    tokens_to_notes,
)
from therapy_gen.musicvae.latent.attributes import effect_of, step_along, steps_towards
from therapy_gen.musicvae.section_model import SectionModel

FloatArray = npt.NDArray[np.float32]
Arranged = TypeVar("Arranged")

# The densities at which a section is decoded, as shares of the one that is guessed.
LEVELS = (0.65, 1.0, 1.5)
# The same where sections are drawn from a model's memory: every density is then another piece, taken as a whole.
MEMORY_LEVELS = (0.8, 1.0, 1.3)
# The guess: logit of the score = _AT_NOTHING - _SLOPE * ln(notes a second + _OFFSET), near what its strongest feature
# says (`therapy_gen.music.analysis.calmness`). It may be wrong, since what was decoded is measured.
_AT_NOTHING, _SLOPE, _OFFSET = 9.7, 3.5, 4.0
_DENSITIES = (3.0, 24.0)
# Sections that need more notes a bar than this are drawn with this density and moved from there: sections of calm music
# have fewer, some of them too few to be moved so far.
_DRAWN_DENSE = 12.0
# Velocity closes what the notes leave between score and target: by so many units at most. One unit takes about so much
# from the logit of the score.
_MOST_TOUCH = 6.0
_LOGIT_PER_UNIT = FEATURES["loudness"].weight / FEATURES["loudness"].scale
# Share of bars in which a note must begin; sections with fewer are taken only where there is no other.
FILLED = 0.9
_EMPTY_COSTS = 1.0
# Neighbouring sections should not jump from one density to another: what a step between levels costs, in calmness.
_JUMP_COSTS = 0.03
# Nor should it change how high a melody lies: what a semitone costs.
_REGISTER_COSTS = 0.008
# Where each level is another piece, those whose melodies lie further away than this, in semitones, are left out.
_MOST_REGISTER_AWAY = 1.5
_NOTHING_COSTS = 100.0
# With more combinations of sections than this, all are taken from one level.
_MOST_COMBINATIONS = 1000
# What arranging adds to the logit of decoded sections, about: long notes, left-out strokes, a soft touch.
_ARRANGED = 0.65
# A piece is arranged at most so often, and no more once it is so near.
_TRIES = 3
_NEAR = 0.004


def guessed_density(calm: float, tempo: float, metre: Metre = FOUR_FOUR) -> float:
    """Return the notes a bar, of all voices, that make music about this calm at a tempo (quarter notes a minute)."""
    logit = math.log(calm / (1.0 - calm))
    rate = math.exp((_AT_NOTHING - logit) / _SLOPE) - _OFFSET
    return min(max(rate * metre.quarters * 60.0 / tempo, _DENSITIES[0]), _DENSITIES[1])


def drawn_density(calm: float, tempo: float, metre: Metre = FOUR_FOUR) -> float | None:
    """Return the notes a bar to draw sections with; None where calm sections have as many as are needed."""
    return _DRAWN_DENSE if guessed_density(calm, tempo, metre) > _DRAWN_DENSE else None


def touch_towards(target: float, score: float) -> int:
    """Return the velocity offset that closes the gap between a score and its target; 0 where it is small."""
    if abs(score - target) < _NEAR:
        return 0
    wanted = (_logit(score) - _logit(target)) / _LOGIT_PER_UNIT
    return round(min(max(wanted, -_MOST_TOUCH), _MOST_TOUCH))


def at_levels(
    path: FloatArray,
    model: SectionModel,
    density: float,
    drawn: Sequence[float] | None = None,
    metre: Metre = FOUR_FOUR,
) -> list[FloatArray]:
    """Return a path (sections, z_size) moved to several densities; unchanged where the model has no density vector.

    Where its sections were `drawn` with a density each, they are moved from there, else from the model's usual one.
    """
    effect = effect_of(model.arrays, "density", metre.beats)
    if effect is None:
        return [path] * len(LEVELS)
    low, middle, high = (density * level for level in LEVELS)
    most = float(effect.max())
    if high > most:
        # All else would be as dense as the model gets.
        low *= math.sqrt(most / high)
        high = most
        middle = math.sqrt(low * high)

    def steps(dense: float) -> float:
        return steps_towards(model.arrays, "density", dense, metre.beats)

    start = np.zeros(len(path)) if drawn is None else np.array([steps(dense) for dense in drawn])
    return [step_along(path, model.arrays, "density", steps(level) - start) for level in (low, middle, high)]


@dataclass(frozen=True)
class DecodedSection:
    """A section decoded at one density, with what was measured of it before it is arranged.

    Attributes
    ----------
    logit : float
        Of the calmness score.
    filled : float
        Share of bars in which a note begins.
    melody : array of int
        The pitches of its melody.
    """

    z: FloatArray
    tokens: Tokens
    logit: float
    filled: float
    melody: npt.NDArray[np.int64]


def measured(z: FloatArray, tokens: Tokens, tempo: float, metre: Metre = FOUR_FOUR) -> DecodedSection:
    """Measure a decoded section at a tempo."""
    notes = tokens_to_notes(tokens)
    if not notes:
        return DecodedSection(z, tokens, math.inf, 0.0, np.zeros(0, dtype=np.int64))
    starts = metre.from_grid(np.array([note.start for note in notes]))
    lengths = metre.from_grid(np.array([note.end for note in notes])) - starts
    pitches = np.array([note.pitch for note in notes])
    seconds = 60.0 / tempo / STEPS_PER_QUARTER
    score = calmness(starts * seconds, lengths * seconds, pitches)
    bars = {note.start // STEPS_PER_BAR for note in notes}
    melody = pitches[[note.voice == MELODY for note in notes]]
    return DecodedSection(z, tokens, sum(score.contributions.values()), len(bars) / BARS_PER_SECTION, melody)


class CalmSearch:
    """The search for the densities at which a piece is as calm as wanted.

    Parameters
    ----------
    sections : sequence of (sequence of DecodedSection)
        For each distinct section of the piece, what was decoded at each level.
    weights : sequence of int
        How often each section is heard.
    target : float
        The calmness score.
    mixed : bool
        Whether sections may be of different levels.
    """

    def __init__(
        self,
        sections: Sequence[Sequence[DecodedSection]],
        weights: Sequence[int],
        target: float,
        *,
        mixed: bool = True,
    ) -> None:
        self._sections = sections
        self._weights = weights
        self._target = target
        levels = len(sections[0])
        if mixed and levels ** len(sections) <= _MOST_COMBINATIONS:
            self._combinations = np.array(list(product(range(levels), repeat=len(sections))))
        else:
            self._combinations = np.tile(np.arange(levels)[:, None], len(sections))
        shares = np.array(weights)

        def of_combinations(values: Sequence[Sequence[float]]) -> npt.NDArray[np.float64]:
            table = np.array(values, dtype=np.float64)
            return np.stack([row[levels] for row, levels in zip(table, self._combinations.T, strict=True)], axis=1)

        self._logits = of_combinations([[s.logit for s in choices] for choices in sections]) @ shares / shares.sum()
        empty = of_combinations([[max(FILLED - s.filled, 0.0) for s in choices] for choices in sections]).sum(axis=1)
        jumps = np.abs(np.diff(self._combinations, axis=1)).sum(axis=1)
        self._costs = _EMPTY_COSTS * empty + _JUMP_COSTS * jumps
        counts = of_combinations([[len(s.melody) for s in choices] for choices in sections]) @ shares
        sums = of_combinations([[int(s.melody.sum()) for s in choices] for choices in sections]) @ shares
        first = self._likeliest(_ARRANGED)
        # Keys and octaves were chosen for the first combination: others should not lie much higher or lower.
        lie = sums / np.maximum(counts, 1)
        self._costs += _REGISTER_COSTS * np.abs(lie - lie[first])
        if not mixed:
            self._costs[np.abs(lie - lie[first]) > _MOST_REGISTER_AWAY] = math.inf
        self._first = first

    def melody(self) -> npt.NDArray[np.int64]:
        """Return the melody's pitches in the combination that is tried first, each section as often as it is heard."""
        chosen = zip(self._chosen(self._first), self._weights, strict=True)
        return np.concatenate([section.melody for section, weight in chosen for _ in range(weight)])

    def fitted(self, arranged: Callable[[Sequence[DecodedSection]], tuple[float, Arranged]]) -> Arranged:
        """Return the piece that comes nearest; `arranged` makes the piece of chosen sections, and gives its score."""
        best: tuple[float, Arranged] | None = None
        combination = self._first
        for _ in range(_TRIES):
            score, piece = arranged(self._chosen(combination))
            away = abs(score - self._target)
            if best is None or away < best[0]:
                best = (away, piece)
            self._costs[combination] = math.inf
            if away < _NEAR or np.isinf(self._costs).all():
                break
            bias = _logit(score) - float(self._logits[combination])
            combination = self._likeliest(bias if math.isfinite(bias) else _ARRANGED)
        assert best is not None
        return best[1]

    def _likeliest(self, bias: float) -> int:
        """Return the combination that promises to come nearest, where arranging adds a bias to the logit."""
        away = np.abs(1.0 / (1.0 + np.exp(-np.clip(self._logits + bias, -50.0, 50.0))) - self._target)
        # A section without a note is taken only where there is no other.
        away[np.isinf(self._logits)] = _NOTHING_COSTS
        return int((away + self._costs).argmin())

    def _chosen(self, combination: int) -> list[DecodedSection]:
        return [choices[level] for choices, level in zip(self._sections, self._combinations[combination], strict=True)]


def _logit(score: float) -> float:
    score = min(max(score, 1e-6), 1.0 - 1e-6)
    return math.log(score / (1.0 - score))
