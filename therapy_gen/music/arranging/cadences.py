"""Cadences: long last notes and tonic or dominant chords at the ends of sections, and before the final chord."""

from __future__ import annotations

from collections.abc import Sequence

from therapy_gen.music.arranging.harmony import Chord, dominant_chord, tonic_chord
from therapy_gen.music.arranging.voice_leading import VoiceLine
from therapy_gen.music.metre import FOUR_FOUR, Metre
from therapy_gen.music.tokens import STEPS_PER_BAR, STEPS_PER_QUARTER, STEPS_PER_SECTION, VoiceNote

# The last chord of a section takes the second half of its last bar, in 3/4 all of it. The last note of its melody
# begins by the middle of the bar, and lasts; one that comes to rest in the middle of a section may begin with the last
# beat.
_LAST_CHORD = {4: STEPS_PER_BAR // 2, 3: STEPS_PER_BAR}
_LATEST_LAST_NOTE = STEPS_PER_BAR // 2
# In the middle of a section a melody only comes to rest, on whatever harmony there is.
_MIDDLE_BARS = 8

# Where the root of a last chord is looked for.
_BASS_LOW, _BASS_HIGH = 36, 55
_MELODY_LOW, _MELODY_HIGH = 57, 81
_INNER_LOW, _INNER_HIGH = 50, 74
_WIDEST_LEAP = 12
# Cost, in semitones, of ending on a tone of the dominant chord that the tonic chord lacks.
_OTHER_TONE_COSTS = 2


def apply_cadences(
    lines: Sequence[VoiceLine], form: Sequence[str], tonics: Sequence[int], mode: str, metre: Metre = FOUR_FOUR
) -> list[VoiceLine]:
    """Return lines whose sections come to rest at their ends.

    The last chord of a section is the tonic where another theme follows, and the dominant before a variation of the
    same theme and at the end of the piece, where the tonic chord follows; where the key changes after a contrasting
    section, it is the dominant of the next key. Silent voices stay silent.

    Parameters
    ----------
    lines : sequence of (list of VoiceNote)
        Melody, inner voice, bass; each by start, one note at a time.
    form : sequence of str
        Labels of the sections: a letter for a theme, with primes for its variations.
    tonics : sequence of int
        Pitch class of the tonic of each section.
    mode : str
        ``"major"`` or ``"minor"``.
    metre : Metre, optional
    """
    last_beat = metre.steps - STEPS_PER_QUARTER
    melody, inner, bass = (list(line) for line in lines)
    for number, label in enumerate(form):
        seam = (number + 1) * STEPS_PER_SECTION
        last = number == len(form) - 1
        returns = not last and tonics[number] != tonics[0] and tonics[number + 1] != tonics[number]
        opens = last or returns or form[number + 1][0] == label[0]
        make = dominant_chord if opens else tonic_chord
        tonic = tonics[number + 1] if returns else tonics[number]
        chord = make(seam - _LAST_CHORD[metre.quarters], seam, tonic, mode)
        stable = tonic_chord(chord.start, seam, tonic, mode).pitch_classes
        middle = seam - STEPS_PER_SECTION + _MIDDLE_BARS * STEPS_PER_BAR
        melody = _at_rest(melody, middle - STEPS_PER_BAR, middle, last_beat)
        melody = _at_rest(melody, seam - STEPS_PER_BAR, seam, _LATEST_LAST_NOTE, chord.pitch_classes, stable)
        bass = _on_root(bass, chord)
        inner = _within(inner, chord, melody)
    return [melody, inner, bass]


def _at_rest(
    line: VoiceLine, begin: int, end: int, latest: int, tones: Sequence[int] | None = None, stable: Sequence[int] = ()
) -> VoiceLine:
    """Let the melody's last note that begins by step `latest` of a bar last to the bar's end, as a tone of a chord."""
    inside = [n for n, note in enumerate(line) if begin <= note.start < end]
    kept = [n for n in inside if line[n].start <= begin + latest] or inside[:1]
    if not kept:
        return line
    last, after = kept[-1], line[inside[-1] + 1 :]
    note = line[last]
    until = max(end, *(line[n].end for n in inside))
    if after:
        until = min(until, after[0].start)
    pitch: int | None = note.pitch
    beside = [line[last - 1].pitch] * (last > 0) + [other.pitch for other in after[:1]]
    if tones is not None and note.pitch % 12 not in tones:
        pitch = _nearest(note.pitch, tones, (_MELODY_LOW, _MELODY_HIGH), beside, stable)
    elif any(abs(note.pitch - other) > _WIDEST_LEAP for other in beside):
        pitch = None
    if pitch is None:
        return line
    return [*line[:last], note._replace(end=max(until, note.end), pitch=pitch), *after]


def _on_root(line: VoiceLine, chord: Chord) -> VoiceLine:
    """Let a sounding bass hold the root of a chord."""
    before, inside, after = _parted(line, chord)
    if not inside:
        return line
    beside = [note.pitch for note in (*before[-1:], *after[:1])]
    root = _nearest(inside[0].pitch, chord.pitch_classes[:1], (_BASS_LOW, _BASS_HIGH), beside)
    if root is None:
        return line
    held = VoiceNote(chord.start, inside[-1].end, root, inside[0].voice)
    if before and before[-1].end == chord.start and before[-1].pitch == root:
        held = held._replace(start=before.pop().start)
    return [*before, held, *after]


def _within(line: VoiceLine, chord: Chord, melody: VoiceLine) -> VoiceLine:
    """Move a voice to tones of a chord, below the melody."""
    before, inside, after = _parted(line, chord)
    above = next((note.pitch for note in reversed(melody) if note.start < chord.end), _INNER_HIGH + 1)
    span = (_INNER_LOW, min(max(above - 1, _INNER_LOW + 12), _INNER_HIGH))
    moved: VoiceLine = []
    for n, note in enumerate(inside):
        tail = moved[-1] if moved else before[-1] if before else None
        beside = ([tail.pitch] if tail else []) + ([after[0].pitch] if n == len(inside) - 1 and after else [])
        pitch = _nearest(note.pitch, chord.pitch_classes, span, beside)
        if pitch is None:
            return line
        if tail is not None and tail.pitch == pitch and tail.end == note.start:
            (moved or before)[-1] = tail._replace(end=note.end)
        else:
            moved.append(note._replace(pitch=pitch))
    return [*before, *moved, *after]


def _parted(line: VoiceLine, chord: Chord) -> tuple[VoiceLine, VoiceLine, VoiceLine]:
    """Divide a line into its notes before, under and after a chord, splitting notes where it begins."""
    before: VoiceLine = []
    inside: VoiceLine = []
    after: VoiceLine = []
    for note in line:
        if note.end <= chord.start:
            before.append(note)
        elif note.start >= chord.end:
            after.append(note)
        elif note.start < chord.start:
            before.append(note._replace(end=chord.start))
            inside.append(note._replace(start=chord.start))
        else:
            inside.append(note)
    return before, inside, after


def _nearest(
    pitch: int, tones: Sequence[int], span: tuple[int, int], beside: Sequence[int], preferred: Sequence[int] = ()
) -> int | None:
    """Return the nearest tone of a chord, preferred ones first; None where it would take a leap."""
    choices = [
        (abs(choice - pitch) + (_OTHER_TONE_COSTS if preferred and choice % 12 not in preferred else 0), choice)
        for choice in range(span[0], span[1] + 1)
        if choice % 12 in tones and all(abs(choice - other) <= _WIDEST_LEAP for other in beside)
    ]
    return min(choices)[1] if choices else None
