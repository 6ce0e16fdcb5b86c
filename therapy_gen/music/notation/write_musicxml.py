"""A sheet as MusicXML 4.0, which notation programs open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from xml.etree import ElementTree as ET

from therapy_gen.music.arranging.harmony import Chord
from therapy_gen.music.notation.transcribe import Bar, Sheet, WrittenNote, WrittenPart
from therapy_gen.text import xml_text

_DIVISIONS = 4
# Lengths in sixteenths that a single note value can write: its type, and whether it is dotted.
_SIGNS = {
    16: ("whole", False), 12: ("half", True), 8: ("half", False), 6: ("quarter", True), 4: ("quarter", False),
    3: ("eighth", True), 2: ("eighth", False), 1: ("16th", False),
}  # fmt: skip
_KINDS = {(4, 7): "major", (3, 7): "minor", (3, 6): "diminished", (4, 8): "augmented"}
# Letters along the circle of fifths; seven further on each has a sharp more.
_FIFTHS = "FCGDAEB"
_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
# A part that lies lower than this on average is written in the bass clef.
_MIDDLE_C = 60
_MOST_VOICES = 4


def to_musicxml(sheet: Sheet) -> bytes:
    """Return a sheet as an uncompressed MusicXML document; the same sheet gives the same bytes."""
    root = ET.Element("score-partwise", version="4.0")
    ET.SubElement(ET.SubElement(root, "work"), "work-title").text = xml_text(sheet.title)
    encoding = ET.SubElement(ET.SubElement(root, "identification"), "encoding")
    ET.SubElement(encoding, "software").text = "therapy-gen"
    names = ET.SubElement(root, "part-list")
    for n, part in enumerate(sheet.parts, 1):
        score_part = ET.SubElement(names, "score-part", id=f"P{n}")
        ET.SubElement(score_part, "part-name").text = xml_text(part.name) or f"Part {n}"
        instrument = ET.SubElement(score_part, "score-instrument", id=f"P{n}-I1")
        ET.SubElement(instrument, "instrument-name").text = xml_text(part.name) or f"Part {n}"
        midi = ET.SubElement(score_part, "midi-instrument", id=f"P{n}-I1")
        channel = (n - 1) % 15 + 1
        ET.SubElement(midi, "midi-channel").text = str(channel + (channel >= 10))
        ET.SubElement(midi, "midi-program").text = str(part.program + 1)
    for n, part in enumerate(sheet.parts, 1):
        _write_part(ET.SubElement(root, "part", id=f"P{n}"), sheet, part, chords=sheet.chords if n == 1 else ())
    ET.indent(root)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC '
    head += '"-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">\n'
    return head.encode() + ET.tostring(root, encoding="unicode").encode() + b"\n"


def _fifths(sheet: Sheet) -> int:
    major = sheet.tonic if sheet.mode == "major" else sheet.tonic + 3
    return (7 * major + 5) % 12 - 5


def _spelling(pitch: int, fifths: int, mode: str) -> tuple[str, int, int]:
    """Return letter, alteration and octave of a pitch as the key spells it."""
    # Of twelve neighbours on the circle of fifths: in minor the leading note is a raised seventh.
    lowest = fifths - (3 if mode == "minor" else 4)
    place = lowest + (pitch % 12 * 7 - lowest) % 12
    letter = _FIFTHS[(place + 1) % 7]
    alter = (place + 1) // 7
    return letter, alter, (pitch - alter - _NATURALS[letter]) // 12 - 1


def _voices(part: WrittenPart) -> list[list[list[WrittenNote]]]:
    """Return the chords of each voice: notes that begin and end together, no two of a voice at once."""
    chords: dict[tuple[int, int], list[WrittenNote]] = {}
    for note in part.notes:
        chords.setdefault((note.start, note.end), []).append(note)
    voices: list[list[list[WrittenNote]]] = [[]]
    for (start, end), notes in sorted(chords.items(), key=lambda item: (item[0][0], -max(n.pitch for n in item[1]))):
        free = next((voice for voice in voices if not voice or voice[-1][0].end <= start), None)
        if free is None and len(voices) < _MOST_VOICES:
            free = []
            voices.append(free)
        if free is None:
            # No voice is free: the last gives way.
            free = voices[-1]
            free[-1] = [WrittenNote(n.start, max(start, n.start + 1), n.pitch) for n in free[-1]]
            if free[-1][0].end > start:
                continue
        free.append([WrittenNote(start, end, note.pitch) for note in notes])
    return voices


def _write_part(part: ET.Element, sheet: Sheet, written: WrittenPart, *, chords: Sequence[Chord]) -> None:
    fifths = _fifths(sheet)
    voices = _voices(written)
    at = [0] * len(voices)
    symbols = list(chords)
    for number, bar in enumerate(sheet.bars, 1):
        measure = ET.SubElement(part, "measure", number=str(number))
        before = sheet.bars[number - 2] if number > 1 else None
        if before is None or (before.beats, before.unit) != (bar.beats, bar.unit):
            _attributes(measure, sheet, written, bar, first=before is None)
        if before is None and chords:
            _tempo(measure, sheet, bar)
        for n, voice in enumerate(voices):
            if n:
                ET.SubElement(ET.SubElement(measure, "backup"), "duration").text = str(bar.end - bar.start)
            at[n] = _write_voice(measure, voice, at[n], bar, n + 1, (fifths, sheet.mode), symbols if n == 0 else [])
    if len(part):
        barline = ET.SubElement(part[-1], "barline", location="right")
        ET.SubElement(barline, "bar-style").text = "light-heavy"


def _attributes(measure: ET.Element, sheet: Sheet, written: WrittenPart, bar: Bar, *, first: bool) -> None:
    attributes = ET.SubElement(measure, "attributes")
    if first:
        ET.SubElement(attributes, "divisions").text = str(_DIVISIONS)
        key = ET.SubElement(attributes, "key")
        ET.SubElement(key, "fifths").text = str(_fifths(sheet))
        ET.SubElement(key, "mode").text = sheet.mode
    time = ET.SubElement(attributes, "time")
    ET.SubElement(time, "beats").text = str(bar.beats)
    ET.SubElement(time, "beat-type").text = str(bar.unit)
    if first:
        pitches = [note.pitch for note in written.notes]
        low = bool(pitches) and sum(pitches) / len(pitches) < _MIDDLE_C
        clef = ET.SubElement(attributes, "clef")
        ET.SubElement(clef, "sign").text = "F" if low else "G"
        ET.SubElement(clef, "line").text = "4" if low else "2"


def _tempo(measure: ET.Element, sheet: Sheet, bar: Bar) -> None:
    compound = bar.unit == 8 and bar.beats % 3 == 0
    direction = ET.SubElement(measure, "direction", placement="above")
    metronome = ET.SubElement(ET.SubElement(direction, "direction-type"), "metronome")
    ET.SubElement(metronome, "beat-unit").text = "quarter"
    if compound:
        ET.SubElement(metronome, "beat-unit-dot")
    ET.SubElement(metronome, "per-minute").text = f"{sheet.tempo / (1.5 if compound else 1.0):.0f}"
    ET.SubElement(direction, "sound", tempo=f"{sheet.tempo:g}")


def _write_voice(
    measure: ET.Element,
    voice: list[list[WrittenNote]],
    at: int,
    bar: Bar,
    number: int,
    key: tuple[int, str],
    symbols: list[Chord],
) -> int:
    """Write a voice's part of a bar, and return the index of its next chord."""
    now = bar.start
    while now < bar.end:
        chord = voice[at] if at < len(voice) else None
        if chord is None or chord[0].start >= bar.end:
            stop, sounding = bar.end, None
        elif chord[0].start > now:
            stop, sounding = chord[0].start, None
        else:
            stop, sounding = min(chord[0].end, bar.end), chord
        for start, end in _pieces(now, stop, bar, symbols):
            while symbols and symbols[0].start <= start:
                _symbol(measure, symbols.pop(0), key)
            empty = sounding is None and (start, end) == (bar.start, bar.end)
            _sign(measure, sounding, (start, end), number, key, whole_bar=empty)
        if sounding is not None and sounding[0].end <= bar.end:
            at += 1
        now = stop
    return at


def _pieces(start: int, stop: int, bar: Bar, symbols: Sequence[Chord]) -> Iterator[tuple[int, int]]:
    """Divide a length into single note values, at beats and at chord symbols."""
    divided = any(start < chord.start < stop for chord in symbols)
    if (start, stop) == (bar.start, bar.end) and not divided and stop - start in _SIGNS:
        yield start, stop
        return
    compound = bar.unit == 8 and bar.beats % 3 == 0
    beat = 6 if compound else max(16 // bar.unit, 1)
    cuts = sorted({start, stop, *(chord.start for chord in symbols if start < chord.start < stop)})
    for begin, end in pairwise(cuts):
        now = begin
        while now < end:
            within = (now - bar.start) % beat
            most = end - now
            if within and not (within * 2 == beat and most == beat):
                # Off the beat a sign goes no further than the next one, but for a syncopation of one beat.
                most = min(most, beat - within)
            elif compound and not within and most > beat:
                most = 12 if (now - bar.start) % 12 == 0 and most >= 12 else beat
            length = max(sign for sign in _SIGNS if sign <= most)
            yield now, now + length
            now += length


def _sign(
    measure: ET.Element,
    chord: Sequence[WrittenNote] | None,
    span: tuple[int, int],
    voice: int,
    key: tuple[int, str],
    *,
    whole_bar: bool,
) -> None:
    """Write one sign: a rest, or the notes of a chord, tied to those before and behind it."""
    start, end = span
    kind, dotted = _SIGNS.get(end - start, ("whole", False))
    notes: Sequence[WrittenNote | None] = chord or [None]
    for n, note in enumerate(notes):
        element = ET.SubElement(measure, "note")
        if note is None:
            rest = ET.SubElement(element, "rest")
            if whole_bar:
                rest.set("measure", "yes")
        else:
            if n:
                ET.SubElement(element, "chord")
            letter, alter, octave = _spelling(note.pitch, *key)
            pitch = ET.SubElement(element, "pitch")
            ET.SubElement(pitch, "step").text = letter
            if alter:
                ET.SubElement(pitch, "alter").text = str(alter)
            ET.SubElement(pitch, "octave").text = str(octave)
        ET.SubElement(element, "duration").text = str(end - start)
        tied = {} if note is None else {"stop": note.start < start, "start": note.end > end}
        ties = [name for name, is_tied in tied.items() if is_tied]
        for tie in ties:
            ET.SubElement(element, "tie", type=tie)
        ET.SubElement(element, "voice").text = str(voice)
        if not whole_bar:
            ET.SubElement(element, "type").text = kind
            if dotted:
                ET.SubElement(element, "dot")
        if ties:
            notations = ET.SubElement(element, "notations")
            for tie in ties:
                ET.SubElement(notations, "tied", type=tie)


def _symbol(measure: ET.Element, chord: Chord, key: tuple[int, str]) -> None:
    root, third, fifth = chord.pitch_classes
    letter, alter, _ = _spelling(60 + root, *key)
    harmony = ET.SubElement(measure, "harmony")
    element = ET.SubElement(harmony, "root")
    ET.SubElement(element, "root-step").text = letter
    if alter:
        ET.SubElement(element, "root-alter").text = str(alter)
    ET.SubElement(harmony, "kind").text = _KINDS.get(((third - root) % 12, (fifth - root) % 12), "other")
