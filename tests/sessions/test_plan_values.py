"""Small parts of planning on values that are written down here."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from sessions.errors import PlanError
from sessions.planning.arcs import ARCS, TargetCurve, mean_over, rms, value_at
from sessions.planning.calm_levels import LEAST_CALM, MOST_CALM, PAD_GAIN, REGISTER, TEMPO, VELOCITY_OFFSET, Knots
from sessions.planning.keys import fifths_between, fifths_of, parsed, related_keys
from sessions.planning.layout import best_layout
from sessions.planning.request import SessionRequest, usual_tempo
from tests.sessions.known_plans import FILE, lasts, plans


def test_knots_are_straight_between_and_level_beyond() -> None:
    knots = Knots(((0.5, 100.0), (0.9, 60.0), (1.0, 50.0)))
    assert [knots.at(calm) for calm in (0.0, 0.5, 0.6, 0.9, 0.95, 1.0, 2.0)] == pytest.approx(
        [100.0, 100.0, 90.0, 60.0, 55.0, 50.0, 50.0]
    )


@pytest.mark.parametrize("knots", [TEMPO, REGISTER, VELOCITY_OFFSET])
def test_calmer_music_is_no_faster_higher_or_harder(knots: Knots) -> None:
    values = [knots.at(calm) for calm in np.linspace(0.4, 1.0, 61)]
    assert all(b <= a for a, b in itertools.pairwise(values))
    assert len({round(value, 6) for value in values}) > 20
    assert PAD_GAIN.at(0.978) / PAD_GAIN.at(0.96) == pytest.approx(10 ** (3.7 / 20), rel=0.01)


def test_arcs_begin_and_end_where_they_say() -> None:
    for name, arc in ARCS.items():
        curve = TargetCurve.of(name)
        assert (curve.at(0.0), curve.at(1.0)) == pytest.approx((arc.start, arc.end))
    assert TargetCurve.of("calm").at(0.25) == pytest.approx(0.96 + 0.014 / 4)
    # A third of the way after three quarters of the time.
    sleep = TargetCurve.of("sleep")
    assert sleep.at(0.375) == pytest.approx(0.95 + 0.028 / 6)
    assert sleep.at(0.75) == pytest.approx(0.95 + 0.028 / 3)
    assert sleep.at(0.875) == pytest.approx(0.95 + 0.028 * 2 / 3)
    iso = TargetCurve.of("iso")
    assert iso.at(0.425) == pytest.approx((0.6 + 0.972) / 2)
    assert iso.at(0.85) == iso.at(0.9) == pytest.approx(0.972)


@pytest.mark.parametrize(("arousal", "start"), [(0.0, MOST_CALM), (0.3, 0.7), (1.0, LEAST_CALM)])
def test_an_arc_begins_at_what_is_left_of_arousal(arousal: float, start: float) -> None:
    curve = TargetCurve.of("iso", arousal)
    assert curve.start == pytest.approx(start)
    assert curve.end == max(start, ARCS["iso"].end)
    for wrong in (-0.01, 1.01, math.nan):
        with pytest.raises(PlanError, match="give 0 \\(calm\\) to 1"):
            TargetCurve.of("iso", wrong)


def test_a_curve_is_kept_as_points_and_read_between_them() -> None:
    points = TargetCurve.of("calm").between(100.0, 340.0)
    assert len(points) == 25
    assert (points[0], points[1][0], points[-1]) == ((100.0, 0.96), 110.0, (340.0, 0.974))
    line = ((10.0, 0.0), (20.0, 1.0), (20.0, 0.5), (30.0, 0.5))
    assert [value_at(line, at) for at in (0.0, 10.0, 15.0, 25.0, 99.0)] == [0.0, 0.0, 0.5, 0.5, 0.5]
    assert mean_over(((0.0, 0.0), (10.0, 1.0)), 2.0, 6.0) == pytest.approx(0.4)
    assert rms(((0.0, 0.5), (10.0, 0.5)), [(0.0, 2.0, 0.5), (2.0, 10.0, 0.7)]) == pytest.approx(0.2 * math.sqrt(0.8))
    assert rms(((0.0, 0.0), (10.0, 1.0)), [(0.0, 10.0, 0.0)]) == pytest.approx(math.sqrt(1 / 3), rel=1e-5)


def test_fifths() -> None:
    assert [fifths_of(tonic, "major") for tonic in (0, 7, 2, 5)] == [0, 1, 2, 11]
    assert fifths_of(9, "minor") == 0
    assert fifths_between((0, "major"), (5, "major")) == 1
    assert fifths_between((0, "major"), (6, "major")) == 6
    assert fifths_between((0, "major"), (4, "minor")) == 1
    assert (parsed("Am"), parsed("no key"), parsed(None)) == ((9, "minor"), None, None)


def test_keys_go_the_shorter_way_between_two_that_are_there() -> None:
    found = related_keys(["C", None, None, "A", None], np.random.default_rng(1))
    assert (found[0], found[3]) == ((0, "major"), (9, "major"))
    assert [fifths_of(*key) for key in found[:4]] == [0, 1, 2, 3]
    assert fifths_between(found[3], found[4]) == 1
    back = related_keys([None, "C", None, "Bb"], np.random.default_rng(2))
    assert [fifths_of(*key) for key in back[1:]] == [0, 11, 10]
    assert fifths_between(back[0], back[1]) == 1


def test_a_third_of_new_keys_is_minor_and_the_last_is_major() -> None:
    keys = related_keys([None] * 4000, np.random.default_rng(3))
    assert 0.27 < sum(mode == "minor" for _, mode in keys) / 4000 < 0.33
    assert keys[-1][1] == "major"
    assert all(fifths_between(one, two) == 1 for one, two in itertools.pairwise(keys))
    last = [related_keys([None] * 3, np.random.default_rng(seed))[-1][1] for seed in range(40)]
    assert set(last) == {"major"}


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("minutes", 1.0, 600.0),
        ("baseline_s", 0.0, 1800.0),
        ("repeats", 1, 20),
        ("gap_s", 1.0, 300.0),
        ("play_s", 60.0, 900.0),
    ],
)
def test_the_ends_of_a_range_are_in_it(name: str, low: float, high: float) -> None:
    for value in (low, high):
        assert getattr(SessionRequest(**{name: value}), name) == value
    for value in (low - 0.5, high + 0.5):
        with pytest.raises(PlanError, match=f"give {low:g} to {high:g}"):
            SessionRequest(**{name: value})


def test_gaps_are_fixed_where_pieces_are_compared() -> None:
    assert SessionRequest().fixed_gap_s is None
    assert SessionRequest(repeats=2).fixed_gap_s == 8.0
    assert SessionRequest(repeats=2, gap_s=20.0).fixed_gap_s == 20.0
    assert [SessionRequest(repeats=n, play_s=play).least_play_s for n, play in ((1, None), (2, None), (1, 90.0))] == [
        0.0,
        60.0,
        60.0,
    ]


def test_a_request_is_stored_without_what_was_left_open() -> None:
    assert SessionRequest().parameters == {
        "minutes": 24.0,
        "tempo": [54.0, 72.0],
        "key": "auto",
        "baseline_s": 0.0,
        "repeats": 1,
    }
    made = SessionRequest(
        key="Am", gap_s=9.0, play_s=80.0, arousal=0.2, metre="3/4", attributes={"density": (4.0, 8.0)}
    ).parameters
    assert {name: made[name] for name in ("key", "gap_s", "play_s", "from", "metre")} == {
        "key": "Am",
        "gap_s": 9.0,
        "play_s": 80.0,
        "from": 0.2,
        "metre": "3/4",
    }


def test_what_makes_the_time_short_is_said() -> None:
    assert SessionRequest().conditions == ""
    request = SessionRequest(baseline_s=30.0, repeats=2, play_s=90.0)
    assert request.conditions == "with a baseline of 30 s and 2 repeats and gaps of 8 s and plays of 90 s "


def test_the_usual_tempo_widens_with_the_arc() -> None:
    assert usual_tempo("calm") == (54.0, 72.0)
    assert usual_tempo("iso") == (54.0, 124.0)
    assert usual_tempo("calm", None, 90.0) == (48.0, 80.0)
    request = SessionRequest(arc="iso")
    shares = [request.tempo_share(place) for place in (0.0, 0.5, 1.0)]
    assert shares[0] == pytest.approx(1.0)
    assert shares[0] > shares[1] > shares[2] >= 0.0


def test_silences_cost_nothing_until_they_grow() -> None:
    """And so many pieces of two sections are laid out where that is their number."""
    one = best_layout(SessionRequest(minutes=24.0), 0.5, lasts, (), None, lambda count: [0.5] * count)
    assert one.cost.silence < 0.02
    assert (one.cost.alone, one.cost.play_length) == (0.0, 0.0)
    many = best_layout(SessionRequest(minutes=60.0), 0.5, lasts, (), 20, lambda count: [0.5] * count)
    assert 40 <= sum(many.sections) < 56


def test_known_requests_are_laid_out_as_before() -> None:
    assert plans() == FILE.read_text(encoding="utf-8").splitlines()
