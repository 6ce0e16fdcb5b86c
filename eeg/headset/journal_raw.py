"""A journal as an MNE Raw, read from the file piece by piece."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from eeg.headset.journal import Journal
from eeg.headset.sources import Float32
from eeg.io.mne import import_mne, quiet_mne

_LOST = "BAD_lost"


def _read_samples(path: Path, journal: Journal, start: int, stop: int) -> Float32:
    """Return samples ``start`` to ``stop`` (exclusive) of the even grid; lost ones repeat the last value.

    Returns
    -------
    array, shape (n_channels, stop - start)
        In volts.
    """
    width = len(journal.stream.channels)
    out = np.zeros((stop - start, width), np.float32)
    filled = 0
    firsts = [piece[0] for piece in journal.pieces]
    k = max(int(np.searchsorted(firsts, start, side="right")) - 1, 0)
    with path.open("rb") as file:
        for first, count, where in journal.pieces[k:]:
            if first >= stop:
                break
            a, b = max(first, start), min(first + count, stop)
            if a >= b:
                continue
            file.seek(where + (a - first) * width * 4)
            block = np.frombuffer(file.read((b - a) * width * 4), "<f4").reshape(-1, width)
            if a - start > filled:
                out[filled : a - start] = out[filled - 1] if filled else block[0]
            out[a - start : b - start] = block
            filled = b - start
    if filled and filled < len(out):
        out[filled:] = out[filled - 1]
    return out.T


def make_raw(path: Path, journal: Journal) -> Any:
    """Return the Raw, with labels and losses as annotations."""
    mne = import_mne()

    class JournalRaw(mne.io.BaseRaw):  # type: ignore[misc, name-defined, unused-ignore]
        def _read_segment_file(self, data: Any, idx: Any, fi: int, start: int, stop: int, cals: Any, mult: Any) -> None:
            block = _read_samples(path, journal, start, stop).astype(np.float64)
            data[:] = mult @ block if mult is not None else block[idx]

    with quiet_mne():
        info = mne.create_info(list(journal.stream.channels), journal.stream.sfreq, "eeg")
        info.set_meas_date(journal.started) if hasattr(info, "set_meas_date") else None
        raw = JournalRaw(
            info,
            preload=False,
            first_samps=[0],
            last_samps=[journal.n_samples - 1],
            filenames=[str(path)],
            orig_format="single",
        )
        raw.set_meas_date(journal.started)
        sfreq = journal.stream.sfreq
        marks = [(max(at, 0.0), 0.0, text) for at, text in journal.labels if at < journal.n_samples / sfreq]
        marks += [(first / sfreq, count / sfreq, _LOST) for first, count in journal.lost]
        raw.set_annotations(
            mne.Annotations(
                [m[0] for m in marks], [m[1] for m in marks], [m[2] for m in marks], orig_time=raw.info["meas_date"]
            )
        )
    return raw
