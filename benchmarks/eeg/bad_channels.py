"""Find damaged electrodes where no choice has seen the damage, and compare with pyprep.

    pip install pyprep
    python benchmarks/eeg/bad_channels.py [--data DIR] [--runs 1 3 4 5 6 7 8] [--first-seed 100]

Five electrodes of each run of `eegbci` (64 channels) are drawn and damaged: one dead, one with hum, one with noise over
what it records, and two swapped. Printed are what is found here and by pyprep (deviation, noisiness, correlation, SNR
and RANSAC), and how many of 64 channels both judge alike. The folder of recordings is `eeg` in `THERAPY_GEN_DATA` or
../shared/data.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import mne
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from eeg.bandpower.psd import frequency_grid  # noqa: E402
from eeg.bandpower.quality import channel_quality  # noqa: E402
from eeg.io.recording import open_recording  # noqa: E402

LINE_HZ = 60.0


def damage(raw: Any, rng: np.random.Generator) -> dict[str, str]:
    """Damage five channels, and return which and how."""
    samples = raw._data
    seconds = np.arange(samples.shape[1]) / raw.info["sfreq"]

    def noise() -> np.ndarray:
        return rng.standard_normal(samples.shape[1])

    dead, hum, noisy, one, two = (int(i) for i in rng.choice(len(samples), 5, replace=False))
    samples[dead] = 0.5e-6 * noise()
    samples[hum] = 10e-6 * noise() + 100e-6 * np.sin(2 * np.pi * LINE_HZ * seconds)
    samples[noisy] += 60e-6 * noise()
    samples[[one, two]] = samples[[two, one]]
    kinds = {dead: "dead", hum: "hum", noisy: "noise", one: "swapped", two: "swapped"}
    return {raw.ch_names[i]: kind for i, kind in kinds.items()}


def found_here(path: Path) -> set[str]:
    """Return the bad channels of a recording."""
    with open_recording(path) as recording:
        grid = frequency_grid(recording.sfreq, 2 * round(recording.sfreq), 70.0)
        starts = np.arange(0, recording.n_samples - grid.length, grid.length)
        bad = channel_quality(recording, recording.eeg, starts, grid, rereference=True).bad
        return {recording.channels[recording.eeg[i]].label for i in bad}


def found_by_pyprep(raw: Any) -> set[str]:
    """Return those that pyprep finds."""
    from pyprep.find_noisy_channels import NoisyChannels

    judged = NoisyChannels(raw.copy(), random_state=1)
    judged.find_all_bads(ransac=True)
    return set(judged.get_bads())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("THERAPY_GEN_DATA", ROOT.parent / "shared" / "data")) / "eeg"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--runs", type=int, nargs="+", default=[1, 3, 4, 5, 6, 7, 8])
    parser.add_argument("--first-seed", type=int, default=100)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    mne.set_log_level("error")
    counts: dict[str, list[int]] = {}
    print(f"{'run':>3}{'alike':>7}  {'missed here':14}{'missed by pyprep':18}{'only here':14}only pyprep")
    for run in options.runs:
        raw = mne.io.read_raw_edf(options.data / f"eegbci/S001R{run:02d}.edf", preload=True)
        mne.datasets.eegbci.standardize(raw)
        raw.set_montage("standard_1005", match_case=False)
        damaged = damage(raw, np.random.default_rng(options.first_seed + run))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "damaged_raw.fif"
            raw.save(path)
            here, there = found_here(path), found_by_pyprep(raw)
        for name, kind in damaged.items():
            count = counts.setdefault(kind, [0, 0, 0])
            for at, more in enumerate((1, name in here, name in there)):
                count[at] += more
        named = [sorted(one) for one in (set(damaged) - here, set(damaged) - there, here - there, there - here)]
        missed, missed_there, only_here, only_there = (" ".join(one) or "-" for one in named)
        alike = 64 - len(here ^ there)
        print(f"{run:3}{alike:7}  {missed:14}{missed_there:18}{only_here:14}{only_there}", flush=True)
    print(f"\n{'damage':10}{'electrodes':>11}{'found here':>12}{'by pyprep':>11}")
    for kind, (all_of, here_n, there_n) in counts.items():
        print(f"{kind:10}{all_of:11}{here_n:12}{there_n:11}")


if __name__ == "__main__":
    main()
