"""Does another computation of the same model give the same ranking? Simulated listeners.

    python benchmarks/eeg/dense.py

Written from the model's description in docs/eeg.md, and sharing nothing with `eeg.ranking`: all plays of a listener in
one dense covariance matrix, and a random walk (Metropolis) over the five SDs and the drift's memory, whose priors are
continuous here and a grid there. Printed are mean, 90 % interval and P(best) by both, and the largest differences.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.eeg.null import by_days, draw_plays
from eeg.ranking.observations import Observation
from eeg.ranking.rank import rank

FLAT = 100.0**2
# Sampling, drift, music that day, piece that day, pieces: least and most of each SD, dB.
LEAST = np.log([0.1, 0.1, 0.05, 0.05, 0.03])
MOST = np.log([2.4, 1.7, 1.4, 1.4, 6.0])
MEMORY_S = (60.0, 400.0)
STEP = 0.35
# Recordings, plays of each piece in each, SD of days in dB, steps of the walk.
LISTENERS = ((1, 4, 0.3, 12000), (2, 2, 0.3, 12000), (4, 2, 0.3, 12000), (4, 2, 0.5, 12000), (8, 2, 0.3, 6000))


@dataclass(frozen=True)
class Covariances:
    """What each part of the model adds to the covariance of the plays, for an SD of 1 dB."""

    fixed: np.ndarray
    sampling: np.ndarray
    apart_s: np.ndarray
    same: np.ndarray
    music_day: np.ndarray
    piece_day: np.ndarray
    piece: np.ndarray

    def total(self, sd: np.ndarray, memory_s: float) -> np.ndarray:
        """Return the covariance at given SDs."""
        sampling, drift, music, piece_day, piece = sd**2
        return (
            self.fixed
            + sampling * self.sampling
            + drift * self.same * np.exp(-self.apart_s / memory_s)
            + music * self.music_day
            + piece_day * self.piece_day
            + piece * self.piece
        )


def covariances(data: Sequence[Observation], piece: np.ndarray) -> Covariances:
    """Return the parts, from what is known of each play; `piece` is -1 for silence."""
    recording = np.array([row.recording for row in data])
    time = np.array([row.time_s for row in data])
    emg = np.array([row.muscle_db for row in data], dtype=float)
    place, unusual = np.zeros(len(data)), np.zeros(len(data))
    for one in set(recording):
        own = recording == one
        place[own] = 2 * (time[own] - time[own].min()) / np.ptp(time[own]) - 1
        unusual[own] = emg[own] - np.median(emg[own])
        emg[own] -= emg[own].mean()
    same = recording[:, None] == recording
    music = np.outer(piece >= 0, piece >= 0).astype(float)
    alike = music * (piece[:, None] == piece)
    bend = place**2
    drifting = 1.0**2 * np.outer(place, place) + 0.5**2 * np.outer(bend, bend)
    return Covariances(
        fixed=same * (FLAT + drifting) + 0.7**2 * np.outer(emg, emg) + FLAT * music,
        sampling=np.diag(60 / np.array([row.clean_s for row in data]) * (1 + unusual**2)),
        apart_s=np.abs(time[:, None] - time),
        same=same.astype(float),
        music_day=same * music,
        piece_day=same * alike,
        piece=alike,
    )


def log_prior(sd: np.ndarray, *, days: bool) -> float:
    """Return the logarithm of the prior of the SDs' logarithms."""
    noise = -0.5 * (math.log(sd[0] / 0.25) / 0.5) ** 2 - 0.5 * (math.log(sd[1] / 0.25) / 0.7) ** 2
    scales = [(sd[4], 0.5), *(((sd[2], 0.3), (sd[3], 0.3)) if days else ())]
    return noise + sum(math.log(value / (1 + (value / scale) ** 2)) for value, scale in scales)


def levels(data: Sequence[Observation], names: Sequence[str], steps: int, rng: np.random.Generator) -> np.ndarray:
    """Return draws of the pieces' levels against silence, shape (draws, pieces)."""
    piece = np.array([-1 if row.piece is None else names.index(row.piece) for row in data])
    y = np.array([row.value_db for row in data])
    parts = covariances(data, piece)
    days = len({row.recording for row in data}) > 1
    q = len(names)

    def height(logs: np.ndarray, memory_s: float) -> tuple[float, np.ndarray | None]:
        if (logs < LEAST).any() or (logs > MOST).any():
            return -np.inf, None
        sd = np.exp(logs)
        if not days:
            sd[2:4] = 0.5
        root = np.linalg.cholesky(parts.total(sd, memory_s))
        z = np.linalg.solve(root, y)
        return log_prior(sd, days=days) - float(np.log(np.diag(root)).sum()) - 0.5 * float(z @ z), root

    logs, memory_s = np.log([0.25, 0.25, 0.25, 0.25, 0.3]), MEMORY_S[0]
    now, root = height(logs, memory_s)
    drawn = []
    for step in range(steps):
        moved = logs + STEP * rng.standard_normal(5)
        other = memory_s if rng.random() < 0.7 else sum(MEMORY_S) - memory_s
        there, its_root = height(moved, other)
        if math.log(rng.random()) < there - now:
            logs, memory_s, now, root = moved, other, there, its_root
        if step >= steps // 5 and step % 4 == 0:
            tau = math.exp(2 * logs[4])
            with_data = FLAT * (piece >= 0) + tau * (np.arange(q)[:, None] == piece)
            gain = np.linalg.solve(root, with_data.T)
            left = FLAT * np.ones((q, q)) + tau * np.eye(q) - gain.T @ gain
            spread = np.linalg.cholesky(left + 1e-9 * np.eye(q))
            drawn.append(gain.T @ np.linalg.solve(root, y) + spread @ rng.standard_normal(q))
    return np.array(drawn)


def main() -> None:
    """Print the table."""
    print(f"{'recordings':>10}{'plays':>6}{'days dB':>8}  piece{'rank':>26}{'P':>6}{'dense':>28}{'P':>6}")
    worst = np.zeros(3)
    for seed, (recordings, plays, day_db, steps) in enumerate(LISTENERS):
        rng = np.random.default_rng(500 + seed)
        data = draw_plays(rng, np.linspace(-1, 0, 4), plays=plays, recordings=recordings, muscle=0.3)
        data = by_days(rng, data, day_db, day_db)
        names = sorted({row.piece for row in data if row.piece})
        drawn = levels(data, names, steps, np.random.default_rng(seed))
        best = (drawn.argmin(axis=1)[:, None] == np.arange(len(names))).mean(axis=0)
        known = {piece.piece: piece for piece in rank(data).pieces}
        for j, name in enumerate(names):
            own, (low, high) = known[name], np.quantile(drawn[:, j], [0.05, 0.95])
            mean = drawn[:, j].mean()
            limits = max(abs(own.ci90_db[0] - low), abs(own.ci90_db[1] - high))
            worst = np.maximum(worst, [abs(own.mean_db - mean), limits, abs(own.p_best - best[j])])
            ours = f"{own.mean_db:+.2f} ({own.ci90_db[0]:+.2f} to {own.ci90_db[1]:+.2f})"
            dense = f"{mean:+.2f} ({low:+.2f} to {high:+.2f})"
            print(
                f"{recordings:10}{plays:6}{day_db:8.1f}  {name:5}{ours:>26}{own.p_best:6.2f}{dense:>28}{best[j]:6.2f}",
                flush=True,
            )
    print("at most apart: mean {:.2f} dB, limits {:.2f} dB, P(best) {:.2f}".format(*worst))


if __name__ == "__main__":
    main()
