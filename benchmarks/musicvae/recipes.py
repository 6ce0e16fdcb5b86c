"""Compare recipes for the model on held-out calm music: as many windows each, one thing different.

    python benchmarks/musicvae/recipes.py RUN/corpus.npz [--steps 500] [--batch-size 64] [--only NAME ...]

RUN is the folder of a `therapy-gen model train` run, which caches the windows of its corpus there. Every recipe trains
a network anew. The figures are of held-out windows of the calmest third, and of 4/4 unless the recipe says otherwise:
the share of sixteenths that are right, teacher-forced with z at its mean, and the share at which the right pitch
sounds when rebuilt from z alone, melody / inner voice / bass; KL and reconstruction in nats a window. "usual, another
seed" is what chance alone changes. "eighths" learns and is judged on those windows alone in which no note begins off
the eighths, on a grid of eighths; "those, in sixteenths" is its other side.

On two cores two recipes side by side, of one thread each (KERAS_BACKEND=torch OMP_NUM_THREADS=1), take a quarter of an
hour; meant for a GPU (KERAS_BACKEND=jax, --precision mixed_bfloat16).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import machine, table
from therapy_gen.music.corpus.corpus import Corpus
from therapy_gen.music.metre import FOUR_FOUR, THREE_FOUR
from therapy_gen.music.tokens import Tokens
from therapy_gen.musicvae.config import Config
from therapy_gen.musicvae.features import NOTE_OFF
from therapy_gen.musicvae.model import Model
from therapy_gen.musicvae.training.held_out import VOICE_NAMES, evaluate
from therapy_gen.musicvae.training.train import Material, train
from therapy_gen.musicvae.weights import load_weights

USUAL = "usual"
_ANOTHER_SEED = "usual, another seed"
_FAST_BETA = "beta up to 1, ten times as fast"
_CALM = 1 / 3
_JUDGED = 128
_HEADER = ("recipe", "windows", "parameters", "teacher-forced", "right pitch sounds", "KL", "reconstruction")


def on_eighths(tokens: Tokens) -> Any:
    """Return which windows (n,) have every event on an eighth."""
    return ~(tokens[:, 1::2] >= NOTE_OFF).any(axis=(1, 2))


def recipes(corpus: Corpus, usual: Config) -> dict[str, tuple[Config, Tokens, Tokens]]:
    """Return config, windows to learn from and windows to judge by, of every recipe."""
    four, three = FOUR_FOUR.beats, THREE_FOUR.beats

    def windows(*, held_out: bool, calmest: float = 1.0, quarters: int | None = None) -> Tokens:
        found = corpus.choose(held_out=held_out, calmest=calmest)
        return corpus.tokens[found if quarters is None else found[corpus.metre[found] == quarters]]

    def judging(quarters: int) -> Tokens:
        found = windows(held_out=True, calmest=_CALM, quarters=quarters)
        return found[np.linspace(0, len(found) - 1, min(len(found), _JUDGED)).astype(int)]

    learn, judged = windows(held_out=False), judging(four)
    in_four = windows(held_out=False, quarters=four)
    even, even_judged = in_four[on_eighths(in_four)], judged[on_eighths(judged)]
    half = {"encoder_units": 128, "conductor_units": 128, "decoder_units": 128}
    fast_beta = replace(usual, max_beta=1.0, beta_rate=0.999)
    more = {"encoder_units": 384, "conductor_units": 384, "decoder_units": 384}
    return {
        USUAL: (usual, learn, judged),
        _ANOTHER_SEED: (usual, learn, judged),
        "4/4 alone": (usual, in_four, judged),
        "3/4 alone, judged on 3/4": (usual, windows(held_out=False, quarters=three), judging(three)),
        "every window in the common key": (replace(usual, transposed=0.0), learn, judged),
        "every window in a random key": (replace(usual, transposed=1.0), learn, judged),
        "the calmest third alone": (usual, windows(held_out=False, calmest=_CALM), judged),
        "half the units": (replace(usual, bar_units=(384, 192), **half), learn, judged),
        "half as many units again": (replace(usual, bar_units=(1152, 576), **more), learn, judged),
        "16 dimensions a bar": (replace(usual, bar_z=16, free_bits=usual.free_bits / 2), learn, judged),
        "no free bits": (replace(usual, free_bits=0.0), learn, judged),
        _FAST_BETA: (fast_beta, learn, judged),
        f"{_FAST_BETA}, no free bits": (replace(fast_beta, free_bits=0.0), learn, judged),
        "no hidden inputs": (replace(usual, input_dropout=0.0), learn, judged),
        "melody and bass alone": (replace(usual, voices=2), learn[:, :, ::2], judged[:, :, ::2]),
        "eighths": (replace(usual, steps_per_bar=8), even[:, ::2], even_judged[:, ::2]),
        "those, in sixteenths": (usual, even, even_judged),
    }


def row(label: str, model: Model, learned: int, judged: Tokens) -> tuple[str, ...]:
    """Return a row of the table: a model measured on sections."""
    figures = evaluate(model, judged)
    shares = [
        "/".join(f"{figures[kind][voice]:.3f}" for voice in VOICE_NAMES[: model.config.voices])
        for kind in ("teacher_forced", "sounding")
    ]
    size = sum(array.size for array in model.arrays.values())
    nats = (f"{figures['kl_nats']:.0f}", f"{figures['reconstruction_nats']:.0f}")
    return (label, str(learned), str(size), *shares, *nats)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--only", nargs="*")
    arguments = parser.parse_args()
    corpus = Corpus.load(arguments.corpus)
    usual = replace(Config(), batch_size=arguments.batch_size)
    print(machine())
    print(f"corpus {corpus.digest[:12]}; {arguments.steps} steps of {arguments.batch_size} windows each\n", flush=True)
    rows = []
    for name, (config, learn, judged) in recipes(corpus, usual).items():
        if arguments.only and name not in arguments.only:
            continue
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            path = train(
                config,
                Material(learn, judged[:64], {}),
                Path(folder),
                until_step=arguments.steps,
                judge_every=10 * arguments.steps,
                precision=arguments.precision,
                seed=int(name == _ANOTHER_SEED),
            )
            trained = time.monotonic()
            model = Model(load_weights(path), name)
        judges = {name: judged}
        if name == USUAL:
            judges[f"{name}, judged on 3/4"] = recipes(corpus, usual)["3/4 alone, judged on 3/4"][2]
        for label, sections in judges.items():
            rows.append(row(label, model, len(learn), sections))
            print(*rows[-1], f"({trained - started:.0f} s)", sep="  ", flush=True)
    print()
    print(table(_HEADER, rows))


if __name__ == "__main__":
    main()
