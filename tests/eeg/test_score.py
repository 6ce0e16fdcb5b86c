"""From recording to decibels: known effects come back, at every rate and number of channels, in real data too."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest
import scipy.signal

from eeg.io.mne import quiet_mne
from eeg.io.recording import open_recording
from eeg.ranking.observations import observations
from eeg.ranking.rank import rank
from eeg.report.report import render
from eeg.scoring import plan_recording, score_recording, sha256_of
from eeg.settings import Settings
from eeg.simulation.file import to_raw, write_fif
from eeg.simulation.simulate import Listener, Simulated, channel_names, simulate, timeline
from eeg.timeline.known_pieces import Item

EFFECTS = {"A": (-2.0, -1.0), "B": (-0.7, 0.0), "C": (0.6, 0.5)}


def test_chosen_effects_come_back(listener_fif: Path) -> None:
    score = score_recording(listener_fif)
    for piece, (beta, gamma) in EFFECTS.items():
        plays = [play for play in score.plays if play.piece == piece]
        assert len(plays) == 3
        assert np.mean([play.beta_db for play in plays]) == pytest.approx(beta, abs=0.35)
        assert np.mean([play.gamma_db for play in plays]) == pytest.approx(gamma, abs=0.35)
        assert all(abs(play.muscle_db or 9) < 0.3 for play in plays)


def test_the_same_file_gives_the_same_score_whatever_the_threads(listener_fif: Path) -> None:
    one = score_recording(listener_fif, settings=Settings(threads=0)).as_dict()
    two = score_recording(listener_fif, settings=Settings(threads=3)).as_dict()
    assert one.pop("settings") != two.pop("settings")
    assert one == two


def test_result_is_json_with_the_fields_of_the_command_line(listener_fif: Path) -> None:
    document = json.loads(json.dumps(score_recording(listener_fif).as_dict()))
    assert {"file", "sha256", "sfreq", "channels", "bad_channels", "line_freq", "plays"} <= document.keys()
    assert document["channels"] == 8
    assert document["sha256"] == sha256_of([listener_fif])
    assert {
        "piece", "onset_s", "duration_s", "clean_s", "beta_db", "gamma_db", "beta_adjusted_db", "muscle_db", "flags"
    } <= document["plays"][0].keys()  # fmt: skip


def test_planning_reads_no_data(listener_fif: Path) -> None:
    plan = plan_recording(listener_fif)
    assert len(plan.plays) == 9
    assert len(plan.baseline) == 2


def test_absolute_power_equals_welch_on_every_play(listener_fif: Path) -> None:
    """Power as scored against scipy's Welch on the same stretch, clean and stationary: within 0.05 dB."""
    score = score_recording(listener_fif, settings=Settings(picks=("Pz",), overlap=0.5))
    with open_recording(listener_fif) as recording:
        pz = [channel.name for channel in recording.channels].index("Pz")
        for play in score.plays:
            start = round(play.onset_s * recording.sfreq)
            data = recording.read(start, start + round(play.duration_s * recording.sfreq), [pz])[0]
            freqs, density = scipy.signal.welch(data, recording.sfreq, nperseg=400)
            theirs = density[(freqs >= 13) & (freqs < 30)].sum() * 0.5 * 1e12
            assert play.band("beta").uv2 is not None
            assert 10 * np.log10(play.band("beta").uv2 / theirs) == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_a_sine_in_white_noise_has_the_power_of_the_closed_form(tmp_path: Path, overlap: float) -> None:
    """Both as powers and in dB against silence within 0.05 dB: a sine of 3 uV at 20 Hz in noise of 0.5 uV^2/Hz."""
    sfreq, amplitude, level = 256.0, 3.0, 0.5
    items = (Item("silence", None, 0, 600), Item("music", "A", 600, 600), Item("silence", None, 1200, 2))
    rng = np.random.default_rng(0)
    time = np.arange(int(1202 * sfreq)) / sfreq
    samples = np.sqrt(level * sfreq / 2) * rng.standard_normal((8, len(time)))
    samples += np.where((time >= 600) & (time < 1200), amplitude * np.sin(2 * np.pi * 20 * time), 0)
    path = tmp_path / "sine_raw.fif"
    write_fif(Simulated((1e-6 * samples).astype(np.float32), channel_names(8), sfreq, items), path)
    score = score_recording(path, settings=Settings(overlap=overlap))
    (play,) = score.plays
    wanted = {"beta": (amplitude**2 / 2 + 17 * level, 17 * level), "gamma": (15 * level, 15 * level)}
    for band, (in_play, in_silence) in wanted.items():
        power, db = play.band(band).uv2, play.band(band).db
        assert 10 * np.log10(power / in_play) == pytest.approx(0.0, abs=0.05)
        assert db == pytest.approx(10 * np.log10(in_play / in_silence), abs=0.05)


@pytest.mark.parametrize("sfreq", [128.0, 160.0, 200.0, 250.0, 256.0, 500.0, 2048.0])
@pytest.mark.parametrize("channels", [1, 8, 32])
def test_rates_and_channels(tmp_path: Path, sfreq: float, channels: int) -> None:
    check_effects(tmp_path, sfreq, channels)


@pytest.mark.parametrize(("sfreq", "channels"), [(250.0, 2), (250.0, 4), (128.0, 64), (250.0, 256)])
def test_more_channels(tmp_path: Path, sfreq: float, channels: int) -> None:
    check_effects(tmp_path, sfreq, channels)


def check_effects(folder: Path, sfreq: float, channels: int) -> None:
    items = timeline("AB", repeats=1, play_s=40.0, silence_s=40.0, gap_s=0.0, seed=1)
    listener = Listener(effects={"A": (-3.0, -2.0), "B": (3.0, 2.0)}, wander_db=0.0)
    path = folder / "rec_raw.fif"
    write_fif(simulate(items, sfreq=sfreq, channels=channels, listener=listener, seed=1), path)
    score = score_recording(path)
    by_piece = {play.piece: play for play in score.plays}
    for piece, (beta, gamma) in listener.effects.items():
        assert by_piece[piece].beta_db == pytest.approx(beta, abs=0.5), piece
        assert by_piece[piece].gamma_db == pytest.approx(gamma, abs=0.6), piece
    assert score.sfreq == sfreq
    assert len(score.channels) == channels


@pytest.mark.parametrize("ending", ["_raw.fif", ".edf", ".vhdr"])
def test_memory_does_not_grow_with_the_recording(tmp_path: Path, ending: str) -> None:
    """Three times as long: not a quarter of the samples more in memory."""
    for package in ("edfio", "pybv"):
        pytest.importorskip(package, reason=f"{package}, which writes copies for the tests, is not installed")
    peaks, sizes = [], []
    for minutes in (6, 18):  # both longer than what is read at once
        rng = np.random.default_rng(0)
        samples = 1e-5 * rng.standard_normal((64, minutes * 60 * 160), dtype=np.float32)
        end = minutes * 60.0
        items = (Item("silence", None, 0.0, 60.0), Item("music", "A", 60.0, end - 60.0))
        raw = to_raw(Simulated(samples, channel_names(64), 160.0, items))
        path = tmp_path / f"{minutes}{ending}"
        with quiet_mne():
            raw.save(path) if ending == "_raw.fif" else mne.export.export_raw(path, raw)
        sizes.append(samples.nbytes)
        del samples, raw
        tracemalloc.start()
        score_recording(path, settings=Settings(threads=0))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 0.25 * (sizes[1] - sizes[0])


def movement_events(recording_path: Path, folder: Path) -> Path:
    """T0 (rest) as silence, T1 and T2 (movement) as plays of one piece."""
    with open_recording(recording_path) as recording:
        rows = [
            f"{mark.onset_s}\t{mark.duration_s}\t{'silence' if mark.text == 'T0' else 'piece/move'}"
            for mark in recording.annotations
        ]
    path = folder / f"{recording_path.stem}.tsv"
    path.write_text("\n".join(["onset\tduration\ttrial_type", *rows]))
    return path


def test_beta_at_c3_falls_in_movement(eeg_data: Path, tmp_path: Path) -> None:
    """Six real runs: beta at C3 at least 0.5 dB lower than in rest, the whole 90 % interval below zero."""
    scores = []
    for run in range(3, 9):
        path = eeg_data / "eegbci" / f"S001R0{run}.edf"
        scores.append(score_recording(path, events=movement_events(path, tmp_path), settings=Settings(picks=("C3",))))
    (piece,) = rank(observations(scores, "beta")).pieces
    assert piece.mean_db < -0.5
    assert piece.ci90_db[1] < 0.0
    assert piece.plays == 90


def test_a_file_without_a_baseline_scores_against_its_plays(eeg_data: Path, tmp_path: Path) -> None:
    path = eeg_data / "eegmat" / "Subject00_1.edf"
    events = tmp_path / "events.tsv"
    events.write_text("onset\tduration\ttrial_type\n0\t90\tpiece/a\n90\t92\tpiece/b\n")
    score = score_recording(path, events=events)
    assert all("no-silence-baseline" in play.flags for play in score.plays)
    ranking = rank(observations([score]))
    assert not ranking.against_silence
    assert not ranking.reliable_order


def test_progress_reaches_the_end(listener_fif: Path) -> None:
    seen: list[float] = []
    score_recording(listener_fif, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


@pytest.mark.parametrize("band", [(48.0, 52.0), (95.0, 99.0)])
def test_a_beta_band_out_of_reach_is_said_not_to_be_scored(simulated: Simulated, tmp_path: Path, band: Any) -> None:
    """As such a gamma band is: line noise at 50 Hz, and what the recording does not carry."""
    path = tmp_path / "rec_raw.fif"
    write_fif(simulated, path)
    score = score_recording(path, settings=Settings(beta=band))
    assert any(text.startswith(f"beta {band[0]:g}-{band[1]:g} Hz is not scored") for text in score.warnings)
    assert {play.beta_db for play in score.plays} == {None}
    assert not np.isfinite(score.figures.epoch_db["beta"]).any()
    assert all(play.gamma_db is not None for play in score.plays)
    assert "gamma power over the session" in render([score])
