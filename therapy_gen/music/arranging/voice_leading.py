"""Voice leading: three lines from sections of tokens, tied over section boundaries, in a narrow register."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import groupby, islice, pairwise, takewhile
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from therapy_gen.music.arranging.harmony import Chord
from therapy_gen.music.metre import FOUR_FOUR, Metre
from therapy_gen.music.tokens import (
    STEPS_PER_BAR,
    STEPS_PER_QUARTER,
    STEPS_PER_SECTION,
    VOICES,
    Tokens,
    VoiceNote,
    tokens_to_notes,
)

VoiceLine = list[VoiceNote]

# Where a voice lies by its median over the piece, and where each of its notes may be: two octaves in the middle of the
# keyboard. Register and range: Eerola, Friberg & Bresin 2013 (Front. Psychol. 4:487).
_COMFORTABLE = {"melody": (62, 78), "inner": (54, 71), "bass": (38, 54)}
_POSSIBLE = {"melody": (57, 81), "inner": (50, 74), "bass": (36, 60)}
_WIDEST_LEAP = 12
# Where a melody has a register of its own, the other voices lie so many semitones below that.
_BELOW_MELODY = {"inner": 9, "bass": 23}

# A note held at the boundary of two sections may last so far into the second one.
_LONGEST_OVER_SEAM = STEPS_PER_BAR
_LONGEST = 4 * STEPS_PER_BAR

# A note that repeats a sounding pitch is left out within this time: repeated accompaniment chords become held ones, and
# a melody keeps its repeated notes down to eighths.
_ONE_STROKE = {"melody": STEPS_PER_QUARTER // 2, "inner": STEPS_PER_BAR // 2, "bass": STEPS_PER_BAR // 2}

# Notes are extended over rests of up to a half note, and by a quarter into longer ones.
_BOUND_REST = 2 * STEPS_PER_QUARTER
_RING = STEPS_PER_QUARTER
_SECONDS = (1, 2, 10, 11)

# A melody breathes at the ends of phrases of four bars: an eighth, where the note before it stays a half or longer.
_PHRASE = 4 * STEPS_PER_BAR
_BREATH = STEPS_PER_QUARTER // 2
_LONG_ENOUGH = 2 * STEPS_PER_QUARTER


def gentle_lines(sections: Sequence[Tokens], shift: int, *, fixed_melody: bool = False) -> list[VoiceLine]:
    """Return the notes of each voice, `shift` semitones up; with a `fixed_melody`, the others lie below it.

    A note held at the end of a section goes on into the next one, for a bar at most; accompaniment that begins a
    section with the pitch it ended on is tied. Notes that only repeat a sounding pitch are left out (`_ONE_STROKE`).
    Voices, and single notes, far from the middle of the keyboard are moved towards it by octaves, and leaps of more
    than an octave are reduced by an octave. Notes that then cross the voice above are moved down an octave, where there
    is room.
    """
    lines: list[VoiceLine] = [[] for _ in VOICES]
    for note in tokens_to_notes(np.concatenate(list(sections))):
        seam = (note.start // STEPS_PER_SECTION + 1) * STEPS_PER_SECTION
        end = min(note.end, note.start + _LONGEST, seam + _LONGEST_OVER_SEAM)
        line = lines[note.voice]
        if line and _goes_on(line[-1], note) and end - line[-1].start <= _LONGEST:
            line[-1] = line[-1]._replace(end=end)
        else:
            line.append(note._replace(end=end))
    melody = _within_reach(lines[0], shift, "melody") if fixed_melody else _into_register(lines[0], shift, "melody")
    shifts = [shift, shift]
    if fixed_melody and melody:
        shifts = [
            shift + _octaves_towards(line, shift, _mean(melody) - _BELOW_MELODY[name]) if line else shift
            for name, line in zip(VOICES[1:], lines[1:], strict=True)
        ]
    inner, bass = (_into_register(line, up, name) for name, line, up in zip(VOICES[1:], lines[1:], shifts, strict=True))
    inner = _under(inner, melody, "inner")
    return [melody, inner, _under(bass, inner, "bass")]


def let_ring(lines: Sequence[VoiceLine], chords: Sequence[Chord], metre: Metre = FOUR_FOUR) -> list[VoiceLine]:
    """Extend notes into the rests after them, while the harmony stays and no voice enters a second away.

    The melody, the first line, breathes: rests at ends of phrases stay, and a long note before the next phrase ends an
    eighth earlier.
    """
    harmony_ends = _harmony_ends(chords)
    struck: dict[int, list[int]] = {}
    for line in lines:
        for note in line:
            struck.setdefault(note.start, []).append(note.pitch)
    ringing = [list(_ringing(line, harmony_ends, struck, breathes=n == 0)) for n, line in enumerate(lines)]
    return [_breathing(ringing[0], chords[-1].end, metre), *ringing[1:]]


def _goes_on(before: VoiceNote, note: VoiceNote) -> bool:
    """Return whether a note only repeats the one before it."""
    if (before.end, before.pitch) != (note.start, note.pitch):
        return False
    voice = VOICES[note.voice]
    stretch = _ONE_STROKE[voice]
    over_seam = note.start % STEPS_PER_SECTION == 0 and voice != "melody"
    return over_seam or note.start // stretch == before.start // stretch


class Transpositions(NamedTuple):
    """Possible transpositions of a melody.

    Attributes
    ----------
    shifts : array of int, shape (m,)
        Semitones up that keep it in a comfortable register; they reach every key.
    means : array of float, shape (m,)
        About the mean pitch of its notes then.
    folded : array of float, shape (m,)
        Share of its notes that then have to be moved by an octave.
    """

    shifts: npt.NDArray[np.int64]
    means: npt.NDArray[np.float64]
    folded: npt.NDArray[np.float64]


def transpositions(pitches: npt.NDArray[np.integer]) -> Transpositions:
    """Return the possible transpositions of a melody of these pitches, shape (n,), one or more."""
    low, high = _COMFORTABLE["melody"]
    middle = float(np.median(pitches))
    shifts = np.arange(math.ceil(low - middle), math.floor(high - middle) + 1)
    straight = pitches + shifts[:, None]
    low, high = _POSSIBLE["melody"]
    moved = straight + 12 * np.maximum(-((straight - low) // 12), 0)
    moved -= 12 * np.maximum(-((high - moved) // 12), 0)
    return Transpositions(shifts, moved.mean(axis=1), (moved != straight).mean(axis=1))


def _octaves_towards(line: VoiceLine, shift: int, register: float) -> int:
    """Return the whole octaves, in semitones, that bring a line's mean nearest to a register."""
    return 12 * round((register - _mean(line) - shift) / 12)


def _mean(line: VoiceLine) -> float:
    return sum(note.pitch for note in line) / len(line)


def _into_register(line: VoiceLine, shift: int, voice: str) -> VoiceLine:
    if not line:
        return line
    shift += _octaves_into(float(np.median([note.pitch for note in line])) + shift, *_COMFORTABLE[voice])
    return _within_reach(line, shift, voice)


def _within_reach(line: VoiceLine, shift: int, voice: str) -> VoiceLine:
    low, high = _POSSIBLE[voice]
    moved: VoiceLine = []
    for note in line:
        pitch = note.pitch + shift
        pitch += _octaves_into(pitch, low, high)
        if moved and abs(pitch - moved[-1].pitch) > _WIDEST_LEAP:
            pitch += 12 if pitch < moved[-1].pitch else -12
        moved.append(note._replace(pitch=pitch))
    return moved


def _under(line: VoiceLine, above: VoiceLine, voice: str) -> VoiceLine:
    """Move notes that cross the voice above an octave down, where that is in their register and no leap."""
    low = _POSSIBLE[voice][0]
    crossing = [any(other.pitch < note.pitch for other in _together(note, above)) for note in line]
    moved: VoiceLine = []
    for crosses, run in groupby(zip(crossing, line, strict=True), key=lambda pair: pair[0]):
        notes = [note for _, note in run]
        if crosses:
            lower = [note._replace(pitch=note.pitch - 12) for note in notes]
            after = line[len(moved) + len(notes) :][:1]
            edges = list(pairwise([*moved[-1:], *lower, *after]))
            if min(note.pitch for note in lower) >= low and all(
                abs(a.pitch - b.pitch) <= _WIDEST_LEAP for a, b in edges
            ):
                notes = lower
        moved += notes
    return moved


def _together(note: VoiceNote, line: VoiceLine) -> VoiceLine:
    """Return the notes of a line, by start, that sound with a note."""
    first = bisect_right(line, note.start, key=lambda other: other.end)
    return list(takewhile(lambda other: other.start < note.end, islice(line, first, None)))


def _octaves_into(pitch: float, low: int, high: int) -> int:
    """Return the whole octaves, in semitones, that bring a pitch between `low` and `high`."""
    if pitch < low:
        return 12 * math.ceil((low - pitch) / 12)
    return -12 * math.ceil((pitch - high) / 12) if pitch > high else 0


def _harmony_ends(chords: Sequence[Chord]) -> list[int]:
    """Return, for each sixteenth, where its chord ends."""
    ends = [0] * chords[-1].end
    end = chords[-1].end
    for chord, after in zip(reversed(chords), [None, *reversed(chords)], strict=False):
        if after is not None and after.pitch_classes != chord.pitch_classes:
            end = chord.end
        ends[chord.start : chord.end] = [end] * (chord.end - chord.start)
    return ends


def _breathing(line: VoiceLine, steps: int, metre: Metre) -> VoiceLine:
    """Return a melody whose long notes end an eighth before the next phrase, except the last."""
    breathing: VoiceLine = []
    for note in line:
        phrase = -(-note.end // _PHRASE) * _PHRASE
        until = phrase - STEPS_PER_BAR + metre.steps - _BREATH
        long = until - note.start >= _LONG_ENOUGH
        breathing.append(note._replace(end=until) if long and until < note.end and phrase < steps else note)
    return breathing


def _ringing(
    line: VoiceLine, harmony_ends: Sequence[int], struck: dict[int, list[int]], *, breathes: bool
) -> Iterable[VoiceNote]:
    for index, note in enumerate(line):
        following = line[index + 1].start if index + 1 < len(line) else len(harmony_ends)
        rest = following - note.end
        if breathes and rest >= _BREATH and -note.end % _PHRASE < STEPS_PER_BAR:
            yield note
            continue
        end = note.end + (rest if rest <= _BOUND_REST else _RING)
        end = max(min(end, harmony_ends[note.end - 1]), note.end)
        for step in range(note.end, end):
            if any((note.pitch - other) % 12 in _SECONDS for other in struck.get(step, ())):
                end = step
                break
        yield note._replace(end=end)
