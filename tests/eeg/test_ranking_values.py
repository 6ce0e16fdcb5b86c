"""What a ranking's parts come to on plays that are written down here."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import fdtrc

from eeg.errors import ParameterError
from eeg.ranking.f_distribution import f_upper_tail
from eeg.ranking.observations import Observation, Rating, combine, observe, rated
from eeg.ranking.rank import rank
from eeg.ranking.thompson import thompson
from eeg.ranking.verdict import alpha, decide, in_one_order


def plays(*order: str, recording: str = "r1") -> list[Observation]:
    """A play a minute of each piece."""
    return [Observation(piece, recording, 60.0 * n, 0.0, 0.0, 60.0) for n, piece in enumerate(order)]


MIXED = plays("A", "B", "A", "B")


@pytest.mark.parametrize(("field", "value"), [("clean_s", 0.0), ("value_db", math.nan), ("time_s", math.inf)])
def test_plays_without_numbers_are_refused(field: str, value: float) -> None:
    with pytest.raises(ParameterError, match="piece A in recording r1 holds values that are no numbers"):
        rank([replace(MIXED[0], **{field: value}), *MIXED[1:]])


def test_the_level_falls_with_the_looks() -> None:
    assert alpha(0) == alpha(1)
    assert alpha(8) == pytest.approx(alpha(1) / (1.0 + 0.6 * math.log(8)))


def test_what_cannot_show_an_order_is_said() -> None:
    def reason(*data: Observation) -> str:
        reliable, text = decide(data, 1e-6, 1.0)
        assert not reliable
        return text

    assert "nothing was recorded" in reason(Observation(None, "r1", 0.0, 0.0, 0.0, 60.0))
    assert "only one piece" in reason(*plays("A", "A"))
    assert "at least two pieces must have been played twice" in reason(*plays("A", "B", "A"))
    assert "mix them" in reason(*plays("A", "A", "B", "B"))
    assert "same order in every recording" in reason(*plays("A", "B"), *plays("A", "B", recording="r2"))
    # One of two mixed pieces is half: enough.
    assert decide(plays("A", "B", "B", "A"), 1e-6, 1.0)[0]


def test_claims_need_a_small_p_and_a_clear_first_and_last() -> None:
    two_days = [*MIXED, *plays("B", "A", "B", "A", recording="r2")]
    assert decide(two_days, 1e-5, 0.99) == (
        True,
        "the pieces differ (p < 0.001); first before last with probability 0.99",
    )
    assert decide(two_days, 0.001, 0.899) == (
        False,
        "no reliable order: the pieces differ (p = 0.001), but first before last has a probability of only 0.89 "
        "(0.90 is required)",
    )
    just, level = decide(two_days, alpha(2), 1.0), f"{alpha(2):.2g}"
    assert just[0] is False
    assert f"(under {level} is required after 2 recordings)" in just[1]
    assert "required" not in decide(two_days, 0.3, 1.0)[1]
    assert "record another day" in decide(MIXED, 0.3, 1.0)[1]
    assert "record another day" not in decide(MIXED, 0.3, 1.0, other_days=False)[1]
    assert decide(MIXED, 1e-6, 1.0, other_days=False)[1].endswith("in this one recording: other days may differ")
    assert "from day to day" in decide(MIXED, 1e-6, 1.0)[1]


def test_one_order_is_what_all_shared_pairs_keep() -> None:
    def stands(*days: str) -> bool:
        by_piece: dict[str, list[Observation]] = {}
        for number, day in enumerate(days):
            for row in plays(*day, recording=f"r{number}"):
                by_piece.setdefault(str(row.piece), []).append(row)
        return in_one_order(by_piece)

    assert stands("AB", "AB")
    assert not stands("AB", "BA")
    assert not stands("AB")
    assert not stands("ABC", "ACB")
    # A piece around another stands neither before nor after it.
    assert not stands("ABA", "ABA")
    assert stands("AABB", "AB")


def test_ratings_are_small_hints_in_the_direction_that_is_wanted() -> None:
    assert rated(Rating("A", 3), lower_is_better=True).value_db == 0.0
    low, high = rated(Rating("A", 5), lower_is_better=True), rated(Rating("A", 5), lower_is_better=False)
    assert (low.value_db, high.value_db) == (-0.6, 0.6)
    assert (low.known_sd, low.time_s, low.clean_s, low.muscle_db) == (0.6, 0.0, 60.0, None)
    for value in (0, 6):
        with pytest.raises(ParameterError, match="give 1 to 5"):
            rated(Rating("A", value), lower_is_better=True)


def seen(piece: str | None = "A", *, clean_s: float = 50.0, flags: tuple[str, ...] = ()) -> Observation | None:
    return observe(
        piece,
        "r1",
        onset_s=60.0,
        duration_s=90.0,
        clean_s=clean_s,
        db={"beta": 1.0, "gamma": 3.0},
        muscle_db=0.2,
        flags=flags,
        criterion="both",
    )


def test_a_play_stands_at_its_middle_and_without_clean_data_it_does_not_count() -> None:
    assert seen() == Observation("A", "r1", 105.0, 2.0, 0.2, 50.0)
    assert seen(clean_s=0.0) is None
    assert seen(clean_s=0.5) is not None
    assert seen(flags=("too-little-clean",)) is None
    # Too little silence to hold plays against: it is left out, plays are not.
    assert seen(None, flags=("no-silence-baseline",)) is None
    assert seen(flags=("no-silence-baseline",)) is not None
    assert combine({"beta": 1.0, "gamma": None}, "both") is None
    assert combine({"alpha": 4.0}, "alpha") == 4.0
    with pytest.raises(ParameterError, match="is no band"):
        combine({}, " beta")


@pytest.fixture(scope="module")
def apart() -> list[Observation]:
    """Three days of two pieces, two dB apart."""
    effect = {"A": -1.0, "B": 1.0}
    days = [plays(*("ABAB" if day % 2 else "BABA"), recording=f"r{day}") for day in range(3)]
    return [replace(row, value_db=effect[str(row.piece)] + 0.05 * n) for day in days for n, row in enumerate(day)]


def test_a_ranking_says_the_same_as_values_and_as_json(apart: list[Observation]) -> None:
    found = rank(apart, use_muscle=False)
    plain = found.as_dict()
    assert [piece["piece"] for piece in plain["pieces"]] == ["A", "B"]
    assert plain["music_by_recording_db"] == round(found.day_db[0], 3)
    assert plain["piece_by_recording_db"] == round(found.day_db[1], 3)
    assert plain["tau_db"] == round(found.tau_db, 3)
    assert plain["noise_db"] == round(found.noise_db, 3)
    assert plain["p_value"] == round(found.p_value, 4)
    assert (plain["recordings"], plain["plays"], plain["ratings"]) == (3, 12, 0)
    assert found.day_db[0] != found.day_db[1]
    mean, (low, high) = found.difference("B", "A")
    assert mean == pytest.approx(found.pieces[1].mean_db - found.pieces[0].mean_db, abs=0.05)
    assert low < mean < high
    draws = found.draws[:, 1] - found.draws[:, 0]
    assert (low, high) == pytest.approx(np.quantile(draws, [0.05, 0.95]))
    with pytest.raises(ParameterError, match="piece C is not in the ranking"):
        found.difference("A", "C")


def test_less_is_better_only_where_it_is_declared(apart: list[Observation]) -> None:
    turned = rank(apart, use_muscle=False, lower_is_better=False)
    assert [piece.piece for piece in turned.pieces] == ["B", "A"]
    assert turned.pieces[0].p_best > 0.9
    rng = np.random.default_rng(1)
    assert thompson(turned, ["A", "B", "B"], 5, explore=0.0, rng=rng) == ["B", "A"]
    for share in (-0.1, 1.1):
        with pytest.raises(ParameterError, match="give 0 to 1"):
            thompson(turned, ["A"], 1, explore=share, rng=rng)
    first = [thompson(turned, ["A", "B"], 1, explore=1.0, rng=rng)[0] for _ in range(60)]
    assert 15 < first.count("A") < 45
    assert thompson(turned, ["A", "B"], 0, explore=1.0, rng=rng) == []


def test_a_new_piece_is_expected_to_be_like_those_heard() -> None:
    alone = rank([replace(one, value_db=-3.0) for one in plays("A", "B", "B", "A", "A", "B")])
    assert abs(alone.new_draws.mean()) < 0.3
    silence = [Observation(None, "r1", 60.0 * n, 0.0, 0.0, 60.0) for n in (-1, 6)]
    beside = rank([*silence, *(replace(one, value_db=-3.0) for one in plays("A", "B", "B", "A", "A", "B"))])
    assert -4.0 < beside.new_draws.mean() < -1.5


@pytest.mark.parametrize("extra", [1, 2, 7, 60, 499])
@pytest.mark.parametrize("free", [1, 2, 7, 200, 100_000])
def test_the_tail_of_the_f_distribution_is_scipy_s(extra: int, free: int) -> None:
    values = np.concatenate([[0.0, 1.0, np.inf, np.nan], np.logspace(-6, 6, 25)])
    np.testing.assert_allclose(f_upper_tail(extra, free, values), fdtrc(extra, free, values), rtol=1e-9, atol=1e-300)
