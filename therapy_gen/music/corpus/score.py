"""A score as plain arrays in quarter notes, read from MIDI, MusicXML or ABC."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.music.corpus.notation import Notation
from therapy_gen.music.midi.midi import read_performance

MAX_FILE_BYTES = 20_000_000
MIDI_SUFFIXES = (".mid", ".midi")
MUSICXML_SUFFIXES = (".mxl", ".musicxml", ".xml")
ABC_SUFFIXES = (".abc",)
SUFFIXES = MIDI_SUFFIXES + MUSICXML_SUFFIXES + ABC_SUFFIXES

NOTE = np.dtype(
    [("onset", np.float64), ("duration", np.float64), ("pitch", np.int16), ("velocity", np.int16), ("part", np.int16)]
)
DEFAULT_VELOCITY = 64
# A score longer than this is a fault of the file (a stray event far out), not music.
MAX_QUARTERS = 100_000.0


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
    ends : tuple of float
        Where a movement ends and another begins, in quarter notes.
    """

    notes: npt.NDArray[Any]
    bars: npt.NDArray[np.float64]
    metres: tuple[tuple[float, int, int], ...]
    keys: tuple[tuple[float, int], ...]
    tempi: tuple[tuple[float, float], ...]
    ends: tuple[float, ...] = ()


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
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder; give a file in it")
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if size > MAX_FILE_BYTES:
        raise InputError(f"{path} has {size / 1e6:.0f} MB; scores of up to {MAX_FILE_BYTES // 1_000_000} MB are read")
    if suffix in MIDI_SUFFIXES:
        score = _read_midi(path)
    elif suffix in MUSICXML_SUFFIXES:
        from therapy_gen.music.corpus.musicxml import read_musicxml

        score = _from_notation(read_musicxml(path, DEFAULT_VELOCITY))
    else:
        from therapy_gen.music.corpus.abc import read_abc

        score = _from_notation(read_abc(path, DEFAULT_VELOCITY))
    if not len(score.notes):
        raise InputError(f"{path} holds no notes; give another file")
    return score


def _build(
    rows: list[tuple[float, float, int, int, int]],
    metres: list[tuple[float, int, int]],
    keys: list[tuple[float, int]],
    tempi: list[tuple[float, float]],
    bars: list[float] | None = None,
    ends: list[float] | None = None,
) -> Score:
    notes = np.array([row for row in rows if row[1] > 0 and row[0] < MAX_QUARTERS], dtype=NOTE)
    notes["duration"] = np.minimum(notes["duration"], MAX_QUARTERS - notes["onset"])
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


def _read_midi(path: Path) -> Score:
    import symusic

    try:
        midi: Any = symusic.Score(str(path))
    except Exception as error:
        data = path.read_bytes()
        # Our own reader says in plain words what is wrong.
        read_performance(data, name=str(path))
        if data[12] & 0x80:
            raise InputError(
                f"{path} counts time in frames (SMPTE) and so has no bars; save it with ticks a quarter note"
            ) from error
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is not a MIDI file that can be read ({said}); give a Standard MIDI File") from error
    if midi.note_num() and all(track.is_drum for track in midi.tracks if len(track.notes)):
        raise InputError(f"{path} holds no notes but those of drums; give another file")
    return _from_symusic(midi)


def _from_symusic(midi: Any) -> Score:
    tpq = float(midi.tpq)
    rows: list[tuple[float, float, int, int, int]] = []
    for part, track in enumerate(track for track in midi.tracks if not track.is_drum):
        soa = track.notes.numpy()
        rows.extend(
            zip(
                (soa["time"] / tpq).tolist(),
                (soa["duration"] / tpq).tolist(),
                soa["pitch"].tolist(),
                soa["velocity"].tolist(),
                [part] * len(soa["time"]),
                strict=True,
            )
        )
    metres = [(e.time / tpq, int(e.numerator), int(e.denominator)) for e in midi.time_signatures]
    keys = [(e.time / tpq, int(e.key)) for e in midi.key_signatures]
    tempi = [(e.time / tpq, float(e.qpm)) for e in midi.tempos]
    return _build(rows, metres, keys, tempi)


def _from_notation(found: Notation) -> Score:
    return _build(found.rows, found.metres, found.keys, found.tempi, found.bars or None, found.ends)
