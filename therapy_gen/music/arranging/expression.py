"""How a part is played: even yet human timing, flat dynamics, legato, and the pedal that follows the harmony."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from therapy_gen.music.arranging.harmony import Chord
from therapy_gen.music.arranging.palettes import Instrument
from therapy_gen.music.performance import Note, Part
from therapy_gen.music.tokens import STEPS_PER_BAR, VoiceNote

# A slow drift (first-order autoregressive), never more than 12 ms and 2 units of velocity from even.
_PERSISTENCE = 0.7
_TYPICAL_S, _LATEST_S = 0.004, 0.012
_LARGEST_VELOCITY_DRIFT = 2

# Legato, within what still counts as one note after the other (30 ms in `calmness`).
_OVERLAP_S = 0.02
_STEPWISE = 2
_REPEAT_GAP_S = 0.04
_SHORTEST_S = 0.08

_PEDAL_DELAY_S = 0.06
_SECONDS = (1, 2, 10, 11)


def perform(
    notes: Sequence[VoiceNote],
    *,
    instrument: Instrument,
    seconds: Sequence[float],
    rng: np.random.Generator,
    chords: Sequence[Chord] = (),
    velocity_offset: int = 0,
) -> Part:
    """Play notes on an instrument.

    Parameters
    ----------
    notes : sequence of VoiceNote
        By start; they may overlap.
    instrument : Instrument
    seconds : sequence of float
        The time of each sixteenth.
    rng : Generator
        Of timing and dynamics.
    chords : sequence of Chord
        Where the harmony changes, for an instrument with a pedal.
    velocity_offset : int
        Units of velocity above the instrument's own.
    """
    count = len(notes)
    onsets = [
        max(0.0, seconds[note.start] + shift)
        for note, shift in zip(notes, _drift(count, _TYPICAL_S, _LATEST_S, rng), strict=True)
    ]
    velocities = [
        instrument.velocity + velocity_offset + round(drift) + (1 if note.start % STEPS_PER_BAR == 0 else 0)
        for note, drift in zip(notes, _drift(count, 1.0, _LARGEST_VELOCITY_DRIFT, rng), strict=True)
    ]
    played = []
    struck_again: dict[int, float] = {}
    for index in range(count - 1, -1, -1):
        note, onset = notes[index], onsets[index]
        end = max(_bound_end(index, notes, onsets, seconds), onset + _SHORTEST_S)
        # A key has to come up before it can be struck again.
        if end > (again := struck_again.get(note.pitch, math.inf)) - _REPEAT_GAP_S:
            end = max(again - _REPEAT_GAP_S, (onset + again) / 2)
        struck_again[note.pitch] = onset
        played.append(Note(onset, end - onset, note.pitch, velocities[index]))
    played.sort(key=lambda note: (note.onset, note.pitch))
    changes = [seconds[chord.start] for chord in chords]
    return Part(
        name=instrument.name,
        program=instrument.program,
        notes=tuple(played),
        pan=instrument.pan,
        level=instrument.level,
        pedal=_pedal(played, changes, seconds[-1]) if instrument.pedal else (),
    )


def _drift(count: int, typical: float, largest: float, rng: np.random.Generator) -> list[float]:
    noise = rng.standard_normal(count) * typical * (1 - _PERSISTENCE**2) ** 0.5
    drift = []
    value = 0.0
    for step in noise.tolist():
        value = _PERSISTENCE * value + step
        drift.append(min(max(value, -largest), largest))
    return drift


def _bound_end(index: int, notes: Sequence[VoiceNote], onsets: Sequence[float], seconds: Sequence[float]) -> float:
    """Return when a key is released where its line goes on: bound to a note that follows at once."""
    note = notes[index]
    following = index + 1
    while following < len(notes) and notes[following].start <= note.start:
        following += 1
    if following == len(notes) or notes[following].start != note.end:
        return seconds[note.end]
    return onsets[following] + (_OVERLAP_S if abs(notes[following].pitch - note.pitch) <= _STEPWISE else 0.0)


def _pedal(notes: Sequence[Note], changes: Sequence[float], until: float) -> tuple[tuple[float, float], ...]:
    """Hold the pedal for as long as nothing that rings would blur: change it with the harmony and before a second.

    As a pianist does, it comes up as the new note is struck and goes down again just after.
    """
    spans: list[tuple[float, float]] = []
    down: float | None = None
    chord = -1
    ringing: list[Note] = []
    for note in notes:
        now = bisect_right(changes, note.onset + _LATEST_S)
        blurs = any((note.pitch - other.pitch) % 12 in _SECONDS for other in ringing)
        if now != chord or blurs:
            if down is not None and down < note.onset:
                spans.append((down, note.onset))
            down = note.onset + _PEDAL_DELAY_S
            ringing = [other for other in ringing if other.onset + other.duration > down]
            chord = now
        ringing.append(note)
    if down is not None and down < until:
        spans.append((down, until))
    return tuple(spans)
