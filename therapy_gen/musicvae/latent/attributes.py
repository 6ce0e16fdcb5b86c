"""Attribute vectors: directions of the latent space along which the attributes of sections change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from therapy_gen.musicvae.features import HOLD, NOTE_OFF, sounding
from therapy_gen.musicvae.latent.attribute_kinds import ATTRIBUTES
from therapy_gen.musicvae.prior.prior import USUAL_METRE

FloatArray = npt.NDArray[np.float32]
Tokens = npt.NDArray[np.uint8]

# Steps at which the effect of a vector is measured, in standard deviations of its attribute.
EFFECT_STEPS = np.arange(-3.0, 4.0)
PREFIX = "attribute/"

_STEPS_PER_BAR = 16
# Metric weight of each sixteenth of a bar, by its beats (Longuet-Higgins & Lee 1984, Music Perception 1:424): each
# level of halves, or of thirds, is one less. What takes no time weighs nothing.
_UNHEARD = -9
_WEIGHTS = {
    4: np.array([0, -4, -3, -4, -2, -4, -3, -4, -1, -4, -3, -4, -2, -4, -3, -4]),
    3: np.array([0, -3, -2, -3, -1, -3, -2, -3, -1, -3, -2, -3, *[_UNHEARD] * 4]),
    6: np.array([0, -3, -2, -3, -2, -3, -1, -3, -2, -3, -2, -3, *[_UNHEARD] * 4]),
}
# Of the vectors' regression, a share of the number of sections.
_RIDGE = 0.01


@dataclass(frozen=True)
class SectionNotes:
    """A section with what the attributes need.

    Attributes
    ----------
    tokens : uint8 array of shape (steps, voices)
    heard : int array of shape (steps,)
        Class of the sounding melody note at each step.
    metre : int
        Beats of a bar: 4, 3, or 6 for 6/8.
    """

    tokens: Tokens
    heard: npt.NDArray[np.int64]
    metre: int

    @cached_property
    def _starts(self) -> npt.NDArray[np.intp]:
        return np.flatnonzero(self.tokens[:, 0] > NOTE_OFF)

    @cached_property
    def _pitches(self) -> npt.NDArray[np.int64]:
        pitches: npt.NDArray[np.int64] = self.tokens[self._starts, 0].astype(np.int64)
        return pitches

    @property
    def notes_a_bar(self) -> float:
        """Notes a bar, of all voices."""
        return float((self.tokens > NOTE_OFF).sum() * _STEPS_PER_BAR / len(self.tokens))

    @property
    def mean_interval(self) -> float:
        """Mean semitones between successive melody notes; 0 where there is none."""
        return float(np.abs(np.diff(self._pitches)).mean()) if len(self._starts) > 1 else 0.0

    @property
    def melody_range(self) -> float:
        """Semitones from the 5th to the 95th percentile of the melody."""
        return float(np.ptp(np.percentile(self._pitches, [5, 95]))) if len(self._starts) > 1 else 0.0

    @property
    def syncopation(self) -> float:
        """Mean weight, a melody note, by which a note on a weak step is held over a stronger one."""
        line, starts, weights = self.tokens[:, 0], self._starts, _WEIGHTS[self.metre]
        if len(starts) < 2:
            return 0.0
        total = 0
        for start, following in zip(starts, [*starts[1:], len(line)], strict=True):
            held = [step for step in range(start + 1, following) if line[step] == HOLD and self.heard[step]]
            if held and weights[start % _STEPS_PER_BAR] != _UNHEARD:
                total += max(int(weights[np.array(held) % _STEPS_PER_BAR].max() - weights[start % _STEPS_PER_BAR]), 0)
        return total / len(starts)


def attribute_values(tokens: Tokens, metre: int | npt.NDArray[np.integer] = USUAL_METRE) -> dict[str, FloatArray]:
    """Measure sections.

    Parameters
    ----------
    tokens : uint8 array of shape (n, steps, voices)
    metre : int, or int array of shape (n,)
        Beats of a bar: 4, 3, or 6 for 6/8.

    Returns
    -------
    dict of str to array of shape (n,)
        The value of every one of `ATTRIBUTES`.
    """
    metres = np.broadcast_to(metre, len(tokens)).tolist()
    heard = sounding(tokens)[..., 0].astype(np.int64)
    sections = [SectionNotes(*section) for section in zip(tokens, heard, metres, strict=True)]
    return {
        name: np.array([kind.of(section) for section in sections], dtype=np.float32)
        for name, kind in ATTRIBUTES.items()
    }


def attribute_vectors(mu: FloatArray, values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return arrays to store with a model.

    Parameters
    ----------
    mu : array of shape (n, z_size)
        Posterior means of n sections.
    values : mapping of str to array of shape (n,)
        What `attribute_values` measured of them.

    Returns
    -------
    dict
        ``attribute/<name>``: array of shape (z_size,), by which z differs where the attribute is one standard deviation
        larger and the others are the same; ``attribute/<name>/scale``: array of shape (2,), the attribute's mean and
        standard deviation.

    Notes ----- The attribute vectors of MusicVAE (arXiv 1803.05428, section 5.3) are differences of mean z between
    sections with much and with little of an attribute. These come from a regression of z on all attributes except an
    akin one (interval and range are akin), so that a step in density is not also one in syncopation.
    """
    names = list(values)
    table = np.stack([np.asarray(values[name], dtype=np.float64) for name in names], axis=1)
    mean, deviation = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-6)
    units = (table - mean) / deviation
    centred = mu.astype(np.float64) - mu.mean(axis=0, dtype=np.float64)
    gram = units.T @ units + _RIDGE * len(units) * np.eye(len(names))
    shared = units.T @ centred
    arrays: dict[str, FloatArray] = {}
    for n, name in enumerate(names):
        kept = [m for m, other in enumerate(names) if other != _akin(name)]
        vectors = np.linalg.solve(gram[np.ix_(kept, kept)], shared[kept])
        arrays[f"{PREFIX}{name}"] = vectors[kept.index(n)].astype(np.float32)
        arrays[f"{PREFIX}{name}/scale"] = np.array([mean[n], deviation[n]], dtype=np.float32)
    return arrays


def _akin(name: str) -> str | None:
    return ATTRIBUTES[name].akin if name in ATTRIBUTES else None


def step_along(
    z: FloatArray, arrays: Mapping[str, FloatArray], name: str, steps: float | npt.NDArray[np.floating]
) -> FloatArray:
    """Return z (..., z_size) moved by so many standard deviations of an attribute; KeyError without its vector.

    Steps of shape (...) move each z by its own.
    """
    moved: FloatArray = z + np.asarray(steps, dtype=np.float32)[..., None] * arrays[f"{PREFIX}{name}"]
    return moved


def measured_effects(
    z: FloatArray,
    decode: Callable[[FloatArray], Tokens],
    arrays: Mapping[str, FloatArray],
    metre: int = USUAL_METRE,
) -> dict[str, FloatArray]:
    """Measure the effects of steps along each vector.

    Parameters
    ----------
    z : array of shape (n, z_size)
        Drawn from the prior.
    decode : callable
        From z to tokens.
    arrays : mapping
        With what `attribute_vectors` returned.
    metre : int
        Beats a bar (6 for 6/8) of what z was drawn for.

    Returns
    -------
    dict
        ``attribute/<name>/effect``, or ``attribute/<name>/effect/<metre>`` for another than the usual metre: array of
        shape (7,), the mean attribute of the sections at `EFFECT_STEPS`.
    """
    return {
        _effect_name(name, metre): np.array(
            [attribute_values(decode(step_along(z, arrays, name, step)), metre)[name].mean() for step in EFFECT_STEPS],
            dtype=np.float32,
        )
        for name in ATTRIBUTES
        if f"{PREFIX}{name}" in arrays
    }


def effect_of(arrays: Mapping[str, FloatArray], name: str, metre: int = USUAL_METRE) -> FloatArray | None:
    """Return the mean attribute, shape (7,), at `EFFECT_STEPS`; in this metre, or else in the usual one.

    None where neither was measured.
    """
    for measured in (_effect_name(name, metre), _effect_name(name, USUAL_METRE)):
        if measured in arrays:
            return np.maximum.accumulate(arrays[measured])
    return None


def steps_towards(arrays: Mapping[str, FloatArray], name: str, value: float, metre: int = USUAL_METRE) -> float:
    """Return how many steps along its vector give an attribute this value, within the steps that were measured.

    KeyError where they were not.
    """
    effect = effect_of(arrays, name, metre)
    if effect is None:
        raise KeyError(name)
    return float(np.interp(value, effect, EFFECT_STEPS))


def _effect_name(name: str, metre: int) -> str:
    return f"{PREFIX}{name}/effect" + ("" if metre == USUAL_METRE else f"/{metre}")
