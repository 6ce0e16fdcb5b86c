"""Sixteen-bar windows out of one score: stretches of a metre on its own bar lines, voices, common tonic, calmness."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.music.analysis.calmness import calmness
from therapy_gen.music.corpus.score import Score
from therapy_gen.music.corpus.voices import MELODY, extract_voices
from therapy_gen.music.metre import FOUR_FOUR, THREE_FOUR, Metre
from therapy_gen.music.tokens import BARS_PER_SECTION, STEPS_PER_QUARTER, Tokens, VoiceNote, notes_to_tokens
from therapy_gen.music.tonality import find_key, pitch_class_weights, shift_to_common_tonic

# Calmness is compared at one tempo, since many scores name none: that at which a session plays.
REFERENCE_QPM = 66.0
_TOLERANCE = 0.02
_IN_WORDS = {2: "two", 16: "sixteen"}


@dataclass(frozen=True)
class WindowSettings:
    """How windows are cut and which are left out.

    Attributes
    ----------
    stride_bars : int
        Bars from one window of a stretch to the next.
    repeat_from_bars : int
        A whole piece of this many bars or more, but too short for a window, is repeated to fill one (as the verses of
        a hymn are); 0 leaves such pieces out.
    largest_off_grid : float
        Share of onsets that may lie off the sixteenth grid (triplets, ornaments).
    least_melody_notes : int
        Onsets that the melody must have.
    least_melody_sound : float
        Share of the window in which the melody must sound.
    transpose : int
        Semitones added to every window after it was brought to the common tonic.
    keep_key : bool
        Leave windows in their own key.
    shortest_bars : int
        A stretch of this many bars or more, but too short for a window, is one with rests behind it: enough for models
        of fewer than sixteen bars.
    """

    stride_bars: int = 4
    repeat_from_bars: int = 8
    largest_off_grid: float = 0.1
    least_melody_notes: int = 16
    least_melody_sound: float = 0.5
    transpose: int = 0
    keep_key: bool = False
    shortest_bars: int = BARS_PER_SECTION

    @classmethod
    def for_models_of(cls, bars: int) -> WindowSettings:
        """Return how windows are cut for models of so many bars: all there are, none with the same bars twice."""
        repeated = cls.repeat_from_bars if bars == BARS_PER_SECTION else 0
        return cls(stride_bars=1, shortest_bars=bars, repeat_from_bars=repeated)


@dataclass(frozen=True)
class FoundWindow:
    """A window: tokens (256, 3) in the common tonic, its first bar, own key, calmness, bars of music, and metre.

    `offset` is its first bar, counted from where its stretch begins: phrases do not count a pick-up.
    """

    tokens: Tokens
    bar: int
    offset: int
    tonic: int
    mode: str
    calm: float
    length: int = BARS_PER_SECTION
    metre: Metre = FOUR_FOUR


@dataclass(frozen=True)
class Stretch:
    """Consecutive bars of one metre: their lines in quarters, the last one included."""

    lines: list[float]
    metre: Metre


def find_stretches(score: Score, left_out: Counter[str] | None = None) -> list[Stretch]:
    """Return the runs of consecutive bars of four quarters, and those of 3/4.

    Bars of 4/4 and 2/2 count one by one, bars of two quarters (2/4, and halves of a divided bar) in pairs; any other
    bar, a pick-up too, ends a stretch. Bars of 6/8 are as long as those of 3/4, but are not bars of three.
    """
    runs: list[Stretch] = []
    run: list[float] = []
    metre = FOUR_FOUR
    half = False
    for start, end in pairwise(score.bars.tolist()):
        length = end - start
        fits = _metre_of(score, start, length)
        is_half = abs(length - FOUR_FOUR.quarters / 2) < _TOLERANCE
        if half and is_half:
            run.append(end)
            half = False
            continue
        if half or not (fits or is_half) or (run and metre != (fits or FOUR_FOUR)):
            if len(run) > 1:
                runs.append(Stretch(run, metre))
            run, half = [], False
        if fits or is_half:
            run, metre = run or [start], fits or FOUR_FOUR
            half = is_half
            if fits:
                run.append(end)
        elif left_out is not None:
            left_out["bars of neither four quarters nor 3/4"] += 1
    if len(run) > 1:
        runs.append(Stretch(run, metre))
    return runs


def _metre_of(score: Score, start: float, length: float) -> Metre | None:
    """Return the metre of one bar that fills it alone."""
    if abs(length - FOUR_FOUR.quarters) < _TOLERANCE:
        return FOUR_FOUR
    signatures = [(beats, unit) for onset, beats, unit in score.metres if onset <= start + _TOLERANCE]
    triple = abs(length - THREE_FOUR.quarters) < _TOLERANCE and signatures[-1:] == [(3, 4)]
    return THREE_FOUR if triple else None


def find_windows(score: Score, settings: WindowSettings, left_out: Counter[str]) -> list[FoundWindow]:
    """Return the usable windows of a score; `left_out` counts the others by reason."""
    windows: list[FoundWindow] = []
    least = min(settings.shortest_bars, BARS_PER_SECTION)
    stretches = find_stretches(score, left_out)
    if not stretches:
        left_out["scores without a stretch of 4/4, 2/4 or 3/4"] += 1
    for stretch in stretches:
        lines, steps = stretch.lines, stretch.metre.steps
        bars = len(lines) - 1
        first_bar = int(np.searchsorted(score.bars, lines[0] - _TOLERANCE))
        grid = _on_grid(score, lines[0], lines[-1])
        sharps = _signature(score, lines[0])
        voices = extract_voices(zip(grid.start, grid.end, grid.pitch, strict=True), bars * steps)
        off, starts = grid.off, np.asarray(grid.start)
        offsets = list(range(0, bars - BARS_PER_SECTION + 1, settings.stride_bars))
        if bars < BARS_PER_SECTION:
            whole_piece = len(stretches) == 1 and len(score.bars) - 1 <= bars + 2
            offsets = [0]
            if settings.repeat_from_bars and whole_piece and bars >= settings.repeat_from_bars:
                voices, off = _repeat(voices, bars * steps), np.tile(grid.off, 2)
                starts = np.concatenate([starts, starts + bars * steps])
                bars = BARS_PER_SECTION
            elif bars < settings.shortest_bars:
                left_out[f"stretches of fewer than {_IN_WORDS.get(least, least)} bars"] += 1
                continue
        for offset in offsets:
            begin = offset * steps
            inside = (starts >= begin) & (starts < begin + BARS_PER_SECTION * steps)
            if inside.any() and off[inside].mean() > settings.largest_off_grid:
                left_out["windows off the sixteenth grid (triplets)"] += 1
                continue
            length = min(bars, BARS_PER_SECTION)
            window = _window(voices, offset, first_bar, length, stretch.metre, sharps, settings, left_out)
            if window is not None:
                windows.append(window)
    return windows


@dataclass(frozen=True)
class _Grid:
    start: list[int]
    end: list[int]
    pitch: list[int]
    off: npt.NDArray[np.bool_]


def _on_grid(score: Score, begin: float, end: float) -> _Grid:
    notes: npt.NDArray[Any] = score.notes[(score.notes["onset"] >= begin - 0.1) & (score.notes["onset"] < end - 0.1)]
    exact = (notes["onset"] - begin) * STEPS_PER_QUARTER
    start = np.rint(exact)
    stop = np.rint((notes["onset"] + notes["duration"] - begin) * STEPS_PER_QUARTER)
    # A note shorter than a third of a step is an ornament; it has no place on the grid.
    real = (notes["duration"] * STEPS_PER_QUARTER > 1 / 3) & (start >= 0)
    stop = np.maximum(stop, start + 1)
    return _Grid(
        start[real].astype(int).tolist(),
        stop[real].astype(int).tolist(),
        notes["pitch"][real].tolist(),
        (np.abs(exact - start) > 0.15)[real],
    )


def _signature(score: Score, onset: float) -> int | None:
    sharps = [key[1] for key in score.keys if key[0] <= onset + _TOLERANCE]
    return sharps[-1] if sharps else None


def _repeat(voices: list[VoiceNote], length: int) -> list[VoiceNote]:
    again = [note._replace(start=note.start + length, end=note.end + length) for note in voices]
    return sorted(voices + again)


def _window(
    voices: list[VoiceNote],
    offset: int,
    first_bar: int,
    length: int,
    metre: Metre,
    sharps: int | None,
    settings: WindowSettings,
    left_out: Counter[str],
) -> FoundWindow | None:
    begin = offset * metre.steps
    stop = begin + length * metre.steps
    notes = [
        note._replace(start=note.start - begin, end=min(note.end, stop) - begin)
        for note in voices
        if begin <= note.start < stop
    ]
    melody = [note for note in notes if note.voice == MELODY]
    share = length / BARS_PER_SECTION
    if len(melody) < settings.least_melody_notes * share:
        left_out["windows with too few melody notes"] += 1
        return None
    if sum(note.end - note.start for note in melody) < settings.least_melody_sound * length * metre.steps:
        left_out["windows whose melody mostly rests"] += 1
        return None
    pitches = np.array([note.pitch for note in notes])
    lengths = np.array([note.end - note.start for note in notes], dtype=float)
    tonic, mode = find_key(pitch_class_weights(pitches, lengths), sharps)
    shift = (0 if settings.keep_key else shift_to_common_tonic(tonic)) + settings.transpose
    try:
        tokens = notes_to_tokens(metre.on_grid(note._replace(pitch=note.pitch + shift)) for note in notes)
    except ValueError:
        left_out["windows that leave the piano's range when transposed"] += 1
        return None
    seconds = 60.0 / (REFERENCE_QPM * STEPS_PER_QUARTER)
    onsets = np.array([note.start for note in notes]) * seconds
    calm = calmness(onsets, lengths * seconds, pitches + shift).score
    return FoundWindow(tokens, first_bar + offset, offset, tonic, mode, calm, length, metre)
