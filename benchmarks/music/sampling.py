"""Compare ways of sampling from a model with held-out music: tonality, dissonance, overlap, copies, calmness.

    python benchmarks/music/sampling.py RUN/corpus.npz [--model calm] [--sections 512] [--metre 3/4]
                                  [--metrics-python PYTHON] [--first-seed N ...]

RUN is the folder of a `therapy-gen model train` run, which caches the windows of its corpus there. PYTHON is the
interpreter of an environment with muspy, partitura and music21: with it the figures of those libraries are printed too.

First table, means (medians where marked m) over sections: calmness at 66 quarter notes a minute; notes a bar in all
voices; semitones between melody notes; share of notes in the scale that holds most (m); cloud diameter (m) and tensile
strain (m) of the spiral array; dissonant share of simultaneous intervals; share of sections with two bars of a training
piece; share nearly empty or stuck.

Second table: overlap areas (Yang & Lerch 2020) with held-out music, of density and interval with its calm third; in
brackets what the mean histograms have in common.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from section_figures import Sections, copies, dissonance, histogram_overlap, measure_sections, overlap_area, phrases

from benchmarks.measure import machine, table
from sessions.composing.candidates import Draft, calm_of_tokens, calmest_sections
from sessions.composing.compose import DEFAULT_TEMPERATURE, Brief, compose_session
from sessions.planning.plan import PlannedPiece, SessionRequest, plan_session
from therapy_gen.music.arranging.arrange import duration_of
from therapy_gen.music.corpus.corpus import Corpus
from therapy_gen.music.metre import FOUR_FOUR, METRES, Metre
from therapy_gen.music.tokens import Tokens, tokens_to_notes
from therapy_gen.music.tonality import scale_pitch_classes
from therapy_gen.musicvae.latent.interpolate import slerp
from therapy_gen.musicvae.model import Model, load_model
from therapy_gen.musicvae.training.held_out import posterior

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

HEAD = ("sections", "n", "calm", "notes", "interval", "scale", "diameter", "strain", "dissonant", "copied", "bad")
OVERLAPS = (("pitch class", False), ("duration", False), ("interval", True), ("density", True))
_CALM = 1 / 3
_BATCH = 256
_BEST_OF = 8
_LEAST_OF = 4
_WAY = 8
_ALSO_INDEPENDENT = ("N(0, I)", "prior, in key", "session new", "midpoints of held-out calm music")


@dataclass(frozen=True)
class Made:
    """Sections (n, steps, voices) on the tonic C under a name, and which of them are in minor."""

    name: str
    tokens: Tokens
    minor: BoolArray


def even(indices: npt.NDArray[np.intp], count: int) -> npt.NDArray[np.intp]:
    """Return at most `count` of `indices`, evenly spread."""
    if len(indices) <= count:
        return indices
    return indices[np.linspace(0, len(indices) - 1, count).astype(int)]


def real(corpus: Corpus, name: str, count: int, *, held_out: bool, calmest: float) -> Made:
    """Return windows of the corpus that begin where phrases do."""
    found = corpus.choose(held_out=held_out, calmest=calmest)
    found = even(corpus.at_phrases(found), count)
    return Made(name, corpus.tokens[found], corpus.mode[found] == 1)


def masks(minor: BoolArray) -> BoolArray:
    """Return the pitch classes (n, 12) of C major or C minor."""
    allowed = np.zeros((len(minor), 12), dtype=bool)
    for row, is_minor in zip(allowed, minor, strict=True):
        row[sorted(scale_pitch_classes(0, "minor" if is_minor else "major"))] = True
    return allowed


def decoded(
    model: Model, z: FloatArray, minor: BoolArray, temperature: float = DEFAULT_TEMPERATURE, *, key: bool = False
) -> Tokens:
    """Decode in batches, within the scale where `key` says so."""
    rng = np.random.default_rng(2)
    allowed = masks(minor)
    parts = [
        model.decode(
            z[n : n + _BATCH], temperature=temperature, rng=rng, pitch_classes=allowed[n : n + _BATCH] if key else None
        )
        for n in range(0, len(z), _BATCH)
    ]
    return np.concatenate(parts)


def drawn(model: Model, minor: BoolArray, metre: Metre, temperature: float | None = None, seed: int = 1) -> FloatArray:
    """Draw z from the model's prior, in each section's mode."""
    rng = np.random.default_rng(seed)
    options = {} if temperature is None else {"temperature": temperature}
    modes = {
        mode: model.sample_prior(len(minor), rng, mode, metre=metre.beats, **options) for mode in ("major", "minor")
    }
    return np.where(minor[:, None], modes["minor"], modes["major"])


def fit_gaussian(mu: FloatArray, sigma: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean (z_size,) and Cholesky factor (z_size, z_size) of the aggregate posterior of n sections.

    Its covariance is that of the means plus the mean posterior variance (law of total variance).
    """
    mean = mu.mean(axis=0, dtype=np.float64)
    centred = mu.astype(np.float64) - mean
    covariance = centred.T @ centred / max(len(mu) - 1, 1)
    covariance[np.diag_indices_from(covariance)] += (sigma.astype(np.float64) ** 2).mean(axis=0) + 1e-8
    return mean.astype(np.float32), np.linalg.cholesky(covariance).astype(np.float32)


def ways(model: Model, corpus: Corpus, minor: BoolArray, metre: Metre) -> Iterator[Made]:
    """Yield sections made in every way, as many as `minor` has, in its modes."""
    count = len(minor)
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((count, model.config.z_size), dtype=np.float32)
    yield Made("N(0, I)", decoded(model, noise, minor), minor)
    yield Made("0.5 N(0, I)", decoded(model, 0.5 * noise, minor), minor)
    seeds = real(corpus, "", 4096, held_out=False, calmest=_CALM)
    mu, sigma = posterior(model, seeds.tokens)
    mean, factor = fit_gaussian(mu, sigma)
    yield Made("Gaussian fitted to calm music", decoded(model, mean + noise @ factor.T, minor), minor)
    near = np.zeros_like(noise)
    for mode in (False, True):
        of_mode = np.flatnonzero(seeds.minor == mode)
        rows = np.flatnonzero(minor == mode)
        near[rows] = mu[rng.choice(of_mode, len(rows))]
    prior = drawn(model, minor, metre)
    around = np.stack([slerp(a, b, 0.5) for a, b in zip(near, prior, strict=True)])
    yield Made("halfway from calm seeds to the prior", decoded(model, around, minor), minor)
    for heat in (0.4, 0.6, 0.8, 1.0):
        z = drawn(model, minor, metre, heat)
        yield Made(f"prior at {heat:.1f}", decoded(model, z, minor), minor)
    for heat in (0.0, 0.5, 0.9):
        yield Made(f"prior, decoder at {heat:.1f}", decoded(model, prior, minor, heat), minor)
    yield Made("prior, in key", decoded(model, prior, minor, key=True), minor)
    many = decoded(model, np.repeat(prior, _BEST_OF, axis=0), np.repeat(minor, _BEST_OF), key=True)
    best = [max(many[n : n + _BEST_OF], key=calm_of_tokens) for n in range(0, len(many), _BEST_OF)]
    yield Made(f"prior, in key, calmest of {_BEST_OF}", np.stack(best), minor)
    for heat in (0.6, 0.8):
        yield Made(
            f"prior at {heat:.1f}, in key", decoded(model, drawn(model, minor, metre, heat), minor, key=True), minor
        )
        four = np.stack(
            [
                decoded(model, drawn(model, minor, metre, heat, seed), minor, 0.5, key=True)
                for seed in range(5, 5 + _LEAST_OF)
            ]
        )
        least = np.stack([dissonance(tokens) for tokens in four]).argmin(axis=0)
        tokens = four[least, np.arange(count)]
        yield Made(f"prior at {heat:.1f}, in key, least dissonant of {_LEAST_OF}", tokens, minor)
    modes = ["minor" if is_minor else "major" for is_minor in minor]
    yield Made("as session new", _as_session(model, prior, modes, metre), minor)
    yield session_sections(model, count, metre)
    yield Made("midpoints of held-out calm music", *_midpoints(model, corpus, count))
    yield Made("ways between held-out calm music", *_ways_between(model, corpus, count))


def session_sections(model: Model, count: int, metre: Metre = FOUR_FOUR, seed: int = 0) -> Made:
    """Return the sections of default sessions, seed after seed from `seed` on, one piece after the other."""
    name = f"session new, seeds from {seed}" if seed else "session new"
    sections: list[Tokens] = []
    minor: list[bool] = []
    request = SessionRequest(metre=metre.name)
    while len(sections) < count:
        planning, composing = np.random.SeedSequence(seed).spawn(2)
        plan = plan_session(request, np.random.default_rng(planning), partial(duration_of, metre=metre))
        pieces = plan.composed()
        briefs = [Brief(*each) for each in zip(pieces, plan.targets(plan.curve(request.target)), strict=True)]
        for piece, made in zip(pieces, compose_session(briefs, model, np.random.default_rng(composing)), strict=True):
            sections.extend(made.sections)
            minor.extend([piece.mode == "minor"] * len(made.sections))
        seed += 1
    return Made(name, np.stack(sections[:count]), np.array(minor[:count]))


def _as_session(model: Model, z: FloatArray, modes: list[str], metre: Metre) -> Tokens:
    rng = np.random.default_rng(2)
    drafts = [
        Draft(PlannedPiece(("A",), 60.0, 0, mode, metre), point[None], "", 0)
        for point, mode in zip(z, modes, strict=True)
    ]
    sections = [
        section
        for n in range(0, len(z), _BATCH)
        for (section,) in calmest_sections(drafts[n : n + _BATCH], model, DEFAULT_TEMPERATURE, rng)
    ]
    return np.stack(sections)


def _midpoints(model: Model, corpus: Corpus, count: int) -> tuple[Tokens, BoolArray]:
    """Return sections halfway between held-out calm ones of the same mode, and their modes."""
    ends = real(corpus, "", 4096, held_out=True, calmest=_CALM)
    mu, _ = posterior(model, ends.tokens)
    rng = np.random.default_rng(3)
    first = rng.integers(len(mu), size=count)
    second = np.array([rng.choice(np.flatnonzero(ends.minor == ends.minor[n])) for n in first])
    z = np.stack([slerp(mu[a], mu[b], 0.5) for a, b in zip(first, second, strict=True)])
    return decoded(model, z, ends.minor[first], key=True), ends.minor[first]


def _ways_between(model: Model, corpus: Corpus, count: int) -> tuple[Tokens, BoolArray]:
    """Return what `interpolate` writes between held-out calm sections, eight steps from one to the other."""
    ends = real(corpus, "", 4096, held_out=True, calmest=_CALM)
    mu, _ = posterior(model, ends.tokens)
    rng = np.random.default_rng(4)
    first = rng.integers(len(mu), size=count // _WAY + 1)
    second = [rng.choice(np.flatnonzero(ends.minor == ends.minor[n])) for n in first]
    z = np.concatenate([model.interpolate(mu[a], mu[b], _WAY) for a, b in zip(first, second, strict=True)])[:count]
    minor = np.repeat(ends.minor[first], _WAY)[:count]
    return decoded(model, z, minor, 0.0), minor


def line(made: Made, figures: Sections, known: set[bytes]) -> tuple[str, ...]:
    """Return a line of the first table."""
    return (
        made.name,
        str(len(made.tokens)),
        f"{figures.calm.mean():.3f}",
        f"{figures.notes_a_bar.mean():.1f}",
        f"{figures.interval.mean():.2f}",
        *(f"{np.median(values):.3f}" for values in (figures.scale, figures.diameter, figures.strain)),
        f"{figures.dissonance.mean():.3f}",
        f"{100 * copies(made.tokens, known).mean():.1f} %" if known else "",
        f"{100 * (figures.empty | figures.stuck).mean():.1f} %",
    )


def overlaps(name: str, figures: Sections, everything: Sections, calm: Sections) -> tuple[str, ...]:
    """Return a line of the second table."""
    cells = []
    for kind, of_calm in OVERLAPS:
        against = (calm if of_calm else everything).histograms[kind]
        found = figures.histograms[kind]
        shared = "" if kind == "density" else f" ({histogram_overlap(against, found):.2f})"
        cells.append(f"{overlap_area(against, found):.3f}{shared}")
    return (name, *cells)


def independent(python: Path, all_made: list[Made], most: int = 192) -> str:
    """Return the table of what other libraries measure, over at most so many sections of each kind."""
    arrays = {}
    for made in all_made:
        chosen = made.tokens[even(np.arange(len(made.tokens)), most)]
        arrays[made.name] = np.array([(n, *note) for n, part in enumerate(chosen) for note in tokens_to_notes(part)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sections.npz"
        np.savez(path, **arrays)
        script = Path(__file__).with_name("independent_figures.py")
        command = [str(python), "-W", "ignore", str(script), str(path)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    names = list(next(iter(found.values())))
    rows = [(name, *(f"{values[figure]:.3f}" for figure in names)) for name, values in found.items()]
    return f"medians over at most {most} sections\n" + table(("sections", *names), rows)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--model", default="calm")
    parser.add_argument("--sections", type=int, default=512)
    parser.add_argument("--metre", choices=METRES, default=FOUR_FOUR.name)
    parser.add_argument("--metrics-python", type=Path)
    parser.add_argument("--first-seed", type=int, nargs="+", help="sessions alone, from each of these seeds on")
    arguments = parser.parse_args()
    metre = METRES[arguments.metre]
    corpus, model = Corpus.load(arguments.corpus).of_metre(metre), load_model(arguments.model)
    references = [
        real(corpus, "held-out music", arguments.sections, held_out=True, calmest=1.0),
        real(corpus, "held-out music, calm third", arguments.sections, held_out=True, calmest=_CALM),
        real(corpus, "training music, calm third", arguments.sections, held_out=False, calmest=_CALM),
    ]
    modes = np.random.default_rng(0).permutation(np.resize(references[1].minor, arguments.sections))
    known = phrases(corpus.tokens[~corpus.held_out])
    if arguments.first_seed:
        all_made = [
            *references,
            *(session_sections(model, arguments.sections, metre, seed) for seed in arguments.first_seed),
        ]
    else:
        all_made = [*references, *ways(model, corpus, modes, metre)]
    measured = [measure_sections(made.tokens, made.minor) for made in all_made]
    print(machine())
    print(f"model {model.name}, sha256 {model.sha256[:12]}; corpus {corpus.digest[:12]}, {metre.name}\n")
    rows = []
    for n, (made, figures) in enumerate(zip(all_made, measured, strict=True)):
        # Training music holds its own phrases.
        rows.append(line(made, figures, set() if n == 2 else known))
    print(table(HEAD, rows) + "\n")
    everything, calm = measured[:2]
    rows = [overlaps(made.name, found, everything, calm) for made, found in zip(all_made, measured, strict=True)]
    print(table(("sections", *(f"{kind}{', calm' if calmer else ''}" for kind, calmer in OVERLAPS)), rows))
    if arguments.metrics_python:
        chosen = [made for made in all_made if made.name in _ALSO_INDEPENDENT or made in all_made[:2]]
        print("\n" + independent(arguments.metrics_python, [*chosen, all_made[-1]]))


if __name__ == "__main__":
    main()
