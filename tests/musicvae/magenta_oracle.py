"""Run as a program: lets Magenta make, save and run a small network of each configuration.

Writes into the folder that it is given, for each configuration NAME: ``NAME.ckpt.*`` (a checkpoint by TensorFlow's own
saver) and ``NAME.npz`` (z, tokens, and what Magenta makes of them). For `EXPORTED`, Magenta's `TrainedModel` then loads
what we export of that checkpoint, and ``NAME.exported.npz`` has what it makes of the same z and tokens.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from therapy_gen.musicvae.magenta.configs import CONFIGS, MagentaConfig
from therapy_gen.musicvae.magenta.engine import MagentaEngine
from therapy_gen.musicvae.magenta.exports import export_magenta
from therapy_gen.musicvae.magenta.imported_weights import load_stored
from therapy_gen.musicvae.magenta.imports import import_checkpoint
from therapy_gen.musicvae.magenta.reference_model import Reference, import_magenta, magenta_config
from therapy_gen.musicvae.magenta.runtime import MagentaModel

SECTIONS = 3
EXPORTED = ("cat-mel_2bar_small", "hierdec-trio_16bar")


def small(name: str) -> MagentaConfig:
    """The configuration with few units and few steps, every layer and output as it is; one with two wide layers."""
    config = CONFIGS[name]
    units = (512, 768) if name == "hierdec-mel_16bar" else (11, 13, 12)
    return replace(
        config,
        z_size=7,
        encoder_units=(10, 9)[: len(config.encoder_units)],
        decoder_units=units[: len(config.decoder_units)],
        segments=2 if config.hierarchical else 1,
        segment_steps=8 if config.hierarchical else 32,
    )


class RandomReference(Reference):
    def initialise(self, seed: int) -> None:
        """Give every variable random weights, biases too, large enough that none is without effect.

        They are drawn by NumPy: Magenta's initialisers take no seed once its graph is made, and a check on weights that
        differ from run to run fails where they happen to be dull.
        """
        with self._graph.as_default():
            self._session.run(self._tf.global_variables_initializer())
            rng = np.random.default_rng(seed)
            for variable in sorted(self._tf.trainable_variables(), key=lambda variable: str(variable.name)):
                shape = tuple(variable.shape.as_list())
                # Louder logits tell classes apart; louder recurrences would be chaotic, and blow rounding up.
                factor = 6.0 if "output_projection" in variable.name else 2.0
                glorot = np.sqrt(6.0 / sum(shape)) if len(shape) > 1 else 0.0
                noise = 0.2 * min(1.0, np.sqrt(300.0 / shape[0]))
                value = factor * rng.uniform(-glorot, glorot, shape) + rng.normal(0.0, noise, shape)
                variable.load(value.astype(np.float32), self._session)


def main(folder: Path) -> None:
    for number, name in enumerate(CONFIGS):
        config = small(name)
        rng = np.random.default_rng(number)
        z = rng.standard_normal((SECTIONS, config.z_size), dtype=np.float32)
        shape = (SECTIONS, config.steps)
        tokens = np.stack([rng.integers(0, classes, shape) for classes in config.outputs], axis=-1)
        reference = RandomReference(config, SECTIONS)
        reference.initialise(number + 1)
        reference.save(folder / f"{name}.ckpt")
        mu, sigma = reference.encode(tokens)
        np.savez(
            folder / f"{name}.npz",
            config=config.to_json(),
            z=z,
            tokens=tokens,
            logits=reference.logits(z, tokens),
            greedy=reference.greedy(z),
            mu=mu,
            sigma=sigma,
        )
        reference.close()
        if name in EXPORTED:
            exported(folder, name, config, z, tokens)


def exported(folder: Path, name: str, config: MagentaConfig, z: np.ndarray, tokens: np.ndarray) -> None:
    path = folder / f"{name}.safetensors"
    import_checkpoint(folder / f"{name}.ckpt", name, path)
    model = MagentaModel(replace(load_stored(path), config=config), name)
    engine = MagentaEngine(model, seed=1)
    mu, sigma = engine.encode(tokens)
    drawn = draws(engine, z)
    again = draws(MagentaEngine(model, seed=1), z) if name == EXPORTED[0] else drawn
    _, music_vae = import_magenta()
    export_magenta(model, folder / f"{name}.tar")
    trained = music_vae.TrainedModel(
        magenta_config(config, music_vae), batch_size=2, checkpoint_dir_or_path=str(folder / f"{name}.tar")
    )
    sequences = trained.sample(n=3, length=config.steps, temperature=0.5)
    np.savez(
        folder / f"{name}.exported.npz",
        greedy=engine.decode(z, temperature=0.0),
        drawn=drawn,
        again=again,
        mu=mu,
        sigma=sigma,
        samples=[type(sequence).__name__ for sequence in sequences],
    )


def draws(engine: MagentaEngine, z: np.ndarray) -> np.ndarray:
    """Many draws one after the other: where their order is left to chance, it shows in some of them."""
    return np.stack([engine.decode(z, temperature=1.0) for _ in range(16)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
