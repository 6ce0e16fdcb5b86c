"""What is left out: each kind of artefact, on the channels it is on, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eeg.errors import ParameterError, RecordingError, TooLittleDataError
from eeg.io.mne import quiet_mne
from eeg.results import RecordingScore
from eeg.scoring import score_recording
from eeg.settings import Settings, parse_band
from eeg.simulation.file import to_raw, write_fif
from eeg.simulation.simulate import Listener, Simulated, simulate, timeline

ITEMS = timeline("AB", repeats=2, play_s=40.0, silence_s=50.0, gap_s=0.0, seed=0)
SFREQ = 250.0


@pytest.fixture(scope="module")
def clean() -> Simulated:
    return simulate(ITEMS, sfreq=SFREQ, channels=20, listener=Listener(line_uv=2.0), seed=1)


def scored(simulated: Simulated, folder: Path, **options: object) -> RecordingScore:
    path = folder / "rec_raw.fif"
    write_fif(simulated, path)
    return score_recording(path, settings=Settings(**options))  # type: ignore[arg-type]


def spoilt(clean: Simulated, channel: str, what: str) -> Simulated:
    """Spoil 20 s of one channel (seconds 100 to 120) with one kind of artefact."""
    samples = clean.samples.copy()
    row = samples[clean.names.index(channel)]
    span = slice(int(100 * SFREQ), int(120 * SFREQ))
    n = span.stop - span.start
    rng = np.random.default_rng(0)
    if what == "flat":
        row[span] = 3e-6
    elif what == "railed":
        row[span] = np.clip(row[span] * 12, -60e-6, 60e-6)
    elif what == "peak-to-peak":
        row[span] += (800e-6 * np.sin(2 * np.pi * 1.5 * np.arange(n) / SFREQ)).astype(np.float32)
    elif what == "jump":
        row[span] += np.where(np.arange(n) // int(SFREQ) % 2, 70e-6, 0).astype(np.float32)
    else:
        burst = np.diff(rng.standard_normal(n + 1)) * 12e-6
        row[span] += burst.astype(np.float32)
    return replace(clean, samples=samples)


def test_clean_data_stay(clean: Simulated, tmp_path: Path) -> None:
    score = scored(clean, tmp_path)
    assert not score.bad_channels
    assert sum(score.rejected_windows.values()) < 0.005
    assert all(play.clean_s == pytest.approx(40.0, abs=1.0) for play in score.plays)


def test_mains_of_an_unfiltered_amplifier_leave_the_recording_usable(clean: Simulated, tmp_path: Path) -> None:
    """OpenBCI's recordings hold 600 uV of 60 Hz, outside the bands: what is large besides is still left out."""
    rng = np.random.default_rng(2)
    seconds = np.arange(clean.samples.shape[1]) / SFREQ
    samples = spoilt(clean, "C3", "peak-to-peak").samples.copy()
    for row in samples:
        row += (rng.uniform(250e-6, 350e-6) * np.sin(2 * np.pi * 60.0 * seconds)).astype(np.float32)
    before = scored(clean, tmp_path, average_reference=False)
    after = scored(replace(clean, samples=samples), tmp_path, average_reference=False)
    assert after.line_freq == 60.0
    assert not after.bad_channels
    assert 0.001 < after.rejected_windows["peak-to-peak"] < 0.01
    for one, two in zip(before.plays, after.plays, strict=True):
        assert two.clean_s == pytest.approx(one.clean_s, abs=2.0)
        assert one.beta_db is not None
        assert two.beta_db == pytest.approx(one.beta_db, abs=0.1)


@pytest.mark.parametrize("what", ["flat", "railed", "peak-to-peak", "jump", "muscle burst"])
def test_each_artefact_is_left_out_where_it_is(clean: Simulated, tmp_path: Path, what: str) -> None:
    before, after = scored(clean, tmp_path), scored(spoilt(clean, "C3", what), tmp_path)
    assert not after.bad_channels
    total = sum(play.windows for play in (*after.plays, *after.baseline)) * len(after.channels)
    wanted = 20.0 / total  # one channel, 20 s in windows that begin every second
    more = {name: share - before.rejected_windows[name] for name, share in after.rejected_windows.items()}
    assert sum(more.values()) == pytest.approx(wanted, rel=0.35)
    assert max(more, key=lambda name: more[name]) == what
    for one, two in zip(before.plays, after.plays, strict=True):
        assert one.beta_db is not None
        assert two.beta_db == pytest.approx(one.beta_db, abs=0.1), "the artefact reached the values"


@pytest.mark.parametrize(("kind", "word"), [("flat", "flat"), ("noisy", "noisy"), ("loud", "larger")])
def test_bad_channels_are_found(tmp_path: Path, kind: str, word: str) -> None:
    listener = Listener(bad_channels={"C4": kind})
    score = scored(simulate(ITEMS, sfreq=SFREQ, channels=20, listener=listener, seed=1), tmp_path)
    assert list(score.bad_channels) == ["C4"]
    assert word in score.bad_channels["C4"]
    assert "C4" not in score.scored_channels


def test_channels_that_the_file_marks_bad_stay_out(clean: Simulated, tmp_path: Path) -> None:
    path = tmp_path / "marked_raw.fif"
    raw = to_raw(clean)
    raw.info["bads"] = ["Fz"]
    with quiet_mne():
        raw.save(path)
    score = score_recording(path)
    assert score.bad_channels == {"Fz": "marked bad in the file"}
    assert "Fz" not in score.scored_channels


@pytest.mark.parametrize("ica", [False, True])
def test_what_a_channel_marked_bad_holds_does_not_matter(clean: Simulated, tmp_path: Path, ica: bool) -> None:
    scores = []
    for held in (3e-6, np.nan, 1e30, 1.0):
        samples = clean.samples.copy()
        samples[clean.names.index("Fz")] = held * np.where(np.arange(samples.shape[1]) % 2, 1, -1)
        raw = to_raw(replace(clean, samples=samples))
        raw.info["bads"] = ["Fz"]
        path = tmp_path / f"{held:g}_raw.fif"
        with quiet_mne():
            raw.save(path)
        scores.append(score_recording(path, settings=Settings(ica=ica)))
    one, *others = scores
    for two in others:
        assert_same_but_for_what_is_bad(one, two)


def assert_same_but_for_what_is_bad(one: RecordingScore, two: RecordingScore) -> None:
    assert two.bad_channels == {"Fz": "marked bad in the file"}
    assert two.line_freq == 50.0
    assert two.rejected_windows == one.rejected_windows
    assert [play.beta_db for play in two.plays] == [play.beta_db for play in one.plays]


def test_a_recording_whose_channels_are_all_marked_bad_is_refused(clean: Simulated, tmp_path: Path) -> None:
    raw = to_raw(clean)
    raw.info["bads"] = list(clean.names)
    path = tmp_path / "marked_raw.fif"
    with quiet_mne():
        raw.save(path)
    with pytest.raises(TooLittleDataError, match="no good channel to score"):
        score_recording(path)


def test_what_is_left_out_is_a_share_of_the_good_channels(clean: Simulated, tmp_path: Path) -> None:
    for name in clean.names[:8]:
        clean = spoilt(clean, name, "flat")
    raw = to_raw(clean)
    raw.info["bads"] = list(clean.names[15:])
    path = tmp_path / "most_raw.fif"
    with quiet_mne():
        raw.save(path)
    score = score_recording(path)
    both = (*score.plays, *score.baseline)
    lost = 1 - sum(play.windows_used for play in both) / sum(play.windows for play in both)
    assert lost > 0.05
    assert score.rejected_windows["flat"] == pytest.approx(lost * 8 / 15, rel=0.02)
    assert score.rejected_windows["most channels bad"] == pytest.approx(lost * 7 / 15, rel=0.02)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e12, 1e30])
def test_values_that_are_no_numbers_are_refused_unless_marked_bad(
    clean: Simulated, tmp_path: Path, value: float
) -> None:
    samples = clean.samples.copy()
    samples[4, int(110 * SFREQ)] = value
    path = tmp_path / "nan_raw.fif"
    raw = to_raw(replace(clean, samples=samples))
    with quiet_mne():
        raw.save(path)
        with pytest.raises(RecordingError, match="no numbers"):
            score_recording(path)
        raw.annotations.append(109.0, 2.0, "BAD_nan")
        raw.save(path, overwrite=True)
    assert score_recording(path).plays[0].beta_db is not None


def test_what_the_file_marks_bad_is_counted(clean: Simulated, tmp_path: Path) -> None:
    path = tmp_path / "bad_raw.fif"
    raw = to_raw(clean)
    raw.annotations.append([60.0, 70.0, 1e4], [15.0, 10.0, 5.0], ["BAD_move", "bad", "BAD_outside"])
    with quiet_mne():
        raw.save(path)
    score = score_recording(path)
    assert score.marked_bad_s == pytest.approx(20.0, abs=0.01)
    assert score.as_dict()["marked_bad_s"] == score.marked_bad_s
    assert score.figures.marked_bad_s == pytest.approx(np.array([[60.0, 80.0]]), abs=0.01)
    assert scored(clean, tmp_path).marked_bad_s == 0.0
    lost = scored(clean, tmp_path).plays[0].clean_s - score.plays[0].clean_s
    assert lost == pytest.approx(20.0, abs=2.0)


def test_a_channel_with_much_line_noise_is_bad(clean: Simulated, tmp_path: Path) -> None:
    samples = clean.samples.copy()
    time = np.arange(samples.shape[1]) / SFREQ
    samples[3] += (40e-6 * np.sin(2 * np.pi * 50 * time)).astype(np.float32)
    score = scored(replace(clean, samples=samples), tmp_path)
    assert score.bad_channels == {clean.names[3]: "line noise"}


@pytest.mark.parametrize("line", [50.0, 60.0, None])
def test_line_frequency_is_found(tmp_path: Path, line: float | None) -> None:
    listener = Listener(line_freq=line or 50.0, line_uv=1.5 if line else 0.0)
    score = scored(simulate(ITEMS, sfreq=SFREQ, channels=4, listener=listener, seed=3), tmp_path)
    assert score.line_freq == line
    gamma = score.bands["gamma"]
    assert gamma == (30.0, 45.0)


def test_bands_are_clipped_with_a_warning(clean: Simulated, tmp_path: Path) -> None:
    score = scored(clean, tmp_path, gamma=(30.0, 80.0))
    assert score.bands["gamma"] == (30.0, 45.0)
    assert any("gamma is clipped to 30-45 Hz" in warning for warning in score.warnings)


def test_gamma_that_the_recording_does_not_carry_is_not_scored(eeg_data: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.tsv"
    events.write_text("onset\tduration\ttrial_type\n40\t60\tpiece/x\n")
    score = score_recording(eeg_data / "eegmat/Subject00_1.edf", events=events, settings=Settings(gamma=(44.0, 60.0)))
    assert score.bands["gamma"] is None
    assert score.plays[0].gamma_db is None
    assert score.plays[0].beta_db is not None
    assert any("gamma 44-60 Hz is not scored" in warning for warning in score.warnings)
    assert score.muscle_index.startswith("none: ")
    assert "muscle-unknown" in score.plays[0].flags


def test_too_little_clean_data_is_refused_or_flagged(tmp_path: Path) -> None:
    items = timeline("A", repeats=1, play_s=25.0, silence_s=60.0)
    with pytest.raises(TooLittleDataError, match="too little clean data"):
        scored(simulate(items, sfreq=SFREQ, channels=2, seed=0), tmp_path)
    items = timeline("A", repeats=1, play_s=45.0, silence_s=60.0)
    score = scored(simulate(items, sfreq=SFREQ, channels=2, seed=0), tmp_path)
    assert score.plays[0].flags[0] == "short"
    short = (*timeline("A", repeats=2, play_s=40.0, silence_s=60.0, gap_s=0.0),)
    short = (*short[:-1], replace(short[1], piece="B", onset_s=short[-1].onset_s, duration_s=20.0))
    score = scored(simulate(short, sfreq=SFREQ, channels=2, seed=0), tmp_path)
    assert [play.beta_db is None for play in score.plays] == [False, False, True]
    assert score.plays[-1].flags[0] == "too-little-clean"


def test_a_recording_full_of_artefacts_is_refused(clean: Simulated, tmp_path: Path) -> None:
    samples = clean.samples.copy()
    rng = np.random.default_rng(0)
    for start in range(0, samples.shape[1] - 500, 500):
        samples[:, start : start + 100] += (2e-3 * rng.standard_normal((len(samples), 1))).astype(np.float32)
    with pytest.raises(TooLittleDataError):
        scored(replace(clean, samples=samples), tmp_path)


def test_too_little_silence_falls_back_to_the_mean_of_all_plays(tmp_path: Path) -> None:
    items = timeline("AB", repeats=2, play_s=40.0, silence_s=8.0)
    score = scored(simulate(items, sfreq=SFREQ, channels=2, seed=0), tmp_path)
    assert all("no-silence-baseline" in play.flags for play in score.plays)
    values = [play.beta_db for play in score.plays]
    assert np.mean([v for v in values if v is not None]) == pytest.approx(0.0, abs=0.1)
    assert any("mean of all plays" in warning for warning in score.warnings)


@pytest.mark.parametrize(
    ("picks", "names"), [("central", ("Cz", "C3", "C4")), (("Pz", "c3"), ("Pz", "C3")), ("O1", ("O1",))]
)
def test_picks(clean: Simulated, tmp_path: Path, picks: str | tuple[str, ...], names: tuple[str, ...]) -> None:
    score = scored(clean, tmp_path, picks=picks)
    assert score.scored_channels == names
    assert len(score.channels) == 20
    assert score.reference == "average"


def test_picks_and_bands_that_are_none(clean: Simulated, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="Q9"):
        scored(clean, tmp_path, picks=("Q9",))
    with pytest.raises(ParameterError, match="vertex"):
        scored(simulate(ITEMS, sfreq=SFREQ, channels=["O1", "O2"], seed=0), tmp_path, picks="central")
    for text in ("30-13", "13", "a-b", "13-30-40", "0-5", "nan-30", "13-inf"):
        with pytest.raises(ParameterError):
            parse_band(text)
    assert parse_band("13-30") == (13.0, 30.0)
