"""Time and memory of a ranking by the number of recordings.

    python benchmarks/eeg/rank_scale.py [--recordings 0 30 300 3000]

Each recording holds six pieces of a listener's thirty, two plays of 60 s each, and four blocks of silence.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from eeg.ranking.observations import Observation
from eeg.ranking.rank import rank

PIECES = 30


def year(recordings: int) -> list[Observation]:
    """Draw the recordings of a listener."""
    rng = np.random.default_rng(0)
    effects = 0.5 * rng.standard_normal(PIECES)
    data = []
    for number in range(recordings):
        here = rng.choice(PIECES, 6, replace=False)
        labels = [None, None, *rng.permutation(here), *rng.permutation(here), None, None]
        for place, label in enumerate(labels):
            level = 0.0 if label is None else effects[label]
            name = None if label is None else f"p{label}"
            value = level + 0.3 * rng.standard_normal()
            data.append(Observation(name, f"r{number}", 30.0 + 62.0 * place, value, rng.standard_normal() / 3, 56.0))
    return data


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=int, nargs="+", default=[1, 30, 300, 3000])
    options = parser.parse_args()
    print(f"{'recordings':>10}{'plays':>8}{'wall s':>9}{'processor s':>13}{'peak MiB':>10}")
    rank(year(1))
    for count in options.recordings:
        data = year(count)
        wall, work = time.perf_counter(), time.process_time()
        ranking = rank(data)
        wall, work = time.perf_counter() - wall, time.process_time() - work
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{count:10}{ranking.plays:8}{wall:9.2f}{work:13.2f}{peak:10.0f}", flush=True)


if __name__ == "__main__":
    main()
