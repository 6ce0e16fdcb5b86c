"""What JAX makes on the device is what NumPy makes on the host, and a run of it learns and goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.needs import needs
from therapy_gen.musicvae.features import coupling_rows, decoder_inputs, token_rows
from therapy_gen.musicvae.training.augment import shifts, transposed

needs("jax", "JAX is not in the locks: pip install jax, for training on a GPU")
needs("keras", "keras is an extra")

CODE = """
import json, sys
from pathlib import Path
import numpy as np
from therapy_gen.musicvae.config import Config
from therapy_gen.musicvae.training.train import Material, train
config = Config(bars=2, bar_z=4, embedding=8, bar_units=(16,), encoder_units=8, bar_width=6, conductor_units=8,
                decoder_units=16, batch_size=8)
tokens = np.random.default_rng(0).integers(0, 90, (40, config.steps, 3)).astype(np.uint8)
path = train(config, Material(tokens[:32], tokens[32:], {}), Path(sys.argv[1]), until_step=int(sys.argv[2]),
             report_every=10, judge_every=20)
"""


def tokens() -> np.ndarray:
    some = np.random.default_rng(3).integers(0, 90, (5, 32, 3)).astype(np.uint8)
    some[np.random.default_rng(4).random(some.shape) < 0.6] = 0
    return some


def test_rows_and_copies_in_other_keys_are_those_of_the_host() -> None:
    from therapy_gen.musicvae.training.jax_steps import inputs_of, moved

    some = tokens()
    semitones = shifts(len(some), 1.0, np.random.default_rng(5))
    there = np.asarray(moved(some.astype(np.int32), semitones, 90))
    np.testing.assert_array_equal(there, transposed(some, 1.0, np.random.default_rng(5)))
    rows = token_rows(some, 90)
    made = inputs_of(some.astype(np.int32), 90)
    np.testing.assert_array_equal(made["rows"], rows)
    np.testing.assert_array_equal(made["inputs"], decoder_inputs(rows, 90))
    np.testing.assert_array_equal(made["couplings"], coupling_rows(rows, 90))


def test_a_run_learns_and_is_resumed(tmp_path: Path) -> None:
    def run(folder: str, steps: int) -> list[dict[str, float]]:
        subprocess.run(
            [sys.executable, "-c", CODE, str(tmp_path / folder), str(steps)],
            check=True,
            env=os.environ | {"KERAS_BACKEND": "jax"},
        )
        return [json.loads(line) for line in (tmp_path / folder / "log.jsonl").read_text().splitlines()]

    whole = run("whole", 60)
    assert [line["step"] for line in whole] == [10, 20, 30, 40, 50, 60]
    assert whole[-1]["reconstruction"] < 0.98 * whole[0]["reconstruction"]
    run("parts", 30)
    parts = run("parts", 60)
    assert parts[-1]["step"] == 60
    np.testing.assert_allclose(parts[-1]["reconstruction"], whole[-1]["reconstruction"], rtol=1e-4)
