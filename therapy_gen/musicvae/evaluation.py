"""Evaluating a model on unseen music: reconstruction, use of the latent space, interpolation, samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.music.analysis.statistics import compare
from therapy_gen.music.metre import metre_of
from therapy_gen.music.tokens import STEPS_PER_BAR
from therapy_gen.musicvae.latent.even_spacing import distances, unevenness
from therapy_gen.musicvae.model import DECODER_TEMPERATURE
from therapy_gen.musicvae.prior.prior import USUAL_METRE
from therapy_gen.musicvae.section_model import ScoringModel

IntArray = npt.NDArray[np.integer]
FloatArray = npt.NDArray[np.float64]

# A latent dimension is in use where the variance of its posterior mean over sections exceeds this (Burda et al. 2016,
# arXiv 1509.00519, appendix C).
ACTIVE_VARIANCE = 0.01
_BATCH = 64
_INTERPOLATION_STEPS = 8
_MOST_INTERPOLATIONS = 12


def sections_for(model: ScoringModel, tokens: IntArray) -> tuple[IntArray, npt.NDArray[np.intp]]:
    """Return windows (n, 256, 3) of melody, inner voice and bass as the model reads sections.

    A model of fewer bars gets the first bars of each window in which the melody begins; drums are silent.

    Returns
    -------
    sections : array of shape (m, steps, voices)
    windows : array of shape (m,)
        The window of each; windows without a melody give none.
    """
    voices = model.voices
    bars, steps = model.bars, model.bars * STEPS_PER_BAR
    columns = []
    for name in voices:
        if name == "drums":
            columns.append(np.zeros(tokens.shape[:2], dtype=np.int64))
        else:
            columns.append(tokens[:, :, ("melody", "inner", "bass").index(name)].astype(np.int64))
    whole = np.stack(columns, axis=-1)
    if steps == whole.shape[1]:
        return whole, np.arange(len(whole))
    parts, found = [], []
    for n, window in enumerate(whole):
        sliced = window[: len(window) // steps * steps].reshape(-1, steps, len(voices))
        begins = (sliced[:, : max(STEPS_PER_BAR * bars // 2, 1), 0] > 1).any(axis=1)
        if begins.any():
            parts.append(sliced[int(begins.argmax())])
            found.append(n)
    return np.array(parts, dtype=np.int64).reshape(-1, steps, len(voices)), np.array(found, dtype=np.intp)


def measure_model(
    model: ScoringModel,
    sections: IntArray,
    *,
    minor: npt.NDArray[np.bool_] | None = None,
    metre: IntArray | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure a model on sections.

    Parameters
    ----------
    sections : int array of shape (n, steps, voices)
    minor, metre : arrays of shape (n,), optional
        Mode and beats a bar (6 for 6/8) of each section: as many samples are drawn of each kind. By default all are in
        major, and in 4/4.
    seed : int
        Fixes what is drawn.

    Returns
    -------
    dict
        ``sections``; ``voices``: for each voice the share of steps at which the likeliest class is right given the true
        past (``teacher_forced``), given the model's own past (``greedy``), and when classes are drawn at temperature 1
        (``sampled``), all from z at the posterior mean, and the share of steps that are holds; ``nats``:
        ``reconstruction`` and ``kl`` a section; ``kl_per_dimension`` (mean over sections, in nats, largest first);
        ``active_units``; ``interpolation``: mean and largest ``change`` from step to step over eight steps between
        sections, and their ``unevenness``; ``distribution``: see `therapy_gen.music.analysis.statistics.compare`, of
        samples at the temperature of `sample` against the sections. Without an encoder only the last.
    """
    rng = np.random.default_rng(seed)
    voices = model.voices
    figures: dict[str, Any] = {"sections": len(sections)}
    if model.can_encode:
        figures |= _reconstruction(model, sections, voices, rng)
    melodic = [n for n, name in enumerate(voices) if name != "drums"]
    metres = np.full(len(sections), USUAL_METRE) if metre is None else np.asarray(metre)
    z = _drawn(model, np.zeros(len(sections), dtype=bool) if minor is None else minor, metres, rng)
    made = np.concatenate([model.decode(part, temperature=DECODER_TEMPERATURE, rng=rng) for part in _batches(z)])
    figures["distribution"] = compare(
        [section[:, melodic] for section in sections],
        [section[:, melodic].astype(np.int64) for section in made],
        [metre_of(beats) for beats in metres],
    )
    return figures


def _reconstruction(
    model: ScoringModel, sections: IntArray, voices: tuple[str, ...], rng: np.random.Generator
) -> dict[str, Any]:
    right = {name: np.zeros(len(voices)) for name in ("teacher_forced", "greedy", "sampled", "holds")}
    nats = 0.0
    mus, sigmas = [], []
    for batch in _batches(sections):
        mu, sigma = model.encode(batch)
        mus.append(mu)
        sigmas.append(sigma)
        likeliest, log_p = teacher_forced(model, mu, batch)
        nats -= float(log_p.sum())
        right["teacher_forced"] += (likeliest == batch).mean(axis=1).sum(axis=0)
        right["greedy"] += (model.decode(mu, temperature=0.0) == batch).mean(axis=1).sum(axis=0)
        right["sampled"] += (model.decode(mu, temperature=1.0, rng=rng) == batch).mean(axis=1).sum(axis=0)
        right["holds"] += (batch == 0).mean(axis=1).sum(axis=0)
    mu, sigma = np.concatenate(mus).astype(np.float64), np.concatenate(sigmas).astype(np.float64)
    kl = (0.5 * (mu**2 + sigma**2 - 1.0) - np.log(np.maximum(sigma, 1e-12))).mean(axis=0)
    count = len(sections)
    return {
        "voices": {
            name: {what: round(float(total[n]) / count, 4) for what, total in right.items()}
            for n, name in enumerate(voices)
        },
        "nats": {"reconstruction": round(nats / count, 1), "kl": round(float(kl.sum()), 1)},
        "kl_per_dimension": [round(float(value), 4) for value in np.sort(kl)[::-1]],
        "active_units": int((mu.var(axis=0) > ACTIVE_VARIANCE).sum()),
        "latent_dimensions": int(mu.shape[1]),
        "interpolation": _interpolations(model, mu.astype(np.float32), voices, rng),
    }


def teacher_forced(model: ScoringModel, mu: npt.NDArray[np.float32], batch: IntArray) -> tuple[IntArray, FloatArray]:
    """Return the likeliest class and the log-probability of the true one at each step, both (n, steps, voices)."""
    likeliest, log_p = [], []
    for n, part in enumerate(model.voice_logits(mu, batch)):
        shifted = part - part.max(axis=-1, keepdims=True)
        scores = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        likeliest.append(part.argmax(axis=-1))
        log_p.append(np.take_along_axis(scores, batch[..., n, None].astype(np.int64), axis=-1)[..., 0])
    return np.stack(likeliest, axis=-1), np.stack(log_p, axis=-1).astype(np.float64)


def _interpolations(
    model: ScoringModel, mu: npt.NDArray[np.float32], voices: tuple[str, ...], rng: np.random.Generator
) -> dict[str, float]:
    count = min(len(mu) // 2, _MOST_INTERPOLATIONS)
    if not count:
        return {}
    order = rng.permutation(len(mu))
    changes, deviations = [], []
    for a, b in zip(order[:count].tolist(), order[count : 2 * count].tolist(), strict=True):
        decoded = model.decode(model.interpolate(mu[a], mu[b], _INTERPOLATION_STEPS), temperature=0.0)
        steps = distances(list(decoded.astype(np.int64)), voices)
        changes.append(steps)
        deviations.append(unevenness(steps))
    table = np.stack(changes)
    return {
        "ways": count,
        "change": round(float(table.mean()), 4),
        "largest_change": round(float(table.max(axis=1).mean()), 4),
        "unevenness": round(float(np.mean(deviations)), 4),
    }


def _drawn(
    model: ScoringModel, minor: npt.NDArray[np.bool_], metres: IntArray, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Draw z from the model's prior, in the mode and metre of each section if its prior is conditioned on them."""
    z = np.empty((len(minor), model.config.z_size), dtype=np.float32)
    kinds = np.minimum(minor, len(model.kinds) - 1)
    for number, kind in enumerate(model.kinds):
        for metre in model.metres:
            alike = np.flatnonzero((kinds == number) & (metres == metre))
            if len(alike):
                z[alike] = model.sample_prior(len(alike), rng, kind, metre=metre)
    return z


def _batches(array: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    for start in range(0, len(array), _BATCH):
        yield array[start : start + _BATCH]
