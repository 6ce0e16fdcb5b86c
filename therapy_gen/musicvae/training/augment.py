"""Data augmentation: windows transposed to other keys."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from therapy_gen.musicvae.features import NOTE_OFF

# Up to a tritone either way: every key.
_FARTHEST = 6


def transposed(
    tokens: npt.NDArray[np.uint8], share: float, rng: np.random.Generator, num_classes: int = 90
) -> npt.NDArray[np.uint8]:
    """Return windows (n, steps, voices), about `share` of them transposed by up to six semitones.

    A window that would leave the vocabulary's range is not transposed.
    """
    shift = shifts(len(tokens), share, rng)
    notes = tokens > NOTE_OFF
    moved = tokens.astype(np.int16) + np.where(notes, shift[:, None, None], 0)
    stays = (notes & ((moved <= NOTE_OFF) | (moved >= num_classes))).any(axis=(1, 2), keepdims=True)
    return np.where(stays, tokens, moved).astype(np.uint8)


def shifts(count: int, share: float, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw the transposition of each of so many windows: about `share` of them by up to a tritone."""
    return np.where(rng.random(count) < share, rng.integers(-_FARTHEST, _FARTHEST + 1, count), 0)
