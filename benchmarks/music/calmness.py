"""Hold the calmness score to what listeners and composers say, beside note density alone and a plain ridge.

    python benchmarks/music/calmness.py VGMIDI [CORPUS] [--pop POP]

VGMIDI is the labelled part of that data set with a table `labels.tsv` (piece, file, mean_arousal); CORPUS a folder of
scores with `INDEX.tsv` (path, title, tempo, remarks); POP a folder of clips with `labels.tsv` (file, song, arousal,
valence): what is told apart there is printed below the table, as areas under the ROC curve (AUC).
All columns but the last are Spearman correlations of predicted
with reported arousal; velocities are not used but in the last row.

all        over all pieces; of weights that are fitted, every game is predicted from the others
90 %       interval of that figure over games drawn anew (bootstrap)
10 folds   median and standard deviation of the figure within ten folds of whole games
A>B, B>A   weights fitted on pieces of one group of consoles, measured on the other
uneven     the first 30 s of each piece, onsets and durations shaken as players do
pedalled   the same, notes held on until a pedal that comes up every 2 s, as they are transcribed from recordings
words      another style and another judge: AUC in telling scores that their composers call slow or restful from those
           they call fast or lively, over the first 90 s
"""

from __future__ import annotations

import argparse
import csv
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import symusic
from scipy.optimize import nnls
from scipy.stats import rankdata, spearmanr

from benchmarks.measure import machine, table
from therapy_gen.music.analysis.calmness import FEATURES, calmness_of, contributions, measure
from therapy_gen.music.analysis.valence import FEATURES as VALENCE
from therapy_gen.music.analysis.valence import measure as measure_valence
from therapy_gen.music.analysis.valence import valence
from therapy_gen.music.midi.midi import read_performance

FloatArray = npt.NDArray[np.float64]
Weights = Callable[[FloatArray, FloatArray], FloatArray]

HEAD = ("predictor", "features", "weights", "all", "90 %", "10 folds", "A>B", "B>A", "uneven", "pedalled", "words")
CONSOLES_A = ("NES", "SNES", "N64")
SLOW = r"adagio|largo|lento|grave|larghetto|lullaby|berceuse|wiegenlied|nocturne|langsam|tranquillo|sarabande|reverie"
FAST = r"presto|prestissimo|vivace|furioso|agitato|con fuoco|con brio|tarantell[ae]|gigue|schnell|lebhaft|allegro molto"
_SLOW = re.compile(rf"\b({SLOW}|sanft|ruhig|cradle)\b", re.IGNORECASE)
_FAST = re.compile(rf"\b({FAST}|allegro assai|scherzo|galop|march|rasch|toccata)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Piece:
    """Notes (n, 4): onset, duration (s), pitch, velocity; `arousal` and `valence` as reported, or 1 and 0.

    `game` is what pieces are held out by: the game, or the song.
    """

    notes: FloatArray
    arousal: float
    game: str = ""
    console: str = ""
    valence: float = 0.0


def read_notes(path: Path) -> FloatArray:
    """Return the notes of a MIDI file, without percussion."""
    midi = symusic.Score(str(path)).to("second")
    rows = [
        (n.time, n.duration, n.pitch, n.velocity) for track in midi.tracks if not track.is_drum for n in track.notes
    ]
    return np.array(sorted(rows)).reshape(-1, 4)


def rated(folder: Path) -> list[Piece]:
    """Read the pieces that listeners rated."""
    with (folder / "labels.tsv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    names = [row["piece"].split("_") for row in rows]
    return [
        Piece(
            read_notes(folder / row["file"]),
            float(row["mean_arousal"]),
            "_".join(name[:3]),
            name[1],
            float(row["mean_valence"]),
        )
        for row, name in zip(rows, names, strict=True)
    ]


def clips(folder: Path) -> list[Piece]:
    """Read the clips of piano pop."""
    with (folder / "labels.tsv").open(encoding="utf-8") as lines:
        return [
            Piece(
                read_notes(folder / row["file"]),
                float(row["arousal"] == "high"),
                row["song"],
                valence=float(row["valence"] == "pleasant"),
            )
            for row in csv.DictReader(lines, delimiter="\t")
        ]


def pedals(folder: Path) -> Iterator[tuple[float, float, float]]:
    """Yield, for every rated piece with a sustain pedal, its score without and with it, and its arousal."""
    with (folder / "labels.tsv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            played = read_performance((folder / row["file"]).read_bytes())
            even = [replace(p, notes=tuple(replace(n, velocity=64) for n in p.notes)) for p in played.parts]
            if any(part.pedal for part in even):
                with_pedal = calmness_of(replace(played, parts=tuple(even)))
                dry = calmness_of(replace(played, parts=tuple(replace(part, pedal=()) for part in even)))
                yield dry.score, with_pedal.score, float(row["mean_arousal"])


def worded(folder: Path) -> Iterator[Piece]:
    """Read the MIDI files whose title or tempo words say slow or fast, but not both, and that have a tempo."""
    with (folder / "INDEX.tsv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    for row in rows:
        words = f"{row['title']} {row['tempo']}"
        slow, fast = bool(_SLOW.search(words)), bool(_FAST.search(words))
        if slow == fast or not row["path"].endswith(".mid") or ("tempo" in row["remarks"] and "60" in row["remarks"]):
            continue
        notes = read_notes(folder / row["path"])
        if len(notes) >= 40:
            yield Piece(notes[notes[:, 0] < 90.0], float(fast))


def uneven(pieces: Iterable[Piece]) -> list[FloatArray]:
    """Return the first 30 s of pieces with onsets moved by 15 ms and durations stretched by 30 % (one sd)."""
    rng = np.random.default_rng(0)
    shaken = []
    for piece in pieces:
        notes = piece.notes[piece.notes[:, 0] < 30.0].copy()
        notes[:, 0] += rng.normal(0.0, 0.015, len(notes))
        notes[:, 1] = np.maximum(notes[:, 1] * np.exp(rng.normal(0.0, 0.3, len(notes))), 0.03)
        shaken.append(notes)
    return shaken


def pedalled(pieces: Iterable[FloatArray], period_s: float = 2.0) -> list[FloatArray]:
    """Return notes held until the pedal comes up, every so many seconds, or their key is struck again."""
    rung = []
    for notes in pieces:
        held = notes[np.lexsort((notes[:, 0], notes[:, 2]))]
        ends = (np.floor(held[:, :2].sum(axis=1) / period_s) + 1) * period_s
        again = np.append(np.where(np.diff(held[:, 2]) == 0, held[1:, 0], np.inf), np.inf)
        held[:, 1] = np.maximum(np.minimum(ends, again) - held[:, 0], 0.03)
        rung.append(held[np.lexsort((held[:, 2], held[:, 0]))])
    return rung


def _span(notes: FloatArray) -> float:
    return max(float((notes[:, 0] + notes[:, 1]).max() - notes[:, 0].min()), 1.0)


def density(notes: FloatArray) -> list[float]:
    """Return the note density alone."""
    return [float(np.log((len(notes) + 1) / _span(notes)))]


def fifteen(notes: FloatArray) -> list[float]:
    """Return fifteen features in common use."""
    notes = notes[np.lexsort((notes[:, 2], notes[:, 0]))]
    onset, duration, pitch = notes[:, 0], notes[:, 1], notes[:, 2].astype(int)
    begins = np.concatenate([[True], np.diff(onset) > 0.03])
    gaps = np.diff(onset[begins])
    gaps = np.maximum(gaps, 0.02) if len(gaps) else np.ones(1)
    tops = np.maximum.reduceat(pitch, np.flatnonzero(begins))
    leaps = np.abs(np.diff(tops)) if len(tops) > 1 else np.zeros(1)
    classes = np.bincount(pitch % 12, minlength=12) / len(pitch)
    entropy = -(classes[classes > 0] * np.log2(classes[classes > 0])).sum()
    scale = max(sum(classes[(tonic + degree) % 12] for degree in (0, 2, 4, 5, 7, 9, 11)) for tonic in range(12))
    together = [
        abs(int(p) - int(q)) % 12
        for n, p in enumerate(pitch)
        for q in pitch[max(0, n - 12) : n][(onset + duration)[max(0, n - 12) : n] > onset[n] + 0.03]
    ]
    span = _span(notes)
    return [
        density(notes)[0],
        float(np.log(begins.sum() / span)),
        float(np.log(duration.mean())),
        float(np.log(np.median(duration).clip(0.01))),
        float(np.log(gaps).mean()),
        float(np.log(gaps).std()),
        float(pitch.mean()),
        float(pitch.std()),
        float(np.ptp(np.percentile(pitch, [5, 95]))),
        float(leaps.mean()),
        float((leaps == 0).mean()),
        float(np.log(duration.sum() / span)),
        float(np.isin(together, (1, 2, 6, 10, 11)).mean()) if together else 0.0,
        float(entropy),
        float(scale),
    ]


def score_features(notes: FloatArray) -> list[float]:
    """Return what each feature of the score, velocity-free, adds to arousal before it is weighted."""
    values = measure(notes[:, 0], notes[:, 1], notes[:, 2].astype(int))
    added = contributions(values)
    return [-added[name] / FEATURES[name].weight if name in added else 0.0 for name in FEATURES if name != "loudness"]


def score_with_velocities(notes: FloatArray) -> list[float]:
    """Return the score's negated logit."""
    values = measure(notes[:, 0], notes[:, 1], notes[:, 2].astype(int), notes[:, 3].astype(int))
    return [-sum(contributions(values).values())]


def valence_logit(notes: FloatArray) -> list[float]:
    """Return the logit of the score of valence."""
    return [sum(valence(notes[:, 0], notes[:, 1], notes[:, 2].astype(int)).contributions.values())]


def valence_features(notes: FloatArray) -> list[float]:
    """Return what each feature of the score of valence adds before it is weighted."""
    values = measure_valence(notes[:, 0], notes[:, 1], notes[:, 2].astype(int))
    return [
        feature.contribution(values[name]) / feature.weight if name in values else 0.0
        for name, feature in VALENCE.items()
    ]


def ridge(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return weights of standardised features; the penalty is a tenth of the number of pieces."""
    return np.linalg.solve(x.T @ x + 0.1 * len(x) * np.eye(x.shape[1]), x.T @ (y - y.mean()))


def non_negative(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return non-negative least-squares weights with a slight penalty."""
    penalty = np.sqrt(0.02 * len(x)) * np.eye(x.shape[1])
    return nnls(np.vstack([x - x.mean(axis=0), penalty]), np.concatenate([y - y.mean(), np.zeros(x.shape[1])]))[0]


@dataclass(frozen=True)
class Predictor:
    """Features of a piece, and how their weights come about: None for weights that stand."""

    name: str
    features: Callable[[FloatArray], list[float]]
    fit: Weights | None = None
    weights: tuple[float, ...] = (1.0,)

    def table(self, pieces: Iterable[FloatArray]) -> FloatArray:
        """Return the features of pieces (n, features)."""
        return np.array([self.features(notes) for notes in pieces])

    def predict(self, train: FloatArray, arousal: FloatArray, test: FloatArray) -> FloatArray:
        """Return predicted arousal of `test` with weights, where they are fitted, from `train`."""
        if self.fit is None:
            return test @ np.array(self.weights)
        mean, spread = train.mean(axis=0), train.std(axis=0) + 1e-9
        return arousal.mean() + (test - mean) / spread @ self.fit((train - mean) / spread, arousal)


def cross_validated(predictor: Predictor, x: FloatArray, y: FloatArray, groups: npt.NDArray[np.str_]) -> FloatArray:
    """Return predictions for every group from all other groups."""
    predicted = np.zeros(len(y))
    for group in np.unique(groups):
        test = groups == group
        predicted[test] = predictor.predict(x[~test], y[~test], x[test])
    return predicted


def rho(predicted: FloatArray, y: FloatArray) -> float:
    """Return Spearman's correlation."""
    return float(spearmanr(predicted, y).statistic)


def over_games(predicted: FloatArray, y: FloatArray, games: npt.NDArray[np.str_]) -> FloatArray:
    """Return the 5th and 95th percentile of the correlation over games drawn with replacement."""
    rng = np.random.default_rng(0)
    members = [np.flatnonzero(games == game) for game in np.unique(games)]
    drawn = []
    for _ in range(1000):
        index = np.concatenate([members[n] for n in rng.integers(len(members), size=len(members))])
        drawn.append(rho(predicted[index], y[index]))
    return np.percentile(drawn, [5, 95])


def folds(games: npt.NDArray[np.str_], count: int = 10) -> npt.NDArray[np.intp]:
    """Return the fold of each piece: whole games, the largest first into the smallest fold."""
    names, sizes = np.unique(games, return_counts=True)
    load, of = np.zeros(count), {}
    for n in np.argsort(-sizes, kind="stable"):
        of[names[n]] = int(np.argmin(load))
        load[of[names[n]]] += sizes[n]
    return np.array([of[game] for game in games])


def auc(predicted: FloatArray, positive: npt.NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve (Mann-Whitney)."""
    n = int(positive.sum())
    return float((rankdata(predicted)[positive].sum() - n * (n + 1) / 2) / (n * (len(positive) - n)))


def row(
    predictor: Predictor, pieces: list[Piece], changed: Iterable[list[FloatArray]], words: list[Piece]
) -> tuple[str, ...]:
    """Return one line of the table."""
    x = predictor.table(piece.notes for piece in pieces)
    y = np.array([piece.arousal for piece in pieces])
    games = np.array([piece.game for piece in pieces])
    predicted = cross_validated(predictor, x, y, games)
    low, high = over_games(predicted, y, games)
    fold = folds(games)
    within = cross_validated(predictor, x, y, fold.astype(str))
    each = [rho(within[fold == n], y[fold == n]) for n in np.unique(fold)]
    first = np.isin([piece.console for piece in pieces], CONSOLES_A)
    across = [rho(predictor.predict(x[a], y[a], x[~a]), y[~a]) for a in (first, ~first)]
    jolted = []
    for other in changed:
        z, guessed = predictor.table(other), np.zeros(len(y))
        for game in np.unique(games):
            test = games == game
            guessed[test] = predictor.predict(x[~test], y[~test], z[test])
        jolted.append(f"{rho(guessed, y):.3f}")
    told = ""
    if words:
        judged = predictor.predict(x, y, predictor.table(piece.notes for piece in words))
        told = f"{auc(judged, np.array([piece.arousal > 0 for piece in words])):.3f}"
    return (
        predictor.name,
        str(x.shape[1]),
        "fitted" if predictor.fit else "set",
        f"{rho(predicted, y):.3f}",
        f"{low:.2f} to {high:.2f}",
        f"{np.median(each):.2f} ± {np.std(each):.2f}",
        *(f"{value:.3f}" for value in across),
        *jolted,
        told,
    )


def of_clips(pieces: list[Piece], folder: Path, weights: tuple[float, ...]) -> list[str]:
    """Return lines on clips of piano pop: arousal and valence told apart, each song by weights from the others."""
    found = clips(folder)
    songs = np.array([piece.game for piece in found])
    high = np.array([piece.arousal > 0 for piece in found])
    pleasant = np.array([piece.valence > 0 for piece in found])
    lines = [f"\n{len(found)} clips of {len(np.unique(songs))} songs of piano pop; AUC of high arousal:"]
    for predictor in (
        Predictor("note density alone", density),
        Predictor("ridge", fifteen, ridge),
        Predictor("the score's features, non-negative", score_features, non_negative),
        Predictor("the score", score_features, weights=weights),
        Predictor("the score with velocities", score_with_velocities),
    ):
        x = predictor.table(piece.notes for piece in found)
        predicted = cross_validated(predictor, x, high.astype(float), folds(songs).astype(str))
        lines.append(f"  {predictor.name:<36} {auc(predicted, high):.3f}")
    lines.append("valence: AUC of pleasant clips, and rho with the reported valence of the rated pieces")
    reported = np.array([piece.valence for piece in pieces])
    games = np.array([piece.game for piece in pieces])
    for predictor in (
        Predictor("ridge", fifteen, ridge),
        Predictor("the score's features, non-negative", valence_features, non_negative),
        Predictor("the score", valence_logit),
    ):
        x, y = (predictor.table(piece.notes for piece in each) for each in (found, pieces))
        predicted = cross_validated(predictor, x, pleasant.astype(float), folds(songs).astype(str))
        over = cross_validated(predictor, y, reported, games)
        lines.append(f"  {predictor.name:<36} {auc(predicted, pleasant):.3f}  {rho(over, reported):.3f}")
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vgmidi", type=Path)
    parser.add_argument("corpus", type=Path, nargs="?")
    parser.add_argument("--pop", type=Path, metavar="POP", help="folder of clips of piano pop")
    arguments = parser.parse_args()
    pieces = rated(arguments.vgmidi)
    words = list(worded(arguments.corpus)) if arguments.corpus else []
    shaken = uneven(pieces)
    changed = (shaken, pedalled(shaken))
    weights = tuple(feature.weight for name, feature in FEATURES.items() if name != "loudness")
    rows = [
        row(predictor, pieces, changed, words)
        for predictor in (
            Predictor("note density alone", density),
            Predictor("ridge", fifteen, ridge),
            Predictor("the score's features, non-negative", score_features, non_negative),
            Predictor("the score", score_features, weights=weights),
            Predictor("the score with velocities", score_with_velocities),
        )
    ]
    print(machine())
    games = len({piece.game for piece in pieces})
    slow = sum(piece.arousal == 0 for piece in words)
    print(f"{len(pieces)} rated pieces from {games} games; {len(words)} scores with words, {slow} of them slow")
    print(table(HEAD, rows))
    played = [piece for piece in pieces if piece.notes[:, 3].std() > 1.0]
    y = np.array([piece.arousal for piece in played])
    plain, loud = (
        rho(np.array([sum(np.multiply(features(piece.notes), by)) for piece in played]), y)
        for features, by in ((score_features, weights), (score_with_velocities, (1.0,)))
    )
    print(f"\n{len(played)} pieces whose velocities vary: {plain:.3f} without velocities, {loud:.3f} with them")
    y_all = np.array([piece.arousal for piece in pieces])
    halves = y_all > np.median(y_all)
    print("AUC in telling the halves of all pieces apart, first 30 s, uneven, and pedalled:")
    for name, features, by in (
        ("note density alone", density, (1.0,)),
        ("the score, velocity-free", score_features, weights),
        ("the score with velocities", score_with_velocities, (1.0,)),
    ):
        found = [auc(np.array([sum(np.multiply(features(notes), by)) for notes in each]), halves) for each in changed]
        print(f"  {name:<25} {found[0]:.3f} {found[1]:.3f}")
    with_pedal = list(pedals(arguments.vgmidi))
    y = np.array([arousal for *_, arousal in with_pedal])
    dry, rung = (rho(np.array([-scored[n] for scored in with_pedal]), y) for n in (0, 1))
    print(f"{len(y)} pieces with sustain pedal: {dry:.3f} by keys alone, {rung:.3f} with what rings in the pedal")
    started = time.perf_counter()
    for piece in pieces:
        score_features(piece.notes)
    took = (time.perf_counter() - started) / sum(len(piece.notes) for piece in pieces)
    if arguments.pop:
        print("\n".join(of_clips(pieces, arguments.pop, weights)) + "\n")
    print(f"{1e6 * took:.2f} µs a note, {1e3 * took * 1000:.2f} ms for a thousand")


if __name__ == "__main__":
    main()
