"""The result of a reader of notated music, and limits on a score's size."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_BARS = 20_000
MAX_NOTES = 300_000
MAX_BEATS = 64
UNITS = (1, 2, 4, 8, 16, 32, 64, 128)
MAX_SHARPS = 7

Row = tuple[float, float, int, int, int]


@dataclass
class Notation:
    """The contents of a score, in quarter notes from its beginning.

    Attributes
    ----------
    rows : list of (onset, duration, pitch, velocity, part)
        Sounding pitches; tied notes are one, grace notes and percussion none.
    bars : list of float
        Bar lines, the last one included; empty where none are written.
    metres : list of (onset, beats, unit)
    keys : list of (onset, sharps)
    tempi : list of (onset, quarter notes a minute)
    ends : list of float
        Where a movement ends and another begins.
    remarks : list of str
        What was left out or made up, for the user.
    """

    rows: list[Row] = field(default_factory=list)
    bars: list[float] = field(default_factory=list)
    metres: list[tuple[float, int, int]] = field(default_factory=list)
    keys: list[tuple[float, int]] = field(default_factory=list)
    tempi: list[tuple[float, float]] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


class TooMuchError(Exception):
    """More of something than any score has."""


class DamagedError(Exception):
    """Something missing or invalid, in words for the user."""
