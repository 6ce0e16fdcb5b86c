"""Descriptors of whole sections, in a few numbers: the prior is conditioned on them, so that its bars fit together.

A new descriptor is an entry of `DESCRIPTORS`: training measures it and conditions the prior on it, and the manual lists
it. A model file keeps those that it was trained with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

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


@dataclass(frozen=True)
class SectionBatch:
    """Sections with what the descriptors need.

    Attributes
    ----------
    tokens : uint8 array of shape (n, steps, voices)
    """

    tokens: Tokens

    @cached_property
    def starts(self) -> npt.NDArray[np.bool_]:
        """Where a note begins, shape (n, steps, voices)."""
        return self.tokens > NOTE_OFF

    @cached_property
    def notes_a_bar(self) -> FloatArray:
        """Of each voice, shape (n, voices)."""
        rates: FloatArray = self.starts.sum(axis=1) / (self.tokens.shape[1] / _STEPS_PER_BAR)
        return rates


@dataclass(frozen=True)
class Descriptor:
    """One or more numbers that describe a section.

    Attributes
    ----------
    about : str
        What it is, for the manual.
    of : callable
        From `SectionBatch` to an array of shape (n, `width`), or (n,).
    width : int or None
        How many numbers it has; None: one for each voice.
    """

    about: str
    of: Callable[[SectionBatch], npt.NDArray[Any]]
    width: int | None = 1

    def columns(self, voices: int) -> int:
        """Return how many numbers it has for so many voices."""
        return voices if self.width is None else self.width


def _melody(sections: SectionBatch) -> npt.NDArray[Any]:
    melody = np.zeros((len(sections.tokens), len(_INTERVALS) + 2))
    for n, section in enumerate(sections.tokens):
        pitches = section[:, 0][sections.starts[n, :, 0]].astype(np.int64)
        if len(pitches) > 1:
            sizes = np.abs(np.diff(pitches))
            kinds = np.bincount(np.searchsorted(_INTERVALS, sizes), minlength=len(_INTERVALS) + 1) / len(sizes)
            melody[n] = (*kinds[: len(_INTERVALS)], sizes.mean(), np.ptp(np.percentile(pitches, [5, 95])))
    return melody


def _heights(sections: SectionBatch) -> npt.NDArray[Any]:
    starts = sections.starts
    heights: npt.NDArray[Any] = np.where(starts, sections.tokens, 0).sum(axis=1) / np.maximum(starts.sum(axis=1), 1)
    return heights


def _pitch_classes(sections: SectionBatch) -> npt.NDArray[Any]:
    classes = np.zeros((len(sections.tokens), _PITCH_CLASSES))
    for n, section in enumerate(sections.tokens):
        classes[n] = np.bincount(section[sections.starts[n]] % _PITCH_CLASSES, minlength=_PITCH_CLASSES)
    shares: npt.NDArray[Any] = np.sqrt(classes / np.maximum(classes.sum(axis=1, keepdims=True), 1))
    return shares


def _returning(sections: SectionBatch) -> FloatArray:
    """Return the mean share (n,) of steps at which a bar agrees with the most similar earlier one."""
    tokens = sections.tokens
    sound = np.where((tokens == HOLD) | (tokens == NOTE_OFF), sounding(tokens), -tokens.astype(np.int32))
    bars = sound.reshape(len(tokens), -1, _STEPS_PER_BAR, tokens.shape[-1])
    most = np.zeros(bars.shape[:2], dtype=np.float32)
    for lag in _LAGS:
        if lag < bars.shape[1]:
            same = (bars[:, lag:] == bars[:, :-lag]).mean(axis=(2, 3))
            most[:, lag:] = np.maximum(most[:, lag:], same)
    shares: FloatArray = most[:, 1:].mean(axis=1) if bars.shape[1] > 1 else most[:, 0]
    return shares


# The first column in all models: samples can be drawn with a given density.
DENSITY = 0

DESCRIPTORS: dict[str, Descriptor] = {
    "density": Descriptor("notes a bar of all voices", lambda sections: sections.notes_a_bar.sum(axis=1)),
    "notes of each voice": Descriptor(
        "square root of the notes a bar of each voice", lambda sections: np.sqrt(sections.notes_a_bar), None
    ),
    "melody": Descriptor(
        "shares of repeated notes, semitones, whole tones, thirds, fourths to fifths among the intervals of the "
        "melody; their mean, and its range (5th to 95th percentile), in semitones",
        _melody,
        len(_INTERVALS) + 2,
    ),
    "heights": Descriptor("mean pitch of each voice", _heights, None),
    "pitch classes": Descriptor("square root of each pitch class's share of the notes", _pitch_classes, _PITCH_CLASSES),
    "returning bars": Descriptor(
        "share of steps that a bar has in common with the most similar of the bars one, two, four and eight before",
        _returning,
    ),
}
"""Every descriptor by its name, in the order of their columns."""


def columns(name: str, voices: int) -> slice:
    """Return the columns of a descriptor in `section_descriptors`.

    Examples
    --------
    >>> columns("melody", voices=3)
    slice(4, 11, None)
    """
    names = list(DESCRIPTORS)
    first = sum(DESCRIPTORS[before].columns(voices) for before in names[: names.index(name)])
    return slice(first, first + DESCRIPTORS[name].columns(voices))


def section_descriptors(tokens: Tokens) -> FloatArray:
    """Measure sections (n, steps, voices).

    Returns
    -------
    array of float32, shape (n, columns)
        All of `DESCRIPTORS`, one beside the other.
    """
    sections = SectionBatch(tokens)
    values = [np.reshape(one.of(sections), (len(tokens), one.columns(tokens.shape[2]))) for one in DESCRIPTORS.values()]
    return np.concatenate(values, axis=1).astype(np.float32)


def descriptor_table() -> str:
    """Return the table of descriptors for the manual, as Markdown."""
    rows = [
        f"| {name} | {one.about} | {'one of each voice' if one.width is None else one.width} |"
        for name, one in DESCRIPTORS.items()
    ]
    return "\n".join(["| descriptor | what it is | numbers |", "| --- | --- | --- |", *rows])
