"""Channels that are bad as a whole: dead, humming, swapped, muscle at the temples; and none that are sound."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest

from eeg.bandpower.psd import frequency_grid
from eeg.bandpower.quality import channel_quality
from eeg.io.mne import quiet_mne
from eeg.io.recording import open_recording

# What pyprep 0.9 finds (deviation, noisiness, correlation, SNR and RANSAC; seed 1).
PYPREP = {
    1: {"T8", "T10", "F8"}, 3: {"T8", "T10", "TP8"}, 4: {"T8", "T10"}, 5: {"T8", "T10", "TP8"}, 6: {"T8", "T10"},
    7: {"T10", "FT8", "F8", "TP8", "T8"}, 8: {"T8", "T10", "FT8", "FC6"},
}  # fmt: skip


def bad_in(path: Path) -> dict[str, str]:
    with open_recording(path) as recording:
        grid = frequency_grid(recording.sfreq, 2 * round(recording.sfreq), 70.0)
        starts = np.arange(0, recording.n_samples - grid.length, grid.length)
        found = channel_quality(recording, recording.eeg, starts, grid, rereference=True)
        return {recording.channels[recording.eeg[i]].label: why for i, why in found.bad.items()}


@pytest.mark.parametrize("run", PYPREP)
def test_real_channels_are_judged_as_by_prep(eeg_data: Path, run: int) -> None:
    found = set(bad_in(eeg_data / f"eegbci/S001R{run:02d}.edf"))
    assert {"T8", "T10"} <= found  # continuous muscle
    assert 64 - len(found ^ PYPREP[run]) >= 60


def spoil(samples: np.ndarray, names: list[str], sfreq: float, kind: str) -> None:
    """Make C3 dead, a hum, or swap it with O2."""
    rng = np.random.default_rng(1)
    at, other = names.index("C3"), names.index("O2")
    noise = 0.5e-6 * rng.standard_normal(samples.shape[1])
    if kind == "dead":
        samples[at] = noise
    elif kind == "hum":
        samples[at] = 20 * noise + 100e-6 * np.sin(2 * np.pi * 60.0 * np.arange(samples.shape[1]) / sfreq)
    elif kind == "swapped":
        samples[[at, other]] = samples[[other, at]]


def brain(n_sources: int, sfreq: float, seconds: float) -> tuple[np.ndarray, list[str]]:
    """Smooth fields of sources on a sphere, at 64 sites: what neighbours share."""
    from eeg.bandpower.neighbours import sphere
    from eeg.simulation.simulate import channel_names

    rng = np.random.default_rng(3)
    names = list(channel_names(64))
    points = sphere([name.upper() for name in names])
    sources = rng.standard_normal((n_sources, 3))
    sources /= np.linalg.norm(sources, axis=1)[:, None]
    field = np.exp(4 * (points @ sources.T - 1))
    activity = np.cumsum(rng.standard_normal((n_sources, int(sfreq * seconds))), axis=1)
    activity -= np.apply_along_axis(lambda row: np.convolve(row, np.ones(64) / 64, "same"), 1, activity)
    samples = field @ activity
    return samples * 15e-6 / samples.std() + 1e-6 * rng.standard_normal(samples.shape), names


@pytest.mark.parametrize("kind", ["none", "dead", "hum", "swapped"])
@pytest.mark.parametrize("real", [False, True], ids=["simulated", "real"])
def test_a_spoilt_electrode_is_found(request: pytest.FixtureRequest, tmp_path: Path, kind: str, real: bool) -> None:
    sfreq = 160.0
    if real:
        folder: Path = request.getfixturevalue("eeg_data")
        with quiet_mne():
            raw = mne.io.read_raw_edf(folder / "eegbci/S001R04.edf")
            samples = raw.get_data()
        names = [{"FP1": "Fp1", "FP2": "Fp2"}.get(n.strip(".").upper(), n.strip(".")) for n in raw.ch_names]
    else:
        samples, names = brain(60, sfreq, 60.0)
    expected = {"T8", "T10"} if real else set()
    spoil(samples, names, sfreq, kind)
    path = tmp_path / "a_raw.fif"
    with quiet_mne():
        mne.io.RawArray(samples, mne.create_info(names, sfreq, "eeg")).save(path)
    found = bad_in(path)
    wanted = {"none": set(), "swapped": {"C3", "O2"}}.get(kind, {"C3"})
    assert set(found) == wanted | expected, found
    if kind == "swapped":
        assert found["C3"] == "looks swapped with O2"
        assert found["O2"] == "looks swapped with C3"
