"""Arranging sections of tokens as a calm performance: key, slow tempo, soft dynamics, legato, pedal, an ending."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.music.arranging.cadences import apply_cadences
from therapy_gen.music.arranging.contrast import chords_in_keys, transposed
from therapy_gen.music.arranging.expression import PHRASE_BARS, Phrasing, perform
from therapy_gen.music.arranging.harmony import pad_notes, tonic_chord
from therapy_gen.music.arranging.palettes import PALETTES, check_palette
from therapy_gen.music.arranging.texture import patterns_of, with_patterns
from therapy_gen.music.arranging.voice_leading import gentle_lines, let_ring
from therapy_gen.music.metre import FOUR_FOUR, Metre
from therapy_gen.music.performance import Note, Part, Performance
from therapy_gen.music.tokens import (
    BARS_PER_SECTION,
    STEPS_PER_BAR,
    STEPS_PER_QUARTER,
    STEPS_PER_SECTION,
    VOICES,
    Tokens,
    VoiceNote,
)
from therapy_gen.music.tonality import key_name

__all__ = ["PALETTES", "Note", "Part", "Performance", "arrange", "duration_of", "steps_of"]

MIN_TEMPO, MAX_TEMPO = 20.0, 200.0

# Over the piece the tempo falls by this share, a little with every four bars, too little to be heard as a change. The
# last two bars slow down to the second share of it, and a last bar holds the final chord.
_FALL = 0.04
_RITARDANDO_BARS = 2
_FINAL_TEMPO = 0.72
# Within a phrase it is a little faster in the middle and slower at the end, by about this share.
_BREATH = 0.05

# The final chord stays in the middle of the keyboard.
_WHERE_NOTHING_SOUNDED = (72, 60, 45)
_FINAL_BASS = (36, 52)
_FINAL_MELODY = (60, 79)
# Cost of a leap up to the last note of the melody, in semitones.
_DEAR_RISE = 3

# The keys of the final chord stay down while it dies away; instruments that do not die away are faded out in `audio`.
_RING_S = 4.0
_RELEASED_BEFORE_END_S = 1.25


def duration_of(section_count: int, tempo: float, metre: Metre = FOUR_FOUR) -> float:
    """Return the length in seconds of so many arranged sections at a tempo (quarter notes a minute)."""
    return _duration(_quarter_lengths(section_count, tempo, metre))


def steps_of(section_count: int, tempo: float, metre: Metre = FOUR_FOUR, seed: int | None = None) -> tuple[float, ...]:
    """Return the seconds at which `arrange` puts each step of so many sections, and the end of the last chord.

    Without a `seed`, in strict tempo within phrases.
    """
    return tuple(_Clock(section_count, tempo, metre, seed).steps)


def arrange(
    sections: Sequence[Tokens],
    *,
    tonic: int,
    mode: str,
    tempo: float,
    palette: str = "piano",
    seed: int,
    velocity_offset: int = 0,
    pad_gain: float = 1.0,
    melody_shift: int | None = None,
    form: Sequence[str] = (),
    shifts: Sequence[int] = (),
    metre: Metre = FOUR_FOUR,
) -> Performance:
    """Perform sections one after the other.

    Parameters
    ----------
    sections : sequence of arrays of uint8, shape (256, 3)
        Sixteen bars each of melody, inner voice and bass, on tonic C.
    tonic : int
        Pitch class to transpose C to, by the smaller interval.
    mode : str
        ``"major"`` or ``"minor"``.
    tempo : float
        Quarter notes a minute, 20 to 200, at the start. It falls by a few per cent over the piece, and more over the
        last two bars.
    palette : str
        One of `PALETTES`.
    seed : int
        Of the variation between performances: a few milliseconds and units of velocity.
    velocity_offset : int
        Units of velocity above the palette's own touch, 0 to 24.
    pad_gain : float
        Factor of the level at which the palette's pad plays.
    melody_shift : int, optional
        Semitones to transpose the melody by, in place of the smaller interval to the tonic: one of `transpositions` of
        `therapy_gen.music.arranging.voice_leading` that leads there. The other voices then lie below it.
    form : sequence of str, optional
        Labels of the sections, such as ``("A", "A'", "B")``: a section ends on the dominant before a variation of
        itself. Without labels every section is a theme of its own.
    shifts : sequence of int, optional
        Semitones from the key of the piece to that of each section; see
        `therapy_gen.music.arranging.contrast.contrast_shifts`. The first and the last one are in its key.
    metre : Metre, optional
        Of the sections.

    Returns
    -------
    Performance

    Raises
    ------
    InputError
        Where palette or mode is not known, or the tempo is out of range.
    ValueError
        Where there is no section, its shape is not that of a section, or `melody_shift` does not lead to the tonic.

    Examples
    --------
    >>> import numpy as np
    >>> import therapy_gen
    >>> section = np.zeros((256, 3), np.uint8)
    >>> section[::16] = (45, 41, 29)  # a class is a pitch less 19: C5, A flat 4 and so on, once a bar
    >>> piece = therapy_gen.arrange([section], tonic=0, mode="major", tempo=60.0, seed=1)
    >>> piece.tempo
    60.0
    """
    check_palette(palette)
    if mode not in ("major", "minor"):
        raise InputError(f"mode {mode!r} is not known; give major or minor")
    if not sections or any(section.shape != (STEPS_PER_SECTION, len(VOICES)) for section in sections):
        raise ValueError(f"sections must be arrays of shape ({STEPS_PER_SECTION}, {len(VOICES)}), one or more")
    if form and len(form) != len(sections):
        raise ValueError(f"{len(form)} labels for {len(sections)} sections")
    if melody_shift is not None and (melody_shift - tonic) % 12:
        raise ValueError(f"{melody_shift} semitones up do not lead to tonic {tonic}")
    labels = form or [chr(ord("A") + n) for n in range(len(sections))]
    clock = _Clock(len(sections), tempo, metre, seed)
    steps = len(sections) * STEPS_PER_SECTION
    shift = (tonic + 6) % 12 - 6 if melody_shift is None else melody_shift
    away = shifts or [0] * len(sections)
    tonics = [(tonic + semitones) % 12 for semitones in away]
    moved = [transposed(section, semitones) for section, semitones in zip(sections, away, strict=True)]
    lines = gentle_lines(moved, shift, fixed_melody=melody_shift is not None)
    voices = apply_cadences(lines, labels, tonics, mode, metre)
    chords = chords_in_keys([note for line in voices for note in line], tonics, mode, metre)
    voices = let_ring(with_patterns(voices, chords, patterns_of(labels, seed), metre), chords, metre)
    notes = [note for line in voices for note in line]
    final_start, final_end = steps, len(clock.steps) - 1
    chords.append(tonic_chord(final_start, final_end, tonic % 12, mode))
    endings = _final_chord(voices, tonic % 12, mode)
    lines = [
        [*line, *(VoiceNote(final_start, final_end, pitch, voice) for pitch in endings[voice])]
        for voice, line in enumerate(voices)
    ]
    lines.append(pad_notes(chords, notes, metre))
    under = replace(PALETTES[palette].pad, level=min(PALETTES[palette].pad.level * pad_gain, 1.0))
    rng = np.random.default_rng(seed)
    phrasing = Phrasing.drawn(steps, rng)
    parts = [
        perform(
            line,
            instrument=instrument,
            seconds=clock.steps,
            chords=chords,
            rng=rng,
            phrasing=phrasing,
            rolled=rolled,
            velocity_offset=velocity_offset,
        )
        for line, instrument, rolled in zip(
            lines, (*PALETTES[palette].voices, under), _rolled_chords(lines[: len(VOICES)]), strict=True
        )
    ]
    return Performance(
        parts=tuple(parts),
        tempo=clock.tempi[0][1],
        key=key_name(tonic, mode),
        duration=clock.duration,
        palette=palette,
        tempi=clock.tempi,
        metre=metre.name,
    )


class _Clock:
    """Steps of a piece to seconds: a slightly falling tempo, a ritardando, a bar for the final chord, and its decay."""

    def __init__(self, section_count: int, tempo: float, metre: Metre, seed: int | None) -> None:
        lengths = _quarter_lengths(section_count, tempo, metre)
        if seed is not None:
            lengths = _breathing(lengths, metre, np.random.default_rng(seed))
        ends = np.concatenate(([0], np.cumsum(lengths))) / 1e6
        bars = np.arange(len(lengths) // metre.quarters)[:, None] * metre.steps
        inside = bars + np.minimum(np.arange(STEPS_PER_BAR), metre.steps)
        sixteenths = np.append(inside.ravel(), len(lengths) * STEPS_PER_QUARTER)
        self.steps: list[float] = np.interp(sixteenths / STEPS_PER_QUARTER, np.arange(len(ends)), ends).tolist()
        """Seconds at each step of the grid; the last is where the keys of the final chord are released."""
        self.duration = _duration(lengths)
        self.steps[-1] = self.duration - _RELEASED_BEFORE_END_S
        changes = np.flatnonzero(np.diff(lengths, prepend=0)).tolist()
        self.tempi = tuple((float(ends[at]), 60e6 / int(lengths[at])) for at in changes)


def _breathing(lengths: npt.NDArray[np.int64], metre: Metre, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return lengths of quarters with rubato: phrases keep their length, faster in the middle, slower at the end.

    The first quarter, which states the tempo, keeps its length, as do the last two bars and the final chord.
    """
    breathed = lengths.copy()
    size = PHRASE_BARS * metre.quarters
    until = len(lengths) - (1 + _RITARDANDO_BARS) * metre.quarters
    for start in range(0, until, size):
        stop = min(start + size, until)
        place = (np.arange(stop - start) + 0.5) / size
        longer = 1 - _BREATH * rng.uniform(0.7, 1.3) * (np.sin(np.pi * place) - 1.2 * place**4)
        if not start:
            longer[0] = 1.0
        first = start + (not start)
        share = longer[first - start :] / longer[first - start :].mean()
        breathed[first:stop] = np.rint(lengths[first:stop] * share)
        # To the microsecond.
        breathed[stop - 1] += lengths[start:stop].sum() - breathed[start:stop].sum()
    return breathed


def _rolled_chords(lines: Sequence[Sequence[VoiceNote]]) -> list[dict[int, int]]:
    """Return the steps at which voices and pad roll a chord, and how many strokes come before theirs.

    A chord that all voices strike at the start of a phrase is rolled from the bass upwards; the pad is not struck.
    """
    every = PHRASE_BARS * STEPS_PER_BAR
    starts = [{note.start for note in line if not note.start % every} for line in lines]
    common = sorted(set.intersection(*starts)) if starts else []
    return [dict.fromkeys(common, len(lines) - 1 - voice) for voice in range(len(lines))] + [{}]


def _quarter_lengths(section_count: int, tempo: float, metre: Metre) -> npt.NDArray[np.int64]:
    """Return the length of each quarter of a piece in whole microseconds, as a MIDI file counts them."""
    if not (math.isfinite(tempo) and MIN_TEMPO <= tempo <= MAX_TEMPO):
        raise InputError(f"tempo {tempo:g} is not playable; give {MIN_TEMPO:g} to {MAX_TEMPO:g} quarters a minute")
    return np.rint(60e6 / (tempo * _tempo_factors(section_count, metre))).astype(np.int64)


@cache
def _tempo_factors(section_count: int, metre: Metre) -> npt.NDArray[np.float64]:
    """Return the tempo at each quarter, as a share of that at the start (cached: layouts are tried by the hundred)."""
    quarters = section_count * BARS_PER_SECTION * metre.quarters
    factors = np.ones(quarters + metre.quarters)
    phrases = np.arange(quarters) // (PHRASE_BARS * metre.quarters)
    factors[:quarters] = 1 - _FALL * phrases / max(phrases[-1], 1)
    ritardando = _RITARDANDO_BARS * metre.quarters
    slowing = np.arange(1, ritardando + 1) / ritardando
    before = factors[quarters - 1]
    factors[quarters - ritardando : quarters] = before - (before - _FINAL_TEMPO) * slowing**1.5
    factors[quarters:] = _FINAL_TEMPO
    factors.flags.writeable = False
    return factors


def _duration(lengths: npt.NDArray[np.int64]) -> float:
    """Return the seconds to the end of the last sound."""
    return round(int(lengths.sum()) / 1e6 + _RING_S, 3)


def _final_chord(voices: Sequence[Sequence[VoiceNote]], tonic: int, mode: str) -> tuple[tuple[int, ...], ...]:
    """Return the final pitches of each voice: the tonic triad, near the voices' last notes."""
    third, fifth = (tonic + (4 if mode == "major" else 3)) % 12, (tonic + 7) % 12
    last = [line[-1].pitch if line else default for line, default in zip(voices, _WHERE_NOTHING_SOUNDED, strict=True)]
    bass = _nearest(last[2], (tonic,), *_FINAL_BASS)
    melody = _nearest(last[0], (tonic, third), max(_FINAL_MELODY[0], bass + 12), _FINAL_MELODY[1], rise=_DEAR_RISE)
    middle = [tone for tone in (third, fifth, tonic) if tone != melody % 12][:2]
    return (melody,), tuple(_nearest(last[1], (tone,), melody - 12, melody - 1) for tone in middle), (bass,)


def _nearest(pitch: int, pitch_classes: Sequence[int], low: int, high: int, rise: int = 0) -> int:
    """Return the nearest pitch of one of the classes, with a preference for the first; a leap up costs."""
    choices = [
        (abs(choice - pitch) + pitch_classes.index(choice % 12) + (rise if choice > pitch + 2 else 0), choice)
        for choice in range(low, high + 1)
        if choice % 12 in pitch_classes
    ]
    return min(choices)[1]
