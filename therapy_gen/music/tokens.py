"""Voices on a sixteenth grid as tokens of Magenta's 90-class melody vocabulary, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

STEPS_PER_QUARTER = 4
STEPS_PER_BAR = 16
BARS_PER_SECTION = 16
STEPS_PER_SECTION = STEPS_PER_BAR * BARS_PER_SECTION

VOICES = ("melody", "inner", "bass")

# Magenta's melody vocabulary (`OneHotMelodyConverter`, arXiv 1803.05428 section 5): no event, note off,
# then one class for each pitch of an 88-key piano.
HOLD = 0
NOTE_OFF = 1
FIRST_PITCH_CLASS = 2
MIN_PITCH = 21
MAX_PITCH = 108
NUM_CLASSES = FIRST_PITCH_CLASS + MAX_PITCH - MIN_PITCH + 1

Tokens = npt.NDArray[np.uint8]


class VoiceNote(NamedTuple):
    """A note of one voice, in sixteenth steps from the start of the section; `end` is exclusive."""

    start: int
    end: int
    pitch: int
    voice: int


def pitch_to_token(pitch: int) -> int:
    """Return the class of a note-on at a MIDI `pitch`; ValueError outside 21 to 108."""
    if not MIN_PITCH <= pitch <= MAX_PITCH:
        raise ValueError(f"pitch {pitch} is outside {MIN_PITCH} to {MAX_PITCH}")
    return pitch - MIN_PITCH + FIRST_PITCH_CLASS


def token_to_pitch(token: int) -> int:
    """Return the MIDI pitch of a note-on class; ValueError for hold, note-off or no class."""
    if not FIRST_PITCH_CLASS <= token < NUM_CLASSES:
        raise ValueError(f"token {token} starts no note")
    return token - FIRST_PITCH_CLASS + MIN_PITCH


def notes_to_tokens(notes: Iterable[VoiceNote], steps: int = STEPS_PER_SECTION) -> Tokens:
    """Write monophonic voices as tokens.

    Parameters
    ----------
    notes : iterable of VoiceNote
        At most one note of a voice at a time; a note that meets the next one of its voice is tied off by it.
    steps : int
        Length of the grid in sixteenths.

    Returns
    -------
    array of uint8, shape (steps, voices)
        The one canonical form: a note-off stands only where a sounding note ends in a rest.

    Raises
    ------
    ValueError
        Where a note is empty, off the grid, out of range, or overlaps another of its voice.
    """
    tokens = np.zeros((steps, len(VOICES)), dtype=np.uint8)
    sounding_until = [0] * len(VOICES)
    for note in sorted(notes):
        if not 0 <= note.start < note.end <= steps:
            raise ValueError(f"{note} does not lie within {steps} steps")
        if note.start < sounding_until[note.voice]:
            raise ValueError(f"{note} overlaps an earlier note of the {VOICES[note.voice]}")
        tokens[note.start, note.voice] = pitch_to_token(note.pitch)
        if note.end < steps:
            tokens[note.end, note.voice] = NOTE_OFF
        sounding_until[note.voice] = note.end
    return tokens


def tokens_to_notes(tokens: npt.NDArray[np.integer]) -> list[VoiceNote]:
    """Read the notes of all voices from `tokens` of shape (steps, voices), sorted by start, end and pitch.

    Holds and note-offs while nothing sounds mean a rest; a note that still sounds at the end stops there.
    """
    steps = tokens.shape[0]
    notes: list[VoiceNote] = []
    for voice in range(tokens.shape[1]):
        events = np.flatnonzero(tokens[:, voice])
        starts = events.tolist()
        for start, end, token in zip(starts, [*starts, steps][1:], tokens[events, voice].tolist(), strict=True):
            if token != NOTE_OFF:
                notes.append(VoiceNote(start, end, token_to_pitch(token), voice))
    notes.sort()
    return notes
