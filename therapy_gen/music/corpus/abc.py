"""ABC tunes as notes and bar lines in quarter notes (abcnotation.com, standard 2.1, section 4)."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

from therapy_gen.errors import InputError
from therapy_gen.music.corpus.abc_fields import (
    is_percussion,
    read_key,
    read_metre,
    read_shift,
    read_tempo,
    read_unit,
    unit_of_metre,
)
from therapy_gen.music.corpus.abc_tunes import FIELD, decoded, tunes_of
from therapy_gen.music.corpus.abc_voice import PROPAGATIONS, Place, Voice, length_of
from therapy_gen.music.corpus.notation import MAX_NOTES, DamagedError, Notation, TooMuchError
from therapy_gen.music.corpus.score import bar_lines

_LENGTH = r"(\d{0,6})(/{0,6})(\d{0,6})"
_SIGN = r"[\^_](?:\d{1,2}/\d{1,2}|/\d{0,2})|\^{1,2}|_{1,2}|="
_NOTE = re.compile(rf"({_SIGN})?([A-Ga-g])([,']{{0,8}}){_LENGTH}(\.?-)?")
_TOKEN = re.compile(
    r"(?P<text>\"[^\"]{0,400}\"|![^!|\s]{1,60}!|\+[^+|\s]{1,60}\+|\{[^}]{0,400}\})"
    r"|(?P<inline>\[[A-Za-z]:[^\]]{0,200}\])"
    r"|(?P<ending>\[(?:\d[\d,.-]*|(?=\"(?![^\"]*\"[^\[\]|]*\]))))"
    r"|(?P<chord>\[[^\]|]{1,200}\])" + _LENGTH + r"(?P<chordtie>\.?-)?"
    r"|(?P<bar>\[\||:*\|[|\]:]*(?:\d[\d,.-]*)?|::+)"
    r"|\((?P<tuplet>\d)(?::(?P<time>\d?))?(?::(?P<count>\d{0,2}))?"
    r"|(?P<rest>[zx])(?P<restlength>\d{0,6}/{0,6}\d{0,6})"
    r"|(?P<bars>[ZX])(?P<number>\d{0,5})"
    r"|(?P<broken>>{1,3}|<{1,3})"
    r"|(?P<overlay>\(&|&\)|&{1,20})"
    r"|(?P<tie>-)"
    r"|(?P<skip>[\s.~()HIJKLMNOPQRSTUVWhijklmnopqrstuvwy\d`$*\\:\]!+/\"{}]|\[)"
)
# Of General MIDI, as `%%MIDI channel` counts.
_DRUM_CHANNEL = "10"
# With more unknown signs than this share of the notes, a text is prose, not music.
_MOST_UNKNOWN = 0.5


def read_abc(path: Path, velocity: int) -> Notation:
    """Read all tunes of an ABC file as movements of one score; InputError where one is not valid."""
    tunes = []
    notes = 0
    try:
        for lines in tunes_of(decoded(path.read_bytes())):
            tune = _Tune(lines, velocity).notation()
            if tune.rows:
                tunes.append(tune)
            notes += len(tune.rows)
            if notes > MAX_NOTES:
                raise TooMuchError(f"has more than {MAX_NOTES} notes")
    except TooMuchError as error:
        raise InputError(f"{path} {error}; give a shorter score") from error
    except DamagedError as error:
        raise InputError(f"{path} is not ABC that can be read: {error}") from error
    return _joined(tunes)


class _Tune:
    """One tune while it is read."""

    def __init__(self, lines: list[str], velocity: int) -> None:
        self.velocity = velocity
        self.rows: list[list[Fraction | int]] = []
        self.metres: list[tuple[Fraction, int, int]] = []
        self.keys: list[tuple[Fraction, int]] = []
        self.tempi: list[tuple[Fraction, float]] = []
        self.voices: dict[str, Voice] = {}
        self.unknown = 0
        self.unit: Fraction | None = None
        self.metre: tuple[int, int] | None = (4, 4)
        self.sharps, self.altered, self.shift = 0, dict[str, int](), dict[str, int]()
        self.propagation = "pitch"
        self.drums: set[str] = set()
        self.all_drums = False
        self.voice_shifts: dict[str, dict[str, int]] = {}
        self.tempo = ""
        self.voice: Voice | None = None
        in_body = False
        for line in lines:
            named = FIELD.match(line)
            if not in_body and named:
                self._header(named[1], named[2])
                in_body = named[1] == "K"
                continue
            in_body = True
            if named:
                self._field(named[1], named[2])
            else:
                self._music(line)

    def _header(self, name: str, value: str) -> None:
        if name == "M":
            self.metre = read_metre(value)
        elif name == "L":
            self.unit = read_unit(value)
        elif name == "Q":
            self.tempo = value
        elif name == "K":
            self.sharps, self.altered = read_key(value) or (self.sharps, self.altered)
            self.shift.update(read_shift(value))
            self.all_drums = is_percussion(value)
        elif name == "V":
            self._voice_field(value)
        elif name == "I":
            self._instruction(value)

    def _instruction(self, value: str) -> None:
        """Follow a directive: the reach of accidentals, transposition, or percussion."""
        words = value.partition("%")[0].split()
        if len(words) == 2 and words[0] == "propagate-accidentals" and words[1] in PROPAGATIONS:
            self.propagation = words[1]
            for voice in self.voices.values():
                voice.propagation = words[1]
        elif len(words) == 3 and words[:2] == ["MIDI", "transpose"] and re.fullmatch(r"[+-]?\d{1,2}", words[2]):
            (self.voice.shift if self.voice else self.shift)["MIDI"] = int(words[2])
        elif len(words) == 3 and words[:2] == ["MIDI", "channel"]:
            if self.voice:
                self.voice.drums = words[2] == _DRUM_CHANNEL
            else:
                self.all_drums = words[2] == _DRUM_CHANNEL

    def _voice_field(self, value: str) -> None:
        words = value.split()
        if words:
            shift = read_shift(value.partition(words[0])[2])
            self.voice_shifts.setdefault(words[0], {}).update(shift)
            if words[0] in self.voices:
                self.voices[words[0]].shift.update(shift)
            if is_percussion(value.partition(words[0])[2]):
                self.drums.add(words[0])

    def _of(self, name: str) -> Voice:
        if name not in self.voices:
            unit = self.unit or unit_of_metre(self.metre)
            shift = {**self.shift, **self.voice_shifts.get(name, {})}
            drums = self.all_drums or name in self.drums
            altered, number = dict(self.altered), len(self.voices)
            self.voices[name] = Voice(number, drums, unit, self.metre, altered, shift, self.propagation)
            if len(self.voices) == 1:
                self.keys.append((Fraction(0), self.sharps))
                if self.metre:
                    self.metres.append((Fraction(0), *self.metre))
                self._tempo(self.tempo, self.voices[name])
        return self.voices[name]

    @property
    def now(self) -> Voice:
        """The voice that is being written."""
        if self.voice is None:
            self.voice = self._of("")
        return self.voice

    def _tempo(self, text: str, voice: Voice) -> None:
        tempo = read_tempo(text, voice.unit)
        if tempo:
            self.tempi.append((voice.at, tempo))

    def _field(self, name: str, value: str) -> None:
        if name == "V":
            self._voice_field(value)
            if value.split():
                self.voice = self._of(value.split()[0])
            return
        if name == "I":
            self._instruction(value)
        if name not in "MLQK":
            return
        voice = self.now
        if name == "M":
            voice.metre = read_metre(value)
            if voice.metre and voice.number == 0:
                self.metres.append((voice.at, *voice.metre))
        elif name == "L":
            voice.unit = read_unit(value)
        elif name == "Q":
            self._tempo(value, voice)
        else:
            self._key(value, voice)

    def _key(self, value: str, voice: Voice) -> None:
        voice.shift.update(read_shift(value))
        key = read_key(value)
        if key:
            sharps, voice.altered = key
            voice.accidentals.clear()
            if voice.number == 0:
                self.keys.append((voice.at, sharps))

    def _music(self, line: str) -> None:
        at = 0
        while at < len(line):
            note = _NOTE.match(line, at)
            if note:
                length = self.now.length(note[4], note[5], note[6])
                self.now.advance(length, [self._note(self.now, note, length, tied=bool(note[7]))])
                at = note.end()
                continue
            token = _TOKEN.match(line, at)
            if not token or token.end() == at:
                self.unknown += 1
                at += 1
                continue
            at = token.end()
            self._token(token)

    def _token(self, token: re.Match[str]) -> None:
        voice = self.now if not token["inline"] else None
        if token["inline"]:
            self._field(token["inline"][1], token["inline"][3:-1])
        elif voice is None:
            return
        elif token["chord"]:
            inside = list(_NOTE.finditer(re.sub(r"![^!]*!|\"[^\"]*\"", "", token["chord"])))
            if inside:
                self._chord(inside, voice.length(token[5], token[6], token[7]), tied=bool(token["chordtie"]))
        elif token["bar"]:
            voice.bar()
        elif token["tuplet"]:
            voice.start_tuplet(int(token["tuplet"]), int(token["time"] or 0), int(token["count"] or 0))
        elif token["rest"]:
            parts = re.fullmatch(_LENGTH, token["restlength"])
            assert parts is not None
            voice.advance(voice.length(parts[1], parts[2], parts[3]), [])
        elif token["bars"]:
            voice.rest_bars(int(token["number"] or 1))
        elif token["broken"]:
            change = voice.break_rhythm(token["broken"])
            for _, row in voice.last:
                self.rows[row][1] += change
        elif token["overlay"]:
            voice.overlay(token["overlay"])
        elif token["tie"]:
            voice.tie_last()

    def _chord(self, notes: list[re.Match[str]], outer: Fraction, *, tied: bool) -> None:
        """Read the notes of a chord, each with a length of its own; the music goes on behind the first."""
        voice = self.now
        lengths = [outer * length_of(note[4], note[5], note[6]) for note in notes]
        struck = [
            self._note(voice, note, length, tied=tied or bool(note[7]))
            for note, length in zip(notes, lengths, strict=True)
        ]
        voice.advance(lengths[0], struck)

    def _note(self, voice: Voice, note: re.Match[str], length: Fraction, *, tied: bool) -> tuple[Place, int]:
        octave = note[2].islower() + note[3].count("'") - note[3].count(",")
        place = (note[2].upper(), octave)
        row = voice.tied.get(place)
        if row is not None and not voice.tied_row(place, Fraction(self.rows[row][0] + self.rows[row][1])):
            row = None
        if row is None or note[1]:
            pitch = voice.pitch(*place, note[1] or "")
            if row is None or self.rows[row][2] != pitch:
                row = self._struck(voice, note, length, pitch)
            else:
                self.rows[row][1] += length
        else:
            # It keeps the accidental it was struck with, over a bar line too.
            self.rows[row][1] += length
        voice.tied.pop(place, None)
        if tied:
            voice.tied[place] = row
        return place, row

    def _struck(self, voice: Voice, note: re.Match[str], length: Fraction, pitch: int) -> int:
        if not 0 <= pitch <= 127:
            raise DamagedError(f"the note {note[0][:12]} is too high or too low")
        self.rows.append([voice.at, length, pitch, voice.number])
        if len(self.rows) > MAX_NOTES:
            raise TooMuchError(f"has more than {MAX_NOTES} notes")
        return len(self.rows) - 1

    def notation(self) -> Notation:
        """Return the tune; DamagedError where it is prose."""
        if self.unknown > max(_MOST_UNKNOWN * len(self.rows), 8):
            raise DamagedError("its lines are no music")
        found = Notation()
        drums = {voice.number for voice in self.voices.values() if voice.drums}
        found.rows = [
            (float(at), float(length), int(pitch), self.velocity, int(voice))
            for at, length, pitch, voice in self.rows
            if length > 0 and voice not in drums
        ]
        if not found.rows:
            return found
        leading = max(self.voices.values(), key=lambda voice: (len(voice.lines), -voice.number))
        lines = [float(line) for line in leading.lines]
        end = max(float(max(voice.at, voice.furthest)) for voice in self.voices.values())
        if len(lines) > 1:
            found.bars = lines if end <= lines[-1] + 1e-6 else [*lines, end]
        found.metres = [(float(at), beats, unit) for at, beats, unit in self.metres]
        found.keys = [(float(at), sharps) for at, sharps in self.keys]
        found.tempi = [(float(at), tempo) for at, tempo in self.tempi]
        return found


def _joined(tunes: list[Notation]) -> Notation:
    """Return tunes joined one after the other."""
    if len(tunes) == 1:
        return tunes[0]
    whole = Notation()
    begin = 0.0
    for tune in tunes:
        length = max([*tune.bars[-1:], *(row[0] + row[1] for row in tune.rows)])
        whole.rows += [(row[0] + begin, *row[1:]) for row in tune.rows]
        bars = tune.bars or bar_lines(tune.metres, length)
        length = max(length, bars[-1])
        whole.bars += [line + begin for line in bars[:-1]]
        whole.metres += [(at + begin, beats, unit) for at, beats, unit in tune.metres]
        whole.keys += [(at + begin, sharps) for at, sharps in tune.keys]
        whole.tempi += [(at + begin, tempo) for at, tempo in tune.tempi]
        begin += length
        whole.ends.append(begin)
    whole.bars.append(begin)
    whole.ends = whole.ends[:-1]
    return whole
