"""Recordings of ten minutes, fifty of them killed at a random moment; every one can be read up to there."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from eeg import open_recording
from eeg.headset.recorder import finish_recording

pytestmark = pytest.mark.hours
_MINUTES, _KILLS, _ROUNDS = 10, 50, 2
_CODE = """
import sys, time
from eeg.headset.recorder import start_recording
recorder = start_recording("brainflow:SYNTHETIC", sys.argv[1])
recorder.wait(60)
print("begun", flush=True)
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    recorder.send("tick")
    time.sleep(0.25)
recorder.finish()
"""


def record(path: Path, seconds: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-W", "ignore", "-c", _CODE, str(path), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def check(path: Path, seconds: float) -> float:
    """Read a recording as it was left; return how much of it is missing at its end."""
    with open_recording(path) as recording:
        ticks = [a.onset_s for a in recording.annotations if a.text == "tick"]
        # Four a second, of which a busy machine sends some later.
        assert len(ticks) > 2 * seconds
        assert ticks == sorted(ticks)
        step = int(60 * recording.sfreq)
        for start in range(0, recording.n_samples, step):
            assert np.isfinite(recording.read(start, min(start + step, recording.n_samples), [0, 15])).all()
        return seconds - recording.duration_s


def test_ten_minutes_killed_at_fifty_moments(tmp_path: Path) -> None:
    pytest.importorskip("brainflow")
    if sys.platform == "win32":
        pytest.skip("Windows has no SIGKILL")
    moments = sorted(random.Random(18).uniform(5.0, 60.0 * _MINUTES) for _ in range(_KILLS))
    missing = []
    for turn in range(_ROUNDS):
        # Each with one more that nobody kills.
        kills = moments[turn::_ROUNDS]
        running = [record(tmp_path / f"{turn}-{n}.fif", 60.0 * _MINUTES) for n in range(len(kills) + 1)]
        started = []
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begun\n"
            started.append(time.monotonic())
        for n, after_s in enumerate(kills):
            time.sleep(max(started[n] + after_s - time.monotonic(), 0.0))
            running[n].send_signal(signal.SIGKILL)
            running[n].wait()
            missing.append(check(tmp_path / f"{turn}-{n}.fif", time.monotonic() - started[n]))
        assert running[-1].wait(120) == 0
        for process in running:
            assert process.stdout is not None
            process.stdout.close()
        assert check(tmp_path / f"{turn}-{len(kills)}.fif", 60.0 * _MINUTES) < 5.0
        made = finish_recording(tmp_path / f"{turn}-0.fif")
        assert made.lost_s < 1.0
    print(f"{len(missing)} killed; missing at the end: median {np.median(missing):.2f} s, most {max(missing):.2f} s")
    # What was under way when the machine was busy.
    assert max(missing) < 5.0
