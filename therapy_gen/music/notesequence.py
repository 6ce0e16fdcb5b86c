"""Conversion between tokens and note_seq.NoteSequence, the format of Magenta's tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError, MissingExtraError
from therapy_gen.music.tokens import (
    MAX_PITCH,
    MIN_PITCH,
    STEPS_PER_BAR,
    STEPS_PER_QUARTER,
    VOICES,
    Tokens,
    VoiceNote,
    notes_to_tokens,
    tokens_to_notes,
)

if TYPE_CHECKING:
    from note_seq.protobuf.music_pb2 import NoteSequence

# As Magenta's melody models write it (`OneHotMelodyConverter`).
_DEFAULT_QPM = 120.0
DEFAULT_VELOCITY = 80
# A note may lie this far (in sixteenths) off the grid for reasons of floating point, no further.
_TOLERANCE = 0.01


def to_note_sequence(tokens: npt.NDArray[np.integer], qpm: float = _DEFAULT_QPM) -> NoteSequence:
    """Return tokens as a NoteSequence with one instrument for each voice, in 4/4.

    Parameters
    ----------
    tokens : array of shape (steps, voices)
        Sixteenths, as `therapy_gen.music.tokens` has them.
    qpm : float
        Tempo, quarter notes a minute.

    Raises
    ------
    MissingExtraError
        Where note-seq is not installed (extra ``magenta``).

    Examples
    --------
    >>> sequence = to_note_sequence(tokens, qpm=60.0)  # doctest: +SKIP
    """
    sequence: NoteSequence = _protobuf().NoteSequence(ticks_per_quarter=220)
    sequence.tempos.add(qpm=qpm)
    sequence.time_signatures.add(numerator=4, denominator=4)
    for voice, name in enumerate(VOICES[: tokens.shape[1]]):
        sequence.instrument_infos.add(instrument=voice, name=name)
    seconds = 60.0 / (qpm * STEPS_PER_QUARTER)
    for note in tokens_to_notes(tokens):
        sequence.notes.add(
            pitch=note.pitch,
            velocity=DEFAULT_VELOCITY,
            start_time=note.start * seconds,
            end_time=note.end * seconds,
            instrument=note.voice,
        )
    sequence.total_time = tokens.shape[0] * seconds
    return sequence


def from_note_sequence(sequence: NoteSequence, steps: int | None = None) -> Tokens:
    """Return the tokens (steps, voices) of a NoteSequence whose instruments 0, 1, 2 are monophonic voices on the grid.

    Parameters
    ----------
    sequence : NoteSequence
        In one tempo.
    steps : int, optional
        Length of the grid; the sequence's own length, in whole bars, where it is not given.

    Raises
    ------
    InputError
        Where the tempo changes, a note lies off the grid or out of range, or notes of a voice overlap.

    Examples
    --------
    >>> tokens = from_note_sequence(sequence)  # doctest: +SKIP
    """
    tempi = {round(tempo.qpm, 6) for tempo in sequence.tempos} or {_DEFAULT_QPM}
    if len(tempi) > 1:
        raise InputError(f"the sequence has {len(tempi)} tempi; tokens need one")
    per_second = tempi.pop() * STEPS_PER_QUARTER / 60.0
    notes = []
    for note in sequence.notes:
        start, end = note.start_time * per_second, note.end_time * per_second
        if abs(start - round(start)) > _TOLERANCE or abs(end - round(end)) > _TOLERANCE:
            raise InputError(f"the note at {note.start_time:.3f} s lies off the sixteenth grid; quantise it first")
        if note.instrument >= len(VOICES):
            raise InputError(f"the note at {note.start_time:.3f} s has instrument {note.instrument}; voices are 0 to 2")
        if not MIN_PITCH <= note.pitch <= MAX_PITCH:
            raise InputError(f"pitch {note.pitch} at {note.start_time:.3f} s is outside {MIN_PITCH} to {MAX_PITCH}")
        notes.append(VoiceNote(round(start), round(end), note.pitch, note.instrument))
    if steps is None:
        length = max([round(sequence.total_time * per_second), *(note.end for note in notes), 1])
        steps = -(-length // STEPS_PER_BAR) * STEPS_PER_BAR
    try:
        return notes_to_tokens(notes, steps)
    except ValueError as error:
        raise InputError(str(error)) from error


def _protobuf() -> Any:
    try:
        from note_seq.protobuf import music_pb2
    except ImportError as error:
        raise MissingExtraError("working with NoteSequences", "magenta") from error
    return music_pb2
