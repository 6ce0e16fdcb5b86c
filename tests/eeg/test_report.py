"""The report: one file, well-formed, with everything that was asked for in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from eeg.errors import ParameterError
from eeg.observations import observations
from eeg.ranking import rank
from eeg.report import render, write_report
from eeg.score import score_recording


class Balance(HTMLParser):
    """Check that every element is closed."""

    VOID = frozenset({"meta", "br", "img", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_report_is_whole_and_self_contained(listener_fif: Path, tmp_path: Path) -> None:
    score = score_recording(listener_fif)
    ranking = rank(observations([score]))
    path = tmp_path / "report.html"
    write_report(path, [score], ranking, listener="<ana> & co", names={"A": "Evening <1>"})
    text = path.read_text(encoding="utf-8")
    check = Balance()
    check.feed(text)
    assert check.open == []
    assert not re.findall(r'(?:src|href)="(?!data:)', text), "refers to something outside"
    assert "<script" not in text
    for heading in ("Ranking", "Timeline", "Band power over the session", "Spectra", "Topography", "Plays", "Left out"):
        assert f">{heading}</h" in text
    for word in (
        "&lt;ana&gt; &amp; co",
        "Evening &lt;1&gt;",
        "P(best)",
        score.sha256,
        "version of mne",
        "muscle",
        "90 % interval",
    ):
        assert word in text
    assert "nan" not in re.sub(r"<style>.*?</style>", "", text)
    assert "heal" not in text
    assert "treat" not in text
    assert list(tmp_path.iterdir()) == [path]


def test_report_without_ranking_and_without_places(listener_fif: Path) -> None:
    from dataclasses import replace

    score = score_recording(listener_fif)
    score = replace(score, scored_channels=tuple(f"E{i}" for i in range(8)))
    text = render([score, score])
    assert "Fewer than four electrodes" in text
    assert text.count("<h3>Timeline</h3>") == 2


def test_a_report_that_cannot_be_written_is_one_line(listener_fif: Path, tmp_path: Path) -> None:
    score = score_recording(listener_fif)
    with pytest.raises(ParameterError, match="cannot be written"):
        write_report(tmp_path / "nowhere" / "report.html", [score])
    with pytest.raises(ParameterError, match="cannot be written"):
        write_report(tmp_path, [score])
    assert list(tmp_path.iterdir()) == []
