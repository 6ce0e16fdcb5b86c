"""The ranking model's columns and priors, among them how much plays vary without any effect."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eeg.ranking.mixed_model import FLAT_SD, Axis, ModelDesign, ParameterGrid, RecordingRows
from eeg.ranking.observations import RATING_DB, Observation

Float64 = npt.NDArray[np.float64]

# Plays of 60 s vary by 0.33 dB (SD) in rest without any effect, from 0.2 to 0.7 between people (docs/eeg.md): partly
# sampling error, which falls with clean time, partly drift. Median and spread of the logarithm of each; the lowest
# values are a floor, so that a small sample cannot make the noise look smaller.
_SAMPLING_SD, _SAMPLING_SPREAD = 0.25, 0.5
_SAMPLING_DB = tuple(float(value) for value in np.geomspace(0.1, 2.4, 11))
_DRIFT_SD, _DRIFT_SPREAD = 0.25, 0.7
_DRIFT_DB = (0.1, 0.2, 0.35, 0.6, 1.0, 1.7)
_MEMORY_S = (60.0, 400.0)
# SD of the effects of pieces: half-Cauchy, so that large ones stay possible.
_TAU_SCALE = 0.5
# SD of the effects of music, and of a piece, that one day adds to those of all days; half-Cauchy.
_DAY_DB = (0.05, 0.12, 0.25, 0.45, 0.8, 1.4)
_DAY_SCALE = 0.3
# One recording says nothing about other days. Both SDs are then set to this, the upper end of the 0.3 to 0.5 dB for
# which false orders of such a recording are counted (benchmarks/eeg/null.py --part days).
DAY_ALONE_DB = 0.5
# SD of the change from the middle to the end of a recording, and of dB in the band for one dB of muscle.
TIME_SD = 1.0
_MUSCLE_SD = 0.7
# The effect of one dB of muscle varies from play to play: its SD is this times that of a play of 60 s (0.25 dB; slopes
# of ten resting people differ by 0.22 to 0.29). Plays far from a recording's usual muscle count for less.
_SLOPE_SPREAD = 1.0


def make_design(
    data: Sequence[Observation], rated: Sequence[Observation], names: Sequence[str], *, use_muscle: bool
) -> tuple[ModelDesign, bool, bool]:
    """Build the columns of every recording.

    Parameters
    ----------
    data : sequence of Observation
        Plays and silences.
    rated : sequence of Observation
        Ratings.
    names : sequence of str
        The pieces.
    use_muscle : bool

    Returns
    -------
    design : ModelDesign
    has_muscle, has_mean : bool
        Whether the shared coefficients hold one for muscle (first), and the mean of the pieces against silence (last).
    """
    number = {name: i for i, name in enumerate(names)}
    by_recording: dict[str, list[Observation]] = {}
    for row in sorted(data, key=lambda row: (row.recording, row.time_s)):
        by_recording.setdefault(row.recording, []).append(row)
    muscle = [_muscle(rows) for rows in by_recording.values()]
    known = sum(_knows_muscle(row) for row in data)
    has_muscle = use_muscle and known > 2 and any(np.ptp(values) > 1e-9 for values in muscle)
    has_mean = any(row.piece is None for row in data)
    recordings = [
        _recording(rows, number, values if has_muscle else None, has_mean=has_mean)
        for rows, values in zip(by_recording.values(), muscle, strict=True)
    ]
    shared_sd = np.array([_MUSCLE_SD] * has_muscle + [FLAT_SD] * has_mean)
    return (
        ModelDesign(recordings, shared_sd, len(names), _rating_products(rated, number, len(shared_sd))),
        has_muscle,
        has_mean,
    )


def _knows_muscle(row: Observation) -> bool:
    return row.muscle_db is not None and math.isfinite(row.muscle_db)


def _muscle(rows: Sequence[Observation]) -> Float64:
    """Return muscle against the recording's mean, dB; 0 where it is not known."""
    known = np.array([_knows_muscle(row) for row in rows])
    values = np.array([row.muscle_db if ok else 0.0 for row, ok in zip(rows, known, strict=True)], dtype=np.float64)
    if known.any():
        values -= values[known].mean()
    values[~known] = 0.0
    return values


def _recording(
    rows: Sequence[Observation], number: dict[str, int], muscle: Float64 | None, *, has_mean: bool
) -> RecordingRows:
    time_s = np.array([row.time_s for row in rows])
    half = float(np.ptp(time_s)) / 2
    trend = (time_s - (time_s.max() + time_s.min()) / 2) / half if half > 0 else np.zeros(len(rows))
    music = np.array([float(row.piece is not None) for row in rows])
    shared = [] if muscle is None else [muscle]
    clean_s = np.array([row.clean_s for row in rows])
    if muscle is not None:
        clean_s /= 1.0 + (_SLOPE_SPREAD * (muscle - np.median(muscle))) ** 2
    if has_mean:
        shared.append(music)
    return RecordingRows(
        y=np.array([row.value_db for row in rows]),
        local=np.column_stack([np.ones(len(rows)), trend, trend**2, music]),
        shared=np.column_stack(shared) if shared else np.empty((len(rows), 0)),
        piece=np.array([-1 if row.piece is None else number[row.piece] for row in rows]),
        clean_s=clean_s,
        time_s=time_s,
    )


def _rating_products(rated: Sequence[Observation], number: dict[str, int], shared: int) -> Float64:
    """Return the products of ratings with the pieces: noise of a known SD, and a level of their own.

    Some people rate high, others low, by about a point: that is the prior SD of the level.
    """
    q = len(number)
    products = np.zeros((q + shared + 1, q + shared + 1))
    if not rated:
        return products
    columns = np.zeros((len(rated), q + shared + 1))
    for i, row in enumerate(rated):
        assert row.piece is not None
        assert row.known_sd is not None
        columns[i, number[row.piece]] = 1.0
        columns[i, -1] = row.value_db
        columns[i] /= row.known_sd
    level = np.array([1.0 / row.known_sd for row in rated if row.known_sd is not None])
    with_level = columns.T @ level
    return np.asarray(columns.T @ columns - np.outer(with_level, with_level) / (level @ level + RATING_DB**-2.0))


def make_grid(recordings: int, *, has_mean: bool, other_days: bool = True) -> ParameterGrid:
    """Return the variances that are averaged over.

    Parameters
    ----------
    recordings : int
        One alone says nothing about differences between days: then both SDs are `DAY_ALONE_DB`.
    has_mean : bool
        Whether there is silence, against which music can differ from day to day.
    other_days : bool
        Whether conclusions should hold on other days; otherwise a single recording is described by itself.
    """
    sampling, drift = np.array(_SAMPLING_DB), np.array(_DRIFT_DB)
    none = Axis(np.zeros(1), np.zeros(1))
    day = none
    if recordings > 1:
        day = half_cauchy(np.array(_DAY_DB), _DAY_SCALE)
    elif other_days:
        day = Axis(np.array([DAY_ALONE_DB]), np.zeros(1))
    return ParameterGrid(
        sampling=Axis(sampling, -0.5 * (np.log(sampling / _SAMPLING_SD) / _SAMPLING_SPREAD) ** 2),
        drift=Axis(drift, -0.5 * (np.log(drift / _DRIFT_SD) / _DRIFT_SPREAD) ** 2),
        memory_s=Axis(np.array(_MEMORY_S), np.zeros(len(_MEMORY_S))),
        music_day=day if has_mean else none,
        piece_day=day,
        tau=half_cauchy(np.geomspace(0.03, 6.0, 16), _TAU_SCALE),
    )


def half_cauchy(values: Float64, scale: float) -> Axis:
    """Return an axis of SDs with a half-Cauchy prior, evenly spaced in log; the mass below goes to the first value."""
    density = values / (1 + (values / scale) ** 2)
    density[0] += scale * math.atan(values[0] / scale) / math.log(values[1] / values[0])
    return Axis(values, np.log(density))
