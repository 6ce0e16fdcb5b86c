"""The audio files that a playlist or the table of a ranking names: each piece and each silence once."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

from sessions.errors import ExportError
from sessions.export.audio import AudioFile, Renderer
from sessions.export.formats import Export
from sessions.export.playlists import Entry, Naming
from sessions.export.writer import WrittenFile
from sessions.export_paths import check_file_target, make_folder
from sessions.records import ItemRecord, PieceRecord, Programme

# A file name has 255 bytes and a character up to four; this leaves room for the playlist's name in front.
_LONGEST_LABEL = 40
_Key = tuple[str | None, float]


def write_playlist(export: Export, text_of: Callable[..., str], *, beside: bool = False) -> None:
    """Write a playlist and the audio files that it points at: each piece and each silence once.

    The audio lies in a folder named as the playlist (without what players stumble over), or, `beside` it, in files
    whose names begin as its own. The playlist comes last: where it is, all it points at is.

    Raises
    ------
    ExportError
        Where the name has no ending (the folder of the audio would take it), or nothing but dots before it.
    """
    files = _audio_files(export.programme, export.path, export.audio, beside=beside)
    entries = _entries(export.programme, files, export.path, export.naming)
    text = text_of(entries, title=export.programme.title, naming=export.naming).encode()
    export.writer.is_current(export.path, text)
    _put_files(export, files)
    export.writer.put(export.path, text)


def render_entries(export: Export) -> list[Entry]:
    """Write the audio files that a table at the export's path is to name, and return its lines."""
    files = _audio_files(export.programme, export.path, export.audio)
    _put_files(export, files)
    return _entries(export.programme, files, export.path, export.naming)


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


def _put_files(export: Export, files: dict[_Key, AudioFile]) -> None:
    if not files:
        return
    renderer = Renderer(export.store, export.programme.items, export.audio, export.sound, export.programme)
    folder = next(iter(files.values())).path.parent
    if folder.exists() or not export.writer.pretend:
        make_folder(folder)
        export.writer.put_audio(renderer, list(files.values()), export.sound)
    else:
        export.writer.written += [WrittenFile(file.path, False) for file in files.values()]


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
    tempo = "" if piece.tempo is None else f"{piece.tempo:.1f} quarter notes a minute"
    return ", ".join(fact for fact in (piece.key, tempo) if fact)


def _item_title(item: ItemRecord) -> str:
    return item.piece.title if item.piece else "Silence"


def _file_label(item: ItemRecord, number: int) -> str:
    """Return the name of an item's file, without blanks: MPD 0.23 does not decode them in XSPF."""
    if item.piece is None:
        return f"silence-{item.duration_s:.3f}s"
    # An imported piece may be called anything; vowel signs and accents belong to their letters.
    title = unicodedata.normalize("NFC", item.piece.title)
    plain = "".join(c if c.isalnum() or c in "-_'" or unicodedata.category(c)[0] == "M" else " " for c in title)
    return f"{number:02d}-{'-'.join(plain.split())[:_LONGEST_LABEL] or 'piece'}"


def _plain(name: str) -> str:
    """Return a name without what VLC 3 takes for the end of a path in a playlist, or for an escape."""
    return name.replace("#", "_").replace("?", "_").replace("%", "_")


def _same_sound(item: ItemRecord) -> _Key:
    return (item.piece.id if item.piece else None, item.duration_s)
