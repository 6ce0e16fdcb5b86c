"""Simulated recordings as MNE objects and as FIF files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from eeg.errors import ParameterError
from eeg.io.mne import import_mne, quiet_mne
from eeg.simulation.simulate import Simulated
from eeg.timeline.known_pieces import MUSIC
from therapy_gen.files import atomic_write

# MNE-Python splits a file at 2 GiB, less the header and a block of a second (20 MB at 256 channels and 20 kHz): the
# parts would stay behind under the name that is written first, and the file would refer to them.
LARGEST_FIF_BYTES = 2**31 - 2**25


def check_size(channels: int, sfreq: float, duration_s: float) -> None:
    """Refuse a recording that would not fit into one FIF file; best before it is simulated, which takes long.

    Parameters
    ----------
    channels : int
    sfreq : float
        Hz.
    duration_s : float

    Raises
    ------
    ParameterError
    """
    size = 4 * channels * math.ceil(duration_s * sfreq)
    if size > LARGEST_FIF_BYTES:
        raise ParameterError(
            f"{channels} channels at {sfreq:g} Hz over {duration_s / 60:.0f} min are {size / 1e9:.1f} GB, and a FIF "
            f"file holds {LARGEST_FIF_BYTES / 1e9:.1f}: take fewer channels or a lower sampling frequency"
        )


def to_raw(simulated: Simulated, *, annotate: str | None = "piece", first_samp: int = 0, meas_date: Any = None) -> Any:
    """Return a simulated recording as an MNE Raw.

    Parameters
    ----------
    simulated : Simulated
    annotate : str or None
        ``"piece"`` annotations every play as ``piece/<id>`` and every silence as ``silence``; a session's id as
        ``session/<id>`` annotations the start; None annotations nothing.
    first_samp : int
        As MNE counts it.
    meas_date : datetime, optional
        Aware.
    """
    mne = import_mne()
    with quiet_mne():
        info = mne.create_info(list(simulated.names), simulated.sfreq, "eeg")
        raw = mne.io.RawArray(simulated.samples, info, first_samp=first_samp, copy="auto")
        if meas_date is not None:
            raw.set_meas_date(meas_date)
        if annotate is not None:
            if annotate == "piece":
                annotations = [
                    (i.onset_s, i.duration_s, f"piece/{i.piece}" if i.role == MUSIC else "silence")
                    for i in simulated.items
                ]
            else:
                annotations = [(0.0, 0.0, annotate)]
            onsets = [onset + (raw.first_time if meas_date is not None else 0.0) for onset, _, _ in annotations]
            raw.set_annotations(
                mne.Annotations(
                    onsets, [m[1] for m in annotations], [m[2] for m in annotations], orig_time=raw.info["meas_date"]
                )
            )
    return raw


def write_fif(simulated: Simulated, path: str | Path, *, annotate: str | None = "piece", meas_date: Any = None) -> None:
    """Write a simulated recording as FIF, float32, whole or not at all."""
    path = Path(path)
    if not path.name.endswith(".fif"):
        raise ParameterError(f"{path} must end in .fif")
    check_size(len(simulated.names), simulated.sfreq, simulated.samples.shape[1] / simulated.sfreq)
    raw = to_raw(simulated, annotate=annotate, meas_date=meas_date)
    with atomic_write(path, private=True, error=ParameterError) as part, quiet_mne():
        raw.save(part, overwrite=True, fmt="single", split_size="2GB", verbose="error")
