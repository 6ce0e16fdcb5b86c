"""The state of one voice of an ABC tune: lengths, accidentals, ties and bars (standard 2.1, sections 4 and 7)."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from fractions import Fraction

from therapy_gen.music.corpus.notation import MAX_BARS, DamagedError, TooMuchError

# Longest tune, in quarter notes.
_MAX_QUARTERS = 100_000
_IN_TIME_OF = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
# How far an accidental reaches within its bar (section 11.3): to its note, its octave, or every octave.
PROPAGATIONS = ("not", "octave", "pitch")

Place = tuple[str, int]


@dataclass
class Voice:
    """A voice while it is read; times in quarter notes."""

    number: int
    drums: bool
    unit: Fraction
    metre: tuple[int, int] | None
    altered: dict[str, int]
    shift: dict[str, int]
    propagation: str = "pitch"
    at: Fraction = Fraction(0)
    furthest: Fraction = Fraction(0)
    lines: list[Fraction] = field(default_factory=lambda: [Fraction(0)])
    ahead: list[Fraction] = field(default_factory=list)
    """Bar lines that an overlay has yet to pass, those that another voice has passed."""
    overlaid: Fraction | None = None
    """Where an overlay of several bars began."""
    accidentals: dict[Place | str, int] = field(default_factory=dict)
    tied: dict[Place, int] = field(default_factory=dict)
    """Notes that wait to go on: row of each."""
    last: list[tuple[Place, int]] = field(default_factory=list)
    last_length: Fraction = Fraction(0)
    factor: Fraction = Fraction(1)
    """Of the next note, by broken rhythm."""
    tuplet: Fraction = Fraction(1)
    tuplet_left: int = 0

    def length(self, number: str, slashes: str, divisor: str) -> Fraction:
        """Return the length of the next note, from the numbers after it."""
        length = length_of(number, slashes, divisor) * self.unit * self.factor
        self.factor = Fraction(1)
        if self.tuplet_left:
            self.tuplet_left -= 1
            length *= self.tuplet
        return length

    def pitch(self, letter: str, octave: int, sign: str) -> int:
        """Return the MIDI pitch of a note, and keep its accidental for the bar."""
        place = (letter, octave)
        reach: Place | str = letter if self.propagation == "pitch" else place
        alter = self.accidentals.get(reach, self.altered.get(letter, 0))
        if sign:
            alter = _alteration(sign)
            if self.propagation != "not":
                self.accidentals[reach] = alter
        return 60 + LETTERS[letter] + alter + 12 * octave + sum(self.shift.values())

    def tied_row(self, place: Place, ends: Fraction) -> bool:
        """Return whether a tied note at `place` that ends at `ends` continues here; a past one is dropped."""
        if ends < self.at:
            del self.tied[place]
        return ends == self.at

    def tie_last(self) -> None:
        """Tie the last notes."""
        self.tied.update(self.last)

    def advance(self, length: Fraction, struck: list[tuple[Place, int]]) -> None:
        """Go on behind notes, or a rest."""
        self.at += length
        if self.at > _MAX_QUARTERS:
            raise TooMuchError(f"lasts more than {_MAX_QUARTERS} quarter notes")
        self.last, self.last_length = struck, length

    def bar(self) -> None:
        """Pass a bar line."""
        self.accidentals.clear()
        if self.ahead:
            self.furthest = max(self.at, self.furthest)
            self.at = self.ahead.pop(0)
            return
        self.at = max(self.at, self.furthest)
        if self.at > self.lines[-1]:
            self.lines.append(self.at)
            if len(self.lines) > MAX_BARS:
                raise TooMuchError(f"has more than {MAX_BARS} bars")

    def rest_bars(self, count: int) -> None:
        """Rest for whole bars; the last is closed by the bar line that follows."""
        beats, unit = self.metre or (4, 4)
        for number in range(count):
            self.advance(Fraction(4 * beats, unit), [])
            if number < count - 1:
                self.bar()

    def overlay(self, signs: str) -> None:
        """Go back by one bar for each ``&``, or between ``(&`` and ``&)`` to their beginning."""
        self.furthest = max(self.furthest, self.at)
        self.accidentals.clear()
        self.last = []
        if signs == "(&":
            self.overlaid = self.at
            return
        if signs == "&)":
            self.at, self.ahead, self.overlaid = self.furthest, [], None
            return
        if self.overlaid is None:
            behind = min(len(signs), len(self.lines)) - 1
            self.at = self.lines[-1 - behind]
        else:
            behind = len(self.lines) - bisect_right(self.lines, self.overlaid)
            self.at = self.overlaid
        self.ahead = self.lines[len(self.lines) - behind :]

    def start_tuplet(self, count: int, time: int, notes: int) -> None:
        """Let the next `notes`, each for `count` of them, take the time of `time`; 0 stands for the usual number."""
        compound = self.metre is not None and self.metre[0] % 3 == 0 and self.metre[0] > 3
        time = time or _IN_TIME_OF.get(count, 3 if compound else 2)
        if count:
            self.tuplet, self.tuplet_left = Fraction(time, count), notes or count

    def break_rhythm(self, signs: str) -> Fraction:
        """Lengthen what came last and shorten what follows, or the reverse; return the change of the former."""
        short = Fraction(1, 2 ** len(signs))
        first, second = (2 - short, short) if signs[0] == ">" else (short, 2 - short)
        change = self.last_length * (first - 1)
        self.at += change
        self.factor = second
        return change


def length_of(number: str, slashes: str, divisor: str) -> Fraction:
    """Return a length such as ``3/2`` or ``//``, in units."""
    length = Fraction(int(number) if number else 1)
    if slashes:
        by = int(divisor) if divisor else 2 ** len(slashes)
        if not by:
            raise DamagedError("a note is divided by nothing")
        return length / by
    if divisor:
        raise DamagedError(f"a note's length {number}{divisor} is no number")
    return length


def _alteration(sign: str) -> int:
    """Return the semitones of an accidental, a microtone such as ``^/`` or ``_3/2`` as the nearest, or the smaller."""
    if sign == "=":
        return 0
    up = 1 if sign[0] == "^" else -1
    micro = re.fullmatch(r"[\^_](\d*)/(\d*)", sign)
    if not micro:
        return up * len(sign)
    below = int(micro[2] or 2)
    if not below:
        raise DamagedError(f"the accidental {sign} is no number")
    return up * math.ceil(Fraction(int(micro[1] or 1), below) - Fraction(1, 2))
