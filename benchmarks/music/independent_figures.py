"""The figures of sections as other libraries compute them: muspy, partitura and music21.

    python benchmarks/music/independent_figures.py SECTIONS.npz

Runs by itself, in an environment that has these libraries and nothing of this project; `sampling.py` writes
SECTIONS.npz and starts it. For each name the file holds notes (m, 5): section, start and end in sixteenths, pitch,
voice. Prints one JSON document: medians over sections by name.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import numpy as np

# partitura looks for a soundfont on the network where it finds FluidSynth.
sys.modules["fluidsynth"] = None

import muspy  # noqa: E402
import partitura.musicanalysis  # noqa: E402
from music21 import interval  # noqa: E402

STEPS_PER_QUARTER = 4
STEPS_PER_BAR = 16
_CONSONANT = [interval.Interval(semitones).isConsonant() for semitones in range(13)]
_FIELDS = [("onset_beat", "f8"), ("duration_beat", "f8"), ("pitch", "i8"), ("voice", "i8"), ("id", "U8")]


def by_section(notes: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the notes of each section."""
    for section in np.unique(notes[:, 0]):
        yield notes[notes[:, 0] == section, 1:]


def tracks_of(notes: np.ndarray) -> list[muspy.Track]:
    """Return a track for each voice of one section's notes (m, 4)."""
    return [
        muspy.Track(
            notes=[
                muspy.Note(time=int(start), pitch=int(pitch), duration=int(end - start))
                for start, end, pitch, _ in notes[notes[:, 3] == voice]
            ]
        )
        for voice in np.unique(notes[:, 3])
    ]


def part_notes(notes: np.ndarray) -> np.ndarray:
    """Return one section's notes (m, 4) as partitura's structured array."""
    rows = np.zeros(len(notes), dtype=_FIELDS)
    rows["onset_beat"], rows["duration_beat"] = notes[:, 0] / 4, (notes[:, 1] - notes[:, 0]) / 4
    rows["pitch"], rows["voice"], rows["id"] = notes[:, 2], notes[:, 3] + 1, [f"n{n}" for n in range(len(notes))]
    return rows


def figures(notes: np.ndarray) -> dict[str, float]:
    """Return what the libraries say of one section's notes (m, 4)."""
    music = muspy.Music(resolution=STEPS_PER_QUARTER, tracks=tracks_of(notes))
    tension = partitura.musicanalysis.estimate_tonaltension(part_notes(notes), ws=1.0, ss=1.0)
    return {
        "muspy scale consistency": muspy.scale_consistency(music),
        "muspy pitch-class entropy": muspy.pitch_class_entropy(music),
        "muspy polyphony": muspy.polyphony(music),
        "muspy groove consistency": muspy.groove_consistency(music, STEPS_PER_BAR),
        "muspy empty bars": muspy.empty_measure_rate(music, STEPS_PER_BAR),
        "partitura cloud diameter": float(tension["cloud_diameter"].mean()),
        "partitura tensile strain": float(tension["tensile_strain"].mean()),
        "music21 dissonance": dissonance(notes),
    }


def dissonance(notes: np.ndarray) -> float:
    """Return the share, by time, of intervals between sounding notes that music21 does not call consonant."""
    clashes = total = 0.0
    for n, (start, end, pitch, _) in enumerate(notes):
        for begin, stop, other, _ in notes[n + 1 :]:
            together = min(end, stop) - max(start, begin)
            if together > 0:
                total += together
                distance = abs(int(pitch) - int(other))
                clashes += together * (not _CONSONANT[distance % 12 if distance > 12 else distance])
    return clashes / total if total else 0.0


def main() -> None:
    """Print the figures."""
    with np.load(sys.argv[1]) as stored:
        found = {name: [figures(notes) for notes in by_section(stored[name])] for name in stored.files}
    medians = {
        name: {figure: float(np.nanmedian([row[figure] for row in rows])) for figure in rows[0]}
        for name, rows in found.items()
    }
    json.dump(medians, sys.stdout)


if __name__ == "__main__":
    main()
