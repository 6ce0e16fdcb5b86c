"""The pages of `session report` and `report`: what they hold, and how they behave in a browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

PROGRAM = [sys.executable, "-m", "therapy_gen.cli.main"]
Cli = Callable[..., Any]
# What would break out of HTML, of an attribute, of a script, of a line.
NAME = """Zoë "O'Neil" </script><script>alert(1)</script> <b>& 🎧"""
_PATIENCE_MS = 60_000


class Reader(HTMLParser):
    """What a browser would make of a page: its text, its elements, what they point at."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.said += data


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home that holds session 1 of two pieces, rated, recorded and played, and the listener's page."""
    from datetime import UTC, datetime

    from sessions.storage.library import get_session
    from sessions.storage.play_log import log_play
    from sessions.storage.recordings import BandPower, ScoredPlay, ScoredRecording, store_recordings
    from sessions.storage.store import Store
    from therapy_gen.study.posterior import Ranker

    folder = tmp_path_factory.mktemp("reported")
    run = partial(made, folder)
    run("session", "new", "--minutes", "5", "--repeats", "2", "--baseline", "2", "--seed", "3", "--listener", NAME)
    store = Store.open(folder / "home" / "therapy.db")
    record = get_session(store, 1)
    heard = [item for item in record.items if item.piece]

    def play(piece: str | None, onset: float, beta: float) -> ScoredPlay:
        bands = {"beta": BandPower(beta, None), "gamma": BandPower(beta / 2, None)}
        return ScoredPlay(piece, onset, 60.0, 54.0, 27, 0.1, bands, ())

    pieces = [piece.id for piece in record.pieces()]
    effects = dict(zip(pieces, (-2.0, 1.0, 0.5), strict=False))
    recording = ScoredRecording(
        sha256="0" * 64,
        file="/somewhere/private/ana_raw.fif",
        session=1,
        measured=datetime(2026, 7, 1, 20, 0, tzinfo=UTC),
        criterion="beta",
        lower_is_better=True,
        plays=[play(item.piece.id, item.onset_s, effects[item.piece.id]) for item in heard if item.piece],
        baseline=[play(None, 500.0, 0.0), play(None, 600.0, 0.1)],
        facts={},
        parameters={},
    )
    store_recordings(store, [recording], Ranker(), listener=NAME)
    log_play(store, 1, datetime(2026, 7, 1, 20, 0, tzinfo=UTC), [(0, 0.0, 2.0), (1, 2.0, 30.0)], finished=False)
    run("session", "rate", "1", pieces[0], "4")
    run("report", "--listener", NAME, "-o", str(folder / "listener.html"))
    return folder


def made(folder: Path, *arguments: str) -> None:
    """Have the program do something with the home in a folder."""
    from therapy_gen.cli.main import run

    assert run(["--home", str(folder / "home"), "--quiet", *arguments]) == 0


@pytest.fixture(scope="module")
def reported(heard: Path) -> Path:
    """`heard` with the page of its session, which holds two minutes of sound."""
    made(heard, "session", "report", "1", "-o", str(heard / "session.html"))
    return heard


@pytest.mark.long
def test_a_session_page_tells_everything_and_escapes_it(reported: Path) -> None:
    content = (reported / "session.html").read_text(encoding="utf-8")
    reader = Reader(content)
    assert f"Session 1 for {NAME}" in reader.said
    assert "Why it is here" in reader.said
    assert "4 of 5" in reader.said
    assert "90 % interval" in reader.said
    assert "ana_raw.fif" in reader.said
    assert "private" not in content
    assert "2026-07-01 20:00:00 UTC" in reader.said
    assert "alert(1)" not in re.findall(r"<script>(.*?)</script>", content, re.DOTALL)
    tags = [tag for tag, _ in reader.tags]
    assert "b" not in tags
    ids = [attributes["id"] for _, attributes in reader.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    assert {"roll-0", "sound-0", "arc-cursor", "seek"} <= set(ids)
    for _, attributes in reader.tags:
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith("#")
    # 2 pieces of about a minute: sound at some 30 kbit/s.
    assert 200_000 < len(content) < 4_000_000


def test_a_listeners_page_tells_the_history(heard: Path) -> None:
    reader = Reader((heard / "listener.html").read_text(encoding="utf-8"))
    assert NAME in reader.said
    for text in ("1 session, 1 play, 1 recording", "Ranking", "Recordings over time", "beta", "gamma", "4 of 5"):
        assert text in reader.said
    assert not [tag for tag, _ in reader.tags if tag in ("script", "b")]


@pytest.mark.long
def test_ratings_alone_do_not_look_measured(cli: Cli, with_session: Path, tmp_path: Path) -> None:
    piece = cli("session", "show", 1, "--json").document["session"]["items"][0]["piece"]
    cli("session", "rate", 1, piece, 5)
    cli("session", "report", 1, "-o", tmp_path / "a.html")
    content = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "from ratings alone, never recorded: rank 1" in content
    assert ">EEG<" not in content
    cli("report", "--listener", "ana", "-o", tmp_path / "b.html")
    said = Reader((tmp_path / "b.html").read_text(encoding="utf-8")).said
    assert "made from ratings alone" in said
    assert "dB" not in said.partition("Ranking")[2].partition("Recordings")[0]


@pytest.mark.long
def test_sound_beside_the_page(cli: Cli, with_session: Path, tmp_path: Path) -> None:
    out = tmp_path / "a b.html"
    assert cli("session", "report", 1, "-o", out, "--folder").status == 0
    content = out.read_text(encoding="utf-8")
    assert len(content) < 200_000
    pieces = {item["piece"] for item in cli("session", "show", 1, "--json").document["session"]["items"]} - {None}
    names = sorted(path.name for path in (tmp_path / "a b_files").iterdir())
    assert names == [f"{place + 1:02d}.ogg" for place in range(len(pieces))]
    assert "a%20b_files/01.ogg" in content


@pytest.mark.long
def test_no_row_for_silence_and_ticks_on_axes(reported: Path) -> None:
    content = (reported / "session.html").read_text(encoding="utf-8")
    table = content.partition("<h2>Timeline</h2>")[2].partition("<h2>")[0]
    assert "silence" not in table.partition("</table>")[0]
    assert "Silence: 2 s before, 8 s between pieces, 2 s after." in table
    # The forest plot has more on its axis than its zero.
    chart = content.partition("power of each piece with its 90 % interval")[2].partition("</svg>")[0]
    assert chart.count('text-anchor="middle"') >= 3


@pytest.mark.long
def test_json_says_what_was_written(cli: Cli, with_session: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.html"
    done = cli("session", "report", 1, "-o", out, "--json")
    assert done.status == 0, done.err
    said = done.document["report"]
    assert (said["file"], said["session"], said["bytes"]) == (str(out), 1, out.stat().st_size)
    out.unlink()
    done = cli("report", "--listener", "ana", "-o", out, "--json")
    assert done.document["report"] == {"file": str(out), "listener": "ana", "bytes": out.stat().st_size}


def test_what_cannot_be_written_is_refused(cli: Cli, with_session: Path, tmp_path: Path) -> None:
    for arguments in (
        ("session", "report", 9, "-o", tmp_path / "a.html"),
        ("session", "report", 1, "-o", tmp_path),
        ("session", "report", 1, "-o", tmp_path / "nowhere" / "a.html"),
        ("session", "report", 1, "-o", tmp_path / "a.html", "--soundfont", tmp_path / "none.sf2"),
        ("report", "--listener", "nobody", "-o", tmp_path / "a.html"),
    ):
        done = cli(*arguments)
        assert done.status == 1
        assert done.error_line
    assert not (tmp_path / "a.html").exists()


@pytest.fixture
def opened(chromium: Any, reported: Path) -> Iterator[Callable[..., Any]]:
    """Open a page of `reported`; at the end nothing may have been fetched and nothing have gone wrong."""
    requested: list[str] = []
    wrong: list[str] = []
    contexts = []

    def open_page(name: str, **options: Any) -> Any:
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(_PATIENCE_MS)
        page.on("request", lambda request: requested.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.goto((reported / name).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [url for url in requested if not url.startswith(("file:", "blob:file:", "blob:null"))] == []
    assert len([url for url in requested if url.startswith("file:")]) == len(contexts)
    assert wrong == []


def reaches(page: Any, expression: str) -> None:
    # Not wait_for_function: the page's own policy forbids what it does.
    end = time.monotonic() + _PATIENCE_MS / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never came: {expression}"
        page.wait_for_timeout(50)


def slide(page: Any, slider: str, value: float) -> None:
    page.evaluate(
        "([id, to]) => { const s = document.getElementById(id); s.value = to; s.dispatchEvent(new Event('input')); }",
        [slider, value],
    )


CURSOR = "Number(document.getElementById('cursor-0').getAttribute('x1'))"


@pytest.mark.long
def test_the_page_plays_seeks_and_moves_its_cursor(opened: Callable[..., Any]) -> None:
    page = opened("session.html")
    page.click("#toggle-0")
    reaches(page, f"{CURSOR} > 0.5")
    assert page.inner_text("#toggle-0") == "Pause"
    assert page.inner_text("#toggle") == "Pause"
    page.click("#toggle-0")
    stopped = page.evaluate(CURSOR)
    page.wait_for_timeout(300)
    assert page.evaluate(CURSOR) == stopped
    # A place in the notes, half way.
    box = page.locator("#roll-0").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    length = float(page.get_attribute("#seek-0", "max"))
    assert page.evaluate(CURSOR) == pytest.approx(length / 2, rel=0.05)
    page.click("#toggle-0")
    reaches(page, f"{CURSOR} > {length / 2 + 0.3}")
    # The end of a piece that plays alone is the end.
    page.evaluate(
        f"s = document.getElementById('seek-0'); s.value = {length - 0.6}; s.dispatchEvent(new Event('input'))"
    )
    reaches(page, "document.getElementById('toggle-0').textContent === 'Play'")


@pytest.mark.long
def test_the_whole_session_goes_from_silence_to_music_and_on(opened: Callable[..., Any], reported: Path) -> None:
    shown = subprocess.run(
        [*PROGRAM, "--home", "home", "session", "show", "1", "--json"], cwd=reported, check=True, capture_output=True
    )
    items = json.loads(shown.stdout)["session"]["items"]
    page = opened("session.html")
    page.keyboard.press("Space")
    reaches(page, "document.getElementById('what').textContent === 'Silence'")
    # Two seconds of silence, then the first piece by itself.
    reaches(page, f"document.getElementById('what').textContent === {json.dumps(items[1]['title'])}")
    reaches(page, f"{CURSOR} > 0.2")
    page.keyboard.press("Space")
    assert page.inner_text("#toggle") == "Play session"
    page.click("#after")
    assert page.inner_text("#what") == "Silence"
    place = items[3]["onset_s"] + 5
    slide(page, "seek", place)
    assert page.inner_text("#what") == items[3]["title"]
    assert page.evaluate("Number(document.getElementById('seek').value)") == pytest.approx(place, abs=0.1)
    page.click(f"button[data-from='{len(items) - 2}']")
    # Through the silence at the end.
    slide(page, "seek", items[-1]["onset_s"] - 0.5)
    reaches(page, "document.getElementById('what').textContent === 'Silence'")
    reaches(page, "document.getElementById('toggle').textContent === 'Play session'")


@pytest.mark.long
def test_every_control_is_reached_by_the_keyboard(opened: Callable[..., Any]) -> None:
    page = opened("session.html")
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.dataset.from || ''"))
        if "seek" in reached:
            break
    assert {"play", "1", "toggle-0", "seek-0", "toggle", "before", "after", "seek"} <= reached
    page.focus("#seek-0")
    page.keyboard.press("End")
    assert page.evaluate(CURSOR) > 10


@pytest.mark.long
@pytest.mark.parametrize("name", ["session.html", "listener.html"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_for_those_who_see_less_and_nothing_too_wide(
    opened: Callable[..., Any], name: str, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    page = opened(name, viewport={"width": 375, "height": 800}, color_scheme=scheme)
    found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 27)"
    assert dark is (scheme == "dark")


@pytest.mark.long
def test_the_printed_page_has_no_controls(opened: Callable[..., Any]) -> None:
    page = opened("session.html")
    page.emulate_media(media="print")
    assert page.locator("button:visible, input:visible").count() == 0
    assert page.locator("#roll-0").is_visible()
