"""A finished model carries its priors and figures; what is no model is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from therapy_gen.errors import InputError
from therapy_gen.musicvae.config import Config
from therapy_gen.musicvae.evaluate import posterior
from therapy_gen.musicvae.finish import finish
from therapy_gen.musicvae.latent import fit_gaussian, neighbour, slerp
from therapy_gen.musicvae.runtime import Model, expected_shapes, load_model
from therapy_gen.musicvae.weights import load_weights, save_weights

SMALL = replace(
    Config(),
    bars=2,
    z_size=8,
    embedding=8,
    bar_units=(16,),
    encoder_units=8,
    bar_width=6,
    conductor_units=10,
    decoder_units=12,
)


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(0, 0.4, shape).astype(np.float32) for name, shape in expected_shapes(SMALL).items()}
    path = tmp_path / "trained.safetensors"
    save_weights(path, arrays, SMALL, {"corpus_digest": "abc", "steps": 7}, half=False)
    return path


def sections(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 90, (count, SMALL.steps, 3)).astype(np.uint8)


def test_a_finished_model_draws_from_the_prior_of_each_kind(trained: Path, tmp_path: Path) -> None:
    held_out, major, minor = sections(5, 1), sections(40, 2), sections(40, 3)
    path = tmp_path / "mine.safetensors"
    facts = finish(trained, held_out, {"major": major, "minor": minor, "other": major[:1]}, path)
    assert facts["corpus_digest"] == "abc"
    assert facts["held_out"]["sections"] == 5
    assert 0 <= facts["held_out"]["teacher_forced"]["bass"] <= 1
    assert path.stat().st_size < 0.6 * trained.stat().st_size
    model = load_model(str(path))
    assert model.facts == facts
    for kind, music in (("major", major), ("minor", minor)):
        drawn = model.sample_prior(4000, np.random.default_rng(4), kind)
        np.testing.assert_allclose(drawn.mean(axis=0), posterior(model, music)[0].mean(axis=0), atol=0.1)
    unfitted = model.sample_prior(4000, np.random.default_rng(4), "other")
    np.testing.assert_allclose(unfitted.std(axis=0), 1.0, atol=0.1)


def test_the_fitted_prior_has_the_variance_of_means_and_noise() -> None:
    rng = np.random.default_rng(0)
    mu = rng.normal(0, [1.0, 2.0], (20000, 2)).astype(np.float32)
    mean, factor = fit_gaussian(mu, np.full((20000, 2), 0.5, dtype=np.float32))
    np.testing.assert_allclose(mean, 0.0, atol=0.05)
    np.testing.assert_allclose(np.diag(factor @ factor.T), [1.25, 4.25], rtol=0.05)


def test_slerp_keeps_to_the_sphere_and_to_its_ends() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 16)).astype(np.float32)
    b *= np.linalg.norm(a) / np.linalg.norm(b)
    np.testing.assert_allclose(slerp(a, b, 0.0), a, atol=1e-6)
    np.testing.assert_allclose(slerp(a, b, 1.0), b, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(slerp(a, b, 0.3)), np.linalg.norm(a), rtol=1e-5)
    np.testing.assert_array_equal(slerp(a, a, 0.5), a)
    np.testing.assert_allclose(slerp(a, -a, 0.5), 0.0, atol=1e-6)
    np.testing.assert_allclose(slerp(np.zeros_like(a), b, 0.5), b / 2, rtol=1e-6)
    assert np.linalg.norm(neighbour(a, b, 0.1) - a) < np.linalg.norm(neighbour(a, b, 0.5) - a)


def test_models_that_are_damaged_incomplete_or_unknown_are_refused(trained: Path, tmp_path: Path) -> None:
    weights = load_weights(trained)
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(trained.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"damaged\.safetensors is not a safetensors file"):
        load_model(str(damaged))
    incomplete = tmp_path / "incomplete.safetensors"
    save_weights(incomplete, {n: a for n, a in weights.arrays.items() if n != "mu/bias"}, SMALL, {})
    with pytest.raises(InputError, match="lacks mu/bias"):
        load_model(str(incomplete))
    misshapen = tmp_path / "misshapen.safetensors"
    save_weights(misshapen, weights.arrays, replace(SMALL, z_size=9), {})
    with pytest.raises(InputError, match="its config says"):
        load_model(str(misshapen))
    with pytest.raises(InputError, match="'nothing' is not known; give one of: calm"):
        load_model("nothing")


def test_the_embedded_model_is_whole_and_small() -> None:
    model = load_model()
    assert isinstance(model, Model)
    assert model.name == "calm"
    assert load_weights(Path(__file__).parents[2] / "therapy_gen/assets/calm.safetensors").path.stat().st_size < 12e6
    assert model.facts["held_out"]["teacher_forced"]["melody"] > model.facts["held_out"]["holds"]["melody"]
    assert len(model.facts["corpus_digest"]) == 64
    drawn = model.decode(model.sample_prior(8, np.random.default_rng(0)), temperature=0.7, rng=np.random.default_rng(1))
    assert all((section > 1).sum() > 30 for section in drawn)
