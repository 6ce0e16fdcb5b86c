"""Clients in the app: adding, merging, notes, measures, printing, forgetting; who may come in; how quick it is."""

from __future__ import annotations

import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sessions.storage.store import Store
from tests.app.running import NAME, App, reaches, start


def number_of(app: App, name: str) -> int:
    from sessions.storage.listeners import list_listeners

    return list_listeners(Store.open(app.home / "therapy.db"), name)[0].id


def says(tab: Any, element: str, text: str) -> None:
    """Wait until the page that a click leads to says something: on a busy machine the old one is still there."""
    tab.locator(element, has_text=text).first.wait_for()


def test_a_client_is_added_noted_measured_and_merged(looking: Callable[..., Any], app: App) -> None:
    tab = looking("clients")
    tab.fill("[name=name]", "Ben <i>")
    tab.click("text=Add")
    says(tab, "h1", "Ben <i>")
    tab.goto(f"{app.base}clients/{number_of(app, NAME)}")
    assert "anna unmistakable m" in tab.inner_text(".warn")
    assert "Slept" not in tab.inner_text("h1")
    tab.goto(f"{app.base}sessions/1")
    assert "Slept <b>well</b>" in tab.inner_text("main")
    tab.fill("#text", "A second note")
    tab.click("text=Keep note")
    says(tab, "main", "A second note")
    tab.select_option("[name=scale]", "stai-6")
    tab.fill("[name=before]", "15")
    tab.fill("[name=after]", "11,5")
    tab.click("text=Keep >> nth=0")
    says(tab, "main", "11.5")
    tab.on("dialog", lambda dialog: dialog.accept())
    tab.goto(f"{app.base}clients/{number_of(app, NAME)}")
    tab.click("summary")
    tab.select_option("[name=into]", "anna unmistakable m")
    tab.click("text=Merge >> nth=-1")
    says(tab, "h1", "anna unmistakable m")
    assert "15 to 11.5" in tab.inner_text("main")


@pytest.mark.long
def test_a_client_is_forgotten_to_the_last_byte(looking: Callable[..., Any], app: App) -> None:
    tab = looking(f"clients/{number_of(app, NAME)}")
    tab.click("summary")
    tab.fill("form[action$=forget] [name=name]", "somebody else")
    tab.click("text=Forget all")
    says(tab, "main", "nothing was deleted")
    tab.goto(f"{app.base}clients/{number_of(app, NAME)}")
    tab.click("summary")
    tab.fill("form[action$=forget] [name=name]", NAME)
    tab.click("text=Forget all")
    says(tab, "h1", "Forgotten")
    for path in app.home.rglob("*"):
        if path.is_file():
            assert NAME.encode() not in path.read_bytes(), path


@pytest.mark.long
def test_the_page_to_print_has_two_pages(looking: Callable[..., Any], app: App) -> None:
    from sqlalchemy import insert, select

    from sessions.storage.client_tables import MeasureRow
    from sessions.storage.tables import PieceRow, SessionItemRow, SessionRow

    store, moment = Store.open(app.home / "therapy.db"), datetime(2026, 1, 1, tzinfo=UTC)
    numbers, owner = range(5000, 5060), number_of(app, NAME)
    with store.write() as database:
        piece = database.scalars(select(PieceRow.id)).first()
        facts = {
            "listener_id": owner,
            "arc": "calm",
            "seed": 1,
            "duration_s": 60.0,
            "parameters": {},
            "created": moment,
        }
        database.execute(insert(SessionRow), [{"id": number, **facts} for number in numbers])
        item = {"position": 0, "role": "music", "piece_id": piece, "onset_s": 0.0, "duration_s": 60.0}
        database.execute(insert(SessionItemRow), [{"session_id": number, **item} for number in numbers])
        scales = ("vas-calm", "vas-tension", "stai-6", "panas-sf-positive")
        rows = [
            {"session_id": number, "scale": scale, "before": 14.0, "after": 9.0}
            for number in numbers
            for scale in scales
        ]
        database.execute(insert(MeasureRow), [{**row, "created": moment} for row in rows])
    tab = looking(f"clients/{owner}/print")
    for paper in ("A4", "Letter"):
        assert b"/Count 2" in tab.pdf(format=paper)
    assert "The latest 50 of 6" in tab.inner_text("main")


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_for_those_who_see_less(looking: Callable[..., Any], app: App, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    tab = looking(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    reaches(tab, "document.documentElement.dataset.ready === 'yes'")
    number = number_of(app, NAME)
    for path in ("", "history", "clients", f"clients/{number}", f"clients/{number}/print", "sessions/1", "scales"):
        tab.goto(app.base + path)
        if path.startswith("clients/") and not path.endswith("print"):
            tab.click("summary")
        found = axe.Axe().run(tab).response["violations"]
        serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
        assert serious == [], path
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390, path
        # On a phone no table and no picture is cut.
        boxes = "[...document.querySelectorAll('.scroll, .wide')].filter((box) => box.scrollWidth > box.clientWidth)"
        assert tab.evaluate(f"{boxes}.map((box) => box.ariaLabel)") == [], path


def refused(app: App, request: urllib.request.Request | str, opener: Any = None) -> str:
    with pytest.raises(urllib.error.HTTPError) as error:
        (opener or urllib.request).open(request) if opener else urllib.request.urlopen(request)
    assert error.value.code == 403
    return error.value.read().decode()


def test_only_who_knows_the_token_and_comes_from_the_pages_is_let_in(app: App) -> None:
    assert "token" in refused(app, app.base)
    assert "wrong" in refused(app, app.base + "?token=abc")
    assert "token" in refused(app, app.base + "clients")
    assert "token" in refused(app, app.base + "sound/1.wav")
    client = app.client()
    other = urllib.request.Request(app.base + "clients", headers={"Host": "evil.example"})
    assert "address" in refused(app, other, client)
    form = urllib.parse.urlencode({"name": "x"}).encode()
    assert "form" in refused(app, urllib.request.Request(app.base + "clients/add", form), client)
    page = client.open(app.base + "clients").read().decode()
    token = page.partition('name="csrf" content="')[2].partition('"')[0]
    form = urllib.parse.urlencode({"name": "x", "csrf": token}).encode()
    outside = urllib.request.Request(app.base + "clients/add", form, {"Origin": "https://evil.example"})
    assert "another page" in refused(app, outside, client)
    assert client.open(urllib.request.Request(app.base + "clients/add", form)).status == 200
    for path in ("static/../server.py", "static/%2e%2e/server.py", "static/.hidden"):
        with pytest.raises(urllib.error.HTTPError):
            client.open(app.base + path)


@pytest.mark.long
def test_a_phone_pairs_with_the_code(app_home: Path, tmp_path: Path) -> None:
    import http.cookiejar

    home = tmp_path / "home"
    shutil.copytree(app_home, home)
    app = start(home, "--lan")
    try:
        assert app.process.stdout is not None
        line = app.process.stdout.readline()
        if "code" not in line:
            pytest.skip("this machine is in no network")
        code = line.split()[-1]
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        assert "Pair this device" in opener.open(app.base).read().decode()
        with pytest.raises(urllib.error.HTTPError):
            opener.open(app.base + "pair", b"code=000000" if code != "000000" else b"code=000001")
        assert b"Listen" in opener.open(app.base + "pair", f"code={code}".encode()).read()
        assert opener.open(app.base + "clients").status == 200
    finally:
        app.stop()


@pytest.mark.long
def test_many_clients_are_quick(app_home: Path, tmp_path: Path) -> None:
    from sqlalchemy import insert, select

    from sessions.storage.client_tables import MeasureRow
    from sessions.storage.tables import ListenerRow, PieceRow, RatingRow, SessionItemRow, SessionPlayRow, SessionRow

    home = tmp_path / "home"
    shutil.copytree(app_home, home)
    store = Store.open(home / "therapy.db")
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    with store.write() as database:
        piece = database.scalars(select(PieceRow.id)).first()
        database.execute(
            insert(ListenerRow), [{"id": 100 + n, "name": f"Client {n:02d}", "created": moment} for n in range(50)]
        )
        numbers = [(1000 + 200 * n + k, 100 + n) for n in range(50) for k in range(200)]
        facts = {"arc": "calm", "seed": 1, "duration_s": 60.0, "parameters": {}, "created": moment}
        database.execute(insert(SessionRow), [{"id": id_, "listener_id": owner, **facts} for id_, owner in numbers])
        item = {"position": 0, "role": "music", "piece_id": piece, "onset_s": 0.0, "duration_s": 60.0}
        database.execute(insert(SessionItemRow), [{"session_id": id_, **item} for id_, _ in numbers])
        rating = {"piece_id": piece, "value": 4, "created": moment}
        database.execute(insert(RatingRow), [{"session_id": id_, **rating} for id_, _ in numbers])
        play = {"started": moment, "ended_s": 60.0, "finished": True}
        database.execute(insert(SessionPlayRow), [{"session_id": id_, **play} for id_, _ in numbers])
        measure = {"scale": "vas-calm", "before": 40.0, "after": 60.0, "created": moment}
        database.execute(insert(MeasureRow), [{"session_id": id_, **measure} for id_, _ in numbers])
    from sessions.clients.diary import remember_settings

    remember_settings(store, None, {"listener": "Client 07"})
    remember_settings(store, "Client 07", {"minutes": 1.0})
    app = start(home)
    try:
        client = app.client()
        slow = {}
        for path in ("", "history", "clients", "clients/107", "clients/107/print", "sessions/2500"):
            # Once for what is loaded then; and the next session is made.
            client.open(app.base + path).read()
            client.open(app.base + "api/next").read()
            before = app.cpu_s()
            for _ in range(3):
                client.open(app.base + path).read()
            slow[path] = (app.cpu_s() - before) / 3
        assert {path: spent for path, spent in slow.items() if spent > 0.3} == {}
        # Fifty sessions at once, the newest first.
        first, last, beyond = (
            client.open(f"{app.base}clients/108?page={number}").read().decode() for number in ("1", "4", "99999")
        )
        assert re.findall(r'href="/sessions/(\d+)"', first) == [str(n) for n in range(2799, 2749, -1)]
        assert re.findall(r'href="/sessions/(\d+)"', last) == [str(n) for n in range(2649, 2599, -1)]
        assert ("page=2" in first, "Page 4 of 4" in beyond) == (True, True)
    finally:
        app.stop()
