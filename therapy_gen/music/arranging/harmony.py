"""Chords inferred from the voices, and a pad that plays them without dissonances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt

from therapy_gen.music.metre import FOUR_FOUR, Metre
from therapy_gen.music.tokens import STEPS_PER_BAR, STEPS_PER_QUARTER, VOICES, VoiceNote

Fit = npt.NDArray[np.float64]

_STEPS_PER_CHORD = STEPS_PER_BAR // 2

# Triads on the degrees of the scale: semitones of the root over the tonic, third, fifth, and how much each is
# preferred where the notes leave a choice (the common chords of tonal music first).
_TRIADS = {
    "major": (
        (0, 4, 7, 0.06), (2, 3, 7, 0.0), (4, 3, 7, -0.06), (5, 4, 7, 0.03), (7, 4, 7, 0.03), (9, 3, 7, 0.0),
        (11, 3, 6, -0.12),
    ),
    "minor": (
        (0, 3, 7, 0.06), (2, 3, 6, -0.12), (3, 4, 7, 0.0), (5, 3, 7, 0.03), (7, 3, 7, -0.03), (7, 4, 7, 0.03),
        (8, 4, 7, 0.0), (10, 4, 7, 0.0),
    ),
}  # fmt: skip

_VOICE_WEIGHTS = np.array([1.0, 1.0, 1.5])
_OUTSIDE = 0.7
_ROOT_IN_BASS = 0.25
# Least gain of a chord change, as a share of the sounding weight: more within a bar than at its start.
_CHANGE_AT_BAR = 0.08
_CHANGE_WITHIN_BAR = 0.22

# The pad lies under the melody, around the middle of the keyboard.
_PAD_LOW, _PAD_HIGH, _PAD_CENTRE = 50, 69, 59
_PAD_LONGEST = 2 * STEPS_PER_BAR


@dataclass(frozen=True)
class Chord:
    """A triad from `start` to `end` (sixteenths), as pitch classes, the root first."""

    start: int
    end: int
    pitch_classes: tuple[int, int, int]


def infer_chords(
    notes: Sequence[VoiceNote], steps: int, tonic: int, mode: str, metre: Metre = FOUR_FOUR
) -> list[Chord]:
    """Find the diatonic triad under each half bar; in 3/4 under the first two beats, and under the third.

    In 6/8 a half bar is a dotted quarter.

    Each triad is scored by the sounding time inside it less that outside it, the bass counting more; the best path
    over the half bars (Viterbi) changes chords where that gains enough. Where nothing sounds the chord stays.

    Parameters
    ----------
    notes : sequence of VoiceNote
        In any key; voice 2 is the bass.
    steps : int
        Length in steps of the grid.
    tonic : int
        Pitch class of the tonic.
    mode : str
        ``"major"`` or ``"minor"``.
    metre : Metre, optional

    Returns
    -------
    list of Chord
        Without gaps from 0 to `steps`; a bar line ends a chord, too.
    """
    triads = [
        ((tonic + root) % 12, (tonic + root + third) % 12, (tonic + root + fifth) % 12)
        for root, third, fifth, _ in _TRIADS[mode]
    ]
    priors = np.array([prior for *_, prior in _TRIADS[mode]])
    path = _best_path(_fit(notes, steps, triads, metre) + priors)
    chords: list[Chord] = []
    for start, end, state in zip(*_halves(0, steps, metre), path, strict=True):
        if chords and start % STEPS_PER_BAR and chords[-1].pitch_classes == triads[state]:
            chords[-1] = Chord(chords[-1].start, end, triads[state])
        else:
            chords.append(Chord(start, end, triads[state]))
    return chords


def tonic_chord(start: int, end: int, tonic: int, mode: str) -> Chord:
    """Return the triad on the tonic."""
    _, third, fifth, _ = _TRIADS[mode][0]
    return Chord(start, end, (tonic, (tonic + third) % 12, (tonic + fifth) % 12))


def dominant_chord(start: int, end: int, tonic: int, mode: str) -> Chord:
    """Return the major triad on the fifth degree, with its leading note in minor, too."""
    return Chord(start, end, ((tonic + 7) % 12, (tonic + 11) % 12, (tonic + 2) % 12))


def pad_notes(chords: Sequence[Chord], notes: Sequence[VoiceNote], metre: Metre = FOUR_FOUR) -> list[VoiceNote]:
    """Hold each chord's tones in a close, smooth voicing, without those that would be dissonant with the voices.

    A tone is left out of a half bar where a voice sounds a semitone from it for an eighth or longer, or a whole tone
    from it for a quarter or longer; where none is left and the voices begin with a rest, the root stays. Tones that two
    half bars share are held through. Returned notes have voice 0 and overlap.
    """
    sounding = np.logical_or.reduce(_sounding(notes, chords[-1].end, metre))
    held: dict[int, int] = {}
    pad: list[VoiceNote] = []
    voicing: tuple[int, ...] = (_PAD_CENTRE,)
    for chord in chords:
        for start, end in zip(*_halves(chord.start, chord.end, metre), strict=True):
            lengths = sounding[start:end].sum(axis=0).tolist()
            tones = tuple(tone for tone in chord.pitch_classes if not _rubs(tone, lengths))
            if not tones and not sounding[start].any():
                tones = chord.pitch_classes[:1]
            voicing = _nearest_voicing(tones, voicing)
            for pitch in [*held]:
                if pitch not in voicing or start - held[pitch] >= _PAD_LONGEST:
                    pad.append(VoiceNote(held.pop(pitch), start, pitch, 0))
            for pitch in voicing:
                held.setdefault(pitch, start)
    pad += [VoiceNote(start, chords[-1].end, pitch, 0) for pitch, start in held.items()]
    return sorted(pad)


def _halves(start: int, end: int, metre: Metre) -> tuple[list[int], list[int]]:
    """Return where half bars between two steps begin and end."""
    half = metre.pulse_steps if metre.compound else _STEPS_PER_CHORD
    starts = [step for step in range(start, end) if step % STEPS_PER_BAR in (0, half) or step == start]
    return starts, [*starts[1:], end]


def _sounding(notes: Sequence[VoiceNote], steps: int, metre: Metre) -> npt.NDArray[np.bool_]:
    """Return which pitch classes sound, shape (voices, steps, 12); none in steps that take no time."""
    sounding = np.zeros((len(VOICES), steps, 12), dtype=np.bool_)
    for start, end, pitch, voice in notes:
        sounding[voice, start:end, pitch % 12] = True
    if metre.steps < STEPS_PER_BAR:
        sounding[:, np.arange(steps) % STEPS_PER_BAR >= metre.steps] = False
    return sounding


def _fit(notes: Sequence[VoiceNote], steps: int, triads: Sequence[tuple[int, int, int]], metre: Metre) -> Fit:
    """Return how well each triad fits each half bar, about -1 to 1, shape (half bars, triads)."""
    starts, _ = _halves(0, steps, metre)
    counts = np.add.reduceat(_sounding(notes, steps, metre).astype(np.int64), starts, axis=1)
    by_voice = counts / (metre.pulse_steps if metre.compound else _STEPS_PER_CHORD)
    weights = np.tensordot(_VOICE_WEIGHTS, by_voice, axes=1)
    inside = np.zeros((12, len(triads)))
    for column, triad in enumerate(triads):
        inside[list(triad), column] = 1
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    roots = [triad[0] for triad in triads]
    return np.asarray(weights @ (inside - _OUTSIDE * (1 - inside)) / total + _ROOT_IN_BASS * by_voice[-1][:, roots])


def _best_path(fit: Fit) -> list[int]:
    count, states = fit.shape
    total = fit[0].copy()
    came_from = np.zeros((count, states), dtype=np.int64)
    for index in range(1, count):
        at_bar = index % 2 == 0
        best = int(total.argmax())
        changed = total[best] - (_CHANGE_AT_BAR if at_bar else _CHANGE_WITHIN_BAR)
        came_from[index] = np.where(changed > total, best, np.arange(states))
        total = np.maximum(changed, total) + fit[index]
    path = [int(total.argmax())]
    for index in range(count - 1, 0, -1):
        path.append(int(came_from[index, path[-1]]))
    return path[::-1]


def _rubs(tone: int, lengths: Sequence[int]) -> bool:
    """Return whether a pitch class is dissonant with pitch classes that sound for so many sixteenths each."""
    semitones = max(lengths[(tone + 1) % 12], lengths[(tone - 1) % 12])
    whole_tones = max(lengths[(tone + 2) % 12], lengths[(tone - 2) % 12])
    return semitones >= STEPS_PER_QUARTER // 2 or whole_tones >= STEPS_PER_QUARTER


# Cached: the same few voicings recur, and a piece is arranged up to three times.
@lru_cache(maxsize=4096)
def _nearest_voicing(tones: tuple[int, ...], before: tuple[int, ...]) -> tuple[int, ...]:
    """Return the tones as pitches in the pad's register, nearest to the voicing before."""
    choices = [[pitch for pitch in range(_PAD_LOW, _PAD_HIGH + 1) if pitch % 12 == tone] for tone in tones]
    reference = before or (_PAD_CENTRE,)

    def movement(voicing: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
        if not voicing:
            return 0.0, voicing
        moved = sum(min(abs(pitch - old) for old in reference) for pitch in voicing)
        off_centre = abs(sum(voicing) / len(voicing) - _PAD_CENTRE)
        wide = max(0, max(voicing) - min(voicing) - 12)
        return moved + 0.3 * off_centre + 0.5 * wide, tuple(sorted(voicing))

    return min(map(movement, product(*choices)))[1]
