"""Opening recordings: every format, real files, and one clear error for what is none."""

from __future__ import annotations

import contextlib
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import mne
import numpy as np
import pytest

from eeg.errors import RecordingError
from eeg.io.mne import quiet_mne
from eeg.io.recording import open_recording
from eeg.scoring import score_recording, sha256_of
from eeg.simulation.file import to_raw
from eeg.simulation.simulate import Simulated
from therapy_gen.errors import TherapyGenError


@pytest.fixture(scope="module")
def copies(simulated: Simulated, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write the same samples in every format that can be written here."""
    for package in ("edfio", "pybv", "eeglabio"):
        pytest.importorskip(package, reason=f"{package}, which writes copies for the tests, is not installed")
    folder = tmp_path_factory.mktemp("copies")
    raw = to_raw(simulated, meas_date=datetime(2026, 5, 1, 12, tzinfo=UTC))
    files = {}
    with quiet_mne():
        for name, options in (
            ("single_raw.fif", {"fmt": "single"}),
            ("double_raw.fif", {"fmt": "double"}),
            ("packed_raw.fif.gz", {"fmt": "single"}),
            ("split_raw.fif", {"fmt": "single", "split_size": "2MB", "buffer_size_sec": 1}),
            ("late_raw.fif", {"fmt": "single", "buffer_size_sec": 7}),
        ):
            files[name] = folder / name
            (raw if name != "late_raw.fif" else to_raw(simulated, first_samp=12_345)).save(files[name], **options)
        for name in ("copy.edf", "copy.vhdr", "copy.set"):
            files[name] = folder / name
            mne.export.export_raw(files[name], raw)
    files |= other_copies(simulated, folder)
    return files


def other_copies(simulated: Simulated, folder: Path) -> dict[str, Path]:
    """Write what MNE does not: BDF, EEGLAB with its samples in a file of their own, EEGLAB in HDF5 (MATLAB 7.3)."""
    import edfio
    from eeglabio.raw import export_set
    from scipy.io import loadmat, savemat

    files = {name: folder / name for name in ("copy.bdf", "parted.set", "matlab73.set")}
    marks = [(i.onset_s, i.duration_s, f"piece/{i.piece}" if i.piece else "silence") for i in simulated.items]
    samples, sfreq = simulated.samples.astype(float), simulated.sfreq
    assert samples.shape[1] % sfreq == 0, "BDF holds whole seconds"
    signals = [
        edfio.BdfSignal(row * 1e6, sfreq, label=name, physical_dimension="uV", physical_range=(-400, 400))
        for row, name in zip(samples, simulated.names, strict=True)
    ]
    edfio.Bdf(signals, annotations=[edfio.EdfAnnotation(*mark) for mark in marks]).write(files["copy.bdf"])
    onsets, durations, texts = (np.array(column) for column in zip(*marks, strict=True))
    for name, form in (("parted.set", "v5"), ("matlab73.set", "v7.3")):
        export_set(
            str(files[name]), samples, sfreq, list(simulated.names), annotations=[texts, onsets, durations], fmt=form
        )
    header = {key: value for key, value in loadmat(files["parted.set"]).items() if not key.startswith("__")}
    header["data"].astype("<f4").T.tofile(folder / "parted.fdt")
    savemat(files["parted.set"], header | {"data": "parted.fdt"})
    return files


def values(path: Path) -> np.ndarray:
    score = score_recording(path)
    return np.array([(p.beta_db, p.gamma_db, p.beta_adjusted_db, p.muscle_db) for p in (*score.plays, *score.baseline)])


@pytest.mark.parametrize("name", ["double_raw.fif", "packed_raw.fif.gz", "split_raw.fif", "late_raw.fif"])
def test_same_samples_in_fif_give_the_same_decibels(copies: dict[str, Path], name: str) -> None:
    assert np.abs(values(copies[name]) - values(copies["single_raw.fif"])).max() < 1e-6


QUANTISED = [
    ("copy.edf", 0.01),
    ("copy.bdf", 1e-4),
    ("copy.vhdr", 0.01),
    ("copy.set", 1e-4),
    ("parted.set", 1e-4),
    ("matlab73.set", 1e-4),
]


@pytest.mark.parametrize(("name", "most"), QUANTISED)
def test_same_samples_in_other_formats_within_quantisation(copies: dict[str, Path], name: str, most: float) -> None:
    assert np.abs(values(copies[name]) - values(copies["single_raw.fif"])).max() < most


def test_split_files_are_all_named_and_read(copies: dict[str, Path], simulated: Simulated) -> None:
    recording = open_recording(copies["split_raw.fif"])
    assert len(recording.files) > 1
    assert recording.n_samples == simulated.samples.shape[1]
    data = recording.read(0, recording.n_samples, recording.eeg)
    assert np.allclose(data, simulated.samples, rtol=1e-6, atol=1e-12)


def test_a_recording_is_the_same_however_its_path_is_written(
    copies: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(copies["copy.edf"].parent)
    for path in copies.values():
        with open_recording(path) as absolute, open_recording(Path(path.name)) as relative:
            assert [file.resolve() for file in relative.files] == [file.resolve() for file in absolute.files]
            assert sha256_of(relative.files) == sha256_of(absolute.files)
    link = tmp_path / "link_raw.fif"
    link.symlink_to(copies["single_raw.fif"])
    with open_recording(link) as linked:
        assert sha256_of(linked.files) == sha256_of([link])


def test_float32_reading_is_mne_reading_less_the_first_sample(copies: dict[str, Path]) -> None:
    for name in ("single_raw.fif", "split_raw.fif", "double_raw.fif", "copy.edf"):
        recording = open_recording(copies[name])
        for start, stop, picks in (
            (0, 10, (0,)),
            (399, 2801, (5, 1)),
            (recording.n_samples - 3, recording.n_samples, range(8)),
        ):
            slow = recording.read(start, stop, list(picks))
            fast = recording.read32(start, stop, list(picks))
            assert fast.dtype == np.float32
            assert np.allclose(fast, slow - slow[:, :1], rtol=1e-5, atol=1e-11)


def test_times_count_from_the_first_stored_sample(copies: dict[str, Path]) -> None:
    marks = {}
    for name, path in copies.items():
        with open_recording(path) as recording:
            marks[name] = recording.annotations
    plays = {name: [m for m in found if "piece/" in m.text] for name, found in marks.items()}
    for found in plays.values():
        assert len(found) == 9
        assert found[0].onset_s == pytest.approx(60.0, abs=0.006)
        assert found[0].duration_s == pytest.approx(40.0, abs=0.006)


@pytest.mark.parametrize(
    ("name", "format", "sfreq", "eeg", "aside"),
    [
        ("formats/rest_eyes_open_200Hz_raw.fif", "FIF", 200, 2, 0),
        ("formats/eeglab_data.set", "EEGLAB", 128, 30, 2),
        ("formats/mne_test.bdf", "BDF", 2048, 64, 8),
        ("formats/mne_test.edf", "EDF", 512, 136, 2),
        ("formats/testbva.vhdr", "BrainVision", 200, 29, 3),
        ("eegbci/S001R03.edf", "EDF", 160, 64, 0),
        ("eegmat/Subject00_1.edf", "EDF", 500, 19, 2),
    ],
)
def test_real_files(eeg_data: Path, name: str, format: str, sfreq: float, eeg: int, aside: int) -> None:
    recording = open_recording(eeg_data / name)
    assert (recording.format, recording.sfreq, len(recording.eeg)) == (format, sfreq, eeg)
    assert sum(c.kind not in {"eeg", "stim"} for c in recording.channels) == aside
    assert bool(recording.notes) == bool(aside)
    stop = min(int(2 * sfreq), recording.n_samples)
    size = np.median(np.ptp(recording.read(0, stop, recording.eeg), axis=1))
    assert 1e-6 < size < 2e-3, "not in volts"
    recording.close()


def test_fif_dates_count_the_samples_before_the_first_stored_one(eeg_data: Path) -> None:
    recording = open_recording(eeg_data / "formats/rest_eyes_open_200Hz_raw.fif")
    assert recording.clock == "utc"
    assert recording.meas_date == datetime(2019, 2, 27, 8, 18, 12, tzinfo=UTC)


def test_microvolts_stored_as_volts_are_noticed(simulated: Simulated, listener_fif: Path, tmp_path: Path) -> None:
    wrong = Simulated(simulated.samples * np.float32(1e6), simulated.names, simulated.sfreq, simulated.items)
    path = tmp_path / "wrong_raw.fif"
    with quiet_mne():
        to_raw(wrong).save(path)
    score = score_recording(path)
    assert any("microvolts" in warning for warning in score.warnings)
    assert np.abs(values(path) - values(listener_fif)).max() < 1e-4


@pytest.mark.parametrize("factor", [1.0, 1e6])
def test_the_unit_is_told_from_the_whole_recording(simulated: Simulated, tmp_path: Path, factor: float) -> None:
    """Four flat seconds at its start, and a window as large as volts, say nothing of the unit."""
    found = []
    for name, size in (("volts", 1.0), ("other", factor)):
        samples = simulated.samples * np.float32(size)
        samples[:, : int(4 * simulated.sfreq)] = 0.0
        samples[:, int(4 * simulated.sfreq) : int(6 * simulated.sfreq)] *= np.float32(1e5)
        path = tmp_path / f"{name}_raw.fif"
        with quiet_mne():
            to_raw(Simulated(samples, simulated.names, simulated.sfreq, simulated.items)).save(path)
        score = score_recording(path)
        assert any("microvolts" in warning for warning in score.warnings) == (size > 1)
        found.append(values(path))
    assert np.abs(found[0] - found[1]).max() < 1e-4


def read_last(path: Path) -> None:
    recording = open_recording(path)
    recording.read(recording.n_samples - 1, recording.n_samples, recording.eeg)


def refused(path: Path) -> str:
    with pytest.raises(RecordingError) as caught:
        read_last(path)
    text = str(caught.value)
    assert path.name in text or path.with_suffix(".eeg").name in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize("share", [0.0005, 0.01, 0.3, 0.7, 0.98])
@pytest.mark.parametrize(
    "name", ["single_raw.fif", "packed_raw.fif.gz", "copy.edf", "copy.bdf", "copy.set", "matlab73.set"]
)
def test_cut_short(copies: dict[str, Path], tmp_path: Path, name: str, share: float) -> None:
    whole = copies[name].read_bytes()
    part = tmp_path / name
    part.write_bytes(whole[: int(len(whole) * share)])
    refused(part)


def test_brainvision_parts(copies: dict[str, Path], tmp_path: Path) -> None:
    for suffix in (".vhdr", ".vmrk", ".eeg"):
        shutil.copy(copies["copy.vhdr"].with_suffix(suffix), tmp_path)
    data = tmp_path / "copy.eeg"
    assert "copy.vhdr" in refused(data)
    assert "copy.vhdr" in refused(tmp_path / "copy.vmrk")
    whole = data.read_bytes()
    data.write_bytes(whole[: len(whole) // 2])
    assert "cut short" in refused(tmp_path / "copy.vhdr")
    data.unlink()
    assert "copy.eeg" in refused(tmp_path / "copy.vhdr")


def test_eeglab_without_its_samples(eeg_data: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(eeg_data / "formats" / "eeglab_data.set", tmp_path))
    assert ".fdt, which is not beside it" in refused(path)


def test_eeglab_whose_samples_are_cut_short(copies: dict[str, Path], tmp_path: Path) -> None:
    path = Path(shutil.copy(copies["parted.set"], tmp_path))
    data = copies["parted.set"].with_suffix(".fdt").read_bytes()
    for share in (0.0, 0.3, 0.98):
        path.with_suffix(".fdt").write_bytes(data[: int(len(data) * share)])
        with pytest.raises(RecordingError, match=r"parted\.fdt is cut short: it holds \d+ of 99600 samples"):
            open_recording(path)


def test_missing_part_of_a_split_file(copies: dict[str, Path], tmp_path: Path) -> None:
    shutil.copy(copies["split_raw.fif"], tmp_path)
    refused(tmp_path / "split_raw.fif")


def test_wrong_names_and_other_files(copies: dict[str, Path], tmp_path: Path) -> None:
    wrong = tmp_path / "rec.edf"
    shutil.copy(copies["single_raw.fif"], wrong)
    assert "FIF" in refused(wrong)
    wrong = tmp_path / "rec.fif"
    shutil.copy(copies["copy.edf"], wrong)
    assert "an EDF file" in refused(wrong)
    for name, content, word in (
        ("empty.fif", b"", "empty"),
        ("text.edf", b"hello " * 500, "damaged"),
        ("song.mid", b"MThd" + bytes(40), "not an EEG recording"),
        ("packed.fif.gz", b"\x1f\x8b" + bytes(30), "damaged"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        assert word in refused(path)
    wrong = tmp_path / "plain.fif.gz"
    shutil.copy(copies["single_raw.fif"], wrong)
    assert "rename it to end in .fif" in refused(wrong)
    pipe = tmp_path / "pipe.edf"
    os.mkfifo(pipe)
    assert "a pipe or a device" in refused(pipe)
    assert "folder" in refused(tmp_path)
    assert "does not exist" in refused(tmp_path / "none.fif")


@pytest.mark.parametrize("at", [20, 3000, 500_000])
def test_a_damaged_gzip_file_is_told_in_one_line(copies: dict[str, Path], tmp_path: Path, at: int) -> None:
    data = bytearray(copies["packed_raw.fif.gz"].read_bytes())
    data[at : at + 200] = bytes(200)
    path = tmp_path / "packed_raw.fif.gz"
    path.write_bytes(data)
    refused(path)


@pytest.mark.parametrize("seed", range(12))
def test_damaged_bytes_never_end_in_a_traceback(copies: dict[str, Path], tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    name = ("single_raw.fif", "copy.edf", "copy.set")[seed % 3]
    data = bytearray(copies[name].read_bytes())
    for at in rng.integers(0, 4000, 40):
        data[at] = rng.integers(256)
    path = tmp_path / name
    path.write_bytes(data)
    with contextlib.suppress(TherapyGenError):
        score_recording(path)


def test_no_eeg_and_too_slow(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for kind, sfreq, word in (("mag", 250.0, "no EEG"), ("eeg", 50.0, "50 Hz")):
        path = tmp_path / f"{kind}_raw.fif"
        with quiet_mne():
            info = mne.create_info(["one", "two"], sfreq, kind)
            mne.io.RawArray(rng.standard_normal((2, 1000)) * 1e-5, info).save(path)
        assert word in refused(path)


def test_edf_channels_of_another_rate_are_set_aside(tmp_path: Path) -> None:
    edfio = pytest.importorskip("edfio", reason="edfio, which writes the file, is not installed")
    rng = np.random.default_rng(0)
    signals = [
        edfio.EdfSignal(10 * rng.standard_normal(250 * 20), 250, label=name, physical_dimension="uV")
        for name in ("Cz", "Pz")
    ]
    signals.append(edfio.EdfSignal(rng.standard_normal(10 * 20), 10, label="Temp", physical_dimension="degC"))
    path = tmp_path / "mixed.edf"
    edfio.Edf(signals).write(path)
    recording = open_recording(path)
    assert recording.sfreq == 250
    assert [c.name for c in recording.channels] == ["Cz", "Pz"]
    assert "Temp" in recording.notes[0]


def test_edf_records_that_do_not_follow_one_another_are_refused(tmp_path: Path) -> None:
    edfio = pytest.importorskip("edfio", reason="edfio, which writes the file, is not installed")
    rng = np.random.default_rng(0)
    path = tmp_path / "gap.edf"
    signal = edfio.EdfSignal(10 * rng.standard_normal(250 * 20), 250, label="Cz", physical_dimension="uV")
    edfio.Edf([signal], annotations=[edfio.EdfAnnotation(1.0, None, "rest")]).write(path)
    whole = path.read_bytes().replace(b"EDF+C", b"EDF+D", 1)
    for gap in (0.01, 0.2):
        data = whole
        for second in range(12, 20):
            old, new = f"+{second}\x14\x14".encode(), f"+{second + gap:g}\x14\x14".encode()
            assert data.count(old) == 1
            data = data.replace(old + bytes(len(new) - len(old)), new)
        path.write_bytes(data)
        if gap == 0.01:
            assert open_recording(path).n_samples == 5000
    assert "EDF+D file with gaps (the first at 12.0 s)" in refused(path)
