"""The ranking model's columns and priors: recordings, time, muscle, pieces; how much plays vary where nothing does."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eeg.ranking.mixed_model import FLAT_SD, Design, Noise
from eeg.ranking.observations import RATING_DB, Observation

Float64 = npt.NDArray[np.float64]

# Plays of 60 s vary by 0.33 dB (SD) in rest without any effect, from 0.2 to 0.7 between people (docs/eeg.md): in part
# by what goes down with clean time, in part by drift. Median and spread of the logarithm of each; the lowest values are
# the floor under which no small sample may talk the model.
_SAMPLING_SD, _SAMPLING_SPREAD = 0.25, 0.5
_SAMPLING_DB = tuple(float(value) for value in np.geomspace(0.1, 2.4, 11))
_DRIFT_SD, _DRIFT_SPREAD = 0.25, 0.7
_DRIFT_DB = (0.1, 0.2, 0.35, 0.6)
_MEMORY_S = (60.0, 400.0)
# SD of the effects of pieces: half-Cauchy, so that large ones stay possible.
_TAU_SCALE = 0.5
# SD of the change from the middle to the end of a recording, and of dB in the band for one dB of muscle.
_TIME_SD, _MUSCLE_SD = 1.0, 0.7


def make_design(data: Sequence[Observation], names: Sequence[str], use_muscle: bool) -> tuple[Design, int | None, bool]:
    """Build columns: recordings, time in each, muscle, mean of pieces (where there is baseline), pieces."""
    recordings = sorted({row.recording for row in data})
    index = np.array([recordings.index(row.recording) for row in data])
    groups = [np.flatnonzero(index == i) for i in range(len(recordings))]
    time_s = np.array([row.time_s for row in data])
    columns: list[Float64] = []
    prior: list[float] = []
    for rows in groups:
        one = np.zeros(len(data))
        one[rows] = 1.0
        columns.append(one)
        # Some people rate high, others low: by a point or so.
        prior.append(RATING_DB if data[rows[0]].known_sd is not None else FLAT_SD)
    for rows in groups:
        span = time_s[rows]
        half = (span.max() - span.min()) / 2
        if half > 0:
            trend = np.zeros(len(data))
            trend[rows] = (span - (span.max() + span.min()) / 2) / half
            columns.append(trend)
            prior.append(_TIME_SD)
    muscle_column = None
    known = np.array([row.muscle_db is not None and math.isfinite(row.muscle_db) for row in data])
    if use_muscle and np.count_nonzero(known) > 2:
        values = np.array([row.muscle_db if ok else 0.0 for row, ok in zip(data, known, strict=True)], dtype=np.float64)
        for rows in groups:
            here = rows[known[rows]]
            values[here] -= values[here].mean() if len(here) else 0.0
        values[~known] = 0.0
        if np.ptp(values) > 1e-9:
            muscle_column = len(columns)
            columns.append(values)
            prior.append(_MUSCLE_SD)
    known_sd = np.array([math.nan if row.known_sd is None else row.known_sd for row in data])
    is_music = np.array([row.piece is not None for row in data])
    has_mean = bool((~is_music).any())
    if has_mean:
        columns.append((is_music & np.isnan(known_sd)).astype(np.float64))
        prior.append(FLAT_SD)
    for name in names:
        columns.append(np.array([float(row.piece == name) for row in data]))
    design = Design(
        y=np.array([row.value_db for row in data]),
        columns=np.column_stack(columns),
        prior_sd=np.array(prior),
        pieces=len(names),
        clean_s=np.array([row.clean_s for row in data]),
        time_s=time_s,
        groups=groups,
        known_sd=known_sd,
    )
    return design, muscle_column, has_mean


def noise_grid() -> list[tuple[Noise, float]]:
    """Return the variances of the noise that are averaged over, with the logarithm of their prior weights."""
    grid = []
    for sampling in _SAMPLING_DB:
        for drift in _DRIFT_DB:
            for memory in _MEMORY_S:
                weight = -0.5 * (math.log(sampling / _SAMPLING_SD) / _SAMPLING_SPREAD) ** 2
                weight -= 0.5 * (math.log(drift / _DRIFT_SD) / _DRIFT_SPREAD) ** 2
                grid.append((Noise(sampling, drift, memory), weight))
    return grid


def tau_grid() -> list[tuple[float, float]]:
    """Return the SDs between pieces that are averaged over, with the logarithm of their prior weights."""
    taus = np.geomspace(0.03, 6.0, 16)
    # Half-Cauchy density, times tau for the even spacing in the logarithm; what lies below goes to the first point.
    density = taus / (1 + (taus / _TAU_SCALE) ** 2)
    density[0] += _TAU_SCALE * math.atan(taus[0] / _TAU_SCALE) / math.log(taus[1] / taus[0])
    return [(float(tau), float(math.log(weight))) for tau, weight in zip(taus, density, strict=True)]
