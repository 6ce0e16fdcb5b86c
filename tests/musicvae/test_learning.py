"""Training stops where held-out loss turns, keeps the best weights, resumes exactly, and says what went wrong."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.needs import needs

needs("keras", "keras is an extra")

from tests.musicvae.small_model import SMALL, music
from therapy_gen.errors import InputError
from therapy_gen.musicvae.array_shapes import expected_shapes
from therapy_gen.musicvae.model import Model, load_model
from therapy_gen.musicvae.training.diagnostics import find_symptoms
from therapy_gen.musicvae.training.learning_curve import draw_curve, read_curve
from therapy_gen.musicvae.training.train import BEST, LOG, WEIGHTS, Material, train
from therapy_gen.musicvae.weights import Weights, load_weights


def other(count: int) -> np.ndarray:
    """Music of which the training music says nothing."""
    return np.random.default_rng(9).integers(2, 90, (count, SMALL.steps, SMALL.voices)).astype(np.uint8)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learns one music by heart while another is held out, until it was worse three times."""
    folder = tmp_path_factory.mktemp("run")
    config = replace(SMALL, learning_rate=1e-2)
    train(config, Material(music(16), other(8), {}), folder, until_step=400, judge_every=4, patience=3)
    return folder


@pytest.mark.long
def test_training_stops_where_held_out_loss_turns_and_keeps_the_best(stopped: Path) -> None:
    lines = [json.loads(line) for line in (stopped / LOG).read_text().splitlines()]
    judged = {line["step"]: line["held_out"]["loss"] for line in lines if "held_out" in line}
    assert max(judged) < 400
    best = min(judged, key=lambda step: judged[step])
    assert max(judged) - best == 3 * 4
    facts = load_weights(stopped / BEST).facts
    assert facts["steps"] == best
    assert facts["held_out"]["loss"] == pytest.approx(judged[best])


@pytest.mark.long
def test_a_stopped_run_stays_stopped_and_returns_its_best(stopped: Path) -> None:
    config = replace(SMALL, learning_rate=1e-2)
    path = train(config, Material(music(16), other(8), {}), stopped, until_step=400, judge_every=4, patience=3)
    assert path == stopped / BEST


@pytest.mark.long
def test_a_resumed_run_ends_with_the_same_weights_last_and_best(tmp_path: Path) -> None:
    material = Material(music(32), music(8, seed=1), {})

    def run(folder: str, until: int) -> Path:
        return train(SMALL, material, tmp_path / folder, until_step=until, judge_every=2, patience=5)

    whole = run("whole", 7)
    run("parts", 3)
    parts = run("parts", 7)
    assert whole.name == parts.name
    for name in (WEIGHTS, BEST):
        one, other = load_weights(whole.with_name(name)), load_weights(parts.with_name(name))
        assert one.facts["steps"] == other.facts["steps"]
        for array in one.arrays:
            np.testing.assert_allclose(other.arrays[array], one.arrays[array], atol=1e-6, err_msg=array)


@pytest.mark.long
def test_fine_tuning_begins_with_the_model_it_is_given(stopped: Path, tmp_path: Path) -> None:
    begun = load_weights(stopped / BEST)
    still = replace(SMALL, learning_rate=1e-9, min_learning_rate=1e-9)
    path = train(still, Material(music(16), music(8), {}), tmp_path, until_step=1, start=begun.arrays)
    for name, array in load_weights(path).arrays.items():
        np.testing.assert_allclose(array, begun.arrays[name], atol=1e-6, err_msg=name)
    wider = replace(SMALL, decoder_units=40)
    with pytest.raises(InputError, match="its network is another one"):
        train(wider, Material(music(16), music(8), {}), tmp_path / "x", until_step=1, start=begun.arrays)


@pytest.mark.long
def test_the_learning_curve_shows_every_line_of_the_log(stopped: Path) -> None:
    curve = read_curve(stopped / LOG)
    lines = [json.loads(line) for line in (stopped / LOG).read_text().splitlines()]
    assert [step for step, _ in curve.reconstruction] == [line["step"] for line in lines]
    root = ET.fromstring(draw_curve(curve, "a < b"))
    polylines = [element for element in root.iter() if element.tag.endswith("polyline")]
    assert [len(line.attrib["points"].split()) for line in polylines] == [len(lines)] * 4
    assert any(element.text == f"loss: step {curve.lowest_at}" for element in root.iter())
    (stopped / "torn.jsonl").write_text('{"step": 1')
    with pytest.raises(InputError, match="not the log"):
        read_curve(stopped / "torn.jsonl")


def rigged(**changes: float) -> Model:
    """A random model with some arrays multiplied."""
    rng = np.random.default_rng(2)
    arrays = {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in expected_shapes(SMALL).items()}
    for name, factor in changes.items():
        arrays[name.replace("__", "/")] *= factor
    return Model(Weights(arrays, SMALL, {}, "", Path("rigged")), "rigged")


def names(model: Model, train: np.ndarray, held_out: np.ndarray, pieces: int = 50) -> set[str]:
    return {symptom.name for symptom in find_symptoms(model, train, held_out, pieces)}


@pytest.mark.long
def test_a_healthy_model_has_no_symptom_and_few_examples_are_one() -> None:
    model = load_model("calm")
    rng = np.random.default_rng(0)
    some = model.decode(model.sample_prior(32, rng), temperature=0.3, rng=rng)
    many, unseen = np.tile(some[:24], (25, 1, 1)), some[24:]
    assert names(model, many, unseen) == set()
    assert names(model, some[:24], unseen) == {"few-examples"}
    assert names(model, many, unseen, pieces=3) == {"few-examples"}
    assert names(model, many, rng.permutation(unseen.reshape(-1, 3)).reshape(unseen.shape)) == {"by-heart"}


def test_a_model_that_rests_or_does_not_listen_to_z_is_found() -> None:
    many = np.tile(music(64), (10, 1, 1))
    deaf = rigged(z_to_bar__kernel=0.0)
    assert "latent-ignored" in names(deaf, many, music(8))
    silent = rigged()
    silent.arrays["logits/bias"].reshape(SMALL.voices, -1)[:, 0] += 100.0
    assert "rests" in names(silent, many, music(8))
