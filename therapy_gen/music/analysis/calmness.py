"""How low in arousal music is, from its notes: an additive score of few named features, each of them monotone.

The score speaks of low arousal, not of pleasantness and not of any effect on a listener. docs/calmness.md has its
figures.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from therapy_gen.music.performance import Part, Performance

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]

# Onsets this close together are one: performed chords spread by as much.
_SAME_ONSET_S = 0.05
# A key struck again counts by exp(-gap / so many seconds).
_RESTRIKE_S = 0.8
# Gaps between onsets count as fast wholly below the first and not at all above the second.
_FAST_S, _NOT_FAST_S = 0.15, 0.3
# A note counts as short by exp(-duration / so many seconds).
_SHORT_S = 0.5
# A note that sounds for less than a tenth of the way to the next onset is no more detached than that.
_MOST_DETACHED = 0.1
# What rings on in the pedal dies away: it counts as sounding no longer than this.
_LONGEST_RING_S = 4.0
_LOWEST_TENOR = 48
# Chromaticism is counted over so many notes in succession: a count, so that it does not rise with density.
_PHRASE_NOTES = 16
_DIATONIC = np.array([np.roll([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1], tonic) for tonic in range(12)])
# Velocities that differ by less say nothing: many files carry one value throughout.
_LEAST_VELOCITY_SPREAD = 1.0
_DRUM_BANK = 128


@dataclass(frozen=True)
class Feature:
    """One named feature, which arouses the more, the larger it is.

    Attributes
    ----------
    unit : str
        What its value counts.
    centre, scale : float
        Where it neither calms nor arouses, and how much is one unit; of log(`offset` + value) where there is an offset.
    weight : float
        What a unit takes from the logit of the score; never negative.
    source : str
        The evidence that it goes with arousal.
    offset : float, optional
        Makes the feature count by its logarithm, so that it levels off on both sides.
    most : float, optional
        Units that it never quite counts more than, either way: the hyperbolic tangent bends it there.
    """

    unit: str
    centre: float
    scale: float
    weight: float
    source: str
    offset: float | None = None
    most: float | None = None

    def contribution(self, value: float) -> float:
        """Return what a value adds to the logit of the score."""
        level = value if self.offset is None else math.log(self.offset + value)
        units = (level - self.centre) / self.scale
        return -self.weight * (units if self.most is None else self.most * math.tanh(units / self.most))


# Weights are not fitted: how often something is struck, and how hard, counts twice, all else once. Centre and scale are
# rounded means and standard deviations over the pieces that docs/calmness.md names; no rating went into them. Those of
# loudness are set, and it is bent: the level of a file is in part its maker's or its recording's.
FEATURES: Mapping[str, Feature] = {
    "note rate": Feature(
        "notes a second", 2.34, 0.32, 0.5, "event rate, tempo: Gabrielsson & Lindström 2010; Eerola et al. 2013", 4.0
    ),
    "restruck keys": Feature(
        "keys a second struck again soon", 0.9, 0.55, 0.5, "percussiveness, pulse: van der Zwaag et al. 2011", 1.0
    ),
    "fast notes": Feature("share of time", 0.30, 0.27, 0.25, "rate, rhythmic activity: Gomez & Danuser 2007"),
    "short notes": Feature("0 (long) to 1", 0.50, 0.15, 0.25, "articulation: Gabrielsson & Lindström 2010"),
    "detachment": Feature("0 (legato) upwards", 0.09, 0.13, 0.25, "articulation: Gomez & Danuser 2007"),
    "bass": Feature("share of notes below C3", 0.12, 0.13, 0.25, "low pitch as threat: Huron et al. 2006"),
    "chromaticism": Feature(
        "share of notes outside a scale", 0.045, 0.045, 0.25, "harmony: Gabrielsson & Lindström 2010"
    ),
    "loudness": Feature("mean velocity", 70.0, 10.0, 0.5, "loudness: Schubert 2004; Eerola et al. 2013", most=2.0),
}


@dataclass(frozen=True)
class Calmness:
    """A score from 0 to 1, higher is calmer, with what each feature measured and what it added (in logits).

    `values` and `contributions` lack what the notes do not tell.
    """

    score: float
    values: Mapping[str, float]
    contributions: Mapping[str, float]


def measure(
    onsets: FloatArray,
    durations: FloatArray,
    pitches: IntArray,
    velocities: IntArray | None = None,
    percussion: npt.NDArray[np.bool_] | None = None,
) -> dict[str, float]:
    """Return the value of every feature that the notes tell.

    Parameters
    ----------
    onsets, durations : array of float, shape (n,)
        Seconds.
    pitches : array of int, shape (n,)
        MIDI pitches.
    velocities : array of int, shape (n,), optional
        Left out of account where all are (nearly) the same.
    percussion : array of bool, shape (n,), optional
        True for notes of unpitched percussion: they count for how often something is struck, and for loudness.

    Raises
    ------
    ValueError
        Where there is no note.
    """
    if not len(onsets):
        raise ValueError("calmness needs at least one note")
    order = np.lexsort((pitches, onsets))
    onsets, durations, pitches = onsets[order], durations[order], pitches[order].astype(np.int64)
    span = max(float((onsets + durations).max() - onsets[0]), 1.0)
    times = onsets[np.concatenate([[True], np.diff(onsets) > _SAME_ONSET_S])]
    gaps = np.diff(times)
    values = {
        "note rate": len(onsets) / span,
        "restruck keys": _restruck(onsets, pitches) / span,
        "fast notes": float((gaps * np.clip((_NOT_FAST_S - gaps) / (_NOT_FAST_S - _FAST_S), 0.0, 1.0)).sum()) / span,
    }
    pitched = np.ones(len(onsets), dtype=bool) if percussion is None else ~percussion[order]
    if pitched.any():
        values["short notes"] = float(np.exp(-durations[pitched] / _SHORT_S).mean())
        values["detachment"] = _detachment(onsets[pitched], durations[pitched], times)
        values["bass"] = float((pitches[pitched] < _LOWEST_TENOR).mean())
        values["chromaticism"] = _chromaticism(pitches[pitched])
    if velocities is not None and float(np.std(velocities)) > _LEAST_VELOCITY_SPREAD:
        values["loudness"] = float(np.mean(velocities))
    return values


def _restruck(onsets: FloatArray, pitches: IntArray) -> float:
    """Return the number of keys that are struck again, each counting less the longer ago it was struck."""
    by_key = np.lexsort((onsets, pitches))
    gaps = np.diff(onsets[by_key])
    again = (np.diff(pitches[by_key]) == 0) & (gaps > _SAME_ONSET_S)
    return float(np.exp(-gaps[again] / _RESTRIKE_S).sum())


def _detachment(onsets: FloatArray, durations: FloatArray, times: FloatArray) -> float:
    """Return the mean negated logarithm of the share of the way to the next onset that a note sounds."""
    following = np.searchsorted(times, onsets + _SAME_ONSET_S, side="right")
    inner = following < len(times)
    if not inner.any():
        return 0.0
    way = times[following[inner]] - onsets[inner]
    return abs(float(np.log(np.clip(durations[inner] / way, _MOST_DETACHED, 1.0)).mean()))


def _chromaticism(pitches: IntArray) -> float:
    """Return the mean share of notes outside the diatonic scale that holds most, over phrases that overlap by half."""
    hop = _PHRASE_NOTES // 2
    counts = np.concatenate([np.zeros((1, 12)), np.cumsum(np.eye(12)[pitches % 12], axis=0)])
    starts = np.arange(0, max(len(pitches) - hop, 1), hop)
    phrases = counts[np.minimum(starts + _PHRASE_NOTES, len(pitches))] - counts[starts]
    return float(1.0 - ((phrases @ _DIATONIC.T).max(axis=1) / phrases.sum(axis=1)).mean())


def contributions(values: Mapping[str, float]) -> dict[str, float]:
    """Return what each measured feature adds to the logit of the score; names that are no feature are left out."""
    return {name: FEATURES[name].contribution(value) for name, value in values.items() if name in FEATURES}


def calmness(
    onsets: FloatArray,
    durations: FloatArray,
    pitches: IntArray,
    velocities: IntArray | None = None,
    percussion: npt.NDArray[np.bool_] | None = None,
) -> Calmness:
    """Score how calm (low in arousal) notes are; parameters as for `measure`.

    The logit of the score is the sum of the features' contributions.
    """
    values = measure(
        np.asarray(onsets, float),
        np.asarray(durations, float),
        np.asarray(pitches),
        None if velocities is None else np.asarray(velocities),
        None if percussion is None else np.asarray(percussion, bool),
    )
    parts = contributions(values)
    logit = max(-50.0, min(50.0, sum(parts.values())))
    return Calmness(1.0 / (1.0 + math.exp(-logit)), values, parts)


def calmness_of(performance: Performance) -> Calmness:
    """Score a performance, with its velocities and the levels of its parts left as they are written.

    A note sounds until its key and its pedal are up, or the key is struck again; it rings `_LONGEST_RING_S` at most.

    Raises
    ------
    ValueError
        Where there is no note.
    """
    rows = [
        (note.onset, end - note.onset, note.pitch, note.velocity, part.bank == _DRUM_BANK)
        for part in performance.parts
        for note, end in zip(part.notes, _ends(part), strict=True)
    ]
    table = np.array(rows, dtype=float).reshape(-1, 5)
    return calmness(
        table[:, 0], table[:, 1], table[:, 2].astype(int), table[:, 3].astype(int), table[:, 4].astype(bool)
    )


def _ends(part: Part) -> list[float]:
    """Return when each note of a part stops sounding, the pedal regarded."""
    ends = [note.onset + note.duration for note in part.notes]
    if not part.pedal:
        return ends
    downs = [down for down, _ in part.pedal]
    struck_again: dict[int, float] = {}
    for index in sorted(range(len(ends)), key=lambda at: -part.notes[at].onset):
        note, end = part.notes[index], ends[index]
        span = bisect_right(downs, end) - 1
        if span >= 0 and end < part.pedal[span][1]:
            rung = min(part.pedal[span][1], end + _LONGEST_RING_S, struck_again.get(note.pitch, math.inf))
            ends[index] = max(end, rung)
        struck_again[note.pitch] = note.onset
    return ends
