from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.errors import PlanError
from sessions.planning.arcs import ARCS, TargetCurve
from sessions.planning.counterbalance import Design, williams
from sessions.planning.keys import fifths_between, related_keys
from sessions.planning.plan import (
    DEFAULT_TEMPO,
    FORMS,
    SHORT_TEMPO,
    TOLERANCE,
    HeldPiece,
    PlannedItem,
    PlannedPiece,
    SessionPlan,
    SessionRequest,
    plan_session,
    usual_tempo,
)
from therapy_gen.errors import InputError
from therapy_gen.music.arranging.arrange import duration_of


def plan(seed: int = 1, **requested: object) -> SessionPlan:
    return plan_session(SessionRequest(**requested), np.random.default_rng(seed), duration_of)  # type: ignore[arg-type]


def gaps(made: SessionPlan) -> list[PlannedItem]:
    """The silences between two pieces."""
    music = [n for n, item in enumerate(made.items) if item.role == "music"]
    return [item for item in made.items[music[0] : music[-1]] if item.role == "silence"]


def assert_whole(made: SessionPlan, request: SessionRequest) -> None:
    """The timeline has no holes, every piece its true length, and the sum is what was requested."""
    moment = 0.0
    for item in made.items:
        assert item.onset_s == pytest.approx(moment, abs=1e-6)
        assert item.duration_s > 0
        moment += item.duration_s
        assert (item.role == "music") == (item.piece is not None)
        if item.piece is not None:
            piece = made.pieces[item.piece]
            assert isinstance(piece, PlannedPiece)
            assert item.duration_s >= (60.0 if request.repeats > 1 else 0.0)
            assert item.duration_s == pytest.approx(duration_of(len(piece.form), piece.tempo), abs=1e-3)
    assert made.duration_s == pytest.approx(moment, abs=1e-6)
    assert abs(made.duration_s - 60 * request.minutes) <= TOLERANCE * 60 * request.minutes
    heard = [item.piece for item in made.items if item.piece is not None]
    assert sorted(set(heard)) == list(range(len(made.pieces)))
    assert all(heard.count(piece) == request.repeats for piece in set(heard))
    for piece in made.composed():
        short = request.tempo == DEFAULT_TEMPO and len(heard) == 1 and request.minutes < 1.2
        assert request.tempo[0] <= piece.tempo <= (SHORT_TEMPO if short else request.tempo)[1]
        assert piece.form in FORMS[len(piece.form)]
    # No two silences, and no two pieces without a silence between them.
    roles = [item.role for item in made.items]
    assert all(a != b for a, b in pairwise(roles))
    if request.repeats > 1:
        assert {item.duration_s for item in gaps(made)} <= {8.0}


@given(
    minutes=st.floats(1.0, 180.0),
    arc=st.sampled_from(sorted(ARCS)),
    seed=st.integers(0, 2**63 - 1),
)
@settings(max_examples=25)
def test_any_minutes_are_filled(minutes: float, arc: str, seed: int) -> None:
    request = SessionRequest(minutes=minutes, arc=arc)
    assert_whole(plan_session(request, np.random.default_rng(seed), duration_of), request)


@given(
    minutes=st.floats(1.0, 180.0),
    arc=st.sampled_from(sorted(ARCS)),
    low=st.floats(30.0, 140.0),
    width=st.floats(0.0, 60.0),
    baseline=st.floats(0.0, 600.0),
    repeats=st.integers(1, 20),
    seed=st.integers(0, 1000),
)
@settings(max_examples=50)
def test_any_request_is_met_or_refused_in_words(
    minutes: float, arc: str, low: float, width: float, baseline: float, repeats: int, seed: int
) -> None:
    request = SessionRequest(
        minutes=minutes, arc=arc, tempo=(low, min(low + width, 140.0)), baseline_s=baseline, repeats=repeats
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
    # A steep arc has more, shorter pieces.
    assert all((2 if arc == "iso" else 3) <= len(piece.form) <= 5 for piece in made.composed())
    silences = [item.duration_s for item in made.items if item.role == "silence"]
    assert all(6.0 <= length <= 10.0 for length in silences)


@pytest.mark.parametrize("tempo", [54.0, 60.0, 66.6])
def test_a_single_tempo_is_kept(tempo: float) -> None:
    made = plan(minutes=24.0, tempo=(tempo, tempo))
    assert {piece.tempo for piece in made.composed()} == {tempo}


def test_arcs_move_the_tempo() -> None:
    for seed in range(5):
        calm, iso, flat = (
            [p.tempo for p in plan(seed, minutes=36.0, arc=arc, tempo=usual_tempo(arc)).composed()]
            for arc in ("calm", "iso", "flat")
        )
        assert calm == sorted(calm, reverse=True)
        assert calm[0] > calm[-1]
        assert iso == sorted(iso, reverse=True)
        assert iso[0] - iso[-1] > calm[0] - calm[-1]
        assert len(set(flat)) == 1
        # Calmer means slower, step by step.
        assert max(a - b for a, b in pairwise(iso)) < 45.0


def test_a_key_asked_for_is_that_of_all_pieces_and_auto_walks_near() -> None:
    assert {(piece.tonic, piece.mode) for piece in plan(key="F#m").composed()} == {(6, "minor")}
    modes = []
    for seed in range(10):
        keys = [(piece.tonic, piece.mode) for piece in plan(seed, minutes=60.0).composed()]
        assert {fifths_between(a, b) for a, b in pairwise(keys)} == {1}
        assert keys[-1][1] == "major"
        modes += [mode for _, mode in keys]
    # Of real calm music a third is in minor.
    assert 0.15 < modes.count("minor") / len(modes) < 0.4


def test_repeats_are_balanced_over_time() -> None:
    made = plan(minutes=36.0, repeats=2, baseline_s=60.0)
    assert len(made.pieces) >= 2
    middles = {
        piece: np.mean([i.onset_s + i.duration_s / 2 for i in made.items if i.piece == piece])
        for piece in range(len(made.pieces))
    }
    # Two rounds that mirror each other around the middle of the music.
    assert max(middles.values()) - min(middles.values()) < 0.1


def test_keys_lead_from_one_piece_that_is_there_to_the_next() -> None:
    for seed in range(10):
        keys = related_keys([None, "C major", None, None, "A major", None, "F minor"], np.random.default_rng(seed))
        assert (keys[1], keys[4], keys[6]) == ((0, "major"), (9, "major"), (5, "minor"))
        steps = [fifths_between(a, b) for a, b in pairwise(keys)]
        # C, G, D, A; and from A over what lies between to F minor, relative of A flat, five fifths away.
        assert steps[:4] == [1, 1, 1, 1]
        assert steps[4] + steps[5] == 5


def held(count: int, calm: float = 0.95) -> list[HeldPiece]:
    return [HeldPiece(f"01M876XMX8{n:016d}", 100.0 + n, calm - 0.01 * n, "C major") for n in range(count)]


def test_pieces_that_are_there_stand_where_the_arc_is_as_calm() -> None:
    request = SessionRequest(minutes=24.0, arc="iso", arousal=0.4, tempo=usual_tempo("iso", 0.4))
    pieces = [HeldPiece(f"{calm:.2f}", 250.0, calm, "C major") for calm in (0.96, 0.65, 0.85)]
    made = plan_session(request, np.random.default_rng(1), duration_of, held=pieces, new=2)
    heard = [(place, piece.calm) for place, piece in enumerate(made.pieces) if isinstance(piece, HeldPiece)]
    assert [calm for _, calm in heard] == [0.65, 0.85, 0.96]
    for place, calm in heard:
        assert calm == pytest.approx(TargetCurve.of("iso", 0.4).at((place + 0.5) / len(made.pieces)), abs=0.12)


@pytest.mark.parametrize(("pieces", "repeats", "sessions"), [(4, 2, 2), (3, 2, 3), (5, 5, 2), (4, 4, 3)])
def test_over_a_listeners_sessions_order_and_carry_over_cancel(pieces: int, repeats: int, sessions: int) -> None:
    """Each piece as often at each place of a round, and as often right after each other piece."""
    library = held(pieces)
    minutes = (repeats * sum(piece.duration_s + 8.0 for piece in library) - 8.0) / 60.0
    request = SessionRequest(minutes=minutes, repeats=repeats)
    designs: list[Design] = []
    places: Counter[tuple[int, str]] = Counter()
    neighbours: Counter[tuple[str, str]] = Counter()
    for number in range(sessions):
        rng = np.random.default_rng(number)
        made = plan_session(request, rng, duration_of, held=library[::-1], new=0, designs=designs)
        names = [piece.id for piece in made.pieces if isinstance(piece, HeldPiece)]
        order = [names[item.piece] for item in made.items if item.piece is not None]
        for start in range(0, len(order), pieces):
            heard = order[start : start + pieces]
            places.update(enumerate(heard))
            neighbours.update(pairwise(heard))
        numbers = tuple(names[piece] for piece in made.numbers)
        designs = [Design(numbers, (*(designs[0].used if designs else ()), *made.rows))]
        library = library[1:] + library[:1]
    assert repeats * sessions % len(williams(pieces)) == 0
    assert set(places.values()) == {repeats * sessions // pieces}
    assert len(neighbours) == pieces * (pieces - 1)
    assert len(set(neighbours.values())) == 1


def test_gaps_and_plays_are_as_long_as_asked_for() -> None:
    for seed in range(5):
        made = plan(
            seed,
            minutes=30.0,
            repeats=3,
            baseline_s=60.0,
            gap_s=12.5,
            play_s=90.0,
            tempo=usual_tempo("calm", None, 90.0),
        )
        assert {item.duration_s for item in gaps(made)} == {12.5}
        plays = [item.duration_s for item in made.items if item.role == "music"]
        assert len(made.pieces) >= 4
        assert min(plays) >= 60.0
        assert np.mean(plays) == pytest.approx(90.0, rel=0.15)


def test_the_same_seed_gives_the_same_plan() -> None:
    assert plan(7) == plan(7)
    assert plan(7) != plan(8)


@pytest.mark.parametrize(
    ("requested", "said"),
    [
        ({"minutes": 0.0}, r"minutes 0 is out of range; give 1 to 600"),
        ({"minutes": -5.0}, r"minutes -5 "),
        ({"minutes": math.nan}, r"minutes nan "),
        ({"minutes": math.inf}, r"minutes inf "),
        ({"minutes": 10_000.0}, r"minutes 10000 .* 1 to 600"),
        ({"arc": "wild"}, r"arc 'wild' .* calm, iso, sleep, flat"),
        ({"key": "H"}, r"key 'H'"),
        ({"tempo": (68.0, 54.0)}, r"tempo 68:54 is upside down; give the slower one first"),
        ({"tempo": (5.0, 54.0)}, r"tempo 5 .* 30 to 140 BPM"),
        ({"tempo": (54.0, math.nan)}, r"tempo nan"),
        ({"baseline_s": -1.0}, r"baseline -1"),
        ({"baseline_s": math.nan}, r"baseline nan"),
        ({"repeats": 0}, r"repeats 0"),
        ({"gap_s": 0.5}, r"gap 0.5 .* 1 to 300 seconds"),
        ({"play_s": 59.0}, r"play length 59 .* 60 to 900 seconds"),
        ({"play_s": math.nan}, r"play length nan"),
        ({"repeats": 21}, r"repeats 21 .* 1 to 20"),
    ],
)
def test_values_out_of_range_are_refused(requested: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        SessionRequest(**requested)  # type: ignore[arg-type]


def test_a_baseline_that_leaves_no_time_is_refused() -> None:
    with pytest.raises(PlanError, match=r"baseline of 60 s .* 0 s for music"):
        plan(minutes=2.0, baseline_s=60.0)


@pytest.mark.parametrize("minutes", [3.0, 6.0, 9.0])
def test_a_short_arc_that_leads_down_slows_down(minutes: float) -> None:
    made = plan(minutes=minutes, arc="iso", tempo=usual_tempo("iso"))
    tempi = [piece.tempo for piece in made.composed()]
    assert len(tempi) > 1
    assert tempi[-1] < 0.75 * tempi[0]


def test_what_gaps_of_one_length_leave_over_is_no_silence_of_a_moment() -> None:
    made = plan(minutes=12.0, gap_s=300.0)
    assert min(item.duration_s for item in made.items if item.role == "silence") >= 1.0


def test_plays_are_about_as_long_as_asked_for() -> None:
    made = plan(minutes=45.0, play_s=400.0, tempo=usual_tempo("calm", None, 400.0))
    lengths = [item.duration_s for item in made.items if item.role == "music"]
    assert sum(lengths) / len(lengths) == pytest.approx(400.0, rel=0.1)
