"""Imported networks compute what Magenta computes, and Magenta what we export computes."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from therapy_gen.musicvae.magenta.configs import CONFIGS, MagentaConfig, parameter_count, variable_shapes
from therapy_gen.musicvae.magenta.imported_weights import load_stored
from therapy_gen.musicvae.magenta.imports import import_checkpoint
from therapy_gen.musicvae.magenta.runtime import MagentaModel

# Magenta's own process writes the checkpoints that all of them read.
pytestmark = pytest.mark.long

Cli = Callable[..., Any]


def imported(oracle: Path, name: str, path: Path) -> MagentaModel:
    """The oracle's checkpoint of a configuration; its number of segments does not show in its weights."""
    import_checkpoint(oracle / f"{name}.ckpt", name, path)
    stored = load_stored(path)
    config = MagentaConfig.from_json(str(np.load(oracle / f"{name}.npz")["config"]))
    stored = replace(
        stored, config=replace(stored.config, segments=config.segments, segment_steps=config.segment_steps)
    )
    assert stored.config == config
    return MagentaModel(stored, name)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_runtime_computes_what_magenta_computes(name: str, oracle: Path, tmp_path: Path) -> None:
    model = imported(oracle, name, tmp_path / "model.safetensors")
    truth = np.load(oracle / f"{name}.npz")
    np.testing.assert_allclose(model.logits(truth["z"], truth["tokens"]), truth["logits"], atol=1e-4, rtol=0)
    assert truth["logits"].std() > 0.1
    greedy = model.decode(truth["z"], temperature=0.0)
    np.testing.assert_array_equal(greedy, truth["greedy"])
    assert len(np.unique(greedy)) >= 3
    mu, sigma = model.encode(truth["tokens"])
    np.testing.assert_allclose(mu, truth["mu"], atol=1e-4, rtol=0)
    np.testing.assert_allclose(sigma, truth["sigma"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("packing", ["w", "w:gz"])
def test_a_checkpoint_in_a_tar_is_the_same_checkpoint(packing: Any, oracle: Path, tmp_path: Path, cli: Cli) -> None:
    tar = tmp_path / "checkpoint.tar"
    with tarfile.open(tar, packing) as archive:
        for suffix in ("index", "data-00000-of-00001", "meta"):
            archive.add(oracle / f"hierdec-mel_16bar.ckpt.{suffix}", f"./inner/hierdec-mel_16bar.ckpt.{suffix}")
    prefix = oracle / "hierdec-mel_16bar.ckpt"
    for source, name in ((tar, "packed"), (prefix, "plain"), (Path(f"{prefix}.index"), "index")):
        done = cli("model", "import", source, "--config", "hierdec-mel_16bar", "--name", name, "--json")
        assert done.status == 0, done.err
        assert done.document["model"]["facts"]["can_encode"] is True
    files = [cli("model", "info", name, "--json").document["model"]["file"] for name in ("packed", "plain", "index")]
    stored = [load_stored(Path(file)).arrays for file in files]
    assert stored[0].keys() == stored[1].keys() == stored[2].keys()
    for name, array in stored[0].items():
        np.testing.assert_array_equal(array, stored[1][name])
        np.testing.assert_array_equal(array, stored[2][name])
    assert not list(tmp_path.glob("inner*"))


def test_the_wrong_config_is_told_with_the_right_one(oracle: Path, cli: Cli) -> None:
    done = cli("model", "import", oracle / "flat-trio_16bar.ckpt", "--config", "flat-mel_16bar")
    assert done.status == 1
    assert "give --config flat-trio_16bar" in done.error_line


@pytest.mark.parametrize("where", ["data", "index"])
def test_a_damaged_checkpoint_is_refused(where: str, oracle: Path, tmp_path: Path, cli: Cli) -> None:
    for suffix in ("index", "data-00000-of-00001"):
        content = bytearray((oracle / f"flat-mel_16bar.ckpt.{suffix}").read_bytes())
        if suffix.startswith(where):
            content[len(content) // 3] ^= 1
        (tmp_path / f"x.ckpt.{suffix}").write_bytes(content)
    out = tmp_path / "out.safetensors"
    done = cli("model", "import", tmp_path / "x.ckpt", "--config", "flat-mel_16bar", "-o", out)
    assert done.status == 1
    assert "damaged" in done.error_line
    assert not out.exists()


def test_the_sizes_of_the_configurations_are_magentas() -> None:
    counts = {name: parameter_count(variable_shapes(config)) for name, config in CONFIGS.items()}
    assert round(counts["cat-mel_2bar_big"] / 1e6, 1) == 134.6
    assert round(counts["hierdec-mel_16bar"] / 1e6) == 176


@pytest.mark.parametrize("name", ["cat-mel_2bar_small", "hierdec-trio_16bar"])
def test_magenta_s_trained_model_loads_what_is_exported(name: str, oracle: Path) -> None:
    truth, exported = np.load(oracle / f"{name}.npz"), np.load(oracle / f"{name}.exported.npz")
    np.testing.assert_array_equal(exported["greedy"], truth["greedy"])
    np.testing.assert_allclose(exported["mu"], truth["mu"], atol=1e-5)
    np.testing.assert_allclose(exported["sigma"], truth["sigma"], atol=1e-5)
    assert exported["samples"].tolist() == ["NoteSequence"] * 3
    assert not np.array_equal(exported["drawn"][0], exported["greedy"])
    np.testing.assert_array_equal(exported["again"], exported["drawn"])
