"""Figures of a model on sections it has not seen: reconstruction of each voice, and use of the latent space."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.musicvae.evaluation import ACTIVE_VARIANCE, teacher_forced
from therapy_gen.musicvae.features import sounding
from therapy_gen.musicvae.model import Model

Tokens = npt.NDArray[np.uint8]
VOICE_NAMES = ("melody", "inner", "bass")

_BATCH = 128


def evaluate(model: Model, tokens: Tokens) -> dict[str, Any]:
    """Measure `model` on sections (n, steps, voices).

    Returns
    -------
    dict
        ``teacher_forced``: share of steps whose likeliest class, given the true past and z = mu, is right, by voice;
        ``reconstructed``: the same for greedy decoding from mu alone; ``sounding``: share of steps at which the
        reconstruction sounds the right pitch (or is rightly silent); ``holds``: share of steps that are holds, the
        score of a model that writes only holds; ``kl_nats``; ``reconstruction_nats``; ``active_units``; ``sections``.
    """
    sums: dict[str, npt.NDArray[np.float64]] = {}
    means = []
    for batch in _batches(tokens):
        mu, sigma = model.encode(batch)
        means.append(mu)
        likeliest, log_p = teacher_forced(model, mu, batch)
        kl = (0.5 * (mu**2 + sigma**2 - 1.0) - np.log(np.maximum(sigma, 1e-5))).sum()
        rebuilt = model.decode(mu, temperature=0.0)
        for name, value in {
            "teacher_forced": (likeliest == batch).mean(axis=1).sum(axis=0),
            "reconstructed": (rebuilt == batch).mean(axis=1).sum(axis=0),
            "sounding": (sounding(rebuilt) == sounding(batch)).mean(axis=1).sum(axis=0),
            "holds": (batch == 0).mean(axis=1).sum(axis=0),
            "kl_nats": np.asarray(kl),
            "reconstruction_nats": np.asarray(-log_p.sum()),
        }.items():
            sums[name] = sums.get(name, np.zeros(np.shape(value))) + value
    figures: dict[str, Any] = {}
    for name, total in sums.items():
        mean = total / len(tokens)
        figures[name] = (
            {voice: round(float(value), 4) for voice, value in zip(VOICE_NAMES, mean, strict=False)}
            if mean.ndim
            else round(float(mean), 1)
        )
    figures["active_units"] = int((np.concatenate(means).var(axis=0) > ACTIVE_VARIANCE).sum())
    figures["sections"] = len(tokens)
    return figures


def posterior(model: Model, tokens: Tokens) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return posterior means and standard deviations (n, z_size) of many sections, in batches."""
    parts = [model.encode(batch) for batch in _batches(tokens)]
    return np.concatenate([mu for mu, _ in parts]), np.concatenate([sigma for _, sigma in parts])


def _batches(tokens: Tokens) -> Iterator[Tokens]:
    for start in range(0, len(tokens), _BATCH):
        yield tokens[start : start + _BATCH]
