"""Comparing two implementations with the same weights, by their largest differences."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import MissingExtraError
from therapy_gen.musicvae.model import Model

# Rounding error of float32 between two orders of summation.
_ALLOWED = 1e-4
_SECTIONS = 2


@dataclass(frozen=True)
class Difference:
    """The difference of two implementations in one quantity.

    Attributes
    ----------
    what : str
    largest : float
        Largest absolute difference; for notes the number of steps that differ.
    allowed : float
    """

    what: str
    largest: float
    allowed: float = _ALLOWED

    @property
    def within(self) -> bool:
        """Whether it is no larger than allowed."""
        return self.largest <= self.allowed


def largest_difference(what: str, ours: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> Difference:
    """Return the largest absolute difference of two arrays."""
    return Difference(what, float(np.abs(ours - theirs).max()))


def compare_with_keras(model: Model, seed: int = 0) -> list[Difference]:
    """Run a model's weights here and in Keras, on random notes.

    Raises
    ------
    MissingExtraError
        Where Keras is not installed.
    """
    if find_spec("keras") is None:
        raise MissingExtraError("comparing with Keras", "train")
    from therapy_gen.musicvae.training.quiet import quiet_libraries

    with quiet_libraries():
        from therapy_gen.musicvae.training.network_weights import keras_figures

    config = model.config
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, config.num_classes, (_SECTIONS, config.steps, config.voices)).astype(np.uint8)
    theirs = keras_figures(config, model.arrays, tokens)
    mu, sigma = model.encode(tokens)
    return [
        largest_difference("teacher-forced logits", model.logits(theirs["mu"], tokens), theirs["logits"]),
        largest_difference("posterior mean", mu, theirs["mu"]),
        largest_difference("posterior deviation", sigma, theirs["sigma"]),
    ]
