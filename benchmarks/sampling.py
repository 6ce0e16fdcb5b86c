"""Compare ways of sampling from a model with held-out music: calmness, density, intervals, scale, dissonance.

    python benchmarks/sampling.py RUN/corpus.npz [--model calm] [--sections 96]

RUN is the folder of a `therapy-gen model train` run, which caches the windows of its corpus there. A row is the mean
over sections: calmness at 66 quarter notes a minute; notes a bar in all voices; semitones between melody notes; the
largest share of notes that one diatonic scale holds; the share of dissonant simultaneous intervals.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from measure import machine, table

from therapy_gen.music.calmness import calmness
from therapy_gen.music.corpus import Corpus
from therapy_gen.music.tokens import BARS_PER_SECTION, STEPS_PER_QUARTER, Tokens, tokens_to_notes
from therapy_gen.music.windows import REFERENCE_QPM
from therapy_gen.musicvae.evaluate import posterior
from therapy_gen.musicvae.latent import fit_gaussian
from therapy_gen.musicvae.runtime import Model, load_model

HEAD = ("sections", "temperature", "calm", "notes a bar", "interval", "in scale", "dissonance")
MAJOR = (0, 2, 4, 5, 7, 9, 11)


def figures(sections: Tokens) -> tuple[str, ...]:
    """Return the means over sections (n, steps, voices), as text."""
    rows = []
    seconds = 60 / REFERENCE_QPM / STEPS_PER_QUARTER
    for tokens in sections:
        notes = tokens_to_notes(tokens)
        if len(notes) < 2:
            continue
        start, end, pitch, voice = np.array(notes).T
        scored = calmness(start * seconds, (end - start) * seconds, pitch)
        melody = pitch[voice == 0]
        classes = np.bincount(pitch % 12, minlength=12) / len(pitch)
        rows.append(
            (
                scored.score,
                len(notes) / BARS_PER_SECTION,
                np.abs(np.diff(melody)).mean() if len(melody) > 1 else 0.0,
                max(sum(classes[(tonic + degree) % 12] for degree in MAJOR) for tonic in range(12)),
                scored.values["dissonance"],
            )
        )
    return tuple(f"{value:.3f}" for value in np.mean(rows, axis=0))


def ways(model: Model, corpus: Corpus, count: int) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Yield ways of choosing z, with `count` of it."""

    def phrases(calmest: float) -> Tokens:
        found = corpus.choose(held_out=False, calmest=calmest)
        return corpus.tokens[found[corpus.bar[found] % 4 == 0]]

    noise = np.random.default_rng(1).standard_normal((count, model.config.z_size), dtype=np.float32)
    yield "N(0, I)", noise
    yield "0.5 N(0, I)", 0.5 * noise
    mean, factor = fit_gaussian(*posterior(model, phrases(1.0)))
    yield "Gaussian, all music", mean + noise @ factor.T
    for kind in ("major", "minor"):
        drawn = model.sample_prior(count, np.random.default_rng(1), kind)
        yield f"the model's prior, {kind}", drawn
    held_out = corpus.tokens[corpus.choose(held_out=True, calmest=1 / 3)]
    ends = posterior(model, held_out[np.linspace(0, len(held_out) - 1, count + 1).astype(int)])[0]
    yield "midpoints, calm third", (ends[1:] + ends[:-1]) / 2


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--model", default="calm")
    parser.add_argument("--sections", type=int, default=96)
    arguments = parser.parse_args()
    corpus, model = Corpus.load(arguments.corpus), load_model(arguments.model)
    rows = []
    for name, share in (("held-out music", 1.0), ("held-out music, calm third", 1 / 3)):
        found = corpus.tokens[corpus.choose(held_out=True, calmest=share)]
        rows.append((name, "", *figures(found[np.linspace(0, len(found) - 1, arguments.sections).astype(int)])))
    for name, z in ways(model, corpus, arguments.sections):
        for temperature in (0.5, 0.7, 0.9):
            sampled = model.decode(z, temperature=temperature, rng=np.random.default_rng(2))
            rows.append((name, f"{temperature:.1f}", *figures(sampled)))
    print(machine())
    print(table(HEAD, rows))


if __name__ == "__main__":
    main()
