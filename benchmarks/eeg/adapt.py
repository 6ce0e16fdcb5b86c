"""Measure what choosing each next piece by what was just measured gains over a fixed order, in simulated listeners.

python benchmarks/eeg/adapt.py [--listeners 100] [--slots 16] [--pieces 5]

Plays are simulated as `eeg.ranking` takes them: piece + noise of one play, with drift. The gain is the mean effect of
the pieces heard in the fixed order, less that of the pieces heard by choice (lower is better), over the second half of
the session, with a 90 % interval over listeners. At no effect there is nothing to gain: what it prints is the error.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from benchmarks.measure import machine, table
from eeg.ranking.observations import Observation
from eeg.ranking.rank import rank
from eeg.ranking.thompson import thompson

# The noise of one 58 s play of real rest: the standard deviation between such blocks (docs/eeg.md).
NOISE_DB = 0.33
PLAY_S, GAP_S = 170.0, 8.0


def heard(piece: str, slot: int, effect: float, drift: float, rng: np.random.Generator) -> Observation:
    """Return one simulated play."""
    moment = slot * (PLAY_S + GAP_S)
    return Observation(
        piece=piece,
        recording="simulated",
        time_s=moment,
        value_db=effect + drift * moment / 1440.0 + NOISE_DB * rng.standard_normal(),
        clean_s=PLAY_S,
        muscle_db=0.0,
    )


def session(effects: dict[str, float], slots: int, drift: float, rng: np.random.Generator, *, adapt: bool) -> float:
    """Return the mean true effect of the second half of a session."""
    names = list(effects)
    plays: list[Observation] = []
    last = None
    for slot in range(slots):
        candidates = [name for name in names if name != last]
        if not adapt:
            last = names[slot % len(names)]
        elif len(plays) < 2:
            last = candidates[int(rng.integers(len(candidates)))]
        else:
            ranking = rank(plays, criterion="beta", lower_is_better=True, use_muscle=False, other_days=False)
            last = thompson(ranking, candidates, 1, explore=0.0, rng=rng)[0]
        plays.append(heard(last, slot, effects[last], drift, rng))
    return float(np.mean([effects[play.piece or ""] for play in plays[slots // 2 :]]))


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--listeners", type=int, default=100)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--pieces", type=int, default=5)
    parser.add_argument("--tau", type=float, nargs="*", default=[0.0, 0.3, 0.6, 1.0])
    options = parser.parse_args()
    rows = []
    started = time.perf_counter()
    for tau in options.tau:
        gains = []
        for number in range(options.listeners):
            rng = np.random.default_rng([number, round(100 * tau)])
            effects = {f"piece {n}": tau * float(rng.standard_normal()) for n in range(options.pieces)}
            drift = 0.6 * float(rng.standard_normal())
            fixed, chosen = (session(effects, options.slots, drift, rng, adapt=adapt) for adapt in (False, True))
            gains.append(fixed - chosen)
        mean, half = np.mean(gains), 1.645 * np.std(gains, ddof=1) / np.sqrt(len(gains))
        rows.append([f"{tau:g}", f"{mean:+.3f}", f"{mean - half:+.3f} to {mean + half:+.3f}"])
    print(f"{machine()}; {options.listeners} listeners, {options.slots} plays of {options.pieces} pieces")
    print(table(["SD of effects, dB", "gain, dB", "90 % interval"], rows))
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
