"""Register: how high a piece lies, as the mean pitch of its melody."""

from __future__ import annotations

from therapy_gen.music.arranging.palettes import MELODY_PART
from therapy_gen.music.performance import DRUM_BANK, Note, Performance

# Onsets this close together are one, as in `therapy_gen.music.analysis.calmness`.
_SAME_ONSET_S = 0.05
_NAMES = ("C", "D♭", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


def register_of(performance: Performance) -> float | None:
    """Return the mean MIDI pitch of the melody's notes; None where there is no pitched note.

    The melody is the part of that name, else the highest note of every onset, unless a higher one still sounds.
    """
    notes = [note for part in performance.parts if part.name == MELODY_PART for note in part.notes] or _top_line(
        [note for part in performance.parts if part.bank != DRUM_BANK for note in part.notes]
    )
    return sum(note.pitch for note in notes) / len(notes) if notes else None


def pitch_name(pitch: float) -> str:
    """Return the name of the note nearest to a MIDI pitch, e.g. ``"A4"`` for 69.2."""
    octave, pitch_class = divmod(round(pitch), 12)
    return f"{_NAMES[pitch_class]}{octave - 1}"


def _top_line(notes: list[Note]) -> list[Note]:
    line: list[Note] = []
    for note in sorted(notes, key=lambda note: (note.onset, note.pitch)):
        above = line[-1] if line else None
        if above is not None and note.onset - above.onset < _SAME_ONSET_S:
            if note.pitch > above.pitch:
                line[-1] = note
        elif above is None or above.pitch <= note.pitch or above.onset + above.duration < note.onset + _SAME_ONSET_S:
            line.append(note)
    return line
