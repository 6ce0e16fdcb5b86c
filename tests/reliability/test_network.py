"""Nothing but a download that is asked for goes to the network."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

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
