"""Recordings for the EEG tests: simulated ones, and real ones where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.needs import needs

needs("mne", "the extra eeg is not installed")

from eeg.simulation.file import write_fif
from eeg.simulation.simulate import Listener, Simulated, simulate, timeline

EFFECTS = {"A": (-2.0, -1.0), "B": (-0.7, 0.0), "C": (0.6, 0.5)}


@pytest.fixture(scope="session")
def eeg_data() -> Path:
    """Return the folder of real recordings, or skip."""
    default = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("THERAPY_GEN_DATA", default)) / "eeg"
    if not folder.is_dir():
        pytest.skip(f"no real recordings at {folder} (THERAPY_GEN_DATA)")
    return folder


@pytest.fixture(scope="session")
def simulated() -> Simulated:
    """Three pieces, three plays of 40 s each, silence before and after; eight channels at 200 Hz."""
    items = timeline("ABC", repeats=3, play_s=40.0, silence_s=60.0, seed=2)
    return simulate(items, sfreq=200.0, channels=8, listener=Listener(effects=EFFECTS, blinks_per_min=6), seed=5)


@pytest.fixture(scope="session")
def listener_fif(simulated: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the simulated recording as a FIF file with marks piece/A … and silence."""
    path = tmp_path_factory.mktemp("eeg") / "listener_raw.fif"
    write_fif(simulated, path)
    return path
