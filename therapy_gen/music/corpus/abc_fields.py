"""Reading the fields of an ABC tune: metre, unit length, tempo and key (abcnotation.com, standard 2.1, section 3)."""

from __future__ import annotations

import re
from fractions import Fraction

from therapy_gen.music.corpus.notation import MAX_BEATS, UNITS, DamagedError

_NATURALS = {"C": 0, "D": 2, "E": 4, "F": -1, "G": 1, "A": 3, "B": 5}
# Sharps fewer than the major key on the same tonic, by the first letters of a mode.
_MODES = {"maj": 0, "ion": 0, "": 0, "min": 3, "m": 3, "aeo": 3, "mix": 1, "dor": 2, "phr": 4, "lyd": -1, "loc": 5}
_SHARPS = "FCGDAEB"
_SIGNS = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}
_TONIC = re.compile(r"([A-Ga-g])([#b]?)([A-Za-z]*)\d?")
_PARAMETER = re.compile(r"(?:^|\s)[A-Za-z]{1,12}=(?:\"[^\"]*\"|\S+)")
_ACCIDENTAL = re.compile(r"(?<![\^_=])(\^{1,2}|_{1,2}|=)([A-Ga-g])(?![A-Za-z])")
_CLEF = re.compile(r"\b(?:treble|bass|alto|tenor|soprano|mezzo(?:soprano)?|baritone|perc|none)\d?([+-]8)?(?!\w)")
_FREE = ("none", "free", "")
_LONGEST_UNIT = 4


def read_metre(text: str) -> tuple[int, int] | None:
    """Return beats and unit, e.g. of ``6/8``, ``C|`` or ``2+2+3/8``; None for free metre.

    Examples
    --------
    >>> read_metre("C|"), read_metre("(2+2+3)/8"), read_metre("none")
    ((2, 2), (7, 8), None)
    """
    words = text.strip()
    if words.lower() in _FREE:
        return None
    if words in ("C", "C|"):
        return (4, 4) if words == "C" else (2, 2)
    match = re.match(r"\(?\s*(\d{1,3}(?:\s*\+\s*\d{1,3}){0,16})\s*\)?\s*/\s*(\d{1,3})", words)
    if not match:
        raise DamagedError(f"M:{words[:20]} is no metre; give one such as M:4/4")
    beats, unit = sum(int(number) for number in match[1].split("+")), int(match[2])
    if not 0 < beats <= MAX_BEATS or unit not in UNITS:
        raise DamagedError(f"M:{words[:20]} is no metre; give one such as M:4/4")
    return beats, unit


def read_unit(text: str) -> Fraction:
    """Return the unit length, in quarter notes, of e.g. ``1/8``."""
    match = re.match(r"\s*(\d{1,3})\s*(?:/\s*(\d{1,3}))?", text)
    if not match or not int(match[1]) or (match[2] and not int(match[2])):
        raise DamagedError(f"L:{text.strip()[:20]} is no length; give one such as L:1/8")
    unit = Fraction(int(match[1]), int(match[2] or 1))
    if unit > _LONGEST_UNIT:
        raise DamagedError(f"L:{text.strip()[:20]} is no length; give one such as L:1/8")
    return unit * 4


def unit_of_metre(metre: tuple[int, int] | None) -> Fraction:
    """Return the unit length, in quarter notes, where no L: says it."""
    return Fraction(1, 4) if metre and Fraction(*metre) < Fraction(3, 4) else Fraction(1, 2)


def read_tempo(text: str, unit: Fraction) -> float | None:
    """Return quarter notes a minute, e.g. of ``3/8=50``; None where no number is given."""
    words = re.sub(r'"[^"]*"', " ", text)
    value = r"\d{1,3}\s*/\s*\d{1,3}\s*"
    match = re.search(rf"(?:((?:{value}){{1,4}})=|C(\d{{0,2}})\s*=)?\s*(\d{{1,4}}(?:\.\d{{1,4}})?)\s*$", words.strip())
    if not match:
        return None
    beat = Fraction(1)
    if match[1]:
        # Several note values are one beat, tied.
        parts = [(int(above), int(below)) for above, below in re.findall(r"(\d+)\s*/\s*(\d+)", match[1])]
        beat = 4 * sum((Fraction(above, below) for above, below in parts if below), Fraction(0)) or Fraction(1)
    elif match[2] is not None:
        beat = unit * int(match[2] or 1)
    tempo = float(beat) * float(match[3])
    return tempo if 1 <= tempo <= 1000 else None


def read_key(text: str) -> tuple[int, dict[str, int]] | None:
    """Return the sharps of a signature (negative for flats), and what each letter is altered by.

    None for a field that names no key, but a clef, say.

    Examples
    --------
    >>> read_key("Edor"), read_key("F clef=bass")
    ((2, {'F': 1, 'C': 1}), (-1, {'B': -1}))
    >>> read_key("D exp ^c _b"), read_key("clef=bass")
    ((0, {'C': 1, 'B': -1}), None)
    """
    words = _PARAMETER.sub(" ", text).strip()
    if words[:2] in ("HP", "Hp"):
        return 2, {"F": 1, "C": 1}
    explicit = re.search(r"\bexp\b", words)
    accidentals = _ACCIDENTAL.findall(words)
    tonic = _tonic(words)
    if tonic is None and text.strip() and not accidentals and not explicit and not re.match(r"(?i)none\b", words):
        return None
    sharps = 0 if tonic is None or explicit else tonic
    altered = dict.fromkeys(_SHARPS[:sharps], 1) if sharps >= 0 else dict.fromkeys(_SHARPS[::-1][:-sharps], -1)
    for signs, letter in accidentals:
        altered[letter.upper()] = _SIGNS[signs]
    return sum(altered.values()) if explicit else sharps, altered


def _tonic(words: str) -> int | None:
    """Return the sharps of a tonic and its mode, one word or two; None where the first word is no tonic."""
    first, second, *_ = [*re.sub(r"[\^_=].*", "", words).split(), "", ""]
    match = _TONIC.fullmatch(first)
    mode = match[3].lower()[:3] if match else ""
    if not match or mode not in _MODES:
        return None
    if not mode and second.lower()[:3] in _MODES:
        mode = second.lower()[:3]
    sharps = _NATURALS[match[1].upper()] + 7 * {"#": 1, "b": -1, "": 0}[match[2]] - _MODES[mode]
    return max(min(sharps, 7), -7)


def is_percussion(text: str) -> bool:
    """Return whether a K: or V: field gives its voice the clef of percussion."""
    return re.search(r"(?:^|\s|=)\"?perc\b", text) is not None


def read_shift(text: str) -> dict[str, int]:
    """Return the semitones by which a K: or V: field transposes, by the parameter that says so.

    Examples
    --------
    >>> read_shift("1 clef=bass-8 octave=+1"), read_shift("D transpose=-2")
    ({'octave': 12, 'clef': -12}, {'transpose': -2})
    """
    shift = {}
    for name, size in (("octave", 12), ("transpose", 1)):
        match = re.search(rf"\b{name}\s*=\s*([+-]?\d{{1,2}})(?!\d)", text)
        if match:
            shift[name] = size * int(match[1])
    clef = _CLEF.search(re.sub(r"(?<!clef=)\"[^\"]*\"", "", text))
    if clef:
        shift["clef"] = 12 * int(clef[1][0] + "1") if clef[1] else 0
    return shift
