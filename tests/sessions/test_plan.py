from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.errors import PlanError
from sessions.plan import ARCS, DEFAULT_TEMPO, FORMS, SHORT_TEMPO, TOLERANCE, Plan, SessionRequest, plan_session
from therapy_gen.errors import InputError
from therapy_gen.music.arrangement import duration_of


def plan(seed: int = 1, **asked: object) -> Plan:
    return plan_session(SessionRequest(**asked), np.random.default_rng(seed), duration_of)  # type: ignore[arg-type]


def assert_whole(made: Plan, request: SessionRequest) -> None:
    """The timeline has no holes, every piece its true length, and the sum is what was asked."""
    moment = 0.0
    for item in made.items:
        assert item.onset_s == pytest.approx(moment, abs=1e-6)
        assert item.duration_s > 0
        moment += item.duration_s
        assert (item.role == "music") == (item.piece is not None)
        if item.piece is not None:
            piece = made.pieces[item.piece]
            assert item.duration_s == pytest.approx(duration_of(len(piece.form), piece.tempo), abs=1e-3)
    assert made.duration_s == pytest.approx(moment, abs=1e-6)
    assert abs(made.duration_s - 60 * request.minutes) <= TOLERANCE * 60 * request.minutes
    heard = [item.piece for item in made.items if item.piece is not None]
    assert sorted(set(heard)) == list(range(len(made.pieces)))
    assert all(heard.count(piece) == request.repeats for piece in set(heard))
    for piece in made.pieces:
        short = request.tempo == DEFAULT_TEMPO and len(heard) == 1 and request.minutes < 1.2
        assert request.tempo[0] <= piece.tempo <= (SHORT_TEMPO if short else request.tempo)[1]
        assert piece.form in FORMS[len(piece.form)]
    # No two silences, and no two pieces without a silence between them.
    roles = [item.role for item in made.items]
    assert all(a != b for a, b in pairwise(roles))


@given(
    minutes=st.floats(1.0, 180.0),
    arc=st.sampled_from(sorted(ARCS)),
    seed=st.integers(0, 2**63 - 1),
)
@settings(max_examples=100)
def test_any_minutes_are_filled(minutes: float, arc: str, seed: int) -> None:
    request = SessionRequest(minutes=minutes, arc=arc)
    assert_whole(plan_session(request, np.random.default_rng(seed), duration_of), request)


@given(
    minutes=st.floats(1.0, 180.0),
    arc=st.sampled_from(sorted(ARCS)),
    low=st.floats(30.0, 120.0),
    width=st.floats(0.0, 60.0),
    baseline=st.floats(0.0, 600.0),
    repeats=st.integers(1, 20),
    seed=st.integers(0, 1000),
)
@settings(max_examples=150)
def test_any_request_is_met_or_refused_in_words(
    minutes: float, arc: str, low: float, width: float, baseline: float, repeats: int, seed: int
) -> None:
    request = SessionRequest(
        minutes=minutes, arc=arc, tempo=(low, min(low + width, 120.0)), baseline_s=baseline, repeats=repeats
    )
    try:
        made = plan_session(request, np.random.default_rng(seed), duration_of)
    except PlanError as error:
        refusal = str(error)
    else:
        refusal = ""
        assert_whole(made, request)
    if refusal:
        assert "; give " in refusal
        return
    if round(1000 * baseline):
        for item in (made.items[0], made.items[-1]):
            assert item.role == "silence"
            assert item.duration_s >= baseline - 1e-3
        assert made.items[0].duration_s == pytest.approx(baseline, abs=1e-3)


@pytest.mark.parametrize("minutes", [12, 24, 36])
@pytest.mark.parametrize("arc", sorted(ARCS))
def test_usual_sessions_are_exact_with_pieces_of_three_to_five_sections(minutes: int, arc: str) -> None:
    made = plan(minutes=float(minutes), arc=arc)
    assert made.duration_s == 60 * minutes
    assert all(3 <= len(piece.form) <= 5 for piece in made.pieces)
    silences = [item.duration_s for item in made.items if item.role == "silence"]
    assert all(6.0 <= length <= 10.0 for length in silences)


@pytest.mark.parametrize("tempo", [54.0, 60.0, 66.6])
def test_a_single_tempo_is_kept(tempo: float) -> None:
    made = plan(minutes=24.0, tempo=(tempo, tempo))
    assert {piece.tempo for piece in made.pieces} == {tempo}


def test_arcs_move_the_tempo() -> None:
    for seed in range(5):
        calm, iso, flat = (
            [p.tempo for p in plan(seed, minutes=36.0, arc=arc).pieces] for arc in ("calm", "iso", "flat")
        )
        assert calm == sorted(calm, reverse=True)
        assert calm[0] > calm[-1]
        assert iso == sorted(iso, reverse=True)
        assert iso[0] - iso[-1] > calm[0] - calm[-1]
        assert len(set(flat)) == 1


def test_a_key_asked_for_is_that_of_all_pieces_and_auto_walks_near() -> None:
    assert {(piece.tonic, piece.mode) for piece in plan(key="F#m").pieces} == {(6, "minor")}
    for seed in range(10):
        keys = [(piece.tonic, piece.mode) for piece in plan(seed, minutes=60.0).pieces]
        assert {mode for _, mode in keys} == {"major"}
        assert {(b - a) % 12 for (a, _), (b, _) in pairwise(keys)} <= {5, 7}


def test_repeats_are_balanced_over_time() -> None:
    made = plan(minutes=36.0, repeats=2, baseline_s=60.0)
    assert len(made.pieces) >= 2
    middles = {
        piece: np.mean([i.onset_s + i.duration_s / 2 for i in made.items if i.piece == piece])
        for piece in range(len(made.pieces))
    }
    # Two rounds that mirror each other around the middle of the music.
    assert max(middles.values()) - min(middles.values()) < 0.1


def test_the_same_seed_gives_the_same_plan() -> None:
    assert plan(7) == plan(7)
    assert plan(7) != plan(8)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"minutes": 0.0}, r"minutes 0 is out of range; give 1 to 180"),
        ({"minutes": -5.0}, r"minutes -5 "),
        ({"minutes": math.nan}, r"minutes nan "),
        ({"minutes": math.inf}, r"minutes inf "),
        ({"minutes": 10_000.0}, r"minutes 10000 .* 1 to 180"),
        ({"arc": "wild"}, r"arc 'wild' .* calm, iso, flat"),
        ({"key": "H"}, r"key 'H'"),
        ({"tempo": (68.0, 54.0)}, r"slower one first"),
        ({"tempo": (5.0, 54.0)}, r"tempo 5 .* 30 to 120 BPM"),
        ({"tempo": (54.0, math.nan)}, r"tempo nan"),
        ({"baseline_s": -1.0}, r"baseline -1"),
        ({"baseline_s": math.nan}, r"baseline nan"),
        ({"repeats": 0}, r"repeats 0"),
        ({"repeats": 21}, r"repeats 21 .* 1 to 20"),
    ],
)
def test_values_out_of_range_are_refused(asked: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        SessionRequest(**asked)  # type: ignore[arg-type]


def test_a_baseline_that_leaves_no_time_is_refused() -> None:
    with pytest.raises(PlanError, match=r"baseline of 60 s .* 0 s for music"):
        plan(minutes=2.0, baseline_s=60.0)
