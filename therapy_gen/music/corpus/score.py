"""A score as plain arrays in quarter notes, read from MIDI, MusicXML or ABC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.files import check_input
from therapy_gen.music.corpus.notation import MAX_BARS, Notation, TooMuchError
from therapy_gen.music.midi.key import named_keys
from therapy_gen.music.midi.reader import MIDI_SUFFIXES, read_midi_bytes, read_midi_file

MAX_FILE_BYTES = 20_000_000
_MUSICXML_SUFFIXES = (".mxl", ".musicxml", ".xml")
_ABC_SUFFIXES = (".abc",)
SUFFIXES = MIDI_SUFFIXES + _MUSICXML_SUFFIXES + _ABC_SUFFIXES

NOTE = np.dtype(
    [("onset", np.float64), ("duration", np.float64), ("pitch", np.int16), ("velocity", np.int16), ("part", np.int32)]
)
DEFAULT_VELOCITY = 64
# A longer score is an error of the file (a stray event far out), not music.
_MAX_QUARTERS = 100_000.0


@dataclass(frozen=True)
class Score:
    """Notes, bars and keys of one file.

    Attributes
    ----------
    notes : structured array of `NOTE`
        Onset and duration in quarter notes from the start of the file, sorted by onset, then pitch. No percussion.
    bars : array of float64, shape (n + 1,)
        Bar lines in quarter notes; bar i lies between lines i and i + 1.
    metres : tuple of (float, int, int)
        Time signatures: onset in quarter notes, numerator, denominator.
    keys : tuple of (float, int)
        Key signatures: onset in quarter notes, sharps (negative for flats).
    tempi : tuple of (float, float)
        Onset in quarter notes, quarter notes a minute; empty where the file names none.
    named_keys : tuple of (float, int, str)
        Keys that a MIDI file names: onset in quarter notes, tonic, mode.
    ends : tuple of float
        Where a movement ends and another begins, in quarter notes.
    remarks : tuple of str
        What was left out or made up, for the user.
    """

    notes: npt.NDArray[Any]
    bars: npt.NDArray[np.float64]
    metres: tuple[tuple[float, int, int], ...]
    keys: tuple[tuple[float, int], ...]
    tempi: tuple[tuple[float, float], ...]
    ends: tuple[float, ...] = ()
    named_keys: tuple[tuple[float, int, str], ...] = ()
    remarks: tuple[str, ...] = ()


def read_score(path: Path) -> Score:
    """Read a MIDI, MusicXML or ABC file.

    Raises
    ------
    InputError
        Where the file is missing, too large, of another kind, damaged, or holds no notes.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path} is not a score; give one of {', '.join(SUFFIXES)}")
    check_input(path, MAX_FILE_BYTES)
    try:
        score = _read(path, suffix)
    except TooMuchError as error:
        raise InputError(f"{path} {error}; give a shorter score") from error
    if not len(score.notes):
        raise InputError(f"{path} holds no notes; give another file")
    return score


def _read(path: Path, suffix: str) -> Score:
    if suffix in MIDI_SUFFIXES:
        return _from_midi(path)
    if suffix in _MUSICXML_SUFFIXES:
        from therapy_gen.music.corpus.musicxml import read_musicxml

        return _from_notation(read_musicxml(path, DEFAULT_VELOCITY))
    from therapy_gen.music.corpus.abc import read_abc

    return _from_notation(read_abc(path, DEFAULT_VELOCITY))


def _build(
    rows: list[tuple[float, float, int, int, int]],
    metres: list[tuple[float, int, int]],
    keys: list[tuple[float, int]],
    tempi: list[tuple[float, float]],
    bars: list[float] | None = None,
    ends: list[float] | None = None,
    remarks: Sequence[str] = (),
) -> Score:
    near = [row for row in rows if row[0] < _MAX_QUARTERS]
    if len(near) < len(rows):
        remarks = [*remarks, f"notes behind {_MAX_QUARTERS:.0f} quarter notes are left out: {len(rows) - len(near)}"]
    notes = np.array([row for row in near if row[1] > 0], dtype=NOTE)
    notes["duration"] = np.minimum(notes["duration"], _MAX_QUARTERS - notes["onset"])
    notes.sort(order=("onset", "pitch", "duration"))
    end = float((notes["onset"] + notes["duration"]).max()) if len(notes) else 0.0
    metres = _distinct(metres)
    if bars is None:
        bars = bar_lines(metres, end)
    return Score(
        notes,
        np.asarray(bars, dtype=np.float64),
        tuple(metres),
        tuple(_distinct(keys)),
        tuple(_distinct(tempi)),
        tuple(ends or ()),
        remarks=tuple(remarks),
    )


def _distinct(events: list[Any]) -> list[Any]:
    """Sort events by onset; of several at one onset keep the last, of equal neighbours the first."""
    at: dict[float, Any] = {}
    for event in sorted(events, key=lambda event: float(event[0])):
        at[round(event[0], 3)] = event
    kept: list[Any] = []
    for event in at.values():
        if not kept or kept[-1][1:] != event[1:]:
            kept.append(event)
    return kept


def bar_lines(metres: list[tuple[float, int, int]], end: float) -> list[float]:
    """Lay bar lines from time signatures (4/4 where there is none) until `end`, in quarter notes."""
    if not metres or metres[0][0] > 0.01:
        metres = [(0.0, 4, 4), *metres]
    lines = [0.0]
    bars = sum(
        max(until - onset, 0.0) * unit / (4.0 * beats)
        for (onset, beats, unit), (until, _, _) in pairwise([*metres, (end, 4, 4)])
    )
    if bars > MAX_BARS:
        raise TooMuchError(f"has more than {MAX_BARS} bars")
    for n, (onset, numerator, denominator) in enumerate(metres):
        until = metres[n + 1][0] if n + 1 < len(metres) else max(end, onset + 1e-6)
        length = numerator * 4.0 / denominator
        if length <= 0:
            continue
        if onset > lines[-1] + 1e-3:
            lines.append(onset)
        while lines[-1] + length <= until + 1e-3:
            lines.append(lines[-1] + length)
        if n + 1 == len(metres) and lines[-1] < end - 1e-3:
            lines.append(lines[-1] + length)
    return lines


def _from_midi(path: Path) -> Score:
    file = read_midi_file(read_midi_bytes(path), str(path))
    if file.in_frames:
        raise InputError(f"{path} counts time in frames (SMPTE) and so has no bars; save it with ticks a quarter note")
    lines = [line for line in file.lines if not line.is_drums]
    if file.lines and not lines:
        raise InputError(f"{path} holds no notes but those of drums; give another file")
    rows = [
        (start / file.ticks, (end - start) / file.ticks, pitch, velocity, part)
        for part, line in enumerate(lines)
        for start, end, pitch, velocity in line.notes
    ]
    metres = [(tick / file.ticks, beats, unit) for tick, beats, unit in file.metres]
    keys = [(tick / file.ticks, sharps) for tick, sharps, _ in file.keys]
    tempi = [(tick / file.ticks, 60e6 / microseconds) for tick, microseconds in file.tempi]
    named = tuple((tick / file.ticks, tonic, mode) for tick, tonic, mode in named_keys(file))
    return replace(_build(rows, metres, keys, tempi, remarks=file.remarks), named_keys=named)


def _from_notation(found: Notation) -> Score:
    remarks = list(found.remarks)
    if found.rows and not found.bars:
        metre = "{}/{}".format(*found.metres[0][1:]) if found.metres else "4/4"
        remarks.append(f"no bar lines are written: laid by its metre, {metre}")
    return _build(found.rows, found.metres, found.keys, found.tempi, found.bars or None, found.ends, remarks)
