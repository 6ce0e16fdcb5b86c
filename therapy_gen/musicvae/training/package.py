"""From a training run to a model file: fitting the prior, measuring held-out figures, storing float16."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.music.tokens import NUM_CLASSES
from therapy_gen.musicvae.latent.attributes import attribute_values, attribute_vectors, measured_effects
from therapy_gen.musicvae.model import PRIOR_TEMPERATURE, Model
from therapy_gen.musicvae.prior.descriptors import columns, section_descriptors
from therapy_gen.musicvae.prior.prior import KINDS
from therapy_gen.musicvae.training.held_out import evaluate, posterior
from therapy_gen.musicvae.weights import Weights, load_weights, save_weights

Tokens = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.integer]
FloatArray = npt.NDArray[np.float32]

# With fewer sections than this no prior is fitted: the model then draws from N(0, I).
_MIN_SECTIONS = 16
_CALIBRATED_ON = 128
_CALIBRATIONS = 4
_MOST_BEYOND = 1.5
# A descriptor that samples follow less than this (change obtained over change requested) gets no offset.
_FOLLOWS = 0.5
# Requests of the melody's descriptors are amplified by the inverse of how well samples follow them, by this factor at
# most. Those of pitch classes are not: their overlap with real music would fall (docs/sampling.md).
_MOST_GAIN = 6.0


@dataclass(frozen=True)
class PriorMaterial:
    """The data for fitting a prior.

    Attributes
    ----------
    tokens : array of uint8, shape (n, steps, voices)
    minor, held_out, calm : bool arrays of shape (n,)
        The mode of each section; whether it is held out; whether samples should have densities like its own.
    metre : int array of shape (n,)
        Beats a bar (6 for 6/8) of each section.
    piece : int array of shape (n,), optional
        Number of the piece of each section: with it the model gets a memory (`training.memory`).
    """

    tokens: Tokens
    minor: Bools
    metre: Ints
    held_out: Bools
    calm: Bools
    piece: Ints | None = None


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
    if (~prior.held_out).sum() >= _MIN_SECTIONS:
        from therapy_gen.musicvae.training.prior_network import fit_prior

        mu, sigma = posterior(model, prior.tokens)
        fitted, loss = fit_prior(
            mu,
            sigma,
            prior.minor,
            prior.metre,
            section_descriptors(prior.tokens),
            model.config.bar_z,
            held_out=prior.held_out,
            calm=prior.calm,
            seed=seed,
            report=report,
        )
        arrays |= fitted
        learned = ~prior.held_out
        arrays |= attribute_vectors(mu[learned], attribute_values(prior.tokens[learned], prior.metre[learned]))
        finished = Model(Weights(arrays, weights.config, facts, weights.sha256, trained), path.stem)
        arrays["prior/traits/asked"], arrays["prior/traits/gain"] = calibrated(finished, seed)
        finished = Model(Weights(arrays, weights.config, facts, weights.sha256, trained), path.stem)
        for metre in finished.metres:
            drawn = finished.sample_prior(_CALIBRATED_ON, np.random.default_rng(seed), metre=metre)
            arrays |= measured_effects(drawn, lambda z: finished.decode(z, temperature=0.0), arrays, metre)
        facts["prior"] = {"sections": int((~prior.held_out).sum()), "held_out_nats_a_bar": round(loss, 2)}
        if prior.piece is not None and model.config.num_classes == NUM_CLASSES:
            arrays |= _memory(model, arrays, prior, prior.piece, seed)
    facts["held_out"] = evaluate(model, held_out) if len(held_out) else {}
    save_weights(path, arrays, weights.config, facts)
    return facts


def _memory(model: Model, arrays: dict[str, FloatArray], prior: PriorMaterial, piece: Ints, seed: int) -> Any:
    """Return the arrays of a memory on plans of the calm sections that are not held out."""
    from therapy_gen.musicvae.training.memory.memory_fit import fit_memory
    from therapy_gen.musicvae.training.memory.section_pairs import MemoryMaterial

    learned = ~prior.held_out
    calm = np.flatnonzero(learned & prior.calm)
    material = MemoryMaterial(prior.tokens, prior.minor, prior.metre, piece).part(calm)
    return fit_memory(model.config, arrays, model.encode, material, prior.tokens[learned], seed)


def calibrated(model: Model, seed: int) -> tuple[FloatArray, FloatArray]:
    """Calibrate requests of the prior: gain * descriptors + offset gives sections with the wanted descriptors.

    Below temperature 1 samples stay near the mode, which has, for example, fewer notes than the mean. They follow the
    melody's descriptors too little, so that requests of those are amplified, or sections would be alike.

    Returns
    -------
    offset, gain : float32 arrays, shape (descriptors,)
        In standard deviations of each descriptor; and a factor.
    """
    assert model.prior is not None
    prior = model.prior
    mean, deviation = model.arrays["prior/traits/scale"]
    offset, gain = np.zeros_like(mean), np.ones_like(mean)
    groups = [(kind, metre) for kind in KINDS for metre in prior.metres]
    for turn in range(_CALIBRATIONS):
        prior.arrays["traits/asked"], prior.arrays["traits/gain"] = offset, gain
        rng = np.random.default_rng(seed)
        wanted = [
            prior.draw_descriptors(_CALIBRATED_ON // len(groups), rng, kind, None, metre) for kind, metre in groups
        ]
        z = [
            prior.given(descriptors, rng, kind, PRIOR_TEMPERATURE, metre)
            for descriptors, (kind, metre) in zip(wanted, groups, strict=True)
        ]
        had = (section_descriptors(model.decode(np.concatenate(z), temperature=0.0)) - mean) / deviation
        want = np.concatenate(wanted)
        apart = want - want.mean(axis=0)
        slope = (apart * had).sum(axis=0) / np.maximum((apart**2).sum(axis=0), 1e-6)
        follows = slope > _FOLLOWS
        if turn == 0:
            melody = columns("melody", len(model.voices))
            gain[melody] = np.clip(1.0 / np.maximum(slope[melody], 1e-3), 1.0, _MOST_GAIN)
        else:
            more = (offset + (want - had).mean(axis=0)).clip(-_MOST_BEYOND, _MOST_BEYOND)
            offset = np.where(follows, more, 0.0).astype(np.float32)
    return offset, gain
