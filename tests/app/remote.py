"""Browsers with windows that are driven as they are, so that a tab behind another is truly hidden."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_WAIT_S = 90.0


class Socket:
    """A WebSocket (RFC 6455) over which JSON is called: Chrome's protocol, WebDriver BiDi."""

    def __init__(self, url: str) -> None:
        found = re.fullmatch(r"ws://([^:/]+):(\d+)(/.*)?", url)
        assert found
        self._stream = socket.create_connection((found[1], int(found[2])), timeout=_WAIT_S)
        key = base64.b64encode(os.urandom(16)).decode()
        self._stream.sendall(
            f"GET {found[3] or '/'} HTTP/1.1\r\nHost: {found[1]}:{found[2]}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._file = self._stream.makefile("rb")
        assert b" 101 " in self._file.readline()
        while self._file.readline().strip():
            pass
        self._count = 0

    def call(self, method: str, **params: Any) -> Any:
        """Return what a method of the browser gives."""
        self._count += 1
        body = json.dumps({"id": self._count, "method": method, "params": params}).encode()
        mask = os.urandom(4)
        size = struct.pack(">BH", 0xFE, len(body)) if len(body) > 125 else bytes((0x80 | len(body),))
        self._stream.sendall(b"\x81" + size + mask + bytes(byte ^ mask[n % 4] for n, byte in enumerate(body)))
        while True:
            answer = json.loads(self._message())
            if answer.get("id") == self._count:
                assert "result" in answer, answer
                return answer["result"]

    def _message(self) -> bytes:
        whole = b""
        while True:
            first, size = self._file.read(2)
            size &= 0x7F
            if size > 125:
                size = int.from_bytes(self._file.read(2 if size == 126 else 8), "big")
            part = self._file.read(size)
            if first & 0x0F < 3:
                whole += part
                if first & 0x80:
                    return whole

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._stream.close()


class Chromium:
    """Chromium; its first tab is the one that is asked."""

    def __init__(self, program: str, profile: Path, env: dict[str, str]) -> None:
        flags = "--no-sandbox --disable-gpu --no-first-run --mute-audio --disable-background-networking"
        self.process = subprocess.Popen(
            [program, *flags.split(), "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port_file = profile / "DevToolsActivePort"
        _until(lambda: port_file.exists() and "\n" in port_file.read_text(), "Chromium does not start")
        self._base = f"http://127.0.0.1:{port_file.read_text().split()[0]}"
        with urllib.request.urlopen(f"{self._base}/json/list") as answer:
            (tab,) = (one for one in json.load(answer) if one["type"] == "page")
        self._tab = Socket(tab["webSocketDebuggerUrl"])

    def goto(self, url: str) -> None:
        """Open a page."""
        self._tab.call("Page.navigate", url=url)
        _until(lambda: self.evaluate("document.readyState") == "complete", f"{url} does not open")

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, as if the listener had just clicked."""
        wanted = {"returnByValue": True, "userGesture": True}
        return self._tab.call("Runtime.evaluate", expression=expression, **wanted)["result"].get("value")

    def call(self, method: str, **params: Any) -> Any:
        """Call a method of Chrome's protocol on its tab."""
        return self._tab.call(method, **params)

    def close(self) -> None:
        """End it."""
        self._tab.close()
        _end(self.process)

    def cover(self) -> None:
        """Open a second tab in front."""
        asked = urllib.request.Request(f"{self._base}/json/new?about:blank", method="PUT")
        urllib.request.urlopen(asked).close()


class Firefox:
    """Firefox, by WebDriver BiDi."""

    def __init__(self, program: str, profile: Path, env: dict[str, str]) -> None:
        profile.mkdir()
        self.process = subprocess.Popen(
            [program, "--remote-debugging-port=0", "--profile", str(profile), "--new-instance", "about:blank"],
            env={**env, "HOME": str(profile)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port_file = profile / "WebDriverBiDiServer.json"
        _until(lambda: port_file.exists() and port_file.read_text().endswith("}"), "Firefox does not start")
        where = json.loads(port_file.read_text())
        self._session = Socket(f"ws://127.0.0.1:{where['ws_port']}/session")
        self._session.call("session.new", capabilities={})
        self._tab = self._session.call("browsingContext.getTree")["contexts"][0]["context"]

    def goto(self, url: str) -> None:
        """Open a page."""
        self._session.call("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, as if the listener had just clicked."""
        wanted = {"awaitPromise": False, "userActivation": True}
        found = self._session.call("script.evaluate", expression=expression, target={"context": self._tab}, **wanted)
        assert found["type"] == "success", found
        return found["result"].get("value")

    def close(self) -> None:
        """End it."""
        self._session.close()
        _end(self.process)

    def cover(self) -> None:
        """Open a second tab in front."""
        self._session.call("browsingContext.create", type="tab", background=False)


@contextlib.contextmanager
def browser_with_windows(name: str, folder: Path) -> Iterator[Chromium | Firefox]:
    """Start a browser on a screen of its own; skips where one of both is missing."""
    kinds = {"chromium": (Chromium, ("chromium", "chromium-browser")), "firefox": (Firefox, ("firefox-esr", "firefox"))}
    kind, names = kinds[name]
    program = next((path for one in names if (path := shutil.which(one))), None)
    if program is None or (xvfb := shutil.which("Xvfb")) is None:
        pytest.skip(f"{name} or Xvfb is not installed")
    read, write = os.pipe()
    screen = subprocess.Popen(
        [xvfb, "-displayfd", str(write), "-screen", "0", "1000x700x24", "-nolisten", "tcp"],
        pass_fds=(write,),
        stderr=subprocess.DEVNULL,
    )
    try:
        os.close(write)
        with os.fdopen(read) as told:
            display = told.readline().strip()
        browser = kind(program, folder / name, {**os.environ, "DISPLAY": f":{display}"})
        try:
            yield browser
        finally:
            browser.close()
    finally:
        _end(screen)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def until(browser: Chromium | Firefox, expression: str) -> None:
    """Wait until an expression is true."""
    _until(lambda: bool(browser.evaluate(expression)), f"never came: {expression}")


def _until(there: Any, words: str) -> None:
    end = time.monotonic() + _WAIT_S
    while not there():
        assert time.monotonic() < end, words
        time.sleep(0.1)
