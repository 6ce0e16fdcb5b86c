"""What formats there are: declared once each, found by themselves, told in help and manual."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from eeg.errors import RecordingError
from eeg.io import readers
from eeg.io.bounds import bounded
from eeg.io.formats import find_format, format_table, formats, names_of_formats
from eeg.io.recording import open_recording
from therapy_gen.errors import OutOfBoundsError

ROOT = Path(__file__).resolve().parents[2]
TOY = """
import numpy as np
from eeg.io.formats import Format, Opened


def _open(path):
    import mne

    samples = np.array(path.read_text().split()[1:], float).reshape(1, -1) * 1e-6
    return Opened(mne.io.RawArray(samples, mne.create_info(["Cz"], 100.0, "eeg"), verbose="error"), (path,), "none")


FORMAT = Format("Toy", (".toy",), lambda start, path: start.startswith(b"TOY"), _open, "`.toy`", "numbers")
"""


def test_one_file_adds_a_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "readers"
    folder.mkdir()
    (folder / "toy.py").write_text(TOY, encoding="utf-8")
    monkeypatch.setattr(readers, "__path__", [*readers.__path__, str(folder)])
    formats.cache_clear()
    try:
        path = tmp_path / "a.toy"
        path.write_text("TOY " + " ".join(str(i % 7) for i in range(500)), encoding="utf-8")
        with open_recording(path) as recording:
            assert (recording.format, recording.n_samples, recording.channels[0].site) == ("Toy", 500, "CZ")
        assert "Toy" in names_of_formats()
        assert "| Toy | `.toy` | numbers |" in format_table()
    finally:
        formats.cache_clear()


def test_the_manual_lists_every_format() -> None:
    assert format_table() in (ROOT / "docs" / "eeg.md").read_text(encoding="utf-8")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_and_devices_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rec.edf")
    for path in (tmp_path / "rec.edf", Path("/dev/null"), Path("/dev/zero")):
        with pytest.raises(RecordingError, match="pipe or a device"):
            find_format(path)


def _work(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pass


def test_work_is_bounded_in_time_and_memory() -> None:
    with pytest.raises(OutOfBoundsError), bounded(0.05, 2**30):
        _work(60.0)
    if Path("/proc/self/statm").exists():
        with pytest.raises(MemoryError), bounded(5.0, 2**26):
            bytearray(2**28)
    assert len(bytearray(2**28)) == 2**28
