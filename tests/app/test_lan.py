"""`open --lan` from another machine: two network namespaces, an app in one and a phone's browser in the other."""

from __future__ import annotations

import json
import shlex
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.app.networks import HOME, Machine, two_machines
from tests.app.running import PHONE_SCREEN, reaches, start

# Sends requests from a machine: each a path, headers and a body, or none; answers with statuses and texts.
ASK = """
import http.client, json, sys
for path, headers, body in json.loads(sys.argv[2]):
    asked = http.client.HTTPConnection(*sys.argv[1].split(":"), timeout=20)
    asked.request("POST" if body is not None else "GET", path, body, headers)
    answer = asked.getresponse()
    print(json.dumps([answer.status, answer.headers.get("set-cookie", ""), answer.read().decode()]))
"""


def ask(machine: Machine, place: str, *requests: tuple[str, dict[str, str], str | None]) -> list[tuple[int, str, str]]:
    done = machine.run(sys.executable, "-c", ASK, place, json.dumps(requests))
    if "Refused" in done.stderr.rpartition("\n")[0] and not done.stdout:
        raise ConnectionRefusedError
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.mark.long
def test_without_lan_no_other_machine_reaches_it(app_home: Path, tmp_path: Path) -> None:
    shutil.copytree(app_home, tmp_path / "home")
    with two_machines() as (here, phone):
        app = start(tmp_path / "home", "--port", "8123", prefix=here.prefix)
        try:
            ((status, _, _),) = ask(here, "127.0.0.1:8123", ("/", {}, None))
            assert status == 403
            with pytest.raises(ConnectionRefusedError):
                ask(phone, f"{HOME}:8123", ("/", {}, None))
        finally:
            app.stop()


@pytest.mark.long
def test_a_phone_pairs_and_plays_from_its_own_address(app_home: Path, tmp_path: Path, chromium: Any) -> None:
    shutil.copytree(app_home, tmp_path / "home")
    with two_machines() as (here, phone):
        app = start(tmp_path / "home", "--lan", "--port", "8123", prefix=here.prefix)
        try:
            assert app.process.stdout is not None
            told = app.process.stdout.readline()
            place = f"{HOME}:8123"
            assert told.startswith(f"On a phone in the same network: http://{place}/ with the code "), told
            code = told.split()[-1]
            wrong = "000000" if code != "000000" else "000001"
            # Nothing is there for who has not typed the code, nor under another name, nor for another site's page.
            asked = [
                ("/", {}, None),
                ("/clients", {}, None),
                ("/sound/1.wav", {}, None),
                ("/api/next", {}, None),
                ("/pair", {}, f"code={wrong}"),
                ("/pair", {"Host": "evil.example:8123"}, f"code={code}"),
                ("/pair", {"Origin": "http://evil.example"}, f"code={code}"),
                ("/pair", {"Origin": f"http://{place}"}, f"code={code}"),
            ]
            answers = ask(phone, place, *asked)
            assert [status for status, _, _ in answers] == [303, 403, 403, 403, 403, 403, 403, 303]
            cookie = {"Cookie": answers[-1][1].partition(";")[0]}
            assert [bool(set_) for _, set_, _ in answers] == [False] * 7 + [True]
            let_in = [("/clients", cookie, None), ("/clients", {**cookie, "Host": "evil.example:8123"}, None)]
            assert [status for status, _, _ in ask(phone, place, *let_in)] == [200, 403]
            _play_on_the_phone(phone, tmp_path, chromium, code)
        finally:
            app.stop()


def _play_on_the_phone(phone: Machine, tmp_path: Path, chromium: Any, code: str) -> None:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or "google-chrome"
    on_the_phone = tmp_path / "chromium-of-the-phone"
    on_the_phone.write_text(f'#!/bin/sh\nexec {shlex.join([*phone.prefix, program])} "$@"\n', encoding="utf-8")
    on_the_phone.chmod(stat.S_IRWXU)
    browser = chromium.browser_type.launch(
        executable_path=str(on_the_phone), args=["--no-sandbox", "--disable-gpu", "--mute-audio"]
    )
    try:
        tab = browser.new_context(**PHONE_SCREEN).new_page()
        tab.set_default_timeout(90_000)
        tab.goto(f"http://{HOME}:8123/?session=1")
        assert "Pair this device" in tab.inner_text("main")
        tab.fill("[name=code]", code)
        with tab.expect_navigation():
            tab.tap("text=Pair >> nth=-1")
        reaches(tab, "window.player && player.session !== null")
        tab.tap("#play")
        reaches(tab, "player.playing && player.at > 0.5")
    finally:
        browser.close()


@pytest.mark.long
def test_the_code_after_five_wrong_ones_is_told(app_home: Path, tmp_path: Path) -> None:
    shutil.copytree(app_home, tmp_path / "home")
    with two_machines() as (here, phone):
        app = start(tmp_path / "home", "--lan", "--port", "8123", prefix=here.prefix)
        try:
            assert app.process.stdout is not None
            code = app.process.stdout.readline().split()[-1]
            wrong = "000000" if code != "000000" else "000001"
            answers = ask(phone, f"{HOME}:8123", *[("/pair", {}, f"code={wrong}")] * 5, ("/pair", {}, f"code={code}"))
            # The old one is over, and the new one stands where it is started.
            assert [status for status, _, _ in answers] == [403] * 6
            told = app.process.stdout.readline()
            assert "Five wrong codes" in told
            assert told.split()[-1] != code
        finally:
            app.stop()
