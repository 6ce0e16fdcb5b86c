"""Making a model's memory: new sections on the plans of real ones, and the latent points that decode to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from therapy_gen.musicvae.config import Config
from therapy_gen.musicvae.features import NOTE_OFF
from therapy_gen.musicvae.prior.section_memory import PREFIX
from therapy_gen.musicvae.training.memory.points import refined
from therapy_gen.musicvae.training.memory.section_pairs import MemoryMaterial, Pairs, most_real, written_pairs

FloatArray = npt.NDArray[np.float32]
Tokens = npt.NDArray[np.uint8]
Encode = Callable[[Tokens], tuple[FloatArray, FloatArray]]

_STEPS_PER_BAR = 16
_QUANTISED = 127
# How often pairs are composed, on newly drawn plans, for the critic to choose from.
_DRAWS = 5


def _memory_arrays(
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
    """Make the memory of a model: sections composed on plans of `material`, and latent points that decode to them.

    The result is empty where none of the plans gives an acceptable section.
    """
    written = [written_pairs(material, known, seed + draw) for draw in range(_DRAWS)]
    candidates = Pairs(*(np.concatenate(part) for part in zip(*written, strict=True)))
    if not len(candidates.plan):
        return {}
    pairs = most_real(candidates, material, seed)
    tokens = pairs.tokens.reshape(-1, *pairs.tokens.shape[2:])
    mu, _ = encode(tokens)
    return _memory_arrays(material, pairs, refined(config, arrays, tokens, mu), config.bar_z)
