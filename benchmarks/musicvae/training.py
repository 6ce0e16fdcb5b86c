"""Train a hierarchical 16-bar MusicVAE here and in Magenta, side by side: windows a second, processor time, memory.

    python benchmarks/musicvae/training.py [--units 256] [--layers 2] [--batch 64] [--steps 5] [--rounds 2]

Three processes, one after the other, each with all cores, round after round:

- Magenta: its graph of `hierdec-mel_16bar` with the units given, its `MusicVAE.train`, its clipping, its Adam. Windows
  lie in memory one-hot; its reading of NoteSequences is not counted.
- the same network: the same variables with the same values, the same loss, the same optimiser, in Keras
  (`magenta_network.py`). Both print the loss of each step; the largest difference is in the table.
- the network of therapy-gen at the same units, by `musicvae.train.train`, which `model train` calls: three voices to
  the same sixteen bars, windows made into rows, a log line at each step.

The last lines say what the matrix products of Magenta's network alone would take at the speed of large products on a
core: a bound for any program that trains that network in float32.

All are float32. Windows are random notes: no figure depends on what is in them. The first step, which builds, is not
counted. Processor time is the more telling of the two where other work runs beside.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Run, machine, run, table
from therapy_gen.musicvae.magenta.configs import CONFIGS, MagentaConfig

NAME = "hierdec-mel_16bar"
RATE = 1e-3
# So narrow that what is drawn from it is its mean: losses of two programs can be compared.
NARROW = -12.0


def magenta_sizes(units: int, layers: int) -> MagentaConfig:
    """Return Magenta's configuration with fewer units."""
    return replace(CONFIGS[NAME], encoder_units=(units,) * layers, decoder_units=(units, units), z_size=units)


def windows(batch: int, voices: int) -> np.ndarray:
    """Return random windows (batch, 256, voices)."""
    return np.random.default_rng(0).integers(0, 90, (batch, 256, voices)).astype(np.uint8)


def in_magenta(config: MagentaConfig, batch: int, steps: int, weights: Path) -> dict[str, Any]:
    """Train in Magenta; its first weights go to a file."""
    from therapy_gen.musicvae.magenta.reference_model import import_magenta, magenta_config, one_hot

    tf, music_vae = import_magenta()
    theirs = magenta_config(config, music_vae)
    hparams = theirs.hparams
    hparams.batch_size, hparams.decay_rate = batch, 1.0
    theirs.model.build(hparams, config.depth, is_training=True)
    tf.train.get_or_create_global_step()
    x = tf.placeholder(tf.float32, [batch, config.steps, config.depth])
    optimizer = theirs.model.train(x, x, tf.fill([batch], config.steps))
    # As `music_vae_train.train` does it.
    gradients, variables = zip(*optimizer.compute_gradients(theirs.model.loss), strict=True)
    norm = tf.global_norm(gradients)
    clipped = tf.cond(
        norm < hparams.grad_norm_clip_to_zero,
        lambda: tf.clip_by_global_norm(gradients, hparams.grad_clip, use_norm=norm)[0],
        lambda: [tf.zeros(tf.shape(gradient)) for gradient in gradients],
    )
    update = optimizer.apply_gradients(
        list(zip(clipped, variables, strict=True)), global_step=tf.train.get_global_step()
    )
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    for variable in variables:
        if variable.op.name == "encoder/sigma/bias":
            variable.load(np.full(config.z_size, NARROW, dtype=np.float32), session)
    np.savez(weights, **{variable.op.name: session.run(variable) for variable in variables})
    shown = one_hot(windows(batch, 1), config.outputs)
    count = sum(int(np.prod(variable.shape)) for variable in variables)
    return timed(steps, lambda: float(session.run([theirs.model.loss, update], {x: shown})[0])) | {"weights": count}


def here(config: MagentaConfig, batch: int, steps: int, weights: Path) -> dict[str, Any]:
    """Train the same network, from the same weights, in Keras."""
    import keras
    from magenta_network import MagentaNetwork

    network = MagentaNetwork(config)
    with np.load(weights) as arrays:
        network.assign(arrays)
    network.compile(
        optimizer=keras.optimizers.Adam(RATE, epsilon=1e-8, global_clipnorm=1.0),
        jit_compile=keras.backend.backend() == "jax",
    )
    tokens = windows(batch, 1)[..., 0].astype(np.int32)

    def step() -> float:
        network.reset_metrics()
        return float(network.train_on_batch(tokens, tokens, return_dict=True)["loss"])

    return timed(steps, step) | {"weights": network.count_params(), "gflop_s": product_speed()}


def product_speed(size: int = 1024, times: int = 30) -> float:
    """Return the GFLOP of square matrix products that TensorFlow does in a second of processor time."""
    import tensorflow as tf

    a = tf.random.normal((size, size))
    tf.matmul(a, a)
    used = time.process_time()
    for _ in range(times):
        tf.matmul(a, a)
    return 2e-9 * size**3 * times / (time.process_time() - used)


def product_work(config: MagentaConfig) -> float:
    """Return the GFLOP of the matrix products that a training step must do for a window, without lookups.

    Every product comes three times: forward, and for the gradients of its two factors.
    """
    units, decoder = config.encoder_units, config.decoder_units
    products = [(config.steps * 2, units[0], 4 * units[0])]
    for below, size in pairwise(units):
        products.append((config.steps * 2, 2 * below + size, 4 * size))
    for count in (config.segments, config.steps):
        below = 0
        for size in decoder:
            products.append((count, below + size, 4 * size))
            below = size
    products.append((config.segments, decoder[-1], 4 * decoder[0]))
    products.append((config.steps, decoder[-1], config.depth))
    return 3 * 2e-9 * sum(count * width * out for count, width, out in products)


def ours(units: int, batch: int, steps: int) -> dict[str, Any]:
    """Train the network of therapy-gen as `model train` does."""
    from therapy_gen.musicvae.array_shapes import expected_shapes
    from therapy_gen.musicvae.config import Config
    from therapy_gen.musicvae.training.train import Material, train

    config = replace(Config(), encoder_units=units, conductor_units=units, decoder_units=units, batch_size=batch)
    tokens = windows(8 * batch, config.voices)
    marks: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        train(
            config,
            Material(tokens, tokens[:0], {}),
            Path(folder),
            until_step=steps + 1,
            report_every=1,
            report=lambda progress: marks.append((time.perf_counter(), time.process_time())),
        )
    taken = np.diff(np.array(marks[: steps + 1]), axis=0)
    count = sum(int(np.prod(shape)) for shape in expected_shapes(config).values())
    return {"wall_s": taken[:, 0].tolist(), "cpu_s": taken[:, 1].tolist(), "weights": count}


def timed(steps: int, step: Any) -> dict[str, Any]:
    """Run a step, not counted, and then `steps` of them."""
    losses, wall, cpu = [step()], [], []
    for _ in range(steps):
        started, used = time.perf_counter(), time.process_time()
        losses.append(step())
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
    return {"wall_s": wall, "cpu_s": cpu, "losses": losses}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--layers", type=int, default=2, help="of the encoder")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--process", choices=("magenta", "same", "own"), help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    config = magenta_sizes(options.units, options.layers)
    if options.process == "magenta":
        print(json.dumps(in_magenta(config, options.batch, options.steps, options.weights)))
    elif options.process == "same":
        print(json.dumps(here(config, options.batch, options.steps, options.weights)))
    elif options.process == "own":
        print(json.dumps(ours(options.units, options.batch, options.steps)))
    else:
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """Run all three in turn and print what they took."""
    print(
        f"{machine()}; {NAME} with {options.units} units, {options.layers} encoder layers, "
        f"{options.batch} windows a step\n",
        flush=True,
    )
    sizes = [f"--{name}={getattr(options, name)}" for name in ("units", "layers", "batch", "steps")]
    runs: dict[str, list[Run]] = {"magenta": [], "same": [], "own": []}
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(options.rounds):
            for process, taken in runs.items():
                command = [sys.executable, "-W", "ignore", __file__, *sizes, "--process", process]
                taken.append(run([*command, "--weights", Path(scratch, "weights.npz")], {"TF_CPP_MIN_LOG_LEVEL": "3"}))
    figures = {process: [json.loads(each.stdout.splitlines()[-1]) for each in taken] for process, taken in runs.items()}
    theirs = summary(figures["magenta"], options.batch)
    rows = []
    titles = {"magenta": "Magenta's training", "same": "the same network, here", "own": "model train, 3 voices"}
    for process, title in titles.items():
        per_s, cpu_ms = summary(figures[process], options.batch)
        peak = max(each.peak_mb for each in runs[process])
        weights = figures[process][0]["weights"] / 1e6
        rows.append(
            (
                title,
                f"{weights:.2f}",
                f"{per_s:.1f}",
                f"{per_s / theirs[0]:.1f}",
                f"{cpu_ms:.0f}",
                f"{theirs[1] / cpu_ms:.1f}",
                f"{peak:.0f}",
            )
        )
    head = ("process", "million weights", "windows/s", "times", "cpu ms/window", "times less", "peak MB")
    print(table(head, rows))
    speed = statistics.median(each["gflop_s"] for each in figures["same"])
    work = product_work(magenta_sizes(options.units, options.layers))
    least = 1000.0 * work / speed
    print(
        f"\nmatrix products of that network: {work:.1f} GFLOP a window, {least:.0f} ms at {speed:.0f} GFLOP/s a core;"
    )
    print(f"in float32 no order of work takes more than {theirs[1] / least:.1f} times less than Magenta's")
    pairs = zip(figures["magenta"], figures["same"], strict=True)
    apart = max(float(np.abs(np.subtract(a["losses"], b["losses"])).max()) for a, b in pairs)
    first, last = figures["magenta"][0]["losses"][0], figures["magenta"][0]["losses"][-1]
    print(f"\nloss in Magenta {first:.2f} at the first step, {last:.2f} at the last; here within {apart:.3f} of it")


def summary(figures: list[dict[str, Any]], batch: int) -> tuple[float, float]:
    """Return windows a second, of the median step, and milliseconds of processor time a window."""
    wall = statistics.median(value for each in figures for value in each["wall_s"])
    cpu = statistics.median(value for each in figures for value in each["cpu_s"])
    return batch / wall, 1000.0 * cpu / batch


if __name__ == "__main__":
    main()
