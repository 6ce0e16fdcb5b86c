"""The header of EDF, EDF+ and BDF files, and whether all of the data is there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from eeg.errors import RecordingError
from eeg.io.channels import kind_of

# How far apart consecutive data records of EDF+D may be: their onsets are rounded, sometimes to milliseconds.
_GAP_SAMPLES, _ROUNDED_S = 3, 1e-3


@dataclass(frozen=True)
class EdfHeader:
    """What the header of an EDF, EDF+ or BDF file says.

    Parameters
    ----------
    labels, units : tuple of str
        One for each signal, annotations included.
    samples_per_record : tuple of int
        Of each signal.
    record_count : int
        -1 where the recording software did not finish.
    record_s : float
        Duration of a data record in seconds.
    header_bytes : int
        Where the data begin.
    sample_bytes : int
        2 (EDF) or 3 (BDF).
    discontinuous : bool
        EDF+D or BDF+D: records need not follow one another.
    """

    labels: tuple[str, ...]
    units: tuple[str, ...]
    samples_per_record: tuple[int, ...]
    record_count: int
    record_s: float
    header_bytes: int
    sample_bytes: int
    discontinuous: bool

    @property
    def record_bytes(self) -> int:
        """Bytes of one data record."""
        return sum(self.samples_per_record) * self.sample_bytes


def read_edf_header(path: Path) -> EdfHeader:
    """Read the header of an EDF, EDF+ or BDF file (www.edfplus.info/specs/edf.html).

    Raises
    ------
    RecordingError
        The header is cut short or holds no numbers where it must, or the data are cut short.
    """
    sample_bytes = 3 if path.name.lower().endswith(".bdf") else 2
    size = path.stat().st_size
    with path.open("rb") as file:
        fixed = file.read(256)
        try:
            header_bytes, record_count = int(fixed[184:192]), int(fixed[236:244])
            record_s, count = float(fixed[244:252]), int(fixed[252:256])
            if count < 1 or header_bytes != 256 * (count + 1) or record_s < 0 or record_count < -1:
                raise ValueError
            rest = file.read(256 * count).decode("latin-1")
            columns = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
            fields, at = [], 0
            for width in columns:
                fields.append([rest[at + i * width : at + (i + 1) * width].strip() for i in range(count)])
                at += width * count
            samples = tuple(int(text) for text in fields[8])
            if min(samples) < 0 or sum(samples) == 0:
                raise ValueError
            _check_ranges(path, fields)
        except ValueError:
            raise RecordingError(f"{path} has a damaged EDF header: record or export it again") from None
    header = EdfHeader(
        tuple(fields[0]),
        tuple(fields[2]),
        samples,
        record_count,
        record_s,
        header_bytes,
        sample_bytes,
        fixed[192:236].decode("latin-1").startswith(("EDF+D", "BDF+D")),
    )
    present = (size - header_bytes) // header.record_bytes
    if present < 1:
        raise RecordingError(f"{path} ends after its header: it holds no data; record or copy it again")
    if record_count > present:
        raise RecordingError(f"{path} is cut short: it holds {present} of {record_count} data records; copy it again")
    if header.discontinuous:
        _check_continuous(path, header, present)
    return header


def _check_ranges(path: Path, fields: list[list[str]]) -> None:
    """Refuse a signal whose range is no number, or empty."""
    names = ("physical minimum", "physical maximum", "digital minimum", "digital maximum")
    for i, label in enumerate(fields[0]):
        if "Annotations" in label:
            continue
        values = []
        for name, column in zip(names, fields[3:7], strict=True):
            try:
                values.append(float(column[i].replace(",", ".")))
            except ValueError:
                raise RecordingError(
                    f"{path}: the {name} of channel {label} is {column[i]!r}, which is no number: export it again"
                ) from None
        if values[2] == values[3]:
            raise RecordingError(f"{path}: channel {label} has an empty digital range: export it again")


def _check_continuous(path: Path, header: EdfHeader, present: int) -> None:
    """Refuse an EDF+D file whose records do not follow one another (most do).

    From record to record, few samples may be missing; over the file, half a record: clocks drift.
    """
    at, width = 0, 0
    for label, samples in zip(header.labels, header.samples_per_record, strict=True):
        if label in {"EDF Annotations", "BDF Annotations"}:
            width = samples * header.sample_bytes
            break
        at += samples * header.sample_bytes
    if not width:
        return
    signals = [
        n for label, n in zip(header.labels, header.samples_per_record, strict=True) if "Annotations" not in label
    ]
    most = max(signals, default=1) or 1
    step_s = max(_GAP_SAMPLES * header.record_s / most, _ROUNDED_S) + 1e-6
    first: float | None = None
    last = 0.0
    with path.open("rb") as file:
        for record in range(present):
            file.seek(header.header_bytes + record * header.record_bytes + at)
            match = re.match(rb"([+-]\d+(?:\.\d*)?)\x14", file.read(min(width, 32)))
            if match is None:
                continue
            onset = float(match.group(1)) - record * header.record_s
            if first is None:
                first = last = onset
            step, last = abs(onset - last), onset
            if step > step_s or abs(onset - first) > 0.5 * max(header.record_s, 1e-3):
                raise RecordingError(
                    f"{path} is an EDF+D file with gaps (the first at {record * header.record_s:.1f} s): "
                    "export it as continuous EDF+ or as one file per stretch"
                )


def other_rates(header: EdfHeader) -> list[str]:
    """Return the labels of signals with another rate than most EEG: they would be resampled on every read."""
    signals = [
        (label, samples)
        for label, samples in zip(header.labels, header.samples_per_record, strict=True)
        if "Annotations" not in label
    ]
    counts = [samples for label, samples in signals if kind_of(label) == "eeg"]
    if not counts:
        return []
    usual = max(set(counts), key=lambda count: (counts.count(count), count))
    return [label for label, samples in signals if samples != usual]
