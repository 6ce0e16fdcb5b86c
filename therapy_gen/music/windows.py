"""Sixteen-bar windows out of one score: stretches of 4/4 on its own bar lines, voices, common tonic, calmness."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.music.calmness import calmness
from therapy_gen.music.score import Score
from therapy_gen.music.tokens import (
    BARS_PER_SECTION,
    STEPS_PER_BAR,
    STEPS_PER_QUARTER,
    STEPS_PER_SECTION,
    Tokens,
    VoiceNote,
    notes_to_tokens,
)
from therapy_gen.music.tonality import find_key, pitch_class_weights, shift_to_common_tonic
from therapy_gen.music.voices import MELODY, extract_voices

QUARTERS_PER_BAR = STEPS_PER_BAR / STEPS_PER_QUARTER
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


@dataclass(frozen=True)
class FoundWindow:
    """A window: tokens (256, 3) in the common tonic, its first bar, own key, calmness, and bars of music."""

    tokens: Tokens
    bar: int
    tonic: int
    mode: str
    calm: float
    length: int = BARS_PER_SECTION


def find_stretches(bars: npt.NDArray[np.float64], left_out: Counter[str] | None = None) -> list[list[float]]:
    """Return runs of consecutive bars of four quarters as lists of bar lines (the last one included).

    Bars of 4/4 and 2/2 count one by one, bars of two quarters (2/4, and halves of a divided bar) in pairs; any other
    bar, a pick-up too, ends a stretch.
    """
    runs: list[list[float]] = []
    run: list[float] = []
    half: float | None = None
    for start, end in pairwise(bars.tolist()):
        length = end - start
        whole = abs(length - QUARTERS_PER_BAR) < _TOLERANCE
        if whole and half is None:
            run = run or [start]
            run.append(end)
            continue
        if abs(length - QUARTERS_PER_BAR / 2) < _TOLERANCE:
            if half is None:
                half = start
                run = run or [start]
            else:
                run.append(end)
                half = None
            continue
        if len(run) > 1:
            runs.append(run)
        run, half = ([start, end], None) if whole else ([], None)
        if not whole and left_out is not None:
            left_out["bars of another length than four quarters"] += 1
    if len(run) > 1:
        runs.append(run)
    return runs


def find_windows(score: Score, settings: WindowSettings, left_out: Counter[str]) -> list[FoundWindow]:
    """Return the usable windows of a score; `left_out` counts the others by reason."""
    windows: list[FoundWindow] = []
    least = min(settings.shortest_bars, BARS_PER_SECTION)
    stretches = find_stretches(score.bars, left_out)
    if not stretches:
        left_out["scores without a stretch of 4/4 or 2/4"] += 1
    for lines in stretches:
        bars = len(lines) - 1
        first_bar = int(np.searchsorted(score.bars, lines[0] - _TOLERANCE))
        grid = _on_grid(score, lines[0], lines[-1])
        sharps = _signature(score, lines[0])
        voices = extract_voices(zip(grid.start, grid.end, grid.pitch, strict=True), bars * STEPS_PER_BAR)
        if bars < BARS_PER_SECTION:
            whole_piece = len(stretches) == 1 and len(score.bars) - 1 <= bars + 2
            offsets = [0]
            if settings.repeat_from_bars and whole_piece and bars >= settings.repeat_from_bars:
                voices, off = _repeat(voices, bars), np.tile(grid.off, 2)
                starts = np.concatenate([grid.start, np.asarray(grid.start) + bars * STEPS_PER_BAR])
                bars = BARS_PER_SECTION
            elif bars >= settings.shortest_bars:
                off, starts = grid.off, np.asarray(grid.start)
            else:
                left_out[f"stretches of fewer than {_IN_WORDS.get(least, least)} bars"] += 1
                continue
        else:
            off, starts = grid.off, np.asarray(grid.start)
            offsets = list(range(0, bars - BARS_PER_SECTION + 1, settings.stride_bars))
        for offset in offsets:
            begin = offset * STEPS_PER_BAR
            inside = (starts >= begin) & (starts < begin + STEPS_PER_SECTION)
            if inside.any() and off[inside].mean() > settings.largest_off_grid:
                left_out["windows off the sixteenth grid (triplets)"] += 1
                continue
            length = min(bars, BARS_PER_SECTION)
            window = _window(voices, begin, first_bar + offset, length, sharps, settings, left_out)
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


def _repeat(voices: list[VoiceNote], bars: int) -> list[VoiceNote]:
    length = bars * STEPS_PER_BAR
    again = [note._replace(start=note.start + length, end=note.end + length) for note in voices]
    return sorted(voices + again)


def _window(
    voices: list[VoiceNote],
    begin: int,
    bar: int,
    length: int,
    sharps: int | None,
    settings: WindowSettings,
    left_out: Counter[str],
) -> FoundWindow | None:
    stop = begin + length * STEPS_PER_BAR
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
    if sum(note.end - note.start for note in melody) < settings.least_melody_sound * share * STEPS_PER_SECTION:
        left_out["windows whose melody mostly rests"] += 1
        return None
    pitches = np.array([note.pitch for note in notes])
    lengths = np.array([note.end - note.start for note in notes], dtype=float)
    tonic, mode = find_key(pitch_class_weights(pitches, lengths), sharps)
    shift = (0 if settings.keep_key else shift_to_common_tonic(tonic)) + settings.transpose
    try:
        tokens = notes_to_tokens(note._replace(pitch=note.pitch + shift) for note in notes)
    except ValueError:
        left_out["windows that leave the piano's range when transposed"] += 1
        return None
    seconds = 60.0 / (REFERENCE_QPM * STEPS_PER_QUARTER)
    onsets = np.array([note.start for note in notes]) * seconds
    calm = calmness(onsets, lengths * seconds, pitches + shift).score
    return FoundWindow(tokens, bar, tonic, mode, calm, length)
