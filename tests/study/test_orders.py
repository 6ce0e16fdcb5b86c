"""Orders of a study are balanced within and over participants; its plan is read strictly."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from therapy_gen.errors import InputError
from therapy_gen.study.orders import balanced_orders
from therapy_gen.study.protocol import changes, read_protocol


@pytest.mark.parametrize(("pieces", "people"), [(2, 4), (3, 6), (4, 12), (5, 10), (6, 6)])
def test_every_piece_is_equally_often_first_and_after_each_other(pieces: int, people: int) -> None:
    orders = balanced_orders(pieces, people, 2, 4, seed=3)
    for session in range(2):
        for number in range(4):
            for place in range(pieces):
                at = Counter(person[session][number][place] for person in orders)
                assert set(at.values()) == {people // pieces}
    followers = Counter(pair for person in orders for session in person for one in session for pair in pairwise(one))
    assert len(set(followers.values())) == 1
    assert len(followers) == pieces * (pieces - 1)
    for person in orders:
        assert all(sorted(one) == list(range(pieces)) for session in person for one in session)
    assert orders == balanced_orders(pieces, people, 2, 4, seed=3)
    assert orders != balanced_orders(pieces, people, 2, 4, seed=4)


PLAN = """
[study]
name = "calm"
participants = 2
[analysis]
criterion = "alpha"
bands = { alpha = "8-12" }
"""


def test_a_plan_is_read_with_its_analysis(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    plan = read_protocol(path)
    assert plan.participants == ("sub-01", "sub-02")
    assert plan.settings == {"bands": {"alpha": (8.0, 12.0)}}
    stored = {**plan.document(), "pieces": ["A", "B", "C", "D"]}
    assert changes(stored, plan) == []
    path.write_text(PLAN.replace("participants = 2", "participants = 3"))
    (changed,) = changes(stored, read_protocol(path))
    assert changed.startswith("participants was")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no name"),
        ("[study", "is no TOML"),
        ("[other]\nx = 1", "'other' is no table"),
        (PLAN + "colour = 1", "'colour' is not known in [analysis]"),
        (PLAN.replace("2", "0", 1), "participants 0 is out of range"),
        (PLAN.replace("2", '"ana"', 1), "neither a number nor a list of labels"),
        (PLAN.replace("2", '["ana"]', 1), "'ana' is no participant's label"),
        (PLAN.replace('"8-12"', '"12-8"'), "is no band"),
        (PLAN + "[design]\nrepeats = 0", "repeats 0 is out of range"),
        (PLAN + "[music]\npieces = true", "pieces True is out of range"),
        (PLAN + "[music]\nplay_s = 5", "play_s 5 is out of range"),
    ],
)
def test_a_plan_that_makes_no_sense_is_told_in_one_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_protocol(path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
