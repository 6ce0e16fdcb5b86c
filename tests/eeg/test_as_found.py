"""Files as other programs write them: units, encodings, names of files and channels, markers that are numbers."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest

from eeg.errors import RecordingError, SplitPartError
from eeg.io.channels import kind_of
from eeg.io.mne import quiet_mne
from eeg.io.recording import open_recording, part_of
from eeg.io.units import is_counts, to_volts
from eeg.scoring import score_recording
from eeg.timeline.events import code_of

NAMES, SFREQ = ["Fz", "Cz", "Pz", "C3", "C4", "Oz"], 128.0
RNG = np.random.default_rng(0)
SAMPLES = 10e-6 * RNG.standard_normal((6, int(90 * SFREQ)))


def edf(path: Path, unit: bytes = b"uV", labels: list[str] | None = None, annotation: bytes = b"") -> Path:
    """Write EDF+, whose units and annotations may be any bytes; values are in microvolts."""
    pytest.importorskip("edfio", reason="edfio, which writes EDF, is not installed")
    from edfio import Edf, EdfAnnotation, EdfSignal

    signals = [
        EdfSignal(row * 1e6, SFREQ, label=name, physical_dimension="uV", physical_range=(-500, 500))
        for row, name in zip(SAMPLES, labels or NAMES, strict=True)
    ]
    Edf(signals, annotations=[EdfAnnotation(5.0, None, "XXXXXXXX")]).write(path)
    data = path.read_bytes().replace(b"uV      ", unit.ljust(8))
    if annotation:
        data = data.replace(b"XXXXXXXX", annotation.ljust(8, b" "), 1)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("unit", "volts"),
    [("uV", 1e-6), ("µV", 1e-6), ("μV", 1e-6), ("UV", 1e-6), ("?V", 1e-6), ("Î¼V", 1e-6), ("microvolts", 1e-6),
     ("mv", 1e-3), ("millivolt", 1e-3), ("nV", 1e-9), ("V", 1.0), ("mmHg", None), ("uS", None), ("mg", None),
     ("%", None), ("", None), ("counts", None)],
)  # fmt: skip
def test_units(unit: str, volts: float | None) -> None:
    assert to_volts(unit) == volts
    assert is_counts(unit) == (unit == "counts")


@pytest.mark.parametrize(("unit", "factor"), [(b"uV", 1.0), ("μV".encode(), 1.0), (b"?V", 1.0), (b"mv", 1e3)])
def test_edf_is_read_in_the_unit_it_says(tmp_path: Path, unit: bytes, factor: float) -> None:
    with open_recording(edf(tmp_path / "a.edf", unit)) as recording:
        data = recording.read(0, recording.n_samples, recording.eeg)
        assert data.std() == pytest.approx(factor * SAMPLES.std(), rel=1e-2)
        assert any("taken as microvolts" in note for note in recording.notes) == (b"?" in unit)


def test_what_is_no_voltage_is_set_aside(tmp_path: Path) -> None:
    path = edf(tmp_path / "a.edf")
    data = path.read_bytes()
    at = 256 + 7 * 96 + 5 * 8  # the unit of the sixth of seven signals
    path.write_bytes(data[:at] + b"mmHg    " + data[at + 8 :])
    with open_recording(path) as recording:
        assert [recording.channels[i].name for i in recording.eeg] == NAMES[:5]


@pytest.mark.parametrize("text", ["Augen öff".encode("latin-1"), "музыка".encode("cp1251"), "音乐".encode("gbk")])
def test_annotations_in_other_encodings(tmp_path: Path, text: bytes) -> None:
    with open_recording(edf(tmp_path / "a.edf", annotation=text[:8])) as recording:
        (found,) = recording.annotations
        assert found.text == text[:8].decode("latin-1").strip()
        assert any("Latin-1" in note for note in recording.notes)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("Erg1", "not EEG"), ("Plet", "ECG"), ("E1-M2", "EOG"), ("Leg 1", "EMG"), ("LAT", "EMG"), ("OSAT", "not EEG"),
     ("Heart Rate", "ECG"), ("RAW_CQ", "not EEG"), ("MARKER_HARDWARE", "not EEG"), ("EQ_OVERALL", "not EEG"),
     ("Q3", "not EEG"), ("x_dir", "not EEG"), ("X1", "not EEG"), ("Validation Indicator", "not EEG"), ("TRG", "stim"),
     ("MKR", "stim"), ("Mark", "stim"), ("EventMarker", "stim"), ("Status Channel", "stim"), ("Sync", "stim"),
     ("EDF Trigger", "stim"), ("parallel port", "stim"),
     ("SpO2", "not EEG"), ("Nasal Pressure", "not EEG"), ("Gyro_X", "not EEG"), ("HSI_TP9", "not EEG"),
     ("STI101", "stim"), ("STI 014", "stim"), ("DIN1", "stim"), ("TTL", "stim"), ("Event", "stim"), ("D255", "stim"),
     ("Fz", "eeg"), ("EEG Fp1-REF", "eeg"), ("T7", "eeg"), ("FT10", "eeg"), ("E5", "eeg"), ("FCz", "eeg")],
)  # fmt: skip
def test_channels_by_name(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_every_channel_of_a_net_is_eeg(tmp_path: Path) -> None:
    names = [f"E{i}" for i in range(1, 33)]
    with quiet_mne():
        mne.io.RawArray(np.repeat(SAMPLES, 6, 0)[:32], mne.create_info(names, SFREQ, "eeg")).save(
            tmp_path / "a_raw.fif"
        )
    with open_recording(tmp_path / "a_raw.fif") as recording:
        assert len(recording.eeg) == 32


def brainvision(folder: Path, *, data: str = "", markers: str = "", unit: str = "µV", resolution: str = "0.1") -> Path:
    """Write a BrainVision recording whose header names its files in some other way."""
    samples = np.rint(SAMPLES * 1e7).astype("<i2")
    (folder / "rec.eeg").write_bytes(samples.T.tobytes())
    lines = [f"Ch{i}={name},,{resolution},{unit}" for i, name in enumerate(NAMES, 1)]
    (folder / "rec.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={data or 'rec.eeg'}\nMarkerFile={markers or 'rec.vmrk'}\nDataFormat=BINARY\n"
        f"DataOrientation=MULTIPLEXED\nNumberOfChannels=6\nSamplingInterval={1e6 / SFREQ}\n[Binary Infos]\n"
        "BinaryFormat=INT_16\n[Channel Infos]\n" + "\n".join(lines) + "\n",
        encoding="utf-8",
    )
    (folder / "rec.vmrk").write_text(
        "Brain Vision Data Exchange Marker File Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=rec.eeg\n"
        "[Marker Infos]\nMk1=Stimulus,S  1,641,1,0\n",
        encoding="utf-8",
    )
    return folder / "rec.vhdr"


@pytest.mark.parametrize(
    "how",
    [{}, {"data": "/lab/rec.eeg", "markers": "/lab/rec.vmrk"}, {"data": "C:\\Raw Files\\rec.eeg"},
     {"data": ".\\rec.eeg"}, {"data": "$b.eeg", "markers": "$b.vmrk"}, {"data": "old.eeg", "markers": "old.vmrk"},
     {"data": "REC.EEG"},
     {"unit": "μV"}, {"unit": "uv"}, {"unit": "?V"}, {"unit": "microvolts"}, {"resolution": "0,1"}],
    ids=str,
)  # fmt: skip
def test_brainvision_headers(tmp_path: Path, how: dict[str, str]) -> None:
    path = brainvision(tmp_path, **how)
    with open_recording(path) as recording:
        assert len(recording.eeg) == 6
        data = recording.read(0, recording.n_samples, recording.eeg)
        assert data.std() == pytest.approx(SAMPLES.std(), rel=1e-2)
        assert code_of(recording.annotations[0].text) == 1
        assert recording.files == (path, tmp_path / "rec.eeg", tmp_path / "rec.vmrk")


def test_a_header_in_latin_1(tmp_path: Path) -> None:
    path = brainvision(tmp_path)
    named = tmp_path / "Jörg.vhdr"
    text = path.read_text(encoding="utf-8").replace("rec.", "Jörg.").replace("Codepage=UTF-8\n", "")
    named.write_bytes(text.encode("latin-1"))
    for suffix in (".eeg", ".vmrk"):
        (tmp_path / f"rec{suffix}").rename(tmp_path / f"Jörg{suffix}")
    path.unlink()
    with open_recording(named) as recording:
        assert recording.n_samples == SAMPLES.shape[1]


def test_a_file_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    path = brainvision(tmp_path, data="other.eeg")
    (tmp_path / "rec.eeg").rename(tmp_path / "third.eeg")
    with pytest.raises(RecordingError, match=r"names other.eeg, which is not beside it \(third.eeg is\)"):
        open_recording(path)


def test_names_in_capitals(tmp_path: Path) -> None:
    for file in brainvision(tmp_path).parent.glob("rec.*"):
        file.rename(file.with_name(file.name.upper()))
    with open_recording(tmp_path / "REC.VHDR") as recording:
        assert len(recording.eeg) == 6
        assert recording.annotations


def test_a_unit_that_is_no_voltage_is_named_where_all_channels_have_it(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="gives its channels in 'uVrms', not in volts"):
        open_recording(edf(tmp_path / "rec.edf", unit=b"uVrms"))


@pytest.fixture
def split(tmp_path: Path) -> Path:
    with quiet_mne():
        long = np.tile(SAMPLES, 20)
        mne.io.RawArray(long, mne.create_info(NAMES, SFREQ, "eeg")).save(tmp_path / "whole_raw.fif", split_size="2MB")
    assert (tmp_path / "whole_raw-2.fif").is_file()
    return tmp_path / "whole_raw.fif"


def test_a_part_of_a_split_recording_is_refused(split: Path) -> None:
    part = split.with_name("whole_raw-2.fif")
    assert part_of(part) == split
    assert part_of(split) is None
    with pytest.raises(SplitPartError, match="name its first file, whole_raw.fif"):
        open_recording(part)


@pytest.mark.parametrize("renamed", [False, True])
def test_parts_in_the_naming_of_bids(tmp_path: Path, renamed: bool) -> None:
    with quiet_mne():
        raw = mne.io.RawArray(np.tile(SAMPLES, 20), mne.create_info(NAMES, SFREQ, "eeg"))
        raw.save(tmp_path / "sub-01_task-x_eeg.fif", split_size="2MB", split_naming="bids")
    if renamed:
        for part in tmp_path.iterdir():
            part.rename(part.with_name(part.name.replace("sub-01", "sub-ana")))
    first, *parts = sorted(tmp_path.iterdir())
    assert part_of(first) is None
    assert len(parts) > 1
    assert [part_of(part) for part in parts] == [first] * len(parts)
    first.rename(tmp_path / "away.fif")
    with pytest.raises(RecordingError, match="is a later part of a split recording"):
        open_recording(parts[0])


def test_parts_that_are_missing_or_linked(split: Path, tmp_path: Path) -> None:
    part, links = split.with_name("whole_raw-1.fif"), tmp_path / "links"
    links.mkdir()
    (links / "a_raw.fif").symlink_to(split)
    (links / "b_raw.fif").symlink_to(part)
    assert part_of(links / "b_raw.fif") == split
    with open_recording(split) as whole, open_recording(links / "a_raw.fif") as linked:
        assert linked.n_samples == whole.n_samples
    part.rename(split.with_name("part.fif"))
    for first in (split, links / "a_raw.fif"):
        with pytest.raises(
            RecordingError, match=f"{first} is split into parts, and whole_raw-1.fif is not beside it: put all"
        ):
            open_recording(first)


def test_packed_parts_are_said_to_be_such(tmp_path: Path) -> None:
    with quiet_mne():
        raw = mne.io.RawArray(np.tile(SAMPLES, 20), mne.create_info(NAMES, SFREQ, "eeg"))
        raw.save(tmp_path / "a_raw.fif.gz", split_size="2MB")
    first, *_, last = sorted(tmp_path.iterdir(), key=lambda path: (len(path.name), path.name))
    # MNE-Python calls it `a_raw.fif-5.gz`.
    for part in (first, last.rename(tmp_path / "part.fif.gz")):
        with pytest.raises(RecordingError, match="is one of several packed parts"):
            open_recording(part)


def test_a_packed_recording_that_is_damaged_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "a_raw.fif.gz"
    with quiet_mne():
        mne.io.RawArray(SAMPLES, mne.create_info(NAMES, SFREQ, "eeg")).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-8] + bytes(4) + whole[-4:])
    with pytest.raises(RecordingError, match=r"cannot be unpacked \(it is damaged\): copy it again"):
        open_recording(path)


def test_damage_is_said_in_plain_words(tmp_path: Path) -> None:
    path = edf(tmp_path / "a.edf")
    data = bytearray(path.read_bytes())
    at = 256 + 7 * (16 + 80 + 8)
    data[at : at + 8] = b" " * 8
    path.write_bytes(bytes(data))
    with pytest.raises(RecordingError, match="the physical minimum of channel Fz is '', which is no number"):
        open_recording(path)


CASES = Path(__file__).resolve().parents[2].parent / "shared" / "cases"


@pytest.mark.parametrize(
    "folder", ["13-aux-channels-by-name", "14-units", "15-brainvision-names", "19-library-messages"]
)
def test_found_files_score_as_their_controls(tmp_path: Path, folder: str) -> None:
    if not (CASES / folder).is_dir():
        pytest.skip(f"no such files at {CASES / folder}")
    events = tmp_path / "events.tsv"
    events.write_text("onset\tduration\ttrial_type\n31\t100\tpiece/x\n")
    refused = {"xdf-counts.xdf", "blank-range.edf", "epoched.set"}
    values = []
    for path in sorted((CASES / folder).iterdir()):
        if path.suffix not in {".edf", ".bdf", ".vhdr", ".set", ".xdf"}:
            continue
        if path.name in refused:
            with pytest.raises(RecordingError, match="counts|physical|epochs"):
                score_recording(path, events=events)
            continue
        score = score_recording(path, events=events)
        assert len(score.scored_channels) == 6, path
        values.append(score.plays[0].beta_db)
    assert len(values) > 4
    assert np.ptp(values) < 2e-3


def test_sets_that_other_programs_write(tmp_path: Path) -> None:
    import scipy.io

    channels = np.empty((1, 6), dtype=[("labels", "O")])
    for i, label in enumerate(["Fz", 2.0, np.zeros((0, 0)), "C3", "C4", "C4"]):
        channels[0, i] = (label,)
    event = np.empty((1, 2), dtype=[("type", "O"), ("latency", "O")])
    event[0, 0], event[0, 1] = ("go", 129.0), ("lost", np.zeros((0, 0)))
    made = {"nbchan": 6, "trials": 1, "pnts": SAMPLES.shape[1], "srate": SFREQ, "xmin": 0.0, "data": SAMPLES * 1e6,
            "chanlocs": channels, "event": event, "epoch": [], "icaact": [], "icawinv": [], "icasphere": [],
            "icaweights": []}  # fmt: skip
    scipy.io.savemat(tmp_path / "a.set", {"EEG": made}, appendmat=False)
    with open_recording(tmp_path / "a.set") as recording:
        assert [channel.name for channel in recording.channels] == ["Fz", "2", "EEG 003", "C3", "C4", "C4+"]
        assert [(one.onset_s, one.text) for one in recording.annotations] == [(1.0, "go")]
        data = recording.read(0, recording.n_samples, recording.eeg)
        assert np.allclose(data, SAMPLES)
    made |= {"trials": 3, "data": (SAMPLES * 1e6)[:, : 3 * 128].reshape(6, 128, 3), "pnts": 128}
    scipy.io.savemat(tmp_path / "b.set", {"EEG": made}, appendmat=False)
    with pytest.raises(RecordingError, match="holds 3 epochs; continuous data are needed"):
        open_recording(tmp_path / "b.set")
