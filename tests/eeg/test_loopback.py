"""Sound through a sound device, and what is recorded of it, against the labels of what is heard."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eeg import open_recording
from eeg.headset.recorder import Recorder
from eeg.headset.sources import open_source
from sessions.playback.outputs import SILENT, Output, open_output
from sessions.playback.player import Player
from sessions.records import ItemRecord
from tests.eeg.sound_server import Monitor, sound_server

pytestmark = pytest.mark.long
RATE = 44100


class NoLog:
    """Keeps no log."""

    def __init__(self, started: datetime) -> None:
        pass

    def begin(self, position: int, onset_s: float, from_s: float = 0.0) -> None:
        pass

    def end(self, at_s: float) -> None:
        pass

    def close(self, at_s: float, *, finished: bool) -> None:
        pass


def beeps(lengths: list[int]) -> Iterator[Iterator[np.ndarray[Any, Any]]]:
    """Items of a beep of 0.1 s, and silence."""
    for length in lengths:
        block = np.zeros((length, 2), np.float32)
        block[:4410] = 0.5 * np.cos(2 * np.pi * 1000 * np.arange(4410) / RATE)[:, None]
        yield iter([block])


def sent_on(monitor: Monitor, name: str, ending: threading.Event) -> threading.Thread:
    """Send what a monitor gives as a stream of LSL."""
    pylsl = pytest.importorskip("pylsl")
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "EEG", 1, monitor.stream.sfreq, pylsl.cf_float32, name))

    def send() -> None:
        while not ending.wait(0.005):
            moments, values = monitor.read()
            if len(moments):
                # Microvolts are what a stream without units is taken to send.
                stamp = moments[-1] - time.monotonic() + pylsl.local_clock()
                outlet.push_chunk((values * 1e6).tolist(), stamp)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_labels_stand_where_the_sound_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the sound card and back, over LSL: median below 20 ms, worst below 50 ms."""
    sounddevice = pytest.importorskip("sounddevice")
    name = f"loopback-{tmp_path.name}"
    lengths = [int(RATE * seconds) for seconds in np.random.default_rng(0).uniform(0.4, 0.9, 30)]
    items = [ItemRecord(n, "silence", None, 0.0, length / RATE) for n, length in enumerate(lengths)]
    ending = threading.Event()
    with sound_server(tmp_path) as where:
        for key, value in where.items():
            monkeypatch.setenv(key, value)
        # Devices are looked for once.
        sounddevice._terminate()
        sounddevice._initialize()
        monitor = Monitor()
        sending = sent_on(monitor, name, ending)
        try:
            recorder = Recorder(open_source(f"lsl:{name}"), tmp_path / "a.fif")
            assert recorder.wait(20.0)
            output: Output = open_output(None, RATE, "")
            assert Player(1, output, NoLog, markers=recorder).play(items, beeps(lengths))
            time.sleep(0.5)
            made = recorder.finish()
        finally:
            ending.set()
            sending.join()
            monitor.close()
    with open_recording(made.path) as recording:
        level = recording.read(0, recording.n_samples, [0])[0]
        labels = np.array([a.onset_s for a in recording.annotations if a.text == "silence"])
    loud = np.flatnonzero(level > level.max() / 4)
    onsets = loud[np.insert(np.diff(loud) > 0.2 * recording.sfreq, 0, True)] / recording.sfreq
    assert len(labels) == len(onsets) == len(items)
    away = 1000 * np.abs(labels - onsets)
    print(f"labels and sound: median {np.median(away):.1f} ms, worst {away.max():.1f} ms, {len(items)} onsets")
    assert np.median(away) < 20
    assert away.max() < 50


def test_no_sound_device_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sessions.errors import PlayError

    pytest.importorskip("sounddevice")
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path / 'nobody'}")
    with pytest.raises(PlayError, match="sound device 'none such' cannot be used"):
        open_output("none such", RATE, "give another")
    assert open_output(SILENT, RATE, "").ahead_s() == 0.0
