"""EEGLAB sets: MATLAB files, with their samples inside or in a file beside them."""

from __future__ import annotations

from pathlib import Path

from eeg.errors import RecordingError
from eeg.io.formats import Format, Opened


def _recognises(start: bytes, path: Path) -> bool:
    return start.startswith((b"MATLAB 5.0 MAT-file", b"\x89HDF\r\n\x1a\n", b"MATLAB 7.3"))


def _open(path: Path) -> Opened:
    from eeg.io.matlab import check_matlab
    from eeg.io.mne import import_mne, quiet_mne

    with path.open("rb") as opened:
        hdf5 = opened.read(16).startswith((b"\x89HDF", b"MATLAB 7.3"))
    if not hdf5:
        check_matlab(path)
    with quiet_mne():
        try:
            raw = import_mne().io.read_raw_eeglab(path, preload=False)
        except FileNotFoundError:
            raise
        except Exception:  # labels that are numbers or empty, events without a latency, epochs
            from eeg.io.eeglab_struct import read_set

            return read_set(path)
    files = [path, *(Path(str(name)) for name in raw.filenames if name is not None)]
    for file in files:
        if file.suffix.lower() == ".fdt":  # float32
            present = file.stat().st_size // (4 * len(raw.ch_names))
            if present < raw.n_times:
                raise RecordingError(f"{file} is cut short: it holds {present} of {raw.n_times} samples; copy it again")
    return Opened(raw, tuple(dict.fromkeys(files)), "none")


FORMAT = Format(
    name="EEGLAB",
    suffixes=(".set",),
    recognises=_recognises,
    open=_open,
    name_this="`.set`",
    notes="with `.fdt` where there is one",
    parts=(".fdt",),
    in_memory=True,
)
