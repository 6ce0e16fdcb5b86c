"""A sound server of one's own with a sound card that is none: what is played there can be recorded from its monitor."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from eeg.headset.sources import Float32, Float64, Stream

RATE, STEP = 44100, 44


@contextmanager
def sound_server(folder: Path) -> Iterator[dict[str, str]]:
    """Run PulseAudio with a null sink; give the environment in which programs find it."""
    if shutil.which("pulseaudio") is None or shutil.which("parec") is None:
        pytest.skip("PulseAudio is not installed (pulseaudio, pulseaudio-utils, libasound2-plugins)")
    home = folder / "sound"
    home.mkdir(mode=0o700)
    where = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "PULSE_SERVER": f"unix:{home / 'native'}"}
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=0"]
    command += ["-L", f"module-native-protocol-unix socket={home / 'native'}"]
    command += ["-L", f"module-null-sink sink_name=out rate={RATE}"]
    server = subprocess.Popen(command, env=os.environ | where, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 20
        while not (home / "native").exists():
            if server.poll() is not None or time.monotonic() > end:
                pytest.skip("PulseAudio does not start here")
            time.sleep(0.05)
        yield where
    finally:
        server.terminate()
        server.wait(10)


class Monitor:
    """What is heard on the null sink, as an amplifier would give it: the largest of each millisecond."""

    def __init__(self) -> None:
        self.stream = Stream("monitor", RATE / STEP, ("Cz",))
        command = ["parec", "--raw", "-d", "out.monitor", "--format=s16le", "--channels=1", f"--rate={RATE}"]
        self._process = subprocess.Popen(
            [*command, "--latency-msec=5", "--process-time-msec=5"], stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout.fileno()
        os.set_blocking(self._pipe, False)
        self._rest = b""

    def read(self) -> tuple[Float64, Float32]:
        """Return what came; the last sample came now."""
        with suppress(BlockingIOError):
            self._rest += os.read(self._pipe, 1 << 20)
        now = time.monotonic()
        count = len(self._rest) // (2 * STEP)
        taken, self._rest = self._rest[: count * 2 * STEP], self._rest[count * 2 * STEP :]
        values = np.abs(np.frombuffer(taken, "<i2").astype(np.float32).reshape(count, STEP)).max(axis=1, initial=0)
        moments = now - (len(self._rest) // 2 + STEP * np.arange(count, 0, -1)) / RATE
        return moments, (values[:, None] * np.float32(1e-9)).astype(np.float32)

    def close(self) -> None:
        """End."""
        self._process.terminate()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()
