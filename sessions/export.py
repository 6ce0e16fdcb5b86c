"""Sessions and pieces as files: MIDI, audio, playlists with their audio, tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from sessions.errors import ExportError
from sessions.files import check_file_target, make_folder, write_bytes
from sessions.library import midi_of
from sessions.playlists import Entry, m3u8, session_csv, session_json
from sessions.records import ItemRecord, PieceRecord, SessionRecord
from sessions.store import Store

AUDIO_FORMATS = ("wav", "flac", "ogg", "mp3")
FORMATS = ("midi", *AUDIO_FORMATS, "m3u8", "csv", "json")
SAMPLE_RATE = 44100

# Suffixes that say a format, for the check that name and format agree.
_FORMAT_OF = {".mid": "midi", ".midi": "midi", ".m3u": "m3u8"} | {f".{name}": name for name in FORMATS[1:]}
# A piece that has to be cut to its place in the timeline fades out over this, in seconds.
_FADE_S = 0.05

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sound:
    """How to render.

    Attributes
    ----------
    soundfont : Path or None
        An SF2 file; None takes the one that is there.
    advance : callable
        Told the seconds of music that have been rendered since it was last called.
    """

    soundfont: Path | None = None
    advance: Callable[[float], None] = lambda seconds: None


def check_format(name: str) -> str:
    """Return a format in its usual spelling; ExportError where it is not known."""
    wanted = name.strip().lower().removeprefix(".")
    wanted = {"mid": "midi", "m3u": "m3u8"}.get(wanted, wanted)
    if wanted not in FORMATS:
        raise ExportError(f"format {name!r} is not known; give one of: {', '.join(FORMATS)}")
    return wanted


def check_audio_format(name: str) -> str:
    """Return an audio format in its usual spelling; ExportError where it is not one."""
    wanted = name.strip().lower().removeprefix(".")
    if wanted not in AUDIO_FORMATS:
        raise ExportError(f"audio format {name!r} is not known; give one of: {', '.join(AUDIO_FORMATS)}")
    return wanted


def format_of(path: Path) -> str:
    """Return the format that a file name's suffix says; ExportError where it says none."""
    found = _FORMAT_OF.get(path.suffix.lower())
    if found is None:
        raise ExportError(f"the name {path} does not say a format; end it in one of: {', '.join(_FORMAT_OF)}")
    return found


def export_session(
    store: Store, session: SessionRecord, form: str, path: Path, sound: Sound, *, audio: str = "flac"
) -> None:
    """Write a session to `path`, whole or not at all; doing it again gives the same.

    Parameters
    ----------
    form : str
        One of `FORMATS`. MIDI and audio give one file with the whole session, silences included.
    audio : str
        Format of the files that a playlist points at.

    Raises
    ------
    ExportError
        Where the file cannot be written, or its suffix says another format than `form`.
    """
    said = _FORMAT_OF.get(path.suffix.lower())
    if said is not None and said != form:
        raise ExportError(f"{path} is named as {said}, but the format is {form}; change one of them")
    check_file_target(path)
    title = _title(session)
    if form == "csv":
        write_bytes(path, session_csv(session).encode())
    elif form == "json":
        write_bytes(path, session_json(session).encode())
    elif form == "midi":
        from sessions.medley import join_midi

        midi = midi_of(store, [piece.id for piece in session.pieces()])
        placed = [(item.onset_s, midi[item.piece.id]) for item in session.items if item.piece]
        write_bytes(path, join_midi(placed, title=title, duration_s=session.duration_s))
    elif form == "m3u8":
        export_playlist(store, session, path, audio, sound)
    else:
        _write_audio(path, _session_blocks(store, session, sound), form, title)


def export_playlist(
    store: Store, session: SessionRecord, path: Path, audio: str, sound: Sound, *, beside: bool = False
) -> Path:
    """Write a playlist and the audio files that it points at: each piece and each silence once.

    The audio lies in a folder named as the playlist, or, `beside` it, in files whose names begin as its own.
    The playlist comes last: where it is, all it points at is.
    """
    check_file_target(path)
    folder = path.parent if beside else make_folder(path.with_suffix(""))
    prefix = f"{path.stem} " if beside else ""
    written: dict[tuple[str | None, int], PurePosixPath] = {}
    entries = []
    for item in session.items:
        length = _samples(item.duration_s)
        key = (item.piece.id if item.piece else None, length)
        name = written.get(key)
        if name is None:
            label = _file_label(item, sum(1 for piece, _ in written if piece))
            file = folder / f"{prefix}{label}.{audio}"
            _write_audio(file, _item_blocks(store, item, length, sound), audio, _item_title(item))
            name = written[key] = PurePosixPath(file.relative_to(path.parent).as_posix())
        entries.append(Entry(name, _item_title(item), item.duration_s))
    write_bytes(path, m3u8(entries, title=_title(session)).encode())
    return path


def export_piece(store: Store, piece: PieceRecord, path: Path, sound: Sound) -> None:
    """Write a piece as MIDI or audio, by the suffix of `path`, whole or not at all."""
    form = format_of(path)
    if form != "midi" and form not in AUDIO_FORMATS:
        raise ExportError(f"a piece cannot be written as {form}; end {path.name} in mid, {', '.join(AUDIO_FORMATS)}")
    check_file_target(path)
    if form == "midi":
        write_bytes(path, midi_of(store, [piece.id])[piece.id])
    else:
        rendered = _render(store, piece, sound)
        sound.advance(piece.duration_s)
        _write_audio(path, iter([rendered]), form, piece.title)


def _title(session: SessionRecord) -> str:
    return f"Session {session.id}" + (f" for {session.listener}" if session.listener else "")


def _item_title(item: ItemRecord) -> str:
    return item.piece.title if item.piece else "Silence"


def _file_label(item: ItemRecord, earlier: int) -> str:
    if item.piece is None:
        return f"silence {item.duration_s:.3f} s"
    # An imported piece may be called anything.
    plain = "".join(c if c.isalnum() or c in " -_'()" else "_" for c in item.piece.title).strip()
    return f"{earlier + 1:02d} {plain[:80] or 'piece'}"


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)


def _session_blocks(store: Store, session: SessionRecord, sound: Sound) -> Iterator[Samples]:
    """Give the whole timeline; items meet at the sample that their onsets say."""
    for item in session.items:
        length = _samples(item.onset_s + item.duration_s) - _samples(item.onset_s)
        yield from _item_blocks(store, item, length, sound)


def _item_blocks(store: Store, item: ItemRecord, length: int, sound: Sound) -> Iterator[Samples]:
    """Give an item in exactly `length` samples."""
    if item.piece is None:
        yield np.zeros((length, 2), dtype=np.float32)
    else:
        rendered = _render(store, item.piece, sound)[:length]
        if len(rendered) == length:
            fade = min(_samples(_FADE_S), length)
            rendered[length - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)[:, None]
            yield rendered
        else:
            yield rendered
            yield np.zeros((length - len(rendered), 2), dtype=np.float32)
    sound.advance(item.duration_s)


def _render(store: Store, piece: PieceRecord, sound: Sound) -> Samples:
    from therapy_gen.music.audio import render

    return render(midi_of(store, [piece.id])[piece.id], soundfont=sound.soundfont, sample_rate=SAMPLE_RATE)


def _write_audio(path: Path, blocks: Iterator[Samples], form: str, title: str) -> None:
    from therapy_gen.music.encode import write_audio

    write_audio(path, blocks, SAMPLE_RATE, form, title=title)
