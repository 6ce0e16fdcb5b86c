"""Copies in other keys keep rhythm, voices and intervals."""

from __future__ import annotations

import numpy as np

from therapy_gen.musicvae.training.augment import transposed


def test_all_notes_of_a_window_move_together_and_events_stay() -> None:
    rng = np.random.default_rng(0)
    tokens = rng.choice([0, 0, 0, 1, 40, 44, 47], (400, 64, 3)).astype(np.uint8)
    moved = transposed(tokens, 0.5, np.random.default_rng(1))
    np.testing.assert_array_equal(moved[tokens < 2], tokens[tokens < 2])
    shifts = []
    for before, after in zip(tokens, moved, strict=True):
        notes = before > 1
        steps = set((after[notes].astype(int) - before[notes]).tolist())
        assert len(steps) == 1
        shifts += steps
    assert set(shifts) == set(range(-6, 7))
    assert 0.4 < np.mean(np.array(shifts) != 0) < 0.55


def test_a_window_at_the_edge_of_the_keyboard_stays() -> None:
    tokens = np.zeros((200, 16, 3), dtype=np.uint8)
    tokens[:, 0] = [89, 50, 2]
    np.testing.assert_array_equal(transposed(tokens, 1.0, np.random.default_rng(0)), tokens)


def test_none_are_moved_unless_asked() -> None:
    tokens = np.full((50, 16, 3), 30, dtype=np.uint8)
    np.testing.assert_array_equal(transposed(tokens, 0.0, np.random.default_rng(0)), tokens)
