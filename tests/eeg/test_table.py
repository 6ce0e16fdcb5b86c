"""Tables of scores: tidy rows, each column explained beside them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from eeg.errors import ParameterError
from eeg.results import RecordingScore
from eeg.scoring import score_recording
from eeg.settings import Settings
from eeg.table import GRAINS, rows, write_table


@pytest.fixture(scope="module")
def score(listener_fif: Path) -> RecordingScore:
    return score_recording(listener_fif, settings=Settings(bands={"alpha": (8.0, 13.0)}))


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("by", GRAINS)
def test_every_column_is_explained(score: RecordingScore, tmp_path: Path, by: str) -> None:
    dictionary = json.loads(write_table(tmp_path / "t.csv", [score], by).read_text(encoding="utf-8"))
    found = read(tmp_path / "t.csv")
    assert found
    for column in found[0]:
        assert dictionary[column]["Description"]
    assert dictionary["db"]["Units"] == "dB"
    assert {one["Name"] for one in dictionary["GeneratedBy"]} >= {"therapy-gen", "mne", "numpy"}
    assert {row["band"] for row in found} == {"beta", "gamma", "alpha"}


def test_rows_hold_the_plays(score: RecordingScore, tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", [score])
    whole = [row for row in read(tmp_path / "t.csv") if row["group"] == "all" and row["role"] == "music"]
    assert len(whole) == 3 * len(score.plays)
    for row, play in zip((row for row in whole if row["band"] == "beta"), score.plays, strict=True):
        assert (row["piece"], float(row["db"])) == (play.piece, play.beta_db)
        assert float(row["low_hz"]) == 13.0
    by_channel = [row for row in rows([score], "channel") if row["play"] == 1 and row["role"] == "music"]
    beta = [row["db"] for row in by_channel if row["band"] == "beta"]
    assert len(beta) == len(score.scored_channels)
    assert np.mean(beta) == pytest.approx(score.plays[0].beta_db)
    windows = [row for row in rows([score], "window") if row["band"] == "beta" and row["role"] == "music"]
    assert len(windows) == sum(play.windows for play in score.plays)
    first = score.plays[0]
    assert all(first.onset_s - 1e-3 <= row["onset_s"] <= first.onset_s + first.duration_s for row in windows
               if row["play"] == 1)  # fmt: skip


def test_parquet_keeps_numbers(score: RecordingScore, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra tables is not installed")
    write_table(tmp_path / "t.parquet", [score])
    found = parquet.read_table(tmp_path / "t.parquet").to_pylist()
    assert found == [{name: row.get(name) for name in found[0]} for row in rows([score])]


def test_what_cannot_be_written_is_refused(score: RecordingScore, tmp_path: Path) -> None:
    for name, by in (("t.xlsx", "play"), ("t.csv", "minute")):
        with pytest.raises(ParameterError):
            write_table(tmp_path / name, [score], by)
    assert not list(tmp_path.iterdir())
