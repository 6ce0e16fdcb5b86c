"""Sounding notes of a performance: each until key and pedal are up, or the key is struck again."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from therapy_gen.music.performance import DRUM_BANK, Part, Performance

# A note that rings in the pedal dies away: it counts as sounding for so long at most.
_LONGEST_RING_S = 4.0


class SoundingNotes(NamedTuple):
    """Notes, arrays of shape (n,): seconds, seconds, MIDI pitch, velocity, whether it is unpitched percussion."""

    onsets: npt.NDArray[np.float64]
    durations: npt.NDArray[np.float64]
    pitches: npt.NDArray[np.int64]
    velocities: npt.NDArray[np.int64]
    percussion: npt.NDArray[np.bool_]


def sounding_notes(performance: Performance) -> SoundingNotes:
    """Return the notes of all parts; a note rings `_LONGEST_RING_S` in the pedal at most."""
    rows = [
        (note.onset, end - note.onset, note.pitch, note.velocity, part.bank == DRUM_BANK)
        for part in performance.parts
        for note, end in zip(part.notes, _ends(part), strict=True)
    ]
    table = np.array(rows, dtype=float).reshape(-1, 5)
    return SoundingNotes(
        table[:, 0], table[:, 1], table[:, 2].astype(int), table[:, 3].astype(int), table[:, 4].astype(bool)
    )


def _ends(part: Part) -> list[float]:
    """Return when each note of a part stops sounding, pedal included."""
    ends = [note.onset + note.duration for note in part.notes]
    if not part.pedal:
        return ends
    downs = [down for down, _ in part.pedal]
    struck_again: dict[int, float] = {}
    for index in sorted(range(len(ends)), key=lambda at: -part.notes[at].onset):
        note, end = part.notes[index], ends[index]
        span = bisect_right(downs, end) - 1
        if span >= 0 and end < part.pedal[span][1]:
            rung = min(part.pedal[span][1], end + _LONGEST_RING_S, struck_again.get(note.pitch, math.inf))
            ends[index] = max(end, rung)
        struck_again[note.pitch] = note.onset
    return ends
