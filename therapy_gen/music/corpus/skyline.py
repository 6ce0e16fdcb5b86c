"""The highest line of many notes as the melody, and the lowest of the rest as the bass: what Magenta's models read."""

from __future__ import annotations

from collections.abc import Iterable

from therapy_gen.music.corpus.voices import BASS, MELODY
from therapy_gen.music.tokens import MAX_PITCH, MIN_PITCH, VoiceNote


def outer_lines(notes: Iterable[tuple[int, int, int]], steps: int) -> list[VoiceNote]:
    """Reduce notes (start, end, pitch in sixteenth steps) to melody and bass.

    The highest note of an onset joins the melody unless a higher one still sounds there; of what is left, the lowest of
    an onset joins the bass unless a lower one still sounds. So all of a tune without accompaniment is melody.

    Returns
    -------
    list of VoiceNote, sorted; none reaches beyond `steps`.
    """
    inside = [
        (start, min(end, steps), pitch)
        for start, end, pitch in notes
        if MIN_PITCH <= pitch <= MAX_PITCH and 0 <= start < steps and end > start
    ]
    melody = _line(inside, sign=1)
    taken = set(melody)
    bass = _line([note for note in inside if note not in taken], sign=-1)
    return sorted([*_voice(melody, MELODY), *_voice(bass, BASS)])


def _line(notes: list[tuple[int, int, int]], *, sign: int) -> list[tuple[int, int, int]]:
    outermost: dict[int, tuple[int, int, int]] = {}
    for note in notes:
        held = outermost.get(note[0])
        if held is None or (sign * note[2], note[1]) > (sign * held[2], held[1]):
            outermost[note[0]] = note
    line: list[tuple[int, int, int]] = []
    for start in sorted(outermost):
        note = outermost[start]
        if line and line[-1][1] > start and sign * line[-1][2] > sign * note[2]:
            continue
        line.append(note)
    return line


def _voice(line: list[tuple[int, int, int]], voice: int) -> list[VoiceNote]:
    """Return a line as notes of a voice, each ending where the next begins at the latest."""
    following: list[int | None] = [*(note[0] for note in line[1:]), None][: len(line)]
    return [
        VoiceNote(start, end if after is None else min(end, after), pitch, voice)
        for (start, end, pitch), after in zip(line, following, strict=True)
    ]
