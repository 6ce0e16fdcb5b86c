"""Register along an arc: related keys, one after the other, in which melodies lie as high as the curve wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sessions.planning.calm_levels import REGISTER
from sessions.planning.keys import fifths_of, parsed
from therapy_gen.music.arranging.voice_leading import transpositions

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# What a session's keys cost, in squared semitones: a melody's distance from where the curve wants it; a step between
# neighbours that differs from the curve's, and the part of it beyond a whole tone; staying in a key; each fifth beyond
# the first to the next key.
_AWAY, _STEP, _WIDE, _STAYS, _FAR = 0.25, 1.0, 4.0, 2.5, 60.0
_TONE = 2.0
# What a melody costs if all of its notes had to be moved by an octave; a part of them costs its share.
_FOLDED = 20.0


@dataclass(frozen=True)
class Neighbour:
    """A piece of the library among those to be composed: its key, mean melody pitch and calmness."""

    key: str
    register: float | None
    calm: float


@dataclass(frozen=True)
class Place:
    """A piece as the search for keys sees it.

    Attributes
    ----------
    shifts : array of int, shape (choices,)
        Semitones by which its melody can be transposed from tonic C.
    fifths : array of int, shape (choices,)
        The place of its key on the circle of fifths, for each choice.
    registers : array of float, shape (choices,)
        Mean MIDI pitch of its melody, for each choice.
    costs : array of float, shape (choices,)
        What each choice costs by itself.
    wanted : float
        Mean MIDI pitch that the curve wants.
    """

    shifts: IntArray
    fifths: IntArray
    registers: FloatArray
    costs: FloatArray
    wanted: float

    @classmethod
    def of(cls, there: Neighbour) -> Place:
        """Return the place of a piece of the library."""
        wanted = REGISTER.at(there.calm)
        key = parsed(there.key)
        fifths = np.arange(12) if key is None else np.array([fifths_of(*key)])
        lies = wanted if there.register is None else there.register
        return cls(
            np.zeros(len(fifths), dtype=np.int64), fifths, np.full(len(fifths), lies), np.zeros(len(fifths)), wanted
        )

    @classmethod
    def for_melody(cls, pitches: IntArray, calm: float, tonic: int, mode: str, *, free_key: bool) -> Place:
        """Return the place of a melody on tonic C: in any key with `free_key`, else in its own."""
        wanted = REGISTER.at(calm)
        if len(pitches):
            shifts, registers, folded = transpositions(pitches)
        else:
            shifts, registers, folded = np.arange(-6, 6), np.full(12, wanted), np.zeros(12)
        fifths = np.array([fifths_of(shift, mode) for shift in shifts.tolist()])
        allowed = np.full(len(shifts), True) if free_key else shifts % 12 == tonic
        return cls(shifts[allowed], fifths[allowed], registers[allowed], _FOLDED * folded[allowed], wanted)

    def with_choice(self, choice: int, register: float | None) -> Place:
        """Return the place with one choice left, whose melody turned out to lie at `register`."""
        lies = self.registers[choice : choice + 1] if register is None else np.array([register])
        return Place(self.shifts[choice : choice + 1], self.fifths[choice : choice + 1], lies, np.zeros(1), self.wanted)


def best_key_path(places: Sequence[Place]) -> list[int]:
    """Return for each piece of a session which of its keys and octaves to take.

    Viterbi's algorithm finds the path through related keys with the least sum of the costs above.
    """
    costs = np.zeros(0)
    choices: list[npt.NDArray[np.intp]] = []
    for number, place in enumerate(places):
        away = place.registers - place.wanted
        here = place.costs + _AWAY * away**2
        if number:
            before = places[number - 1]
            apart = np.abs(before.fifths[:, None] - place.fifths)
            apart = np.minimum(apart, 12 - apart)
            step = np.abs(away - (before.registers - before.wanted)[:, None])
            moves = costs[:, None] + _STEP * step**2 + _WIDE * np.maximum(step - _TONE, 0.0) ** 2
            moves += np.where(apart == 0, _STAYS, _FAR * np.maximum(apart - 1, 0) ** 2)
            choices.append(moves.argmin(axis=0))
            here += moves.min(axis=0)
        costs = here
    path = [int(costs.argmin())]
    for choice in reversed(choices):
        path.append(int(choice[path[-1]]))
    return path[::-1]
