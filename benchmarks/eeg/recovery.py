"""Do true effects come back? Simulated recordings with chosen effects, muscle traps, and a real effect of movement.

    python benchmarks/eeg/recovery.py [--data DIR] [--listeners 10]

Every simulated recording goes the whole way: written as FIF, scored, ranked. Five pieces, four plays of 60 s each, two
minutes of silence before and after, 8 channels at 160 Hz, blinks, muscle bursts, line noise, drift over time on task.
The folder of real recordings is `eeg` in `THERAPY_GEN_DATA` or ../shared/data.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from eeg.io.recording import open_recording  # noqa: E402
from eeg.ranking.observations import Observation, observations  # noqa: E402
from eeg.ranking.rank import rank  # noqa: E402
from eeg.ranking.ranked_pieces import Ranking  # noqa: E402
from eeg.scoring import score_recording  # noqa: E402
from eeg.settings import Settings  # noqa: E402
from eeg.simulation.file import write_fif  # noqa: E402
from eeg.simulation.simulate import Listener, simulate, timeline  # noqa: E402

PIECES = [f"p{i}" for i in range(5)]


def run(path: Path, seed: int, listener: Listener, *, channels: int = 8) -> list[Observation]:
    """Simulate and score one recording."""
    items = timeline(PIECES, repeats=4, play_s=60, silence_s=120, seed=seed)
    write_fif(simulate(items, sfreq=160, channels=channels, listener=listener, seed=seed), path)
    return observations([score_recording(path)])


def tau(ranking: Ranking) -> float:
    """Return Kendall's tau between the ranking and the pieces' numbers."""
    return float(kendalltau([p.rank for p in ranking.pieces], [PIECES.index(p.piece) for p in ranking.pieces])[0])


def effects(path: Path, listeners: int) -> None:
    """Print the table of effects."""
    print(
        f"{'effect over all pieces':26}{'recordings':>11}{'tau':>7}{'claimed':>9}{'covered':>9}{'se':>7}{'width dB':>9}"
    )
    for size in (0.0, 0.5, 1.0, 2.0, 3.0):
        truth = dict(zip(PIECES, np.linspace(-size, 0, 5), strict=True))
        data = []
        for seed in range(listeners):
            listener = Listener(
                effects={piece: (effect, effect / 2) for piece, effect in truth.items()},
                drift_db=1.0,
                wander_db=0.3,
                blinks_per_min=12,
                muscle_per_min=3,
            )
            data.append(run(path, seed, listener))
        for other_days in (True, False):
            rankings = [rank(one, other_days=other_days) for one in data]
            print(_row(f"{size:4.1f} dB" + ("" if other_days else ", that day"), rankings, truth), flush=True)


def _row(name: str, rankings: list[Ranking], truth: dict[str, float]) -> str:
    """Return a line of the table of effects."""
    # Intervals of one recording share its silence: recordings are what the share is estimated from.
    covered = [
        np.mean([piece.ci90_db[0] <= truth[piece.piece] <= piece.ci90_db[1] for piece in one.pieces])
        for one in rankings
    ]
    width = np.mean([piece.ci90_db[1] - piece.ci90_db[0] for one in rankings for piece in one.pieces])
    followed = f"{np.mean([tau(one) for one in rankings]):7.2f}" if any(truth.values()) else f"{'':>7}"
    claimed = 100 * np.mean([one.reliable_order for one in rankings])
    return (
        f"{name:26}{len(rankings):11}{followed}{claimed:8.0f}%{100 * np.mean(covered):8.1f}%"
        f"{100 * np.std(covered, ddof=1) / np.sqrt(len(rankings)):6.1f}%{width:9.2f}"
    )


def muscle(path: Path, listeners: int) -> None:
    """Print the table of muscle traps: equal pieces, more muscle in some."""
    print(f"\n{'equal pieces, muscle differs':38}{'regressor':>10}{'tau with muscle':>17}{'claimed':>9}")
    traps = {
        "bursts, 0 to 12 a minute": {"muscle_by_piece": dict(zip(PIECES, (0.0, 3.0, 6.0, 9.0, 12.0), strict=True))},
        "steady, 0 to 6 uV at the temples": {
            "steady_muscle_uv": dict(zip(PIECES, (0.0, 1.5, 3.0, 4.5, 6.0), strict=True))
        },
    }
    for name, trap in traps.items():
        data = [run(path, seed, Listener(wander_db=0.3, **trap), channels=16) for seed in range(listeners)]
        for use in (True, False):
            rankings = [rank(one, use_muscle=use, other_days=False) for one in data]
            claimed = 100 * np.mean([ranking.reliable_order for ranking in rankings])
            followed = np.mean([tau(ranking) for ranking in rankings])
            print(f"{name:38}{'on' if use else 'off':>10}{followed:17.2f}{claimed:8.0f}%", flush=True)


def movement(data: Path, folder: Path) -> None:
    """Print the effect of real movement on beta at C3, each run and all six."""
    files = sorted((data / "eegbci").glob("S001R0[3-8].edf"))
    if not files:
        print(f"\nno recordings in {data / 'eegbci'}: real movement is left out")
        return
    print(f"\n{'beta at C3, movement against T0':38}{'plays':>7}{'mean dB':>9}{'90 % interval':>18}")
    scores = []
    for path in files:
        with open_recording(path) as recording:
            marks = recording.annotations
        rows = [f"{m.onset_s}\t{m.duration_s}\t{'silence' if m.text == 'T0' else 'piece/move'}" for m in marks]
        events = folder / "events.tsv"
        events.write_text("\n".join(["onset\tduration\ttrial_type", *rows]))
        scores.append(score_recording(path, events=events, settings=Settings(picks=("C3",))))
    for name, some in [*((Path(s.file).stem, [s]) for s in scores), ("all six", scores)]:
        (piece,) = rank(observations(some), other_days=False).pieces  # one day
        low, high = piece.ci90_db
        print(f"{name:38}{piece.plays:7}{piece.mean_db:9.2f}{low:9.2f} to {high:5.2f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("THERAPY_GEN_DATA", ROOT.parent / "shared" / "data")) / "eeg"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--listeners", type=int, default=10)
    parts = ("effects", "muscle", "movement")
    parser.add_argument("--part", choices=parts, action="append")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "listener_raw.fif"
        wanted = options.part or parts
        if "effects" in wanted:
            effects(path, options.listeners)
        if "muscle" in wanted:
            muscle(path, options.listeners)
        if "movement" in wanted:
            movement(options.data, Path(folder))


if __name__ == "__main__":
    main()
