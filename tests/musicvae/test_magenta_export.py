"""What is exported comes back, and loads in Magenta.js; `model check` shows what agrees."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from therapy_gen.musicvae.magenta.configs import CONFIGS, MagentaConfig, encoder_shapes, variable_shapes
from therapy_gen.musicvae.magenta.exports import export_tfjs
from therapy_gen.musicvae.magenta.imported_weights import pieces, write_stored
from therapy_gen.musicvae.magenta.runtime import MagentaModel, load_magenta_model

Cli = Callable[..., Any]


def small(name: str) -> MagentaConfig:
    config = CONFIGS[name]
    return replace(config, z_size=6, encoder_units=(8, 7)[: len(config.encoder_units)], decoder_units=(9, 9))


def stored(config: MagentaConfig, path: Path, *, encoder: bool = True) -> MagentaModel:
    """A model with random weights, as an import leaves it."""
    rng = np.random.default_rng(4)
    shapes = variable_shapes(config)
    if not encoder:
        missing = next(iter(encoder_shapes(config)))
        shapes = {name: shape for name, shape in shapes.items() if name != missing}
    arrays = {name: rng.normal(0, 0.7, shape).astype(np.float32) for name, shape in shapes.items()}
    write_stored(path, config, {}, shapes, (pieces(array) for array in arrays.values()))
    return load_magenta_model(path)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("out", ["m.ckpt", "m.tar"])
def test_a_checkpoint_that_was_exported_imports_as_it_was(name: str, out: str, tmp_path: Path, cli: Cli) -> None:
    model = stored(small(name), tmp_path / "model.safetensors")
    done = cli("model", "export", tmp_path / "model.safetensors", "-o", tmp_path / out, "--json")
    assert done.status == 0, done.err
    assert all(Path(file).is_file() for file in done.document["files"])
    if out.endswith(".tar"):
        with tarfile.open(tmp_path / out) as tar:
            assert sorted(tar.getnames()) == [f"{name}.ckpt.data-00000-of-00001", f"{name}.ckpt.index"]
    assert cli("model", "import", tmp_path / out, "--config", name, "-o", tmp_path / "back.safetensors").status == 0
    back = load_magenta_model(tmp_path / "back.safetensors")
    assert back.config == model.config
    assert back.arrays.keys() == model.arrays.keys()
    for key, array in model.arrays.items():
        np.testing.assert_array_equal(back.arrays[key], array)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_model_without_an_encoder_is_exported_with_zeros_and_a_word(tmp_path: Path, cli: Cli) -> None:
    stored(small("cat-mel_2bar_small"), tmp_path / "model.safetensors", encoder=False)
    done = cli("model", "export", tmp_path / "model.safetensors", "-o", tmp_path / "m.ckpt")
    assert done.status == 0
    assert "do not encode with it" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("model export calm -o out", "which Magenta has not"),
        ("model export trio.safetensors --format tfjs -o out", "has no decoder that writes all voices at once"),
        ("model export trio.safetensors --format onnx -o out", "--format 'onnx' is not known"),
        ("model export nonesuch -o out", "model 'nonesuch' is not known"),
    ],
)
def test_what_cannot_be_exported_is_said(
    words: str, said: str, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stored(small("flat-trio_16bar"), tmp_path / "trio.safetensors")
    done = cli(*words.split())
    assert done.status == 1
    assert said in done.error_line
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="session")
def magenta_js() -> Path:
    """A folder in whose node_modules @magenta/music is installed."""
    folder = os.environ.get("THERAPY_GEN_MAGENTA_JS")
    if folder is None or not (Path(folder) / "node_modules" / "@magenta" / "music").is_dir():
        pytest.skip("no @magenta/music: run `npm install @magenta/music` and name its folder in THERAPY_GEN_MAGENTA_JS")
    if shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    return Path(folder)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize("name", ["cat-mel_2bar_small", "hierdec-mel_16bar", "hierdec-trio_16bar"])
def test_magenta_js_loads_what_is_exported_and_writes_the_same_notes(
    name: str, magenta_js: Path, tmp_path: Path
) -> None:
    model = stored(small(name), tmp_path / "model.safetensors")
    _, remarks = export_tfjs(model, tmp_path / "js")
    z = np.random.default_rng(0).normal(size=(2, model.config.z_size)).astype(np.float32)
    requested: dict[str, Any] = {"z": z.tolist(), "steps": model.config.steps, "depths": list(model.config.outputs)}
    tokens = np.random.default_rng(1).integers(0, 90, (2, model.config.steps, 1))
    encodes = name == "cat-mel_2bar_small"
    assert bool(remarks) is not encodes
    if encodes:
        requested["notes"] = tokens[..., 0].tolist()
    handler = functools.partial(Quiet, directory=str(tmp_path / "js"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        done = subprocess.run(
            [
                "node",
                str(Path(__file__).with_name("magenta_js.cjs")),
                str(magenta_js),
                f"http://127.0.0.1:{server.server_address[1]}",
            ],
            input=json.dumps(requested),
            capture_output=True,
            text=True,
            check=False,
        )
        server.shutdown()
        thread.join()
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    np.testing.assert_array_equal(np.stack(answer["classes"], axis=-1), model.decode(z, temperature=0.0))
    if encodes:
        np.testing.assert_allclose(answer["mu"], model.encode(tokens)[0], atol=1e-4)


@pytest.mark.skipif(find_spec("keras") is None, reason="keras is an extra")
@pytest.mark.long
def test_check_holds_the_embedded_model_to_keras(program: Cli) -> None:
    done = program("model", "check", "calm", "--json")
    assert done.status == 0, done.err
    assert done.document["against"] == "Keras"
    assert done.document["agree"] is True
    assert {row["what"] for row in done.document["differences"]} > {"teacher-forced logits"}


@pytest.mark.long
@pytest.mark.skipif(find_spec("magenta") is None, reason="Magenta is an extra")
def test_check_holds_an_imported_model_to_magenta(program: Cli, tmp_path: Path) -> None:
    stored(small("cat-mel_2bar_small"), tmp_path / "model.safetensors")
    done = program("model", "check", tmp_path / "model.safetensors", "--json")
    assert done.status == 0, done.err
    assert done.document["against"] == "Magenta"
    assert [row["what"] for row in done.document["differences"]] == [
        "teacher-forced logits",
        "steps whose likeliest notes differ",
        "posterior mean",
        "posterior deviation",
    ]
    assert all(row["largest"] <= row["allowed"] for row in done.document["differences"])


def test_without_magenta_the_command_that_installs_it_is_named(tmp_path: Path) -> None:
    stored(small("cat-mel_2bar_small"), tmp_path / "model.safetensors")
    hide = "import sys; sys.modules['magenta'] = None; import importlib.util as u; f = u.find_spec; "
    hide += "u.find_spec = lambda name, *a: None if name == 'magenta' else f(name, *a); "
    run = "from therapy_gen.cli.main import main; sys.exit(main())"
    words = ["--home", str(tmp_path / "home"), "model", "check", str(tmp_path / "model.safetensors")]
    done = subprocess.run([sys.executable, "-c", hide + run, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "pip install --no-deps -r requirements/magenta.lock" in done.stderr
