"""Independent components: eyes and muscles go, the rest stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eeg.errors import TooLittleDataError
from eeg.scoring import score_recording
from eeg.settings import Settings
from eeg.simulation.file import write_fif
from eeg.simulation.simulate import Listener, simulate, timeline

ITEMS = timeline("AB", repeats=2, play_s=40.0, silence_s=50.0, seed=0)
EFFECTS = {"A": (-2.0, -1.0), "B": (0.0, 0.0)}


def test_blinks_and_steady_muscle_are_taken_out(tmp_path: Path) -> None:
    path = tmp_path / "rec_raw.fif"
    listener = Listener(effects=EFFECTS, blinks_per_min=20, steady_muscle_uv={"A": 12.0, "B": 0.0}, wander_db=0.0)
    write_fif(simulate(ITEMS, sfreq=200, channels=19, listener=listener, seed=2), path)
    before, after = score_recording(path), score_recording(path, settings=Settings(ica=True))
    (note,) = [warning for warning in after.warnings if "components" in warning]
    assert "of the eyes" in note
    assert " 0 of the eyes" not in note
    assert " 0 of muscle" not in note

    def mean(score: object, piece: str, what: str) -> float:
        return float(np.mean([getattr(play, what) for play in score.plays if play.piece == piece]))  # type: ignore[attr-defined]

    assert mean(before, "A", "muscle_db") > 1.0, "the trap is not set"
    assert mean(after, "A", "muscle_db") < 0.5 * mean(before, "A", "muscle_db")
    assert abs(mean(after, "A", "beta_db") + 2.0) < abs(mean(before, "A", "beta_db") + 2.0)
    again = score_recording(path, settings=Settings(ica=True))
    assert [play.beta_db for play in again.plays] == [play.beta_db for play in after.plays]


def test_real_blinks(eeg_data: Path, tmp_path: Path) -> None:
    """Eyes open, 64 channels: frontal blinks are found; less of the frontal windows is left out."""
    events = tmp_path / "events.tsv"
    events.write_text("onset\tduration\ttrial_type\n1\t59\tpiece/x\n")
    path = eeg_data / "eegbci" / "S001R01.edf"
    before, after = (score_recording(path, events=events, settings=Settings(ica=ica)) for ica in (False, True))
    (note,) = [warning for warning in after.warnings if "components" in warning]
    assert " 0 of the eyes" not in note
    assert after.plays[0].clean_s > before.plays[0].clean_s


def test_too_few_channels(listener_fif: Path, tmp_path: Path) -> None:
    path = tmp_path / "rec_raw.fif"
    write_fif(simulate(ITEMS, sfreq=200, channels=4, seed=0), path)
    with pytest.raises(TooLittleDataError, match="leave `ica` out"):
        score_recording(path, settings=Settings(ica=True))
