"""Measure what a step along each attribute vector does to the music.

    python benchmarks/music/attributes.py RUN/corpus.npz [--model calm] [--sections 128] [--metre 3/4] [--sessions 8]

RUN is the folder of a `therapy-gen model train` run. The vectors stored with the model are used, or, where it has none,
computed from the calmer part of its training windows. A row is a shift of z, drawn from the model's prior, along one
vector, in standard deviations of that attribute; the columns are the means of all attributes over the same sections,
decoded at temperature 0.5.

A second table holds what pieces of sessions have that are asked for a density.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.measure import machine, table
from sessions.builder import new_session
from sessions.planning.plan import SessionRequest
from sessions.storage.library import get_piece, midi_of
from sessions.storage.store import Store
from therapy_gen.music.corpus.corpus import Corpus
from therapy_gen.music.metre import FOUR_FOUR, METRES
from therapy_gen.music.midi.midi import read_performance
from therapy_gen.music.tokens import BARS_PER_SECTION
from therapy_gen.musicvae.latent.attribute_kinds import ATTRIBUTES
from therapy_gen.musicvae.latent.attributes import PREFIX, attribute_values, attribute_vectors, step_along
from therapy_gen.musicvae.model import Model, load_model
from therapy_gen.musicvae.training.held_out import posterior

STEPS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
DENSITIES = (5.0, 6.0, 8.0, 10.0, 12.0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--model", default="calm")
    parser.add_argument("--sections", type=int, default=128)
    parser.add_argument("--metre", choices=METRES, default=FOUR_FOUR.name)
    parser.add_argument("--sessions", type=int, default=8, help="sessions a density is asked for in")
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    arrays, origin = model.arrays, "stored with the model"
    if f"{PREFIX}{next(iter(ATTRIBUTES))}" not in arrays:
        corpus = Corpus.load(arguments.corpus).of_metre(FOUR_FOUR)
        chosen = corpus.choose(held_out=False, calmest=0.7)
        tokens = corpus.tokens[corpus.at_phrases(chosen)]
        arrays = attribute_vectors(posterior(model, tokens)[0], attribute_values(tokens))
        origin = f"from {len(tokens)} training windows"
    metre = METRES[arguments.metre]
    z = model.sample_prior(arguments.sections, np.random.default_rng(1), metre=metre.beats)
    rows = []
    for name in ATTRIBUTES:
        effects = []
        for steps in STEPS:
            moved = step_along(z, arrays, name, steps)
            written = model.decode(moved, temperature=0.5, rng=np.random.default_rng(2))
            values = attribute_values(written, metre.beats)
            effects.append(float(values[name].mean()))
            rows.append([name, f"{steps:+.0f}", *(f"{values[other].mean():.2f}" for other in ATTRIBUTES), ""])
        rows[-1][-1] = "monotone" if np.all(np.diff(effects) > 0) else "not monotone"
    print(f"{machine()}\nmodel {model.name}, sha256 {model.sha256[:12]}; vectors {origin}; {metre.name}")
    print(table(("along", "steps", *ATTRIBUTES, ""), rows))
    print()
    titles = ("density asked", "pieces", "mean", "deviation", "least", "most")
    print(table(titles, [densities_had(model, requested, metre.name, arguments.sessions) for requested in DENSITIES]))


def densities_had(model: Model, requested: float, metre: str, sessions: int) -> list[str]:
    """Return a row: what pieces of sessions of 24 minutes have, in notes a bar, all parts but the pad."""
    had = []
    with TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "sessions.db")
        request = SessionRequest(metre=metre, attributes={"density": (requested, requested)})
        for seed in range(100, 100 + sessions):
            for record in new_session(store, model, request, seed=seed).pieces():
                piece = get_piece(store, record.id)
                parts = read_performance(midi_of(store, [record.id])[record.id]).parts
                notes = sum(len(part.notes) for part in parts if part.name.lower() != "pad")
                had.append(notes / (BARS_PER_SECTION * len((piece.form or "A").split())))
    values = np.array(had)
    figures = (values.mean(), values.std(), values.min(), values.max())
    return [f"{requested:g}", str(len(had)), *(f"{value:.1f}" for value in figures)]


if __name__ == "__main__":
    main()
