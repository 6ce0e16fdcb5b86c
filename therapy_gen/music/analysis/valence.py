"""How pleasant music sounds to most raters, from its notes: an additive score of three features of harmony.

It describes what raters of two collections of piano music called pleasant, not what a listener will like, nor any
effect. docs/calmness.md has its figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from therapy_gen.music.analysis.additive import AdditiveScore, Feature, added_up, measured
from therapy_gen.music.analysis.sounding import sounding_notes
from therapy_gen.music.performance import Performance
from therapy_gen.music.tonality import key_correlations

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]

# Sounding notes are sampled so often; keys are found over windows of so many seconds that overlap by half.
_EVERY_S = 0.25
_WINDOW_S = 8.0
_LEAST_TOGETHER = 2
_TRIADS = {"major": (0, 4, 7), "minor": (0, 3, 7)}


@dataclass(frozen=True)
class _Harmony:
    """Notes as the features read them.

    Attributes
    ----------
    sounding : int array, shape (looks, 12)
        Sounding notes of each pitch class at each sample.
    """

    sounding: npt.NDArray[np.int64]

    @cached_property
    def fits(self) -> tuple[FloatArray, FloatArray]:
        """The correlation of each window in which something sounds with the best major and the best minor key."""
        windows = [key_correlations(weights) for weights in _windows(self.sounding) if weights.std() > 0.0]
        fits = np.array(windows).reshape(-1, 24)
        return fits[:, :12].max(axis=1), fits[:, 12:].max(axis=1)


def _major_keys(notes: _Harmony) -> float | None:
    major, minor = notes.fits
    return float((major - minor).mean()) if len(major) else None


def _clear_keys(notes: _Harmony) -> float | None:
    major, minor = notes.fits
    return float(np.maximum(major, minor).mean()) if len(major) else None


def _major_chords(notes: _Harmony) -> float | None:
    present = notes.sounding[notes.sounding.sum(axis=1) >= _LEAST_TOGETHER] > 0
    if not len(present):
        return None
    shares = {
        mode: np.any([present[:, [(root + step) % 12 for step in triad]].all(axis=1) for root in range(12)], axis=0)
        for mode, triad in _TRIADS.items()
    }
    return float(shares["major"].mean() - shares["minor"].mean())


# Weights are not fitted: all count the same. Centre and scale are rounded means over the two collections of
# docs/calmness.md; no rating went into them, but features were chosen with their ratings in view.
_EACH = 0.5
# In the order in which they are stored and added up.
FEATURES: dict[str, Feature] = {
    "major keys": Feature(
        _major_keys,
        "how much better the best major key fits than the best minor one, over windows of 8 s",
        "fit to major less fit to minor keys",
        0.016,
        0.128,
        _EACH,
        "mode: Eerola, Friberg & Bresin 2013",
        lowers=False,
    ),
    "clear keys": Feature(
        _clear_keys,
        "how well the better of the two fits",
        "correlation with the best key",
        0.790,
        0.074,
        _EACH,
        "harmony: Gabrielsson & Lindström 2010",
        lowers=False,
    ),
    "major chords": Feature(
        _major_chords,
        "share of time, of that in which two notes or more sound, in major less that in minor triads",
        "share of time in major less minor triads",
        0.057,
        0.209,
        _EACH,
        "mode: Gabrielsson & Lindström 2010",
        lowers=False,
    ),
}


def measure(onsets: FloatArray, durations: FloatArray, pitches: IntArray) -> dict[str, float]:
    """Return the value of every feature that the notes determine.

    Parameters
    ----------
    onsets, durations : array of float, shape (n,)
        Seconds.
    pitches : array of int, shape (n,)
        MIDI pitches.
    """
    return measured(FEATURES, _Harmony(_sounding(onsets, durations, pitches)))


def valence(onsets: FloatArray, durations: FloatArray, pitches: IntArray) -> AdditiveScore:
    """Score how pleasant notes sound to most raters, 0 to 1; parameters as for `measure`.

    Raises
    ------
    ValueError
        Where there is no note.

    Examples
    --------
    >>> import numpy as np
    >>> chord = np.array([60, 64, 67])
    >>> major = valence(np.zeros(3), np.full(3, 4.0), chord)
    >>> minor = valence(np.zeros(3), np.full(3, 4.0), chord - [0, 1, 0])
    >>> major.score > minor.score
    True
    """
    if not len(onsets):
        raise ValueError("valence needs at least one pitched note")
    return added_up(FEATURES, measure(np.asarray(onsets), np.asarray(durations), np.asarray(pitches)))


def valence_of(performance: Performance) -> AdditiveScore | None:
    """Score a performance by its pitched notes, as they sound; None where there is none."""
    notes = sounding_notes(performance)
    pitched = ~notes.percussion
    if not pitched.any():
        return None
    return valence(notes.onsets[pitched], notes.durations[pitched], notes.pitches[pitched])


def _sounding(onsets: FloatArray, durations: FloatArray, pitches: IntArray) -> npt.NDArray[np.int64]:
    """Return how many notes of each pitch class sound at each sample, shape (looks, 12)."""
    first = np.ceil((onsets - onsets.min()) / _EVERY_S).astype(np.int64)
    last = np.maximum(np.ceil((onsets + durations - onsets.min()) / _EVERY_S).astype(np.int64), first)
    change = np.zeros((int(last.max()) + 1, 12), dtype=np.int64)
    np.add.at(change, (first, pitches % 12), 1)
    np.add.at(change, (last, pitches % 12), -1)
    return np.cumsum(change, axis=0)


def _windows(sounding: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return how long each pitch class sounds in each window, in samples, shape (windows, 12)."""
    size = round(_WINDOW_S / _EVERY_S)
    total = np.concatenate([np.zeros((1, 12), dtype=np.int64), np.cumsum(sounding, axis=0)])
    starts = np.arange(0, max(len(sounding) - size // 2, 1), size // 2)
    windows: npt.NDArray[np.int64] = total[np.minimum(starts + size, len(sounding))] - total[starts]
    return windows
