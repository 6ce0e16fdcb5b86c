"""Estimating a piece's loudness from its notes, by measurements of the embedded instruments.

In: notes. Out: a meter in the state after the rendered piece. Powers of notes add up. The table is made by
`benchmarks/sound/instrument_levels.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from therapy_gen.music.audio.loudness import LoudnessMeter, weighting
from therapy_gen.music.audio.reverb import SPACES, Space, reverb_energy
from therapy_gen.music.audio.synth import StruckNote

Floats = npt.NDArray[np.float64]

TIMES_S = (0.05, 0.15, 0.3, 0.6, 1.2, 2.4, 4.8, 7.0)
"""Of a held note, where its power was measured."""

BAND_EDGES_HZ = (0.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 4000.0, 8000.0, 22050.0)

MEASURED_S = 2.0
"""The beginning of a held note, whose energy in each band was measured."""

_STEP_S = 0.1
# A note's fundamental is as wide as this to both sides, as short as it is.
_BESIDE_HZ = 2.0
_FILE = "levels.npz"


@dataclass(frozen=True)
class LevelTable:
    """Levels of notes of the embedded instruments, all in decibels and without reverb.

    Attributes
    ----------
    rows : array, shape (128,)
        The row of each program; -1 for one that was not measured.
    keys, velocities : arrays
    power : array, shape (rows, keys, velocities, times)
        K-weighted mean square of both channels at `TIMES_S`.
    bands : array, shape (rows, keys, velocities, bands)
        Energy between `BAND_EDGES_HZ` against the K-weighted energy, of the first `MEASURED_S`.
    sent : array, shape (rows, keys)
        Energy of the reverb send against the direct sound.
    ring_s : array, shape (rows, keys)
        Equivalent duration of a released key's decay at its power before.
    """

    rows: npt.NDArray[np.int16]
    keys: Floats
    velocities: Floats
    power: Floats
    bands: Floats
    sent: Floats
    ring_s: Floats


# As bytes: half decibels below these levels, and fiftieths of a second.
_TOP_DB = {"power": 0.0, "bands": 40.0, "sent": 20.0}
_RING_STEP_S = 0.02


def pack(table: LevelTable) -> dict[str, npt.NDArray[np.generic]]:
    """Return a table as the arrays of its file."""
    packed: dict[str, npt.NDArray[np.generic]] = {
        name: np.clip(np.rint(2 * (top - getattr(table, name))), 0, 255).astype(np.uint8)
        for name, top in _TOP_DB.items()
    }
    packed["ring"] = np.clip(np.rint(table.ring_s / _RING_STEP_S), 0, 255).astype(np.uint8)
    return {"rows": table.rows, "keys": table.keys, "velocities": table.velocities, **packed}


@cache
def _level_table() -> LevelTable:
    """Return the table of the embedded instruments."""
    with (files("therapy_gen") / "assets" / _FILE).open("rb") as stream, np.load(stream) as packed:
        levels = {name: top - packed[name] / 2 for name, top in _TOP_DB.items()}
        return LevelTable(
            packed["rows"], packed["keys"], packed["velocities"], **levels, ring_s=packed["ring"] * _RING_STEP_S
        )


def estimate_loudness(
    notes: Sequence[StruckNote], duration_s: float, space: str, sample_rate: int
) -> LoudnessMeter | None:
    """Return a meter in the state after a piece; None where a note's instrument was not measured.

    Parameters
    ----------
    notes : sequence of StruckNote
    duration_s : float
    space : str
        One of `therapy_gen.music.audio.reverb.SPACES`.
    sample_rate : int

    Examples
    --------
    >>> meter = estimate_loudness([StruckNote(0.0, 2.0, 60, 50, 0)], 3.0, "room", 44100)
    >>> -60 < meter.integrated() < -20
    True
    """
    table = _level_table()
    rows = table.rows[[note.program for note in notes]] if notes else np.zeros(0, np.int16)
    if any(note.bank for note in notes) or (rows < 0).any():
        return None
    pitches = np.interp([note.pitch for note in notes], table.keys, np.arange(len(table.keys)))
    loud = np.log(table.velocities)
    struck = np.interp(np.log([max(note.velocity, 1) for note in notes]), loud, np.arange(len(loud)))
    power = _between(table.power, rows, pitches, struck)
    bands = 10 ** (_between(table.bands, rows, pitches, struck) / 10)
    low = np.rint(pitches).astype(np.intp)
    sent = 10 ** (table.sent[rows, low] / 10)
    room, decay_s = _room(space, sample_rate, tuple(note.pitch for note in notes))
    k = np.array([weighting(edges, sample_rate) for edges in _bands()])
    # The reverb's contribution to a note's weighted energy, and to its energy in each band.
    answer = sent * (bands * k * room).sum(axis=1) / np.maximum((bands * k).sum(axis=1), 1e-12)

    steps = round(duration_s / _STEP_S)
    direct, wet = np.zeros(steps), np.zeros(steps)
    spectrum = np.zeros(bands.shape[1])
    for number, note in enumerate(notes):
        first = int(note.onset / _STEP_S)
        held = max(note.duration / _STEP_S, 1.0)
        long = held + float(table.ring_s[rows[number], low[number]]) / _STEP_S
        places = np.arange(int(np.ceil(long)))
        seconds = (np.minimum(places, held - 1) + 0.5) * _STEP_S
        sound = note.gain**2 * 10 ** (np.interp(seconds, TIMES_S, power[number]) / 10)
        sound *= np.minimum(long - places, 1.0)
        sound = sound[: max(steps - first, 0)]
        direct[first : first + len(sound)] += sound
        share = note.send**2
        wet[first : first + len(sound)] += sound * (share * answer[number])
        spectrum += sound.sum() * bands[number] * (1 + share * sent[number] * room[number])
    if decay_s:
        fall = np.exp(-np.log(1e6) * np.arange(round(decay_s / _STEP_S)) * _STEP_S / decay_s)
        wet = np.convolve(wet, fall / fall.sum())[:steps]
    return LoudnessMeter.estimated(direct + wet, spectrum, BAND_EDGES_HZ, sample_rate)


def _between(
    levels: Floats, rows: npt.NDArray[np.int16], keys: npt.NDArray[np.float64], velocities: npt.NDArray[np.float64]
) -> Floats:
    """Return levels of notes, shape (notes, last axis), interpolated between measured keys and velocities."""
    found = np.zeros((len(rows), levels.shape[-1]))
    for key in (np.floor(keys), np.floor(keys) + 1):
        for velocity in (np.floor(velocities), np.floor(velocities) + 1):
            share = np.maximum(1 - np.abs(keys - key), 0) * np.maximum(1 - np.abs(velocities - velocity), 0)
            k = np.minimum(key, levels.shape[1] - 1).astype(np.intp)
            v = np.minimum(velocity, levels.shape[2] - 1).astype(np.intp)
            found += share[:, None] * levels[rows, k, v]
    return found


def _bands() -> list[tuple[float, float]]:
    return list(pairwise(BAND_EDGES_HZ))


def _room(space: str, sample_rate: int, pitches: tuple[int, ...]) -> tuple[Floats, float]:
    """Return the energy of a reverb for its input, and its decay time.

    The energy is in each band of each note, shape (notes, bands). In the band of its fundamental the reverb's response
    at that pitch counts, which differs by up to 6 dB between pitches.
    """
    found = SPACES[space]
    if found is None:
        return np.zeros((len(pitches), len(_bands()))), 0.0
    means = [reverb_energy(found, edges, sample_rate) for edges in _bands()]
    at_pitch = {pitch: _with_fundamental(found, means, pitch, sample_rate) for pitch in set(pitches)}
    return np.array([at_pitch[pitch] for pitch in pitches]).reshape(-1, len(means)), found.decay_s[3]


def _with_fundamental(space: Space, means: Sequence[float], pitch: int, sample_rate: int) -> list[float]:
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    near = (hertz - _BESIDE_HZ, hertz + _BESIDE_HZ)
    return [
        reverb_energy(space, near, sample_rate) if low <= hertz < high else mean
        for (low, high), mean in zip(_bands(), means, strict=True)
    ]
