"""From a training run to a model file that can be shipped: the prior fitted, held-out figures measured, float16."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.musicvae.attributes import attribute_values, attribute_vectors, measured_effects
from therapy_gen.musicvae.evaluate import evaluate, posterior
from therapy_gen.musicvae.features import NOTE_OFF
from therapy_gen.musicvae.runtime import Model
from therapy_gen.musicvae.weights import Weights, load_weights, save_weights

Tokens = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

# Fewer sections than this are no material for a prior: the model then draws from N(0, I).
MIN_SECTIONS = 16
_CALIBRATED_ON = 64


@dataclass(frozen=True)
class PriorMaterial:
    """What a prior is fitted to.

    Attributes
    ----------
    tokens : array of uint8, shape (n, steps, voices)
    minor, held_out, calm : bool arrays of shape (n,)
        The mode of each section; whether it only judges the fit; whether samples shall have its density.
    """

    tokens: Tokens
    minor: Bools
    held_out: Bools
    calm: Bools


def finish(
    trained: Path,
    held_out: Tokens,
    prior: PriorMaterial,
    path: Path,
    *,
    seed: int = 0,
    report: Callable[[int, float, float], None] | None = None,
) -> dict[str, Any]:
    """Write the model of a training run to `path` and return its facts.

    Parameters
    ----------
    trained : Path
        Weights that `train` wrote.
    held_out : array of uint8, shape (n, steps, voices)
        Sections to measure the model on.
    prior : PriorMaterial
    path : Path
        The file to write, in float16; all figures are measured with the weights as they are stored.
    seed : int
        Fixes the fit of the prior.
    report : callable, optional
        Gets the progress of that fit; see `prior_network.fit_prior`.
    """
    weights = load_weights(trained)
    facts = dict(weights.facts)
    arrays = {name: array.astype(np.float16).astype(np.float32) for name, array in weights.arrays.items()}
    model = Model(Weights(arrays, weights.config, facts, weights.sha256, trained), path.stem)
    if (~prior.held_out).sum() >= MIN_SECTIONS:
        from therapy_gen.musicvae.prior_network import fit_prior

        densities = notes_a_bar(prior.tokens, model.config.bars)
        chosen = prior.calm & ~prior.held_out
        usual = densities[chosen if chosen.any() else ~prior.held_out].mean()
        mu, sigma = posterior(model, prior.tokens)
        fitted, loss = fit_prior(
            mu,
            sigma,
            prior.minor,
            densities,
            model.config.bar_z,
            held_out=prior.held_out,
            usual=float(usual),
            seed=seed,
            report=report,
        )
        arrays |= fitted
        learned = ~prior.held_out
        arrays |= attribute_vectors(mu[learned], attribute_values(prior.tokens[learned]))
        finished = Model(Weights(arrays, weights.config, facts, weights.sha256, trained), path.stem)
        arrays["prior/density"][2] = _asked_for(finished, float(usual), seed)
        drawn = finished.sample_prior(_CALIBRATED_ON, np.random.default_rng(seed))
        arrays |= measured_effects(drawn, lambda z: finished.decode(z, temperature=0.0), arrays)
        facts["prior"] = {"sections": int((~prior.held_out).sum()), "held_out_nats_a_bar": round(loss, 2)}
    facts["held_out"] = evaluate(model, held_out) if len(held_out) else {}
    save_weights(path, arrays, weights.config, facts)
    return facts


def _asked_for(model: Model, density: float, seed: int) -> float:
    """Return what to ask of the prior, in its own units, so that samples have `density`.

    Below temperature 1 samples keep to what is likeliest, and that has fewer notes than the mean.
    """
    mean, deviation, _ = model.arrays["prior/density"]
    asked = np.linspace(-2.0, 2.0, 9)
    had = []
    for units in asked:
        z = model.sample_prior(_CALIBRATED_ON, np.random.default_rng(seed), density=float(mean + units * deviation))
        had.append(float(notes_a_bar(model.decode(z, temperature=0.0), model.config.bars).mean()))
    return float(np.interp(density, np.maximum.accumulate(had), asked))


def notes_a_bar(tokens: Tokens, bars: int) -> npt.NDArray[np.float32]:
    """Return how many notes begin in a bar, in all voices together, for sections (n, steps, voices)."""
    density: npt.NDArray[np.float32] = ((tokens > NOTE_OFF).sum(axis=(1, 2)) / bars).astype(np.float32)
    return density
