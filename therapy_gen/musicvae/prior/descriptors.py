"""What a section is like as a whole, in a few numbers: the prior is told them, so that its bars belong together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from therapy_gen.musicvae.features import HOLD, NOTE_OFF, sounding

FloatArray = npt.NDArray[np.float32]
Tokens = npt.NDArray[np.uint8]

# Melody intervals in semitones, up to and including: repeated notes, semitones, whole tones, thirds, fifths.
_INTERVALS = (0, 1, 2, 4, 7)
_STEPS_PER_BAR = 16
_PITCH_CLASSES = 12
# Bars so many apart are compared.
_LAGS = (1, 2, 4, 8)

DENSITY = 0
# The columns of the melody: kinds of intervals, their mean, the range.
MELODY = slice(4, 4 + len(_INTERVALS) + 2)


def section_descriptors(tokens: Tokens) -> FloatArray:
    """Measure sections (n, steps, voices).

    Returns
    -------
    array of float32, shape (n, 21 + 2 * voices)
        Notes a bar of all voices (column `DENSITY`); of each voice the square root of its notes a bar; of the melody
        (columns `MELODY`) the shares of repeated notes, semitones, whole tones, thirds, fourths to fifths among its
        intervals, their mean, and its range (5th to 95th percentile), in semitones; of each voice the mean pitch; the
        square root of each pitch class's share of the notes; the share of steps that a bar has in common with the most
        similar of the bars one, two, four and eight before.
    """
    starts = tokens > NOTE_OFF
    count, steps, _ = tokens.shape
    bars = steps / _STEPS_PER_BAR
    of_voice = starts.sum(axis=1) / bars
    heights = np.where(starts, tokens, 0).sum(axis=1) / np.maximum(starts.sum(axis=1), 1)
    melody = np.zeros((count, len(_INTERVALS) + 2))
    classes = np.zeros((count, _PITCH_CLASSES))
    for n, section in enumerate(tokens):
        pitches = section[:, 0][starts[n, :, 0]].astype(np.int64)
        classes[n] = np.bincount(section[starts[n]] % _PITCH_CLASSES, minlength=_PITCH_CLASSES)
        if len(pitches) > 1:
            sizes = np.abs(np.diff(pitches))
            kinds = np.bincount(np.searchsorted(_INTERVALS, sizes), minlength=len(_INTERVALS) + 1) / len(sizes)
            melody[n] = (*kinds[: len(_INTERVALS)], sizes.mean(), np.ptp(np.percentile(pitches, [5, 95])))
    shares = classes / np.maximum(classes.sum(axis=1, keepdims=True), 1)
    columns = (of_voice.sum(axis=1), np.sqrt(of_voice), melody, heights, np.sqrt(shares), _returning(tokens))
    return np.concatenate([np.reshape(column, (count, -1)) for column in columns], axis=1).astype(np.float32)


def _returning(tokens: Tokens) -> FloatArray:
    """Return the mean share (n,) of steps at which a bar does what the most similar earlier one did."""
    sound = np.where((tokens == HOLD) | (tokens == NOTE_OFF), sounding(tokens), -tokens.astype(np.int32))
    bars = sound.reshape(len(tokens), -1, _STEPS_PER_BAR, tokens.shape[-1])
    most = np.zeros(bars.shape[:2], dtype=np.float32)
    for lag in _LAGS:
        if lag < bars.shape[1]:
            same = (bars[:, lag:] == bars[:, :-lag]).mean(axis=(2, 3))
            most[:, lag:] = np.maximum(most[:, lag:], same)
    shares: FloatArray = most[:, 1:].mean(axis=1) if bars.shape[1] > 1 else most[:, 0]
    return shares
