"""Sessions, rankings and pieces as files: MIDI, audio, playlists with their audio, tables, events.

Exporting again changes nothing: a file that holds what it is to hold is kept, and one that holds something else is
replaced only where that was asked for. What the formats are is declared in `sessions.export.formats`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sessions.errors import ExportError
from sessions.export.audio import AudioFile, Renderer, Sound, present_midi
from sessions.export.bids_events import BidsEvent
from sessions.export.formats import Export, ExportFormat, audio_formats, find_format, format_of_suffix, names
from sessions.export.playlist_audio import write_playlist
from sessions.export.playlists import WRITERS, Naming
from sessions.export.scores import SCORE_SUFFIXES, plain_midi, score_of
from sessions.export.writer import FileWriter, WrittenFile
from sessions.export_paths import check_file_target
from sessions.records import ItemRecord, PieceRecord, Programme, SessionRecord
from sessions.storage.store import Store
from sessions.storage.tables import MUSIC

__all__ = [
    "FileWriter",
    "WrittenFile",
    "check_audio_format",
    "export_piece",
    "export_playlist",
    "export_programme",
    "export_session",
    "piece_format",
]


def check_audio_format(name: str) -> str:
    """Return an audio format in its usual spelling; ExportError where it is not one."""
    wanted = name.strip().lower().removeprefix(".")
    if wanted not in audio_formats():
        raise ExportError(f"audio format {name!r} is not known; give one of: {', '.join(audio_formats())}")
    return wanted


def piece_format(path: Path) -> ExportFormat:
    """Return the format for a single piece that a file name's suffix says; ExportError where it says none."""
    found = format_of_suffix(path)
    possible = names(lambda format: format.of_pieces)
    suffixes = ", ".join([*(suffix for name in possible for suffix in find_format(name).suffixes), *SCORE_SUFFIXES])
    if found is None:
        raise ExportError(f"the name {path} does not say a format; end it in one of: {suffixes}")
    if found.name not in possible:
        raise ExportError(
            f"{path} is named as {found.name}, which this cannot be written as; end the name in one of: {suffixes}"
        )
    return found


def _check_name(path: Path, format: ExportFormat) -> None:
    """Raise ExportError where the suffix of a name says another format."""
    said = format_of_suffix(path)
    if said is not None and said.name != format.name:
        raise ExportError(f"{path} is named as {said.name}, but the format is {format.name}; change one of them")


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
    events: Sequence[BidsEvent] | None = None,
    with_name: bool = False,
) -> list[WrittenFile]:
    """Write a session to `path`; every file is written whole or not at all.

    Parameters
    ----------
    format : str
        One of `sessions.export.formats.export_formats`. MIDI and audio give one file with the whole session, silences
        included.
    audio : str
        Format of the files that a playlist points at.
    naming : Naming, optional
        How a playlist names them.
    writer : FileWriter, optional
        Whether files are replaced, and whether anything is written.
    cue : bool
        Whether a cue sheet is written beside the audio file of a whole session.
    events : sequence of BidsEvent, optional
        What was heard when; by default what the timeline says.
    with_name : bool
        Whether the files name the listener.

    Returns
    -------
    list of WrittenFile

    Raises
    ------
    ExportError
        Where a file cannot be written or holds something else, or the suffix says another format than `format`.

    Examples
    --------
    >>> from pathlib import Path
    >>> import sessions
    >>> import therapy_gen
    >>> from sessions.export.audio import Sound
    >>> store = sessions.Store.open("therapy.db")
    >>> session = sessions.new_session(
    ...     store, therapy_gen.load_model(), sessions.SessionRequest(minutes=1.0), seed=1
    ... )
    >>> [file.path.name for file in sessions.export_session(store, session, "csv", Path("one.csv"), Sound())]
    ['one.csv']
    """
    if not with_name:
        session = session.without_name()
    heard = session.programme()
    export = Export(store, heard, path, sound, writer or FileWriter(), audio, naming, cue, session, events)
    return _write_export(export, format)


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
    ranking: Mapping[str, Any] | None = None,
) -> list[WrittenFile]:
    """Write what is heard as MIDI, as one audio file, or as a playlist with its audio; see `export_session`.

    With the `ranking` that the programme is of, as ``rank --json`` prints it, also as a table.
    """
    return _write_export(
        Export(store, programme, path, sound, writer or FileWriter(), audio, naming, cue, ranking=ranking), format
    )


def _write_export(export: Export, format: str) -> list[WrittenFile]:
    """Write an export in a format, and return its files."""
    chosen = find_format(format)
    _check_name(export.path, chosen)
    export = replace(export, sound=export.sound.over(export.programme.sound))
    if export.cue and not chosen.sounds:
        raise ExportError(
            f"`cue` describes one audio file, not {chosen.name}; give `format` {', '.join(audio_formats())}"
        )
    if export.sound.clicks and chosen.name not in ("wav", "flac"):
        raise ExportError(f"clicks are kept exactly by wav and flac, not by {chosen.name}; give one of these")
    check_file_target(export.path)
    chosen.write(export)
    return export.writer.written


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
    """Write a playlist and its audio; see `sessions.export.playlist_audio.write_playlist`."""
    sound = sound.over(programme.sound)
    export = Export(store, programme, path, sound, writer or FileWriter(), audio, naming)
    write_playlist(export, WRITERS[format], beside=beside)
    return path


def export_piece(
    store: Store,
    piece: PieceRecord,
    path: Path,
    sound: Sound,
    *,
    plain: bool = False,
    writer: FileWriter | None = None,
) -> list[WrittenFile]:
    """Write a piece as a score (MusicXML), MIDI or audio, by the suffix of `path`, whole or not at all.

    Parameters
    ----------
    plain : bool
        Write MIDI as the score has it: on the grid, in one tempo, at one loudness, without pedal and pad.
    """
    writer = writer or FileWriter()
    item = ItemRecord(0, MUSIC, piece, 0.0, piece.duration_s)
    if path.suffix.lower() in SCORE_SUFFIXES:
        check_file_target(path)
        writer.put(path, score_of(present_midi(store, [item])[piece.id], piece.title))
        return writer.written
    format = piece_format(path)
    if plain and format.sounds:
        raise ExportError(f"plain notes are written as MIDI or MusicXML, and {path} is named as {format.name}")
    check_file_target(path)
    if format.sounds:
        file = AudioFile(path, (item,), piece.title)
        writer.put_audio(Renderer(store, [item], format.name, sound), [file], sound)
    else:
        midi = present_midi(store, [item])[piece.id]
        writer.put(path, plain_midi(midi, piece.title) if plain else midi)
    return writer.written
