"""The calmness score goes down with what arouses, explains itself, and agrees with listeners."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import symusic
from scipy.stats import spearmanr

from therapy_gen.music.calmness import FEATURES, calmness

VGMIDI = Path(os.environ.get("THERAPY_GEN_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")) / "vgmidi"


def tune(notes_a_second: float = 1.0, legato: float = 1.0, step: int = 2, count: int = 48) -> tuple[np.ndarray, ...]:
    onsets = np.arange(count) / notes_a_second
    return onsets, np.full(count, legato / notes_a_second), 60 + step * (np.arange(count) % 3)


def test_more_notes_shorter_notes_and_wider_leaps_are_less_calm() -> None:
    slow = calmness(*tune()).score
    assert calmness(*tune(notes_a_second=2.0)).score < slow
    assert calmness(*tune(legato=0.3)).score < slow
    assert calmness(*tune(step=9)).score < slow


def test_contributions_add_up_to_the_score() -> None:
    found = calmness(*tune(1.7))
    assert list(found.contributions) == list(FEATURES)
    assert 1 / (1 + np.exp(-sum(found.contributions.values()))) == pytest.approx(found.score)


def test_dissonance_is_counted_between_notes_that_sound_together() -> None:
    together = np.zeros(2), np.full(2, 4.0)
    second = calmness(np.array([0.0, 1.0]), together[1], np.array([60, 61]))
    third = calmness(np.array([0.0, 1.0]), together[1], np.array([60, 64]))
    assert second.values["dissonance"] == 1.0
    assert third.values["dissonance"] == 0.0


def test_no_notes_have_no_score() -> None:
    with pytest.raises(ValueError, match="at least one note"):
        calmness(np.zeros(0), np.zeros(0), np.zeros(0, dtype=int))


@pytest.mark.skipif(not VGMIDI.is_dir(), reason=f"no human ratings at {VGMIDI}")
def test_the_score_falls_with_the_arousal_that_listeners_report() -> None:
    scores, arousal = [], []
    with (VGMIDI / "labels.tsv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            midi = symusic.Score(str(VGMIDI / row["file"])).to("second")
            notes = np.array([(n.time, n.duration, n.pitch) for t in midi.tracks if not t.is_drum for n in t.notes])
            scores.append(calmness(notes[:, 0], notes[:, 1], notes[:, 2].astype(int)).score)
            arousal.append(float(row["mean_arousal"]))
    assert spearmanr(scores, arousal).statistic < -0.77
