"""A study's plan: what is in it that no study can have is refused, with the file and the value named."""

from __future__ import annotations

from pathlib import Path

import pytest

from therapy_gen.errors import InputError
from therapy_gen.study.protocol import read_protocol

PLAN = """
[study]
name = "calm"
participants = 2
[music]
audio = "none"
[analysis]
criterion = "alpha-asymmetry"
bands = { smr = "12-15" }
"""


@pytest.mark.parametrize(
    ("line", "value", "said"),
    [
        ("participants = 2", "participants = 0", "participants 0 is out of range; give 1 to 999"),
        ("participants = 2", 'participants = ["sub-Zoë"]', "'sub-Zoë' is no participant's label; write it as sub-01"),
        ("participants = 2", 'participants = ["sub-a", "sub-A"]', "participants holds sub-A twice"),
        ("participants = 2", "participants = []", "participants is neither a number nor a list"),
        ('name = "calm"', 'name = "étude"', "name 'étude' is no name for a study; give up to 40 letters a to z"),
        ('name = "calm"', 'name = "calm"\nsubjects = 3', "'subjects' is not known in [study]; it has name"),
        ('audio = "none"', 'audio = "wma"', "audio format 'wma' is not known; give one of: wav"),
        ('audio = "none"', "play_s = -60", "play_s -60 is out of range; give 60 to 900"),
        ('audio = "none"', "play_s = nan", "play_s nan is out of range"),
        ('bands = { smr = "12-15" }', 'bands = { x = "0-1000" }', "x 0-1000 is no band: give two frequencies"),
        ('bands = { smr = "12-15" }', "bands = { x = 8 }", "band '8' is not two frequencies"),
        ('bands = { smr = "12-15" }', 'bands = { "a b" = "8-13" }', "'a b' is no name for a band"),
        ('bands = { smr = "12-15" }', "picks = 3", "picks 3 is neither"),
        ('bands = { smr = "12-15" }', "picks = []", "picks [] is neither"),
        ('bands = { smr = "12-15" }', 'ica = "no"', "ica 'no' is no true or false"),
        ('bands = { smr = "12-15" }', "overlap = 3", "overlap 3 is out of range; give 0 to 0.75"),
        (
            'criterion = "alpha-asymmetry"',
            'criterion = "omega"',
            "'omega' is no criterion; give one of: beta, gamma, smr",
        ),
    ],
)
def test_what_no_study_can_have_is_named(tmp_path: Path, line: str, value: str, said: str) -> None:
    plan = tmp_path / "calm.toml"
    plan.write_text(PLAN, encoding="utf-8")
    assert read_protocol(plan).participants == ("sub-01", "sub-02")
    assert line in PLAN
    plan.write_text(PLAN.replace(line, value), encoding="utf-8")
    with pytest.raises(InputError) as told:
        read_protocol(plan)
    assert str(told.value).startswith(f"{plan}: {said}")
