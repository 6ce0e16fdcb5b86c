"""Sessions and pieces as files: MIDI, audio, playlists with their audio, tables."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path, PurePosixPath
from typing import cast

import numpy as np
import numpy.typing as npt

from sessions.errors import ExportError
from sessions.files import check_file_target, make_folder, write_bytes
from sessions.library import midi_of
from sessions.playlists import Entry, m3u8, session_csv, session_json
from sessions.records import ItemRecord, PieceRecord, SessionRecord
from sessions.store import Store
from sessions.tables import MUSIC

AUDIO_FORMATS = ("wav", "flac", "ogg", "mp3")
FORMATS = ("midi", *AUDIO_FORMATS, "m3u8", "csv", "json")
SAMPLE_RATE = 44100

# Suffixes that say a format, for the check that name and format agree.
_FORMAT_OF = {".mid": "midi", ".midi": "midi", ".m3u": "m3u8"} | {f".{name}": name for name in FORMATS[1:]}

# Room is left for what a file is called while it is written, in 255 bytes.
_LONGEST_LABEL = 40

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

    def __post_init__(self) -> None:
        if self.soundfont is not None and not self.soundfont.is_file():
            raise ExportError(f"soundfont {self.soundfont} is not a file; give an SF2 file with --soundfont")


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
        blocks = _Blocks(store, session.items, sound)
        try:
            _write_audio(path, blocks.all_items(), form, title)
        finally:
            blocks.close()


def export_playlist(
    store: Store, session: SessionRecord, path: Path, audio: str, sound: Sound, *, beside: bool = False
) -> Path:
    """Write a playlist and the audio files that it points at: each piece and each silence once.

    The audio lies in a folder named as the playlist, or, `beside` it, in files whose names begin as its own.
    The playlist comes last: where it is, all it points at is.

    Raises
    ------
    ExportError
        Where the name has no ending: the folder of the audio would take it.
    """
    if not path.suffix:
        raise ExportError(f"{path} has no ending, and its name is the folder's; call the playlist {path.name}.m3u8")
    check_file_target(path)
    folder = path.parent if beside else make_folder(path.with_suffix(""))
    prefix = f"{path.stem} " if beside else ""
    files: dict[tuple[str | None, float], Path] = {}
    firsts: list[ItemRecord] = []
    for item in session.items:
        if _same_sound(item) not in files:
            label = _file_label(item, sum(1 for piece, _ in files if piece))
            files[_same_sound(item)] = folder / f"{prefix}{label}.{audio}"
            firsts.append(item)
    blocks = _Blocks(store, firsts, sound)
    try:
        for item in firsts:
            _write_audio(files[_same_sound(item)], blocks.next_item(), audio, _item_title(item), _title(session))
    finally:
        blocks.close()
    entries = [
        Entry(
            PurePosixPath(files[_same_sound(item)].relative_to(path.parent).as_posix()),
            _item_title(item),
            item.duration_s,
        )
        for item in session.items
    ]
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
        blocks = _Blocks(store, [ItemRecord(0, MUSIC, piece, 0.0, piece.duration_s)], sound)
        try:
            _write_audio(path, blocks.next_item(), form, piece.title)
        finally:
            blocks.close()


def _title(session: SessionRecord) -> str:
    return f"Session {session.id}" + (f" for {session.listener}" if session.listener else "")


def _item_title(item: ItemRecord) -> str:
    return item.piece.title if item.piece else "Silence"


def _file_label(item: ItemRecord, earlier: int) -> str:
    if item.piece is None:
        return f"silence {item.duration_s:.3f} s"
    # An imported piece may be called anything.
    plain = "".join(c if c.isalnum() or c in " -_'()" else "_" for c in item.piece.title).strip()
    return f"{earlier + 1:02d} {plain[:_LONGEST_LABEL] or 'piece'}"


def _same_sound(item: ItemRecord) -> tuple[str | None, float]:
    return (item.piece.id if item.piece else None, item.duration_s)


class _Blocks:
    """The sound of items, one item after the other, in blocks; pieces ahead are rendered meanwhile."""

    def __init__(self, store: Store, items: Sequence[ItemRecord], sound: Sound) -> None:
        from therapy_gen.music.audio import TimelineItem, render_timeline

        midi = midi_of(store, list({item.piece.id for item in items if item.piece}))
        placed = [
            TimelineItem(item.duration_s, midi[item.piece.id], f"piece {item.piece.id}")
            if item.piece
            else TimelineItem(item.duration_s)
            for item in items
        ]
        ends = [round(end * SAMPLE_RATE) for end in accumulate(item.duration_s for item in items)]
        self._lengths = iter([end - start for start, end in pairwise([0, *ends])])
        blocks = render_timeline(placed, soundfont=sound.soundfont, sample_rate=SAMPLE_RATE)
        self._blocks = cast(Generator[Samples, None, None], blocks)
        self._advance = sound.advance

    def next_item(self) -> Iterator[Samples]:
        """Give the blocks of the next item."""
        left = next(self._lengths)
        while left > 0:
            block = next(self._blocks)
            left -= len(block)
            yield block
            self._advance(len(block) / SAMPLE_RATE)

    def all_items(self) -> Iterator[Samples]:
        """Give the blocks of all items."""
        for block in self._blocks:
            yield block
            self._advance(len(block) / SAMPLE_RATE)

    def close(self) -> None:
        """Stop rendering."""
        self._blocks.close()


def _write_audio(path: Path, blocks: Iterator[Samples], form: str, title: str, album: str = "") -> None:
    from therapy_gen.music.encode import write_audio

    write_audio(path, blocks, SAMPLE_RATE, form, title=title, album=album)
