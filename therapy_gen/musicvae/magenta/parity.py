"""Comparing an imported model with Magenta itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from therapy_gen.musicvae.magenta.exports import export_magenta
from therapy_gen.musicvae.magenta.reference_model import Reference
from therapy_gen.musicvae.magenta.runtime import MagentaModel
from therapy_gen.musicvae.parity import Difference, largest_difference

_SECTIONS = 2


def compare_with_magenta(model: MagentaModel, seed: int = 0) -> list[Difference]:
    """Run a model's weights here and in Magenta, on random z and random notes.

    Raises
    ------
    MissingExtraError
        Where Magenta is not installed.
    """
    config = model.config
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((_SECTIONS, config.z_size), dtype=np.float32)
    tokens = np.stack([rng.integers(0, classes, (_SECTIONS, config.steps)) for classes in config.outputs], axis=-1)
    reference = Reference(config, _SECTIONS)
    try:
        with tempfile.TemporaryDirectory(prefix="therapy-gen-") as folder:
            prefix = Path(folder) / "model.ckpt"
            export_magenta(model, prefix)
            reference.restore(prefix)
        differences = [
            largest_difference("teacher-forced logits", model.logits(z, tokens), reference.logits(z, tokens)),
            Difference(
                "steps whose likeliest notes differ",
                float((model.decode(z, temperature=0.0) != reference.greedy(z)).any(axis=-1).sum()),
                0.0,
            ),
        ]
        if model.can_encode:
            for what, ours, theirs in zip(
                ("posterior mean", "posterior deviation"), model.encode(tokens), reference.encode(tokens), strict=True
            ):
                differences.append(largest_difference(what, ours, theirs))
    finally:
        reference.close()
    return differences
