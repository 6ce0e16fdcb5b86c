"""Opening a recording: MNE-Python's lazy readers, channels sorted, volts, times from the first stored sample."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eeg.errors import ParameterError, RecordingError
from eeg.io.bounds import bounded
from eeg.io.channels import Channel, among_others, kind_of, site_of
from eeg.io.fif_samples import FifSamples, first_of
from eeg.io.formats import Opened, find_format
from eeg.io.mne import import_mne, quiet_mne
from eeg.io.units import is_counts, is_guessed, is_unknown, to_volts
from therapy_gen.errors import InputError, MissingExtraError, OutOfBoundsError

Samples = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]

_MIN_SFREQ = 60.0
_MAX_CHANNELS = 1024
# Limits on opening a file: one of 1 GiB that is held in memory opens in a third of them.
_OPEN_S, _OPEN_BYTES_PER_S, _PARSED_BYTES_PER_S = 8.0, 20e6, 2e6
_OPEN_BYTES, _COPIES = 2**30, 8


@dataclass(frozen=True)
class Annotation:
    """An annotation or marker.

    Parameters
    ----------
    onset_s : float
        Seconds from the first stored sample.
    duration_s : float
        Seconds; 0 for a moment.
    text : str
        As the file writes it.
    """

    onset_s: float
    duration_s: float
    text: str


@dataclass(frozen=True)
class Recording:
    """An open recording; nothing is in memory until `read`.

    Parameters
    ----------
    path : Path
        As given.
    format : str
        ``"FIF"``, ``"EDF"``, ``"BDF"``, ``"BrainVision"``, ``"EEGLAB"`` or ``"XDF"``.
    files : tuple of Path
        Every file of it, the named one first.
    sfreq : float
        Sampling frequency in Hz.
    n_samples : int
        Samples of each channel.
    lowpass : float
        The recording's own filter in Hz, as its header says.
    meas_date : datetime or None
        Time of the first stored sample, aware; `clock` names its clock.
    clock : str
        ``"utc"``; ``"local"`` where the format stores the wall clock of an unnamed zone (then `meas_date` carries UTC
        as a stand-in); ``"none"``.
    channels : tuple of Channel
        All, in the file's order.
    annotations : tuple of Annotation
        Annotations and markers, by onset.
    bads : tuple of str
        Channels that the file itself marks as bad.
    notes : tuple of str
        What the reader should know: channels set aside, units mended.
    """

    path: Path
    format: str
    files: tuple[Path, ...]
    sfreq: float
    n_samples: int
    lowpass: float
    meas_date: datetime | None
    clock: str
    channels: tuple[Channel, ...]
    annotations: tuple[Annotation, ...]
    bads: tuple[str, ...]
    notes: tuple[str, ...]
    raw: Any = field(repr=False, compare=False)
    scale: npt.NDArray[np.float64] | None = field(default=None, repr=False, compare=False)
    fast: FifSamples | None = field(default=None, repr=False, compare=False)
    scratch: Any = field(default=None, repr=False, compare=False)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sfreq

    @property
    def eeg(self) -> tuple[int, ...]:
        """Positions of the EEG channels."""
        return tuple(i for i, channel in enumerate(self.channels) if channel.kind == "eeg")

    def read(self, start: int, stop: int, picks: Sequence[int]) -> Samples:
        """Read samples ``start`` to ``stop`` (exclusive) of some channels.

        Returns
        -------
        array, shape (len(picks), stop - start), float64
            In volts.
        """
        chosen: Any = slice(None) if len(picks) == len(self.channels) else list(picks)
        try:
            with quiet_mne():
                data = self.raw[chosen, start:stop][0]
        except Exception as error:  # the readers raise whatever their parsers meet
            raise RecordingError(
                f"{self.path} cannot be read at {start / self.sfreq:.1f} s ({_cause(error)}): copy it again"
            ) from error
        if data.shape[1] != stop - start:
            raise RecordingError(f"{self.path} is cut short at {start / self.sfreq:.1f} s: copy it again")
        if self.scale is not None:
            data = data * self.scale[list(picks), None]
        return np.asarray(data, dtype=np.float64)

    def read32(self, start: int, stop: int, picks: Sequence[int]) -> Float32:
        """Read samples as float32, each channel less its first sample, since a large offset would cost precision.

        Returns
        -------
        array, shape (len(picks), stop - start), float32
            In volts.
        """
        if self.fast is not None:
            samples: Float32 = self.fast.read(start, stop, picks)
            samples -= samples[:, :1].copy()
            return samples
        data = self.read(start, stop, picks)
        samples = np.empty(data.shape, np.float32)
        np.subtract(data, data[:, :1], out=samples, casting="same_kind")
        return samples

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and of what was unpacked for it."""
        close = getattr(self.raw, "close", None)
        if close is not None:
            close()
        if self.scratch is not None:
            self.scratch.cleanup()


def first_line(error: BaseException) -> str:
    """Return an exception's text in one line, or its kind where it has none."""
    text = " ".join(str(error).split())
    return text[:200] if text else type(error).__name__


def open_recording(path: str | Path, stream: str | None = None) -> Recording:
    """Open a recording for reading piece by piece.

    Parameters
    ----------
    path : str or Path
        FIF (also split and ``.fif.gz``), EDF, EDF+, BDF, BrainVision ``.vhdr``, EEGLAB ``.set``, XDF or another of
        `eeg.io.formats.formats`.
    stream : str, optional
        Which stream of an XDF file is the EEG, where it holds several.

    Returns
    -------
    Recording

    Raises
    ------
    RecordingError
        The file is missing, empty, cut short, damaged, wrongly named, or holds no EEG.
    MissingEEGExtraError
        MNE-Python, or for XDF pyxdf, is not installed.

    Examples
    --------
    >>> from eeg.simulation.file import write_fif
    >>> from eeg.simulation.simulate import Listener, simulate
    >>> from eeg.timeline.known_pieces import Item
    >>> items = [Item("silence", None, 0.0, 90.0), Item("music", "A", 90.0, 60.0), Item("music", "B", 150.0, 60.0)]
    >>> made = simulate(items, sfreq=250.0, channels=4, listener=Listener(effects={"A": (-2.0, 0.0)}), seed=1)
    >>> write_fif(made, "rec.fif")
    >>> import eeg
    >>> with eeg.open_recording("rec.fif") as recording:
    ...     recording.sfreq, len(recording.channels)
    (250.0, 4)
    """
    path = Path(path)
    found = find_format(path)
    if stream is not None and not found.has_streams:
        raise ParameterError(f"stream {stream!r}: {path} is {found.name}, which holds one recording: leave it out")
    import_mne()
    size = path.stat().st_size
    try:
        memory = _OPEN_BYTES + (_COPIES * size if found.in_memory else 0)
        seconds = _OPEN_S + size / (_PARSED_BYTES_PER_S if found.in_memory else _OPEN_BYTES_PER_S)
        with bounded(seconds, memory), quiet_mne():
            opened = found.open(path, stream=stream) if found.has_streams else found.open(path)
    except (InputError, MissingExtraError):
        raise
    except (OutOfBoundsError, MemoryError):
        raise RecordingError(
            f"{path} takes more time or memory to open than a {found.name} file of its size can need: it is damaged; "
            "export or copy it again"
        ) from None
    except Exception as error:  # the readers raise whatever their parsers meet
        raise RecordingError(
            f"{path} cannot be read as {found.name} ({_cause(error)}): export or copy it again"
        ) from error
    try:
        return _describe(path, found.name, opened)
    except BaseException as error:
        if opened.scratch is not None:
            opened.scratch.cleanup()
        if isinstance(error, Exception) and not isinstance(error, InputError):
            raise RecordingError(
                f"{path} cannot be read as {found.name} ({_cause(error)}): export or copy it again"
            ) from error
        raise


def part_of(path: str | Path) -> Path | None:
    """Return the first file of a split FIF recording, where `path` is a later part of it; None otherwise."""
    path = Path(path)
    if not path.is_file() or not path.name.lower().endswith(".fif"):
        return None
    first = first_of(path)
    return None if first == path else first


# Words of Python and its libraries, which tell a user nothing.
_LIBRARY = re.compile(
    r"\b(?:n?d?array|dtype|shape|index|object|attribute|NoneType|numpy|np\.|literal|convert|codec|unpack|buffer|operand"
    r"|argument|mne\.|iterable|subscript\w*|hashable|keyword|truth value|datetime|range\(\))",
)


def _cause(error: Exception) -> str:
    """Say why a reader failed; a message that only programmers understand is replaced by "damaged"."""
    text = first_line(error)
    if ".fdt" in text and isinstance(error, FileNotFoundError):
        return "its samples are in a file .fdt, which is not beside it"
    inner = isinstance(error, AttributeError | KeyError | IndexError | UnicodeDecodeError | AssertionError)
    return "its structure is damaged or incomplete" if inner or _LIBRARY.search(text) else text


def _describe(path: Path, kind: str, opened: Opened) -> Recording:
    raw, clock, notes = opened.raw, opened.clock, list(opened.notes)
    info = raw.info
    sfreq = float(info["sfreq"])
    if len(raw.ch_names) > _MAX_CHANNELS:
        raise RecordingError(
            f"{path} has {len(raw.ch_names)} channels; at most {_MAX_CHANNELS} can be scored: pick fewer"
        )
    if raw.n_times < 1:
        raise RecordingError(f"{path} holds no samples: record or copy it again")
    if sfreq < _MIN_SFREQ:
        raise RecordingError(
            f"{path} is sampled at {sfreq:g} Hz: beta power (13 to 30 Hz) needs at least {_MIN_SFREQ:g} Hz"
        )
    channels, scale = _channels(path, opened, notes)
    aside: dict[str, list[str]] = {}
    for channel in channels:
        if channel.kind not in {"eeg", "stim"}:
            aside.setdefault(channel.kind, []).append(channel.name)
    notes += [f"set aside, {kind}: {', '.join(names)}" for kind, names in aside.items()]
    first = float(raw.first_time)
    annotations = tuple(
        sorted(
            (
                Annotation(float(onset) - first, float(duration), str(text).strip())
                for onset, duration, text in zip(
                    raw.annotations.onset, raw.annotations.duration, raw.annotations.description, strict=True
                )
            ),
            key=lambda annotation: annotation.onset_s,
        )
    )
    meas_date = info["meas_date"]
    if meas_date is not None and clock != "none":
        from datetime import timedelta

        # FIF: meas_date is when acquisition began, first_samp samples before the first stored one.
        meas_date = meas_date + timedelta(seconds=first)
    return Recording(
        path=path,
        format=kind,
        files=_each_once(opened.files),
        sfreq=sfreq,
        n_samples=int(raw.n_times),
        lowpass=float(info["lowpass"]) if info["lowpass"] else sfreq / 2,
        meas_date=meas_date,
        clock=clock if meas_date is not None else "none",
        channels=channels,
        annotations=annotations,
        bads=tuple(info["bads"]),
        notes=tuple(notes),
        raw=raw,
        scale=scale,
        fast=opened.fast,
        scratch=opened.scratch,
    )


def _each_once(files: Sequence[Path]) -> tuple[Path, ...]:
    """Return files without those that are there twice: readers give names as they were typed, and absolute ones."""
    found: dict[Path, Path] = {}
    for file in files:
        found.setdefault(file.resolve(), file)
    return tuple(found.values())


def _channels(
    path: Path, opened: Opened, notes: list[str]
) -> tuple[tuple[Channel, ...], npt.NDArray[np.float64] | None]:
    """Return the channels, and factors that convert their values to volts (None where they are in volts)."""
    raw = opened.raw
    channels = tuple(
        Channel(name, site_of(name), kind_of(name, file_kind))
        for name, file_kind in zip(raw.ch_names, _file_kinds(raw, path), strict=True)
    )
    named = among_others(channels)
    channels, scale = _by_unit(path, named, opened.units, notes)
    if not any(channel.kind == "eeg" for channel in channels):
        electrodes = [channel.name for channel in named if channel.kind == "eeg" and channel.name in opened.units]
        if electrodes:
            unit = opened.units[electrodes[0]][0]
            raise RecordingError(
                f"{path} gives its channels in {unit!r}, not in volts ({some(electrodes)}): export EEG in microvolts"
            )
        raise RecordingError(f"{path} has no EEG channel (its channels: {some(raw.ch_names)}): name a recording of EEG")
    return channels, None if (scale == 1.0).all() else scale


def _by_unit(
    path: Path, channels: tuple[Channel, ...], units: Mapping[str, tuple[str, float]], notes: list[str]
) -> tuple[tuple[Channel, ...], npt.NDArray[np.float64]]:
    """Set channels aside whose unit is not a voltage, and return factors that convert the others to volts."""
    scale = np.ones(len(channels))
    found, guessed, counts = list(channels), [], []
    for i, channel in enumerate(channels):
        unit, applied = units.get(channel.name, ("", 1.0))
        volts = to_volts(unit)
        if channel.kind == "stim":
            scale[i] = 1.0 / applied  # codes are what is written, in whatever unit
        elif volts is not None:
            scale[i] = volts / applied
            if is_guessed(unit) and channel.kind == "eeg":
                guessed.append(channel.name)
        elif channel.kind == "eeg" and is_counts(unit):
            counts.append(channel.name)
        elif channel.kind == "eeg" and not is_unknown(unit):
            found[i] = replace(channel, kind="not EEG")
    if counts:
        raise RecordingError(
            f"{path} gives its EEG in {units[counts[0]][0]!r}, not in volts ({some(counts)}): export it in microvolts"
        )
    if guessed:
        notes.append(f"unit {units[guessed[0]][0]!r} is taken as microvolts: {some(guessed)}")
    return tuple(found), scale


def some(names: Sequence[str]) -> str:
    """Return a few of some names, with commas between."""
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")


def _file_kinds(raw: Any, path: Path) -> list[str]:
    """Return the kind that a file gives each channel; RecordingError for an unknown kind."""
    try:
        kinds: list[str] = raw.get_channel_types()
    except ValueError as error:
        raise RecordingError(
            f"{path} is damaged: it has a channel of a kind that there is not; record or copy it again"
        ) from error
    return kinds
