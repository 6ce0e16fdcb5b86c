"""A model's output note for note, without arrangement: one tempo, one loudness; melody, inner voice, bass, drums."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from therapy_gen.music.metre import FOUR_FOUR, Metre
from therapy_gen.music.performance import DRUM_BANK, Note, Part, Performance
from therapy_gen.music.tokens import (
    HOLD,
    MAX_PITCH,
    MIN_PITCH,
    NOTE_OFF,
    STEPS_PER_QUARTER,
    VoiceNote,
    tokens_to_notes,
)

IntArray = npt.NDArray[np.integer]

# As Magenta's converters write them (`OneHotMelodyConverter`, `TrioConverter`).
MAGENTA_TEMPO = 120.0
VELOCITY = 80

DRUMS = "drums"
_PIANO, _BASS = 0, 33
_PROGRAMS = {"melody": _PIANO, "inner": _PIANO, "bass": _PIANO}
# The first pitch of each of the nine kinds of drum (`DEFAULT_DRUM_TYPE_PITCHES` of note_seq): bass drum, snare,
# closed and open hi-hat, low, middle and high tom, crash and ride cymbal.
_DRUM_PITCHES = (36, 38, 42, 46, 45, 48, 50, 49, 51)
_STRUCK_STEPS = 1
# Silence at the end, so that the last note is not cut off.
_RING_S = 1.0


def literal_performance(
    sections: Sequence[IntArray],
    voices: Sequence[str],
    *,
    tempi: Sequence[float],
    key: str = "",
    shifts: Sequence[int] | None = None,
    band: bool = False,
    metre: Metre = FOUR_FOUR,
) -> Performance:
    """Perform sections one after the other, unchanged.

    Parameters
    ----------
    sections : sequence of int arrays, shape (steps, voices)
        Classes of Magenta's melody vocabulary; drums as its 512 sets of nine drums.
    voices : sequence of str
        Names of the columns: ``"melody"``, ``"inner"``, ``"bass"``, ``"drums"``.
    tempi : sequence of float
        Quarter notes a minute of each section.
    key : str
    shifts : sequence of int, optional
        Semitones to move each section by.
    band : bool
        Give the bass a bass guitar, as Magenta does; else all voices are piano.
    metre : Metre
        Of all sections.
    """
    notes: list[list[Note]] = [[] for _ in voices]
    changes: list[tuple[float, float]] = []
    begin = 0.0
    for number, (section, tempo) in enumerate(zip(sections, tempi, strict=True)):
        section = metre.in_time(section)
        seconds = 60.0 / (tempo * STEPS_PER_QUARTER)
        if not changes or changes[-1][1] != tempo:
            changes.append((begin, tempo))
        shift = shifts[number] if shifts is not None else 0
        for column, name in enumerate(voices):
            for note in _notes(section[:, column], name, shift):
                notes[column].append(
                    Note(begin + note.start * seconds, (note.end - note.start) * seconds, note.pitch, VELOCITY)
                )
        begin += len(section) * seconds
    parts = tuple(
        Part(
            name,
            _BASS if band and name == "bass" else _PROGRAMS.get(name, 0),
            tuple(own),
            bank=DRUM_BANK if name == DRUMS else 0,
        )
        for name, own in zip(voices, notes, strict=True)
    )
    return Performance(
        parts=parts,
        tempo=tempi[0],
        key=key,
        duration=round(begin + _RING_S, 3),
        palette="",
        tempi=tuple(changes),
        metre=metre.name,
    )


def _notes(column: IntArray, name: str, shift: int) -> list[VoiceNote]:
    if name == DRUMS:
        struck = [
            VoiceNote(step, step + _STRUCK_STEPS, pitch, 0)
            for step, kinds in enumerate(column.tolist())
            for bit, pitch in enumerate(_DRUM_PITCHES)
            if kinds >> bit & 1
        ]
        return struck
    return [
        note._replace(pitch=note.pitch + shift)
        for note in tokens_to_notes(column[:, None])
        if MIN_PITCH <= note.pitch + shift <= MAX_PITCH
    ]


def canonical(column: IntArray) -> IntArray:
    """Return melodic classes (steps,) without note-offs where nothing sounds."""
    out = np.array(column)
    sounding = False
    for step, event in enumerate(column.tolist()):
        if event == NOTE_OFF:
            if not sounding:
                out[step] = HOLD
            sounding = False
        elif event != HOLD:
            sounding = True
    return out
