"""ABC tunes as notes and bar lines in quarter notes (abcnotation.com, standard 2.1, section 4)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
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
from therapy_gen.music.corpus.notation import MAX_BARS, MAX_NOTES, DamagedError, Notation, TooMuchError

# What a tune may last, in quarter notes.
_MAX_QUARTERS = 100_000
_LENGTH = r"(\d{0,6})(/{0,6})(\d{0,6})"
_NOTE = re.compile(rf"(\^{{1,2}}|_{{1,2}}|=)?([A-Ga-g])([,']{{0,8}}){_LENGTH}(\.?-)?")
_TOKEN = re.compile(
    r"(?P<text>\"[^\"]{0,400}\"|![^!|\s]{1,60}!|\+[^+|\s]{1,60}\+|\{[^}]{0,400}\})"
    r"|(?P<inline>\[[A-Za-z]:[^\]]{0,200}\])"
    r"|(?P<ending>\[(?:\d[\d,.-]*|(?=\")))"
    r"|(?P<chord>\[[^\]|]{1,200}\])" + _LENGTH + r"(?P<chordtie>\.?-)?"
    r"|(?P<bar>\[\||:*\|[|\]:]*(?:\d[\d,.-]*)?|::+)"
    r"|\((?P<tuplet>\d)(?::(?P<time>\d?))?(?::(?P<count>\d{0,2}))?"
    r"|(?P<rest>[zx])(?P<restlength>\d{0,6}/{0,6}\d{0,6})"
    r"|(?P<bars>[ZX])(?P<number>\d{0,5})"
    r"|(?P<broken>>{1,3}|<{1,3})"
    r"|(?P<overlay>&)"
    r"|(?P<skip>[\s.~()HIJKLMNOPQRSTUVWhijklmnopqrstuvwy\d`$*\\:\]\-!+/\"{}]|\[)"
)
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SIGNS = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}
_IN_TIME_OF = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
# More signs that mean nothing than this share of the notes: prose, not music.
_MOST_UNKNOWN = 0.5


def read_abc(path: Path, velocity: int) -> Notation:
    """Read all tunes of an ABC file, one behind the other, each a movement; InputError where one makes no sense."""
    tunes = []
    try:
        for lines in tunes_of(decoded(path.read_bytes())):
            tune = _Tune(lines, velocity).notation()
            if tune.rows:
                tunes.append(tune)
            if sum(len(each.rows) for each in tunes) > MAX_NOTES:
                raise TooMuchError(f"has more than {MAX_NOTES} notes")
    except TooMuchError as error:
        raise InputError(f"{path} {error}; give a shorter score") from error
    except DamagedError as error:
        raise InputError(f"{path} is not ABC that can be read: {error}") from error
    return _joined(tunes)


@dataclass
class _Voice:
    """Where one voice stands."""

    number: int
    drums: bool
    unit: Fraction
    metre: tuple[int, int] | None
    altered: dict[str, int]
    shift: int = 0
    at: Fraction = Fraction(0)
    bar: Fraction = Fraction(0)
    furthest: Fraction = Fraction(0)
    lines: list[Fraction] = field(default_factory=lambda: [Fraction(0)])
    accidentals: dict[tuple[str, str], int] = field(default_factory=dict)
    tied: dict[tuple[str, str], int] = field(default_factory=dict)
    """Notes that wait to go on: row of each."""
    last: list[int] = field(default_factory=list)
    last_length: Fraction = Fraction(0)
    factor: Fraction = Fraction(1)
    """Of the next note, by broken rhythm."""
    tuplet: Fraction = Fraction(1)
    tuplet_left: int = 0


class _Tune:
    """One tune while it is read."""

    def __init__(self, lines: list[str], velocity: int) -> None:
        self.velocity = velocity
        self.rows: list[list[Fraction | int]] = []
        self.metres: list[tuple[Fraction, int, int]] = []
        self.keys: list[tuple[Fraction, int]] = []
        self.tempi: list[tuple[Fraction, float]] = []
        self.voices: dict[str, _Voice] = {}
        self.unknown = 0
        self.unit: Fraction | None = None
        self.metre: tuple[int, int] | None = (4, 4)
        self.sharps, self.altered, self.shift = 0, dict[str, int](), 0
        self.drums: set[str] = set()
        self.all_drums = False
        self.voice_shifts: dict[str, int] = {}
        self.tempo = ""
        self.voice: _Voice | None = None
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
            self.sharps, self.altered = read_key(value)
            self.shift = read_shift(value)
            self.all_drums = is_percussion(value)
        elif name == "V":
            self._voice_field(value)

    def _voice_field(self, value: str) -> None:
        words = value.split()
        if words:
            self.voice_shifts.setdefault(words[0], read_shift(value))
            if is_percussion(value.partition(words[0])[2]):
                self.drums.add(words[0])

    def _of(self, name: str) -> _Voice:
        if name not in self.voices:
            unit = self.unit or unit_of_metre(self.metre)
            shift = self.voice_shifts.get(name, 0) or self.shift
            drums = self.all_drums or name in self.drums
            self.voices[name] = _Voice(len(self.voices), drums, unit, self.metre, dict(self.altered), shift)
            if len(self.voices) == 1:
                self.keys.append((Fraction(0), self.sharps))
                if self.metre:
                    self.metres.append((Fraction(0), *self.metre))
                self._tempo(self.tempo, self.voices[name])
        return self.voices[name]

    @property
    def now(self) -> _Voice:
        """The voice that is being written."""
        if self.voice is None:
            self.voice = self._of("")
        return self.voice

    def _tempo(self, text: str, voice: _Voice) -> None:
        tempo = read_tempo(text, voice.unit)
        if tempo:
            self.tempi.append((voice.at, tempo))

    def _field(self, name: str, value: str) -> None:
        if name == "V":
            self._voice_field(value)
            if value.split():
                self.voice = self._of(value.split()[0])
            return
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
            sharps, voice.altered = read_key(value)
            if voice.number == 0:
                self.keys.append((voice.at, sharps))

    def _music(self, line: str) -> None:
        at = 0
        while at < len(line):
            note = _NOTE.match(line, at)
            if note:
                self._notes([note], note[4], note[5], note[6])
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
                self._notes(inside, token[5], token[6], token[7], tie=bool(token["chordtie"]))
        elif token["bar"]:
            self._bar(voice)
        elif token["tuplet"]:
            self._tuplet(voice, token)
        elif token["rest"]:
            parts = re.fullmatch(_LENGTH, token["restlength"])
            assert parts is not None
            self._advance(voice, self._length(voice, parts[1], parts[2], parts[3]), [])
        elif token["bars"]:
            self._rest_bars(voice, int(token["number"] or 1))
        elif token["broken"]:
            self._broken(voice, token["broken"])
        elif token["overlay"]:
            voice.furthest = max(voice.furthest, voice.at)
            voice.at = voice.bar
            voice.last = []

    def _length(self, voice: _Voice, number: str, slashes: str, divisor: str) -> Fraction:
        length = Fraction(int(number) if number else 1)
        if slashes:
            by = int(divisor) if divisor else 2 ** len(slashes)
            if not by:
                raise DamagedError("a note is divided by nothing")
            length /= by
        elif divisor:
            raise DamagedError(f"a note's length {number}{divisor} is no number")
        length *= voice.unit * voice.factor
        voice.factor = Fraction(1)
        if voice.tuplet_left:
            voice.tuplet_left -= 1
            length *= voice.tuplet
        return length

    def _notes(self, notes: list[re.Match[str]], number: str, slashes: str, divisor: str, *, tie: bool = False) -> None:
        """Read a note, or the notes of a chord, whose outer length is given."""
        voice = self.now
        chord = len(notes) > 1 or tie
        length = self._length(voice, number, slashes, divisor)
        first: Fraction | None = None
        written = []
        for note in notes:
            own = length
            if chord:
                inner = Fraction(int(note[4]) if note[4] else 1)
                if note[5]:
                    inner /= int(note[6]) if note[6] and int(note[6]) else 2 ** len(note[5])
                own = length * inner
            first = own if first is None else first
            written.append(self._note(voice, note, own, tied=tie or bool(note[7])))
        self._advance(voice, first or Fraction(0), written)

    def _note(self, voice: _Voice, note: re.Match[str], length: Fraction, *, tied: bool) -> int:
        letter, marks = note[2], note[3]
        place = (letter.upper(), ("'" if letter.islower() else "") + marks)
        if note[1]:
            voice.accidentals[place] = _SIGNS[note[1]]
        alter = voice.accidentals.get(place, voice.altered.get(place[0], 0))
        octave = place[1].count("'") - place[1].count(",")
        row = voice.tied.pop(place, None)
        if row is not None and not note[1]:
            start, lasted = self.rows[row][0], self.rows[row][1]
            if start + lasted == voice.at:
                self.rows[row][1] = lasted + length
                if tied:
                    voice.tied[place] = row
                return row
        pitch = 60 + _LETTERS[place[0]] + alter + 12 * octave + voice.shift
        if not 0 <= pitch <= 127:
            raise DamagedError(f"the note {note[0][:12]} is too high or too low")
        self.rows.append([voice.at, length, pitch, voice.number])
        if len(self.rows) > MAX_NOTES:
            raise TooMuchError(f"has more than {MAX_NOTES} notes")
        if tied:
            voice.tied[place] = len(self.rows) - 1
        return len(self.rows) - 1

    @staticmethod
    def _advance(voice: _Voice, length: Fraction, rows: list[int]) -> None:
        voice.at += length
        if voice.at > _MAX_QUARTERS:
            raise TooMuchError(f"lasts more than {_MAX_QUARTERS} quarter notes")
        voice.last, voice.last_length = rows, length

    @staticmethod
    def _bar(voice: _Voice) -> None:
        voice.at = voice.bar = max(voice.at, voice.furthest)
        voice.accidentals.clear()
        if voice.at > voice.lines[-1]:
            voice.lines.append(voice.at)
            if len(voice.lines) > MAX_BARS:
                raise TooMuchError(f"has more than {MAX_BARS} bars")

    def _rest_bars(self, voice: _Voice, count: int) -> None:
        beats, unit = voice.metre or (4, 4)
        for number in range(count):
            self._advance(voice, Fraction(4 * beats, unit), [])
            # The last is closed by the bar line that follows.
            if number < count - 1:
                self._bar(voice)

    @staticmethod
    def _tuplet(voice: _Voice, token: re.Match[str]) -> None:
        count = int(token["tuplet"])
        compound = voice.metre is not None and voice.metre[0] % 3 == 0 and voice.metre[0] > 3
        time = int(token["time"] or 0) or _IN_TIME_OF.get(count, 3 if compound else 2)
        if count:
            voice.tuplet, voice.tuplet_left = Fraction(time, count), int(token["count"] or 0) or count

    def _broken(self, voice: _Voice, signs: str) -> None:
        short = Fraction(1, 2 ** len(signs))
        first, second = (2 - short, short) if signs[0] == ">" else (short, 2 - short)
        change = voice.last_length * (first - 1)
        for row in voice.last:
            self.rows[row][1] += change
        voice.at += change
        voice.factor = second

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
    """Return tunes one behind the other."""
    if len(tunes) == 1:
        return tunes[0]
    whole = Notation()
    begin = 0.0
    for tune in tunes:
        length = max([*tune.bars[-1:], *(row[0] + row[1] for row in tune.rows)])
        whole.rows += [(row[0] + begin, *row[1:]) for row in tune.rows]
        bars = tune.bars or [0.0, length]
        whole.bars += [line + begin for line in bars[:-1]]
        whole.metres += [(at + begin, beats, unit) for at, beats, unit in tune.metres]
        whole.keys += [(at + begin, sharps) for at, sharps in tune.keys]
        whole.tempi += [(at + begin, tempo) for at, tempo in tune.tempi]
        begin += length
        whole.ends.append(begin)
    whole.bars.append(begin)
    whole.ends = whole.ends[:-1]
    return whole
