"""Bands by name, and asymmetry: values like those of beta and gamma."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from eeg.errors import ParameterError
from eeg.scoring import score_recording
from eeg.settings import Settings, parse_named_band
from eeg.simulation.file import write_fif
from eeg.simulation.simulate import simulate, timeline


def test_bands_are_named_and_read() -> None:
    assert parse_named_band("alpha") == ("alpha", (8.0, 13.0))
    assert parse_named_band(" SMR = 12-15 ") == ("smr", (12.0, 15.0))
    for text in ("omega", "alpha=8", "alpha=13-8", "=8-13"):
        with pytest.raises(ParameterError):
            Settings(bands=dict([parse_named_band(text)]))
    with pytest.raises(ParameterError, match="x 0-1000 is no band"):
        parse_named_band("x=0-1000")
    for name in ("both", "x-asymmetry", "a b", "muscle"):
        with pytest.raises(ParameterError, match="no name for a band"):
            Settings(bands={name: (8.0, 13.0)})


def test_alpha_and_its_asymmetry_come_back(tmp_path: Path) -> None:
    """Alpha is 2 dB stronger over the right while a piece plays."""
    items = timeline("AB", repeats=2, play_s=40.0, silence_s=60.0, seed=3)
    made = simulate(items, sfreq=128.0, channels=8, seed=4)
    names = list(made.names)
    right, left = next(
        (names.index(r), names.index(le))
        for r, le in (("F4", "F3"), ("AF8", "AF7"), ("F8", "F7"), ("Fp2", "Fp1"))
        if r in names and le in names
    )
    time = np.arange(made.samples.shape[1]) / 128.0
    samples = made.samples.copy()
    tone = 15e-6 * np.sin(2 * np.pi * 10.0 * time)
    samples[[right, left]] += tone
    for item in items:
        if item.piece == "A":
            inside = (time >= item.onset_s) & (time < item.end_s)
            samples[right, inside] += (10 ** (2 / 20) - 1) * tone[inside]
    path = tmp_path / "a_raw.fif"
    write_fif(dataclasses.replace(made, samples=samples), path)
    score = score_recording(path, settings=Settings(bands={"alpha": (8.0, 13.0)}))
    assert score.asymmetry_pair == f"{names[right]} - {names[left]}"
    sides = {p: np.mean([x.band("alpha").asymmetry_db for x in score.plays if x.piece == p]) for p in "AB"}
    assert sides["A"] == pytest.approx(2.0, abs=0.5)
    assert sides["B"] == pytest.approx(0.0, abs=0.5)
    row = score.plays[0].as_dict()
    assert {"alpha_db", "alpha_adjusted_db", "alpha_asymmetry", "alpha_asymmetry_db"} <= set(row)
