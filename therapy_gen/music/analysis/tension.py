"""Tonal tension in the spiral array: cloud diameter, cloud momentum and tensile strain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from therapy_gen.music.tokens import STEPS_PER_QUARTER, VoiceNote
from therapy_gen.music.tonality import MODES, find_key, pitch_class_weights

FloatArray = npt.NDArray[np.float64]

# The spiral array of Herremans & Chew 2016 (TENOR), after Chew 2000: radius 1, height sqrt(2/15) for a fifth; weights
# of tonic, fifth and third in a chord, and of chords in a key. Pitch classes are spelt from D flat to F sharp, for the
# tonic C.
_FIFTHS = np.array([(7 * pitch_class + 5) % 12 - 5 for pitch_class in range(12)])
_CHORD = np.array([0.516, 0.315, 0.168])


def _spiral(fifths: npt.NDArray[np.integer]) -> FloatArray:
    turn = fifths * np.pi / 2
    return np.stack([np.sin(turn), np.cos(turn), fifths * np.sqrt(2 / 15)], axis=-1)


def _chord(tonic: int, minor: bool) -> FloatArray:
    weighted: FloatArray = _CHORD @ _spiral(np.array([tonic, tonic + 1, tonic - 3 if minor else tonic + 4]))
    return weighted


def _key(minor: bool) -> FloatArray:
    if not minor:
        weighted: FloatArray = _CHORD @ np.array([_chord(0, False), _chord(1, False), _chord(-1, False)])
        return weighted
    fifth = 0.75 * _chord(1, False) + 0.25 * _chord(1, True)
    fourth = 0.75 * _chord(-1, True) + 0.25 * _chord(-1, False)
    weighted = _CHORD @ np.array([_chord(0, True), fifth, fourth])
    return weighted


# Of pitch classes over the tonic C, and of the keys of C, major and minor.
PITCHES = _spiral(_FIFTHS)
DISTANCES: FloatArray = np.linalg.norm(PITCHES[:, None] - PITCHES[None], axis=-1)
KEYS = np.array([_key(False), _key(True)])
# A step of the spiral's own scale: from C to B sharp, as partitura has it.
UNIT = float(np.linalg.norm(_spiral(np.array([0]))[0] - _spiral(np.array([12]))[0]))


def tonal_tension(notes: Sequence[VoiceNote], steps: int) -> dict[str, float]:
    """Measure a section in its own key, quarter by quarter.

    Parameters
    ----------
    notes : sequence of VoiceNote
    steps : int
        Sixteenths in the section.

    Returns
    -------
    dict
        Means over the quarters in which something sounds, in the spiral's own scale: ``cloud_diameter`` (largest
        distance between sounding pitch classes), ``cloud_momentum`` (distance of the centre of sounding notes from one
        quarter to the next), ``tensile_strain`` (distance of that centre from the key). NaN where nothing sounds, or
        for the momentum where no two neighbours do.
    """
    missing = float("nan")
    if not notes:
        return {"cloud_diameter": missing, "cloud_momentum": missing, "tensile_strain": missing}
    pitches = np.array([note.pitch for note in notes])
    lengths = np.array([note.end - note.start for note in notes], dtype=np.float64)
    tonic, mode = find_key(pitch_class_weights(pitches, lengths))
    quarters = -(-steps // STEPS_PER_QUARTER)
    heard = np.zeros((quarters, 12))
    for note, pitch_class in zip(notes, ((pitches - tonic) % 12).tolist(), strict=True):
        for quarter in range(note.start // STEPS_PER_QUARTER, -(-note.end // STEPS_PER_QUARTER)):
            begin = quarter * STEPS_PER_QUARTER
            heard[quarter, pitch_class] += min(note.end, begin + STEPS_PER_QUARTER) - max(note.start, begin)
    some: npt.NDArray[np.bool_] = heard.sum(axis=1) > 0
    present = heard[some] > 0
    diameter = np.where(present[:, :, None] & present[:, None], DISTANCES, 0.0).max(axis=(1, 2)).mean()
    centre = heard @ PITCHES / np.maximum(heard.sum(axis=1, keepdims=True), 1.0)
    strain = np.linalg.norm(centre[some] - KEYS[MODES.index(mode)], axis=1).mean()
    moved = np.linalg.norm(np.diff(centre, axis=0), axis=1)[some[1:] & some[:-1]]
    return {
        "cloud_diameter": float(diameter) / UNIT,
        "cloud_momentum": float(moved.mean()) / UNIT if len(moved) else missing,
        "tensile_strain": float(strain) / UNIT,
    }
