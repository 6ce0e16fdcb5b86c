"""From a training run to a model file that can be shipped: the prior fitted, held-out figures measured, float16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from therapy_gen.musicvae.evaluate import evaluate, posterior
from therapy_gen.musicvae.latent import fit_gaussian
from therapy_gen.musicvae.runtime import Model
from therapy_gen.musicvae.train import Material
from therapy_gen.musicvae.weights import Weights, load_weights, save_weights


def finish(trained: Path, material: Material, path: Path) -> dict[str, Any]:
    """Write the model of a training run to `path` and return its facts.

    Parameters
    ----------
    trained : Path
        Weights that `train` wrote.
    material : Material
        The prior is fitted to its training sections, figures are of the held-out ones.
    path : Path
        The file to write, in float16; all figures are measured with the weights as they are stored.
    """
    weights = load_weights(trained)
    facts = dict(weights.facts)
    arrays = {name: array.astype(np.float16).astype(np.float32) for name, array in weights.arrays.items()}
    model = Model(Weights(arrays, weights.config, facts, weights.sha256, trained), path.stem)
    mean, factor = fit_gaussian(*posterior(model, material.train))
    facts["held_out"] = evaluate(model, material.held_out) if len(material.held_out) else {}
    save_weights(path, {**arrays, "prior/mean": mean, "prior/factor": factor}, weights.config, facts)
    return facts
