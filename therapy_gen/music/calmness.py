"""How low in arousal music is, from its notes: an additive score of named features.

The score speaks of low arousal, not of pleasantness and not of any effect on a listener.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]

# Simultaneous intervals, as pitch-class distances, that count as dissonant: seconds, sevenths and the tritone.
_DISSONANT = np.zeros(12, dtype=bool)
_DISSONANT[[1, 2, 6, 10, 11]] = True
# Notes that begin this close together are one onset.
_SAME_ONSET_S = 0.03


@dataclass(frozen=True)
class Feature:
    """One named feature: where it is neutral, how much is one unit, and how much a unit takes from calm."""

    centre: float
    scale: float
    weight: float
    source: str


# Weights follow the order of the evidence: density and note length carry most of arousal in symbolic music; the
# others a little each. Eerola is Eerola, Friberg & Bresin 2013 (Frontiers in Psychology 4:487). Centre and scale are
# median and half the inter-quartile range over sixteen-bar stretches of public-domain scores at 66 quarter notes a
# minute.
FEATURES: Mapping[str, Feature] = {
    "note density": Feature(1.03, 0.50, 1.00, "log of notes a second; rate (Eerola et al. 2013)"),
    "note length": Feature(-0.20, 0.45, -0.70, "log of mean seconds a note; articulation (the same)"),
    "leaps": Feature(2.6, 1.2, 0.08, "mean semitones between successive top notes; contour (Schubert 2004)"),
    "register": Feature(62.0, 6.0, 0.05, "mean MIDI pitch (Eerola et al. 2013)"),
    "range": Feature(30.0, 8.0, 0.08, "5th to 95th percentile in semitones (Gabrielsson & Lindström 2010)"),
    "dissonance": Feature(0.22, 0.10, 0.08, "share of dissonant simultaneous intervals (Plomp & Levelt 1965)"),
    "irregularity": Feature(0.45, 0.20, 0.05, "spread of log onset distances; regularity (Gomez & Danuser 2007)"),
}


@dataclass(frozen=True)
class Calmness:
    """A score from 0 to 1, higher is calmer, with what each feature measured and what it added (in logits)."""

    score: float
    values: Mapping[str, float]
    contributions: Mapping[str, float]


def measure(onsets: FloatArray, durations: FloatArray, pitches: npt.NDArray[np.integer]) -> dict[str, float]:
    """Return the value of every feature.

    Parameters
    ----------
    onsets, durations : array of float
        Seconds.
    pitches : array of int
        MIDI pitches.

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
    fresh = np.concatenate([[True], np.diff(onsets) > _SAME_ONSET_S])
    times = onsets[fresh]
    groups = np.flatnonzero(fresh)
    tops = np.maximum.reduceat(pitches, groups)
    gaps = np.diff(times)
    low, high = np.percentile(pitches, [5, 95])
    return {
        "note density": math.log((len(onsets) + 1) / span),
        "note length": math.log(max(float(durations.mean()), 0.01)),
        "leaps": float(np.abs(np.diff(tops)).mean()) if len(tops) > 1 else 0.0,
        "register": float(pitches.mean()),
        "range": float(high - low),
        "dissonance": _dissonance(onsets, durations, pitches),
        "irregularity": float(np.log(np.maximum(gaps, 0.02)).std()) if len(gaps) > 1 else 0.0,
    }


def _dissonance(onsets: FloatArray, durations: FloatArray, pitches: npt.NDArray[np.integer]) -> float:
    """Return the share of pairs, over the notes that sound at each onset, whose interval is dissonant."""
    ends = onsets + durations
    clashes = pairs = 0
    start = 0
    longest = float(durations.max())
    for n in range(1, len(onsets)):
        while onsets[start] + longest <= onsets[n]:
            start += 1
        sounding = pitches[start:n][ends[start:n] > onsets[n] + _SAME_ONSET_S]
        pairs += len(sounding)
        clashes += int(_DISSONANT[np.abs(sounding - pitches[n]) % 12].sum())
    return clashes / pairs if pairs else 0.0


def calmness(onsets: FloatArray, durations: FloatArray, pitches: npt.NDArray[np.integer]) -> Calmness:
    """Score how calm (low in arousal) notes are, from onsets and durations in seconds and MIDI pitches.

    The logit of the score is the negated weighted sum of the features, each in units of its scale from its centre.
    """
    values = measure(np.asarray(onsets, float), np.asarray(durations, float), np.asarray(pitches))
    contributions = {
        name: -feature.weight * (values[name] - feature.centre) / feature.scale for name, feature in FEATURES.items()
    }
    logit = sum(contributions.values())
    return Calmness(1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, logit)))), values, contributions)
