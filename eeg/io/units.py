"""Units as files write them, in volts."""

from __future__ import annotations

import re

# Letters that stand for "micro": u, the micro sign, the Greek mu; and what wrong encodings make of them.
_MICRO = "uµμ?\ufffd\x83êâÂÎ¼"
_PREFIX = {"": 1.0, "m": 1e-3, "milli": 1e-3, "micro": 1e-6, "n": 1e-9, "nano": 1e-9, "p": 1e-12, "k": 1e3, "kilo": 1e3}
_VOLTS = re.compile(r"(?P<prefix>.*?)(?:v|volts?)")
_COUNTS = {
    "count",
    "counts",
    "cnt",
    "cnts",
    "adc",
    "adu",
    "raw",
    "lsb",
    "digit",
    "digits",
    "digital",
    "au",
    "a.u.",
    "bit",
    "bits",
}
_UNKNOWN = {"", "-", "n/a", "na", "none", "unknown", "unit", "1"}


def to_volts(unit: str) -> float | None:
    """Return a unit in volts: ``"uV"`` -> 1e-06; None where it is not a unit of voltage.

    Parameters
    ----------
    unit : str
        As written: ``"uV"``, ``"µV"``, ``"microvolts"``, ``"?V"`` (a micro sign lost on the way) and the like.

    Examples
    --------
    >>> to_volts("mv"), to_volts("Microvolts"), to_volts("mmHg")
    (0.001, 1e-06, None)
    """
    text = unit.strip(" \t\0\"'[]()").lower().rstrip(".")
    match = _VOLTS.fullmatch(text)
    if match is None:
        return None
    prefix = match["prefix"].strip(" -_")
    if prefix in _PREFIX:
        return _PREFIX[prefix]
    return 1e-6 if prefix and all(letter in _MICRO.lower() for letter in prefix) else None


def is_guessed(unit: str) -> bool:
    """Return whether reading a unit of voltage takes a guess, since its micro sign was lost."""
    return to_volts(unit) == 1e-6 and any(letter in "?\ufffd\x83" for letter in unit)


def is_counts(unit: str) -> bool:
    """Return whether a unit says that values are numbers of the converter, not volts."""
    return unit.strip().lower() in _COUNTS


def is_unknown(unit: str) -> bool:
    """Return whether nothing is said."""
    return unit.strip().lower() in _UNKNOWN
