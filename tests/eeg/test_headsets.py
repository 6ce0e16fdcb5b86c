# ruff: noqa: E501
"""Files of consumer headsets and amplifiers, each written here as its program writes it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from eeg.errors import RecordingError
from eeg.io.formats import find_format
from eeg.io.recording import open_recording

SECONDS = 20
START = datetime(2026, 3, 1, 20, 0, 0, tzinfo=UTC)
MUSE = ("TP9", "AF7", "AF8", "TP10")


def microvolts(channels: int, sfreq: float) -> np.ndarray:
    """Noise, another in each channel, some microvolts large."""
    return 10.0 * np.random.default_rng(1).standard_normal((channels, int(SECONDS * sfreq)))


def text(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def mind_monitor(folder: Path) -> tuple[Path, np.ndarray]:
    made = microvolts(4, 256.0)
    lines = [
        "TimeStamp,Delta_TP9,"
        + ",".join(f"RAW_{site}" for site in MUSE)
        + ",AUX_RIGHT,HeadBandOn,HSI_TP9,Battery,Elements"
    ]
    for i, row in enumerate(made.T):
        at = (START + timedelta(seconds=i / 256)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        if i == 1280:
            lines.append(f"{at},,,,,,,,,,/Marker/1")
        if i == 1300:
            lines.append(f"{at},,,,,,,,,,/muse/elements/blink")
        lines.append(f"{at},0.5," + ",".join(f"{800 + v:.4f}" for v in row) + ",800.0,1,1.0,90.0,")
    return text(folder / "mindMonitor.csv", lines), made


def muselsl(folder: Path) -> tuple[Path, np.ndarray]:
    made = microvolts(4, 256.0)
    lines = ["timestamps," + ",".join(MUSE) + ",Right AUX,Marker0"]
    lines += [
        f"{START.timestamp() + i / 256:.6f}," + ",".join(f"{v:.4f}" for v in row) + f",0.0,{1 if i == 1280 else 0}"
        for i, row in enumerate(made.T)
    ]
    return text(folder / "muse.csv", lines), made


def openbci(folder: Path) -> tuple[Path, np.ndarray]:
    made = microvolts(8, 250.0)
    made[7] = 187_500.02
    lines = [
        "%OpenBCI Raw EXG Data",
        "%Number of channels = 8",
        "%Sample Rate = 250 Hz",
        "%Board = OpenBCI_GUI$BoardCytonSerial",
    ]
    exg, accel = ", ".join(f"EXG Channel {i}" for i in range(8)), ", ".join(f"Accel Channel {i}" for i in range(3))
    lines.append(f"Sample Index, {exg}, {accel}, Other, Timestamp, Timestamp (Formatted)")
    for i, row in enumerate(made.T):
        at = START.timestamp() + (i // 10 * 10) / 250  # in bursts
        lines.append(
            f"{i % 256}, " + ", ".join(f"{v:.4f}" for v in row) + f", 0.1, 0.2, 0.9, 0.0, {at:.6f}, 2026-03-01"
        )
    return text(folder / "OpenBCI-RAW.txt", lines), made[:7]


def openbci_old(folder: Path) -> tuple[Path, np.ndarray]:
    made = microvolts(8, 250.0)
    lines = [
        "%OpenBCI Raw EEG Data",
        "%Number of channels = 8",
        "%Sample Rate = 250.0 Hz",
        "%First Column = SampleIndex",
    ]
    lines += [f"{i % 256}, " + ", ".join(f"{v:.4f}" for v in row) + ", 0.0, 0.0, 0.0" for i, row in enumerate(made.T)]
    return text(folder / "OpenBCI-old.txt", lines), made


def brainflow(folder: Path) -> tuple[Path, np.ndarray]:
    made = microvolts(8, 250.0)
    lines = []
    for i, row in enumerate(made.T):
        cells = [i % 256, *row, *[0.0] * 13, START.timestamp() + i / 250, 1.0 if i == 1250 else 0.0]
        lines.append("\t".join(f"{cell:.6f}" for cell in cells))
    return text(folder / "cyton.csv", lines), made


def emotiv(folder: Path) -> tuple[Path, np.ndarray]:
    made = microvolts(3, 128.0)
    lines = [
        "title:music,start timestamp:1772395200.0,stop timestamp:1772395220.0,headset type:EPOC,sampling rate:eeg_128",
        "Timestamp,EEG.Counter,EEG.Interpolated,EEG.AF3,EEG.T7,EEG.Pz,EEG.RawCq,EEG.Battery,CQ.AF3,MarkerValueInt",
    ]
    lines += [
        f"{START.timestamp() + i / 128:.6f},{i % 128},0,"
        + ",".join(f"{4200 + v:.4f}" for v in row)
        + f",0,4,4,{'1' if i == 640 else ''}"
        for i, row in enumerate(made.T)
    ]
    return text(folder / "epoc.csv", lines), made


def emotiv_old(folder: Path) -> tuple[Path, np.ndarray]:
    made = microvolts(2, 128.0)
    lines = [
        "title:x, recorded:01.03.26, sampling:128, subject:, labels:COUNTER INTERPOLATED AF3 F7 RAW_CQ MARKER, chan:6, units:emotiv"
    ]
    lines += [
        f"{i % 129},0," + ",".join(f"{4200 + v:.4f}" for v in row) + f",0,{1 if i == 640 else 0}"
        for i, row in enumerate(made.T)
    ]
    return text(folder / "xavier.csv", lines), made


def neurosky(folder: Path) -> tuple[Path, np.ndarray]:
    counts = np.rint(microvolts(1, 512.0) * 5)
    lines = ["timestampMs,poorSignal,eegRawValue,eegRawValueVolts,attention,meditation"]
    lines += [
        f"{START.timestamp() * 1e3 + i * 1000 / 512:.0f},{200 if 512 <= i < 1024 else 0},{v:.0f},0,50,50"
        for i, v in enumerate(counts[0])
    ]
    return text(folder / "mindwave.csv", lines), counts * 1.8e6 / 4096 / 2000


def gdf(folder: Path) -> tuple[Path, np.ndarray]:
    """GDF 1.25: a fixed header, columns of fields, records of a second as float32."""
    made = microvolts(4, 128.0)
    n, names = 4, ["Fz", "Cz", "Pz", "Oz"]
    fixed = b"GDF 1.25".ljust(8) + b"x".ljust(80) + b"y".ljust(80) + b"2026030120000000".ljust(16)
    fixed += struct.pack("<q", 256 * (n + 1)) + bytes(8 + 8 + 8) + bytes(20)
    fixed += struct.pack("<q", SECONDS) + struct.pack("<II", 1, 1) + struct.pack("<I", n)
    fields = b"".join(name.encode().ljust(16) for name in names) + b"".ljust(80) * n + b"uV".ljust(8) * n
    fields += struct.pack(f"<{n}d", *[-500.0] * n) + struct.pack(f"<{n}d", *[500.0] * n)
    fields += struct.pack(f"<{n}q", *[-500] * n) + struct.pack(f"<{n}q", *[500] * n)
    fields += b"".ljust(80) * n + struct.pack(f"<{n}I", *[128] * n) + struct.pack(f"<{n}I", *[16] * n) + bytes(32 * n)
    records = made.reshape(n, SECONDS, 128).transpose(1, 0, 2).astype("<f4").tobytes()
    path = folder / "rec.gdf"
    events = bytes([1, 128, 0, 0]) + struct.pack("<IIH", 1, 641, 1)
    path.write_bytes(fixed.ljust(256, b"\0") + fields + records + events)
    return path, made


def egi(folder: Path) -> tuple[Path, np.ndarray]:
    """EGI's simple binary, version 4: float32 microvolts, one event channel."""
    made = microvolts(4, 250.0)
    events = np.zeros(made.shape[1])
    events[1250] = 1
    head = struct.pack(">i", 4) + struct.pack(">6h", 2026, 3, 1, 20, 0, 0) + struct.pack(">i", 0)
    head += struct.pack(">5h", 250, 4, 1, 0, 0) + struct.pack(">i", made.shape[1]) + struct.pack(">h", 1) + b"song"
    path = folder / "rec.raw"
    path.write_bytes(head + np.vstack([made, events]).T.astype(">f4").tobytes())
    return path, made


Writer = Callable[[Path], tuple[Path, np.ndarray]]
WRITERS: dict[str, tuple[Writer, str, float, str]] = {
    "Mind Monitor": (mind_monitor, "Mind Monitor", 256.0, "local"),
    "muselsl": (muselsl, "muselsl", 256.0, "utc"),
    "OpenBCI": (openbci, "OpenBCI", 250.0, "utc"),
    "OpenBCI, old": (openbci_old, "OpenBCI", 250.0, "none"),
    "BrainFlow": (brainflow, "BrainFlow", 250.0, "utc"),
    "Emotiv": (emotiv, "Emotiv", 128.0, "utc"),
    "Emotiv, old": (emotiv_old, "Emotiv", 128.0, "none"),
    "NeuroSky": (neurosky, "NeuroSky", 512.0, "utc"),
    "GDF": (gdf, "GDF", 128.0, "local"),
    "EGI": (egi, "EGI", 250.0, "local"),
}


@pytest.mark.parametrize("what", WRITERS)
def test_every_sample_is_read_in_volts(tmp_path: Path, what: str) -> None:
    write, name, sfreq, clock = WRITERS[what]
    path, made = write(tmp_path)
    with open_recording(path) as recording:
        assert (recording.format, recording.sfreq, recording.clock) == (name, sfreq, clock)
        eeg = [i for i in recording.eeg if recording.channels[i].name not in recording.bads]
        assert len(eeg) == len(made)
        data = recording.read(0, made.shape[1], eeg) * 1e6
        offset = np.median(data - made, axis=1, keepdims=True)  # an amplifier's, which does not matter
        assert np.allclose(data - offset, made, atol=0.05)
        if clock == "utc":
            assert recording.meas_date is not None
            assert abs((recording.meas_date - START).total_seconds()) < 0.01


@pytest.mark.parametrize("what", ["Mind Monitor", "muselsl", "BrainFlow", "Emotiv", "Emotiv, old", "EGI", "GDF"])
def test_markers_are_annotations_or_codes(tmp_path: Path, what: str) -> None:
    from eeg.timeline.find_timeline import find_timeline
    from eeg.timeline.known_pieces import KnownPiece, Library

    path, _ = WRITERS[what][0](tmp_path)
    library = Library(lambda name: KnownPiece(name, 10.0))
    with open_recording(path) as recording:
        timeline = find_timeline(recording, library, codes={1: "piece/x"})
        assert [(play.piece, round(play.onset_s, 1)) for play in timeline.plays] == [("x", 5.0)]


def test_rails_poor_signal_and_lost_packets_are_marked(tmp_path: Path) -> None:
    path, _ = openbci(tmp_path)
    lines = path.read_text(encoding="utf-8").splitlines()
    del lines[1000:1003]
    text(path, lines)
    with open_recording(path) as recording:
        assert recording.bads == ("EXG 8",)
        assert "BAD_lost" in {one.text for one in recording.annotations}
    with open_recording(neurosky(tmp_path)[0]) as recording:
        (bad,) = [one for one in recording.annotations if one.text == "BAD_gap"]
        assert (round(bad.onset_s, 2), round(bad.duration_s, 2)) == (1.0, 1.0)


def test_a_hole_is_marked_and_what_follows_stays_in_place(tmp_path: Path) -> None:
    path, made = muselsl(tmp_path)
    lines = path.read_text(encoding="utf-8").splitlines()
    text(path, lines[:1025] + lines[1025 + 768 :])
    with open_recording(path) as recording:
        assert recording.n_samples == made.shape[1]
        assert any("1 holes, 3.0 s together" in note for note in recording.notes)
        data = recording.read(0, recording.n_samples, [0]) * 1e6
        assert np.allclose(data[0, 2000:], made[0, 2000:], atol=0.01)
        assert (data[0, 1024:1792] == 0).all()


@pytest.mark.parametrize(
    ("name", "lines", "said"),
    [
        ("x.csv", ["a,b,c", "1,2,3"], "is no table of a headset that is known"),
        ("x.trc", ["x"], "export it as EDF in Micromed's program"),
        ("x.easy", ["1 2 3"], "export it as EDF"),
        ("x.txt", ["%OpenBCI Raw EXG Data", "%Number of channels = many", "1, 2"], "does not say its number of channels"),
        ("x.csv", ["timestamps,TP9,AF7,AF8,TP10,Right AUX"], "holds no samples"),
        ("x.csv", ["timestamps,TP9,AF7,AF8,TP10"] + [f"{i},1,2,3,4" for i in range(99)], "samples a second, where 256 are expected"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_refused_with_a_way(tmp_path: Path, name: str, lines: list[str], said: str) -> None:
    with pytest.raises(RecordingError, match=said):
        open_recording(text(tmp_path / name, lines))


def test_a_folder_of_egi_is_known_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "rec.mff").mkdir()
    assert find_format(tmp_path / "rec.mff").name == "EGI MFF"
    with pytest.raises(RecordingError):
        open_recording(tmp_path / "rec.mff")
