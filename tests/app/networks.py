"""Two machines in a network of their own: network namespaces that a cable joins."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

HOME, PHONE = "10.77.0.1", "10.77.0.2"


@dataclass
class Machine:
    """A namespace, by a process that keeps it."""

    keeper: subprocess.Popen[bytes]

    @property
    def prefix(self) -> list[str]:
        """What a command begins with to run there."""
        # Where the user namespace is this one's own, it cannot be entered again.
        return ["nsenter", f"--target={self.keeper.pid}", "--user", "--preserve-credentials", "--net"]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command there."""
        return subprocess.run([*self.prefix, *command], capture_output=True, text=True, check=False, timeout=60)


def _kept(*command: str, after: Sequence[str] = ()) -> Machine:
    keeper = subprocess.Popen(
        [*after, *command, "sh", "-c", "echo there; exec sleep 600"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert keeper.stdout is not None
    if keeper.stdout.readline() != b"there\n":
        keeper.wait()
        pytest.skip("no network namespaces can be made here")
    return Machine(keeper)


@contextlib.contextmanager
def two_machines() -> Iterator[tuple[Machine, Machine]]:
    """Make two machines, `HOME` and `PHONE`, that reach one another and nothing else; skips where that cannot be."""
    missing = [name for name in ("ip", "nsenter", "unshare") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: no network namespaces")
    home = _kept("unshare", "--net", "--map-root-user")
    try:
        phone = _kept("unshare", "--net", after=home.prefix)
        try:
            cable = ("ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns")
            laid = home.run(*cable, str(phone.keeper.pid))
            if laid.returncode:
                pytest.skip(f"no cable between network namespaces can be laid here: {laid.stderr.strip()}")
            for machine, address in ((home, HOME), (phone, PHONE)):
                for command in (
                    ("addr", "add", f"{address}/24", "dev", "cable"),
                    ("link", "set", "cable", "up"),
                    ("link", "set", "lo", "up"),
                ):
                    done = machine.run("ip", *command)
                    assert done.returncode == 0, done.stderr
            yield home, phone
        finally:
            phone.keeper.terminate()
            phone.keeper.communicate()
    finally:
        home.keeper.terminate()
        home.keeper.communicate()
