"""The simulator, and the whole way from it to a ranking."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from eeg.errors import ParameterError
from eeg.ranking.observations import observations
from eeg.ranking.rank import rank
from eeg.scoring import score_recording
from eeg.simulation.file import check_size, write_fif
from eeg.simulation.simulate import Listener, Simulated, channel_names, simulate, timeline


def test_same_seed_same_samples() -> None:
    items = timeline("AB", repeats=1, play_s=10, silence_s=5)
    one, two = (simulate(items, channels=3, seed=4) for _ in range(2))
    assert np.array_equal(one.samples, two.samples)
    assert not np.array_equal(one.samples, simulate(items, channels=3, seed=5).samples)
    assert one.samples.dtype == np.float32


def test_timeline_plays_every_piece_as_often_in_a_mixed_order() -> None:
    items = timeline("ABC", repeats=4, play_s=60, silence_s=90, seed=3)
    plays = [item.piece for item in items if item.piece]
    assert sorted(plays) == sorted("ABC" * 4)
    assert items[0].role == items[-1].role == "silence"
    assert all(one.end_s <= two.onset_s for one, two in pairwise(items))


def test_what_does_not_fit_into_one_file_is_refused_before_it_is_written(tmp_path: Path) -> None:
    check_size(64, 1000.0, 8200.0)
    with pytest.raises(ParameterError, match=r"64 channels at 1000 Hz over 150 min are 2\.3 GB, .* lower sampling"):
        check_size(64, 1000.0, 9000.0)
    samples = np.broadcast_to(np.float32(0), (64, 9_000_000))
    items = timeline("AB", repeats=1, play_s=10, silence_s=5)
    with pytest.raises(ParameterError, match="a FIF file holds"):
        write_fif(Simulated(samples, channel_names(64), 1000.0, items), tmp_path / "large_raw.fif")
    assert list(tmp_path.iterdir()) == []


def test_names_and_wrong_values() -> None:
    assert channel_names(1) == ("Cz",)
    assert len(set(channel_names(256))) == 256
    with pytest.raises(ParameterError):
        channel_names(0)
    with pytest.raises(ParameterError, match="sampling frequency"):
        simulate(timeline("A"), sfreq=10)
    with pytest.raises(ParameterError, match=r"\.fif"):
        write_fif(simulate(timeline("A", repeats=1, play_s=5, silence_s=5), channels=1), Path("x.edf"))


def ranked(simulated: Simulated, folder: Path) -> list[str]:
    path = folder / "rec_raw.fif"
    write_fif(simulated, path)
    return [piece.piece for piece in rank(observations([score_recording(path)])).pieces]


def test_a_listener_of_2_db_is_ranked_right(tmp_path: Path) -> None:
    """Four plays of 60 s a piece over 2 dB, drift, blinks and muscle: Kendall's tau at least 0.8."""
    pieces = [f"p{i}" for i in range(5)]
    taus = []
    for seed in range(3):
        listener = Listener(
            effects={piece: (effect, 0.0) for piece, effect in zip(pieces, np.linspace(-2, 0, 5), strict=True)},
            drift_db=1.0,
            blinks_per_min=12,
            muscle_per_min=2,
        )
        items = timeline(pieces, repeats=4, play_s=60, silence_s=90, seed=seed)
        order = ranked(simulate(items, sfreq=200, channels=8, listener=listener, seed=seed), tmp_path)
        taus.append(kendalltau(range(5), [order.index(piece) for piece in pieces])[0])
    assert np.mean(taus) >= 0.8


def test_the_order_does_not_follow_muscle_bursts(tmp_path: Path) -> None:
    """Equal pieces, muscle bursts from none to one every 5 s: the order must not be that of the bursts."""
    pieces = [f"p{i}" for i in range(4)]
    rates = dict(zip(pieces, (0.0, 4.0, 8.0, 12.0), strict=True))
    taus, claims = [], 0
    for seed in range(4):
        listener = Listener(muscle_by_piece=rates, wander_db=0.3)
        items = timeline(pieces, repeats=4, play_s=60, silence_s=90, seed=seed)
        path = tmp_path / "rec_raw.fif"
        write_fif(simulate(items, sfreq=200, channels=8, listener=listener, seed=seed), path)
        ranking = rank(observations([score_recording(path)]))
        order = [piece.piece for piece in ranking.pieces]
        taus.append(kendalltau(range(4), [order.index(piece) for piece in pieces])[0])
        claims += ranking.reliable_order
    assert np.mean(taus) < 0.7
    assert claims == 0
