"""Clicks in a channel of a recording, or in audio recorded with it, say which piece began when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from scipy.signal import butter, resample_poly, sosfilt

from eeg.errors import TimelineError
from eeg.io.mne import import_mne, quiet_mne
from eeg.scoring import plan_recording
from eeg.timeline.known_pieces import Item, KnownPiece, KnownSession, Library
from sessions.errors import ExportError
from sessions.export.click_track import with_clicks
from sessions.records import ItemRecord
from therapy_gen.click_track import MOST, number_of, pulses

RATE, SFREQ = 44100, 180


@pytest.fixture(scope="module")
def items() -> list[Item]:
    """Two pieces, played twice in 80 s, with silence around each."""
    lengths = [
        ("", 10.0),
        ("A", 15.0),
        ("", 2.0),
        ("B", 15.0),
        ("", 3.0),
        ("B", 12.0),
        ("", 2.0),
        ("A", 15.0),
        ("", 6.0),
    ]
    starts = np.cumsum([0.0, *(length for _, length in lengths)])
    return [
        Item("music" if piece else "silence", piece or None, float(start), length)
        for start, (piece, length) in zip(starts, lengths, strict=False)
    ]


@pytest.fixture(scope="module")
def library(items: list[Item]) -> Library:
    return Library(lambda name: KnownPiece(name, 15.0), lambda name: KnownSession(name, tuple(items)))


@pytest.fixture(scope="module")
def track(items: list[Item]) -> np.ndarray[Any, Any]:
    """The click track of the simulated session, over music, as the export writes it."""
    records = [ItemRecord(n, one.role, None, one.onset_s, one.duration_s) for n, one in enumerate(items)]
    rng = np.random.default_rng(1)
    frames = round(items[-1].end_s * RATE)
    blocks = (rng.normal(0, 0.1, (min(65536, frames - at), 2)).astype(np.float32) for at in range(0, frames, 65536))
    return np.concatenate(list(with_clicks(blocks, records)))


def recorded(signal: np.ndarray[Any, Any], path: Path) -> Path:
    """A recording of 80 s, with a channel that is no EEG."""
    mne = import_mne()
    data = np.random.default_rng(0).normal(0, 1e-5, (4, 80 * SFREQ))
    data[3, : len(signal)] = signal
    data[3, len(signal) :] = 0
    with quiet_mne():
        info = mne.create_info(["C3", "Cz", "C4", "AUX 1"], SFREQ, ["eeg"] * 3 + ["misc"])
        mne.io.RawArray(data, info).save(path, overwrite=True, verbose="error")
    return path


def through_the_amplifier(track: np.ndarray[Any, Any], seed: int = 0) -> np.ndarray[Any, Any]:
    """What 180 Hz, a coupling from 15 Hz on, wires the wrong way round, hum and drift leave of a click track."""
    coupled = sosfilt(butter(1, 15, "highpass", fs=RATE, output="sos"), track)
    slow = coupled.reshape(-1, RATE // SFREQ).mean(axis=1)
    at = np.arange(len(slow)) / SFREQ
    hum = 0.02 * np.sin(2 * np.pi * 50 * at) + 0.5 * np.sin(2 * np.pi * 0.01 * at)
    return -2e-3 * (slow + hum + np.random.default_rng(seed).normal(0, 0.01, len(slow)))


def plays(path: Path, library: Library, **ways: Any) -> list[tuple[str, float, float]]:
    return [(play.piece, play.onset_s, play.duration_s) for play in plan_recording(path, library, **ways).plays]


def test_every_number_is_read_back() -> None:
    for number in range(1, MOST + 1):
        marks = pulses(number)
        assert number_of(marks) == number
        # One that is missing, or one too many, makes another number of none of them.
        for lost in range(len(marks)):
            assert number_of([at - marks[lost == 0] for n, at in enumerate(marks) if n != lost]) is None


def test_a_click_track_in_a_channel(
    items: list[Item], library: Library, track: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    path = recorded(through_the_amplifier(track[:, 1]), tmp_path / "rec.fif")
    found = plays(path, library, clicks="aux 1", session="7")
    meant = [(one.piece, one.onset_s) for one in items if one.piece]
    assert [piece for piece, _, _ in found] == [piece for piece, _ in meant]
    assert max(abs(onset - wanted) for (_, onset, _), (_, wanted) in zip(found, meant, strict=True)) < 0.005
    plan = plan_recording(path, library, clicks="AUX 1", session="7")
    assert plan.session == "7"
    assert sum(one.duration_s for one in plan.baseline) > 15
    # Without a session each is known by its number.
    codes = {n: f"piece/{one.piece}" for n, one in enumerate(items, start=1) if one.piece}
    assert [piece for piece, _, _ in plays(path, library, clicks="AUX 1", codes=codes)] == [p for p, _ in meant]
    labels = {f"click/{n}": one.piece for n, one in enumerate(items, start=1) if one.piece}
    assert len(plays(path, library, clicks="AUX 1", labels=labels)) == len(meant)


def test_a_click_track_in_a_file(
    items: list[Item], library: Library, track: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    path = recorded(np.zeros(1), tmp_path / "rec.fif")
    # The audio recorder was started 2.5 s before the EEG, and at another rate.
    late = np.concatenate((np.zeros((int(2.5 * RATE), 2)), track))
    soundfile.write(tmp_path / "room.wav", resample_poly(late, 160, 441), 16000)
    found = plays(path, library, clicks=str(tmp_path / "room.wav"), session="7", offset_s=-2.5)
    for (piece, onset, _), one in zip(found, [one for one in items if one.piece], strict=True):
        assert piece == one.piece
        assert onset == pytest.approx(one.onset_s, abs=0.005)
    plan = plan_recording(path, library, clicks=f"{tmp_path / 'room.wav'}:2", session="7")
    assert any("begun together" in note for note in plan.notes)


def test_plain_clicks_follow_a_session(items: list[Item], library: Library, tmp_path: Path) -> None:
    """One click of a metronome for each piece, in a room with noise; the recorder was started 4 s later."""
    rng = np.random.default_rng(3)
    sound = rng.normal(0, 0.004, round(items[-1].end_s * 8000))
    ring = np.sin(2 * np.pi * 1200 * np.arange(400) / 8000) * np.exp(-np.arange(400) / 80)
    music = [one for one in items if one.piece]
    for one in music:
        sound[round(one.onset_s * 8000) :][:400] += ring
    soundfile.write(tmp_path / "clicks.flac", sound[4 * 8000 :], 8000)
    path = recorded(np.zeros(1), tmp_path / "rec.fif")
    file = str(tmp_path / "clicks.flac")
    found = plays(path, library, clicks=file, session="7", offset_s=4.0)
    assert [piece for piece, _, _ in found] == [one.piece for one in music]
    assert max(abs(onset - one.onset_s) for (_, onset, _), one in zip(found, music, strict=True)) < 0.005
    assert len(plays(path, Library(), clicks=file, any_label=True, offset_s=4.0)) == len(music) - 1
    other = replace(
        library, find_session=lambda name: KnownSession(name, tuple(replace(o, onset_s=2 * o.onset_s) for o in items))
    )
    with pytest.raises(TimelineError, match="do not follow the onsets of session 8"):
        plan_recording(path, other, clicks=file, session="8")


def test_clicks_that_are_none(library: Library, tmp_path: Path) -> None:
    path = recorded(np.random.default_rng(0).normal(0, 1e-4, 80 * SFREQ), tmp_path / "rec.fif")
    (tmp_path / "text.wav").write_text("no sound")
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 8000)
    for place, said in (
        ("AUX 1", "no click stands out in channel AUX 1"),
        ("AUX 9", "has no such channel .it has"),
        (str(tmp_path / "text.wav"), "is no audio that can be read"),
        (str(tmp_path / "silent.wav"), "no click stands out in silent.wav"),
        (f"{tmp_path / 'silent.wav'}:4", "has 1 channels, and no channel 4"),
    ):
        with pytest.raises(TimelineError, match=said):
            plan_recording(path, library, clicks=place, session="7")
    ring = np.zeros(80 * SFREQ)
    ring[4000:4003] = 1.0
    path = recorded(ring, tmp_path / "one.fif")
    with pytest.raises(TimelineError, match="nothing says what the 1 clicks in channel AUX 1 are"):
        plan_recording(path, library, clicks="AUX 1")


def test_what_no_click_track_can_mark() -> None:
    short = [ItemRecord(n, "silence", None, float(n), 1.0) for n in range(2)]
    with pytest.raises(ExportError, match="too short for its clicks"):
        list(with_clicks([], short))
    with pytest.raises(ExportError, match="at most 255 parts"):
        list(with_clicks([], [ItemRecord(n, "silence", None, 2.0 * n, 2.0) for n in range(256)]))
