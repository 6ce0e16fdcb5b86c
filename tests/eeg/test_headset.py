"""Live EEG: sources, contact, and the file that grows."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eeg import open_recording
from eeg.errors import ParameterError, RecordingError
from eeg.headset.contact import judge_contact
from eeg.headset.journal import JournalWriter, read_journal
from eeg.headset.recorder import Recorder, finish_recording
from eeg.headset.sources import Float32, Float64, Stream, open_source
from therapy_gen.errors import TherapyGenError

SFREQ = 250.0


class Amplifier:
    """An amplifier that is driven by the test: what it gives is queued."""

    def __init__(self, channels: int = 2) -> None:
        self.stream = Stream("test", SFREQ, tuple(f"C{n + 1}" for n in range(channels)))
        self.queue: list[tuple[Float64, Float32]] = []
        self.problem: RecordingError | None = None

    def read(self) -> tuple[Float64, Float32]:
        if self.problem is not None:
            raise self.problem
        if self.queue:
            return self.queue.pop(0)
        return np.zeros(0), np.zeros((0, len(self.stream.channels)), np.float32)

    def close(self) -> None:
        pass


def ramp(first: int, count: int) -> Float32:
    values = np.arange(first, first + count, dtype=np.float32) * 1e-9
    return np.stack([values, -values], axis=1)


def journal(path: Path, *, hole: int = 0, late: float = 0.0) -> None:
    """A journal of 20 s in deliveries of 0.1 s: `hole` samples missing at 10 s, delivery delayed at 5 s by `late`."""
    stream = Stream("test", SFREQ, ("C3", "C4"))
    writer = JournalWriter(path, stream, datetime(2026, 1, 1, tzinfo=UTC), 100.0)
    writer.label(101.0, "piece/01M8BW8QQG1C8D6Z8V6SC6H1Q6")
    for k in range(200):
        start = 25 * k + (hole if k >= 100 else 0)
        moment = 100.0 + start / SFREQ + (late if k == 50 else 0.0)
        writer.samples(moment, moment + 24 / SFREQ, ramp(start, 25))
    writer.label(112.0, "end/01M8BW8QQG1C8D6Z8V6SC6H1Q6")
    writer.close()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.fif"
    journal(path)
    with open_recording(path) as recording:
        assert (recording.n_samples, recording.sfreq) == (5000, SFREQ)
        assert [(a.text[:6], round(a.onset_s, 3)) for a in recording.annotations] == [("piece/", 1.0), ("end/01", 12.0)]
        assert recording.read(1234, 1300, [1]) == pytest.approx(-np.arange(1234, 1300)[None] * 1e-9, abs=1e-12)
    made = finish_recording(path)
    assert (made.duration_s, made.lost_s, made.problem) == (20.0, 0.0, None)
    with open_recording(path) as recording:
        assert recording.format == "FIF"
        assert recording.read(1234, 1300, [0]) == pytest.approx(np.arange(1234, 1300)[None] * 1e-9, abs=1e-12)
        assert [round(a.onset_s, 3) for a in recording.annotations] == [1.0, 12.0]
        assert recording.meas_date == datetime(2026, 1, 1, tzinfo=UTC)


def test_lost_samples_leave_a_marked_hole(tmp_path: Path) -> None:
    path = tmp_path / "a.fif"
    journal(path, hole=500)
    with open_recording(path) as recording:
        assert recording.n_samples == 5500
        (lost,) = [a for a in recording.annotations if a.text.startswith("BAD")]
        assert (lost.onset_s, lost.duration_s) == (10.0, 2.0)
        assert [round(a.onset_s, 2) for a in recording.annotations if a.text.startswith("end")] == [12.0]
        assert recording.read(3000, 3001, [0]).item() == pytest.approx(3000e-9, abs=1e-12)


def test_a_late_delivery_is_no_loss(tmp_path: Path) -> None:
    path = tmp_path / "a.fif"
    journal(path, late=0.4)
    found = read_journal(path)
    assert (found.n_samples, found.lost) == (5000, ())
    assert found.labels[0][0] == pytest.approx(1.0, abs=0.005)


def test_a_journal_cut_anywhere_is_read_or_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.fif"
    journal(whole)
    content = whole.read_bytes()
    for size in [*range(0, 400, 7), *random.Random(1).sample(range(600, len(content)), 60)]:
        path = tmp_path / "cut.fif"
        path.write_bytes(content[:size])
        if size < 400:
            with pytest.raises(TherapyGenError, match="record"):
                read_journal(path)
        else:
            found = read_journal(path)
            assert size // 225 - 2 <= found.n_samples // 25 <= size // 225


def test_a_damaged_entry_ends_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.fif"
    journal(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert 2000 < read_journal(path).n_samples < 3000


def test_labels_stand_where_the_sound_was(tmp_path: Path) -> None:
    """Labels sent with a known offset to an impulse in the signal."""
    amplifier = Amplifier()
    recorder = Recorder(amplifier, tmp_path / "a.fif")
    sent = []
    sample = 0
    zero = time.monotonic()
    for block in range(60):
        time.sleep(0.05)
        due = int((time.monotonic() - zero) * SFREQ)
        values = np.zeros((due - sample, 2), np.float32)
        if block % 10 == 5:
            values[-1] = 1e-4
            # The impulse is taken now; it is labelled as the sound that is heard in 0.1 s, less 0.1 s.
            sent.append(due - 1)
            recorder.send("impulse", ahead_s=zero + (due - 1) / SFREQ - time.monotonic())
        amplifier.queue.append((zero + np.arange(sample, due) / SFREQ, values))
        sample = due
    made = recorder.finish()
    with open_recording(made.path) as recording:
        data = recording.read(0, recording.n_samples, [0])[0]
        impulses = np.flatnonzero(data > 5e-5) / SFREQ
        labels = [a.onset_s for a in recording.annotations if a.text == "impulse"]
    assert len(impulses) == len(sent) == len(labels)
    assert np.abs(impulses - labels).max() < 0.02


@pytest.mark.parametrize("away_s", [6.0, 30.0])
def test_a_source_that_goes_and_comes_back_leaves_a_hole(away_s: float, tmp_path: Path) -> None:
    first, second = Amplifier(), Amplifier()
    zero = time.monotonic()
    first.queue = [(zero + np.arange(k, k + 250) / SFREQ, ramp(k, 250)) for k in range(0, 1500, 250)]
    recorder = Recorder(first, tmp_path / "a.fif", reopen=lambda: second)
    assert recorder.wait(5.0)
    while first.queue:
        time.sleep(0.05)
    back = 1500 + int(away_s * SFREQ)
    second.queue = [(zero + np.arange(k, k + 250) / SFREQ, ramp(k, 250)) for k in range(back, back + 1500, 250)]
    first.problem = RecordingError("the board is gone")
    while second.queue:
        time.sleep(0.05)
    made = recorder.finish()
    assert made.problem is None
    assert made.duration_s == pytest.approx(12.0 + away_s)
    assert made.lost_s == pytest.approx(away_s)
    with open_recording(made.path) as recording:
        (lost,) = [a for a in recording.annotations if a.text.startswith("BAD")]
    assert (lost.onset_s, lost.duration_s) == (6.0, away_s)


@pytest.mark.parametrize("rate", [125.0, 500.0])
def test_a_stream_that_changes_its_rate_ends_the_recording(rate: float, tmp_path: Path) -> None:
    """What came before is kept; what comes then has no place on its clock."""
    amplifier = Amplifier()
    amplifier.queue = [(np.arange(k, k + 250) / SFREQ, ramp(k, 250)) for k in range(0, 10000, 250)]
    amplifier.queue += [(40.0 + np.arange(k, k + 250) / rate, ramp(k, 250)) for k in range(0, int(80 * rate), 250)]
    recorder = Recorder(amplifier, tmp_path / "a.fif")
    assert recorder.wait(5.0)
    while recorder.problem is None and amplifier.queue:
        time.sleep(0.05)
    made = recorder.finish()
    assert made.problem is not None
    assert "changed its rate to about" in made.problem
    assert "declares 250" in made.problem
    with open_recording(made.path) as recording:
        assert recording.read(9000, 9001, [0]).item() == pytest.approx(9000e-9, abs=1e-12)


def test_a_source_that_comes_back_as_another_ends_the_recording(tmp_path: Path) -> None:
    first, second = Amplifier(), Amplifier(channels=3)
    first.queue = [(np.arange(k, k + 250) / SFREQ, ramp(k, 250)) for k in range(0, 1500, 250)]
    recorder = Recorder(first, tmp_path / "a.fif", reopen=lambda: second)
    assert recorder.wait(5.0)
    while first.queue:
        time.sleep(0.05)
    first.problem = RecordingError("the board is gone")
    while recorder.problem is None or "came back" not in recorder.problem:
        time.sleep(0.05)
    made = recorder.finish()
    assert made.duration_s == pytest.approx(6.0)
    assert "came back with another rate or other channels" in (made.problem or "")


def test_a_full_disk_keeps_what_is_there(tmp_path: Path) -> None:
    code = f"""
import resource, time
from pathlib import Path
import numpy as np
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from eeg.headset.recorder import Recorder
from eeg.headset.sources import Stream
class Source:
    stream = Stream("test", 250.0, ("C3", "C4"))
    n = 0
    def read(self):
        self.n += 25
        return np.arange(self.n - 25, self.n) / 250.0, np.zeros((25, 2), np.float32)
    def close(self): pass
recorder = Recorder(Source(), Path({str(tmp_path / "a.fif")!r}))
while recorder.problem is None: time.sleep(0.05)
print(recorder.finish().problem)
"""
    if sys.platform == "win32":
        pytest.skip("Windows has no limit on file sizes")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    assert "cannot be written" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    with open_recording(tmp_path / "a.fif") as recording:
        assert recording.n_samples > 1000


@pytest.fixture
def synthetic() -> None:
    pytest.importorskip("brainflow")


def test_a_board_is_recorded(synthetic: None, tmp_path: Path) -> None:
    recorder = Recorder(open_source("brainflow:SYNTHETIC"), tmp_path / "a.fif")
    assert recorder.wait(20.0)
    time.sleep(1.0)
    made = recorder.finish()
    assert made.duration_s > 0.5
    with open_recording(made.path) as recording:
        assert len(recording.eeg) == 16
        assert recording.sfreq == 250.0


def killed_recording(path: Path, after_s: float) -> None:
    code = (
        "import sys, time; from pathlib import Path; from eeg.headset.recorder import begin_recording; "
        "r = begin_recording('brainflow:SYNTHETIC', Path(sys.argv[1]), any_contact=True); r.wait(20); "
        "print('begun', flush=True); "
        "[(r.send('tick'), time.sleep(0.05)) for _ in range(2000)]"
    )
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", code, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.long)])
def test_killed_at_any_moment_it_can_be_read(kills: int, synthetic: None, tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no SIGKILL")
    for number in range(kills):
        path = tmp_path / f"{number}.fif"
        after_s = random.Random(number).uniform(0.2, 1.5)
        killed_recording(path, after_s)
        with open_recording(path) as recording:
            assert recording.duration_s > after_s / 2
            ticks = [a.onset_s for a in recording.annotations if a.text == "tick"]
            assert len(ticks) > 1
            assert np.isfinite(recording.read(0, recording.n_samples, [0])).all()


@pytest.fixture
def lsl_stream() -> Iterator[str]:
    """An LSL stream of three channels in microvolts, sent from this process."""
    pylsl = pytest.importorskip("pylsl")
    name = f"test-{os.getpid()}"
    info = pylsl.StreamInfo(name, "EEG", 3, SFREQ, pylsl.cf_float32, f"{name}-id")
    channels = info.desc().append_child("channels")
    for label in ("Fz", "Cz", "Pz"):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", "microvolts")
        channel.append_child_value("type", "EEG")
    outlet = pylsl.StreamOutlet(info)
    ending = threading.Event()

    def send() -> None:
        sent, zero = 0, pylsl.local_clock()
        while not ending.wait(0.02):
            due = int((pylsl.local_clock() - zero) * SFREQ)
            for n in range(sent, due):
                outlet.push_sample([n % 100, 10.0, -10.0], zero + n / SFREQ)
            sent = due

    thread = threading.Thread(target=send)
    thread.start()
    if not pylsl.resolve_byprop("name", name, timeout=3.0):
        ending.set()
        thread.join()
        pytest.skip("LSL finds no stream on this machine (no network)")
    yield name
    ending.set()
    thread.join()


def test_an_lsl_stream_is_recorded(lsl_stream: str, tmp_path: Path) -> None:
    recorder = Recorder(open_source(f"lsl:{lsl_stream}"), tmp_path / "a.fif")
    assert recorder.wait(10.0)
    recorder.send("piece/X")
    time.sleep(1.5)
    made = recorder.finish()
    assert made.jitter_s < 0.02
    with open_recording(made.path) as recording:
        assert [channel.name for channel in recording.channels] == ["Fz", "Cz", "Pz"]
        assert recording.read(10, 11, [1]).item() == pytest.approx(1e-5, rel=1e-3)
        steps = np.diff(recording.read(0, recording.n_samples, [0])[0])
        assert np.mean(np.isclose(steps, 1e-6, atol=1e-8)) > 0.95


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("muse", "names no source"),
        ("lsl:", "names no source"),
        ("bluetooth:Muse", "names no source"),
    ],
)
def test_a_source_that_is_none_is_refused(text: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        open_source(text)


def test_an_unknown_board_is_refused(synthetic: None) -> None:
    with pytest.raises(RecordingError, match="CYTON"):
        open_source("brainflow:CYTN")
    with pytest.raises(RecordingError, match="cannot be reached"):
        open_source("brainflow:CYTON:/dev/nothing")


def noise(uv: float, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(0.0, uv * 1e-6, 1000)


def test_contact_is_judged() -> None:
    seconds = np.arange(1000) / SFREQ
    eeg = np.cumsum(noise(3.0)) - np.linspace(0, np.cumsum(noise(3.0))[-1], 1000)
    columns = {
        "good": eeg,
        "flat": noise(0.1),
        "railed": np.full(1000, 0.1875),
        "line": eeg + 40e-6 * np.sin(2 * np.pi * 50 * seconds),
        "loose": eeg + 400e-6 * np.sin(2 * np.pi * 2.3 * seconds),
        "muscle": eeg + noise(40.0, seed=3),
    }
    samples = np.stack(list(columns.values()), axis=1).astype(np.float32)
    found = judge_contact(samples, SFREQ, tuple(columns), rail_v=0.1875)
    assert [contact.state for contact in found] == list(columns)
    assert all((contact.to_do == "") == (contact.state == "good") for contact in found)
