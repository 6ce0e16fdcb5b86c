"""From a training run to a model file that can be shipped: the prior fitted, held-out figures measured, float16."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.musicvae.evaluate import evaluate, posterior
from therapy_gen.musicvae.latent import fit_gaussian
from therapy_gen.musicvae.runtime import Model
from therapy_gen.musicvae.weights import Weights, load_weights, save_weights

Tokens = npt.NDArray[np.uint8]


def finish(trained: Path, held_out: Tokens, priors: Mapping[str, Tokens], path: Path) -> dict[str, Any]:
    """Write the model of a training run to `path` and return its facts.

    Parameters
    ----------
    trained : Path
        Weights that `train` wrote.
    held_out : array of uint8, shape (n, steps, voices)
        Sections to measure the model on.
    priors : mapping of str to array of uint8, shape (n, steps, voices)
        Sections, by kind, that priors are fitted to; kinds of fewer than two sections get none.
    path : Path
        The file to write, in float16; all figures are measured with the weights as they are stored.
    """
    weights = load_weights(trained)
    facts = dict(weights.facts)
    arrays = {name: array.astype(np.float16).astype(np.float32) for name, array in weights.arrays.items()}
    model = Model(Weights(arrays, weights.config, facts, weights.sha256, trained), path.stem)
    for kind, sections in priors.items():
        if len(sections) > 1:
            mean, factor = fit_gaussian(*posterior(model, sections))
            arrays |= {f"prior/{kind}/mean": mean, f"prior/{kind}/factor": factor}
    facts["held_out"] = evaluate(model, held_out) if len(held_out) else {}
    save_weights(path, arrays, weights.config, facts)
    return facts
