"""Export formats: each module of this folder declares those of one kind, and nothing else has to know of them.

In: a name or a file's suffix. Out: what writes the format. The code, the help texts, the completion and the manual read
what is declared here. To add a format, add a module with a tuple `FORMATS` of `ExportFormat`; what it imports at its
top is imported whenever the program starts.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessions.errors import ExportError

if TYPE_CHECKING:
    from sessions.export.audio import Sound
    from sessions.export.bids_events import BidsEvent
    from sessions.export.playlists import Naming
    from sessions.export.writer import FileWriter
    from sessions.records import Programme, SessionRecord
    from sessions.storage.store import Store

WHOLE = "one file with all of it"
PLAYLIST = "a playlist and its audio files"
TABLE = "a table"
_GROUPS = (WHOLE, PLAYLIST, TABLE)


@dataclass(frozen=True)
class Export:
    """What is to be written, and how.

    Attributes
    ----------
    store : Store
    programme : Programme
        What is heard, under a title.
    path : Path
    sound : Sound
        How audio is rendered.
    writer : FileWriter
        Puts the files.
    audio : str
        Format of the audio files that the file names.
    naming : Naming or None
        How it names them.
    cue : bool
        Whether a cue sheet goes with it.
    session : SessionRecord or None
        The session that is written.
    events : sequence of BidsEvent or None
        What was heard when in the session; None: what its timeline says.
    ranking : mapping or None
        The ranking that is written, as ``rank --json`` prints it.
    """

    store: Store
    programme: Programme
    path: Path
    sound: Sound
    writer: FileWriter
    audio: str = "flac"
    naming: Naming | None = None
    cue: bool = False
    session: SessionRecord | None = None
    events: Sequence[BidsEvent] | None = None
    ranking: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ExportFormat:
    """A format that sessions, rankings or pieces can be written in.

    Attributes
    ----------
    name : str
        As ``--format`` takes it.
    suffixes : tuple of str
        With their dots; the first is the usual one.
    group : str
        What it is, for the help: `WHOLE`, `PLAYLIST`, `TABLE` or words of its own.
    write : callable
        Writes an `Export`.
    aliases : tuple of str
        Other names that are taken for it.
    sounds : bool
        Whether it is audio.
    of_pieces : bool
        Whether it can hold a single piece.
    names_audio : tuple of str
        Of what it names audio files: ``"session"``, ``"ranking"``.
    """

    name: str
    suffixes: tuple[str, ...]
    group: str
    write: Callable[[Export], None]
    aliases: tuple[str, ...] = ()
    sounds: bool = False
    of_pieces: bool = False
    names_audio: tuple[str, ...] = ()


_registered: dict[str, ExportFormat] = {}


def register(format: ExportFormat) -> None:
    """Add a format, in place of one of the same name."""
    _registered[format.name] = format


def _discover() -> None:
    """Register what the modules of this folder declare."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for format in import_module(module.name).FORMATS:
            register(format)


def export_formats() -> Mapping[str, ExportFormat]:
    """Return all formats by name, those of one group together.

    Examples
    --------
    >>> export_formats()["xspf"].group
    'a playlist and its audio files'
    """
    if not _registered:
        _discover()
    groups = (*_GROUPS, *(format.group for format in _registered.values()))
    ordered = sorted(_registered.values(), key=lambda format: groups.index(format.group))
    return {format.name: format for format in ordered}


def names(wanted: Callable[[ExportFormat], bool] = lambda format: True) -> tuple[str, ...]:
    """Return the names of the formats that are `wanted`."""
    return tuple(format.name for format in export_formats().values() if wanted(format))


def audio_formats() -> tuple[str, ...]:
    """Return the names of the formats that are audio."""
    return names(lambda format: format.sounds)


def piece_suffixes() -> tuple[str, ...]:
    """Return the usual suffixes, without their dots, of the files that can hold a single piece."""
    found = (format.suffixes[0] for format in export_formats().values() if format.of_pieces)
    return tuple(suffix.removeprefix(".") for suffix in found)


def describe() -> str:
    """Return the formats and what they are, for a help text."""
    groups: dict[str, list[str]] = {}
    for format in export_formats().values():
        groups.setdefault(format.group, []).append(format.name)
    return "; ".join(f"{', '.join(members)}: {group}" for group, members in groups.items())


def find_format(name: str) -> ExportFormat:
    """Return a format by its name, one of its other names or its suffix; ExportError where there is none."""
    wanted = name.strip().lower()
    for format in export_formats().values():
        if wanted in (format.name, *format.aliases, *format.suffixes) or f".{wanted}" in format.suffixes:
            return format
    raise ExportError(f"format {name!r} is not known; give one of: {', '.join(names())}")


def format_of_suffix(path: Path) -> ExportFormat | None:
    """Return the format that a file name's suffix says; None where it says none."""
    suffix = path.suffix.lower()
    return next((format for format in export_formats().values() if suffix in format.suffixes), None)
