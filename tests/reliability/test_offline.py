"""Nothing but a download that is asked for goes to the network."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Every way to a network that Python has, shut: a command that goes there ends with a traceback.
BLOCKED = """
import socket, sys
def refuse(*arguments, **named):
    raise RuntimeError(f"the network was asked for: {arguments!r:.200}")
class Shut(socket.socket):
    def connect(self, address):
        if self.family != getattr(socket, "AF_UNIX", None):
            refuse(address)
        return super().connect(address)
    connect_ex = sendto = connect
socket.socket = Shut
socket.create_connection = socket.getaddrinfo = socket.gethostbyname = refuse
from therapy_gen.cli.main import run
for line in sys.argv[1].split("\\n"):
    status = run(line.split())
    assert status == 0, (line, status)
"""
LINES = """--quiet session new --minutes 1 --seed 1 --listener ana
session list
session show 2
piece list
export --session 2 -o {out}/a.m3u8 --audio ogg
export --session 2 -o {out}/b.json
export --session 2 -o {out}/a.tsv
export --session 2 -o {out}/a.mid
session report 2 -o {out}/s.html
report --listener ana -o {out}/l.html
model list
model info
model known
db check
session delete 1 --yes"""


def blocked(lines: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BLOCKED, lines], capture_output=True, text=True, check=False, timeout=500
    )


@pytest.mark.long
def test_commands_stay_offline_and_files_name_no_machine(with_session: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    done = blocked(LINES.format(out=out))
    assert done.returncode == 0, done.stderr[-2000:]
    files = [file for file in out.rglob("*") if file.is_file()]
    assert len(files) >= 7
    for file in files:
        content = file.read_bytes()
        assert str(tmp_path).encode() not in content, file.name
        assert str(Path.home()).encode() + b"/" not in content, file.name
        if len(platform.node()) > 4:
            assert platform.node().encode() not in content, file.name


def test_the_block_stops_a_download(home: Path) -> None:
    done = blocked("model import https://example.org/a.tar --config cat-mel_2bar_small")
    assert done.returncode != 0
    assert "network was asked for" in done.stderr


# The same commands in one process, nothing shut.
OPEN = """
import sys
from therapy_gen.cli.main import run
for line in sys.argv[1].split("\\n"):
    assert run(line.split()) == 0, line
"""
MORE = """
piece import {out}/a.mid
sample -n 1 --seed 1 -o {out}/samples
interpolate {out}/samples/sample-01.mid {out}/samples/sample-01.mid --steps 2 -o {out}/way
simulate-eeg --session 2 -o {out}/eeg_raw.fif --seed 1
score-eeg {out}/eeg_raw.fif --report {out}/eeg.html
rank --listener ana
listener export ana -o {out}/ana.zip
db backup {out}/copy.db
export --session 2 -o {out}/a.mp3"""
LOOPBACK = re.compile(r'inet_addr\("127\.|inet_pton\(AF_INET6, "::1"')


def outside(trace: str) -> list[str]:
    """Return the lines of a trace in which something goes to an address that is not this machine's own."""
    going = re.compile(r"\b(connect|sendto|sendmsg|sendmmsg)\(.*sa_family=AF_INET6?\b")
    return [line for line in trace.splitlines() if going.search(line) and not LOOPBACK.search(line)]


def traced(code: str, argument: str, log: Path) -> subprocess.CompletedProcess[str]:
    command = ["strace", "-f", "-qq", "-e", "trace=network", "-o", str(log), sys.executable, "-c", code, argument]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)


@pytest.mark.long
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not here")
def test_no_system_call_of_any_command_goes_outside(with_session: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    done = traced(OPEN, (LINES + MORE).format(out=out), tmp_path / "trace")
    assert done.returncode == 0, done.stderr[-2000:]
    assert outside((tmp_path / "trace").read_text()) == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not here")
def test_a_trace_shows_what_goes_outside(tmp_path: Path) -> None:
    reach = "import socket, sys; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect((sys.argv[1], 9))"
    done = traced(reach, "192.0.2.1", tmp_path / "trace")
    if "ptrace" in done.stderr.lower() or not (tmp_path / "trace").read_text():
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert len(outside((tmp_path / "trace").read_text())) == 1
    traced(reach, "127.0.0.1", tmp_path / "trace")
    assert outside((tmp_path / "trace").read_text()) == []


def test_commands_run_where_there_is_no_network(with_session: Path, tmp_path: Path) -> None:
    alone = ["unshare", "--net", "--map-root-user"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespace without a network can be made here")
    lines = f"session list\nsession show 1\nmodel known\nexport --session 1 -o {tmp_path}/a.mid"
    done = subprocess.run(
        [*alone, sys.executable, "-c", OPEN, lines], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr[-2000:]
