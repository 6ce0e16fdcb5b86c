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
_MINUTES, _KILLS = 10, 50
_CODE = """
import sys, time
from pathlib import Path
from eeg.headset.recorder import begin_recording
recorder = begin_recording("brainflow:SYNTHETIC", Path(sys.argv[1]), any_contact=True)
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
    rng = random.Random(18)
    moments = sorted(rng.uniform(5.0, 60.0 * _MINUTES) for _ in range(_KILLS))
    # All at once, and one more that nobody kills.
    paths = [tmp_path / f"{n}.fif" for n in range(_KILLS + 1)]
    running = [record(path, 60.0 * _MINUTES) for path in paths]
    started, missing = [], []
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        started.append(time.monotonic())
    for n, after_s in enumerate(moments):
        time.sleep(max(started[n] + after_s - time.monotonic(), 0.0))
        running[n].send_signal(signal.SIGKILL)
        running[n].wait()
        missing.append(check(paths[n], time.monotonic() - started[n]))
    assert running[-1].wait(60.0 * _MINUTES) == 0
    for process in running:
        assert process.stdout is not None
        process.stdout.close()
    assert check(paths[-1], 60.0 * _MINUTES) < 5.0
    for path in paths[:3]:
        assert finish_recording(path).lost_s < 5.0
    print(f"{len(missing)} killed; missing at the end: median {np.median(missing):.2f} s, most {max(missing):.2f} s")
    # What was under way when the machine was busy.
    assert max(missing) < 5.0
