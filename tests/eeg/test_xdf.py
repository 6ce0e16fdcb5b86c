"""XDF: streams on an even grid, holes marked, marks in place."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from tests.needs import needs

needs("pyxdf", "pyxdf is not installed")

from eeg.bandpower.epochs import bad_spans
from eeg.errors import RecordingError
from eeg.io.recording import open_recording
from eeg.scoring import score_recording
from eeg.simulation.simulate import Simulated
from eeg.timeline.find_timeline import find_timeline


def chunk(tag: int, content: bytes) -> bytes:
    body = struct.pack("<H", tag) + content
    return b"\x04" + struct.pack("<I", len(body)) + body


def write_xdf(
    path: Path, stamps: np.ndarray, samples: np.ndarray, marks: list[tuple[float, str]], names: list[str], sfreq: float
) -> None:
    """Write one EEG stream (float32, microvolts) and one marker stream, every sample with its time stamp."""
    channels = "".join(
        f"<channel><label>{name}</label><type>EEG</type><unit>microvolts</unit></channel>" for name in names
    )
    headers = (
        f"<info><name>amp</name><type>EEG</type><channel_count>{len(names)}</channel_count><nominal_srate>{sfreq}</nominal_srate>"
        f"<channel_format>float32</channel_format><desc><channels>{channels}</channels></desc></info>",
        "<info><name>marks</name><type>Markers</type><channel_count>1</channel_count><nominal_srate>0</nominal_srate>"
        "<channel_format>string</channel_format><desc/></info>",
    )
    out = [b"XDF:", chunk(1, b"<info><version>1.0</version></info>")]
    out += [chunk(2, struct.pack("<I", i + 1) + text.encode()) for i, text in enumerate(headers)]
    for start in range(0, len(stamps), 500):
        part = range(start, min(start + 500, len(stamps)))
        body = struct.pack("<I", 1) + b"\x04" + struct.pack("<I", len(part))
        body += b"".join(b"\x08" + struct.pack("<d", stamps[i]) + samples[:, i].astype("<f4").tobytes() for i in part)
        out.append(chunk(3, body))
    body = struct.pack("<I", 2) + b"\x04" + struct.pack("<I", len(marks))
    for at, text in marks:
        body += b"\x08" + struct.pack("<d", at) + b"\x01" + bytes([len(text)]) + text.encode()
    out.append(chunk(3, body))
    for number, times in ((1, stamps), (2, [at for at, _ in marks])):
        text = (
            f"<info><first_timestamp>{times[0]}</first_timestamp><last_timestamp>{times[-1]}</last_timestamp>"
            f"<sample_count>{len(times)}</sample_count></info>"
        )
        out.append(chunk(6, struct.pack("<I", number) + text.encode()))
    path.write_bytes(b"".join(out))


def test_same_decibels_as_fif(simulated: Simulated, listener_fif: Path, tmp_path: Path) -> None:
    path = tmp_path / "rec.xdf"
    n = simulated.samples.shape[1]
    start = 812.5
    stamps = start + np.arange(n) / simulated.sfreq
    marks = [(start + item.onset_s, f"piece/{item.piece}") for item in simulated.items if item.piece]
    write_xdf(path, stamps, simulated.samples * 1e6, marks, list(simulated.names), simulated.sfreq)
    events = tmp_path / "events.tsv"
    rows = [f"{i.onset_s}\t{i.duration_s}\t{f'piece/{i.piece}' if i.piece else 'silence'}" for i in simulated.items]
    events.write_text("\n".join(["onset\tduration\ttrial_type", *rows]))
    recording = open_recording(path)
    assert recording.sfreq == simulated.sfreq
    assert [mark.onset_s for mark in recording.annotations] == pytest.approx([at - start for at, _ in marks], abs=1e-3)
    ours, theirs = score_recording(path, events=events), score_recording(listener_fif)
    assert [p.beta_db for p in ours.plays] == pytest.approx([p.beta_db for p in theirs.plays], abs=1e-4)


def test_a_hole_is_marked_bad_and_what_follows_stays_in_time(tmp_path: Path) -> None:
    sfreq, rng = 100.0, np.random.default_rng(0)
    samples = 10 * rng.standard_normal((2, 4000))
    stamps = 5.0 + np.arange(4000) / sfreq
    stamps[2000:] += 7.0
    path = tmp_path / "hole.xdf"
    write_xdf(path, stamps, samples, [(5.0 + 30.0, "later")], ["C3", "C4"], sfreq)
    recording = open_recording(path)
    assert recording.n_samples == pytest.approx(4700, abs=2)
    ((start, stop),) = bad_spans(recording)
    assert start <= 2000
    assert stop >= 2699
    after = recording.read(3000, 3100, recording.eeg)
    assert np.allclose(after * 1e6, samples[:, 2300:2400].astype(np.float32), atol=1e-3)


def test_real_file_with_clock_resets(eeg_data: Path) -> None:
    recording = open_recording(eeg_data / "formats" / "xdf_clock_resets.xdf")
    assert len(recording.eeg) == 8
    assert sum("BAD" not in mark.text for mark in recording.annotations) == 175
    assert sum("BAD" in mark.text for mark in recording.annotations) == 1
    assert any("time stamps" in note for note in recording.notes)
    assert recording.annotations[0].onset_s == pytest.approx(812.928 - 810.030, abs=0.01)


def test_files_without_eeg_are_refused(eeg_data: Path) -> None:
    with pytest.raises(RecordingError, match="no EEG stream"):
        open_recording(eeg_data / "formats" / "xdf_empty_streams.xdf")
    with pytest.raises(RecordingError, match="10 Hz"):
        open_recording(eeg_data / "formats" / "xdf_minimal.xdf")


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "short.xdf"
    write_xdf(path, np.arange(3000) / 100, rng.standard_normal((1, 3000)), [(1.0, "x")], ["Cz"], 100.0)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(RecordingError, match=r"short\.xdf is cut short"):
        open_recording(path)


def test_marks_without_eeg_beside_them_are_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "early.xdf"
    texts = [(-4, "session/7"), (-3, "piece/a"), (59, "end/a"), (89, "piece/b"), (119, "end/b"), (141, "piece/c")]
    stamps = 50.0 + np.arange(14_000) / 100
    marks = [(50.0 + at, text) for at, text in texts]
    write_xdf(path, stamps, 10 * rng.standard_normal((2, 14_000)), marks, ["C3", "C4"], 100.0)
    with open_recording(path) as recording:
        notes = " ".join(recording.notes)
        assert "before the EEG stream begins are not used: session/7 (-4.0 s), piece/a (-3.0 s)" in notes
        assert "after the EEG stream ends are not used: piece/c (141.0 s)" in notes
        plan = find_timeline(recording)
    assert [(item.piece, item.onset_s) for item in plan.plays] == [("b", pytest.approx(89.0, abs=1e-3))]
    assert [(round(item.onset_s), round(item.end_s)) for item in plan.baseline] == [(59, 89), (119, 139)]


def test_a_small_drift_of_the_rate_is_followed(tmp_path: Path) -> None:
    actual = 100 * (1 - 5e-4)
    n, rng = 60_000, np.random.default_rng(0)
    samples = 0.1 * rng.standard_normal((2, n))
    samples[:, 55_000] = 500.0
    path = tmp_path / "drift.xdf"
    stamps = 5.0 + np.arange(n) / actual
    write_xdf(path, stamps, samples, [(stamps[55_000], "peak")], ["C3", "C4"], 100.0)
    recording = open_recording(path)
    assert recording.sfreq == pytest.approx(actual, abs=1e-5)
    at = round(recording.annotations[0].onset_s * recording.sfreq)
    assert abs(at - 55_000) <= 1
    assert any("99.95 Hz: the time stamps are followed" in note for note in recording.notes)


def test_one_of_several_streams_is_chosen_by_its_name(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    stamps, samples = np.arange(1000) / 100.0, rng.standard_normal((2, 1000))
    path = tmp_path / "two.xdf"
    write_xdf(path, stamps, samples, [(1.0, "x")], ["Cz", "Pz"], 100.0)
    first = path.read_bytes()
    write_xdf(path, stamps, 2 * samples, [(1.0, "x")], ["Fz", "Oz"], 100.0)
    second = path.read_bytes().replace(b"<name>amp</name>", b"<name>cap</name>")
    # The streams of the second file as numbers 3 and 4 behind those of the first.
    at, body = 4, first
    while at < len(second):
        length = int.from_bytes(second[at + 1 : at + 5], "little")
        part = bytearray(second[at : at + 5 + length])
        if part[5:7] != b"\x01\x00":
            part[7] += 2
            body += bytes(part)
        at += 5 + length
    path.write_bytes(body)
    with pytest.raises(RecordingError, match=r"holds 2 EEG streams .*choose one by its name"):
        open_recording(path)
    with pytest.raises(RecordingError, match="no stream of signals named 'hat'"):
        open_recording(path, "hat")
    with open_recording(path, "cap") as recording:
        assert [channel.name for channel in recording.channels] == ["Fz", "Oz"]
        assert np.allclose(recording.read(0, 1000, [0, 1]) * 1e6, 2 * samples, atol=1e-5)


def described(path: Path, description: str, kind: str = "EEG") -> Path:
    """A file of two channels, Cz and Pz, with another description of them."""
    samples = np.random.default_rng(0).standard_normal((2, 300))
    write_xdf(path, np.arange(300) / 100, samples, [(1.0, "x")], ["Cz", "Pz"], 100.0)
    whole, at = path.read_bytes(), 4
    parts = [whole[:4]]
    while at < len(whole):
        length = int.from_bytes(whole[at + 1 : at + 5], "little")
        part = whole[at + 5 : at + 5 + length]
        if part[:6] == struct.pack("<HI", 2, 1):
            text = part[6:].decode().replace("<type>EEG</type><channel_count>", f"<type>{kind}</type><channel_count>")
            text = text.partition("<desc>")[0] + f"<desc>{description}</desc></info>"
            parts.append(chunk(2, part[2:6] + text.encode()))
        else:
            parts.append(whole[at : at + 5 + length])
        at += 5 + length
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize(
    "description",
    [
        "<channels><channel><Label>Cz</Label></channel><channel><Label>Pz</Label></channel></channels>",
        "<channels><chan><label>Cz</label></chan><chan><label>Pz</label></chan></channels>",
        "<labels><label>Cz</label><label>Pz</label></labels>",
        "<channels>Cz, Pz</channels>",
        "<setup><electrodes><electrode>Cz</electrode><electrode>Pz</electrode></electrodes></setup>",
    ],
)
def test_names_by_other_words(tmp_path: Path, description: str) -> None:
    with open_recording(described(tmp_path / "rec.xdf", description)) as recording:
        assert [channel.name for channel in recording.channels] == ["Cz", "Pz"]


def test_a_stream_of_signals_is_taken_as_eeg_and_said_to_be(tmp_path: Path) -> None:
    path = described(tmp_path / "rec.xdf", "<channels>Cz, Pz</channels>", kind="Signal")
    with open_recording(path) as recording:
        assert len(recording.eeg) == 2
        assert "stream 'amp' is of type Signal: taken as EEG" in recording.notes


def test_a_trigger_line_marks_where_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "rec.xdf"
    stamps = np.arange(600) / 100
    write_xdf(path, stamps, np.random.default_rng(0).standard_normal((2, 600)), [(5.0, "x")], ["Cz", "Pz"], 100.0)
    levels = np.zeros(600, dtype="<i4")
    levels[200:210], levels[300:305], levels[305:310] = 7, 1, 2
    header = (
        "<info><name>line</name><type>Trigger</type><channel_count>1</channel_count><nominal_srate>100</nominal_srate>"
        "<channel_format>int32</channel_format><desc/></info>"
    )
    body = struct.pack("<I", 3) + b"\x04" + struct.pack("<I", 600)
    body += b"".join(b"\x08" + struct.pack("<di", at, level) for at, level in zip(stamps, levels, strict=True))
    end = "<info><first_timestamp>0</first_timestamp><last_timestamp>6</last_timestamp></info>"
    number = struct.pack("<I", 3)
    path.write_bytes(
        path.read_bytes() + chunk(2, number + header.encode()) + chunk(3, body) + chunk(6, number + end.encode())
    )
    with open_recording(path) as recording:
        marks = [(round(one.onset_s, 2), one.text) for one in recording.annotations]
    assert marks == [(2.0, "7"), (3.0, "1"), (3.05, "2"), (5.0, "x")]
