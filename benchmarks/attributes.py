"""Measure what a step along each attribute vector does to the music.

    python benchmarks/attributes.py RUN/corpus.npz [--model calm] [--sections 128] [--metre 3/4]

RUN is the folder of a `therapy-gen model train` run. The vectors stored with the model are used, or, where it has none,
computed from the calmer part of its training windows. A row is a shift of z, drawn from the model's prior, along one
vector, in standard deviations of that attribute; the columns are the means of all attributes over the same sections,
decoded at temperature 0.5.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from measure import machine, table

from therapy_gen.music.corpus import Corpus
from therapy_gen.music.metre import FOUR_FOUR, METRES
from therapy_gen.musicvae.attributes import ATTRIBUTES, PREFIX, attribute_values, attribute_vectors, step_along
from therapy_gen.musicvae.evaluate import posterior
from therapy_gen.musicvae.runtime import load_model

STEPS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--model", default="calm")
    parser.add_argument("--sections", type=int, default=128)
    parser.add_argument("--metre", choices=METRES, default=FOUR_FOUR.name)
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    arrays, origin = model.arrays, "stored with the model"
    if f"{PREFIX}{ATTRIBUTES[0]}" not in arrays:
        corpus = Corpus.load(arguments.corpus).of_metre(FOUR_FOUR)
        chosen = corpus.choose(held_out=False, calmest=0.7)
        tokens = corpus.tokens[chosen[corpus.bar[chosen] % 4 == 0]]
        arrays = attribute_vectors(posterior(model, tokens)[0], attribute_values(tokens))
        origin = f"from {len(tokens)} training windows"
    metre = METRES[arguments.metre]
    z = model.sample_prior(arguments.sections, np.random.default_rng(1), metre=metre.quarters)
    rows = []
    for name in ATTRIBUTES:
        effects = []
        for steps in STEPS:
            moved = step_along(z, arrays, name, steps)
            values = attribute_values(model.decode(moved, temperature=0.5, rng=np.random.default_rng(2)))
            effects.append(float(values[name].mean()))
            rows.append([name, f"{steps:+.0f}", *(f"{values[other].mean():.2f}" for other in ATTRIBUTES), ""])
        rows[-1][-1] = "monotone" if np.all(np.diff(effects) > 0) else "not monotone"
    print(f"{machine()}\nmodel {model.name}, sha256 {model.sha256[:12]}; vectors {origin}; {metre.name}")
    print(table(("along", "steps", *ATTRIBUTES, ""), rows))


if __name__ == "__main__":
    main()
