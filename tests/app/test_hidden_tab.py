"""The app goes on playing in a tab behind another, in browsers with windows."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessions.storage.play_log import list_plays
from sessions.storage.store import Store
from tests.app.remote import browser_with_windows, until
from tests.app.running import App


@pytest.mark.long
@pytest.mark.parametrize("name", ["chromium", "firefox"])
def test_it_goes_on_in_a_hidden_tab(app: App, tmp_path: Path, name: str) -> None:
    with browser_with_windows(name, tmp_path) as browser:
        browser.goto(app.url)
        browser.goto(app.base + "?session=1")
        until(browser, "window.player !== undefined && player.session !== null")
        # Two seconds of silence come first: it is hidden before the piece begins.
        browser.evaluate("document.getElementById('play').click()")
        until(browser, "player.playing")
        browser.cover()
        until(browser, "document.visibilityState === 'hidden'")
        until(browser, "player.playing && player.at > 8")
        assert browser.evaluate("document.visibilityState") == "hidden"
        assert browser.evaluate("navigator.mediaSession.metadata.title === player.item.title")
        browser.evaluate("player.pause()")
        store = Store.open(app.home / "therapy.db")
        until(browser, "!player.playing")
    app.stop()
    (play,) = list_plays(store, 1)
    assert {heard.position for heard in play.stretches} == {0, 1}
