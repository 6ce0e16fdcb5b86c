"""New sections from real ones: each bar moved along the scale to a new harmony.

The plan of a section is a real one: the rhythm of every voice, how lines move within a bar, which bars return. Every
bar is moved by some steps of the scale, all its voices together, so that chords stay chords. The moves are chosen so
that chords follow each other as they do in calm music, cadences stay, and lines go on over bar lines as those of the
plan do; bars that are alike move alike, and no two bars in a row stay where they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from therapy_gen.musicvae.features import NOTE_OFF, sounding

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Tokens = npt.NDArray[np.uint8]

_STEPS_PER_BAR = 16
_PHRASE_BARS = 4
_FIRST_PITCH = 2
_LOWEST = 21
_CLASSES = 90
_DEGREES = 7
_SCALES = (np.array([0, 2, 4, 5, 7, 9, 11]), np.array([0, 2, 3, 5, 7, 8, 10]))
# Steps of the scale by which a bar may be moved.
MOVES = np.arange(-3, 4)
# How much each voice counts where lines are compared: melody, inner voice, bass.
_VOICES = np.array([1.0, 0.6, 0.8])
# The bass, and what sounds on a beat, says more of the chord of a bar; so does the first bass note.
_BASS, _ON_BEATS, _ROOT, _FIRST_BASS = 1.5, 1.5, 1.2, 0.15
_LAGS = (2, 4, 8)
_ALIKE = 0.6
_FEW_NOTES = 2
_WIDEST = 10
_BEAM = 48
# Cost of moving a bar of a variation as in its section.
_AS_BEFORE = 1.5


@dataclass(frozen=True)
class Costs:
    """Costs of moves.

    Attributes
    ----------
    progression : float
        Of the negative logarithm of how often calm music goes from chord to chord.
    interval, direction : float
        Over bar lines: for each semitone that a line leaps more or less than in the plan; for another direction.
    tie : float
        For a note held into a bar that moves otherwise, by quarters.
    altered : float
        For the share of notes outside the scale in a bar that moves.
    alike : float
        For bars that are alike and move differently.
    cadence : float
        For the end of a phrase on tonic or dominant that would be on another chord.
    unmoved, unmoved_again, again : float
        For a bar that stays; for a second one in a row; for a fifth one in a row to move by the same steps.
    distance, chance : float
        For each step; size of a random term.
    """

    progression: float = 1.2
    interval: float = 0.2
    direction: float = 0.7
    tie: float = 1.5
    altered: float = 1.6
    alike: float = 1.0
    cadence: float = 1.5
    unmoved: float = -0.3
    unmoved_again: float = 4.0
    again: float = 3.0
    distance: float = 0.12
    chance: float = 0.15


class _Bar(NamedTuple):
    """A bar of a plan: its degree, ends of its lines, quarters that notes of before are held, share of raised notes."""

    degree: int
    first: IntArray
    last: IntArray
    held: FloatArray
    altered: float
    notes: int


def _degrees_of(minor: bool) -> tuple[IntArray, IntArray]:
    """Return, for each pitch class, its degree of the scale and the semitones by which it is raised."""
    degree = np.array([np.flatnonzero(_SCALES[minor] <= pitch_class)[-1] for pitch_class in range(12)])
    return degree, np.arange(12) - _SCALES[minor][degree]


def moved_classes(minor: bool) -> IntArray:
    """Return the class (moves, classes) that each class becomes by each of `MOVES`; raised notes stay raised."""
    degree, raised = _degrees_of(minor)
    classes = np.arange(_CLASSES)
    pitch = classes - _FIRST_PITCH + _LOWEST
    octave, step = np.divmod(degree[pitch % 12] + MOVES[:, None], _DEGREES)
    moved = 12 * (pitch // 12 + octave) + _SCALES[minor][step] + raised[pitch % 12] - _LOWEST + _FIRST_PITCH
    return np.where(classes < _FIRST_PITCH, classes, moved.clip(_FIRST_PITCH, _CLASSES - 1))


_MOVED = (moved_classes(False), moved_classes(True))


def _bar_degrees(tokens: Tokens, minor: bool) -> IntArray:
    """Return the degree (bars,) of the triad that holds most of each bar of a section (steps, voices)."""
    degree, _ = _degrees_of(minor)
    heard = sounding(tokens).astype(np.int64).reshape(-1, _STEPS_PER_BAR, tokens.shape[-1])
    pitch = np.where(heard >= _FIRST_PITCH, heard - _FIRST_PITCH + _LOWEST, 0)
    weight = (pitch > 0) * np.where(np.arange(_STEPS_PER_BAR) % 4 == 0, _ON_BEATS, 1.0)[:, None]
    weight = weight * np.array([1.0] * (tokens.shape[-1] - 1) + [_BASS])
    of_note = degree[pitch % 12]
    held = np.stack([(weight * (of_note == d)).sum(axis=(1, 2)) for d in range(_DEGREES)], axis=1)
    triads = np.stack(
        [_ROOT * held[:, d] + held[:, (d + 2) % _DEGREES] + held[:, (d + 4) % _DEGREES] for d in range(_DEGREES)],
        axis=1,
    )
    for row, bass in enumerate(pitch[:, :, -1]):
        if (bass > 0).any():
            triads[row, degree[bass[bass > 0][0] % 12]] += _FIRST_BASS * held[row].sum()
    return np.asarray(triads.argmax(axis=1))


def fit_progressions(tokens: Tokens, minor: BoolArray) -> FloatArray:
    """Count how chords follow each other in sections (n, steps, voices).

    Returns
    -------
    array, shape (2, 4, 7, 7)
        By mode and place in the phrase of the bar that follows: the negative logarithm of the share of each degree
        after each.
    """
    counts = np.full((2, _PHRASE_BARS, _DEGREES, _DEGREES), 0.5)
    for section, is_minor in zip(tokens, minor, strict=True):
        degrees = _bar_degrees(section, bool(is_minor))
        for bar in range(1, len(degrees)):
            counts[int(is_minor), bar % _PHRASE_BARS, degrees[bar - 1], degrees[bar]] += 1
    return np.asarray(-np.log(counts / counts.sum(axis=-1, keepdims=True)))


def varied(
    plan: Tokens,
    minor: bool,
    progressions: FloatArray,
    rng: np.random.Generator,
    costs: Costs | None = None,
    kept: Sequence[int] = (),
    without: Sequence[int] = (),
) -> tuple[Tokens, IntArray]:
    """Write a section on the plan of another, by a beam search.

    Parameters
    ----------
    plan : array of uint8, shape (steps, voices)
    minor : bool
    progressions : array
        Of `fit_progressions`.
    rng : Generator
    costs : Costs, optional
    kept : sequence of int
        Moves of the first bars, to be the same as in an earlier section.
    without : sequence of int
        Moves of all bars of an earlier section, to be avoided after the kept ones.

    Returns
    -------
    tokens : array of uint8, shape (steps, voices)
    moves : int array, shape (bars,)
        By how many steps of the scale each bar was moved.
    """
    costs = costs or Costs()
    own = plan.reshape(-1, _STEPS_PER_BAR, plan.shape[-1])
    begun = own > NOTE_OFF
    bars = _bars(plan, minor)
    contents = [own[n].tobytes() + bars[n].held.tobytes() for n in range(len(own))]
    first = [contents.index(content) for content in contents]
    alike = _likeness(plan)
    table = _MOVED[minor]
    moves = np.zeros((1, len(own)), dtype=np.int64)
    last = np.zeros((1, plan.shape[-1]), dtype=np.int64)
    planned = np.zeros(plan.shape[-1], dtype=np.int64)
    total = np.zeros(1)
    for n, bar in enumerate(bars):
        if n < len(kept):
            choices = np.full((len(moves), 1), int(kept[n]))
        elif first[n] < n:
            choices = moves[:, [first[n]]]
        else:
            choices = np.broadcast_to(MOVES, (len(moves), len(MOVES)))
        cost = total[:, None] + _joined(
            n, bar, bars, choices, moves, last, planned, table, progressions[int(minor)], costs
        )
        if n >= len(kept) and first[n] == n:
            cost = cost + _own(n, bar, choices, costs) + costs.chance * rng.standard_exponential(choices.shape[1])
            for lag in _LAGS:
                if lag <= n:
                    cost = cost + costs.alike * alike[lag][n - lag] * (choices != moves[:, [n - lag]])
            if len(without):
                cost = cost + _AS_BEFORE * (choices == without[n])
        best = np.argsort(cost, axis=None, kind="stable")[:_BEAM]
        rows, columns = np.unravel_index(best, cost.shape)
        moves, total = moves[rows].copy(), cost[rows, columns]
        moves[:, n] = choices[rows, columns]
        ends = table[moves[:, n] - MOVES[0]][:, bar.last]
        last = np.where(bar.last > 0, ends, last[rows])
        planned = np.where(bar.last > 0, bar.last, planned)
    chosen = moves[0]
    written = [np.where(begun[n], table[chosen[n] - MOVES[0]][own[n]], own[n]) for n in range(len(own))]
    return np.stack(written).reshape(plan.shape).astype(np.uint8), chosen


def _bars(plan: Tokens, minor: bool) -> list[_Bar]:
    """Describe the bars of a plan."""
    own = plan.astype(np.int64).reshape(-1, _STEPS_PER_BAR, plan.shape[-1])
    heard = sounding(plan).reshape(own.shape)
    begun = own > NOTE_OFF
    _, raised = _degrees_of(minor)
    found = []
    for bar, sounds, starts, degree in zip(own, heard, begun, _bar_degrees(plan, minor), strict=True):
        any_start = starts.any(axis=0)
        at_first = starts.argmax(axis=0)
        at_last = _STEPS_PER_BAR - 1 - starts[::-1].argmax(axis=0)
        voices = np.arange(plan.shape[-1])
        tied = (bar[0] == 0) & (sounds[0] >= _FIRST_PITCH)
        changes = bar != 0
        until = np.where(changes.any(axis=0), changes.argmax(axis=0), _STEPS_PER_BAR)
        pitches = bar[starts] - _FIRST_PITCH + _LOWEST
        found.append(
            _Bar(
                int(degree),
                np.where(any_start, bar[at_first, voices], 0),
                np.where(any_start, bar[at_last, voices], 0),
                np.where(tied, until / 4, 0.0),
                float((raised[pitches % 12] > 0).mean()) if len(pitches) else 0.0,
                int(starts.sum()),
            )
        )
    return found


def _likeness(plan: Tokens) -> dict[int, FloatArray]:
    """Return the similarity of each bar to the one so many bars before; 0 where it is low."""
    own = plan.reshape(-1, _STEPS_PER_BAR, plan.shape[-1])
    begun = own > NOTE_OFF
    heard = sounding(plan).reshape(own.shape)
    found = {}
    for lag in _LAGS:
        rhythm = (begun[lag:] == begun[:-lag]).all(axis=-1).mean(axis=1)
        sound = (heard[lag:] == heard[:-lag]).mean(axis=(1, 2))
        found[lag] = np.where((rhythm > _ALIKE) | (sound > _ALIKE), (rhythm + sound) / 2, 0.0)
    return found


def _own(n: int, bar: _Bar, choices: IntArray, costs: Costs) -> FloatArray:
    """Return the costs of a bar's moves by themselves."""
    cost = costs.distance * np.abs(choices) + costs.altered * bar.altered * (choices != 0)
    if bar.notes > _FEW_NOTES:
        cost = cost + costs.unmoved * (choices == 0)
    if n % _PHRASE_BARS == _PHRASE_BARS - 1 and bar.degree in (0, 4):
        degree = (bar.degree + choices) % _DEGREES
        cost = cost + costs.cadence * ~np.isin(degree, (0, 4))
    return np.asarray(cost)


def _joined(
    n: int,
    bar: _Bar,
    bars: Sequence[_Bar],
    choices: IntArray,
    moves: IntArray,
    last: IntArray,
    planned: IntArray,
    table: IntArray,
    progressions: FloatArray,
    costs: Costs,
) -> FloatArray:
    """Return the costs (paths, choices) of a moved bar after the bars before it."""
    degree = (bar.degree + choices) % _DEGREES
    if n == 0:
        return np.asarray(costs.progression * progressions[0, 0][degree])
    before = moves[:, [n - 1]]
    cost = costs.progression * progressions[n % _PHRASE_BARS][(bars[n - 1].degree + before) % _DEGREES, degree]
    if min(bar.notes, bars[n - 1].notes) > _FEW_NOTES:
        cost = cost + costs.unmoved_again * ((choices == 0) & (before == 0))
        if n >= _PHRASE_BARS:
            run = (moves[:, n - _PHRASE_BARS : n] == before).all(axis=1, keepdims=True)
            cost = cost + costs.again * ((choices == before) & run)
    for voice, weight in enumerate(_VOICES[: len(last[0])]):
        cost = cost + costs.tie * weight * min(bar.held[voice], 1.5) * (choices != before)
        if bar.first[voice] and planned[voice]:
            step = table[choices - MOVES[0], bar.first[voice]] - last[:, [voice]]
            wanted = int(bar.first[voice] - planned[voice])
            wider = np.minimum(np.abs(np.abs(step) - abs(wanted)), _WIDEST)
            cost = cost + weight * (costs.interval * wider + costs.direction * (np.sign(step) != np.sign(wanted)))
    return np.asarray(cost)
