"""Keys: their names, finding one from pitch-class weights, and transposing to a common tonic."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError

MODES = ("major", "minor")

# Probe-tone profiles of Krumhansl & Kessler 1982 (Psychological Review 89, 334-368).
_PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
_NAMES = {
    "major": ("C", "D♭", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"),
    "minor": ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "G♯", "A", "B♭", "B"),
}
# Bonus to the correlation of the two keys of the score's key signature.
_SIGNATURE_BONUS = 0.15
# Bonus to the one of the two that the file names for the whole piece.
_NAMED_BONUS = 0.1


def key_name(tonic: int, mode: str) -> str:
    """Return a key's name, e.g. ``"D major"`` for tonic 2."""
    return f"{_NAMES[mode][tonic % 12]} {mode}"


def parse_key(text: str) -> tuple[int, str]:
    """Read a key such as ``C``, ``F#``, ``Bb``, ``Am`` or ``D major``; InputError otherwise."""
    match = re.fullmatch(r"\s*([A-Ga-g])\s*([#b♯♭]?)\s*(m|min|minor|maj|major)?\s*", text)
    if not match:
        raise InputError(f"key {text!r} is not known; give one such as C, F#, Bb, Am or 'D major'")
    letter, accidental, mode = match.groups()
    tonic = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[letter.upper()]
    tonic += {"#": 1, "♯": 1, "b": -1, "♭": -1}.get(accidental, 0)
    return tonic % 12, "minor" if mode in ("m", "min", "minor") else "major"


def scale_pitch_classes(tonic: int, mode: str) -> frozenset[int]:
    """Return the pitch classes of the major or natural minor scale on `tonic`."""
    return frozenset((tonic + degree) % 12 for degree in _SCALES[mode])


@cache
def _key_matrix() -> npt.NDArray[np.float64]:
    rows = [np.roll(np.asarray(_PROFILES[mode]), tonic) for mode in MODES for tonic in range(12)]
    matrix = np.array(rows)
    matrix -= matrix.mean(axis=1, keepdims=True)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix


def key_correlations(weights: Sequence[float] | npt.NDArray[np.number]) -> npt.NDArray[np.float64]:
    """Return the correlation of pitch-class weights (12,) with the profile of every key, shape (24,).

    Major keys on C, C sharp and so on, then minor ones; 0 where all weights are the same.
    """
    values = np.asarray(weights, dtype=np.float64)
    centred = values - values.mean()
    norm = float(np.linalg.norm(centred))
    scores: npt.NDArray[np.float64] = _key_matrix() @ (centred / norm if norm > 0 else centred)
    return scores


def find_key(
    weights: Sequence[float] | npt.NDArray[np.floating],
    sharps: int | None = None,
    named: tuple[int, str] | None = None,
) -> tuple[int, str]:
    """Return tonic and mode of the key that correlates best with the weight of each pitch class.

    Parameters
    ----------
    weights : array of shape (12,)
        Sounding time of each pitch class.
    sharps : int, optional
        Key signature of the score (negative for flats); its two keys are preferred where the notes leave room.
    named : (int, str), optional
        Tonic and mode that the score names, preferred to the relative key in turn.

    Notes
    -----
    The Krumhansl-Schmuckler method (Krumhansl 1990, Cognitive Foundations of Musical Pitch, chapter 4).
    """
    scores = key_correlations(weights)
    if sharps is not None:
        major = (7 * sharps) % 12
        scores[major] += _SIGNATURE_BONUS
        scores[12 + (major + 9) % 12] += _SIGNATURE_BONUS
    if named is not None:
        scores[12 * MODES.index(named[1]) + named[0]] += _NAMED_BONUS
    best = int(np.argmax(scores))
    return best % 12, MODES[best // 12]


def shift_to_common_tonic(tonic: int) -> int:
    """Return the semitones, -6 to 5, that bring `tonic` to C by the shorter way."""
    return -tonic if tonic <= 6 else 12 - tonic


def pitch_class_weights(
    pitches: npt.NDArray[np.integer], durations: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Return the summed duration of each of the 12 pitch classes."""
    weights = np.zeros(12)
    np.add.at(weights, np.asarray(pitches) % 12, durations)
    return weights
