"""Contrasting sections in related keys: their keys, notes and chords."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from therapy_gen.music.arranging.harmony import Chord, infer_chords
from therapy_gen.music.metre import Metre
from therapy_gen.music.tokens import FIRST_PITCH_CLASS, NUM_CLASSES, STEPS_PER_SECTION, Tokens, VoiceNote

# Semitones to the keys of dominant and subdominant, the usual keys of contrasting parts.
_DOMINANT, _SUBDOMINANT = -5, 5


def contrast_shifts(form: Sequence[str], seed: int) -> tuple[int, ...]:
    """Return by how many semitones each section of a form is moved.

    Themes that contrast with the first are in the keys of its dominant and subdominant by turns, if the first returns
    after them; if a piece ends with them they stay in its key.

    Parameters
    ----------
    form : sequence of str
        Labels: a letter for a theme, with primes for its variations.
    seed : int
        Decides which of the two keys is first.

    Examples
    --------
    >>> contrast_shifts(("A", "B", "A"), seed=0)
    (0, -5, 0)
    >>> contrast_shifts(("A", "A'", "B"), seed=0)
    (0, 0, 0)
    """
    keys = (_DOMINANT, _SUBDOMINANT) if seed % 2 == 0 else (_SUBDOMINANT, _DOMINANT)
    letters = [label[0] for label in form]
    home = letters[0]
    last_home = len(letters) - 1 - letters[::-1].index(home)
    away = [letter for letter in dict.fromkeys(letters) if letter != home and letter not in letters[last_home:]]
    return tuple(keys[away.index(letter) % 2] if letter in away else 0 for letter in letters)


def transposed(section: Tokens, semitones: int) -> Tokens:
    """Return a section (steps, voices) transposed; notes that would leave the piano's range move by an octave."""
    moved = section.astype(np.int64) + semitones
    moved += 12 * (moved < FIRST_PITCH_CLASS) - 12 * (moved >= NUM_CLASSES)
    return np.where(section >= FIRST_PITCH_CLASS, moved, section).astype(section.dtype)


def chords_in_keys(notes: Sequence[VoiceNote], tonics: Sequence[int], mode: str, metre: Metre) -> list[Chord]:
    """Find the chords under notes whose sections are in the keys of these tonics; see `infer_chords`."""
    chords: list[Chord] = []
    start = 0
    for tonic, run in groupby(tonics):
        steps = len(list(run)) * STEPS_PER_SECTION
        inside = [
            note._replace(start=max(note.start - start, 0), end=min(note.end - start, steps))
            for note in notes
            if note.end > start and note.start < start + steps
        ]
        found = infer_chords(inside, steps, tonic, mode, metre)
        chords += [Chord(chord.start + start, chord.end + start, chord.pitch_classes) for chord in found]
        start += steps
    return chords
