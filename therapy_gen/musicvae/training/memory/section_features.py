"""Features of a section for judging realism: melody, rhythm, phrases, form, harmony and counterpoint.

Sections are tokens (steps, voices) on tonic C. Features whose names begin with ``pc`` depend on the scale; they can be
left out, since they mainly tell chromatic from diatonic music.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.music.tokens import (
    BARS_PER_SECTION,
    FIRST_PITCH_CLASS,
    MIN_PITCH,
    NOTE_OFF,
    STEPS_PER_BAR,
    VOICES,
    Tokens,
)
from therapy_gen.musicvae.features import sounding

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Figures = dict[str, float]

PITCH_CLASS_MARK = "pc "
_LAGS = (1, 2, 4, 8)
_LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16)
_SIZES = (0, 2, 4, 7, 11, 12)
_DISSONANT = np.isin(np.arange(12), (1, 2, 6, 10, 11))
_HALF = 8
# Major, minor and diminished triads, and the dominant seventh, over each root.
_SHAPES = ((0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 7, 10))
_CHORDS = np.array([[float((c - root) % 12 in shape) for c in range(12)] for shape in _SHAPES for root in range(12)])
_SCALES = np.array([np.roll([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1], tonic) for tonic in range(12)])
_PAIRS = ((0, 1), (0, 2), (1, 2))


def section_features(sections: Sequence[Tokens]) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Return names, and values (n, features), nan where there is nothing to measure."""
    rows = [_features(np.asarray(section, dtype=np.int64)) for section in sections]
    names = list(rows[0])
    return names, np.array([[row[name] for name in names] for row in rows])


def _features(tokens: IntArray) -> Figures:
    starts = tokens > NOTE_OFF
    heard = sounding(tokens).astype(np.int64)
    pitch = np.where(heard >= FIRST_PITCH_CLASS, heard - FIRST_PITCH_CLASS + MIN_PITCH, 0)
    found: Figures = {}
    for number, name in enumerate(VOICES):
        found |= _named(name, _line(pitch[:, number], starts[:, number]))
        found |= _named(name, _returns(pitch[:, number], starts[:, number]))
    found |= _phrases(pitch, starts)
    found |= _counterpoint(pitch, starts)
    found |= _harmony(pitch)
    return found | _scale(tokens, starts)


def _named(name: str, figures: Figures) -> Figures:
    return {
        f"{PITCH_CLASS_MARK}{name} {key.removeprefix(PITCH_CLASS_MARK)}"
        if key.startswith(PITCH_CLASS_MARK)
        else f"{name} {key}": value
        for key, value in figures.items()
    }


def _entropy(labels: npt.NDArray[np.integer]) -> float:
    """Return the entropy of labels as a share of its maximum."""
    if len(labels) < 2:
        return np.nan
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(shares * np.log(shares)).sum() / np.log(len(labels)))


def _mean(values: npt.NDArray[Any]) -> float:
    return float(np.mean(values)) if len(values) else np.nan


def _line(pitch: IntArray, starts: BoolArray) -> Figures:
    """Measure one voice by itself: rhythm, intervals, contour."""
    onsets = np.flatnonzero(starts)
    heights = pitch[onsets]
    a_bar = starts.reshape(BARS_PER_SECTION, STEPS_PER_BAR).sum(axis=1)
    lengths = np.array(
        [(pitch[a:b] > 0).sum() for a, b in zip(onsets, np.r_[onsets[1:], len(pitch)], strict=False)], dtype=np.int64
    )
    gaps = np.diff(onsets)
    places = onsets % STEPS_PER_BAR
    steps = np.diff(heights)
    sizes = np.abs(steps)
    moves = np.sign(steps[steps != 0])
    turned = moves[1:] != moves[:-1]
    runs = np.diff(np.flatnonzero(np.r_[True, turned, True])) if len(moves) else np.zeros(0)
    leaps = np.flatnonzero(sizes[:-1] > 4)
    answered = (np.sign(steps[leaps + 1]) == -np.sign(steps[leaps])) & (sizes[leaps + 1] <= 2)
    pairs = steps[1:].clip(-12, 12) * 100 + steps[:-1].clip(-12, 12)
    found = {
        "notes a bar": float(a_bar.mean()),
        "sd of notes a bar": float(a_bar.std()),
        "bars without a note": float((a_bar == 0).mean()),
        "rests": float((pitch == 0).mean()),
        "entropy of lengths": _entropy(lengths),
        "entropy of pairs of gaps": _entropy(gaps[1:] * 256 + gaps[:-1]),
        "same gap again": _mean(gaps[1:] == gaps[:-1]),
        "mean height": _mean(heights),
        "sd of heights": float(heights.std()) if len(heights) else np.nan,
        "range": float(np.ptp(heights)) if len(heights) else np.nan,
        "different heights a note": len(set(heights.tolist())) / max(len(heights), 1),
        "mean interval": _mean(sizes),
        "changes of direction": _mean(turned),
        "longest way in one direction": float(runs.max()) if len(runs) else np.nan,
        "notes between turns": _mean(runs),
        "leaps answered by a step": _mean(answered),
        "entropy of intervals": _entropy(steps),
        "entropy of pairs of intervals": _entropy(pairs),
        "interval undone at once": _mean(steps[1:] == -steps[:-1]),
        "same interval again": _mean(steps[1:] == steps[:-1]),
        "height of two notes ago": _mean(heights[2:] == heights[:-2]),
        "place of the highest note": float(onsets[heights.argmax()]) if len(heights) else np.nan,
        "times at the highest note": float((heights == heights.max()).sum()) if len(heights) else np.nan,
        "interval over bar lines": _mean(sizes[np.diff(onsets // STEPS_PER_BAR) > 0]),
        "interval within bars": _mean(sizes[np.diff(onsets // STEPS_PER_BAR) == 0]),
        "change of mean height a bar": _bar_motion(pitch),
        "on the first beat": _mean(places == 0),
        "on the third beat": _mean(places == 8),
        "on beats two and four": _mean(places % 8 == 4),
        "between beats": _mean(places % 4 == 2),
        "off the eighths": _mean(places % 2 == 1),
    }
    kinds = np.searchsorted(_SIZES, sizes)
    counts = np.bincount(kinds, minlength=len(_SIZES) + 1) / max(len(sizes), 1)
    names = ("repeated", "step", "third", "fourth to fifth", "sixth to seventh", "octave", "wider")
    found |= {f"intervals: {name}": float(share) for name, share in zip(names, counts, strict=True)}
    kinds = np.searchsorted(_LENGTHS, lengths)
    counts = np.bincount(kinds, minlength=len(_LENGTHS) + 1) / max(len(lengths), 1)
    found |= {f"lengths up to {name}": float(s) for name, s in zip((*_LENGTHS, "more"), counts, strict=True)}
    return found | {
        f"{PITCH_CLASS_MARK}semitones among steps": _mean(sizes[(sizes == 1) | (sizes == 2)] == 1),
        f"{PITCH_CLASS_MARK}tritones": _mean(sizes == 6),
    }


def _bar_motion(pitch: IntArray) -> float:
    """Return the mean change of a bar's mean pitch, in semitones."""
    bars = pitch.reshape(BARS_PER_SECTION, STEPS_PER_BAR)
    counts = (bars > 0).sum(axis=1)
    means = bars.sum(axis=1)[counts > 0] / counts[counts > 0]
    return _mean(np.abs(np.diff(means)))


def _returns(pitch: IntArray, starts: BoolArray) -> Figures:
    """Measure how bars return, in rhythm, in notes and in contour."""
    rhythm = starts.reshape(BARS_PER_SECTION, STEPS_PER_BAR)
    notes = np.where(starts, pitch, 0).reshape(BARS_PER_SECTION, STEPS_PER_BAR)
    line = pitch.reshape(BARS_PER_SECTION, STEPS_PER_BAR)
    found: Figures = {}
    for lag in _LAGS:
        found[f"rhythm of {lag} bars before"] = float((rhythm[lag:] == rhythm[:-lag]).all(axis=1).mean())
        found[f"notes of {lag} bars before"] = float((notes[lag:] == notes[:-lag]).all(axis=1).mean())
        found[f"sound of {lag} bars before"] = float((line[lag:] == line[:-lag]).mean())
        found[f"onsets of {lag} bars before"] = float(
            (rhythm[lag:] & rhythm[:-lag]).sum() / max((rhythm[lag:] | rhythm[:-lag]).sum(), 1)
        )
        shift = line[lag:] - line[:-lag]
        same = rhythm[lag:] & rhythm[:-lag]
        moved = [np.ptp(row[s]) == 0 and row[s][0] != 0 for row, s in zip(shift, same, strict=True) if s.sum() > 1]
        found[f"sequence of {lag} bars before"] = float(np.mean(moved)) if moved else np.nan
    found["different rhythms"] = float(len({row.tobytes() for row in rhythm}))
    found["different bars"] = float(len({row.tobytes() for row in notes}))
    return found


def _phrases(pitch: IntArray, starts: BoolArray) -> Figures:
    """Measure how phrases of four bars end, against the bars between."""
    a_bar = starts.sum(axis=1).reshape(BARS_PER_SECTION, STEPS_PER_BAR).sum(axis=1)
    melody = starts[:, 0].reshape(BARS_PER_SECTION, STEPS_PER_BAR)
    last = np.array([np.flatnonzero(row)[-1] if row.any() else 0 for row in melody])
    ends = np.arange(BARS_PER_SECTION) % 4 == 3
    quiet = (pitch[:, 0] == 0).reshape(BARS_PER_SECTION, STEPS_PER_BAR)
    found = {
        "notes at phrase ends over others": a_bar[ends].mean() / max(a_bar[~ends].mean(), 1e-3),
        "last melody onset at phrase ends": last[ends].mean(),
        "last melody onset elsewhere": last[~ends].mean(),
        "rests at phrase ends": quiet[ends].mean(),
        "rests elsewhere": quiet[~ends].mean(),
        "sd of notes a bar, all voices": a_bar.std(),
        "change of notes from bar to bar": np.abs(np.diff(a_bar)).mean(),
        "notes a bar, all voices": a_bar.mean(),
        "notes of the second half over the first": a_bar[8:].mean() / max(a_bar[:8].mean(), 1e-3),
        "sd of notes between phrases": a_bar.reshape(-1, 4).mean(axis=1).std(),
    }
    return {name: float(value) for name, value in found.items()}


def _counterpoint(pitch: IntArray, starts: BoolArray) -> Figures:
    """Measure pairs of voices: struck together, moving together, how far apart, how dissonant."""
    found: Figures = {}
    beat = np.arange(len(pitch)) % 4 == 0
    for a, b in _PAIRS:
        name = f"{VOICES[a]} and {VOICES[b]}"
        both = (pitch[:, a] > 0) & (pitch[:, b] > 0)
        apart = pitch[:, a] - pitch[:, b]
        clash = _DISSONANT[np.abs(apart) % 12]
        together = starts[:, a] & starts[:, b]
        at = np.flatnonzero(together)
        up, under = np.diff(pitch[at, a]), np.diff(pitch[at, b])
        parallel = (up == under) & (up != 0) & np.isin(np.abs(apart[at[1:]]) % 12, (0, 7))
        found |= {
            f"{name}: struck together": together.sum() / max(starts[:, a].sum(), 1),
            f"{name}: the lower with the upper": together.sum() / max(starts[:, b].sum(), 1),
            f"{name}: semitones apart": _mean(apart[both]),
            f"{name}: sd of that": float(apart[both].std()) if both.any() else np.nan,
            f"{name}: crossed": _mean(apart[both] < 0),
            f"{name}: unison": _mean(apart[both] == 0),
            f"{name}: octaves": _mean(apart[both] % 12 == 0),
            f"{name}: thirds and sixths": _mean(np.isin(apart[both] % 12, (3, 4, 8, 9))),
            f"{name}: dissonant on beats": _mean(clash[both & beat]),
            f"{name}: dissonant between": _mean(clash[both & ~beat]),
            f"{name}: dissonant when struck": _mean(clash[together & both]),
            f"{name}: contrary motion": _mean(np.sign(up) * np.sign(under) < 0),
            f"{name}: similar motion": _mean(np.sign(up) * np.sign(under) > 0),
            f"{name}: parallel fifths and octaves": _mean(parallel),
        }
    count = starts.sum(axis=1)
    some = count > 0
    found["all voices struck together"] = _mean(count[some] == 3)
    found["one voice struck alone"] = _mean(count[some] == 1)
    found["voices that sound"] = float((pitch > 0).sum(axis=1).mean())
    return {name: float(value) for name, value in found.items()}


def _harmony(pitch: IntArray) -> Figures:
    """Measure chords of half bars by the template that fits best, and how they move, in any key."""
    halves = pitch.reshape(-1, _HALF * pitch.shape[1])
    weights = np.stack([((halves > 0) & (halves % 12 == c)).sum(axis=1) for c in range(12)], axis=1).astype(float)
    unit = weights / np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-9)
    fit = unit @ (_CHORDS / np.linalg.norm(_CHORDS, axis=1, keepdims=True)).T
    best = fit.argmax(axis=1)
    root, shape = best % 12, best // 12
    inside = (weights * _CHORDS[best]).sum(axis=1) / np.maximum(weights.sum(axis=1), 1)
    motion = np.diff(root) % 12
    changed = np.diff(best) != 0
    bass = pitch[:, 2].reshape(-1, _HALF)
    lowest = np.array([row[row > 0][0] if (row > 0).any() else -1 for row in bass])
    present = weights > 0
    runs = np.diff(np.flatnonzero(np.r_[True, changed, True]))
    found = {
        "fit of chords": fit.max(axis=1).mean(),
        "notes of the chord": inside.mean(),
        "pitch classes a half bar": present.sum(axis=1).mean(),
        "chords that change": changed.mean(),
        "chords that change over bar lines": changed[1::2].mean(),
        "chords that change within bars": changed[0::2].mean(),
        "half bars a chord, longest": float(runs.max()),
        "entropy of chords": _entropy(best),
        "entropy of pairs of chords": _entropy(best[1:] * 64 + best[:-1]),
        "share of the commonest chord": np.bincount(best).max() / len(best),
        "different chords": float(len(set(best.tolist()))),
        "minor chords": (shape == 1).mean(),
        "diminished chords": (shape == 2).mean(),
        "seventh chords": (shape == 3).mean(),
        "bass on the root": _mean(lowest[lowest >= 0] % 12 == root[lowest >= 0]),
        "last chord is the commonest": float(best[-1] == np.bincount(best).argmax()),
    }
    for name, moves in (
        ("fifth down", (5,)),
        ("fourth down", (7,)),
        ("third", (3, 4, 8, 9)),
        ("step", (1, 2, 10, 11)),
        ("tritone", (6,)),
    ):
        found[f"roots move by a {name}"] = np.isin(motion, moves).sum() / max(changed.sum(), 1)
    for lag in (1, 2, 4, 8, 16):
        found[f"harmony of {lag} half bars before"] = (unit[lag:] * unit[:-lag]).sum(axis=1).mean()
        found[f"chord of {lag} half bars before"] = (best[lag:] == best[:-lag]).mean()
    return {name: float(value) for name, value in found.items()}


def _scale(tokens: IntArray, starts: BoolArray) -> Figures:
    """Measure pitch classes: how diatonic the section is, and its tonic."""
    classes = (tokens[starts] - FIRST_PITCH_CLASS + MIN_PITCH) % 12
    shares = np.bincount(classes, minlength=12) / max(len(classes), 1)
    fits = shares @ _SCALES.T
    melody = (tokens[:, 0][starts[:, 0]] - FIRST_PITCH_CLASS + MIN_PITCH) % 12
    bass = (tokens[:, 2][starts[:, 2]] - FIRST_PITCH_CLASS + MIN_PITCH) % 12
    present = shares[shares > 0]
    found = {
        "in the best scale": fits.max(),
        "different classes": float((shares > 0).sum()),
        "entropy": float(-(present * np.log(present)).sum()),
        "tonic triad": max(shares[[0, 4, 7]].sum(), shares[[0, 3, 7]].sum()),
        "bass on the tonic": _mean(bass == 0),
        "bass on the dominant": _mean(bass == 7),
        "melody on the tonic": _mean(melody == 0),
    }
    found |= {f"share of {c}": share for c, share in enumerate(shares)}
    for quarter in range(4):
        part = starts.copy()
        part[: quarter * 64] = False
        part[(quarter + 1) * 64 :] = False
        own = np.bincount((tokens[part] - FIRST_PITCH_CLASS + MIN_PITCH) % 12, minlength=12)
        found[f"phrase {quarter + 1} in its own scale"] = (own @ _SCALES.T).max() / max(own.sum(), 1)
    return {f"{PITCH_CLASS_MARK}{name}": float(value) for name, value in found.items()}
