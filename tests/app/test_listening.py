"""Listening in the app, in a real browser: first sound, hidden tab, seeking, stars, sleep, two tabs, its end."""

from __future__ import annotations

import sqlite3
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessions.storage.library import list_sessions
from sessions.storage.play_log import list_plays
from sessions.storage.store import Store
from tests.app.running import NAME, App, reaches

READY = "window.player && player.session !== null"
SOUNDS = "player.playing && player.at > 0.05"


def playing(tab: Any) -> None:
    reaches(tab, READY)
    tab.click("#play")
    reaches(tab, SOUNDS)


def test_the_first_sound_comes_soon(looking: Callable[..., Any], app: App) -> None:
    tab = looking()
    reaches(tab, READY)
    # By the processor's time until half a second of sound can be had, whatever else the machine does.
    client, before = app.client(), app.cpu_s()
    address = urllib.parse.urljoin(app.base, tab.evaluate("player.session.sound"))
    with client.open(urllib.request.Request(address, headers={"Range": "bytes=0-88243"})) as answer:
        assert len(answer.read()) == 88244
    assert app.cpu_s() - before < 3.0
    tab.click("#play")
    reaches(tab, SOUNDS)
    assert tab.evaluate("player.audio.duration") > 100
    assert tab.get_attribute("#play", "aria-label") == "Pause"
    reaches(tab, "document.getElementById('roll-now') !== null")


@pytest.mark.long
def test_it_goes_on_without_frames_and_timers_as_in_a_hidden_tab(looking: Callable[..., Any], app: App) -> None:
    # A headless browser hides no tab: it is given what a hidden one gets, no frames and no timers at all.
    tab = looking("?session=1")
    reaches(tab, READY)
    tab.evaluate("window.requestAnimationFrame = () => 0; window.setTimeout = window.setInterval = () => 0")
    tab.click("#play")
    # Two seconds of silence come first.
    reaches(tab, "player.playing && player.at > 0.05")
    reaches(tab, "player.item.piece !== null && player.at > 3")
    assert tab.evaluate("navigator.mediaSession.metadata.title") == tab.evaluate("player.item.title")
    tab.evaluate("player.pause()")
    store = Store.open(app.home / "therapy.db")
    end = time.monotonic() + 30
    while not any(heard.position == 1 for play in list_plays(store, 1) for heard in play.stretches):
        assert time.monotonic() < end
        time.sleep(0.2)
    (play,) = list_plays(store, 1)
    # Silence, then the piece; on a machine that stumbles the silence in parts.
    assert play.stretches[0].position == 0
    assert next(heard for heard in play.stretches if heard.position == 1).onset_s > 1.5


@pytest.mark.long
def test_seeking_stars_and_marks(looking: Callable[..., Any], app: App) -> None:
    tab = looking("?session=1")
    playing(tab)
    tab.evaluate("player.seek(player.session.items.find((one) => one.piece).onset + 20)")
    reaches(tab, "player.playing && player.at > 20.5 && player.audio.readyState > 2")
    tab.click("[data-value='5']")
    reaches(tab, "player.item.rating === 5")
    assert tab.get_attribute("[data-value='5']", "aria-pressed") == "true"
    tab.click("#favourite")
    reaches(tab, "player.item.mark === 'favourite'")
    piece = tab.evaluate("player.item.piece")
    tab.click("#never")
    # What is never to come again does not go on either.
    reaches(tab, "player.item.mark !== 'favourite' && player.at > 25")
    tab.evaluate("player.pause()")
    store = Store.open(app.home / "therapy.db")
    from sessions.clients.diary import marked_pieces, refused_pieces

    assert marked_pieces(store, NAME) == {piece: "never"}
    assert piece in refused_pieces(store, NAME)


@pytest.mark.long
def test_the_sleep_timer_fades_and_ends(looking: Callable[..., Any]) -> None:
    tab = looking("?session=1")
    playing(tab)
    tab.evaluate("player.setVolume(0.5); player.sleepAfter(6 / 60)")
    reaches(tab, "player.audio.volume < 0.1 && player.playing")
    reaches(tab, "!player.playing")
    assert tab.evaluate("player.audio.volume") == 0.5
    assert "timer" in tab.inner_text("#about")


@pytest.mark.long
def test_the_pacer_is_off_and_can_be_on(looking: Callable[..., Any]) -> None:
    tab = looking(reduced_motion="reduce")
    assert not tab.is_visible("#pacer")
    tab.check("#pace")
    assert tab.inner_text("#breath") == "breathe in"
    assert tab.evaluate("getComputedStyle(document.querySelector('.ring')).animationName") == "none"


@pytest.mark.long
def test_of_two_tabs_one_plays(looking: Callable[..., Any]) -> None:
    first = looking("?session=1")
    playing(first)
    second = looking("?session=2", context=first.context)
    playing(second)
    reaches(first, "!player.playing")
    # A stream that stalled and goes on is nothing that the listener of the other tab did.
    first.evaluate("player.audio.dispatchEvent(new Event('playing'))")
    first.wait_for_timeout(300)
    assert second.evaluate("player.playing")


@pytest.mark.long
def test_an_app_that_ends_while_it_plays_is_said(looking: Callable[..., Any], app: App) -> None:
    tab = looking("?session=1")
    playing(tab)
    app.stop()
    tab.evaluate("player.tell('playing')")
    reaches(tab, "!document.getElementById('problem').hidden")
    assert "Start therapy-gen open again" in tab.inner_text("#problem")


@pytest.mark.long
def test_a_locked_database_is_said_and_the_sound_goes_on(looking: Callable[..., Any], app: App) -> None:
    tab = looking("?session=1")
    playing(tab)
    tab.evaluate("player.seek(10)")
    reaches(tab, "player.playing && player.at > 10.2")
    other = sqlite3.connect(app.home / "therapy.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    at = tab.evaluate("player.at")
    tab.click("[data-value='3']")
    reaches(tab, "!document.getElementById('problem').hidden")
    assert "locked by another program" in tab.inner_text("#problem")
    other.execute("ROLLBACK")
    other.close()
    assert tab.evaluate("player.at") > at
    assert tab.evaluate("player.playing")


@pytest.mark.long
def test_wishes_are_remembered(looking: Callable[..., Any]) -> None:
    tab = looking()
    reaches(tab, READY)
    tab.click("summary")
    with tab.expect_response("**/api/settings"):
        tab.select_option("[name=palette]", "harp")
    again = looking(context=tab.context)
    assert again.input_value("[name=palette]") == "harp"


@pytest.mark.long
def test_the_history_plays_again_and_deletes(looking: Callable[..., Any], app: App) -> None:
    tab = looking("?session=1")
    playing(tab)
    first, second = tab.evaluate("player.session.items.filter((one) => one.piece).slice(0, 2).map((one) => one.onset)")
    for button, onset in (("#next", first), ("#next", second), ("#back", first)):
        tab.click(button)
        reaches(tab, f"player.item.piece !== null && player.item.onset === {onset}")
        # Back leads to the beginning of a piece that was heard for longer.
        reaches(tab, f"player.at > {onset + 0.2}")
    title = tab.evaluate("player.item.title")
    tab.click("#favourite")
    reaches(tab, "player.item.mark === 'favourite'")
    tab.evaluate("player.pause()")
    tab.goto(app.base + "history")
    reaches(tab, "document.querySelector('main').innerText.includes('heard')")
    assert title in tab.inner_text("main")
    tab.click("a[href='/?session=1'] >> nth=0")
    reaches(tab, "window.player?.session?.id === 1")
    tab.goto(app.base + "sessions/1")
    tab.on("dialog", lambda dialog: dialog.accept())
    tab.click("text=Delete session")
    tab.wait_for_url("**/history")
    assert [session.id for session in list_sessions(Store.open(app.home / "therapy.db"))].count(1) == 0


@pytest.mark.long
def test_sound_comes_in_ranges(app: App) -> None:
    client = app.client()
    whole = 44 + (60 * 44100) * 4
    requested = urllib.request.Request(app.base + "sound/2.wav", headers={"Range": "bytes=0-99"})
    with client.open(requested) as answer:
        content = answer.read()
        assert (answer.status, len(content), content[:4]) == (206, 100, b"RIFF")
        size = int(answer.headers["Content-Range"].rpartition("/")[2])
    assert abs(size - whole) < whole * 0.1
    start = 44 + 44100 * 4 * 10
    with client.open(
        urllib.request.Request(app.base + "sound/2.wav", headers={"Range": f"bytes={start}-{start + 399}"})
    ) as answer:
        part = answer.read()
    import numpy as np

    from sessions.export.audio import live_session

    block = next(live_session(Store.open(app.home / "therapy.db"), 2, start_s=0.0))
    # The same music; what is sought is struck a moment before, and its loudness measured on excerpts.
    assert len(part) == 400
    with client.open(
        urllib.request.Request(app.base + "sound/2.wav", headers={"Range": f"bytes=44-{44 + 399999}"})
    ) as answer:
        heard = np.frombuffer(answer.read(), "<i2").reshape(-1, 2)
    assert np.array_equal(heard, np.rint(block[:100000] * 32767.0).astype("<i2"))


@pytest.mark.long
def test_what_streams_is_about_as_loud_as_the_export(with_session: Path) -> None:
    import numpy as np

    from sessions.export.audio import live_session, stream_session

    store = Store.open(with_session / "therapy.db")
    exact = np.concatenate(list(stream_session(store, 1)))
    live = np.concatenate(list(live_session(store, 1)))
    assert live.shape == exact.shape
    difference_db = 10 * np.log10(np.mean(np.square(live)) / np.mean(np.square(exact)))
    assert abs(difference_db) < 1.5
    sought = np.concatenate(list(live_session(store, 1, start_s=60.0)))
    assert np.corrcoef(sought[44100:400000, 0], live[60 * 44100 + 44100 : 60 * 44100 + 400000, 0])[0, 1] > 0.8


def test_a_stall_is_not_heard(with_session: Path) -> None:
    from sessions.playback.heard import HeardLog
    from sessions.storage.library import get_session

    store = Store.open(with_session / "therapy.db")
    clock = [100.0]
    log = HeardLog(store, get_session(store, 1), now=lambda: clock[0])
    log.tell("playing", 0.0)
    # It stands still at second 10 for 20 seconds, goes on, and then nobody tells of it any more.
    clock[0] += 30
    log.tell("playing", 10.0)
    clock[0] += 15
    log.tell("playing", 25.0)
    clock[0] += 3600
    log.stop()
    log.wait()
    (play,) = list_plays(store, 1)
    assert not play.finished
    assert [(round(one.onset_s), round(one.from_s), round(one.duration_s)) for one in play.stretches] == [
        (0, 0, 10),
        (30, 10, 35),
    ]


def test_two_words_at_once_are_of_one_play(with_session: Path) -> None:
    import threading

    from sessions.playback.heard import HeardLog
    from sessions.storage.library import get_session

    store = Store.open(with_session / "therapy.db")
    log = HeardLog(store, get_session(store, 1))
    both = threading.Barrier(8)

    def tell() -> None:
        both.wait()
        log.tell("playing", 0.0)

    threads = [threading.Thread(target=tell) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.tell("ended", 0.1)
    log.wait()
    assert len(list_plays(store, 1)) == 1


def test_a_play_that_is_told_of_is_logged(with_session: Path) -> None:
    from sessions.playback.heard import HeardLog
    from sessions.storage.library import get_session

    store = Store.open(with_session / "therapy.db")
    record = get_session(store, 1)
    clock = [100.0]
    log = HeardLog(store, record, now=lambda: clock[0])
    log.tell("playing", 0.0)
    clock[0] += 15
    log.tell("playing", 15.1)
    clock[0] += 5
    log.tell("paused", 20.0)
    clock[0] += 60
    log.tell("playing", 20.0)
    clock[0] += 2
    log.tell("playing", 90.0)
    clock[0] += record.duration_s - 90
    log.tell("ended", record.duration_s)
    log.wait()
    (play,) = list_plays(store, 1)
    assert play.finished
    assert [(round(one.onset_s), round(one.from_s), round(one.duration_s)) for one in play.stretches[:3]] == [
        (0, 0, 20),
        (80, 20, 2),
        (82, 90, round(record.items[0].duration_s - 90)),
    ]
