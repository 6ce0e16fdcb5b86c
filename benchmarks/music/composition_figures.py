"""Figures of how sections are composed: phrases and breath, harmony and cadences, dissonances, texture, form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from therapy_gen.music.tokens import (
    BARS_PER_SECTION,
    FIRST_PITCH_CLASS,
    MIN_PITCH,
    NOTE_OFF,
    STEPS_PER_BAR,
    STEPS_PER_SECTION,
    VOICES,
    Tokens,
    VoiceNote,
)
from therapy_gen.music.tonality import find_key, scale_pitch_classes
from therapy_gen.musicvae.features import sounding

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Figures = dict[str, float]

TEXTURES = ("held", "repeated", "alternating bass", "rocking", "broken", "in motion")
_MELODY, _INNER, _BASS = range(3)
_HALF, _PHRASE_BARS = STEPS_PER_BAR // 2, 4
_DISSONANT = np.isin(np.arange(12), (1, 2, 6, 10, 11))
_SHAPES = {"major": (0, 4, 7), "minor": (0, 3, 7), "diminished": (0, 3, 6), "seventh": (0, 4, 7, 10)}
_CHORDS = np.array(
    [[float((c - root) % 12 in shape) for c in range(12)] for shape in _SHAPES.values() for root in range(12)]
)
_DOMINANTS = tuple(np.flatnonzero([shape in ("major", "seventh") for shape in _SHAPES for _ in range(12)]))
_LAGS = (1, 2, 4, 8)
# Two stretches of a voice are alike where so large a share sounds the same, and differ where no more than the other.
_ALIKE, _DIFFERENT = 0.75, 0.5
# A voice with so many notes a bar, or fewer, is held.
_HELD_NOTES = 2.0
_THIRD, _FOURTH, _MOST = 3, 5, 0.5


@dataclass(frozen=True)
class Written:
    """A section: the pitch that each voice sounds at each step (steps, voices), 0 for none, and where notes begin."""

    pitch: IntArray
    starts: BoolArray
    minor: bool

    @classmethod
    def of_tokens(cls, tokens: Tokens, minor: bool) -> Written:
        """Read tokens (steps, voices) on tonic C."""
        heard = sounding(tokens).astype(np.int64)
        pitch = np.where(heard >= FIRST_PITCH_CLASS, heard - FIRST_PITCH_CLASS + MIN_PITCH, 0)
        return cls(pitch, tokens > NOTE_OFF, minor)

    @classmethod
    def of_notes(cls, notes: Sequence[VoiceNote], minor: bool) -> Written:
        """Paint notes on tonic C whose steps count from the start of the section."""
        pitch = np.zeros((STEPS_PER_SECTION, len(VOICES)), dtype=np.int64)
        starts = np.zeros(pitch.shape, dtype=bool)
        for start, end, height, voice in sorted(notes):
            pitch[max(start, 0) : end, voice] = height
            if 0 <= start < STEPS_PER_SECTION:
                starts[start, voice] = True
        return cls(pitch, starts, minor)


def composition(section: Written) -> Figures:
    """Return figures of a section by name; nan where there is nothing to count."""
    return {
        **_melody(section),
        **_phrase_ends(section),
        **_form(section),
        **_harmony(section),
        **_cadences(section),
        **_dissonances(section),
        **_accompaniment(section),
    }


def _share(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float("nan")


def _melody(section: Written) -> Figures:
    line, onsets = section.pitch[:, _MELODY], np.flatnonzero(section.starts[:, _MELODY])
    heights = line[onsets]
    steps = np.diff(heights)
    leaps = np.flatnonzero(np.abs(steps[:-1]) > 4)
    answered = (np.sign(steps[leaps + 1]) == -np.sign(steps[leaps])) & (np.abs(steps[leaps + 1]) <= 2)
    notes = np.where(section.starts[:, _MELODY], line, 0).reshape(BARS_PER_SECTION, STEPS_PER_BAR)
    found = {f"bars with the melody of {lag} before": float(_same_bars(notes, lag)) for lag in _LAGS}
    return found | {
        "leaps answered by a step": _share(answered.sum(), len(leaps)),
        "times at the highest note": float((heights == heights.max()).sum()) if len(heights) else float("nan"),
        "silent sixteenths of the melody a bar": float((line == 0).sum() / BARS_PER_SECTION),
    }


def _same_bars(notes: IntArray, lag: int) -> float:
    return float(((notes[lag:] == notes[:-lag]).all(axis=1) & notes[lag:].any(axis=1)).mean())


def _phrase_ends(section: Written) -> Figures:
    starts = section.starts.sum(axis=1)
    bars = starts.reshape(-1, _PHRASE_BARS, STEPS_PER_BAR).sum(axis=2)
    halves = starts.reshape(-1, 2 * _PHRASE_BARS, _HALF).sum(axis=2)
    silent = (section.pitch[:, _MELODY] == 0).reshape(-1, _PHRASE_BARS * STEPS_PER_BAR)
    return {
        "notes in the last bar of a phrase over others": _share(bars[:, -1].mean(), bars[:, :-1].mean()),
        "notes in the last half bar over others": _share(halves[:, -1].mean(), halves[:, :-1].mean()),
        "phrases that end in a rest of the melody": float(silent[:, -2:].any(axis=1).mean()),
    }


def _form(section: Written) -> Figures:
    """Count, among halves of a section, periods and sentences.

    A period begins its second four bars as its first, and ends them differently. A sentence has the rhythm of its first
    two bars in the next two, and another in those that follow.
    """
    periods = sentences = 0
    for half in range(2):
        begin = half * STEPS_PER_SECTION // 2
        pitch = section.pitch[begin : begin + STEPS_PER_SECTION // 2, _MELODY].reshape(4, -1)
        starts = section.starts[begin : begin + STEPS_PER_SECTION // 2, _MELODY].reshape(4, -1)
        alike = [[_alike(pitch[a], pitch[b]) for b in range(4)] for a in range(4)]
        rhythm = [[_overlap(starts[a], starts[b]) for b in range(4)] for a in range(4)]
        periods += alike[0][2] >= _ALIKE and alike[1][3] <= _DIFFERENT
        sentences += rhythm[0][1] >= _ALIKE and max(rhythm[0][2:]) < _ALIKE
    return {"periods, of halves": periods / 2, "sentences, of halves": sentences / 2}


def _alike(a: IntArray, b: IntArray) -> float:
    either = (a > 0) | (b > 0)
    return float(((a == b) & either).sum() / max(either.sum(), 1))


def _overlap(a: BoolArray, b: BoolArray) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def chords_of(section: Written) -> tuple[IntArray, BoolArray]:
    """Return the chord of each half bar, by the row of `_CHORDS` that fits best, and the classes (halves, 12) heard."""
    halves = section.pitch.reshape(-1, _HALF * section.pitch.shape[1])
    weights = np.stack([((halves > 0) & (halves % 12 == c)).sum(axis=1) for c in range(12)], axis=1).astype(float)
    fit = weights @ (_CHORDS / np.linalg.norm(_CHORDS, axis=1, keepdims=True)).T
    return fit.argmax(axis=1).astype(np.int64), weights > 0


def _harmony(section: Written) -> Figures:
    chords, heard = chords_of(section)
    roots = chords % 12
    motion = np.diff(roots) % 12
    found = {
        f"roots by half bars: {name}": float(np.isin(motion, moves).mean())
        for name, moves in (
            ("a fifth down", (5,)),
            ("a fifth up", (7,)),
            ("a third", (3, 4, 8, 9)),
            ("a second", (1, 2, 10, 11)),
            ("none", (0,)),
        )
    }
    scale = set(scale_pitch_classes(0, "minor" if section.minor else "major")) | ({11, 9} if section.minor else set())
    other = set(scale_pitch_classes(0, "major" if section.minor else "minor"))
    applied = borrowed = 0
    for n, chord in enumerate(chords):
        tones = {c for c in range(12) if _CHORDS[chord, c] and heard[n, c]}
        if tones <= scale or (n and chord == chords[n - 1]):
            continue
        resolves = n + 1 < len(chords) and (roots[n + 1] - roots[n]) % 12 == 5
        if chord in _DOMINANTS and resolves and roots[n + 1] != 0:
            applied += 1
        elif tones <= other:
            borrowed += 1
    return found | {
        "changes of chord a bar": float((np.diff(chords) != 0).sum() / BARS_PER_SECTION),
        "secondary dominants": float(applied),
        "borrowed chords": float(borrowed),
    }


def _cadences(section: Written) -> Figures:
    """Say how phrases of four bars end: from the last other chord of their last two bars to their last chord."""
    roots = (chords_of(section)[0] % 12).reshape(-1, 2 * _PHRASE_BARS)
    kinds = {"V-I": 0, "IV-I": 0, "I from others": 0, "half, on V": 0, "other": 0}
    for phrase in roots:
        last = phrase[-1]
        before = next((root for root in phrase[-2:-5:-1] if root != last), last)
        kind = {7: "V-I", 5: "IV-I"}.get(int(before), "I from others") if last == 0 else "half, on V"
        kinds[kind if last in (0, 7) else "other"] += 1
    return {f"phrases end: {kind}": count / len(roots) for kind, count in kinds.items()}


def _dissonances(section: Written) -> Figures:
    """Say how dissonances with the bass, on beats, were come to by melody and inner voice, and how they are left."""
    count = held = stepped = resolved = 0
    bass = section.pitch[:, _BASS]
    for voice in (_MELODY, _INNER):
        line, starts = section.pitch[:, voice], section.starts[:, voice]
        onsets = np.flatnonzero(starts)
        for step in range(0, len(line), 4):
            struck = starts[step] or section.starts[step, _BASS]
            if not (struck and line[step] and bass[step] and _DISSONANT[abs(line[step] - bass[step]) % 12]):
                continue
            count += 1
            now = np.searchsorted(onsets, step, side="right") - 1
            before = line[onsets[now - 1]] if now > 0 else 0
            after = line[onsets[now + 1]] if now + 1 < len(onsets) else 0
            held += not starts[step] or before == line[step]
            stepped += bool(starts[step]) and before > 0 and 0 < abs(before - line[step]) <= 2
            resolved += after > 0 and 0 < abs(after - line[step]) <= 2
    return {
        "dissonances with the bass on beats, a section": float(count),
        "  held from before": _share(held, count),
        "  come to by step": _share(stepped, count),
        "  left by step": _share(resolved, count),
    }


def texture_of(section: Written) -> str:
    """Return the texture of inner voice and bass: how they move where they are not held."""
    inner, bass = (_kind(section.pitch[:, voice], section.starts[:, voice]) for voice in (_INNER, _BASS))
    jumps = np.diff(section.pitch[:, _BASS][section.starts[:, _BASS]])
    to_and_fro = (np.abs(jumps) >= _FOURTH)[1:] & (np.sign(jumps[1:]) == -np.sign(jumps[:-1]))
    if bass == "rocking" or (bass != "held" and to_and_fro.mean() > _MOST):
        return "alternating bass"
    return next((kind for kind in (inner, bass) if kind != "held"), "held")


def _kind(line: IntArray, starts: BoolArray) -> str:
    """Return how a voice moves, by what most of its notes do.

    Notes are the one before (repeated), that before the last one (rocking), a third away or more (broken), or else in
    motion; a voice with few of them is held.
    """
    heights = line[starts]
    if len(heights) <= _HELD_NOTES * BARS_PER_SECTION:
        return "held"
    steps = np.diff(heights)
    if (steps == 0).mean() > _MOST:
        return "repeated"
    if ((heights[2:] == heights[:-2]) & (steps[1:] != 0)).mean() > _MOST:
        return "rocking"
    return "broken" if (np.abs(steps) >= _THIRD).mean() > _MOST else "in motion"


def _accompaniment(section: Written) -> Figures:
    found = {}
    for voice in (_INNER, _BASS):
        heights = section.pitch[:, voice][section.starts[:, voice]]
        again = (heights[1:] == heights[:-1]).mean() if len(heights) > 1 else float("nan")
        found[f"repeated notes, {VOICES[voice]}"] = float(again)
    struck = section.starts.sum(axis=1)
    texture = texture_of(section)
    return {
        **found,
        "all voices struck together": _share((struck == len(VOICES)).sum(), (struck > 0).sum()),
        **{f"texture: {kind}": float(kind == texture) for kind in TEXTURES},
    }


def key_of(section: Written) -> tuple[int, str]:
    """Return tonic and mode of the key that a section is in by itself."""
    heard = section.pitch[section.pitch > 0] % 12
    return find_key(np.bincount(heard, minlength=12).astype(float))


def key_relation(home: tuple[int, str], other: tuple[int, str]) -> str:
    """Return what a key is to another: same, dominant, subdominant, relative, parallel, or further."""
    (tonic, mode), (there, its_mode) = home, other
    apart = (there - tonic) % 12
    if mode == its_mode:
        return {0: "same", 7: "dominant", 5: "subdominant"}.get(apart, "further")
    if apart == 0:
        return "parallel"
    return "relative" if apart == (9 if mode == "major" else 3) else "further"
