"""Traits that real files of headsets and amplifiers have, in files written here with the same traits."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from eeg.errors import RecordingError
from eeg.io.formats import find_format
from eeg.io.recording import Recording, open_recording

START = datetime(2026, 3, 1, 20, 0, 0, tzinfo=UTC)
MUSE = ("TP9", "AF7", "AF8", "TP10")


def microvolts(channels: int, sfreq: float, seconds: int = 10) -> np.ndarray:
    return 10.0 * np.random.default_rng(1).standard_normal((channels, int(seconds * sfreq)))


def text(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def holds(recording: Recording, made: np.ndarray, atol: float = 0.05) -> bool:
    """Return whether the EEG is what was written, but for an offset of each channel."""
    data = recording.read(0, recording.n_samples, list(recording.eeg)) * 1e6
    return data.shape == made.shape and np.allclose(
        data - np.median(data - made, axis=1, keepdims=True), made, atol=atol
    )


def mind_monitor(path: Path, made: np.ndarray, step_s: float, off: range = range(0)) -> Path:
    """Rows of samples end before Elements, as the program leaves them."""
    columns = ["TimeStamp", "Delta_TP9", *(f"RAW_{site}" for site in MUSE), "AUX_RIGHT", "HeadBandOn", "Elements"]
    stamp = [(START + timedelta(seconds=i * step_s)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] for i in range(len(made.T))]
    lines = [",".join(columns), f"{stamp[0]},,,,,,,,/muse/event/connected Muse-5257"]
    for i, row in enumerate(made.T):
        if i == 640:
            lines += [f"{stamp[i]},,,,,,,,/Marker/3", f"{stamp[i]},,,,,,,,/muse/elements/jaw_clench"]
        lines.append(f"{stamp[i]},0.5," + ",".join(f"{800 + v:.4f}" for v in row) + f",800.0,{int(i not in off)}")
    return text(path, lines)


def test_rows_of_mind_monitor_end_before_the_elements(tmp_path: Path) -> None:
    made = microvolts(4, 256.0)
    with open_recording(mind_monitor(tmp_path / "m.csv", made, 1 / 256, range(512, 768))) as recording:
        assert holds(recording, made)
        assert [(one.text, round(one.onset_s, 2), one.duration_s) for one in recording.annotations] == [
            ("BAD_gap", 2.0, 1.0),
            ("3", 2.5, 0.0),
        ]


def test_a_table_of_one_row_a_second_is_refused_with_its_rate(tmp_path: Path) -> None:
    path = mind_monitor(tmp_path / "m.csv", microvolts(4, 256.0, 1), 1.0)
    with pytest.raises(RecordingError, match="holds 1 samples a second, where 256 are expected"):
        open_recording(path)


ACCEL = "%Other Columns = EEG data in microvolts followed by Accel Data (in G) interleaved with Aux Data"
# Of each version of the GUI: what stands before the rows, and what follows the samples in a row.
OPENBCI = {
    "2013": (["%OpenBCI Raw EEG Data", "%", "%Sample Rate = 250.0 Hz", "%First Column = SampleIndex",
              "%Other Columns = EEG data in microvolts"], "", "none"),
    "2016": (["%OpenBCI Raw EEG Data", "%", "%Sample Rate = 250.0 Hz", "%First Column = SampleIndex", ACCEL],
             ", 0.02, 0.73, 0.73", "none"),
    "2018": (["%OpenBCI Raw EEG Data", "%", "%Sample Rate = 250.0 Hz", "%First Column = SampleIndex",
              "%Last Column = Timestamp", ACCEL], ", 0.02, 0.73, 0.73, 15:31:23.878", "none"),
    "2019": (["%OpenBCI Raw EEG Data", "%Number of channels = 8", "%Sample Rate = 250.0 Hz",
              "%First Column = SampleIndex", "%Last Column = Timestamp ", ACCEL],
             ", 0.02, 0.73, 0.73, 20:00:00.000, {ms}", "utc"),
    "5": (["%OpenBCI Raw EEG Data", "%Number of channels = 8", "%Sample Rate = 250 Hz",
           "%Board = OpenBCI_GUI$BoardCytonSerial", ",".join(["0.0"] * 14)],
          ", 0.02, 0.73, 0.73,0.0, {ms}, 20:00:00.000", "utc"),
    "6": (["%OpenBCI Raw EXG Data", "%Number of channels = 8", "%Sample Rate = 250 Hz",
           "%Board = OpenBCI_GUI$BoardCytonSerial",
           "Sample Index, " + ", ".join(f"EXG Channel {i}" for i in range(8)) + ", Accel Channel 0, Not Used, "
           "Timestamp, Marker Channel, Timestamp (Formatted)"], ", 0.02, 0, {ms}, {mark}, 20:00:00.000", "utc"),
}  # fmt: skip


@pytest.mark.parametrize("version", OPENBCI)
def test_every_version_of_openbci_is_read(tmp_path: Path, version: str) -> None:
    made = microvolts(8, 250.0)
    head, rest, clock = OPENBCI[version]
    rows = []
    for i, row in enumerate(made.T):
        more = rest.format(ms=round(START.timestamp() * 1e3 + i * 4), mark=7 if i == 500 else 0)
        rows.append(f"{i % 256}, " + ", ".join(f"{v:.4f}" for v in row) + more)
    with open_recording(text(tmp_path / "OpenBCI-RAW.txt", head + rows)) as recording:
        assert (recording.format, recording.sfreq, recording.clock) == ("OpenBCI", 250.0, clock)
        assert holds(recording, made)
        assert recording.meas_date == (START if clock == "utc" else None)
        marks = [(one.text, round(one.onset_s, 2)) for one in recording.annotations]
        assert marks == ([("7", 2.0)] if version == "6" else [])


def test_another_tag_of_eegid_is_a_marker(tmp_path: Path) -> None:
    counts = np.rint(microvolts(1, 512.0)[0] * 5)
    lines = ["timestampMs,poorSignal,eegRawValue,eegRawValueVolts,attention,tagEvent,location"]
    lines += [
        f"{START.timestamp() * 1e3 + i * 1000 / 512:.0f},0,{v:.0f},0,50,Tag{int(i >= 1024)},unknown"
        for i, v in enumerate(counts)
    ]
    with open_recording(text(tmp_path / "mindwave.csv", lines)) as recording:
        assert [(one.text, one.onset_s) for one in recording.annotations] == [("Tag1", 2.0)]


def test_emotiv_without_its_first_line_at_256_hz(tmp_path: Path) -> None:
    """Older exports begin with the columns; EPOC Flex has Fp1; markers come by keys, or by hardware."""
    made = microvolts(3, 256.0)
    lines = ["Timestamp,EEG.Counter,EEG.Fp1,EEG.Cz,EEG.PO10,EEG.RawCq,MarkerValueInt,EEG.MarkerHardware,CQ.Cz"]
    lines += [
        f"{START.timestamp() + i / 256:.6f},{i % 128}," + ",".join(f"{4200 + v:.4f}" for v in row) + ",0,"
        f"{4 if i == 512 else ''},{9 if 1024 <= i < 1030 else 0},4"
        for i, row in enumerate(made.T)
    ]
    with open_recording(text(tmp_path / "flex.csv", lines)) as recording:
        assert (recording.format, recording.sfreq, recording.clock) == ("Emotiv", 256.0, "utc")
        assert [recording.channels[i].name for i in recording.eeg] == ["Fp1", "Cz", "PO10"]
        assert holds(recording, made)
        assert [(one.text, round(one.onset_s, 2)) for one in recording.annotations] == [("4", 2.0), ("9", 4.0)]


@pytest.mark.parametrize("kind", ["<i2", "<i4"])
def test_cnt_of_both_widths_is_read_without_a_number_of_samples(tmp_path: Path, kind: str) -> None:
    made = microvolts(3, 250.0)
    head = bytearray(900 + 75 * 3)
    head[:11] = b"Version 3.0"
    head[225:246] = b"01/03/26  20:00:00   "
    struct.pack_into("<H", head, 370, 3)
    struct.pack_into("<H", head, 376, 250)
    for i, name in enumerate((b"FZ", b"CZ", b"PZ")):
        at = 900 + 75 * i
        head[at : at + 2] = name
        struct.pack_into("<f", head, at + 59, 0.01 * 204.8)
        struct.pack_into("<f", head, at + 71, 1.0)
    samples = np.rint(made * 100).T.astype(kind).tobytes()
    struct.pack_into("<i", head, 886, len(head) + len(samples))
    offset = len(head) + 625 * 3 * int(kind[-1])
    event = struct.pack("<HBbiHHfbbb", 5, 0, 0, offset, 0, 0, 0.0, 0, 1, 0)
    path = tmp_path / "rec.cnt"
    path.write_bytes(bytes(head) + samples + struct.pack("<Bii", 2, len(event), 0) + event)
    with open_recording(path) as recording:
        assert (recording.format, recording.sfreq) == ("CNT", 250.0)
        assert [recording.channels[i].name for i in recording.eeg] == ["FZ", "CZ", "PZ"]
        assert holds(recording, made)
        assert [(one.text, round(one.onset_s, 2)) for one in recording.annotations] == [("5", 2.5)]


def test_nedf_begins_with_the_name_of_its_protocol(tmp_path: Path) -> None:
    made = microvolts(2, 500.0)
    header = (
        "<Music_at_rest><NEDFversion>1.4</NEDFversion><StepDetails><StartDate_firstEEGTimestamp>"
        f"{START.timestamp() * 1e3:.0f}</StartDate_firstEEGTimestamp></StepDetails><EEGSettings>"
        f"<TotalNumberOfChannels>2</TotalNumberOfChannels><NumberOfRecordsOfEEG>{len(made.T)}</NumberOfRecordsOfEEG>"
        "<EEGSamplingRate>500</EEGSamplingRate><EEGMontage><Channel1>Cz</Channel1><Channel2>Pz</Channel2></EEGMontage>"
        "</EEGSettings><NumberOfChannelsOfAccelerometer>3</NumberOfChannelsOfAccelerometer></Music_at_rest>"
    )
    counts = np.rint(made * 1e-6 * 6.0 * 8388607 / 2.4).astype(np.int64).T.reshape(-1, 5, 2) % (1 << 24)
    body = b""
    for block in counts:
        body += bytes(6)
        for sample in block:
            body += b"".join(int(v).to_bytes(3, "big") for v in sample) + bytes(4)
    path = tmp_path / "rec.nedf"
    path.write_bytes(header.encode().ljust(10240, b"\0") + body)
    with open_recording(path) as recording:
        assert (recording.format, recording.clock, recording.meas_date) == ("NEDF", "utc", START)
        assert holds(recording, made, atol=0.5)


def test_persyst_is_read_by_its_layout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = microvolts(2, 200.0)
    np.rint(made * 100).T.astype("<i2").tofile(tmp_path / "rec.dat")
    layout = [
        "[FileInfo]", "File=rec.dat", "FileType=Interleaved", "SamplingRate=200", "HeaderLength=0", "Calibration=0.01",
        "WaveformCount=2", "DataType=0", "[Patient]", "FullName=X", "Sex=X", "Hand=", "BirthDate=01/01/1990", "ID=0",
        "TestDate=2026.03.01", "TestTime=20:00:00",
        "[ChannelMap]", "Cz-Ref=1", "Pz-Ref=2", "[Comments]", "2.5,0.0,0,100,song",
    ]  # fmt: skip
    with open_recording(text(tmp_path / "rec.lay", layout)) as recording:
        assert (recording.format, recording.clock, recording.sfreq) == ("Persyst", "local", 200.0)
        assert holds(recording, made)
        assert [(one.text, one.onset_s) for one in recording.annotations] == [("song", 2.5)]
    assert capsys.readouterr().out == ""  # results alone go there


@pytest.mark.parametrize(
    ("name", "start", "kind", "package"),
    [
        ("x.cnt", b"RIFF\0\0\0\0CNT ", "ANT", "antio"),
        ("x.cnt", b"RF64\0\0\0\0\0\0\0\0", "ANT", "antio"),
        ("x.cdt", b"\0" * 16, "Curry", "curryreader"),
        ("x.dap", b"DATA_PARAMETERS START\n", "Curry", "curryreader"),
    ],
)
def test_a_package_that_a_format_needs_is_named(
    tmp_path: Path, name: str, start: bytes, kind: str, package: str
) -> None:
    path = tmp_path / name
    path.write_bytes(start.ljust(64, b"\0"))
    assert find_format(path).name == kind
    wanted = "cannot be read as" if find_spec(package) else f"with {package}: pip install {package}$"
    with pytest.raises(RecordingError, match=wanted):
        open_recording(path)


def test_a_part_names_the_header_that_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "x.dat").write_bytes(b"1")
    (tmp_path / "x.dap").write_bytes(b"DATA_PARAMETERS START\n")
    with pytest.raises(RecordingError, match=r"name its header file \(x\.dap\)"):
        find_format(tmp_path / "x.dat")
