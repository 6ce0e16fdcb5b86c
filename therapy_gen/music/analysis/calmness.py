"""Calmness: how low in arousal music is, from its notes, as an additive score of a few monotone features.

The score speaks of low arousal, not of pleasantness (see `therapy_gen.music.analysis.valence`) and not of any effect on
a listener. docs/calmness.md has its figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from therapy_gen.music.analysis.additive import AdditiveScore, Feature, added_up, contributions_of, measured
from therapy_gen.music.analysis.sounding import sounding_notes
from therapy_gen.music.performance import Performance

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]

Calmness = AdditiveScore
"""The score from 0 to 1, higher is calmer."""

# Onsets this close together are one: performed chords spread by as much.
_SAME_ONSET_S = 0.05
# Gaps between onsets count as fast wholly below the first and not at all above the second.
_FAST_S, _NOT_FAST_S = 0.15, 0.3
# A note counts as short by exp(-duration / so many seconds).
_SHORT_S = 0.5
_LOWEST_TENOR, _MIDDLE_C = 48, 60
# The rate of notes is taken over so many notes in succession, not over seconds, so that it always falls with the tempo.
_STEADY_NOTES, _UPPER_NOTES = 64, 16
# Quantiles at which the rate is taken: over time, and over stretches of notes.
_QUIETEST, _QUIETER = 0.1, 0.25
_LEAST_WAY_S = 0.05
# A note that sounds for less than a tenth of the way to the next onset is no more detached than that.
_MOST_DETACHED = 0.1
# Chords, and full ones: notes struck together.
_CHORD, _FULL_CHORD = 3, 4
# Chromaticism is counted over so many notes in succession: a count, so that it does not rise with density.
_PHRASE_NOTES = 16
_DIATONIC = np.array([np.roll([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1], tonic) for tonic in range(12)])
# Velocities that vary by less are ignored: many files have one value throughout.
_LEAST_VELOCITY_SPREAD = 1.0


@dataclass(frozen=True)
class _Heard:
    """Notes by their onsets, as the features read them.

    Attributes
    ----------
    span : float
        Seconds from the first onset to the last end, one at least.
    every_onset, times : array of float
        Onsets of all notes; onsets of new events.
    onsets, durations, pitches : array
        Of the pitched notes.
    velocity : float or None
        Mean of all notes; None where they do not vary.
    """

    span: float
    every_onset: FloatArray
    times: FloatArray
    onsets: FloatArray
    durations: FloatArray
    pitches: IntArray
    velocity: float | None


def _begins(onsets: FloatArray) -> npt.NDArray[np.bool_]:
    """Return which notes, by onset, begin a new event: others are struck together with one before."""
    return np.concatenate([[True], np.diff(onsets) > _SAME_ONSET_S])


def _rates(onsets: FloatArray, count: int) -> FloatArray:
    """Return the notes a second of every `count` in succession, or of all where there are fewer; two notes or more."""
    count = min(count, len(onsets) - 1)
    rates: FloatArray = count / np.maximum(onsets[count:] - onsets[:-count], _LEAST_WAY_S)
    return rates


def _steady_rate(notes: _Heard) -> float:
    """Return the rate of notes that is exceeded in nine tenths of the time."""
    if len(notes.every_onset) < 2:
        return len(notes.every_onset) / notes.span
    rates = np.sort(_rates(notes.every_onset, _STEADY_NOTES))
    time = np.cumsum(1.0 / rates)
    return float(rates[np.searchsorted(time / time[-1], _QUIETEST)])


def _fast_notes(notes: _Heard) -> float:
    """Return the share of time that lies between onsets close together."""
    gaps = np.diff(notes.times)
    return float((gaps * np.clip((_NOT_FAST_S - gaps) / (_NOT_FAST_S - _FAST_S), 0.0, 1.0)).sum()) / notes.span


def _pitched(value: Callable[[_Heard], float]) -> Callable[[_Heard], float | None]:
    """Return a feature of pitched notes, which is None where there are none."""
    return lambda notes: value(notes) if len(notes.pitches) else None


def _upper_rate(notes: _Heard) -> float:
    """Return the lower quartile, over stretches, of the rate of upper notes."""
    onsets = notes.onsets[notes.pitches >= _MIDDLE_C]
    if len(onsets) < 2:
        return len(onsets) / notes.span
    return float(np.quantile(_rates(onsets, _UPPER_NOTES), _QUIETER))


def _short_notes(notes: _Heard) -> float:
    return float(np.exp(-notes.durations / _SHORT_S).mean())


def _brevity(notes: _Heard) -> float:
    return 1.0 / (float(notes.durations.mean()) + _SAME_ONSET_S)


def _detachment(notes: _Heard) -> float:
    """Return the mean negated logarithm of the share of the way to the next onset that a note sounds."""
    following = np.searchsorted(notes.times, notes.onsets + _SAME_ONSET_S, side="right")
    inner = following < len(notes.times)
    if not inner.any():
        return 0.0
    way = notes.times[following[inner]] - notes.onsets[inner]
    return abs(float(np.log(np.clip(notes.durations[inner] / way, _MOST_DETACHED, 1.0)).mean()))


def _chord_rate(least: int) -> Callable[[_Heard], float | None]:
    """Return the feature of chords a second, of `least` notes or more."""

    def rate(notes: _Heard) -> float:
        sizes = np.diff(np.append(np.flatnonzero(_begins(notes.onsets)), len(notes.onsets)))
        return float((sizes >= least).sum()) / notes.span

    return _pitched(rate)


def _bass_rate(notes: _Heard) -> float:
    return float((notes.pitches < _LOWEST_TENOR).sum()) / notes.span


def _bass(notes: _Heard) -> float:
    return float((notes.pitches < _LOWEST_TENOR).mean())


def _chromaticism(notes: _Heard) -> float:
    """Return the mean share of notes outside the diatonic scale that holds most, over phrases that overlap by half."""
    pitches = notes.pitches
    hop = _PHRASE_NOTES // 2
    counts = np.concatenate([np.zeros((1, 12)), np.cumsum(np.eye(12)[pitches % 12], axis=0)])
    starts = np.arange(0, max(len(pitches) - hop, 1), hop)
    phrases = counts[np.minimum(starts + _PHRASE_NOTES, len(pitches))] - counts[starts]
    return float(1.0 - ((phrases @ _DIATONIC.T).max(axis=1) / phrases.sum(axis=1)).mean())


# A new feature is an entry here: the score, the stored values, `piece show` and the manual's tables read them.  Weights
# are set in eighths, not fitted; features and their relative weights were chosen knowing the ratings of the two
# collections of docs/calmness.md. Centre and scale are rounded means over both, without ratings. Loudness is limited,
# since a file's level depends in part on its maker or its recording.
FEATURES: dict[str, Feature] = {
    "steady rate": Feature(
        _steady_rate,
        "rate over 64 successive notes that is exceeded in nine tenths of the time",
        "notes a second where it moves least",
        5.96,
        3.13,
        0.375,
        "event rate: Gabrielsson & Lindström 2010",
        most=1.0,
    ),
    "fast notes": Feature(
        _fast_notes,
        "share of time between onsets less than 0.15 s apart, none above 0.3 s",
        "share of time",
        0.287,
        0.243,
        0.5,
        "rate, rhythmic activity: Gomez & Danuser 2007",
    ),
    "upper notes": Feature(
        _pitched(_upper_rate),
        "notes from C4 up a second, over 16 in succession, lower quartile",
        "notes from C4 up, a second",
        3.82,
        2.48,
        0.375,
        "event rate, tempo: Eerola et al. 2013",
        most=1.0,
    ),
    "short notes": Feature(
        _pitched(_short_notes),
        "mean of exp(-duration / 0.5 s)",
        "0 (long) to 1",
        0.405,
        0.145,
        0.25,
        "articulation: Gabrielsson & Lindström 2010",
    ),
    "brevity": Feature(
        _pitched(_brevity),
        "log of one over the mean duration",
        "one over the mean duration",
        0.345,
        0.4975,
        0.25,
        "articulation: Gomez & Danuser 2007",
        offset=0.01,
    ),
    "detachment": Feature(
        _pitched(_detachment),
        "mean of -log(share of the way to the next onset that a note sounds)",
        "0 (legato) upwards",
        0.09,
        0.13,
        0.125,
        "articulation: Gomez & Danuser 2007",
    ),
    "chords": Feature(
        _chord_rate(_CHORD),
        "log(0.3 + chords of three notes or more, struck a second)",
        "struck a second, of three notes or more",
        -0.04,
        0.66,
        0.25,
        "percussiveness: van der Zwaag et al. 2011",
        0.3,
    ),
    "full chords": Feature(
        _chord_rate(_FULL_CHORD),
        "chords of four notes or more, struck a second",
        "struck a second, of four notes or more",
        0.41,
        0.51,
        0.25,
        "texture: Gomez & Danuser 2007",
        most=1.0,
    ),
    "bass rate": Feature(
        _pitched(_bass_rate),
        "notes below C3 a second",
        "notes below C3 a second",
        1.1,
        1.2,
        0.375,
        "low pitch as threat: Huron et al. 2006",
        most=1.0,
    ),
    "bass": Feature(
        _pitched(_bass),
        "share of notes below C3",
        "share of notes below C3",
        0.145,
        0.13,
        0.25,
        "low pitch as threat: Huron et al. 2006",
    ),
    "chromaticism": Feature(
        _pitched(_chromaticism),
        "share of notes outside the best diatonic scale of 16 notes in succession",
        "share of notes outside a scale",
        0.034,
        0.0415,
        0.25,
        "harmony: Gabrielsson & Lindström 2010",
    ),
    "loudness": Feature(
        lambda notes: notes.velocity,
        "mean velocity, only where velocities vary",
        "mean velocity",
        70.0,
        10.0,
        0.4375,
        "loudness: Schubert 2004; Eerola et al. 2013",
        most=2.0,
    ),
}


def measure(
    onsets: FloatArray,
    durations: FloatArray,
    pitches: IntArray,
    velocities: IntArray | None = None,
    percussion: npt.NDArray[np.bool_] | None = None,
) -> dict[str, float]:
    """Return the value of every feature that the notes determine.

    Parameters
    ----------
    onsets, durations : array of float, shape (n,)
        Seconds.
    pitches : array of int, shape (n,)
        MIDI pitches.
    velocities : array of int, shape (n,), optional
        Ignored where all are (nearly) the same.
    percussion : array of bool, shape (n,), optional
        True for notes of unpitched percussion: they count for the steady rate, for
        fast notes and for loudness.

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
    pitched = np.ones(len(onsets), dtype=bool) if percussion is None else ~percussion[order]
    varies = velocities is not None and float(np.std(velocities)) > _LEAST_VELOCITY_SPREAD
    notes = _Heard(
        span,
        onsets,
        onsets[_begins(onsets)],
        onsets[pitched],
        durations[pitched],
        pitches[pitched],
        float(np.mean(velocities)) if velocities is not None and varies else None,
    )
    return measured(FEATURES, notes)


def contributions(values: Mapping[str, float]) -> dict[str, float]:
    """Return each measured feature's contribution to the logit of the score; unknown names are left out."""
    return contributions_of(FEATURES, values)


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
    return added_up(FEATURES, values)


def calmness_of(performance: Performance) -> Calmness:
    """Score a performance, with its velocities and the levels of its parts left as they are written.

    A note sounds until its key and its pedal are up, or the key is struck again; it rings for 4 s at most.

    Raises
    ------
    ValueError
        Where there is no note.

    Examples
    --------
    >>> from therapy_gen.music.performance import Note, Part, Performance
    >>> import therapy_gen
    >>> slow = [Note(2.0 * n, 2.0, 60, 50) for n in range(8)]
    >>> fast = [Note(0.1 * n, 0.1, 60 + 7 * (n % 2), 110) for n in range(160)]
    >>> calm, lively = (
    ...     therapy_gen.calmness(Performance((Part("Piano", 0, tuple(notes), pedal=()),), 60, "", 16.0, ""))
    ...     for notes in (slow, fast)
    ... )
    >>> calm.score > lively.score
    True
    """
    return calmness(*sounding_notes(performance))
