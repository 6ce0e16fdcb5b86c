"""The Keras network and the NumPy runtime are one model; training stops cleanly and learns."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.musicvae.small_model import SMALL, music
from tests.needs import needs
from therapy_gen.errors import InputError
from therapy_gen.musicvae.array_shapes import expected_shapes
from therapy_gen.musicvae.model import Model
from therapy_gen.musicvae.weights import Weights, load_weights, save_weights

needs("keras", "keras is an extra")

from therapy_gen.musicvae.training.train import STATE, WEIGHTS, Material, train

if TYPE_CHECKING:
    from therapy_gen.musicvae.training.network import MusicVAE


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[MusicVAE, Model]:
    import keras

    from therapy_gen.musicvae.training.network import MusicVAE, batch_inputs, weight_arrays

    keras.utils.set_random_seed(3)
    network = MusicVAE(SMALL)
    inputs, _ = batch_inputs(music(2), SMALL)
    network(inputs)
    rng = np.random.default_rng(1)
    for variable in network.trainable_variables:
        variable.assign_add(rng.normal(0, 0.1, variable.shape).astype(np.float32))
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_weights(path, weight_arrays(network), SMALL, {}, half=False)
    return network, Model(load_weights(path), "small")


@pytest.fixture(scope="module")
def model() -> Model:
    """A network that was never trained, in the NumPy runtime alone: to import Keras takes seconds."""
    rng = np.random.default_rng(2)
    arrays = {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in expected_shapes(SMALL).items()}
    return Model(Weights(arrays, SMALL, {}, "", Path("small")), "small")


@pytest.mark.long
def test_the_runtime_knows_every_array_of_the_network(pair: tuple[MusicVAE, Model]) -> None:
    from therapy_gen.musicvae.training.network import weight_arrays

    network, _ = pair
    arrays = weight_arrays(network)
    assert {name: array.shape for name, array in arrays.items()} == expected_shapes(SMALL)


@pytest.mark.long
def test_the_runtime_encodes_and_decodes_as_keras_does(pair: tuple[MusicVAE, Model]) -> None:
    import keras

    from therapy_gen.musicvae.training.network import batch_inputs

    network, model = pair
    tokens = np.random.default_rng(5).integers(0, SMALL.num_classes, (5, SMALL.steps, 3)).astype(np.uint8)
    inputs, _ = batch_inputs(tokens, SMALL)
    theirs = {name: keras.ops.convert_to_numpy(value) for name, value in network(inputs).items()}
    mu, sigma = model.encode(tokens)
    np.testing.assert_allclose(mu, theirs["mu"], atol=1e-4)
    np.testing.assert_allclose(sigma, theirs["sigma"], atol=1e-4)
    np.testing.assert_allclose(model.logits(theirs["mu"], tokens), theirs["logits"], atol=1e-4)


def test_greedy_decoding_takes_the_likeliest_class(model: Model) -> None:
    z = np.random.default_rng(2).normal(size=(6, SMALL.z_size)).astype(np.float32)
    tokens = model.decode(z, temperature=0.0)
    likeliest = model.logits(z, tokens).argmax(axis=-1)
    # Where nothing sounds, a note-off means a rest and is written as a hold.
    differ = likeliest != tokens
    assert (likeliest[differ] == 1).all()
    assert (tokens[differ] == 0).all()


def test_sampling_follows_its_seed_its_temperature_and_its_key(model: Model) -> None:
    z = np.random.default_rng(2).normal(size=(4, SMALL.z_size)).astype(np.float32)
    scale = np.zeros(12, dtype=bool)
    scale[[0, 2, 4, 5, 7, 9, 11]] = True
    first, again, other = (
        model.decode(z, temperature=1.0, rng=np.random.default_rng(seed), pitch_classes=scale) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    pitches = first[first > 1].astype(int) - 2 + 21
    assert len(pitches) > 20
    assert scale[pitches % 12].all()


def test_a_section_does_not_depend_on_its_neighbours_in_the_batch(model: Model) -> None:
    z = np.random.default_rng(2).normal(size=(4, SMALL.z_size)).astype(np.float32)
    together = model.decode(z, temperature=0.0)
    alone = np.concatenate([model.decode(one[None], temperature=0.0) for one in z])
    assert np.array_equal(together, alone)


@pytest.mark.long
def test_training_learns(tmp_path: Path) -> None:
    config = replace(SMALL, learning_rate=5e-3)
    figures = []
    material = Material(music(64, config), music(8, config, 1), {"corpus_digest": "x"})
    train(config, material, tmp_path, until_step=60, report_every=20, report=lambda p: figures.append(p.figures))
    assert figures[-1]["reconstruction"] < 0.6 * figures[0]["reconstruction"]
    assert load_weights(tmp_path / WEIGHTS).facts["windows_seen"] == 60 * config.batch_size


@pytest.mark.long
def test_an_interrupted_run_is_saved_and_goes_on(tmp_path: Path) -> None:
    script = textwrap.dedent(
        f"""
        import sys; sys.path[:0] = {[str(Path(__file__).parents[2]), str(Path(__file__).parent)]!r}
        from pathlib import Path
        from test_keras_network import SMALL, Material, music, train
        train(SMALL, Material(music(32), music(8), {{}}), Path({str(tmp_path)!r}), report_every=2,
              report=lambda p: print(p.step, flush=True))
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
        # As from a terminal: some runners start their children with the signal ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "2"
        process.send_signal(signal.SIGINT)
        process.wait(timeout=120)
    assert process.returncode != 0
    assert (tmp_path / STATE).is_file()
    stopped_at = load_weights(tmp_path / WEIGHTS).facts["steps"]
    train(SMALL, Material(music(32), music(8), {}), tmp_path, until_step=stopped_at + 2)
    assert load_weights(tmp_path / WEIGHTS).facts["steps"] == stopped_at + 2


@pytest.mark.long
@pytest.mark.parametrize("times", [1, 2])
def test_an_interrupt_waits_for_the_end_of_a_step(tmp_path: Path, times: int) -> None:
    told, ended = [], []

    def interrupt(progress: object) -> None:
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        ended.append(progress)

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(
                SMALL,
                Material(music(32), music(8), {}),
                tmp_path,
                report_every=2,
                report=interrupt,
                on_interrupt=lambda: told.append(True),
            )
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, handler)
    assert told == [True]
    assert len(ended) == 2 - times
    assert load_weights(tmp_path / WEIGHTS).facts["steps"] == 2


@pytest.mark.long
def test_a_run_that_diverges_keeps_what_was_saved_and_goes_on_more_slowly(tmp_path: Path) -> None:
    material = Material(music(32), music(8), {})
    train(SMALL, material, tmp_path, until_step=2)
    kept = [(tmp_path / name).read_bytes() for name in (STATE, WEIGHTS)]
    wild = replace(SMALL, learning_rate=1e30, decay_rate=1.0)
    with pytest.raises(InputError, match=r"diverged at step \d+ .* as it was last saved, at step 2; .*learning_rate"):
        train(wild, material, tmp_path, until_step=200)
    assert [(tmp_path / name).read_bytes() for name in (STATE, WEIGHTS)] == kept
    train(replace(SMALL, learning_rate=1e-4), material, tmp_path, until_step=4)
    assert load_weights(tmp_path / WEIGHTS).facts["steps"] == 4
    assert all(np.isfinite(array).all() for array in load_weights(tmp_path / WEIGHTS).arrays.values())


@pytest.mark.long
def test_a_state_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / STATE / "inside").mkdir(parents=True)
    with pytest.raises(InputError, match=f"{STATE} is a folder"):
        train(SMALL, Material(music(32), music(8), {}), tmp_path, until_step=1, seed=2**40)
    assert [path.name for path in tmp_path.iterdir()] == [STATE]


@pytest.mark.long
def test_too_little_material_and_a_damaged_state_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 of the"):
        train(SMALL, Material(music(3), music(1), {}), tmp_path, until_step=1)
    (tmp_path / STATE).write_bytes(b"not a state")
    with pytest.raises(InputError, match="damaged"):
        train(SMALL, Material(music(32), music(1), {}), tmp_path, until_step=1)
