"""Sixteen-bar windows of one score: stretches of one metre, reduced to voices, transposed and scored."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from therapy_gen.music.analysis.calmness import calmness
from therapy_gen.music.corpus.bars import SOURCES, Stretch, find_stretches
from therapy_gen.music.corpus.quantise import Grid, on_grid
from therapy_gen.music.corpus.score import Score
from therapy_gen.music.corpus.voices import MELODY, extract_voices
from therapy_gen.music.metre import FOUR_FOUR, SIX_EIGHT, Metre
from therapy_gen.music.tokens import BARS_PER_SECTION, STEPS_PER_QUARTER, Tokens, VoiceNote, notes_to_tokens
from therapy_gen.music.tonality import find_key, pitch_class_weights, shift_to_common_tonic

# Calmness is compared at one tempo, a session's, since many scores have none.
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
        Share of onsets that may lie off the sixteenth grid (ornaments, a few triplets). Where more do, and lie on the
        grid of triplets, the music is written in 6/8.
    least_melody_notes : int
        Onsets that the melody must have.
    least_melody_sound : float
        Share of the window in which the melody must sound.
    transpose : int
        Semitones added to every window after transposing to the common tonic.
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
        """Return settings for models of so many bars: all windows, without overlap."""
        repeated = cls.repeat_from_bars if bars == BARS_PER_SECTION else 0
        return cls(stride_bars=1, shortest_bars=bars, repeat_from_bars=repeated)


@dataclass(frozen=True)
class FoundWindow:
    """A window: tokens (256, 3) in the common tonic, where it is from, own key, calmness, bars of music, and metre.

    `bar` is its first bar as the file counts them; `stretch` tells the stretches of a score apart, and `offset` is the
    first bar counted from where its stretch begins: phrases do not count a pick-up.
    """

    tokens: Tokens
    bar: int
    stretch: int
    offset: int
    tonic: int
    mode: str
    calm: float
    length: int = BARS_PER_SECTION
    metre: Metre = FOUR_FOUR


def find_windows(score: Score, settings: WindowSettings, left_out: Counter[str]) -> list[FoundWindow]:
    """Return the usable windows of a score; `left_out` counts the others by reason."""
    windows: list[FoundWindow] = []
    stretches = find_stretches(score, left_out)
    if not stretches:
        left_out[f"scores without a stretch of {', '.join(SOURCES)}"] += 1
    for number, stretch in enumerate(stretches):
        whole_piece = _fills_movement(score, stretch)
        windows += _Cut(score, stretch, 2 * number, whole_piece, settings, left_out).windows()
    return windows


def _fills_movement(score: Score, stretch: Stretch) -> bool:
    """Return whether a movement has no more than two bars beside a stretch."""
    edges = [0.0, *score.ends, float(score.bars[-1])]
    lines = stretch.lines
    begin = max(edge for edge in edges if edge <= lines[0] + _TOLERANCE)
    end = min((edge for edge in edges if edge >= lines[-1] - _TOLERANCE), default=lines[-1])
    return lines[0] - begin + end - lines[-1] <= 2 * (lines[1] - lines[0]) + _TOLERANCE


class _Cut:
    """The windows of one stretch."""

    def __init__(
        self,
        score: Score,
        stretch: Stretch,
        number: int,
        whole_piece: bool,
        settings: WindowSettings,
        left_out: Counter[str],
    ) -> None:
        self.score, self.stretch, self.number = score, stretch, number
        self.whole_piece, self.settings, self.left_out = whole_piece, settings, left_out
        sharps = [key[1] for key in score.keys if key[0] <= stretch.lines[0] + _TOLERANCE]
        self.sharps = sharps[-1] if sharps else None
        self.grid = self._quantised(stretch)

    def _quantised(self, stretch: Stretch) -> Grid:
        return on_grid(self.score, stretch.lines[0], stretch.lines[-1], stretch.steps_per_quarter)

    def windows(self) -> list[FoundWindow]:
        """Return the windows on the sixteenth grid, and those of triplets, written in 6/8."""
        stretch = self.stretch
        bars, steps = len(stretch.lines) - 1, stretch.metre.steps
        least = min(self.settings.shortest_bars, BARS_PER_SECTION)
        off = [
            self.grid.off_share(offset * steps, (offset + BARS_PER_SECTION) * steps) > self.settings.largest_off_grid
            for offset in range(max(bars - BARS_PER_SECTION, 0) + 1)
        ]
        voices = extract_voices(self.grid.notes, bars * steps, self.grid.part)
        if bars < BARS_PER_SECTION and self.whole_piece and self.settings.repeat_from_bars:
            voices, bars = self._repeated(voices, bars)
        if bars < least:
            found = self._in_triplets(off)
            if not found:
                self.left_out[f"stretches of fewer than {_IN_WORDS.get(least, least)} bars"] += 1
            return found
        found = []
        for offset in range(0, len(off), self.settings.stride_bars):
            if off[offset]:
                continue
            window = self._window(voices, stretch, self.number, offset, min(bars, BARS_PER_SECTION))
            found += [window] if window else []
        return found + self._in_triplets(off)

    def _repeated(self, voices: list[VoiceNote], bars: int) -> tuple[list[VoiceNote], int]:
        """Return a short piece repeated, like the verses of a hymn, and how many bars it fills."""
        if bars < self.settings.repeat_from_bars:
            return voices, bars
        length = bars * self.stretch.metre.steps
        again = [note._replace(start=note.start + length, end=note.end + length) for note in voices]
        return sorted(voices + again), BARS_PER_SECTION

    def _in_triplets(self, off: list[bool]) -> list[FoundWindow]:
        """Return windows that lie off the sixteenth grid and on that of triplets."""
        reason = "windows off the grid of sixteenths and of triplets"
        missed = range(0, len(off), self.settings.stride_bars)
        if self.stretch.metre != FOUR_FOUR or not any(off):
            self.left_out[reason] += sum(off[offset] for offset in missed)
            return []
        stretch = self.stretch.in_triplets()
        bars, steps = len(stretch.lines) - 1, SIX_EIGHT.steps
        if bars < min(self.settings.shortest_bars, BARS_PER_SECTION):
            return []
        grid = self._quantised(stretch)
        voices = extract_voices(grid.notes, bars * steps, grid.part)
        found = []
        for offset in range(0, max(bars - BARS_PER_SECTION, 0) + 1, self.settings.stride_bars):
            begin, end = offset * steps, (offset + BARS_PER_SECTION) * steps
            # As many sixteenths are eight bars of 4/4.
            plain = self.grid.off_share(offset * 8, (offset + BARS_PER_SECTION) * 8)
            if plain <= self.settings.largest_off_grid:
                continue
            if grid.off_share(begin, end) > self.settings.largest_off_grid:
                self.left_out[reason] += 1
                continue
            window = self._window(voices, stretch, self.number + 1, offset, min(bars, BARS_PER_SECTION))
            found += [window] if window else []
        return found

    def _window(
        self, voices: list[VoiceNote], stretch: Stretch, number: int, offset: int, length: int
    ) -> FoundWindow | None:
        settings, metre = self.settings, stretch.metre
        begin = offset * metre.steps
        stop = begin + length * metre.steps
        notes = [
            note._replace(start=note.start - begin, end=min(note.end, stop) - begin)
            for note in voices
            if begin <= note.start < stop
        ]
        melody = [note for note in notes if note.voice == MELODY]
        if len(melody) < settings.least_melody_notes * length / BARS_PER_SECTION:
            self.left_out["windows with too few melody notes"] += 1
            return None
        if sum(note.end - note.start for note in melody) < settings.least_melody_sound * length * metre.steps:
            self.left_out["windows whose melody mostly rests"] += 1
            return None
        pitches = np.array([note.pitch for note in notes])
        lengths = np.array([note.end - note.start for note in notes], dtype=float)
        tonic, mode = find_key(pitch_class_weights(pitches, lengths), self.sharps)
        shift = (0 if settings.keep_key else shift_to_common_tonic(tonic)) + settings.transpose
        try:
            tokens = notes_to_tokens(metre.on_grid(note._replace(pitch=note.pitch + shift)) for note in notes)
        except ValueError:
            self.left_out["windows that leave the piano's range when transposed"] += 1
            return None
        seconds = 60.0 / (REFERENCE_QPM * STEPS_PER_QUARTER)
        onsets = np.array([note.start for note in notes]) * seconds
        calm = calmness(onsets, lengths * seconds, pitches + shift).score
        bar = int(np.searchsorted(self.score.bars, stretch.lines[offset] + _TOLERANCE)) - 1
        return FoundWindow(tokens, bar, number, offset, tonic, mode, calm, length, metre)
