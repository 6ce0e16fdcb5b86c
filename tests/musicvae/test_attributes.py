"""Attributes are measured as they are defined, and their vectors point where they grow."""

from __future__ import annotations

import numpy as np
import pytest

from therapy_gen.musicvae.features import NOTE_OFF
from therapy_gen.musicvae.latent.attribute_kinds import ATTRIBUTES
from therapy_gen.musicvae.latent.attributes import (
    attribute_values,
    attribute_vectors,
    measured_effects,
    step_along,
    steps_towards,
)


def section(starts: list[int], pitches: list[int]) -> np.ndarray:
    """A melody of classes, each held to the next, over two silent voices."""
    tokens = np.zeros((1, 256, 3), dtype=np.uint8)
    tokens[0, starts, 0] = pitches
    return tokens


def test_values_of_a_melody_on_the_beat() -> None:
    values = attribute_values(section(list(range(0, 256, 4)), [40, 44] * 32))
    assert {name: float(value[0]) for name, value in values.items()} == pytest.approx(
        {"density": 4.0, "interval": 4.0, "range": 4.0, "syncopation": 0.0}
    )


def test_notes_held_over_a_stronger_beat_are_syncopated_and_rests_are_not() -> None:
    # From the second eighth (-3) over the second quarter (-2).
    held = section(list(range(2, 256, 16)), [40] * 16)
    assert attribute_values(held)["syncopation"][0] > 0.9
    held[0, np.arange(4, 256, 16), 0] = NOTE_OFF
    assert attribute_values(held)["syncopation"][0] == 0.0


def test_a_bar_of_three_quarters_is_weighed_as_one() -> None:
    # From the second quarter to the bar line: a syncopation in 4/4, over its middle, and none in 3/4.
    half = section(sorted([*range(0, 256, 16), *range(4, 256, 16)]), [40, 44] * 16)
    assert attribute_values(half)["syncopation"][0] == pytest.approx(0.5)
    assert attribute_values(half, 3)["syncopation"][0] == 0.0
    both = attribute_values(np.concatenate([half, half]), np.array([4, 3]))["syncopation"]
    assert both.tolist() == pytest.approx([0.5, 0.0])
    # The last quaver of a bar, held into the next.
    over = section(list(range(10, 256, 16)), [40] * 16)
    assert attribute_values(over, 3)["syncopation"][0] > 1.8


def test_silence_has_values() -> None:
    values = attribute_values(np.zeros((2, 256, 3), dtype=np.uint8))
    assert set(values) == set(ATTRIBUTES)
    assert all((value == 0).all() for value in values.values())


def test_vectors_recover_how_attributes_lie_in_z_though_they_go_together() -> None:
    rng = np.random.default_rng(0)
    density = rng.normal(8.0, 2.0, 4000)
    interval = 0.4 * density + rng.normal(0.0, 1.0, 4000)
    directions = rng.standard_normal((2, 16))
    mu = np.outer(density, directions[0]) + np.outer(interval, directions[1]) + rng.normal(0, 0.1, (4000, 16))
    arrays = attribute_vectors(mu.astype(np.float32), {"density": density, "interval": interval})
    assert arrays["attribute/density/scale"] == pytest.approx([density.mean(), density.std()], rel=1e-4)
    # A tenth of a standard deviation: the regression is slightly penalised.
    assert np.allclose(arrays["attribute/density"], density.std() * directions[0], atol=0.1)
    assert np.allclose(arrays["attribute/interval"], interval.std() * directions[1], atol=0.1)
    moved = step_along(np.zeros((3, 16), dtype=np.float32), arrays, "density", -2.0)
    assert np.allclose(moved, -2.0 * arrays["attribute/density"])


def test_steps_are_read_off_what_steps_were_measured_to_do() -> None:
    arrays = {"attribute/density": np.ones(1, dtype=np.float32)}

    def decode(z: np.ndarray) -> np.ndarray:
        """A note in each of the first 112 + 16 z steps: 7 + z notes a bar."""
        tokens = np.zeros((len(z), 256, 3), dtype=np.uint8)
        for row, value in zip(tokens, z[:, 0], strict=True):
            row[: round(112 + 16 * float(value)), 0] = 40
        return tokens

    arrays |= measured_effects(np.zeros((2, 1), dtype=np.float32), decode, arrays)
    assert arrays["attribute/density/effect"] == pytest.approx(np.arange(4.0, 11.0))
    assert steps_towards(arrays, "density", 8.5) == pytest.approx(1.5)
    assert steps_towards(arrays, "density", 99.0) == 3.0
    # Bars of 3/4 have their own, once those were measured.
    assert steps_towards(arrays, "density", 8.5, 3) == pytest.approx(1.5)
    arrays |= measured_effects(np.full((2, 1), -2.0, dtype=np.float32), decode, arrays, 3)
    assert arrays["attribute/density/effect/3"] == pytest.approx(np.arange(2.0, 9.0))
    assert steps_towards(arrays, "density", 7.5, 3) == pytest.approx(2.5)
    assert steps_towards(arrays, "density", 8.5) == pytest.approx(1.5)
