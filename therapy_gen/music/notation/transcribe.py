"""Transcribing a performance: notes on the grid of sixteenths, bars, key and chord symbols."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from therapy_gen.errors import InputError
from therapy_gen.music.arranging.harmony import Chord, infer_chords
from therapy_gen.music.arranging.literal import VELOCITY
from therapy_gen.music.arranging.palettes import MELODY_PART, PAD_PART
from therapy_gen.music.metre import METRES, Metre
from therapy_gen.music.performance import DRUM_BANK, Note, Part, Performance
from therapy_gen.music.tokens import STEPS_PER_QUARTER, VoiceNote
from therapy_gen.music.tonality import find_key, key_name, parse_key, pitch_class_weights

_MAX_BARS = 5_000
_MELODY, _INNER, _BASS = 0, 1, 2
# A part has several voices if more than this share of its notes reach beyond the next one.
_MOST_POLYPHONIC = 0.1
# Seconds behind the last note, in which it rings.
_RING_S = 1.0


@dataclass(frozen=True)
class WrittenNote:
    """A note in sixteenths from the beginning; `end` is exclusive."""

    start: int
    end: int
    pitch: int


@dataclass(frozen=True)
class WrittenPart:
    """The notes of a part, by start and pitch."""

    name: str
    program: int
    notes: tuple[WrittenNote, ...]


@dataclass(frozen=True)
class Bar:
    """A bar: where it begins and ends, in sixteenths, and its time signature."""

    start: int
    end: int
    beats: int
    unit: int


@dataclass(frozen=True)
class Sheet:
    """A transcribed piece.

    Attributes
    ----------
    title : str
    parts : tuple of WrittenPart
    bars : tuple of Bar
    tonic, mode : int, str
    tempo : float
        Quarter notes a minute.
    chords : tuple of Chord
        In sixteenths, where a chord changes. Empty in metres for which chords are not found.
    """

    title: str
    parts: tuple[WrittenPart, ...]
    bars: tuple[Bar, ...]
    tonic: int
    mode: str
    tempo: float
    chords: tuple[Chord, ...]


def transcribe(performance: Performance, title: str = "") -> Sheet:
    """Transcribe a performance.

    Onsets go to the nearest sixteenth; notes of a single-voice part do not overlap. Drums are left out, and so is the
    pad, whose chords are written as chord symbols.

    Parameters
    ----------
    performance : Performance
        With its tempo changes, which say where the beats are.
    title : str

    Raises
    ------
    InputError
        Where nothing is left, or it has more bars than can be written.

    Examples
    --------
    >>> from therapy_gen.music.performance import Note, Part, Performance
    >>> part = Part("Melody", 0, (Note(0.02, 0.9, 60, 64), Note(1.01, 2.0, 64, 64)))
    >>> transcribe(Performance((part,), 60.0, "C major", 4.0, "")).parts[0].notes
    (WrittenNote(start=0, end=4, pitch=60), WrittenNote(start=4, end=12, pitch=64))
    """
    clock = _QuarterClock(performance)
    kept = [part for part in performance.parts if part.notes and part.bank != DRUM_BANK and part.name != PAD_PART]
    if not kept:
        raise InputError("the piece has no notes that can be written down; export it as MIDI")
    parts = tuple(WrittenPart(part.name, part.program, _notes(part, clock)) for part in kept)
    end = max(note.end for part in parts for note in part.notes)
    bars = _bars(performance, clock, end)
    tonic, mode = parse_key(performance.key) if performance.key else _key(parts)
    parts = tuple(_within(part, bars[-1].end) for part in parts)
    tempo = round(performance.tempo, 1)
    return Sheet(title, parts, bars, tonic, mode, tempo, _chords(parts, bars, tonic, mode))


def without_expression(sheet: Sheet) -> Performance:
    """Return a sheet as a performance without expression: one tempo, one loudness, no pedal, written lengths."""
    seconds = 60.0 / (sheet.tempo * STEPS_PER_QUARTER)
    parts = tuple(
        Part(
            part.name,
            part.program,
            tuple(Note(n.start * seconds, (n.end - n.start) * seconds, n.pitch, VELOCITY) for n in part.notes),
        )
        for part in sheet.parts
    )
    changed = [bar for old, bar in pairwise(sheet.bars) if _signature(old) != _signature(bar)]
    metres = tuple((bar.start * seconds, _signature(bar)) for bar in (sheet.bars[0], *changed))
    return Performance(
        parts=parts,
        tempo=sheet.tempo,
        key=key_name(sheet.tonic, sheet.mode),
        duration=round(sheet.bars[-1].end * seconds + _RING_S, 3),
        palette="",
        tempi=((0.0, sheet.tempo),),
        title=sheet.title,
        metre=metres[0][1],
        metres=metres if len(metres) > 1 else (),
    )


def _signature(bar: Bar) -> str:
    return f"{bar.beats}/{bar.unit}"


class _QuarterClock:
    """Seconds to quarter notes along the tempi of a performance."""

    def __init__(self, performance: Performance) -> None:
        tempi = performance.tempi or ((0.0, performance.tempo),)
        self.seconds = [0.0, *(at for at, _ in tempi[1:])]
        self.rates = [tempo / 60.0 for _, tempo in tempi]
        lengths = [(b - a) * rate for (a, b), rate in zip(pairwise(self.seconds), self.rates, strict=False)]
        self.quarters = np.concatenate([[0.0], np.cumsum(lengths)]).tolist()

    def __call__(self, seconds: float) -> float:
        n = bisect_right(self.seconds, seconds) - 1
        return float(self.quarters[n] + (seconds - self.seconds[n]) * self.rates[n])


def _notes(part: Part, clock: _QuarterClock) -> tuple[WrittenNote, ...]:
    found: dict[tuple[int, int], int] = {}
    for note in part.notes:
        start = max(round(clock(note.onset) * STEPS_PER_QUARTER), 0)
        end = max(round(clock(note.onset + note.duration) * STEPS_PER_QUARTER), start + 1)
        found[start, note.pitch] = max(end, found.get((start, note.pitch), 0))
    starts = sorted({start for start, _ in found})
    following = dict(pairwise(starts))
    # Legato overlaps; a part is polyphonic where many of its notes reach far beyond the next one.
    far = sum(end > following.get(start, end) + 1 for (start, _), end in found.items())
    if far <= _MOST_POLYPHONIC * len(found):
        found = {(start, pitch): min(end, following.get(start, end)) for (start, pitch), end in found.items()}
    again: dict[int, int] = {}
    written = []
    for (start, pitch), end in sorted(found.items(), reverse=True):
        written.append(WrittenNote(start, min(end, again.get(pitch, end)), pitch))
        again[pitch] = start
    return tuple(sorted(written, key=lambda note: (note.start, note.pitch)))


def _bars(performance: Performance, clock: _QuarterClock, end: int) -> tuple[Bar, ...]:
    changes = []
    for onset, metre in performance.metres or ((0.0, performance.metre),):
        beats, unit = (int(number) for number in metre.split("/"))
        steps = beats * 16 // unit if (beats * 16) % unit == 0 else 16
        changes.append((round(clock(onset) * STEPS_PER_QUARTER), steps, beats, unit))
    bars: list[Bar] = []
    for n, (start, steps, beats, unit) in enumerate(changes):
        at = start if not bars else bars[-1].end
        until = min(changes[n + 1][0], end) if n + 1 < len(changes) else end
        while at < until:
            stop = at + steps if n + 1 == len(changes) else min(at + steps, max(changes[n + 1][0], at + 1))
            bars.append(Bar(at, stop, beats, unit))
            at = stop
            if len(bars) > _MAX_BARS:
                raise InputError(f"the piece has more than {_MAX_BARS} bars; export it as MIDI")
    return tuple(bars)


def _within(part: WrittenPart, end: int) -> WrittenPart:
    notes = tuple(WrittenNote(note.start, min(note.end, end), note.pitch) for note in part.notes if note.start < end)
    return WrittenPart(part.name, part.program, notes)


def _key(parts: Sequence[WrittenPart]) -> tuple[int, str]:
    notes = [note for part in parts for note in part.notes]
    lengths = np.array([note.end - note.start for note in notes], dtype=float)
    return find_key(pitch_class_weights(np.array([note.pitch for note in notes]), lengths))


def _chords(parts: Sequence[WrittenPart], bars: Sequence[Bar], tonic: int, mode: str) -> tuple[Chord, ...]:
    metre = METRES.get(_signature(bars[0]))
    if metre is None or any(_signature(bar) != metre.name or bar.end - bar.start != metre.steps for bar in bars):
        return ()
    heights = [float(np.mean([note.pitch for note in part.notes])) if part.notes else 60.0 for part in parts]
    lowest = int(np.argmin(heights))
    top = next((n for n, part in enumerate(parts) if part.name == MELODY_PART), int(np.argmax(heights)))
    notes = [
        metre.on_grid(VoiceNote(note.start, note.end, note.pitch, _voice(n, top, lowest)))
        for n, part in enumerate(parts)
        for note in part.notes
    ]
    found = infer_chords(notes, len(bars) * 16, tonic, mode, metre)
    changes = [chord for n, chord in enumerate(found) if n == 0 or chord.pitch_classes != found[n - 1].pitch_classes]
    return tuple(_in_time(chord, metre) for chord in changes)


def _voice(number: int, top: int, lowest: int) -> int:
    return _MELODY if number == top else _BASS if number == lowest else _INNER


def _in_time(chord: Chord, metre: Metre) -> Chord:
    start, end = metre.from_grid(np.array([chord.start, chord.end])).tolist()
    return Chord(start, end, chord.pitch_classes)
