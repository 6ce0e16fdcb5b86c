"""Expression of a part: phrase dynamics, human timing, legato, and a pedal that follows the harmony."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from therapy_gen.music.arranging.harmony import Chord
from therapy_gen.music.arranging.palettes import MELODY_PART, Instrument
from therapy_gen.music.performance import Note, Part
from therapy_gen.music.tokens import STEPS_PER_BAR, STEPS_PER_QUARTER, VoiceNote

# A slow drift (first-order autoregressive), never more than 12 ms and 3 units of velocity from the phrase.
_PERSISTENCE = 0.7
_TYPICAL_S, _LATEST_S = 0.005, 0.012
_TYPICAL_VELOCITY, _LARGEST_VELOCITY_DRIFT = 1.5, 3

# Phrases of four bars swell and fall again, most a little after their middle: by so many units of velocity from edge to
# top (Todd 1992, JASA 91:3540; Gabrielsson 1999), more in the melody than under it.
PHRASE_BARS = 4
_ARCH, _ARCH_UNDER = 16.0, 7.0
_TOPS, _DEPTHS = (0.5, 0.66), (0.85, 1.15)
# Lighter upbeats, a little weight on the first of a bar.
_DOWNBEAT, _OFF_BEAT, _LAST_BEAT = 2.0, -3.0, -1.5
# A piece begins and ends more softly: over so many bars, by so many units.
_SOFT_BARS, _SOFT = 4, 6.0
# The melody comes a little before what accompanies it (Goebl 2001, JASA 110:563), and chords of all voices at the
# start of a phrase are rolled from the bass upwards; both stay within what counts as one stroke (50 ms in `calmness`).
_LEADS_S = (0.008, 0.018)
_ROLL_S = 0.016
# Notes within this time belong to one chord.
_TOGETHER_S = 0.06

# Legato, within what still counts as one note after the other (30 ms in `calmness`).
_OVERLAP_S = 0.02
_STEPWISE = 2
_REPEAT_GAP_S = 0.04
_LAST_QUARTER = 3
_SHORTEST_S = 0.08

_PEDAL_DELAY_S = 0.06
_SECONDS = (1, 2, 10, 11)


@dataclass(frozen=True)
class Phrasing:
    """How the phrases of a piece are shaped, the same in all its parts.

    Attributes
    ----------
    tops : tuple of float
        Where each phrase is loudest, 0 to 1.
    depths : tuple of float
        Factors of how far each one swells.
    steps : int
        Of the piece, before its last chord.
    """

    tops: tuple[float, ...]
    depths: tuple[float, ...]
    steps: int

    @staticmethod
    def drawn(steps: int, rng: np.random.Generator) -> Phrasing:
        """Return the phrasing of a piece of so many steps."""
        count = -(-steps // (PHRASE_BARS * STEPS_PER_BAR)) + 1
        tops, depths = rng.uniform(*_TOPS, count), rng.uniform(*_DEPTHS, count)
        return Phrasing(tuple(tops.tolist()), tuple(depths.tolist()), steps)

    def swell(self, step: int) -> float:
        """Return a step's height on its phrase's arch, from about -0.6 at the edges to 0.4 at the top."""
        phrase, place = divmod(step / (PHRASE_BARS * STEPS_PER_BAR), 1.0)
        top = self.tops[int(phrase)]
        place = 0.5 * place / top if place < top else 0.5 + 0.5 * (place - top) / (1 - top)
        return self.depths[int(phrase)] * (math.sin(math.pi * place) - 2 / math.pi)

    def softness(self, step: int) -> float:
        """Return 0 inside a piece, rising to 1 at its two ends."""
        away = _SOFT_BARS * STEPS_PER_BAR
        return max(1 - step / away, 1 - max(self.steps - step, 0) / away, 0.0)


def perform(
    notes: Sequence[VoiceNote],
    *,
    instrument: Instrument,
    seconds: Sequence[float],
    rng: np.random.Generator,
    phrasing: Phrasing | None = None,
    chords: Sequence[Chord] = (),
    rolled: Mapping[int, int] = MappingProxyType({}),
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
    phrasing : Phrasing, optional
        Of the piece; by default drawn for this part.
    chords : sequence of Chord
        Where the harmony changes, for an instrument with a pedal.
    rolled : mapping of int to int
        Steps at which a chord is rolled, and how many of its strokes come before this part's.
    velocity_offset : int
        Units of velocity above the instrument's own.
    """
    count = len(notes)
    leads = instrument.name == MELODY_PART
    phrasing = phrasing or Phrasing.drawn(max((note.end for note in notes), default=0), rng)
    ahead = [0.0] * count if not leads else (-rng.uniform(*_LEADS_S, count)).tolist()
    shifts = _drift(count, _TYPICAL_S, _LATEST_S, rng)
    onsets = []
    for note, lead, shift in zip(notes, ahead, shifts, strict=True):
        late = rolled[note.start] * _ROLL_S + shift / 2 if note.start in rolled else lead + shift
        onsets.append(max(0.0, seconds[note.start] + late))
    velocities = [
        instrument.velocity + velocity_offset + round(drift + _weight(note.start, phrasing, leads=leads))
        for note, drift in zip(notes, _drift(count, _TYPICAL_VELOCITY, _LARGEST_VELOCITY_DRIFT, rng), strict=True)
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


def _weight(step: int, phrasing: Phrasing, *, leads: bool) -> float:
    """Return the units of velocity that a note gets from its place in phrase, bar and piece."""
    beat, inside = divmod(step % STEPS_PER_BAR, STEPS_PER_QUARTER)
    metric = _OFF_BEAT if inside else _DOWNBEAT if not beat else _LAST_BEAT if beat == _LAST_QUARTER else 0.0
    arch = _ARCH if leads else _ARCH_UNDER
    return arch * phrasing.swell(step) + (metric if leads else metric / 2) - _SOFT * phrasing.softness(step)


def _drift(count: int, typical: float, largest: float, rng: np.random.Generator) -> list[float]:
    noise = rng.standard_normal(count) * typical * (1 - _PERSISTENCE**2) ** 0.5
    drift = []
    value = 0.0
    for step in noise.tolist():
        value = _PERSISTENCE * value + step
        drift.append(min(max(value, -largest), largest))
    return drift


def _bound_end(index: int, notes: Sequence[VoiceNote], onsets: Sequence[float], seconds: Sequence[float]) -> float:
    """Return when a key is released: legato where a note follows at once."""
    note = notes[index]
    following = index + 1
    while following < len(notes) and notes[following].start <= note.start:
        following += 1
    if following == len(notes) or notes[following].start != note.end:
        return seconds[note.end]
    return onsets[following] + (_OVERLAP_S if abs(notes[following].pitch - note.pitch) <= _STEPWISE else 0.0)


def _pedal(notes: Sequence[Note], changes: Sequence[float], until: float) -> tuple[tuple[float, float], ...]:
    """Hold the pedal, changing it with the harmony and before a second would blur.

    Like a pianist's, it comes up as the new note is struck and goes down again just after.
    """
    spans: list[tuple[float, float]] = []
    down: float | None = None
    chord = -1
    ringing: list[Note] = []
    for note in notes:
        now = bisect_right(changes, note.onset + _TOGETHER_S)
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
