"""The app as a process of its own."""

from __future__ import annotations

import http.cookiejar
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROGRAM = [sys.executable, "-m", "therapy_gen.cli.main"]
PATIENCE_S = 90.0
NAME = "Anna Unmistakable M."
PHONE_AGENT = (
    "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36"
)
PHONE_SCREEN = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 3,
    "is_mobile": True,
    "has_touch": True,
    "user_agent": PHONE_AGENT,
}


@dataclass
class App:
    """A running app."""

    home: Path
    url: str
    process: subprocess.Popen[str]

    @property
    def base(self) -> str:
        """Its address without the token."""
        return self.url.partition("?")[0]

    def cpu_s(self) -> float:
        """Processor time that it has used, all threads: on a busy machine a clock says little."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def client(self) -> urllib.request.OpenerDirector:
        """Something that opens its pages, let in."""
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        opener.open(self.url).read()
        return opener

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(20)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def start(home: Path, *options: str, prefix: Sequence[str] = ()) -> App:
    """Start the app on a home, on another machine where a `prefix` of the command leads there."""
    pytest.importorskip("uvicorn", reason="the extra app is not installed")
    command = [*prefix, *PROGRAM, "--home", str(home), "open", "--no-browser", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("Open http://127.0.0.1:"), (line, process.stderr.read() if process.stderr else "")
    return App(home, line.split()[1], process)


def reaches(tab: Any, expression: str, within_s: float = PATIENCE_S) -> None:
    """Wait until an expression is true."""
    end = time.monotonic() + within_s
    while not tab.evaluate(expression):
        assert time.monotonic() < end, f"never came: {expression}; the page says {tab.inner_text('main')!r}"
        tab.wait_for_timeout(50)
