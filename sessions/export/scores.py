"""Pieces as they are written down: MusicXML, and MIDI without expression."""

from __future__ import annotations

from therapy_gen.music.midi.midi import read_performance, to_midi
from therapy_gen.music.notation.transcribe import transcribe, without_expression
from therapy_gen.music.notation.write_musicxml import to_musicxml

SCORE_SUFFIXES = (".musicxml",)


def score_of(midi: bytes, title: str) -> bytes:
    """Return a piece as MusicXML; InputError where it has no notes that can be written down."""
    return to_musicxml(transcribe(read_performance(midi), title))


def plain_midi(midi: bytes, title: str) -> bytes:
    """Return a piece as MIDI on the grid: one tempo, one loudness, no pedal, no pad."""
    return to_midi(without_expression(transcribe(read_performance(midi), title)), title=title)
