"""Sessions, rankings and pieces as files: MIDI, audio, playlists with their audio, tables, events.

Exporting again changes nothing: a file that holds what it is to hold is kept, and one that holds something else is
replaced only where that was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sessions.errors import ExportError
from sessions.export.audio import AUDIO_FORMATS, AudioFile, Renderer, Sound, present_midi
from sessions.export.bids_events import Event, events_json, events_tsv, planned_events
from sessions.export.cue_sheet import cue_sheet
from sessions.export.playlists import WRITERS, Entry, Naming
from sessions.export.tables import session_csv, session_json
from sessions.files import already_exists, atomic_write, check_file_target, check_text_name, make_folder
from sessions.records import ItemRecord, PieceRecord, Programme, SessionRecord
from sessions.storage.store import Store
from sessions.storage.tables import MUSIC

PLAYLISTS = tuple(WRITERS)
PIECE_FORMATS = ("midi", *AUDIO_FORMATS)
FORMATS = (*PIECE_FORMATS, *PLAYLISTS, "csv", "json", "events")

# Suffixes that say a format, for the check that name and format agree.
_FORMAT_OF = {".mid": "midi", ".midi": "midi", ".m3u": "m3u8", ".tsv": "events"}
_FORMAT_OF |= {f".{name}": name for name in FORMATS if name not in ("midi", "events")}

# In 255 bytes, of which a character takes up to four, room is left for the name of a playlist that stands before it.
_LONGEST_LABEL = 40


@dataclass(frozen=True)
class WrittenFile:
    """A file of an export; `kept` says that it held what it is to hold."""

    path: Path
    kept: bool

    def document(self) -> dict[str, Any]:
        """Return what `export --json` says of it."""
        return {"path": str(self.path), "kept": self.kept}


@dataclass
class FileWriter:
    """Where files are put: kept, written, or, if only pretended, left alone.

    Attributes
    ----------
    overwrite : bool
        Whether files that hold something else are replaced.
    pretend : bool
        Whether nothing is written.
    written : list of WrittenFile
        In the order in which they were put.
    """

    overwrite: bool = False
    pretend: bool = False
    written: list[WrittenFile] = field(default_factory=list)

    def is_current(self, path: Path, content: bytes, *, side_of: Path | None = None) -> bool:
        """Say whether a file holds `content` already; ExportError where it holds something else and may not go.

        `side_of` is the file that was asked for, where this one only goes with it.
        """
        check_file_target(path)
        try:
            held = path.read_bytes() if path.exists() else None
        except OSError:
            held = b""
        if held is not None and held != content and not self.overwrite:
            raise already_exists(path, side_of)
        return held == content

    def put(self, path: Path, content: bytes) -> None:
        """Put a file of bytes."""
        kept = self.is_current(path, content)
        if not kept and not self.pretend:
            with atomic_write(path, replace=self.overwrite) as part:
                part.write_bytes(content)
        self.written.append(WrittenFile(path, kept))

    def put_audio(self, renderer: Renderer, files: Sequence[AudioFile], sound: Sound) -> None:
        """Put audio files; all of them are looked at before the first is written."""
        missing = []
        for file in files:
            check_file_target(file.path)
            try:
                kept = renderer.is_current(file)
            except ExportError:
                if not self.overwrite:
                    raise
                kept = False
            self.written.append(WrittenFile(file.path, kept))
            if kept:
                sound.advance(file.duration_s)
            else:
                missing.append(file)
        if missing and not self.pretend:
            renderer.write(missing, replace=self.overwrite)


def check_format(name: str) -> str:
    """Return a format in its usual spelling; ExportError where it is not known."""
    wanted = name.strip().lower().removeprefix(".")
    wanted = {"mid": "midi", "m3u": "m3u8", "tsv": "events"}.get(wanted, wanted)
    if wanted not in FORMATS:
        raise ExportError(f"format {name!r} is not known; give one of: {', '.join(FORMATS)}")
    return wanted


def check_audio_format(name: str) -> str:
    """Return an audio format in its usual spelling; ExportError where it is not one."""
    wanted = name.strip().lower().removeprefix(".")
    if wanted not in AUDIO_FORMATS:
        raise ExportError(f"audio format {name!r} is not known; give one of: {', '.join(AUDIO_FORMATS)}")
    return wanted


def format_of(path: Path, among: Sequence[str] = FORMATS) -> str:
    """Return the format that a file name's suffix says; ExportError where it says none `among` those possible."""
    found = _FORMAT_OF.get(path.suffix.lower())
    suffixes = ", ".join(suffix for suffix, format in _FORMAT_OF.items() if format in among)
    if found is None:
        raise ExportError(f"the name {path} does not say a format; end it in one of: {suffixes}")
    if found not in among:
        raise ExportError(
            f"{path} is named as {found}, which this cannot be written as; end the name in one of: {suffixes}"
        )
    return found


def check_name(path: Path, format: str) -> None:
    """Raise ExportError where the suffix of a name says another format than `format`."""
    said = _FORMAT_OF.get(path.suffix.lower())
    if said is not None and said != format:
        raise ExportError(f"{path} is named as {said}, but the format is {format}; change one of them")


def export_session(
    store: Store,
    session: SessionRecord,
    format: str,
    path: Path,
    sound: Sound,
    *,
    audio: str = "flac",
    naming: Naming | None = None,
    writer: FileWriter | None = None,
    cue: bool = False,
    events: Sequence[Event] | None = None,
) -> list[WrittenFile]:
    """Write a session to `path`; every file is written whole or not at all.

    Parameters
    ----------
    format : str
        One of `FORMATS`. MIDI and audio give one file with the whole session, silences included.
    audio : str
        Format of the files that a playlist points at.
    naming : Naming, optional
        How a playlist names them.
    writer : FileWriter, optional
        Whether files are replaced, and whether anything is written.
    cue : bool
        Whether a cue sheet is written beside the audio file of a whole session.
    events : sequence of Event, optional
        What was heard when; by default what the timeline says.

    Returns
    -------
    list of WrittenFile

    Raises
    ------
    ExportError
        Where a file cannot be written or holds something else, or the suffix says another format than `format`.
    """
    writer = writer or FileWriter()
    check_name(path, format)
    if cue and format not in AUDIO_FORMATS:
        raise ExportError(f"--cue describes one audio file, not {format}; give --format {', '.join(AUDIO_FORMATS)}")
    check_file_target(path)
    if format == "csv":
        writer.put(path, session_csv(session).encode())
    elif format == "json":
        writer.put(path, session_json(session).encode())
    elif format == "events":
        from importlib.metadata import version

        table = events_tsv(session, planned_events(session) if events is None else events).encode()
        levels = events_json(session, version=version("therapy-gen")).encode()
        side = path.with_suffix(".json")
        writer.is_current(path, table)
        writer.is_current(side, levels, side_of=path)
        writer.put(path, table)
        writer.put(side, levels)
    else:
        export_programme(
            store, session.programme(), format, path, sound, audio=audio, naming=naming, writer=writer, cue=cue
        )
    return writer.written


def export_programme(
    store: Store,
    programme: Programme,
    format: str,
    path: Path,
    sound: Sound,
    *,
    audio: str = "flac",
    naming: Naming | None = None,
    writer: FileWriter | None = None,
    cue: bool = False,
) -> list[WrittenFile]:
    """Write what is heard as MIDI, as one audio file, or as a playlist with its audio; see `export_session`."""
    writer = writer or FileWriter()
    check_name(path, format)
    check_file_target(path)
    if format in PLAYLISTS:
        export_playlist(store, programme, path, audio, sound, format=format, naming=naming, writer=writer)
    elif format == "midi":
        from sessions.export.midi import join_midi

        midi = present_midi(store, programme.items)
        placed = [(item.onset_s, midi[item.piece.id]) for item in programme.items if item.piece]
        writer.put(path, join_midi(placed, title=programme.title, duration_s=programme.duration_s))
    elif format in AUDIO_FORMATS:
        if cue:
            check_text_name(path.name)
        sheet = cue_sheet(programme, path.name, format).encode() if cue else b""
        if cue:
            writer.is_current(path.with_suffix(".cue"), sheet, side_of=path)
        whole = AudioFile(path, programme.items, programme.title)
        writer.put_audio(Renderer(store, programme.items, format, sound), [whole], sound)
        if cue:
            writer.put(path.with_suffix(".cue"), sheet)
    else:
        raise ExportError(f"this cannot be written as {format}; give one of: {', '.join(PIECE_FORMATS + PLAYLISTS)}")
    return writer.written


def export_playlist(
    store: Store,
    programme: Programme,
    path: Path,
    audio: str,
    sound: Sound,
    *,
    format: str = "m3u8",
    beside: bool = False,
    naming: Naming | None = None,
    writer: FileWriter | None = None,
) -> Path:
    """Write a playlist and the audio files that it points at: each piece and each silence once.

    The audio lies in a folder named as the playlist (without what players stumble over), or, `beside` it, in files
    whose names begin as its own.
    The playlist comes last: where it is, all it points at is.

    Raises
    ------
    ExportError
        Where the name has no ending (the folder of the audio would take it), or nothing but dots before it.
    """
    writer = writer or FileWriter()
    files = _audio_files(programme, path, audio, beside=beside)
    entries = _entries(programme, files, path, naming)
    text = WRITERS[format](entries, title=programme.title, naming=naming).encode()
    writer.is_current(path, text)
    _put_files(store, programme, files, audio, sound, writer)
    writer.put(path, text)
    return path


def render_entries(
    store: Store,
    programme: Programme,
    path: Path,
    audio: str,
    sound: Sound,
    *,
    naming: Naming | None = None,
    writer: FileWriter | None = None,
) -> list[Entry]:
    """Write the audio files of a playlist or table that is to stand at `path`, and return its lines."""
    files = _audio_files(programme, path, audio)
    _put_files(store, programme, files, audio, sound, writer or FileWriter())
    return _entries(programme, files, path, naming)


def export_piece(
    store: Store, piece: PieceRecord, path: Path, sound: Sound, *, writer: FileWriter | None = None
) -> list[WrittenFile]:
    """Write a piece as MIDI or audio, by the suffix of `path`, whole or not at all."""
    writer = writer or FileWriter()
    format = format_of(path, PIECE_FORMATS)
    check_file_target(path)
    item = ItemRecord(0, MUSIC, piece, 0.0, piece.duration_s)
    if format == "midi":
        writer.put(path, present_midi(store, [item])[piece.id])
    else:
        writer.put_audio(Renderer(store, [item], format, sound), [AudioFile(path, (item,), piece.title)], sound)
    return writer.written


_Key = tuple[str | None, float]


def _audio_files(programme: Programme, path: Path, audio: str, *, beside: bool = False) -> dict[_Key, AudioFile]:
    """Return the audio files of a playlist, each piece and each length of silence once, in order."""
    if not path.suffix:
        raise ExportError(f"{path} has no ending, and its name is the folder's; call the playlist {path.name}.m3u8")
    if not path.stem.strip("."):
        raise ExportError(
            f"{path} has only dots before its ending, and they would name the folder of the audio; "
            f"call the playlist something else, such as session{path.suffix}"
        )
    check_file_target(path)
    stem = _plain(path.stem)
    folder = path.parent if beside else path.parent / stem
    prefix = f"{stem}-" if beside else ""
    files: dict[_Key, AudioFile] = {}
    for item in programme.items:
        if _same_sound(item) not in files:
            number = 1 + sum(1 for piece, _ in files if piece)
            name = f"{prefix}{_file_label(item, number)}.{audio}"
            track = number if item.piece else None
            files[_same_sound(item)] = AudioFile(folder / name, (item,), _item_title(item), programme.title, track)
    return files


def _put_files(
    store: Store, programme: Programme, files: dict[_Key, AudioFile], audio: str, sound: Sound, writer: FileWriter
) -> None:
    renderer = Renderer(store, programme.items, audio, sound)
    if not files:
        return
    folder = next(iter(files.values())).path.parent
    if folder.exists() or not writer.pretend:
        make_folder(folder)
        writer.put_audio(renderer, list(files.values()), sound)
    else:
        writer.written += [WrittenFile(file.path, False) for file in files.values()]


def _entries(programme: Programme, files: dict[_Key, AudioFile], path: Path, naming: Naming | None) -> list[Entry]:
    naming = naming or Naming()
    return [
        Entry(
            naming.path(files[_same_sound(item)].path, path),
            _item_title(item),
            item.duration_s,
            _note(item.piece) if item.piece else "",
        )
        for item in programme.items
    ]


def _note(piece: PieceRecord) -> str:
    # Drums alone are in no key.
    return ", ".join(fact for fact in (piece.key, f"{piece.tempo:.1f} quarter notes a minute") if fact)


def _item_title(item: ItemRecord) -> str:
    return item.piece.title if item.piece else "Silence"


def _file_label(item: ItemRecord, number: int) -> str:
    """Return the name of an item's file, without blanks: MPD 0.23 does not decode them in XSPF."""
    if item.piece is None:
        return f"silence-{item.duration_s:.3f}s"
    # An imported piece may be called anything.
    plain = "".join(c if c.isalnum() or c in "-_'" else " " for c in item.piece.title)
    return f"{number:02d}-{'-'.join(plain.split())[:_LONGEST_LABEL] or 'piece'}"


def _plain(name: str) -> str:
    """Return a name without what VLC 3 takes for the end of a path in a playlist, or for an escape."""
    return name.replace("#", "_").replace("?", "_").replace("%", "_")


def _same_sound(item: ItemRecord) -> _Key:
    return (item.piece.id if item.piece else None, item.duration_s)
