"""Streams of LSL as they come: without names, in counts, with an electrode that is dead."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eeg.errors import DeadElectrodesError, RecordingError
from eeg.headset.recorder import begin_recording
from eeg.headset.sources import open_source

SFREQ = 250.0


@contextmanager
def stream(name: str, channels: int = 3, unit: str = "", flat: int | None = None) -> Iterator[str]:
    """Send noise of 10 uV, one channel of it flat; described only where it has a unit."""
    pylsl = pytest.importorskip("pylsl")
    name = f"{name}-{os.getpid()}"
    info = pylsl.StreamInfo(name, "EEG", channels, SFREQ, pylsl.cf_float32, name)
    if unit:
        described = info.desc().append_child("channels")
        for number in range(channels):
            one = described.append_child("channel")
            one.append_child_value("label", f"C{number + 1}")
            one.append_child_value("unit", unit)
    outlet = pylsl.StreamOutlet(info)
    ending = threading.Event()

    def send() -> None:
        sent, zero = 0, pylsl.local_clock()
        rng = np.random.default_rng(0)
        while not ending.wait(0.02):
            due = int((pylsl.local_clock() - zero) * SFREQ)
            if due > sent:
                block: Any = np.cumsum(rng.normal(0, 1, (due - sent, channels)), axis=0)
                if flat is not None:
                    block[:, flat] = 0.0
                outlet.push_chunk(block.tolist(), zero + (due - 1) / SFREQ)
            sent = due

    thread = threading.Thread(target=send)
    thread.start()
    try:
        if not pylsl.resolve_byprop("name", name, timeout=5.0):
            pytest.skip("LSL finds no stream on this machine (no network)")
        yield f"lsl:{name}"
    finally:
        ending.set()
        thread.join()


def test_channels_without_names_are_numbered() -> None:
    with stream("nameless") as source:
        connected = open_source(source)
        assert connected.stream.channels == ("EEG 1", "EEG 2", "EEG 3")
        connected.close()


def test_counts_are_refused() -> None:
    with (
        stream("counts", unit="counts") as source,
        pytest.raises(RecordingError, match="no voltage .counts.*microvolts"),
    ):
        open_source(source)


def test_two_of_one_name_are_told_apart() -> None:
    """Both are called the same; each is known by its own id."""
    pylsl = pytest.importorskip("pylsl")
    name = f"twins-{os.getpid()}"
    outlets = [
        pylsl.StreamOutlet(pylsl.StreamInfo(name, "EEG", 1, SFREQ, pylsl.cf_float32, f"{name}-{n}")) for n in "ab"
    ]
    if len(pylsl.resolve_byprop("name", name, 2, timeout=5.0)) < 2:
        pytest.skip("LSL finds no stream on this machine (no network)")
    with pytest.raises(RecordingError, match=f"several LSL streams are called .*{name}-a, {name}-b"):
        open_source(f"lsl:{name}")
    assert outlets


def test_a_dead_electrode_begins_no_recording_unless_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eeg.headset.recorder._CONTACT_S", 3.0)
    with stream("dead", unit="microvolts", flat=1) as source:
        with pytest.raises(DeadElectrodesError, match="dead electrodes: C2; mend their contact") as error:
            begin_recording(source, tmp_path / "a.fif")
        assert error.value.channels == ("C2",)
        assert not list(tmp_path.iterdir())
        recorder = begin_recording(source, tmp_path / "a.fif", any_contact=True)
        assert recorder.wait(10.0)
        assert recorder.finish().path.exists()
