"""The known file formats, and recognising a file's format by its content."""

from __future__ import annotations

import importlib
import pkgutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from eeg.errors import RecordingError

MAX_BYTES = 64 * 2**30
# Files without random access are held in memory while they are read.
_MAX_BYTES_IN_MEMORY = 2 * 2**30
# Enough to know a format by.
_START_BYTES = 4096


@dataclass(frozen=True)
class Opened:
    """A file opened by a format's reader.

    Parameters
    ----------
    raw : mne.io.BaseRaw
    files : tuple of Path
        Every file of the recording, the named one first.
    clock : str
        Of the date: ``"utc"``, ``"local"`` (the wall clock of an unnamed zone) or ``"none"``.
    notes : tuple of str
        What the reader should know.
    fast : object or None
        Reads float32 samples directly: `eeg.io.fif_samples.FifSamples`.
    scratch : object or None
        Has `cleanup`, called when the recording is closed.
    units : mapping of str to (str, float)
        By channel, where the file says it: the unit as written, and the factor that `raw` has applied. The written unit
        decides the conversion to volts; channels of other units are set aside.
    """

    raw: Any
    files: tuple[Path, ...]
    clock: str
    notes: tuple[str, ...] = ()
    fast: Any = None
    scratch: Any = None
    units: Mapping[str, tuple[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Format:
    """A file format; each is declared in a module of `eeg.io.readers`.

    Parameters
    ----------
    name : str
        As people call it.
    suffixes : tuple of str
        Lower case, with the dot; the usual one first.
    recognises : callable
        Whether a file is of this format, from its first 4096 bytes (a folder: none) and its path.
    open : callable
        From a path to `Opened`; where `has_streams`, also from `stream`, a name or None. What it raises, other
        than errors of this package, is called damage.
    name_this : str
        What to name on the command line, for the manual.
    notes : str
        What else to know, for the manual.
    parts : tuple of str
        Suffixes of files beside the one to name.
    in_memory : bool
        Whether the file is held in memory while it is read.
    folder : bool
        Whether a recording is a folder.
    has_streams : bool
        Whether a file may hold several recordings, one of them chosen by name.
    """

    name: str
    suffixes: tuple[str, ...]
    recognises: Callable[[bytes, Path], bool]
    open: Callable[..., Opened]
    name_this: str
    notes: str = ""
    parts: tuple[str, ...] = field(default=())
    in_memory: bool = False
    folder: bool = False
    has_streams: bool = False


# EEG formats that are not read, and how to convert some of them.
_CONVERT = {
    ".trc": "export it as EDF in Micromed's program",
    ".e": "export it as EDF in Nicolet's program (Natus)",
    ".easy": "export it as EDF+ in Neuroelectrics' NIC",
    ".acq": "save it as EDF in BIOPAC's AcqKnowledge",
    ".mat": "load it in EEGLAB and save it as a set",
    ".poly5": "export it as EDF+ in TMSi's program",
    ".ns3": "convert it to EDF with Blackrock's tools",
    ".rhd": "convert it to EDF with Intan's tools",
    ".nwb": "read it with pynwb and save it as FIF (mne.io.RawArray)",
    ".npy": "save it as FIF, with names and a rate (mne.io.RawArray)",
    ".h5": "save it as FIF, with names and a rate (mne.io.RawArray)",
    ".hdf5": "save it as FIF, with names and a rate (mne.io.RawArray)",
    ".zip": "unpack it, and name the recording in it",
}


@cache
def formats() -> tuple[Format, ...]:
    """Return every format there is: those of the modules of `eeg.io.readers`."""
    from eeg.io import readers

    found: list[Format] = []
    for module in pkgutil.iter_modules(readers.__path__):
        declared = importlib.import_module(f"{readers.__name__}.{module.name}")
        found += getattr(declared, "FORMATS", None) or [declared.FORMAT]
    return tuple(sorted(found, key=lambda one: (_ORDER.index(one.name) if one.name in _ORDER else 99, one.name)))


# The usual formats are listed first.
_ORDER = ("FIF", "EDF", "BDF", "BrainVision", "EEGLAB", "XDF")


def names_of_formats() -> str:
    """Return what can be read in words: ``"FIF, EDF, … and XDF"``."""
    names = list(dict.fromkeys(one.name for one in formats()))
    return f"{', '.join(names[:-1])} and {names[-1]}"


def format_table() -> str:
    """Return the table of formats for the manual, as Markdown."""
    rows = [f"| {one.name} | {one.name_this} | {one.notes} |" for one in formats()]
    return "\n".join(["| format | name | notes |", "| --- | --- | --- |", *rows])


def find_format(path: Path) -> Format:
    """Return the format of a recording by its content.

    Parameters
    ----------
    path : Path
        The file; for BrainVision the ``.vhdr``, for EEGLAB the ``.set``.

    Raises
    ------
    RecordingError
        The file is missing, a folder, empty, too large, of no known format, or named as another format.
    """
    if path.is_dir():
        for one in formats():
            if one.folder and path.name.lower().endswith(one.suffixes):
                return one
        raise RecordingError(f"{path} is a folder: name a recording in it")
    size, start = _start_of(path)
    name = path.name.lower()
    found = next((one for one in formats() if not one.folder and one.recognises(start, path)), None)
    if found is None:
        raise RecordingError(_why_unknown(path, name))
    packed = start[:2] == b"\x1f\x8b"
    if not name.endswith(found.suffixes) or packed != name.endswith(".gz"):
        wanted = found.suffixes[1] if packed else found.suffixes[0]
        raise RecordingError(f"{path} is {_a(found.name)} file by its content: rename it to end in {wanted}")
    if found.in_memory and size > _MAX_BYTES_IN_MEMORY:
        raise RecordingError(
            f"{path} is larger than {_MAX_BYTES_IN_MEMORY // 2**30} GiB: convert it to EDF or FIF first"
        )
    return found


def _start_of(path: Path) -> tuple[int, bytes]:
    """Return the size of a file and its first bytes."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise RecordingError(f"{path} is a pipe or a device: save the recording as a file first")
        with path.open("rb") as file:
            start = file.read(_START_BYTES)
    except FileNotFoundError:
        raise RecordingError(f"{path} does not exist: check the name") from None
    except OSError as error:
        raise RecordingError(f"{path} cannot be read ({error.strerror}): check its permissions") from None
    if facts.st_size == 0:
        raise RecordingError(f"{path} is empty (0 bytes): record or copy it again")
    if facts.st_size > MAX_BYTES:
        raise RecordingError(f"{path} is larger than {MAX_BYTES // 2**30} GiB: split it first")
    return facts.st_size, start


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'EXA' else 'a'} {name}"


def _why_unknown(path: Path, name: str) -> str:
    headers = [
        path.with_suffix(suffix)
        for one in formats()
        if one.parts and name.endswith(one.parts)
        for suffix in one.suffixes
    ]
    if headers:
        header = next((one for one in headers if one.is_file()), headers[0]).name
        return f"{path} is one part of a recording: name its header file ({header}) instead"
    tables = [one.name for one in formats() if ".csv" in one.suffixes]
    if name.endswith((".csv", ".tsv", ".txt")):
        return (
            f"{path} is no table of a headset that is known (those of {', '.join(tables)} are): "
            "convert it to EDF or FIF, as with mne.io.RawArray"
        )
    for suffix, how in _CONVERT.items():
        if name.endswith(suffix):
            return f"{path} is not read: {how}"
    for one in formats():
        if name.endswith(one.suffixes):
            return f"{path} does not begin as {_a(one.name)} file does: it is damaged or another kind of file"
    known = ", ".join(dict.fromkeys(suffix for one in formats() for suffix in one.suffixes))
    return f"{path} is not an EEG recording that can be read: give one of {known}"
