"""A growing recording: a journal of samples and labels, whose complete entries can be read at any time.

After the head (`_MAGIC`, length, JSON) come entries: kind (``S`` or ``A``), length (uint32), content, CRC-32 (uint32),
all little-endian. ``S``: moments of the first and the last sample (float64, seconds of the recorder's monotonic clock),
then float32 volts, sample after sample. ``A``: moment (float64), then a label in UTF-8. An entry that is cut off, and
what follows it, is left out.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from eeg.errors import RecordingError
from eeg.headset.sources import Float32, Float64, Stream

_MAGIC = b"therapy-gen recording 1\n"
_ENTRY = struct.Struct("<cI")
_SPAN = struct.Struct("<dd")
_MOST_ENTRY_BYTES = 2**26
# Samples count as lost where stamps stay late by this much for so long; a shorter delay is a burst of the radio.
_LATE_S, _STAYS_S, _BEFORE_S = 0.1, 2.0, 10.0


class JournalWriter:
    """Writes a journal, entry by entry.

    Parameters
    ----------
    path : Path
        A new file.
    stream : Stream
    started : datetime
        Aware: when the monotonic clock showed `zero`.
    zero : float
        Seconds of the monotonic clock.
    """

    def __init__(self, path: Path, stream: Stream, started: datetime, zero: float) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        head = json.dumps(
            {
                "name": stream.name,
                "sfreq": stream.sfreq,
                "channels": list(stream.channels),
                "started": started.astimezone(UTC).isoformat(),
                "zero": zero,
            }
        ).encode()
        self._put(_MAGIC + struct.pack("<I", len(head)) + head)

    def samples(self, first: float, last: float, samples: Float32) -> None:
        """Append samples, shape (n, n_channels), in volts."""
        self._entry(b"S", _SPAN.pack(first, last) + np.ascontiguousarray(samples, "<f4").tobytes())

    def label(self, moment: float, text: str) -> None:
        """Append a label of a moment."""
        self._entry(b"A", struct.pack("<d", moment) + text.encode())

    def _entry(self, kind: bytes, content: bytes) -> None:
        self._put(_ENTRY.pack(kind, len(content)) + content + struct.pack("<I", zlib.crc32(content)))

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]

    def sync(self) -> None:
        """Flush what was written to the disk."""
        os.fsync(self._file)

    def close(self) -> None:
        """End the file."""
        os.close(self._file)


@dataclass(frozen=True)
class Journal:
    """What a journal holds.

    Parameters
    ----------
    stream : Stream
    started : datetime
        Of the first sample.
    n_samples : int
        On the even grid, lost ones included.
    pieces : tuple of (int, int, int)
        First sample on the grid, number of samples, and their position in the file.
    lost : tuple of (int, int)
        First sample and number of what was lost.
    labels : tuple of (float, str)
        Seconds from the first sample, and text.
    jitter_s : float
        Standard deviation of the stamps about an even clock.
    sfreq : float
        As the stamps show it, in Hz.
    """

    stream: Stream
    started: datetime
    n_samples: int
    pieces: tuple[tuple[int, int, int], ...]
    lost: tuple[tuple[int, int], ...]
    labels: tuple[tuple[float, str], ...]
    jitter_s: float
    sfreq: float


def read_journal(path: str | Path) -> Journal:
    """Read what a journal holds, except the samples.

    Raises
    ------
    RecordingError
        The file is no journal, or holds no sample yet.
    """
    path = Path(path)
    with path.open("rb") as file:
        head = _head(path, file)
        stream = Stream(str(head["name"]), float(head["sfreq"]), tuple(head["channels"]))
        spans: list[tuple[float, float, int, int]] = []
        said: list[tuple[float, str]] = []
        for kind, where, content in _entries(file):
            if kind == b"S":
                count = (len(content) - _SPAN.size) // (4 * len(stream.channels))
                if count:
                    spans.append((*_SPAN.unpack_from(content), count, where + _SPAN.size))
            elif kind == b"A":
                said.append((struct.unpack_from("<d", content)[0], content[8:].decode("utf-8", "replace")))
    if not spans:
        raise RecordingError(f"{path} holds no samples: nothing came from the headset; record again")
    pieces, lost = _laid_out(spans, stream.sfreq)
    starts = np.array([piece[0] for piece in pieces], np.float64)
    moments = np.array([span[0] for span in spans])
    zero, period, jitter = _clock(starts, moments, stream.sfreq)
    labels = tuple(((moment - zero) / (period * stream.sfreq), text) for moment, text in sorted(said))
    started = datetime.fromisoformat(head["started"]) + timedelta(seconds=zero - float(head["zero"]))
    end = pieces[-1][0] + pieces[-1][1]
    return Journal(stream, started, end, tuple(pieces), tuple(lost), labels, jitter, 1.0 / period)


def _head(path: Path, file: BinaryIO) -> dict[str, Any]:
    try:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ValueError
        (size,) = struct.unpack("<I", file.read(4))
        if size > 2**20:
            raise ValueError
        head = json.loads(file.read(size))
        if not head["channels"] or not 1.0 <= float(head["sfreq"]) <= 1e5:
            raise ValueError
        return dict(head)
    except (ValueError, KeyError, TypeError, struct.error):
        raise RecordingError(f"{path} was cut off before it held a sample: record again") from None


def _entries(file: BinaryIO) -> Iterator[tuple[bytes, int, bytes]]:
    """Give kind, place of the content, and content of every whole entry."""
    while True:
        start = file.read(_ENTRY.size)
        if len(start) < _ENTRY.size:
            return
        kind, size = _ENTRY.unpack(start)
        if size > _MOST_ENTRY_BYTES:
            return
        where = file.tell()
        content, check = file.read(size), file.read(4)
        if len(check) < 4 or zlib.crc32(content) != struct.unpack("<I", check)[0]:
            return
        yield kind, where, content


def _laid_out(
    spans: Sequence[tuple[float, float, int, int]], sfreq: float
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]]]:
    """Lay pieces on an even grid; where stamps stay late, what is missing was lost."""
    counts = np.array([span[2] for span in spans])
    moments = np.array([span[0] for span in spans])
    index = np.concatenate([[0], np.cumsum(counts)[:-1]])
    late = moments - moments[0] - index / sfreq
    pieces, lost = [], []
    shift, before, begins = 0, 0, 0
    for k, (_, _, count, where) in enumerate(spans):
        # Before a long loss, as well.
        while moments[max(k - 1, 0)] - moments[begins] > _BEFORE_S:
            begins += 1
        ahead = int(np.searchsorted(moments, moments[k] + _STAYS_S))
        stays = float(late[k : max(ahead, k + 1)].min())
        usual = float(late[max(begins, before) : k].min()) if k > max(begins, before) else stays
        missing = round((stays - usual) * sfreq) if stays - usual > _LATE_S else 0
        if missing:
            lost.append((int(index[k]) + shift, missing))
            shift += missing
            before = k
        pieces.append((int(index[k]) + shift, count, where))
    return pieces, lost


def _clock(starts: Float64, moments: Float64, sfreq: float) -> tuple[float, float, float]:
    """Fit moment = zero + period * sample; return zero, period and the scatter about it."""
    if len(starts) < 3 or moments[-1] - moments[0] < 2.0:
        return float(moments[0] - starts[0] / sfreq), 1.0 / sfreq, 0.0
    weights = np.ones_like(moments)
    for _ in range(3):  # late stamps count less: a radio delays, and never sends ahead
        period, zero = np.polyfit(starts, moments, 1, w=weights)
        away = moments - zero - period * starts
        weights = 1.0 / (1.0 + (away / max(float(np.median(np.abs(away))), 1e-4)) ** 2)
    return float(zero), float(period), float(np.std(away))


def journal_raw(path: str | Path) -> tuple[Any, Journal]:
    """Return a journal as an MNE Raw that reads from the file, with its labels as annotations, and its facts.

    Raises
    ------
    RecordingError
        The file is no journal, or holds no sample yet.
    """
    from eeg.headset.journal_raw import make_raw

    journal = read_journal(path)
    return make_raw(Path(path), journal), journal
