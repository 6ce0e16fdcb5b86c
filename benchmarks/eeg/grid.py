"""Chosen effects at every usual sampling rate with every usual number of channels.

    python benchmarks/eeg/grid.py [--rates 128 160 …] [--channels 1 2 …]

Two plays of 40 s with -3 and +3 dB in beta, -2 and +2 dB in gamma, between silences of 40 s. Printed is the largest
error of the four values in dB, for every rate (Hz) and number of channels.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from eeg.scoring import score_recording  # noqa: E402
from eeg.simulation.file import write_fif  # noqa: E402
from eeg.simulation.simulate import Listener, simulate, timeline  # noqa: E402

RATES = (128.0, 160.0, 200.0, 250.0, 256.0, 500.0, 2048.0)
CHANNELS = (1, 2, 4, 8, 32, 64, 256)
EFFECTS = {"A": (-3.0, -2.0), "B": (3.0, 2.0)}


def largest_error(path: Path, sfreq: float, channels: int) -> float:
    """Simulate, score, and return the largest error in dB."""
    items = timeline(list(EFFECTS), repeats=1, play_s=40.0, silence_s=40.0, gap_s=0.0, seed=1)
    listener = Listener(effects=EFFECTS, wander_db=0.0)
    write_fif(simulate(items, sfreq=sfreq, channels=channels, listener=listener, seed=1), path)
    errors = []
    for play in score_recording(path).plays:
        beta, gamma = EFFECTS[play.piece or ""]
        if play.beta_db is None or play.gamma_db is None:
            return float("nan")
        errors += [abs(play.beta_db - beta), abs(play.gamma_db - gamma)]
    return max(errors)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    parser.add_argument("--channels", type=int, nargs="+", default=CHANNELS)
    options = parser.parse_args()
    print(f"{'channels':8}" + "".join(f"{f'{rate:g} Hz':>9}" for rate in options.rates), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for channels in options.channels:
            print(f"{channels:8}", end="", flush=True)
            for rate in options.rates:
                error = largest_error(Path(folder) / "grid_raw.fif", rate, channels)
                print(f"{error:9.2f}", end="", flush=True)
            print(flush=True)


if __name__ == "__main__":
    main()
