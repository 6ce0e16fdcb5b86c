"""A model that trains in seconds, and music for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from therapy_gen.musicvae.config import Config

SMALL = replace(
    Config(),
    bars=2,
    bar_z=3,
    embedding=16,
    bar_units=(32, 24),
    encoder_units=20,
    bar_width=12,
    conductor_units=28,
    decoder_units=36,
    batch_size=8,
    free_bits=4.0,
)


def music(count: int, config: Config = SMALL, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return sections in which each bar repeats one of a few rhythms on a few pitches: there is something to learn."""
    rng = np.random.default_rng(seed)
    tokens = np.zeros((count, config.steps, config.voices), dtype=np.uint8)
    roots = rng.integers(0, 4, count)
    for step in range(0, config.steps, 4):
        tokens[:, step, 0] = 41 + roots * 2 + (step // 4) % 3
    tokens[:, ::16, 2] = (20 + roots)[:, None]
    tokens[:, 12::16, 2] = 1
    tokens[:, 2::8, 1] = rng.integers(30, 40, (count, 1))
    return tokens
