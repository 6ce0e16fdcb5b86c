from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.planning.counterbalance import rounds_of, williams


@pytest.mark.parametrize("pieces", range(1, 13))
def test_orders_balance_places_and_predecessors(pieces: int) -> None:
    rows = williams(pieces)
    assert len(rows) == (pieces if pieces % 2 == 0 or pieces == 1 else 2 * pieces)
    times = len(rows) // pieces
    assert all(sorted(row) == list(range(pieces)) for row in rows)
    places = Counter((place, piece) for row in rows for place, piece in enumerate(row))
    assert set(places.values()) == {times}
    neighbours = Counter(pair for row in rows for pair in pairwise(row))
    assert len(neighbours) == pieces * (pieces - 1)
    assert set(neighbours.values()) <= {times}


@given(pieces=st.integers(1, 9), repeats=st.integers(2, 12), sessions=st.integers(1, 6), seed=st.integers(0, 2**32))
def test_rows_go_round_from_session_to_session(pieces: int, repeats: int, sessions: int, seed: int) -> None:
    rows = williams(pieces)
    used: list[int] = []
    for number in range(sessions):
        used += rounds_of(pieces, repeats, used, np.random.default_rng([seed, number]))
    uses = Counter(dict.fromkeys(range(len(rows)), 0)) + Counter(used)
    counts = [uses[row] for row in range(len(rows))]
    assert sum(counts) == repeats * sessions
    assert max(counts) - min(counts) <= 1


@given(pieces=st.integers(2, 9), repeats=st.integers(1, 6).map(lambda half: 2 * half), seed=st.integers(0, 2**32))
def test_with_an_even_number_of_rounds_mean_places_agree_within_a_session(pieces: int, repeats: int, seed: int) -> None:
    rows = williams(pieces)
    chosen = rounds_of(pieces, repeats, (), np.random.default_rng(seed))
    sums = np.sum([np.argsort(rows[row]) for row in chosen], axis=0)
    assert np.ptp(sums) == 0


@given(pieces=st.integers(3, 9), repeats=st.integers(1, 3).map(lambda half: 2 * half + 1), seed=st.integers(0, 2**32))
def test_with_an_odd_number_of_rounds_mean_places_nearly_agree(pieces: int, repeats: int, seed: int) -> None:
    rows = williams(pieces)
    chosen = rounds_of(pieces, repeats, (), np.random.default_rng(seed))
    sums = np.sum([np.argsort(rows[row]) for row in chosen], axis=0)
    assert np.ptp(sums) <= pieces


@pytest.mark.parametrize("repeats", [2, 3])
def test_rounds_are_drawn(repeats: int) -> None:
    drawn = {rounds_of(5, repeats, (), np.random.default_rng(seed)) for seed in range(30)}
    assert len(drawn) > 5


def test_no_piece_ends_a_round_and_begins_the_next() -> None:
    rows = williams(6)
    for seed in range(20):
        chosen = rounds_of(6, 3, (), np.random.default_rng(seed))
        assert all(rows[a][-1] != rows[b][0] for a, b in pairwise(chosen))
