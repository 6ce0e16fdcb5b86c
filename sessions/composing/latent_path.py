"""Paths in latent space: the sections of a piece, its theme, variations and contrasts, as points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from sessions.errors import PlanError
from therapy_gen.music.metre import FOUR_FOUR, Metre, in_metres
from therapy_gen.musicvae.latent.attributes import attribute_values, effect_of, step_along, steps_towards
from therapy_gen.musicvae.latent.interpolate import slerp
from therapy_gen.musicvae.prior.section_memory import SectionMemory
from therapy_gen.musicvae.section_model import SectionModel

FloatArray = npt.NDArray[np.float32]

# How far a variation, and a contrasting section, lies from its section on the way to another sample: so similar are
# sections of real pieces (docs/listening).
_VARIATION = 0.1
_CONTRAST = 0.8
# The same for a new piece that begins near one a listener has heard: related to it, not a variation.
_KINSHIP = 0.3
# How far the last section of a piece leans towards the first one of the next.
LEANING = 0.3


def closing(form: tuple[str, ...]) -> tuple[str, ...]:
    """Return a form whose last section occurs nowhere else in it: a variation where its label did."""
    label = form[-1]
    while label in form[:-1]:
        label += "'"
    return (*form[:-1], label)


def distinct(form: Sequence[str]) -> list[str]:
    """Return the labels of a form, each once, in order of first appearance."""
    return list(dict.fromkeys(form))


def latent_path(
    form: Sequence[str],
    model: SectionModel,
    rng: np.random.Generator,
    mode: str = "major",
    near: FloatArray | None = None,
    metre: Metre = FOUR_FOUR,
    density: float | None = None,
    *,
    remembering: bool = True,
    drawn: set[int] | None = None,
) -> FloatArray:
    """Return z (distinct sections, z_size) for a form: variations lie near their section, contrasts further off.

    The first section is drawn from the prior, with a `density` in notes a bar where one is given, or lies `near` a
    point. From a model's memory, sections in `drawn` are taken only when no others are left; those taken are added to
    it.
    """
    labels = distinct(form)
    letters = distinct([label[0] for label in labels])
    if remembering and model.memory is not None:
        return _remembered(labels, letters, model.memory, rng, mode, near, metre, density, drawn)
    samples = model.sample_prior(len(letters) + len(labels), rng, mode, metre=metre.beats, density=density)
    home = samples[0] if near is None else slerp(near, samples[0], _KINSHIP)
    base = {letter: slerp(home, samples[n], _CONTRAST) if n else home for n, letter in enumerate(letters)}
    others = samples[len(letters) :]
    path = []
    for label, other in zip(labels, others, strict=True):
        point = base[label[0]]
        for _ in range(label.count("'")):
            point = slerp(point, other, _VARIATION)
        path.append(point)
    return np.stack(path)


def _remembered(
    labels: Sequence[str],
    letters: Sequence[str],
    memory: SectionMemory,
    rng: np.random.Generator,
    mode: str,
    near: FloatArray | None,
    metre: Metre,
    density: float | None,
    drawn: set[int] | None,
) -> FloatArray:
    """Return a path through a model's memory: contrasts come from the same real piece, variations are stored."""
    drawn = set() if drawn is None else drawn
    if near is None:
        numbers = [int(memory.draw(1, rng, mode, density=density, metre=metre.beats, without=drawn)[0])]
    else:
        numbers = [memory.kin(memory.nearest(near), rng, drawn)]
    while len(numbers) < len(letters):
        numbers.append(memory.kin(numbers[0], rng, drawn.union(numbers)))
    drawn.update(numbers)
    of_letter = dict(zip(letters, numbers, strict=True))
    return np.stack(
        [
            memory.variation(of_letter[label[0]], label.count("'")) if "'" in label else memory.z([of_letter[label]])[0]
            for label in labels
        ]
    )


def towards_attributes(
    paths: list[FloatArray],
    model: SectionModel,
    attributes: Mapping[str, tuple[float, float]],
    metres: Sequence[Metre],
) -> list[FloatArray]:
    """Move the paths of a session's pieces, each in its metre, along attribute vectors.

    The effect of a step is a mean over many sections. So each section is decoded once to measure its attribute, and
    moved from there.
    """
    if not attributes:
        return paths
    z = np.concatenate(paths)
    of_sections = [metre for path, metre in zip(paths, metres, strict=True) for _ in path]
    for name, (low, high) in attributes.items():
        if any(effect_of(model.arrays, name, metre.beats) is None for metre in metres):
            raise PlanError(f"model {model.name} has no vector for {name}; leave it out, or finish the model anew")
        values = np.linspace(high, low, len(paths)) if len(paths) > 1 else [(low + high) / 2]
        wanted = [value for path, value in zip(paths, values, strict=True) for _ in path]
        had = measured_attribute(z, name, of_sections, model)
        steps = [
            steps_towards(model.arrays, name, float(value), metre.beats)
            - steps_towards(model.arrays, name, own, metre.beats)
            for value, own, metre in zip(wanted, had, of_sections, strict=True)
        ]
        z = step_along(z, model.arrays, name, np.array(steps))
    return np.split(z, np.cumsum([len(path) for path in paths])[:-1])


def measured_attribute(z: FloatArray, name: str, metres: Sequence[Metre], model: SectionModel) -> list[float]:
    """Measure an attribute of what the model decodes for each z (sections, z_size) at temperature 0."""
    tokens = in_metres(model.decode(z, temperature=0.0), metres)
    return [float(value) for value in attribute_values(tokens, np.array([m.beats for m in metres]))[name]]
