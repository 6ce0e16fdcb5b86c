"""What a phone does when it locks, as near as a machine comes: a hidden page, throttled, then frozen."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sessions.storage.play_log import list_plays
from sessions.storage.store import Store
from tests.app.remote import Chromium, browser_with_windows, until
from tests.app.running import PHONE_AGENT, App


def as_phone(browser: Chromium) -> None:
    """Make its tab a phone's: its screen, fingers, name, and a processor a quarter as quick."""
    browser.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=3, mobile=True)
    browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
    browser.call("Emulation.setUserAgentOverride", userAgent=PHONE_AGENT)
    browser.call("Emulation.setCPUThrottlingRate", rate=4)


def play_and_hide(browser: Chromium, app: App) -> None:
    """Press Play on session 1, and lock."""
    browser.goto(app.url)
    browser.goto(app.base + "?session=1")
    until(browser, "window.player !== undefined && player.session !== null")
    assert browser.evaluate("innerWidth") == 390
    browser.evaluate("document.getElementById('play').click()")
    until(browser, "player.playing && player.at > 0.1")
    browser.cover()
    until(browser, "document.visibilityState === 'hidden'")


@pytest.mark.long
def test_it_goes_on_under_a_lock_screen(app: App, tmp_path: Path) -> None:
    with browser_with_windows("chromium", tmp_path) as browser:
        assert isinstance(browser, Chromium)
        as_phone(browser)
        play_and_hide(browser, app)
        # Five seconds before the end of the first piece: a silence comes, and another piece, and then the timer ends.
        first, silence, second = browser.evaluate(
            "player.session.items.slice(1, 4).map((one) => [one.piece, one.onset, one.duration])"
        )
        assert (first[0] is not None, silence[0], second[0] is not None) == (True, None, True)
        browser.evaluate(f"player.seek({silence[1] - 5})")
        until(browser, f"player.playing && player.at > {silence[1] - 4.5}")
        browser.evaluate(f"player.sleepAfter({(5 + silence[2] + 10) / 60})")
        began, at = time.monotonic(), browser.evaluate("player.at")
        until(browser, f"player.item.onset === {second[1]}")
        # By the clock of this machine it came neither early nor late.
        assert time.monotonic() - began == pytest.approx(second[1] - at, abs=3.0)
        until(browser, "!player.playing")
        assert browser.evaluate("document.visibilityState") == "hidden"
        assert browser.evaluate("player.timer === null && player.audio.volume === player.volume")
        assert second[1] < browser.evaluate("player.at") < second[1] + 13
        store = Store.open(app.home / "therapy.db")
        end = time.monotonic() + 30
        while {3} - {heard.position for play in list_plays(store, 1) for heard in play.stretches}:
            assert time.monotonic() < end
            time.sleep(0.2)
    app.stop()
    (play,) = list_plays(store, 1)
    assert {1, 2, 3} <= {heard.position for heard in play.stretches}


@pytest.mark.long
def test_what_was_frozen_by_force_goes_on_when_it_is_looked_at(app: App, tmp_path: Path) -> None:
    # Chromium freezes no page that sounds; a system may.
    with browser_with_windows("chromium", tmp_path) as browser:
        assert isinstance(browser, Chromium)
        as_phone(browser)
        play_and_hide(browser, app)
        browser.call("Page.setWebLifecycleState", state="frozen")
        time.sleep(1)
        at = browser.evaluate("player.at")
        time.sleep(1)
        assert browser.evaluate("player.at") == at
        browser.call("Page.setWebLifecycleState", state="active")
        browser.call("Page.bringToFront")
        until(browser, f"player.playing && player.at > {at} + 0.5")
