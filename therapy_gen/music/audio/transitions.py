"""Transitions between two pieces: silence, a crossfade of their tonic chords, or a passage to the next key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.music.audio.instruments.pad import pad_tone
from therapy_gen.music.audio.loudness import LoudnessMeter
from therapy_gen.music.audio.reverb import BLOCK, Reverb

Frames = npt.NDArray[np.float32]
Key = tuple[int, str]

DEFAULT_TRANSITION = "silence"
# A transition begins under the end of one piece and ends under the beginning of the next, and is softer than both.
OVERLAP_S = 3.0
_SOFTER_DB = -5.0
_PROGRAM, _VELOCITY = 89, 60
_RING_S = 1.5
_LOWEST, _HIGHEST = 48, 74


@dataclass(frozen=True)
class Held:
    """A held chord; times in seconds from the transition's start."""

    onset_s: float
    duration_s: float
    pitches: tuple[int, ...]


def check_transition(name: str) -> None:
    """Raise InputError where a transition is not known."""
    if name not in TRANSITIONS:
        raise InputError(f"transition {name!r} is not known; give one of: {', '.join(TRANSITIONS)}")


def transition_sound(
    name: str, before: Key, after: Key, gap_s: float, *, loudness: float, space: str, sample_rate: int
) -> Frames:
    """Return the sound of a gap between pieces in two keys, and of `OVERLAP_S` on both sides of it.

    Returns
    -------
    array of float32, shape (frames, 2)
        Rises from silence and falls to it.
    """
    length_s = gap_s + 2 * OVERLAP_S
    frames = round(length_s * sample_rate)
    dry = np.zeros((2, frames), dtype=np.float32)
    for chord in TRANSITIONS[name](before, after, length_s):
        for pitch in chord.pitches:
            tone = pad_tone(_PROGRAM, pitch, _VELOCITY, chord.duration_s, chord.onset_s, sample_rate)
            start = round(chord.onset_s * sample_rate)
            heard = tone[:, : max(frames - start, 0)]
            dry[:, start : start + heard.shape[1]] += heard
    padded = np.pad(dry, ((0, 0), (0, -frames % BLOCK)))
    blocks = ((padded[:, at : at + BLOCK], padded[:, at : at + BLOCK].mean(axis=0)) for at in range(0, frames, BLOCK))
    sound = np.concatenate(list(Reverb(sample_rate, space).process(blocks)), axis=1)[:, :frames]
    meter = LoudnessMeter(sample_rate)
    meter.add(sound)
    edge = np.sin(0.5 * np.pi * np.clip(np.arange(frames) / (OVERLAP_S * sample_rate), 0, 1)) ** 2
    gain = 10 ** ((loudness + _SOFTER_DB - meter.integrated()) / 20) * edge * edge[::-1]
    return np.ascontiguousarray((sound * gain.astype(np.float32)).T)


def _crossfade(before: Key, after: Key, length_s: float) -> list[Held]:
    """Return the tonic chord of one key, followed by that of the other."""
    first = _voiced(_triad(before, 0), ())
    middle = length_s / 2
    return [
        Held(0.0, middle + 0.5, first),
        Held(middle - 1.0, length_s - middle - _RING_S + 1.0, _voiced(_triad(after, 0), first)),
    ]


def _bridge(before: Key, after: Key, length_s: float) -> list[Held]:
    """Return a passage: tonic, a (nearly) common chord of both keys, dominant and tonic of the next key."""
    common = max(
        ((degree, _triad(before, degree)) for degree in (5, 3, 1, 4)),
        key=lambda one: len(set(one[1]) & set(_scale(after))),
    )[1]
    pitches: tuple[int, ...] = ()
    held = []
    step = (length_s - _RING_S) / 4
    for n, chord in enumerate((_triad(before, 0), common, _triad(after, 4), _triad(after, 0))):
        pitches = _voiced(chord, pitches)
        held.append(Held(n * step, step + (0.0 if n == 3 else 0.4), pitches))
    return held


def _scale(key: Key) -> list[int]:
    tonic, mode = key
    # A dominant has a leading note in minor, too.
    steps = (0, 2, 4, 5, 7, 9, 11) if mode == "major" else (0, 2, 3, 5, 7, 8, 11)
    return [(tonic + step) % 12 for step in steps]


def _triad(key: Key, degree: int) -> tuple[int, ...]:
    scale = _scale(key)
    return tuple(scale[(degree + third) % 7] for third in (0, 2, 4))


def _voiced(chord: Sequence[int], before: Sequence[int]) -> tuple[int, ...]:
    """Return the root below and the chord's notes above it, each as near as can be to those before."""
    root = _LOWEST + (chord[0] - _LOWEST) % 12
    upper = []
    for place, pitch_class in enumerate(chord):
        choices = [pitch for pitch in range(root + 5, max(_HIGHEST, root + 16) + 1) if pitch % 12 == pitch_class]
        wish = before[place + 1] if len(before) > place + 1 else 62
        upper.append(min(choices, key=lambda pitch: (abs(pitch - wish), pitch)))
    return (root, *upper)


TRANSITIONS: dict[str, Callable[[Key, Key, float], list[Held]]] = {
    "silence": lambda before, after, length_s: [],
    "crossfade": _crossfade,
    "bridge": _bridge,
}
"""The held chords between pieces in two keys, by the name of the transition."""
