"""Excerpts for a model from any MIDI file: the best bars, with remarks on what was changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.music.corpus.bars import Stretch, find_stretches
from therapy_gen.music.corpus.drums import read_drums
from therapy_gen.music.corpus.quantise import Grid, on_grid
from therapy_gen.music.corpus.score import Score, read_score
from therapy_gen.music.corpus.voices import MELODY, extract_voices, outer_lines
from therapy_gen.music.metre import FOUR_FOUR, SIX_EIGHT, Metre
from therapy_gen.music.tokens import STEPS_PER_BAR, STEPS_PER_QUARTER, VOICES, VoiceNote, notes_to_tokens
from therapy_gen.music.tonality import find_key, pitch_class_weights, shift_to_common_tonic

IntArray = npt.NDArray[np.integer]

_QUARTERS_PER_BAR = STEPS_PER_BAR / STEPS_PER_QUARTER
_TOLERANCE = 0.02
# A window with a larger share off the grid is taken only where there is no better one, with a remark.
_MOST_OFF_GRID = 0.1
# Of windows almost as good as the best (of 1), the first is taken.
_AS_GOOD = 0.1
# A piece is repeated to fill up to so many times its length.
_MOST_REPEATS = 4
_MOST_NAMED = 4
_NOTHING = "no note on the piano's 88 keys that is longer than a third of a sixteenth"


@dataclass(frozen=True)
class Excerpt:
    """Bars that were taken from a file.

    Attributes
    ----------
    tokens : int array, shape (bars * 16, voices)
        As the model reads them.
    bar : int
        The first bar, counted from 1, as the file counts them.
    bars : int
        How many bars of the file: fewer than asked for where they are repeated.
    tonic, mode : int, str
        Their key, before they were brought to a common tonic.
    shift : int
        Semitones that were added.
    tempo : float or None
        Quarter notes a minute where they begin; None where the file names none.
    metre : Metre
        In which they were read.
    remarks : tuple of str
        What was left out, changed or doubtful, for the user.
    """

    tokens: IntArray
    bar: int
    bars: int
    tonic: int
    mode: str
    shift: int
    tempo: float | None
    metre: Metre
    remarks: tuple[str, ...]


def take_excerpt(
    path: Path,
    bars: int,
    voices: Sequence[str],
    *,
    common_tonic: bool,
    metres: Sequence[Metre] = (FOUR_FOUR,),
) -> Excerpt:
    """Take the best `bars` bars of a file for a model.

    Bars are read as a corpus reads them (`find_stretches`): those of two quarters in pairs, those of 6/4 as two of 3/4.
    Where there are too few in the metres of the model, all bars are read on as if they had four quarters. A piece that
    is too short is repeated.

    Parameters
    ----------
    path : Path
        MIDI of format 0 or 1, MusicXML or ABC, in any tempo, with any number of tracks.
    bars : int
    voices : sequence of str
        The columns wanted, of ``"melody"``, ``"inner"``, ``"bass"``, ``"drums"``.
    common_tonic : bool
        Transpose the music to the tonic C.
    metres : sequence of Metre
        What the model reads, the usual one first.

    Raises
    ------
    InputError
        Where the file cannot be read or has nothing that the model could read; the text says what was found.
    """
    score = read_score(path)
    remarks: list[str] = []
    own = list(score.remarks)
    drums = read_drums(path) if "drums" in voices else None
    candidates = _candidates(score, bars, metres, remarks)
    shortest = -(-bars // _MOST_REPEATS)
    longest = max((len(each.lines) - 1 for each in candidates), default=0)
    if longest < shortest:
        said = "; ".join([f"it has {longest}", *own, *remarks])
        named = "four quarters" if tuple(metres) == (FOUR_FOUR,) else " or ".join(metre.name for metre in metres)
        raise InputError(f"{path} is too short: {shortest} bars of {named} are needed ({said}); give another file")
    best, silent = _best(score, bars, voices, [each for each in candidates if len(each.lines) > min(bars, longest)])
    if best is None:
        why = "; ".join(own + remarks) or (_NOTHING if silent else "no bars")
        raise InputError(f"{path} has no bars that the model can read ({why}); give another file")
    offset, stretch = best
    if not remarks:
        alike = [each for each in candidates if each.metre == stretch.metre]
        remarks += _left_out(score, alike)
    return _cut(score, bars, voices, offset, stretch, drums, own + remarks, common_tonic=common_tonic)


def _best(
    score: Score, bars: int, voices: Sequence[str], candidates: Sequence[Stretch]
) -> tuple[tuple[int, Stretch] | None, bool]:
    """Return where the best window begins, in which stretch, and whether any was silent."""
    reduce = _reduction(voices)
    best: tuple[float, int, Stretch] | None = None
    silent = False
    for stretch in candidates:
        count, steps = len(stretch.lines) - 1, stretch.metre.steps
        grid = _grid(score, stretch)
        melody = [note for note in reduce(grid, count * steps) if note.voice == MELODY]
        for offset in range(max(count - bars, 0) + 1):
            quality = _quality(melody, grid, offset, min(bars, count), steps)
            if quality <= 0:
                silent = True
            elif best is None or quality > best[0] + _AS_GOOD:
                best = quality, offset, stretch
    return (None if best is None else best[1:]), silent


def _grid(score: Score, stretch: Stretch) -> Grid:
    return on_grid(score, stretch.lines[0], stretch.lines[-1], stretch.steps_per_quarter)


def _candidates(score: Score, bars: int, metres: Sequence[Metre], remarks: list[str]) -> list[Stretch]:
    """Return stretches of the metres, by metre; all are short where none is long enough."""
    found = find_stretches(score)
    longest = max((len(each.lines) - 1 for each in found if each.metre in metres), default=0)
    if longest < bars and (others := _uncovered(score, [each for each in found if each.metre in metres])):
        # Not enough bars: keep the notes' rhythm and ignore the bar lines.
        end = float((score.notes["onset"] + score.notes["duration"]).max())
        begin = float(score.bars[np.searchsorted(score.bars, score.notes["onset"][0] + _TOLERANCE) - 1])
        count = int(np.ceil((end - begin) / _QUARTERS_PER_BAR - _TOLERANCE))
        if count > longest:
            remarks.append(f"{_bars_named(others)}: read on as bars of four, across the bar lines")
            return [Stretch([begin + _QUARTERS_PER_BAR * n for n in range(count + 1)], FOUR_FOUR)]
    if SIX_EIGHT in metres:
        found += [each.in_triplets() for each in found if each.metre == FOUR_FOUR]
    return [each for metre in metres for each in found if each.metre == metre]


def _uncovered(score: Score, stretches: Sequence[Stretch]) -> list[tuple[int, float]]:
    """Return number and quarters of the bars that no stretch has."""
    spans = [(each.lines[0] - _TOLERANCE, each.lines[-1] + _TOLERANCE) for each in stretches]
    return [
        (number, end - start)
        for number, (start, end) in enumerate(pairwise(score.bars.tolist()), 1)
        if not any(first <= start and end <= last for first, last in spans)
    ]


def _left_out(score: Score, stretches: Sequence[Stretch]) -> list[str]:
    """Return in words which bars no stretch has."""
    others = _uncovered(score, stretches)
    remarks = []
    if others and others[0][0] == 1 and others[0][1] < _QUARTERS_PER_BAR and len(others) < len(score.bars) // 2:
        remarks.append(f"bar 1 is a pick-up of {_quarters(others.pop(0)[1])}: left out")
    if others:
        remarks.append(f"{_bars_named(others)}: left out")
    return remarks


def _reduction(voices: Sequence[str]) -> Callable[[Grid, int], list[VoiceNote]]:
    """Return the reduction of notes to lines: that of our models' training data, or the outer lines alone."""
    return _own_lines if "inner" in voices else _outer_lines


def _outer_lines(grid: Grid, steps: int) -> list[VoiceNote]:
    return outer_lines(grid.notes, steps)


def _own_lines(grid: Grid, steps: int) -> list[VoiceNote]:
    """Reduce notes as in our models' training data; a tune without accompaniment is all melody."""
    ordered = sorted(grid.notes)
    alone = all(note[1] <= following[0] for note, following in pairwise(ordered))
    return outer_lines(grid.notes, steps) if alone else extract_voices(grid.notes, steps, grid.part)


def _bars_named(bars: Sequence[tuple[int, float]]) -> str:
    """Return in words which bars have how many quarters."""
    named: list[str] = []
    start = 0
    for n in range(1, len(bars) + 1):
        if n == len(bars) or bars[n][0] != bars[n - 1][0] + 1 or abs(bars[n][1] - bars[start][1]) > _TOLERANCE:
            first, last = bars[start][0], bars[n - 1][0]
            many = f"bars {first} to {last} have" if last > first else f"bar {first} has"
            named.append(f"{many} {_quarters(bars[start][1])}")
            start = n
    if len(named) > _MOST_NAMED:
        named = [*named[: _MOST_NAMED - 1], f"and {len(named) - _MOST_NAMED + 1} more such"]
    return ", ".join(named)


def _quarters(length: float) -> str:
    return f"{length:g} quarter{'s' if length != 1 else ''}"


def _quality(melody: list[VoiceNote], grid: Grid, offset: int, bars: int, steps: int) -> float:
    """Return a window's quality: the share that its melody fills, less the share off the grid; 0 for silence.

    It begins at bar `offset`; each of its bars has so many steps.
    """
    begin, stop = offset * steps, (offset + bars) * steps
    own = [note for note in melody if begin <= note.start < stop]
    if not own:
        return 0.0
    filled = len({step // steps for note in own for step in (note.start, min(note.end, stop) - 1)})
    return filled / bars * (1.0 - grid.off_share(begin, stop))


def _cut(
    score: Score,
    bars: int,
    voices: Sequence[str],
    offset: int,
    stretch: Stretch,
    drums: npt.NDArray[np.float64] | None,
    remarks: list[str],
    *,
    common_tonic: bool,
) -> Excerpt:
    lines, metre = stretch.lines, stretch.metre
    have = min(bars, len(lines) - 1)
    begin, length = offset * metre.steps, have * metre.steps
    grid = _grid(score, stretch)
    notes = [
        note._replace(start=note.start - begin, end=min(note.end, begin + length) - begin)
        for note in _reduction(voices)(grid, (len(lines) - 1) * metre.steps)
        if begin <= note.start < begin + length
    ]
    off = grid.off_share(begin, begin + length)
    if off > _MOST_OFF_GRID:
        share = f"{off:.0%} of its notes"
        remarks.append(f"{share} lie off the sixteenth grid (triplets, free playing): moved to it")
    onsets = int(((grid.start >= begin) & (grid.start < begin + length)).sum())
    _tell_of_notes(score, notes, onsets, voices, remarks)
    key = _key(score, lines[offset])
    pitches = np.array([note.pitch for note in notes])
    lengths = np.array([note.end - note.start for note in notes], dtype=float)
    tonic, mode = find_key(pitch_class_weights(pitches, lengths), *key)
    shift = shift_to_common_tonic(tonic) if common_tonic else 0
    columns = [VOICES.index(name) for name in voices if name in VOICES]
    tokens = _tokens([metre.on_grid(note) for note in notes], shift, have * STEPS_PER_BAR, columns)
    if drums is not None:
        first = lines[offset]
        kinds = np.zeros((length, 1), dtype=np.int64)
        steps = np.rint((drums[:, 0] - first) * STEPS_PER_QUARTER).astype(np.int64)
        for step, kind in zip(steps.tolist(), drums[:, 1].astype(int).tolist(), strict=True):
            if 0 <= step < length:
                kinds[step] |= 1 << kind
        tokens = np.concatenate([tokens, kinds], axis=1)
        if not kinds.any():
            remarks.append("no drums in these bars")
    if have < bars:
        remarks.append(f"only {have} bars long: repeated to fill {bars}")
        tokens = np.tile(tokens, (-(-bars // have), 1))[: bars * STEPS_PER_BAR]
    before = [tempo for tempo in score.tempi if tempo[0] <= lines[offset] + _TOLERANCE]
    first_bar = int(np.searchsorted(score.bars, lines[offset] + _TOLERANCE))
    last_bar = int(np.searchsorted(score.bars, lines[offset + have] - _TOLERANCE))
    tempo = before[-1][1] if before else None
    taken = max(last_bar - first_bar + 1, 1)
    return Excerpt(tokens, first_bar, taken, tonic, mode, shift, tempo, metre, tuple(dict.fromkeys(remarks)))


def _key(score: Score, at: float) -> tuple[int | None, tuple[int, str] | None]:
    """Return the key signature in force, and the key that the file names with it."""
    signed = [key for key in score.keys if key[0] <= at + _TOLERANCE]
    named = [key for key in score.named_keys if key[0] <= at + _TOLERANCE]
    if not signed:
        return None, None
    here = named and abs(named[-1][0] - signed[-1][0]) < _TOLERANCE
    return signed[-1][1], (named[-1][1:] if here else None)


def _tell_of_notes(
    score: Score, notes: list[VoiceNote], onsets: int, voices: Sequence[str], remarks: list[str]
) -> None:
    kept = sum(VOICES[note.voice] in voices for note in notes)
    parts = len(set(score.notes["part"].tolist()))
    if kept < onsets:
        whence = f"{parts} tracks" if parts > 1 else "chords"
        lines = f"{', '.join(voices)}, one note at a time"
        remarks.append(f"{kept} of {onsets} notes are taken: the model reads {lines}, of its {whence}")


def _tokens(notes: list[VoiceNote], shift: int, length: int, columns: list[int]) -> IntArray:
    """Return tokens of the chosen voices; a note that the shift moves off the piano moves by an octave."""
    moved = []
    for note in notes:
        pitch = note.pitch + shift
        pitch += 12 if pitch < 21 else -12 if pitch > 108 else 0
        moved.append(note._replace(pitch=pitch))
    return notes_to_tokens(moved, length)[:, columns].astype(np.int64)
