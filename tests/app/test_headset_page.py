"""The headset page: contact as it is, and a session that is recorded, with BrainFlow's synthetic board."""

from __future__ import annotations

import json
import shutil
import stat
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eeg import open_recording
from tests.app.running import NAME, App, reaches


@pytest.fixture(autouse=True)
def brainflow() -> None:
    pytest.importorskip("brainflow")


@pytest.mark.long
def test_contact_is_shown_and_a_session_is_recorded(looking: Callable[..., Any], app: App) -> None:
    tab = looking("headset", viewport={"width": 390, "height": 844})
    reaches(tab, "document.documentElement.dataset.headset === 'idle'")
    tab.fill("#source", "brainflow:SYNTHETIC")
    tab.click("text=Check contact")
    reaches(tab, "document.querySelectorAll('#contacts tr').length === 16")
    first = tab.evaluate("[...document.querySelector('#contacts tr').cells].map((cell) => cell.textContent)")
    assert first[0] == "Fz"
    assert "of 16 good" in tab.inner_text("#said")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    # The check ends by itself when a recording begins.
    tab.select_option("[name=session]", "1")
    tab.select_option("[name=sound]", "none")
    tab.uncheck("[name=score]")
    tab.check("[name=any_contact]")
    tab.click("text=Begin >> nth=-1")
    reaches(tab, "document.documentElement.dataset.headset === 'playing' && document.querySelector('#place').value > 0")
    tab.wait_for_timeout(1500)
    tab.click("text=End the recording")
    reaches(tab, "document.documentElement.dataset.headset === 'done'")
    assert "Recorded " in tab.inner_text("#recorded")
    (path,) = (app.home / "recordings").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with open_recording(path) as recording:
        texts = [annotation.text for annotation in recording.annotations]
        assert "silence" in texts
        assert "session/1" in texts


@pytest.mark.long
def test_what_is_not_there_is_said(looking: Callable[..., Any], app: App) -> None:
    tab = looking("headset")
    tab.fill("#source", "brainflow:CYTON:/dev/nothing")
    tab.click("text=Check contact")
    reaches(tab, "document.documentElement.dataset.headset === 'failed'")
    assert "cannot be reached" in tab.inner_text("#problem")
    tab.fill("#source", "muse")
    tab.click("text=Check contact")
    reaches(tab, "document.querySelector('#problem').textContent.includes('names no source')")


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_can_be_read_by_those_who_see_less(looking: Callable[..., Any], app: App, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    tab = looking("headset", viewport={"width": 390, "height": 844}, color_scheme=scheme)
    tab.click("text=Check contact")
    reaches(tab, "document.querySelectorAll('#contacts tr').length === 16")
    found = axe.Axe().run(tab).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []
    tab.click("#stop")


def test_calls_want_the_pages_own_token(app: App) -> None:
    opener = app.client()
    body = json.dumps({"source": "brainflow:SYNTHETIC"}).encode()
    request = urllib.request.Request(app.base + "api/headset/check", body, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as error:
        opener.open(request)
    assert error.value.code == 403


def test_recordings_of_a_listener_are_forgotten(app_home: Path, tmp_path: Path) -> None:
    from therapy_gen.cli.main import run

    home = tmp_path / "home"
    shutil.copytree(app_home, home)
    folder = home / "recordings"
    folder.mkdir()
    (folder / "session-1-20260101-000000.fif").write_bytes(b"eeg")
    (folder / "session-11-20260101-000000.fif").write_bytes(b"eeg")
    assert run(["--home", str(home), "--quiet", "listener", "forget", NAME, "--yes"]) == 0
    assert [path.name for path in Path(folder).iterdir()] == ["session-11-20260101-000000.fif"]
