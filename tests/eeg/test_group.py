"""Groups: pooled effects come back, nothing is claimed where there is nothing, and who differs is found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from eeg.errors import TooLittleDataError
from eeg.ranking.group import rank_group
from eeg.ranking.observations import Observation


def group(
    rng: np.random.Generator,
    effects: Sequence[float],
    *,
    listeners: int = 8,
    between: float = 0.3,
    plays: int = 2,
    odd: dict[tuple[int, int], float] | None = None,
    drift: float = 0.1,
) -> dict[str, list[Observation]]:
    """Draw listeners who differ in each piece, and in music as such by 0.3 dB."""
    found = {}
    for number in range(listeners):
        own = np.asarray(effects) + between * rng.standard_normal(len(effects)) + 0.3 * rng.standard_normal()
        for (who, piece), more in (odd or {}).items():
            own[piece] += more if who == number else 0.0
        labels = [None, None, *np.concatenate([rng.permutation(len(effects)) for _ in range(plays)]), None, None]
        times = 30.0 + 62.0 * np.arange(len(labels))
        noise = drift * np.cumsum(rng.standard_normal(len(labels))) / 3 + 0.25 * rng.standard_normal(len(labels))
        found[f"l{number}"] = [
            Observation(
                None if label is None else f"p{label}",
                f"r{number}",
                t,
                (0 if label is None else own[label]) + e,
                None,
                56.0,
            )
            for label, t, e in zip(labels, times, noise, strict=True)
        ]
    return found


def test_pooled_effects_come_back() -> None:
    effects = [-1.0, -0.5, 0.0, 0.2]
    made = [rank_group(group(np.random.default_rng(i), effects)) for i in range(6)]
    assert all(one.reliable_order for one in made)
    assert [one.pieces[0].piece for one in made].count("p0") >= 5
    held = [p.ci90_db[0] <= effects[int(p.piece[1:])] <= p.ci90_db[1] for one in made for p in one.pieces]
    assert np.mean(held) >= 0.75
    assert 0.15 < np.mean([one.between_db[0] for one in made]) < 0.5
    assert {(one.listeners, one.plays) for one in made} == {(8, 64)}


def test_listeners_who_differ_are_no_order_of_the_group() -> None:
    made = [rank_group(group(np.random.default_rng(i), [0.0] * 4, between=0.4)) for i in range(25)]
    assert sum(one.reliable_order for one in made) <= 3  # 5 % nominal; more than 3 has probability under 4 %


def test_who_differs_is_named() -> None:
    made = rank_group(group(np.random.default_rng(1), [0.0] * 4, between=0.05, plays=4, odd={(2, 1): -2.0}))
    first = made.differences[0]
    assert (first.listener, first.piece, first.differs) == ("l2", "p1", True)
    assert first.mean_db < -1


def test_a_group_needs_two_and_no_piece_is_invented() -> None:
    data = group(np.random.default_rng(0), [0.0, -1.0], listeners=1)
    with pytest.raises(TooLittleDataError, match="two listeners"):
        rank_group(data)
    apart = {"a": [row for row in data["l0"] if row.piece != "p1"], "b": [r for r in data["l0"] if r.piece != "p0"]}
    made = rank_group(apart)
    assert not made.reliable_order
    assert "no piece was heard by two" in made.reason


def test_it_agrees_with_statsmodels() -> None:
    """The same pooled differences and SD between listeners as a mixed model by restricted likelihood."""
    smf = pytest.importorskip("statsmodels.formula.api")
    import pandas as pd

    effects = [-0.8, -0.3, 0.0, 0.4]
    differences, ratios = [], []
    for seed in range(3):
        data = group(np.random.default_rng(seed), effects, listeners=16, plays=4, drift=0.0)
        made = rank_group(data)
        rows = [
            {"y": row.value_db, "piece": row.piece, "who": who, "cell": f"{who}{row.piece}"}
            for who, plays in data.items()
            for row in plays
            if row.piece is not None
        ]
        table = pd.DataFrame(rows)
        fitted = smf.mixedlm(
            "y ~ 0 + piece", table, groups="who", re_formula="1", vc_formula={"piece": "0 + C(piece)"}
        ).fit(reml=True)
        pooled = {piece.piece: piece.mean_db for piece in made.pieces}
        for name in ("p1", "p2", "p3"):
            theirs = fitted.fe_params[f"piece[{name}]"] - fitted.fe_params["piece[p0]"]
            differences.append(pooled[name] - pooled["p0"] - theirs)
        ratios.append(made.between_db[0] / np.sqrt(fitted.vcomp[0]))
    assert np.abs(differences).max() < 0.1
    assert 0.7 < np.mean(ratios) < 1.4


def test_higher_is_better_turns_the_order_round() -> None:
    data = group(np.random.default_rng(0), [-1.0, -0.4, 0.0, 0.5])
    lower, higher = (rank_group(data, lower_is_better=better) for better in (True, False))
    assert [one.piece for one in higher.pieces] == [one.piece for one in reversed(lower.pieces)]
    assert higher.reliable_order


def test_two_pieces_are_compared_too() -> None:
    made = rank_group(group(np.random.default_rng(0), [-1.0, 1.0], plays=4))
    assert made.p_value < 0.01
    assert made.reliable_order


def test_pieces_that_one_listener_alone_heard_are_no_comparison() -> None:
    both = group(np.random.default_rng(0), [-2.0, 2.0], listeners=2, plays=4)
    both["l1"] = [row for row in both["l1"] if row.piece != "p1"]
    made = rank_group(both)
    assert made.p_value == 1.0
    assert not made.reliable_order
