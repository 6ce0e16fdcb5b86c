"""Would the calmness score tell piano pop better by one monotone feature more? Nested cross-validation.

    python benchmarks/music/calmness_candidates.py VGMIDI POP

The two collections are those of `calmness.py`. Each of ten folds of whole songs and games is left out in turn: on the
others, of all candidates, in either sense and at six weights, the one is chosen that adds most to the AUC in piano pop
without costing VGMIDI's correlation .001; it is added to the score of the fold left out. Printed are what was chosen,
what it gained where it was chosen, and the figures over all folds, which are of songs and games that no choice saw.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from calmness import Piece, auc, clips, folds, rated, rho, score_features

from benchmarks.measure import machine
from therapy_gen.music.analysis.calmness import FEATURES

FloatArray = npt.NDArray[np.float64]

WEIGHTS = (0.0625, 0.125, 0.1875, 0.25, 0.375, 0.5)
_SAME_S, _MOST_LOST, _FOLDS = 0.05, 0.001, 10
_BANDS, _OCTAVE, _TENOR = range(24, 100, 6), 12, 48


def candidates(notes: FloatArray) -> dict[str, float]:
    """Return features of notes (onset, duration, pitch, velocity) that the score has not."""
    notes = notes[np.lexsort((notes[:, 2], notes[:, 0]))]
    onset, pitch = notes[:, 0], notes[:, 2]
    span = max(float((onset + notes[:, 1]).max() - onset[0]), 1.0)
    first = np.flatnonzero(np.r_[True, np.diff(onset) > _SAME_S])
    times, sizes = onset[first], np.diff(np.r_[first, len(onset)])
    struck = [np.sort(pitch[a : a + size]) for a, size in zip(first, sizes, strict=True)]
    top, low = (np.array([chord[end] for chord in struck]) for end in (-1, 0))
    gaps = np.maximum(np.diff(times), _SAME_S) if len(times) > 2 else np.ones(2)
    steps = np.diff(top) if len(top) > 1 else np.zeros(1)
    repeated = sum(len(a) > 1 and set(a % 12) == set(b % 12) for a, b in pairwise(struck))
    octaves = sum(chord[0] < _TENOR and _OCTAVE in chord - chord[0] for chord in struck)
    moved = np.r_[True, steps != 0][: len(times)]
    return {
        "rate of the busiest octave": np.log(
            max(((pitch >= b) & (pitch < b + _OCTAVE)).sum() for b in _BANDS) / span + 0.1
        ),
        "unevenness of gaps": float(np.mean(2 * np.abs(np.diff(gaps)) / (gaps[1:] + gaps[:-1])))
        if len(gaps) > 1
        else 0.0,
        "chords repeated": np.log(repeated / span + 0.1),
        "notes an onset": float(sizes.mean()),
        "leaps of the top": float(np.abs(steps).mean()),
        "height of the top": float(top.mean()),
        "peak rate": np.log(_rate(times, span, 16, 0.9)),
        "median rate": np.log(_rate(times, span, 8, 0.5)),
        "least rate": np.log(_rate(times, span, 32, 0.1)),
        "least rate, long": np.log(_rate(times, span, 64, 0.05)),
        "pulse": _pulse(times, sizes),
        "travel of the top": np.log(np.abs(steps).sum() / span + 0.3),
        "spread of chords": float((top - low)[sizes > 1].mean()) if (sizes > 1).any() else 0.0,
        "range": float(np.ptp(np.percentile(pitch, [10, 90]))),
        "two notes or more": np.log((sizes >= 2).sum() / span + 0.1),
        "top repeated": float((steps == 0).mean()),
        "octaves in the bass": np.log(octaves / span + 0.1),
        "changes of the top": np.log(moved.sum() / span + 0.1),
        "low register": -float(np.percentile(pitch, 5)),
    }


def _rate(times: FloatArray, span: float, count: int, share: float) -> float:
    if len(times) < 2:
        return len(times) / span
    count = min(count, len(times) - 1)
    return float(np.quantile(count / np.maximum(times[count:] - times[:-count], _SAME_S), share))


def _pulse(times: FloatArray, sizes: npt.NDArray[np.integer]) -> float:
    """Return the highest autocorrelation of the onsets at .2 to 1.2 s."""
    grid = np.zeros(int((times[-1] - times[0]) / 0.02) + 200)
    np.add.at(grid, ((times - times[0]) / 0.02).astype(int), np.sqrt(sizes))
    grid = np.convolve(grid, np.hanning(7), "same")
    spectrum = np.abs(np.fft.rfft(grid - grid.mean(), 2 * len(grid))) ** 2
    found = np.fft.irfft(spectrum)
    return float(found[10:60].max() / max(found[0], 1e-9))


def arousal(pieces: Sequence[Piece]) -> FloatArray:
    """Return the score's negated logit, velocities unused."""
    weights = np.array([feature.weight for name, feature in FEATURES.items() if name != "loudness"])
    return np.array([score_features(piece.notes) for piece in pieces]) @ weights


def main() -> None:
    """Print what was chosen, and the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vgmidi", type=Path)
    parser.add_argument("pop", type=Path)
    arguments = parser.parse_args()
    sets = (rated(arguments.vgmidi), clips(arguments.pop))
    score = [arousal(pieces) for pieces in sets]
    reported = np.array([piece.arousal for piece in sets[0]])
    high = np.array([piece.arousal > 0 for piece in sets[1]])
    fold = [folds(np.array([piece.game for piece in pieces]), _FOLDS) for pieces in sets]
    found = [[candidates(piece.notes) for piece in pieces] for pieces in sets]
    names = list(found[0][0])
    table = [np.array([[each[name] for name in names] for each in of_set]) for of_set in found]
    mean, deviation = (getattr(np.concatenate(table), figure)(axis=0) for figure in ("mean", "std"))
    # Bent, as those of the score are: one unit at most either way.
    table = [np.tanh((values - mean) / deviation) for values in table]
    print(f"{machine()}\nthe score: VGMIDI {rho(score[0], reported):.3f}, piano pop {auc(score[1], high):.3f}")
    after = [values.copy() for values in score]
    for number in range(_FOLDS):
        known = [of_set != number for of_set in fold]
        before = rho(score[0][known[0]], reported[known[0]]), auc(score[1][known[1]], high[known[1]])
        best = (0.0, 0, 0.0)
        for column in range(len(names)):
            for weight in (*WEIGHTS, *(-weight for weight in WEIGHTS)):
                game, pop = (s[k] + weight * t[k, column] for s, k, t in zip(score, known, table, strict=True))
                gain = auc(pop, high[known[1]]) - before[1]
                if gain > best[0] and rho(game, reported[known[0]]) >= before[0] - _MOST_LOST:
                    best = (gain, column, weight)
        gain, column, weight = best
        print(f"  fold {number + 1}: {names[column]} by {weight:+.4f}, {gain:+.4f} where it was chosen")
        for values, seen, features in zip(after, known, table, strict=True):
            values[~seen] += weight * features[~seen, column]
    print(f"with one feature more: VGMIDI {rho(after[0], reported):.3f}, piano pop {auc(after[1], high):.3f}")


if __name__ == "__main__":
    main()
