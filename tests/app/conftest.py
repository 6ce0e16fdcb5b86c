"""Homes, apps and browsers for the tests of the app."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.app.running import NAME, PATIENCE_S, App, start


@pytest.fixture(scope="session")
def app_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with sessions of short pieces for a client who is measured, and short sessions to come; copy it."""
    from sessions.clients.diary import remember_settings
    from sessions.storage.store import Store
    from therapy_gen.cli.main import run

    home = tmp_path_factory.mktemp("app") / "home"

    def made(*words: str) -> None:
        assert run(["--home", str(home), "--quiet", *words]) == 0

    made("session", "new", "--minutes", "5", "--repeats", "2", "--baseline", "2", "--seed", "3", "--listener", NAME)
    made("session", "new", "--minutes", "1", "--seed", "4", "--listener", "anna unmistakable m")
    made("session", "measure", "1", "--scale", "vas-calm", "--before", "40", "--after", "65")
    made("session", "note", "1", "Slept <b>well</b>")
    made("session", "rate", "1", "1", "4")
    store = Store.open(home / "therapy.db")
    remember_settings(store, NAME, {"minutes": 2.0, "arc": "calm", "palette": "piano"})
    remember_settings(store, None, {"listener": NAME})
    return home


@pytest.fixture
def app(app_home: Path, tmp_path: Path) -> Iterator[App]:
    """An app of this test."""
    home = tmp_path / "home"
    shutil.copytree(app_home, home)
    made = start(home)
    yield made
    made.stop()


@pytest.fixture
def looking(chromium: Any, app: App) -> Iterator[Callable[..., Any]]:
    """Open the app in a tab of its own; at the end nothing hidden may be seen, nor another host have been asked."""
    requested: list[str] = []
    contexts: list[Any] = []

    def look(path: str = "", *, context: Any = None, **options: Any) -> Any:
        if context is None:
            context = chromium.new_context(**options)
            contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(PATIENCE_S * 1000)
        tab.on("request", lambda request: requested.append(request.url))
        tab.goto(app.url)
        if path:
            tab.goto(app.base + path)
        return tab

    yield look
    seen = (
        "[...document.querySelectorAll('[hidden]')].filter((one) => one.getClientRects().length).map((one) => one.id)"
    )
    for context in contexts:
        assert [one for tab in context.pages for one in tab.evaluate(seen)] == []
        context.close()
    assert [url for url in requested if not url.startswith((app.base, "data:"))] == []
