"""What muspy, partitura and music21 say of a section, for the judge of features in `realism.py`."""

from __future__ import annotations

from collections.abc import Sequence

import muspy
import numpy as np
import numpy.typing as npt
import partitura.musicanalysis
from independent_figures import dissonance, part_notes, tracks_of
from music21 import chord

from therapy_gen.music.tokens import STEPS_PER_BAR, STEPS_PER_QUARTER, Tokens, tokens_to_notes

_HALF = 8


def library_features(sections: Sequence[Tokens]) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Return names, and values (n, features); names that begin with ``pc`` depend on the scale."""
    rows = [_features(np.array(tokens_to_notes(section)).reshape(-1, 4)) for section in sections]
    names = list(rows[0])
    return names, np.array([[row[name] for name in names] for row in rows])


def _features(notes: npt.NDArray[np.int64]) -> dict[str, float]:
    if not len(notes):
        notes = np.array([[0, 1, 60, 0]])
    music = muspy.Music(resolution=STEPS_PER_QUARTER, tracks=tracks_of(notes))
    tension = partitura.musicanalysis.estimate_tonaltension(part_notes(notes), ws=2.0, ss=2.0)
    chords = _chords(notes)
    return {
        "muspy pitch range": muspy.pitch_range(music),
        "muspy pitches used": muspy.n_pitches_used(music),
        "muspy pitch entropy": muspy.pitch_entropy(music),
        "muspy polyphony": muspy.polyphony(music),
        "muspy polyphony rate": muspy.polyphony_rate(music),
        "muspy groove consistency": muspy.groove_consistency(music, STEPS_PER_BAR),
        "muspy empty beats": muspy.empty_beat_rate(music),
        "muspy empty bars": muspy.empty_measure_rate(music, STEPS_PER_BAR),
        "pc muspy pitch classes used": muspy.n_pitch_classes_used(music),
        "pc muspy pitch-class entropy": muspy.pitch_class_entropy(music),
        "pc muspy scale consistency": muspy.scale_consistency(music),
        "partitura cloud diameter": float(tension["cloud_diameter"].mean()),
        "partitura cloud momentum": float(tension["cloud_momentum"].mean()),
        "partitura sd of cloud momentum": float(tension["cloud_momentum"].std()),
        "pc partitura tensile strain": float(tension["tensile_strain"].mean()),
        "music21 dissonance": dissonance(notes),
        "music21 consonant half bars": float(np.mean([c.isConsonant() for c in chords])),
        "music21 triads": float(np.mean([c.isTriad() for c in chords])),
        "music21 sevenths": float(np.mean([c.isSeventh() for c in chords])),
        "music21 inversions": float(np.mean([c.inversion() for c in chords if c.isTriad()] or [0])),
    }


def _chords(notes: npt.NDArray[np.int64]) -> list[chord.Chord]:
    """Return what sounds at the beginning of each half bar."""
    found = []
    for step in range(0, int(notes[:, 1].max()), _HALF):
        pitches = notes[(notes[:, 0] <= step) & (notes[:, 1] > step), 2]
        if len(pitches) > 1:
            found.append(chord.Chord(sorted({int(pitch) for pitch in pitches})))
    return found or [chord.Chord([60, 64, 67])]
