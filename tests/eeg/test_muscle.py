"""Muscle: never an index that holds what is scored, so that a true effect comes back whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.signal

from eeg.io.mne import quiet_mne
from eeg.ranking.observations import observations
from eeg.ranking.rank import rank
from eeg.results import RecordingScore
from eeg.scoring import score_recording
from eeg.settings import Settings
from eeg.simulation.file import write_fif
from eeg.simulation.simulate import Listener, simulate, timeline

BANDS = {"beta": (13.0, 30.0), "gamma": (30.0, 45.0)}
PLAY_S = 25.0


def plays_of(length_s: float) -> list[tuple[float, str]]:
    """Onsets of pieces A to D in turn, with silence between every four."""
    found, at, i = [], 30.0, 0
    while at + PLAY_S < length_s - 20:
        found.append((at, "ABCD"[(i + i // 4) % 4]))
        at += PLAY_S + (20.0 if i % 4 == 3 else 0.0)
        i += 1
    return found


def rest(eeg_data: Path) -> tuple[np.ndarray, float]:
    """Six runs of one person after another, ten channels, in volts."""
    import mne

    names = ["Fp1", "F7", "Fz", "F8", "C3", "C4", "P7", "Pz", "P8", "O1"]
    runs = []
    with quiet_mne():
        for number in range(3, 9):
            raw = mne.io.read_raw_edf(eeg_data / f"eegbci/S001R{number:02d}.edf")
            by_name = {name.strip(".").upper(): name for name in raw.ch_names}
            run = raw.get_data(picks=[by_name[name.upper()] for name in names])
            runs.append(run - run[:, :1])
    return np.concatenate(runs, axis=1), 160.0


def change(samples: np.ndarray, sfreq: float, band: tuple[float, float], db: float) -> np.ndarray:
    """Return samples with a band of piece A's plays changed by so many dB."""
    sos = scipy.signal.butter(4, band, "bandpass", fs=sfreq, output="sos")
    part = scipy.signal.sosfiltfilt(sos, samples, axis=1)
    gain = np.zeros(samples.shape[1])
    for onset, piece in plays_of(samples.shape[1] / sfreq):
        if piece == "A":
            gain[int(onset * sfreq) : int((onset + PLAY_S) * sfreq)] = 10 ** (db / 20) - 1
    return samples + gain * part


def scored(samples: np.ndarray, sfreq: float, path: Path, lowpass: float | None, **settings: object) -> RecordingScore:
    import mne

    names = [f"EEG {i}" for i in range(len(samples))]
    with quiet_mne():
        raw = mne.io.RawArray(samples.copy(), mne.create_info(names, sfreq, "eeg"))
        onsets, pieces = zip(*plays_of(raw.times[-1]), strict=True)
        raw.set_annotations(mne.Annotations(onsets, [PLAY_S] * len(onsets), [f"piece/{p}" for p in pieces]))
        if lowpass:
            raw.filter(None, lowpass)
        raw.save(path, overwrite=True)
    return score_recording(path, settings=Settings(**settings))  # type: ignore[arg-type]


def effect(score: RecordingScore, criterion: str) -> float:
    """What the ranking says of piece A against the mean of the others."""
    means = {piece.piece: piece.mean_db for piece in rank(observations([score], criterion), criterion=criterion).pieces}
    return means["A"] - float(np.mean([means[piece] for piece in "BCD"]))


@pytest.mark.parametrize("band", ["beta", "gamma"])
def test_an_effect_comes_back_from_a_lowpassed_recording(eeg_data: Path, tmp_path: Path, band: str) -> None:
    samples, sfreq = rest(eeg_data)
    found = {}
    for lowpass in (None, 45.0):
        up, down = (
            effect(scored(change(samples, sfreq, BANDS[band], db), sfreq, tmp_path / "x_raw.fif", lowpass), band)
            for db in (2.0, -2.0)
        )
        found[lowpass] = up - down
    assert found[None] > 1.5
    assert found[45.0] > 0.85 * found[None]


@pytest.fixture(scope="module")
def simulated_fif(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("muscle") / "a_raw.fif"
    items = timeline("AB", repeats=2, play_s=40.0, silence_s=60.0, seed=1)
    write_fif(simulate(items, sfreq=250.0, channels=4, listener=Listener(effects={"A": (-2.0, -2.0)}), seed=2), path)
    return path


def test_an_index_holds_no_scored_band(simulated_fif: Path) -> None:
    usual = score_recording(simulated_fif)
    assert usual.muscle_index.startswith("power 51-69 Hz")
    assert usual.plays[0].muscle_db is not None
    high = score_recording(simulated_fif, settings=Settings(bands={"high-gamma": (50.0, 70.0)}))
    if high.bands["high-gamma"] is not None:
        assert high.muscle_index.startswith("none: ")
    assert all(play.slope_db is not None for play in high.plays)


def test_muscle_is_not_taken_out_where_that_is_not_wanted(simulated_fif: Path) -> None:
    score = score_recording(simulated_fif, settings=Settings(muscle=False))
    assert {play.muscle_db for play in score.plays} == {None}
    assert score.muscle_index.startswith("not taken out, as wanted")
    assert not any("muscle-unknown" in play.flags for play in score.plays)
