"""Figures of sections of music: scale, tonal tension, dissonance, histograms and their overlap, copies, holes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from therapy_gen.music.analysis.calmness import calmness
from therapy_gen.music.analysis.tension import DISTANCES, KEYS, PITCHES, UNIT
from therapy_gen.music.corpus.windows import REFERENCE_QPM
from therapy_gen.music.tokens import (
    BARS_PER_SECTION,
    FIRST_PITCH_CLASS,
    MIN_PITCH,
    STEPS_PER_BAR,
    STEPS_PER_QUARTER,
    STEPS_PER_SECTION,
    Tokens,
    tokens_to_notes,
)
from therapy_gen.musicvae.features import NOTE_OFF, sounding

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_SCALES = np.array([np.roll([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1], tonic) for tonic in range(12)])
# Seconds, sevenths and the tritone, as distances of pitch classes.
_DISSONANT = np.isin(np.arange(12), (1, 2, 6, 10, 11))
# Upper ends of the bins of durations, in sixteenths.
_DURATIONS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
# Two bars are only a copy where there is something to copy.
_LEAST_COPIED_NOTES = 4
COPIED_BARS = 2
# A section is nearly empty where a note begins in fewer bars than this, and stuck where its melody begins nothing new
# for so many.
LEAST_FILLED_BARS = 12
STUCK_BARS = 4


@dataclass(frozen=True)
class Sections:
    """Figures of each of n sections.

    Attributes
    ----------
    calm, notes_a_bar, interval, scale, diameter, strain, dissonance : arrays of shape (n,)
        Calmness at 66 quarter notes a minute; onsets in all voices; mean semitones between melody notes; share of notes
        in the scale that holds most; cloud diameter and tensile strain, means over quarters; share of simultaneous
        intervals, by time, that are seconds, sevenths or tritones.
    empty, stuck : bool arrays of shape (n,)
    histograms : mapping of str to array of shape (n, bins)
        Pitch class, melody interval, duration: shares; density: notes a bar.
    """

    calm: FloatArray
    notes_a_bar: FloatArray
    interval: FloatArray
    scale: FloatArray
    diameter: FloatArray
    strain: FloatArray
    dissonance: FloatArray
    empty: BoolArray
    stuck: BoolArray
    histograms: Mapping[str, FloatArray]


def measure_sections(tokens: Tokens, minor: BoolArray) -> Sections:
    """Measure sections (n, steps, voices) on the tonic C, `minor` (n,) or not."""
    count = len(tokens)
    calm, interval = np.zeros(count), np.zeros(count)
    classes, steps, lengths = np.zeros((count, 12)), np.zeros((count, 25)), np.zeros((count, len(_DURATIONS) + 1))
    for n, section in enumerate(tokens):
        notes = np.array(tokens_to_notes(section)).reshape(-1, 4)
        if not len(notes):
            continue
        seconds = 60.0 / REFERENCE_QPM / STEPS_PER_QUARTER
        calm[n] = calmness(notes[:, 0] * seconds, (notes[:, 1] - notes[:, 0]) * seconds, notes[:, 2]).score
        classes[n] = np.bincount(notes[:, 2] % 12, minlength=12) / len(notes)
        lengths[n] = np.bincount(np.searchsorted(_DURATIONS, notes[:, 1] - notes[:, 0]), minlength=11) / len(notes)
        leaps = np.diff(notes[notes[:, 3] == 0, 2])
        if len(leaps):
            interval[n] = np.abs(leaps).mean()
            steps[n] = np.bincount(leaps.clip(-12, 12) + 12, minlength=25) / len(leaps)
    starts = tokens > NOTE_OFF
    begun = starts.reshape(count, BARS_PER_SECTION, STEPS_PER_BAR, -1)
    density = starts.sum(axis=(1, 2)) / BARS_PER_SECTION
    diameter, strain = tension(tokens, minor)
    return Sections(
        calm=calm,
        notes_a_bar=density,
        interval=interval,
        scale=(classes @ _SCALES.T).max(axis=1),
        diameter=diameter,
        strain=strain,
        dissonance=dissonance(tokens),
        empty=begun.any(axis=(2, 3)).sum(axis=1) < LEAST_FILLED_BARS,
        stuck=_longest_standstill(tokens) >= STUCK_BARS * STEPS_PER_BAR,
        histograms={"pitch class": classes, "interval": steps, "duration": lengths, "density": density[:, None]},
    )


def _pitches(tokens: Tokens) -> npt.NDArray[np.int64]:
    """Return the MIDI pitch that each voice sounds at each step, 0 where it is silent."""
    heard = sounding(tokens).astype(np.int64)
    return np.where(heard >= FIRST_PITCH_CLASS, heard - FIRST_PITCH_CLASS + MIN_PITCH, 0)


def tension(tokens: Tokens, minor: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return mean cloud diameter and tensile strain (n,) over the quarters of sections in which something sounds."""
    pitches = _pitches(tokens)
    count, voices = len(pitches), pitches.shape[-1]
    quarters = pitches.reshape(count, -1, STEPS_PER_QUARTER * voices)
    heard = np.stack([((quarters % 12 == c) & (quarters > 0)).sum(axis=-1) for c in range(12)], axis=-1).astype(float)
    present = heard > 0
    some = present.any(axis=-1)
    pairs = present[..., :, None] & present[..., None, :]
    diameter = np.where(pairs, DISTANCES, 0.0).max(axis=(-1, -2)) / UNIT
    centre = heard @ PITCHES / np.maximum(heard.sum(axis=-1, keepdims=True), 1.0)
    strain = np.linalg.norm(centre - KEYS[minor.astype(int)][:, None], axis=-1) / UNIT
    filled = np.maximum(some.sum(axis=1), 1)
    return (diameter * some).sum(axis=1) / filled, (strain * some).sum(axis=1) / filled


def dissonance(tokens: Tokens) -> FloatArray:
    """Return the share (n,) of intervals between sounding voices, step by step, that are dissonant."""
    pitches = _pitches(tokens)
    clashes, intervals = np.zeros(len(tokens)), np.zeros(len(tokens))
    for a in range(pitches.shape[-1]):
        for b in range(a):
            both = (pitches[..., a] > 0) & (pitches[..., b] > 0)
            clashes += (_DISSONANT[np.abs(pitches[..., a] - pitches[..., b]) % 12] & both).sum(axis=1)
            intervals += both.sum(axis=1)
    return clashes / np.maximum(intervals, 1)


def _longest_standstill(tokens: Tokens) -> npt.NDArray[np.int64]:
    """Return the most steps (n,) for which no voice begins another pitch than the one it had."""
    pitches = _pitches(tokens)
    pitches[tokens == NOTE_OFF] = 0
    moves = np.zeros(pitches.shape[:2], dtype=bool)
    for voice in range(pitches.shape[-1]):
        line = pitches[..., voice]
        last = np.zeros(len(line), dtype=np.int64)
        for step in range(line.shape[1]):
            new = (line[:, step] > 0) & (line[:, step] != last)
            moves[:, step] |= new
            last = np.where(line[:, step] > 0, line[:, step], last)
    longest = np.zeros(len(tokens), dtype=np.int64)
    still = np.zeros(len(tokens), dtype=np.int64)
    for step in range(moves.shape[1]):
        still = np.where(moves[:, step], 0, still + 1)
        longest = np.maximum(longest, still)
    return longest


def phrases(tokens: Tokens) -> set[bytes]:
    """Return every two bars in succession of sections (n, steps, voices) in which something happens."""
    return {phrase for section in tokens for phrase in _phrases(section)}


def _phrases(section: Tokens) -> list[bytes]:
    found = []
    for begin in range(0, STEPS_PER_SECTION - COPIED_BARS * STEPS_PER_BAR + 1, STEPS_PER_BAR):
        part = section[begin : begin + COPIED_BARS * STEPS_PER_BAR]
        if (part > NOTE_OFF).sum() >= _LEAST_COPIED_NOTES:
            found.append(np.ascontiguousarray(part).tobytes())
    return found


def copies(tokens: Tokens, known: set[bytes]) -> BoolArray:
    """Return which sections (n,) hold two bars in succession that stand in `known`."""
    return np.array([any(phrase in known for phrase in _phrases(section)) for section in tokens])


def overlap_area(real: FloatArray, made: FloatArray, bins: int = 400) -> float:
    """Return the overlap of the distances within real sections with those from them to made ones, from 0 to 1.

    Parameters
    ----------
    real, made : arrays of shape (n, bins) and (m, bins)
        One histogram a section.

    Notes
    -----
    Yang & Lerch 2020, On the evaluation of generative models in music (Neural Computing and Applications 32:4773):
    Euclidean distances of all pairs, densities estimated with Gaussian kernels of Scott's width. Here the kernels are
    laid on a fine grid.
    """
    within = _pairwise(real, real)[np.triu_indices(len(real), 1)]
    between = _pairwise(real, made).ravel()
    low, high = min(within.min(), between.min()), max(within.max(), between.max())
    margin = 0.25 * (high - low) + 1e-9
    edges = np.linspace(low - margin, high + margin, bins + 1)
    return float(np.minimum(_smoothed(within, edges), _smoothed(between, edges)).sum())


def _pairwise(a: FloatArray, b: FloatArray) -> FloatArray:
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0.0))


def _smoothed(values: FloatArray, edges: FloatArray) -> FloatArray:
    shares = np.histogram(values, edges)[0] / len(values)
    width = values.std() * len(values) ** -0.2 / (edges[1] - edges[0])
    reach = int(np.ceil(4 * width)) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(width, 1e-3)) ** 2)
    return np.convolve(shares, kernel / kernel.sum(), mode="same")[: len(shares)]


def histogram_overlap(real: FloatArray, made: FloatArray) -> float:
    """Return the share that the mean histograms of real and made sections have in common."""
    return float(np.minimum(real.mean(axis=0), made.mean(axis=0)).sum())
