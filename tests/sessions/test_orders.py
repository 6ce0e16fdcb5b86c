from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.orders import counterbalanced


@given(pieces=st.integers(1, 30), repeats=st.integers(1, 12), seed=st.integers(0, 2**32))
def test_every_round_holds_every_piece_once_and_mean_places_agree(pieces: int, repeats: int, seed: int) -> None:
    order = counterbalanced(pieces, repeats, np.random.default_rng(seed))
    assert len(order) == pieces * repeats
    for start in range(0, len(order), pieces):
        assert sorted(order[start : start + pieces]) == list(range(pieces))
    if repeats > 1:
        sums = [sum(place for place, held in enumerate(order) if held == piece) for piece in range(pieces)]
        exact = repeats % 2 == 0 or pieces % 2 == 1
        assert max(sums) - min(sums) <= (0 if exact else 1)


def test_one_round_keeps_the_order_of_the_arc() -> None:
    assert counterbalanced(4, 1, np.random.default_rng(0)) == [0, 1, 2, 3]


@pytest.mark.parametrize("repeats", [2, 3])
def test_orders_are_drawn(repeats: int) -> None:
    orders = {tuple(counterbalanced(5, repeats, np.random.default_rng(seed))) for seed in range(20)}
    assert len(orders) > 10
