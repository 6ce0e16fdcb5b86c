"""The report: one file, well-formed, with everything that was asked for in it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eeg.errors import ParameterError
from eeg.ranking.observations import observations
from eeg.ranking.rank import rank
from eeg.report.report import render, write_report
from eeg.results import FLAGS
from eeg.scoring import score_recording
from eeg.simulation.file import write_fif
from eeg.simulation.simulate import simulate, timeline


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
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text), "refers to something outside"
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


@pytest.mark.long
def test_in_a_browser_it_is_dark_where_that_is_wished_and_as_narrow_as_a_phone(
    listener_fif: Path, tmp_path: Path, chromium: Any
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    score = score_recording(listener_fif)
    path = tmp_path / "report.html"
    write_report(path, [score, score], rank(observations([score])))
    for scheme, ground in (("light", "rgb(251, 250, 247)"), ("dark", "rgb(20, 24, 27)")):
        context = chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
        page = context.new_page()
        page.goto(path.as_uri())
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        found = axe.Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []
        # The ranking's picture and its rows are drawn for a phone: nothing of them is cut.
        shown = "[...document.querySelectorAll('#ranking .wide')].filter((box) => box.offsetWidth)"
        assert page.evaluate(f"{shown}.length") == 2
        assert page.evaluate(f"{shown}.every((box) => box.scrollWidth <= box.clientWidth)")
        page.click(f"nav >> text={listener_fif.name} >> nth=1")
        assert page.evaluate("location.hash") == "#recording-2"
        context.close()


def test_report_says_what_is_marked_bad_and_what_flags_mean(listener_fif: Path) -> None:
    score = score_recording(listener_fif)
    assert "marked bad" not in render([score])
    figures = replace(score.figures, marked_bad_s=np.array([[70.0, 82.5]]), left_out={"Fp1": 0.125, "Cz": 0.0})
    play = replace(score.plays[0], flags=("muscle",))
    score = replace(score, figures=figures, marked_bad_s=12.5, plays=(play, *score.plays[1:]))
    text = render([score])
    assert "0:12.5 of plays and silences are marked bad in the file" in text
    assert "marked bad in the file, from 1:10.0" in text
    assert "Most of it in Fp1 (12.5 %)." in text
    assert f"muscle: {FLAGS['muscle']}" in text
    assert FLAGS["only-rated"] not in text


def test_no_reliable_order_is_said_in_words(listener_fif: Path) -> None:
    score = score_recording(listener_fif)
    data = [replace(row, value_db=0.01 * i) for i, row in enumerate(observations([score]))]
    ranking = rank(data)
    assert not ranking.reliable_order
    often = f"{100 * ranking.p_value:.0f} of 100"
    said = render([score], ranking)
    assert f"they would look as different as here in {often} such recordings" in said
    assert "differed by 0.5 dB from day to day" in said


def test_without_silence_no_word_says_that_there_is(listener_fif: Path, tmp_path: Path) -> None:
    items = timeline("AB", repeats=2, play_s=40.0, silence_s=12.0, gap_s=0.0, seed=2)
    path = tmp_path / "loud_raw.fif"
    write_fif(simulate(items, sfreq=200.0, channels=8, seed=5), path)
    score = score_recording(path)
    assert any("values are against the mean of all plays" in warning for warning in score.warnings)
    text = render([score])
    assert "Values are dB against the mean of all plays in the same recording" in text
    assert "against silence" not in text
    assert "silence in black" not in text
    assert "Topography" not in text
    both = render([score, score_recording(listener_fif)])
    assert "own silence in the same recording; where there is too little of it, against the mean of all plays" in both
    assert "mean of all plays against silence" in both


def test_report_without_ranking_and_without_places(listener_fif: Path) -> None:
    score = score_recording(listener_fif)
    score = replace(score, scored_channels=tuple(f"E{i}" for i in range(8)))
    text = render([score, score])
    assert "Fewer than four electrodes" in text
    assert text.count("<h3>Timeline</h3>") == 2


def test_a_report_that_cannot_be_written_is_one_line(listener_fif: Path, tmp_path: Path) -> None:
    score = score_recording(listener_fif)
    with pytest.raises(ParameterError, match="does not exist"):
        write_report(tmp_path / "nowhere" / "report.html", [score])
    with pytest.raises(ParameterError, match="cannot be written|is a folder"):
        write_report(tmp_path, [score])
    assert list(tmp_path.iterdir()) == []


def test_the_report_goes_on_in_mne(listener_fif: Path, tmp_path: Path) -> None:
    import mne

    from eeg.report.mne_report import to_mne_report, to_spectra

    scores = [score_recording(listener_fif)]
    spectra = to_spectra(scores[0])
    assert "baseline" in spectra
    one = spectra["baseline"]
    assert isinstance(one, mne.time_frequency.SpectrumArray)
    assert one.get_data()[0] == pytest.approx(scores[0].figures.spectra[""] * 1e-12)
    assert one.freqs == pytest.approx(scores[0].figures.freqs)
    report = to_mne_report(scores, rank(observations(scores)), listener="ana")
    path = tmp_path / "ana.html"
    report.save(path, open_browser=False, verbose="error")
    content = path.read_text(encoding="utf-8")
    assert "Power spectra of every piece" in content
    assert "Ranking of the pieces" in content
