"""Pieces as calm as an arc asks for: every section is decoded at several densities, and those that fit are taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from therapy_gen.music.calmness import calmness
from therapy_gen.music.tokens import BARS_PER_SECTION, STEPS_PER_BAR, STEPS_PER_QUARTER, Tokens, tokens_to_notes
from therapy_gen.musicvae.attributes import PREFIX, step_along, steps_towards
from therapy_gen.musicvae.section_model import SectionModel

FloatArray = npt.NDArray[np.float32]
Piece = TypeVar("Piece")

# The densities at which a section is decoded, as shares of the one that is guessed.
LEVELS = (0.65, 1.0, 1.5)
# The guess: the logit of the score falls with the logarithm of the notes a second, as its strongest feature does
# (`therapy_gen.music.calmness`). It need not be right, since what was decoded is measured.
_AT_NOTHING, _SLOPE, _OFFSET = 9.7, 3.5, 4.0
_DENSITIES = (3.0, 24.0)
# Music that is to be as calm as the first is played with the softest touch; as calm as the second, so many units of
# velocity above.
_SOFT, _LOUD, _LOUDEST = 0.94, 0.6, 16
# Share of bars in which a note must begin; sections with fewer are taken only where there is no other.
FILLED = 0.9
_EMPTY_COSTS = 1.0
# Neighbouring sections should not jump from one density to another: what a step between levels costs, in calmness.
_JUMP_COSTS = 0.004
# With more ways to combine sections than this, all are taken from one level.
_MOST_WAYS = 1000
# A piece is arranged at most so often, and no more once it is so near.
_TRIES = 3
_NEAR = 0.004


def guessed_density(calm: float, tempo: float) -> float:
    """Return the notes a bar, of all voices, that make music about this calm at a tempo (quarter notes a minute)."""
    logit = math.log(calm / (1.0 - calm))
    rate = math.exp((_AT_NOTHING - logit) / _SLOPE) - _OFFSET
    return min(max(rate * 4.0 * 60.0 / tempo, _DENSITIES[0]), _DENSITIES[1])


def louder(calm: float) -> int:
    """Return how many units of velocity above the softest touch music as calm as that is played."""
    return round(_LOUDEST * min(max((_SOFT - calm) / (_SOFT - _LOUD), 0.0), 1.0))


def at_levels(walk: FloatArray, model: SectionModel, density: float) -> list[FloatArray]:
    """Return a walk (sections, z_size) moved to several densities; as it is, where the model has no vector for that."""
    if f"{PREFIX}density/effect" not in model.arrays:
        return [walk] * len(LEVELS)
    return [
        step_along(walk, model.arrays, "density", steps_towards(model.arrays, "density", density * level))
        for level in LEVELS
    ]


@dataclass(frozen=True)
class Section:
    """What was decoded for a section at one level: its notes, and how calm they are as they stand."""

    z: FloatArray
    tokens: Tokens
    logit: float
    filled: float


def measured(z: FloatArray, tokens: Tokens, tempo: float) -> Section:
    """Measure a decoded section at a tempo."""
    notes = tokens_to_notes(tokens)
    if not notes:
        return Section(z, tokens, math.inf, 0.0)
    starts = np.array([note.start for note in notes])
    lengths = np.array([note.end for note in notes]) - starts
    seconds = 60.0 / tempo / STEPS_PER_QUARTER
    score = calmness(starts * seconds, lengths * seconds, np.array([note.pitch for note in notes]))
    bars = {note.start // STEPS_PER_BAR for note in notes}
    return Section(z, tokens, sum(score.contributions.values()), len(bars) / BARS_PER_SECTION)


def fitted(
    sections: Sequence[Sequence[Section]],
    weights: Sequence[float],
    target: float,
    arranged: Callable[[Sequence[Section]], tuple[float, Piece]],
) -> Piece:
    """Choose a level for every section so that the piece is as calm as wanted.

    Parameters
    ----------
    sections : sequence of (sequence of Section)
        For each distinct section of the piece, what was decoded at each level.
    weights : sequence of float
        How often each section is heard.
    target : float
        The calmness score.
    arranged : callable
        Makes the piece of chosen sections; gives its score, and the piece.
    """
    levels = len(sections[0])
    ways = list(product(range(levels), repeat=len(sections)))
    if len(ways) > _MOST_WAYS:
        ways = [(level,) * len(sections) for level in range(levels)]
    total = sum(weights)
    best: tuple[float, Piece] | None = None
    bias = 0.0
    tried: set[tuple[int, ...]] = set()
    for _ in range(_TRIES):

        def cost(way: tuple[int, ...], bias: float = bias) -> float:
            chosen = [choices[level] for choices, level in zip(sections, way, strict=True)]
            if any(math.isinf(section.logit) for section in chosen):
                return math.inf
            logit = sum(s.logit * weight for s, weight in zip(chosen, weights, strict=True)) / total + bias
            empty = sum(max(FILLED - section.filled, 0.0) for section in chosen)
            jumps = sum(abs(a - b) for a, b in pairwise(way))
            return abs(_score(logit) - target) + _EMPTY_COSTS * empty + _JUMP_COSTS * jumps

        way = min((way for way in ways if way not in tried), key=cost, default=None)
        if way is None:
            break
        tried.add(way)
        chosen = [choices[level] for choices, level in zip(sections, way, strict=True)]
        score, piece = arranged(chosen)
        away = abs(score - target)
        if best is None or away < best[0]:
            best = (away, piece)
        if away < _NEAR:
            break
        finite = [s.logit * weight for s, weight in zip(chosen, weights, strict=True) if not math.isinf(s.logit)]
        if len(finite) == len(chosen):
            bias = _logit(score) - sum(finite) / total
    assert best is not None
    return best[1]


def _score(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, logit))))


def _logit(score: float) -> float:
    score = min(max(score, 1e-6), 1.0 - 1e-6)
    return math.log(score / (1.0 - score))
