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
from therapy_gen.musicvae.prior import KINDS
from therapy_gen.musicvae.runtime import PRIOR_TEMPERATURE, Model
from therapy_gen.musicvae.traits import section_traits
from therapy_gen.musicvae.weights import Weights, load_weights, save_weights

Tokens = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

# Fewer sections than this are no material for a prior: the model then draws from N(0, I).
MIN_SECTIONS = 16
_CALIBRATED_ON = 64
_CALIBRATIONS = 3
_MOST_BEYOND = 1.5


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

        mu, sigma = posterior(model, prior.tokens)
        fitted, loss = fit_prior(
            mu,
            sigma,
            prior.minor,
            section_traits(prior.tokens),
            model.config.bar_z,
            held_out=prior.held_out,
            calm=prior.calm,
            seed=seed,
            report=report,
        )
        arrays |= fitted
        learned = ~prior.held_out
        arrays |= attribute_vectors(mu[learned], attribute_values(prior.tokens[learned]))
        finished = Model(Weights(arrays, weights.config, facts, weights.sha256, trained), path.stem)
        arrays["prior/traits/asked"] = _asked_for(finished, seed)
        finished = Model(Weights(arrays, weights.config, facts, weights.sha256, trained), path.stem)
        drawn = finished.sample_prior(_CALIBRATED_ON, np.random.default_rng(seed))
        arrays |= measured_effects(drawn, lambda z: finished.decode(z, temperature=0.0), arrays)
        facts["prior"] = {"sections": int((~prior.held_out).sum()), "held_out_nats_a_bar": round(loss, 2)}
    facts["held_out"] = evaluate(model, held_out) if len(held_out) else {}
    save_weights(path, arrays, weights.config, facts)
    return facts


def _asked_for(model: Model, seed: int) -> FloatArray:
    """Return what to ask of the prior beyond the traits that are wanted, so that sections have these on average.

    Below temperature 1 samples keep to what is likeliest, and that has fewer notes, for one, than the mean.
    """
    assert model.prior is not None
    mean, deviation = model.arrays["prior/traits/scale"]
    asked = model.prior.arrays["traits/asked"] = np.zeros_like(mean)
    for _ in range(_CALIBRATIONS):
        rng = np.random.default_rng(seed)
        wanted = np.concatenate([model.prior.draw_traits(_CALIBRATED_ON // 2, rng, kind) for kind in KINDS])
        z = [
            model.prior.given(part, rng, kind, PRIOR_TEMPERATURE)
            for part, kind in zip(np.split(wanted, len(KINDS)), KINDS, strict=True)
        ]
        had = (section_traits(model.decode(np.concatenate(z), temperature=0.0)) - mean) / deviation
        asked = (asked + (wanted - had).mean(axis=0)).clip(-_MOST_BEYOND, _MOST_BEYOND).astype(np.float32)
        model.prior.arrays["traits/asked"] = asked
    return asked
