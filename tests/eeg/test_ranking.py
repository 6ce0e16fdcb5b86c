"""The ranking: true effects come back, nothing is claimed where there is nothing, intervals are honest."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy.stats import f_oneway, kendalltau

from eeg.errors import ParameterError, TooLittleDataError
from eeg.ranking.design import TIME_SD, make_design, make_grid
from eeg.ranking.fit import f_test, fit
from eeg.ranking.mixed_model import CURVE_SD, FLAT_SD, Axis, MixedModel, ParameterGrid
from eeg.ranking.observations import Observation, Rating, combine
from eeg.ranking.rank import rank
from eeg.ranking.ranked_pieces import Ranking, RatedPiece
from eeg.ranking.thompson import thompson


def listener(
    rng: np.random.Generator,
    effects: Sequence[float],
    *,
    plays: int = 4,
    recordings: int = 1,
    silences: int = 6,
    sampling: float = 0.3,
    drift: float = 0.15,
    trend: float = 0.0,
    muscle: Sequence[float] | None = None,
    muscle_to_band: float = 0.0,
    mixed: bool = True,
) -> list[Observation]:
    """Draw what a listener's recordings give: plays of 60 s with noise that drifts, silence before and after."""
    data = []
    for recording in range(recordings):
        rounds = [rng.permutation(len(effects)) if mixed else np.arange(len(effects)) for _ in range(plays)]
        order = list(np.concatenate(rounds)) if mixed else list(np.repeat(np.arange(len(effects)), plays))
        labels: list[int | None] = (
            [None] * (silences // 2) + [int(i) for i in order] + [None] * (silences - silences // 2)
        )
        times = 30.0 + 60.0 * np.arange(len(labels))
        covariance = drift**2 * np.exp(-np.abs(times[:, None] - times) / 200) + sampling**2 * np.eye(len(times))
        noise = np.linalg.cholesky(covariance) @ rng.standard_normal(len(times))
        emg = 0.3 * rng.standard_normal(len(times))
        if muscle is not None:
            emg += [0.0 if i is None else muscle[i] for i in labels]
        level = np.array([0.0 if i is None else effects[i] for i in labels])
        y = level + noise + trend * np.linspace(-1, 1, len(times)) + muscle_to_band * emg
        silent = [i for i, label in enumerate(labels) if label is None]
        y -= y[silent].mean() if silent else y.mean()
        data += [
            Observation(None if i is None else f"p{i}", f"r{recording}", t, float(v), float(m), 56.0)
            for i, t, v, m in zip(labels, times, y, emg, strict=True)
        ]
    return data


# One recording as it is: what other days would say stands apart (`test_one_recording_...`).
today = partial(rank, other_days=False)


def tau(ranking: Ranking) -> float:
    return float(kendalltau([p.rank for p in ranking.pieces], [int(p.piece[1:]) for p in ranking.pieces])[0])


def rated(ranking: Ranking) -> tuple[RatedPiece, ...]:
    assert ranking.with_ratings is not None
    return ranking.with_ratings.pieces


def covers(ranking: Ranking, effects: Sequence[float]) -> float:
    return float(np.mean([p.ci90_db[0] <= effects[int(p.piece[1:])] <= p.ci90_db[1] for p in ranking.pieces]))


def test_large_effects_come_back_in_order() -> None:
    effects = np.linspace(-2, 0, 5)
    rankings = [today(listener(np.random.default_rng(i), effects)) for i in range(12)]
    assert np.mean([tau(ranking) for ranking in rankings]) >= 0.8
    assert all(ranking.reliable_order for ranking in rankings)
    first = rankings[0].pieces[0]
    assert first.piece == "p0"
    assert first.mean_db == pytest.approx(-2, abs=0.6)
    assert 0.5 < first.p_best <= 1
    assert first.expected_rank < 2


@pytest.mark.parametrize("size", [0.0, 0.5, 1.0, 2.0])
def test_intervals_are_honest(size: float) -> None:
    effects = np.linspace(-size, 0, 4)
    found = [covers(today(listener(np.random.default_rng(i), effects, silences=8)), effects) for i in range(40)]
    # 40 listeners whose intervals hang together by their silence: two standard errors are about 7 %.
    assert 0.82 <= np.mean(found) <= 0.99


def test_equal_pieces_are_rarely_called_different() -> None:
    claims = [today(listener(np.random.default_rng(i), [0.0] * 5)).reliable_order for i in range(60)]
    assert np.mean(claims) <= 0.1  # 2.5 % nominal, 6 of 60 has probability under 1 %


def test_a_trend_over_the_session_is_not_a_piece() -> None:
    rankings = [today(listener(np.random.default_rng(i), [0.0] * 4, trend=1.5)) for i in range(20)]
    assert sum(ranking.reliable_order for ranking in rankings) <= 2
    assert np.mean([covers(ranking, [0.0] * 4) for ranking in rankings]) > 0.8


def test_unmixed_plays_never_give_a_reliable_order() -> None:
    ranking = rank(listener(np.random.default_rng(0), [-3.0, 0.0, 3.0], mixed=False))
    assert not ranking.reliable_order
    assert "mix them" in ranking.reason


def test_one_play_of_each_is_not_enough() -> None:
    ranking = rank(listener(np.random.default_rng(0), [-3.0, 0.0, 3.0], plays=1))
    assert not ranking.reliable_order
    assert all("one-play" in piece.flags for piece in ranking.pieces)
    assert ranking.pieces[0].piece == "p0"


def test_the_order_does_not_follow_muscle() -> None:
    """Muscle reaches the band with 0.6 dB per dB and differs between pieces; the pieces themselves are equal."""
    muscle = [0.0, 1.0, 2.0, 3.0]
    with_it, without = [], []
    for i in range(20):
        data = listener(np.random.default_rng(i), [0.0] * 4, muscle=muscle, muscle_to_band=0.6)
        with_it.append(today(data))
        without.append(today(data, use_muscle=False))
    assert np.mean([tau(r) for r in without]) > 0.9, "the trap is not set"
    assert abs(np.mean([tau(r) for r in with_it])) < 0.45
    assert sum(r.reliable_order for r in with_it) <= 2
    assert np.mean([covers(r, [0.0] * 4) for r in with_it]) > 0.85


def test_recordings_add_up() -> None:
    effects = [-0.8, -0.4, 0.0]
    rng = np.random.default_rng(4)
    data = listener(rng, effects, recordings=4)
    one = [row for row in data if row.recording == "r0"]
    assert rank(data).pieces[0].sd_db < 0.75 * rank(one).pieces[0].sd_db
    assert rank(data).recordings == 4
    assert rank(data).reliable_order


def test_shrinks_more_where_there_are_fewer_plays() -> None:
    rng = np.random.default_rng(1)
    data = listener(rng, [-1.0, 0.0, 0.0, 0.0, 0.0])
    few = [row for row in data if row.piece != "p0"] + [row for row in data if row.piece == "p0"][:1]
    many = {p.piece: p for p in today(data).pieces}["p0"]
    one = {p.piece: p for p in today(few).pieces}["p0"]
    assert one.sd_db > many.sd_db


def test_direction_is_declared() -> None:
    data = listener(np.random.default_rng(0), [-2.0, 0.0, 2.0])
    down, up = rank(data), rank(data, lower_is_better=False)
    assert [p.piece for p in down.pieces] == ["p0", "p1", "p2"]
    assert [p.piece for p in up.pieces] == ["p2", "p1", "p0"]
    assert combine({"beta": 1.0, "gamma": 3.0}, "both") == 2.0
    assert combine({"beta": 1.0, "gamma": None}, "both") is None
    with pytest.raises(ParameterError):
        rank(data, criterion="")


def test_same_data_same_ranking_and_plain_json() -> None:
    data = listener(np.random.default_rng(0), [-1.0, 0.0])
    one, two = rank(data), rank(list(reversed(data)))
    document = json.loads(json.dumps(one.as_dict()))
    assert document["pieces"][0].keys() >= {
        "piece", "rank", "expected_rank", "mean_db", "ci90_db", "p_best", "plays", "clean_s"
    }  # fmt: skip
    assert one.pieces[0].mean_db == pytest.approx(two.pieces[0].mean_db, abs=1e-9)
    assert sum(piece.p_best for piece in one.pieces) == pytest.approx(1.0)


def test_difference_of_two_pieces() -> None:
    ranking = today(listener(np.random.default_rng(0), [-2.0, 0.0, 0.0]))
    mean, (low, high) = ranking.difference("p0", "p2")
    assert low < -2 < high
    assert mean == pytest.approx(-2, abs=0.7)
    with pytest.raises(ParameterError):
        ranking.difference("p0", "nobody")


def test_nothing_to_rank() -> None:
    with pytest.raises(TooLittleDataError):
        rank([Observation(None, "r", 0.0, 0.0, None, 30.0)])
    with pytest.raises(ParameterError, match="no numbers"):
        rank([Observation("a", "r", 0.0, float("nan"), None, 30.0)])
    alone = rank([Observation("a", "r", 0.0, -1.0, None, 30.0)])
    assert not alone.reliable_order
    assert alone.pieces[0].p_best == 1.0


def dense_posterior(
    data: Sequence[Observation], names: Sequence[str], noise: Sequence[float], tau: float
) -> tuple[float, np.ndarray]:
    """Return the log marginal likelihood (but for a constant) and the mean of the pieces, all plays in one matrix."""
    sampling, drift, memory, music_day, piece_day = noise
    recordings = sorted({row.recording for row in data})
    n = len(data)
    time = np.array([row.time_s for row in data])
    music = np.array([float(row.piece is not None) for row in data])
    same = np.array([[a.recording == b.recording for b in data] for a in data])
    piece = np.array([[a.piece == b.piece and a.piece is not None for b in data] for a in data])
    cov = same * drift**2 * np.exp(-np.abs(time[:, None] - time) / memory)
    cov += same * (music_day**2 * np.outer(music, music) + piece_day**2 * piece)
    muscle = np.zeros(n)
    for name in recordings:
        rows = np.array([i for i, row in enumerate(data) if row.recording == name])
        span = time[rows]
        trend = np.zeros(n)
        trend[rows] = (span - (span.max() + span.min()) / 2) / (np.ptp(span) / 2)
        cov += CURVE_SD**2 * np.outer(trend**2, trend**2)
        cov += TIME_SD**2 * np.outer(trend, trend) + FLAT_SD**2 * np.outer(trend != 9, trend != 9) * same * np.outer(
            np.isin(np.arange(n), rows), np.isin(np.arange(n), rows)
        )
        values = np.array([data[i].muscle_db for i in rows], dtype=float)
        muscle[rows] = values - values.mean()
        unusual = values - np.median(values)
        cov[rows, rows] += [sampling**2 * 60 / data[i].clean_s * (1 + m**2) for i, m in zip(rows, unusual, strict=True)]
    pieces = np.array([[float(row.piece == name) for name in names] for row in data])
    columns = np.column_stack([pieces, muscle, music])
    prior = np.diag(np.r_[np.full(len(names), tau), 0.7, FLAT_SD] ** 2)
    total = cov + columns @ prior @ columns.T
    y = np.array([row.value_db for row in data])
    solved = np.linalg.solve(total, y)
    mean = prior @ columns.T @ solved
    return -0.5 * (np.linalg.slogdet(total)[1] + y @ solved), mean


def test_recording_by_recording_is_the_same_as_all_at_once() -> None:
    data = listener(np.random.default_rng(5), [-0.5, 0.0, 0.3], plays=2, recordings=3, silences=4)
    data = sorted(data, key=lambda row: (row.recording, row.time_s))[:-2]  # recordings of two sizes
    names = ["p0", "p1", "p2"]
    design, _, _ = make_design(data, (), names, use_muscle=True)
    grid = make_grid(3, has_mean=True)
    model = MixedModel(design, grid)
    at = [(2, 1, 0, 0, 0), (4, 3, 1, 2, 4), (8, 5, 0, 5, 1)]
    points = model.points(np.array(at), TIME_SD)
    dense, fast = [], []
    for one, point in zip(at, points, strict=True):
        noise = [float(axis.values[i]) for axis, i in zip(grid.axes, one, strict=True)]
        priors = sum(float(axis.log_prior[i]) for axis, i in zip(grid.axes, one, strict=True))
        for t in (3, 10):
            value, mean = dense_posterior(data, names, noise, float(grid.tau.values[t]))
            dense.append(value)
            fast.append(point.logs[t] - grid.tau.log_prior[t] - priors)
            assert point.mean(grid.tau.values[[t]], np.ones(1)) == pytest.approx(mean, abs=1e-6)
    assert np.diff(fast) == pytest.approx(np.diff(dense), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_the_search_finds_every_point_that_matters(seed: int) -> None:
    data = listener(np.random.default_rng(seed), [-0.5, 0.0, 0.3], plays=2, recordings=4)
    design, _, _ = make_design(data, (), ["p0", "p1", "p2"], use_muscle=True)
    model = MixedModel(design, make_grid(4, has_mean=True))
    found, all_of_it = fit(model, TIME_SD), fit(model, TIME_SD, everywhere=True)
    assert found.mean() == pytest.approx(all_of_it.mean(), abs=1e-6)
    assert len(found.points) == len(all_of_it.points)


def test_f_test_is_anova_where_noise_is_independent() -> None:
    rng = np.random.default_rng(0)
    y = rng.standard_normal(24) + np.repeat([0.0, 0.5, 1.0, 0.0], 6)
    data = [Observation(f"p{i // 6}", f"r{i}", 0.0, float(v), None, 60.0) for i, v in enumerate(y)]
    one = [replace(row, recording="r") for row in data]  # all at one time: no trend, one level
    design, _, _ = make_design(one, (), ["p0", "p1", "p2", "p3"], use_muscle=False)
    alone = Axis(np.zeros(1), np.zeros(1))
    noise = Axis(np.array([0.3]), np.zeros(1))
    grid = ParameterGrid(noise, alone, Axis(np.array([60.0]), np.zeros(1)), alone, alone, noise)
    model = MixedModel(design, grid)
    p = f_test(model, fit(model, TIME_SD))
    assert p == pytest.approx(f_oneway(*y.reshape(4, 6)).pvalue, rel=1e-4)


def test_thompson_prefers_the_best_and_explores() -> None:
    ranking = today(listener(np.random.default_rng(0), [-2.0, -1.0, 0.0, 1.0]))
    rng = np.random.default_rng(0)
    names = [f"p{i}" for i in range(4)]
    greedy = [thompson(ranking, names, 1, explore=0.0, rng=rng)[0] for _ in range(200)]
    assert greedy.count("p0") > 180
    open_minded = [thompson(ranking, names, 1, explore=1.0, rng=rng)[0] for _ in range(200)]
    assert all(open_minded.count(name) > 25 for name in names)
    with_new = [thompson(ranking, [*names, "new"], 1, explore=0.0, rng=rng)[0] for _ in range(200)]
    assert 0 < with_new.count("new") < 100
    assert sorted(thompson(ranking, names, 9, rng=rng)) == names
    assert thompson(ranking, [], 3, rng=rng) == []
    with pytest.raises(ParameterError):
        thompson(ranking, names, 1, explore=2.0, rng=rng)


def test_ratings_move_pieces_a_little_and_never_make_an_order_reliable() -> None:
    data = listener(np.random.default_rng(1), [0.0, 0.0, 0.0, 0.0])
    plain = rank(data)
    liked = rank(data, [Rating("p2", 5), Rating("p1", 1)])
    levels = {piece.piece: piece.mean_db for piece in plain.pieces}
    assert {piece.piece: piece.mean_db for piece in liked.pieces} == levels
    moved = {piece.piece: piece.level_db - levels[piece.piece] for piece in rated(liked)}
    assert -0.3 < moved["p2"] < -0.005 < 0.005 < moved["p1"] < 0.3
    higher = rank(data, [Rating("p2", 5), Rating("p1", 1)], lower_is_better=False)
    assert {piece.piece: piece.level_db for piece in rated(higher)}["p2"] > levels["p2"]
    much = rank(data, [Rating("p2", 5), Rating("p1", 1)] * 20)
    assert not plain.reliable_order
    assert not much.reliable_order
    assert much.p_value == plain.p_value
    assert rated(much)[0].piece == "p2"
    assert rated(much)[0].ratings == 20
    assert (much.plays, much.ratings) == (plain.plays, 40)


def test_a_rating_weighs_less_than_a_play_that_says_as_much() -> None:
    by_play, by_rating = [], []
    for seed in range(2, 6):
        data = listener(np.random.default_rng(seed), [0.0, 0.0, 0.0])
        level = {piece.piece: piece.mean_db for piece in today(data).pieces}["p0"]
        more = today([*data, Observation("p0", "r0", 500.0, level - 0.6, 0.0, 60.0)])
        by_play.append({piece.piece: piece.mean_db for piece in more.pieces}["p0"] - level)
        liked = rated(today(data, [Rating("p0", 5)]))
        by_rating.append({piece.piece: piece.level_db for piece in liked}["p0"] - level)
    assert np.mean(by_play) < np.mean(by_rating) < 0


def test_ratings_alone_rank_and_say_that_they_are_alone() -> None:
    ranking = rank([], [Rating("a", 5), Rating("b", 1), Rating("c", 3), Rating("a", 4)])
    assert [piece.piece for piece in rated(ranking)] == ["a", "c", "b"]
    assert ranking.pieces == ()
    assert not ranking.reliable_order
    assert "only rated" in ranking.reason
    with pytest.raises(ParameterError):
        rank([], [Rating("a", 6)])


@pytest.mark.parametrize(("first", "last"), [(1, 5), (5, 1)], ids=["against the plays", "with the plays"])
@pytest.mark.parametrize(("seed", "size", "reliable"), [(3, 1.0, True), (0, 1.0, False)])
def test_ratings_neither_make_nor_undo_a_reliable_order(
    seed: int, size: float, reliable: bool, first: int, last: int
) -> None:
    data = listener(np.random.default_rng(seed), np.linspace(-size, 0, 3), plays=2)
    plain = today(data)
    assert plain.reliable_order == reliable
    liked = today(data, [Rating("p0", first), Rating("p2", last)] * 4 + [Rating("never played", 5)] * 8)
    assert liked.reliable_order == reliable
    assert liked.p_value == plain.p_value
    assert liked.reason == plain.reason
    # The table beside the verdict is that of the plays.
    assert [piece.mean_db for piece in liked.pieces] == [piece.mean_db for piece in plain.pieces]
    assert "never played" in {piece.piece for piece in rated(liked)}


def test_an_order_that_is_not_probable_enough_is_told_as_that() -> None:
    data = listener(np.random.default_rng(0), [-0.06, 0.0, 0.0], plays=2, sampling=0.01, drift=0.001)
    ranking = today(data)
    assert ranking.p_value < 0.025
    assert not ranking.reliable_order
    assert "equal pieces would look as different" not in ranking.reason
    assert "but first before last has a probability of only 0." in ranking.reason


@pytest.mark.parametrize("sessions", [2, 5])
def test_sessions_in_one_order_give_no_reliable_order(sessions: int) -> None:
    """A curved time course of 2 dB that is the same in every session must not pass for pieces."""
    rng = np.random.default_rng(0)
    data = [
        Observation(
            f"p{i % 4}", f"r{s}", 60.0 * i, 2.0 * ((i - 3.5) / 3.5) ** 2 + 0.1 * rng.standard_normal(), 0.0, 56.0
        )
        for s in range(sessions)
        for i in range(4 if sessions > 2 else 8)
    ]
    ranking = rank(data)
    assert not ranking.reliable_order
    assert "same order in every recording" in ranking.reason


def by_days(
    rng: np.random.Generator, effects: Sequence[float], recordings: int, piece_day: float, music_day: float
) -> list[Observation]:
    data = listener(rng, effects, plays=2, recordings=recordings)
    music = {f"r{r}": music_day * rng.standard_normal() for r in range(recordings)}
    piece = {
        (f"r{r}", f"p{i}"): piece_day * rng.standard_normal() for r in range(recordings) for i in range(len(effects))
    }
    return [
        row
        if row.piece is None
        else replace(row, value_db=row.value_db + music[row.recording] + piece[row.recording, row.piece])
        for row in data
    ]


@pytest.mark.parametrize(("piece_day", "music_day"), [(0.5, 0.0), (0.3, 0.3)])
@pytest.mark.long
def test_what_differs_from_day_to_day_is_no_order_and_is_covered(piece_day: float, music_day: float) -> None:
    effects = [0.0] * 5
    rankings = [rank(by_days(np.random.default_rng(i), effects, 4, piece_day, music_day)) for i in range(40)]
    assert sum(ranking.reliable_order for ranking in rankings) <= 5  # 2 nominal; more than 5 has probability under 2 %
    assert np.mean([covers(ranking, effects) for ranking in rankings]) >= 0.85
    assert np.mean([ranking.day_db[1] for ranking in rankings]) > 0.2
    still = rank(listener(np.random.default_rng(0), effects, plays=2, recordings=8))
    assert still.day_db[1] < 0.2
    assert today(listener(np.random.default_rng(0), effects)).day_db == (0.0, 0.0)


@pytest.mark.parametrize("day_db", [0.3, 0.5])
def test_one_recording_does_not_take_its_day_for_the_pieces(day_db: float) -> None:
    effects = [0.0] * 5
    rankings = [rank(by_days(np.random.default_rng(i), effects, 1, day_db, day_db)) for i in range(40)]
    assert sum(ranking.reliable_order for ranking in rankings) <= 2
    assert np.mean([covers(ranking, effects) for ranking in rankings]) >= 0.85
    assert "record another day" in rankings[0].reason
    large = rank(listener(np.random.default_rng(1), np.linspace(-4, 0, 5)))
    assert large.reliable_order
    assert large.reason.endswith("even where pieces differ by 0.5 dB from day to day")


def test_many_recordings_are_ranked_in_time_that_grows_with_them() -> None:
    def seconds(recordings: int) -> float:
        data = listener(np.random.default_rng(0), np.linspace(-0.5, 0, 6), plays=2, recordings=recordings)
        start = time.process_time()
        rank(data)
        return time.process_time() - start

    few, many = min(seconds(50) for _ in range(2)), seconds(400)
    assert many < 16 * few + 0.5
