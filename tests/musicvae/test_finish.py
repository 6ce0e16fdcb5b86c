"""A finished model carries its priors and figures; what is no model is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from therapy_gen.errors import InputError
from therapy_gen.musicvae.array_shapes import expected_shapes
from therapy_gen.musicvae.config import Config
from therapy_gen.musicvae.latent.attribute_kinds import ATTRIBUTES
from therapy_gen.musicvae.latent.attributes import EFFECT_STEPS
from therapy_gen.musicvae.latent.interpolate import slerp
from therapy_gen.musicvae.model import Model, load_model
from therapy_gen.musicvae.prior.prior import BarPrior
from therapy_gen.musicvae.training.package import PriorMaterial, finish
from therapy_gen.musicvae.weights import load_weights, save_weights

SMALL = replace(
    Config(),
    bars=2,
    bar_z=2,
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


def chords(seed: int) -> np.ndarray:
    """Two bars of triads in C major, each in a rhythm of its own: nothing clashes."""
    rng = np.random.default_rng(seed)
    tokens = np.zeros((SMALL.steps, 3), dtype=np.uint8)
    scale = [
        36 + step - 19 for octave in (0, 12, 24, 36) for step in (octave, *(octave + up for up in (2, 4, 5, 7, 9, 11)))
    ]
    for start in range(0, SMALL.steps, 16):
        root = int(rng.integers(0, 7))
        tokens[start] = (scale[root + 18], scale[root + 9], scale[root])
        for step in 2 * (1 + rng.choice(7, 4, replace=False)):
            tokens[start + step, 0] = scale[root + int(rng.choice([14, 16, 18]))]
    return tokens


def material(tokens: np.ndarray, minor: np.ndarray, held_out: int) -> PriorMaterial:
    count = len(tokens)
    return PriorMaterial(
        tokens, minor, np.full(count, 4), np.arange(count) >= count - held_out, np.ones(count, dtype=bool)
    )


@pytest.mark.long
def test_a_finished_model_carries_figures_and_the_prior_of_its_music(trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("keras", reason="keras is an extra")
    tokens, minor = sections(160, 1), np.arange(160) % 2 == 1
    path = tmp_path / "mine.safetensors"
    facts = finish(trained, tokens[:5], material(tokens, minor, 48), path)
    assert facts["corpus_digest"] == "abc"
    assert facts["held_out"]["sections"] == 5
    assert 0 <= facts["held_out"]["teacher_forced"]["bass"] <= 1
    assert facts["prior"]["sections"] == 112
    model = load_model(str(path))
    assert model.facts == facts
    for name in ATTRIBUTES:
        assert model.arrays[f"attribute/{name}"].shape == (SMALL.z_size,)
        assert model.arrays[f"attribute/{name}/effect"].shape == EFFECT_STEPS.shape
    drawn = model.sample_prior(4, np.random.default_rng(4), "minor")
    assert drawn.shape == (4, SMALL.z_size)
    assert model.decode(drawn, temperature=0.5, rng=np.random.default_rng(5)).shape == (4, SMALL.steps, 3)


@pytest.mark.long
def test_a_model_that_knows_its_pieces_gets_a_memory(trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("keras", reason="keras is an extra")
    tokens, minor = np.stack([chords(seed) for seed in range(24)]), np.zeros(24, dtype=bool)
    path = tmp_path / "mine.safetensors"
    finish(trained, tokens[:2], replace(material(tokens, minor, 4), piece=np.arange(24)), path)
    model = load_model(str(path))
    assert model.memory is not None
    assert 4 < len(model.memory) <= 20
    drawn = model.memory.z(model.memory.draw(4, np.random.default_rng(4)))
    assert drawn.shape == (4, SMALL.z_size)
    assert np.isfinite(drawn).all()


@pytest.mark.long
def test_the_prior_knows_mode_density_and_what_returns() -> None:
    pytest.importorskip("keras", reason="keras is an extra")
    from therapy_gen.musicvae.training.prior_network import fit_prior

    rng = np.random.default_rng(1)
    count, bars, bar_z = 1200, 4, 2
    minor, density = rng.random(count) < 0.5, rng.normal(10, 3, count).astype(np.float32)
    z = rng.normal(0, 1, (count, bars, bar_z)).astype(np.float32)
    z[:, :, 0] = np.where(minor, 1.0, -1.0)[:, None] + (density[:, None] - 10) / 3
    z[:, 2, 1] = z[:, 0, 1]
    triple = rng.random(count) < 0.5
    z[:, 1, 1] = np.where(triple, 1.0, -1.0)
    arrays, loss = fit_prior(
        z.reshape(count, -1),
        np.full((count, bars * bar_z), 0.1, dtype=np.float32),
        minor,
        np.where(triple, 3, 4),
        np.stack([density, rng.normal(0, 1, count).astype(np.float32)], axis=1),
        bar_z,
        held_out=np.arange(count) >= 1000,
        calm=density < 11,
        steps=400,
    )
    assert loss < 2.0
    prior = BarPrior(arrays, bars, bar_z)
    for kind, tonic in (("minor", 1.0), ("major", -1.0)):
        for notes in (7.0, 10.0):
            drawn = prior.sample(500, rng, kind, 1.0, notes).reshape(-1, bars, bar_z)
            np.testing.assert_allclose(drawn[..., 0].mean(), tonic + (notes - 10) / 3, atol=1.3)
    assert prior.metres == (4, 3)
    for metre, place in ((4, -1.0), (3, 1.0)):
        drawn = prior.sample(500, rng, "major", 1.0, metre=metre).reshape(-1, bars, bar_z)
        np.testing.assert_allclose(drawn[:, 1, 1].mean(), place, atol=0.3)
    # Unless told otherwise, sections are like calm ones, as far apart, and neither the sparsest nor the densest.
    mean, deviation = arrays["prior/traits/scale"][:, 0]
    densities = mean + deviation * prior.draw_descriptors(2000, rng, "major")[:, 0]
    assert densities.max() < 11.5
    assert densities.min() > np.percentile(density[:1000][density[:1000] < 11], 10)
    middling = density[(density < 11) & (density > densities.min())]
    np.testing.assert_allclose([densities.mean(), densities.std()], [middling.mean(), middling.std()], atol=0.3)
    first, _, third, _ = drawn[..., 1].T
    assert np.corrcoef(first, third)[0, 1] > 0.6
    told = np.zeros((500, 2), dtype=np.float32)
    still, lively = (prior.given(told, rng, "major", heat).reshape(-1, bars, bar_z) for heat in (0.2, 1.0))
    assert still[:, 0].std(axis=0).max() < 0.5 * lively[:, 0].std(axis=0).max()


def test_with_little_music_there_is_no_prior(trained: Path, tmp_path: Path) -> None:
    tokens = sections(15, 1)
    facts = finish(trained, tokens[:5], material(tokens, np.zeros(15, dtype=bool), 0), tmp_path / "mine.safetensors")
    assert "prior" not in facts
    drawn = load_model(str(tmp_path / "mine.safetensors")).sample_prior(4000, np.random.default_rng(4))
    np.testing.assert_allclose(drawn.std(axis=0), 1.0, atol=0.1)
    np.testing.assert_allclose(drawn.mean(axis=0), 0.0, atol=0.1)


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
    assert np.linalg.norm(slerp(a, b, 0.1) - a) < np.linalg.norm(slerp(a, b, 0.5) - a)


def test_models_that_are_damaged_incomplete_or_unknown_are_refused(trained: Path, tmp_path: Path) -> None:
    weights = load_weights(trained)
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(trained.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"damaged\.safetensors is not a safetensors file"):
        load_model(str(damaged))
    untold = tmp_path / "untold.safetensors"
    content = {name: np.asarray(array) for name, array in weights.arrays.items()}
    save_file(content, untold, {"config": SMALL.to_json(), "facts": '{"steps": '})
    with pytest.raises(InputError, match=r"untold\.safetensors is not a safetensors file, or damaged"):
        load_model(str(untold))
    incomplete = tmp_path / "incomplete.safetensors"
    save_weights(incomplete, {n: a for n, a in weights.arrays.items() if n != "mu/bias"}, SMALL, {})
    with pytest.raises(InputError, match="lacks mu/bias"):
        load_model(str(incomplete))
    misshapen = tmp_path / "misshapen.safetensors"
    save_weights(misshapen, weights.arrays, replace(SMALL, bar_z=9), {})
    with pytest.raises(InputError, match="its config says"):
        load_model(str(misshapen))
    earlier = tmp_path / "earlier.safetensors"
    old_prior = {"prior/lstm/recurrent": np.zeros((8, 32), dtype=np.float32)}
    save_weights(earlier, {**weights.arrays, **old_prior}, SMALL, {})
    with pytest.raises(
        InputError, match=r"earlier\.safetensors has a prior of an earlier version of therapy-gen; train"
    ):
        load_model(str(earlier))
    with pytest.raises(InputError, match="'nothing' is not known; give one of: calm"):
        load_model("nothing")


def test_the_embedded_model_is_whole_and_small() -> None:
    model = load_model()
    assert isinstance(model, Model)
    assert model.name == "calm"
    assert load_weights(Path(__file__).parents[2] / "therapy_gen/assets/calm.safetensors").path.stat().st_size < 14e6
    assert model.facts["held_out"]["teacher_forced"]["melody"] > model.facts["held_out"]["holds"]["melody"]
    assert len(model.facts["corpus_digest"]) == 64
    drawn = model.decode(model.sample_prior(8, np.random.default_rng(0)), temperature=0.7, rng=np.random.default_rng(1))
    assert all((section > 1).sum() > 30 for section in drawn)
