"""The data buffers of FIF files: a check that none is cut short, and a way to read float32 samples as they are.

MNE-Python opens the file and stays the reference; it gives every sample as float64, though, which costs more than the
spectra do. Where a recording is stored in the usual way (float32 or int16 buffers without gaps), its samples are read
from the same buffers here; `FifSamples.open` compares both ways on the first and last samples and gives up on any
difference, so that a file in an unusual form is read by MNE alone.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eeg.errors import RecordingError

Float32 = npt.NDArray[np.float32]

# Tag kinds and types (FIF specification; `mne/_fiff/constants.py`).
_DATA_BUFFER, _DATA_SKIP, _DATA_SKIP_SAMPLES = 300, 301, 303
_REF_ROLE, _REF_FILE_NAME, _PREVIOUS = 115, 118, 1
_TYPES = {2: ">i2", 16: ">i2", 4: ">f4"}
_COMPARED = 64


@dataclass(frozen=True)
class Buffer:
    """A data buffer: position of its samples in the file, their number of bytes and type."""

    at: int
    size: int
    type: int


def walk(path: Path) -> tuple[list[Buffer], bool]:
    """Walk through the tags of a FIF file.

    Returns
    -------
    buffers : list of Buffer
    gaps : bool
        Whether there are skips between them.

    Raises
    ------
    RecordingError
        A tag reaches past the end of the file: it is cut short or damaged.
    """
    size = path.stat().st_size
    buffers: list[Buffer] = []
    gaps = False
    at = 0
    with path.open("rb") as file:
        while 0 <= at < size:
            file.seek(at)
            head = file.read(16)
            if len(head) < 16:
                raise RecordingError(f"{path} is cut short: copy it again")
            kind, form, length, following = struct.unpack(">iIii", head)
            if length < 0 or at + 16 + length > size or 0 < following <= at:
                raise RecordingError(f"{path} is cut short or damaged at byte {at}: copy it again")
            if kind == _DATA_BUFFER:
                buffers.append(Buffer(at + 16, length, form))
            elif kind in {_DATA_SKIP, _DATA_SKIP_SAMPLES}:
                gaps = True
            if following == -1:
                break
            at = following if following > 0 else at + 16 + length
    return buffers, gaps


def first_of(path: Path) -> Path:
    """Return the first file of the split recording that `path` belongs to; `path` itself if it is the first.

    Each part names the one before it. Renamed parts, and BIDS's second part, which names the recording before the
    split, are found by their numbers; where `path` is a link, the parts beside its target.

    Raises
    ------
    RecordingError
        Where the file before is not there.
    """
    seen = {path}
    while (named := previous_of(path)) is not None:
        meant = [named, *_numbered_before(path)]
        if path.is_symlink():
            there = path.resolve()
            meant += [there.with_name(named.name), *_numbered_before(there)]
        before = next((each for each in meant if each.is_file() and each not in seen), None)
        if before is None:
            raise RecordingError(
                f"{path} is a later part of a split recording, and the part before it, {named.name}, is not beside it: "
                "put all parts into one folder, as they were named"
            )
        seen.add(before)
        path = before
    return path


def _numbered_before(path: Path) -> list[Path]:
    """Return what the part before would be called by BIDS (``_split-02_``), and by MNE-Python (``-1.fif``)."""
    found = []
    if match := re.search(r"(?<=_split-)(\d+)(?=_)", path.name):
        numbered = str(int(match[1]) - 1).zfill(len(match[1]))
        found.append(path.name[: match.start()] + numbered + path.name[match.end() :])
    if match := re.search(r"-(\d+)(?=\.fif$)", path.name):
        before = int(match[1]) - 1
        found.append(path.name[: match.start()] + (f"-{before}" if before else "") + path.name[match.end() :])
    return [path.with_name(name) for name in found]


def previous_of(path: Path) -> Path | None:
    """Return the file that a part says it follows; None for a first one."""
    at, previous = 0, False
    with path.open("rb") as file:
        while True:
            file.seek(at)
            head = file.read(16)
            if len(head) < 16:
                return None
            kind, _, length, following = struct.unpack(">iIii", head)
            if kind == _DATA_BUFFER or length < 0:
                return None  # references stand before the data
            if kind == _REF_ROLE:
                previous = file.read(4) == struct.pack(">i", _PREVIOUS)
            elif kind == _REF_FILE_NAME and previous:
                # Some writers give the whole path, as it was then.
                name = re.split(r"[\\/]", file.read(length).decode("utf-8", "replace"))[-1]
                return path.with_name(name) if name else None
            if following == -1 or 0 < following <= at:
                return None
            at = following if following > 0 else at + 16 + length


class FifSamples:
    """Samples of a FIF recording, all of its files one after the other.

    Parameters
    ----------
    files : sequence of Path
    buffers : sequence of (int, Buffer)
        With the number of the file each lies in.
    factors : array, shape (n_channels,)
        To volts.
    type : str
        As NumPy writes it.
    """

    def __init__(
        self, files: Sequence[Path], buffers: Sequence[tuple[int, Buffer]], factors: Float32, type: str
    ) -> None:
        self._files = list(files)
        self._buffers = list(buffers)
        self._factors = factors
        self._type = np.dtype(type)
        frame = len(factors) * self._type.itemsize
        self._ends = np.cumsum([buffer.size // frame for _, buffer in buffers])
        self._plain = bool((factors == 1).all())

    @classmethod
    def open(cls, raw: Any, files: Sequence[Path], first: tuple[list[Buffer], bool]) -> FifSamples | None:
        """Return the samples of an opened recording, or None where they are stored in an unusual way.

        Parameters
        ----------
        raw : mne.io.Raw
        files : sequence of Path
            All of it, in order.
        first : (list of Buffer, bool)
            From `walk` of the first file.
        """
        found: list[tuple[int, Buffer]] = []
        for i, path in enumerate(files):
            buffers, gaps = walk(path) if i else first
            if gaps:
                return None
            found += [(i, buffer) for buffer in buffers]
        types = {buffer.type for _, buffer in found}
        if len(types) != 1 or not types <= _TYPES.keys():
            return None
        kind = _TYPES[types.pop()]
        factors = np.array([ch["range"] * ch["cal"] for ch in raw.info["chs"]], dtype=np.float32)
        frame = len(factors) * np.dtype(kind).itemsize
        if any(buffer.size % frame for _, buffer in found) or sum(b.size for _, b in found) != raw.n_times * frame:
            return None
        samples = cls(files, found, factors, kind)
        n = raw.n_times
        for start, stop in ((0, min(_COMPARED, n)), (max(n - _COMPARED, 0), n)):
            theirs = raw[:, start:stop][0]
            ours = samples.read(start, stop, range(len(factors)))
            if not np.allclose(ours, theirs, rtol=1e-6, atol=1e-15, equal_nan=True):
                return None
        return samples

    def read(self, start: int, stop: int, picks: Sequence[int]) -> Float32:
        """Return samples ``start`` to ``stop`` (exclusive) of some channels in volts, (len(picks), stop - start)."""
        chosen = np.asarray(picks)
        everything = len(chosen) == len(self._factors)
        out = np.empty((len(chosen), stop - start), np.float32)
        first = int(np.searchsorted(self._ends, start, side="right"))
        at, done, file, opened = start, 0, None, -1
        frame = len(self._factors) * self._type.itemsize
        try:
            while at < stop:
                number, buffer = self._buffers[first]
                if number != opened:
                    if file is not None:
                        file.close()
                    file, opened = self._files[number].open("rb"), number
                assert file is not None
                begin = int(self._ends[first - 1]) if first else 0
                count = min(int(self._ends[first]), stop) - at
                file.seek(buffer.at + (at - begin) * frame)
                data = file.read(count * frame)
                if len(data) < count * frame:
                    raise RecordingError(f"{self._files[number]} is cut short: copy it again")
                values = np.frombuffer(data, self._type).reshape(count, len(self._factors))
                values = values if everything else values[:, chosen]
                out[:, done : done + count] = values.astype(np.float32).T
                at, done, first = at + count, done + count, first + 1
        finally:
            if file is not None:
                file.close()
        if not self._plain:
            out *= self._factors[chosen, None]
        return out
