"""Can a judge tell made sections from real ones? A classifier two-sample test (Lopez-Paz & Oquab 2017), by two judges.

    python benchmarks/music/realism.py RUN/corpus.npz [--model calm] [--only KIND ...] [--seeds 5]
                                 [--kept] [--mutations] [--separating KIND ...] [--fast]

RUN is the folder of a `therapy-gen model train` run, which caches the windows of its corpus there. Needs the extra
`benchmarks` (with scikit-learn alone: `--fast`, trees over own features).

Real sections are windows of the calmest third of 4/4 that begin where phrases do, at most four a piece. Half of the
held-out pieces are kept (``--kept`` judges by them alone): no setting may be chosen by what they show, and each look at
them is counted in docs/sampling.md. Figures are areas under the ROC curve, .5 where a judge cannot tell, 1 where it is
never wrong: mean and deviation over seeds, each of five folds, in which a piece, and what was made of it, is never on
both sides. Trees judge features, attention judges tokens; both with pitch classes and without.

``--mutations`` checks the judges: real sections with one voice a bar late, with bars shuffled, and with random pitches
of the key must be told from others by AUC above .9.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

# Threads of OpenMP wait for each other busily: where other work runs, one is several times as fast.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
from realism_judges import Features, area, attention, boosting

from benchmarks.measure import machine, table
from sessions.composing.compose import DEFAULT_TEMPERATURE, Brief, compose_session
from sessions.planning.plan import SessionRequest, plan_session
from therapy_gen.music.arranging.arrange import duration_of
from therapy_gen.music.corpus.corpus import Corpus
from therapy_gen.music.metre import FOUR_FOUR
from therapy_gen.music.tokens import FIRST_PITCH_CLASS, MIN_PITCH, NOTE_OFF, STEPS_PER_BAR, Tokens
from therapy_gen.music.tonality import scale_pitch_classes
from therapy_gen.musicvae.model import Model, load_model
from therapy_gen.musicvae.training.held_out import posterior

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_CALM = 1 / 3
_A_PIECE = 4
_BATCH = 128
_SEPARATING = 10
HEAD = ("sections", "n", "trees", "trees, no pitch classes", "attention", "attention, no pitch classes")


@dataclass(frozen=True)
class Made:
    """Sections (n, steps, voices) on tonic C, and the piece that each belongs to; made pieces have numbers below 0."""

    tokens: Tokens
    piece: IntArray


@dataclass(frozen=True)
class Real:
    """Real calm sections, their pieces and modes."""

    tokens: Tokens
    piece: IntArray
    minor: BoolArray

    def part(self, rows: npt.NDArray[np.intp]) -> Real:
        """Return some of them."""
        return Real(self.tokens[rows], self.piece[rows], self.minor[rows])


def is_kept(name: str) -> bool:
    """Return whether no choice may see a held-out piece: one in two, by its name."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 1


def real_sections(corpus: Corpus, *, held_out: bool, kept: bool, seed: int = 0) -> Real:
    """Return calm sections at phrases, at most four a piece, of training pieces or of one half of those held out."""
    found = corpus.at_phrases(corpus.choose(held_out=held_out, calmest=_CALM))
    if held_out:
        found = found[[is_kept(corpus.pieces[piece]) == kept for piece in corpus.piece[found]]]
    rng = np.random.default_rng(seed)
    chosen = [
        rng.permutation(found[corpus.piece[found] == piece])[:_A_PIECE] for piece in np.unique(corpus.piece[found])
    ]
    # Piece after piece: what is taken from the beginning and from the end shares none, or one.
    rng.shuffle(chosen)
    rows = np.concatenate(chosen)
    return Real(corpus.tokens[rows], corpus.piece[rows].astype(np.int64), corpus.mode[rows] == 1)


def rebuilt(model: Model, real: Real, temperature: float = 0.0, noise: float = 0.0) -> Made:
    """Encode sections and write them again, from the mean of z, with some of the posterior's deviation."""
    mu, sigma = posterior(model, real.tokens)
    rng = np.random.default_rng(1)
    z = mu + np.float32(noise) * sigma * rng.standard_normal(mu.shape, dtype=np.float32)
    return Made(_decoded(model, z, temperature), real.piece)


def interpolated(model: Model, real: Real, share: float) -> Made:
    """Write what lies a share of the way from each section to another of its mode, of another piece."""
    mu, _ = posterior(model, real.tokens)
    rng = np.random.default_rng(2)
    z = []
    for row, (piece, minor) in enumerate(zip(real.piece, real.minor, strict=True)):
        others = np.flatnonzero((real.piece != piece) & (real.minor == minor))
        z.append(model.interpolate(mu[row], mu[rng.choice(others)], 9)[round(share * 8)])
    return Made(_decoded(model, np.stack(z), 0.0), real.piece)


def from_prior(model: Model, count: int, minor: BoolArray, *, memory: bool) -> Made:
    """Write sections of the model's memory, or samples of its prior at the temperature of `therapy-gen sample`."""
    rng = np.random.default_rng(0)
    share = float(minor.mean())
    kinds = ["minor"] * round(count * share) + ["major"] * (count - round(count * share))
    drawn = model.memory if memory else None
    z = [
        model.sample_prior(kinds.count(kind), rng, kind)
        if drawn is None
        else drawn.z(drawn.draw(kinds.count(kind), rng, kind))
        for kind in sorted(set(kinds))
    ]
    return Made(_decoded(model, np.concatenate(z), 0.0 if memory else DEFAULT_TEMPERATURE), -1 - np.arange(count))


def sessions(model: Model, count: int, first_seed: int, key: str | None = None) -> Made:
    """Write sections of sessions, default ones or in a key, as they go into the arrangement, at most four a piece."""
    request = SessionRequest(metre=FOUR_FOUR.name, key=key)
    tokens: list[Tokens] = []
    pieces: list[int] = []
    seed, number = first_seed, 0
    while len(tokens) < count:
        planning, composing = np.random.SeedSequence(seed).spawn(2)
        plan = plan_session(request, np.random.default_rng(planning), partial(duration_of, metre=FOUR_FOUR))
        targets = plan.targets(plan.curve(request.target))
        briefs = [Brief(*each) for each in zip(plan.composed(), targets, strict=True)]
        for made in compose_session(briefs, model, np.random.default_rng(composing)):
            number += 1
            tokens.extend(made.sections[:_A_PIECE])
            pieces.extend([-number] * len(made.sections[:_A_PIECE]))
        seed += 1
    return Made(np.stack(tokens[:count]), np.array(pieces[:count]))


def _decoded(model: Model, z: FloatArray, temperature: float) -> Tokens:
    rng = np.random.default_rng(3)
    return np.concatenate(
        [model.decode(z[n : n + _BATCH], temperature=temperature, rng=rng) for n in range(0, len(z), _BATCH)]
    )


def late_voice(real: Real) -> Made:
    """Move the melody of each section by a bar; what falls out at the end comes in at the beginning."""
    tokens = real.tokens.copy()
    tokens[:, :, 0] = np.roll(tokens[:, :, 0], STEPS_PER_BAR, axis=1)
    return Made(tokens, real.piece)


def shuffled_bars(real: Real) -> Made:
    """Put the bars of each section in a random order."""
    rng = np.random.default_rng(4)
    bars = real.tokens.reshape(len(real.tokens), -1, STEPS_PER_BAR, real.tokens.shape[-1])
    mixed = np.stack([section[rng.permutation(len(section))] for section in bars])
    return Made(mixed.reshape(real.tokens.shape), real.piece)


def random_pitches(real: Real) -> Made:
    """Give each note a random pitch of the key within a sixth of its own."""
    rng = np.random.default_rng(5)
    tokens = real.tokens.copy()
    for section, minor in zip(tokens, real.minor, strict=True):
        allowed = np.isin(np.arange(128) % 12, sorted(scale_pitch_classes(0, "minor" if minor else "major")))
        for step, voice in zip(*np.nonzero(section > NOTE_OFF), strict=True):
            pitch = int(section[step, voice]) - FIRST_PITCH_CLASS + MIN_PITCH
            near = np.arange(max(pitch - 9, MIN_PITCH), min(pitch + 10, MIN_PITCH + 88))
            section[step, voice] = rng.choice(near[allowed[near]]) - MIN_PITCH + FIRST_PITCH_CLASS
    return Made(tokens, real.piece)


MUTATIONS: dict[str, Callable[[Real], Made]] = {
    "melody a bar late": late_voice,
    "bars shuffled": shuffled_bars,
    "random pitches in key": random_pitches,
}


@dataclass(frozen=True)
class Bench:
    """The real sections that everything is judged against, and how."""

    real: Real
    own: Features
    seeds: Sequence[int]
    libraries: bool
    network: bool

    def judged(self, name: str, made: Made, against: npt.NDArray[np.intp] | None = None) -> tuple[str, ...]:
        """Return a line of the table: made sections against real ones (some of them, where `against` says)."""
        rows = np.arange(len(self.real.tokens)) if against is None else against
        labels = np.r_[np.zeros(len(rows)), np.ones(len(made.tokens))].astype(np.int64)
        groups = np.r_[self.real.piece[rows], made.piece]
        features = self.features(made, rows)
        judges = [boosting(features, labels), boosting(features.without_pitch_classes(), labels)]
        if self.network:
            tokens = np.concatenate([self.real.tokens[rows], made.tokens])
            judges += [attention(tokens, labels, pitch_classes=known) for known in (True, False)]
        areas = [area(judge, labels, groups, self.seeds) for judge in judges]
        return (name, str(len(made.tokens)), *(f"{found.mean():.3f} ± {found.std():.3f}" for found in areas))

    def features(self, made: Made, rows: npt.NDArray[np.intp]) -> Features:
        """Return the features of real sections and of those made."""
        own = Features.of(made.tokens, self.libraries)
        return Features(own.names, np.concatenate([self.own.values[rows], own.values]))

    def separating(self, made: Made, named: Sequence[str] = ()) -> list[tuple[str, ...]]:
        """Return the features that by themselves separate most, or those named, each with its area and both means."""
        from sklearn.metrics import roc_auc_score

        other = Features.of(made.tokens, self.libraries)
        labels = np.r_[np.zeros(len(self.own.values)), np.ones(len(other.values))]
        found = []
        for name, a, b in zip(self.own.names, self.own.values.T, other.values.T, strict=True):
            both = np.r_[a, b]
            known = np.isfinite(both)
            if len(set(labels[known])) == 2:
                auc = roc_auc_score(labels[known], both[known])
                found.append((max(auc, 1 - auc), name, np.nanmean(a), np.nanmean(b)))
        found.sort(reverse=True)
        chosen = [row for row in found if row[1] in named] if named else found[:_SEPARATING]
        return [(name, f"{auc:.3f}", f"{a:.3g}", f"{b:.3g}") for auc, name, a, b in chosen]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--model", default="calm")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sections", type=int, default=320, help="real ones, and those made of nothing, at most")
    parser.add_argument("--first-seed", type=int, default=0, help="of the sessions")
    parser.add_argument("--only", nargs="+", metavar="KIND", help="some of the kinds of sections, by name")
    parser.add_argument("--kept", action="store_true", help="judge by the held-out pieces that no choice has seen")
    parser.add_argument("--mutations", action="store_true", help="check the judges themselves")
    parser.add_argument("--separating", nargs="+", metavar="KIND", default=(), help="show what separates these most")
    parser.add_argument("--features", nargs="+", metavar="NAME", default=(), help="show these in place of them")
    parser.add_argument("--fast", action="store_true", help="trees over own features alone")
    arguments = parser.parse_args()
    corpus, model = Corpus.load(arguments.corpus).of_metre(FOUR_FOUR), load_model(arguments.model)
    held = real_sections(corpus, held_out=True, kept=arguments.kept)
    other = real_sections(corpus, held_out=False, kept=False)
    other = other.part(np.arange(len(other.tokens))[: 2 * arguments.sections])
    if arguments.kept:
        everything = held
    else:
        fill = other.part(np.arange(max(arguments.sections - len(held.tokens), 0)))
        everything = Real(*(np.concatenate(pair) for pair in zip(_parts(held), _parts(fill), strict=True)))
    count = len(everything.tokens)
    fresh = other.part(np.arange(len(other.tokens) - count, len(other.tokens)))
    kinds: dict[str, Callable[[], Made]] = {
        "real": lambda: Made(fresh.tokens, fresh.piece),
        "rebuilt": lambda: rebuilt(model, everything),
        "rebuilt at 0.5": lambda: rebuilt(model, everything, DEFAULT_TEMPERATURE),
        "rebuilt with noise": lambda: rebuilt(model, everything, noise=1.0),
        "an eighth of the way": lambda: interpolated(model, everything, 1 / 8),
        "a quarter of the way": lambda: interpolated(model, everything, 1 / 4),
        "halfway": lambda: interpolated(model, everything, 1 / 2),
        "prior": lambda: from_prior(model, count, everything.minor, memory=False),
        "memory": lambda: from_prior(model, count, everything.minor, memory=True),
        "memory in major": lambda: from_prior(model, count, np.zeros_like(everything.minor), memory=True),
        "sessions": lambda: sessions(model, count, arguments.first_seed),
        "sessions in major": lambda: sessions(model, count, arguments.first_seed, "C"),
    }
    if arguments.mutations:
        kinds = {name: partial(change, everything) for name, change in MUTATIONS.items()}
    bench = Bench(
        everything,
        Features.of(everything.tokens, not arguments.fast),
        range(arguments.seeds),
        not arguments.fast,
        not arguments.fast,
    )
    print(machine())
    print(f"model {model.name}, sha256 {model.sha256[:12]}; corpus {corpus.digest[:12]}")
    print(
        f"{count} real sections of {len(set(everything.piece.tolist()))} pieces, {len(held.tokens)} of them held out"
        f"{', kept from every choice' if arguments.kept else ''}\n"
    )
    made = {name: make() for name, make in kinds.items() if not arguments.only or name in arguments.only}
    rows = [bench.judged(name, sections) for name, sections in made.items()]
    print(table(HEAD[: len(rows[0])], rows))
    for name in arguments.separating:
        print(f"\n{name}: {'features' if arguments.features else 'what separates most'}")
        print(table(("feature", "alone", "real", "made"), bench.separating(made[name], arguments.features)))


def _parts(real: Real) -> tuple[npt.NDArray[np.generic], ...]:
    return real.tokens, real.piece, real.minor


if __name__ == "__main__":
    main()
