"""The sound of pieces and silences as audio files that say what they hold, so that none is written twice."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from sessions.errors import ExportError, NotFoundError
from sessions.export.click_track import with_clicks
from sessions.export.sound_settings import Sound
from sessions.export_paths import already_exists, atomic_write
from sessions.records import ItemRecord, Programme
from sessions.storage.library import get_session, music_of
from sessions.storage.store import Store
from therapy_gen.errors import InputError
from therapy_gen.music.audio import SAMPLE_RATE

if TYPE_CHECKING:
    from therapy_gen.music.audio.files.tags import Tags
    from therapy_gen.music.audio.stream import TimelineItem

__all__ = [
    "SAMPLE_RATE",
    "AudioFile",
    "Renderer",
    "Sound",
    "item_sounds",
    "present_midi",
    "present_music",
    "sound_of_item",
    "stream_session",
]

# Part of what a file says of itself; to be raised where the same notes begin to sound different.
_RENDERING = 6
_DIGEST_LETTERS = 16

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class AudioFile:
    """An audio file to be: items one after the other, and its tags."""

    path: Path
    items: tuple[ItemRecord, ...]
    title: str
    album: str = ""
    track: int | None = None

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return sum(item.duration_s for item in self.items)


class Renderer:
    """Renders items as audio of one format.

    Raises
    ------
    NotFoundError
        Where a piece is no longer in the library.
    """

    def __init__(
        self,
        store: Store,
        items: Sequence[ItemRecord],
        format: str,
        sound: Sound,
        programme: Programme | None = None,
    ) -> None:
        self._format = format
        self._programme = programme
        self._sound = sound
        self._music = present_music(store, items)
        self._instruments = _digest_of_soundfont(sound.soundfont)

    def is_current(self, file: AudioFile) -> bool:
        """Say whether a file is there and holds exactly what it is to hold.

        Raises
        ------
        ExportError
            Where a file of that name holds something else.
        """
        if not file.path.exists():
            return False
        if _comment_of(file.path) != self._comment(file):
            raise already_exists(file.path)
        return True

    def write(self, files: Sequence[AudioFile], *, replace: bool) -> None:
        """Write files, each whole or not at all; pieces ahead are rendered meanwhile."""
        from therapy_gen.music.audio.files.encode import write_audio

        apart = all(len(file.items) == 1 for file in files)
        blocks = _Blocks([item for file in files for item in file.items], self._music, self._sound, apart=apart)
        try:
            for file in files:
                sound = blocks.following(len(file.items))
                if self._sound.clicks:
                    sound = with_clicks(sound, file.items)
                with atomic_write(file.path, replace=replace) as part, _named(part, file.path):
                    write_audio(
                        part,
                        sound,
                        SAMPLE_RATE,
                        self._format,
                        tags=self._tags(file),
                        threads=self._sound.threads,
                    )
        finally:
            blocks.close()

    def _tags(self, file: AudioFile) -> Tags:
        from sessions.export.cover import cover_of
        from therapy_gen.music.audio.files.tags import Tags

        shown = self._programme or Programme(file.title, file.items)
        tracks = len({item.piece.id for item in shown.items if item.piece}) if file.track is not None else None
        return Tags(
            file.title,
            file.album or shown.title,
            comment=self._comment(file),
            date="" if shown.created is None else f"{shown.created:%Y-%m-%d}",
            track=file.track,
            tracks=tracks,
            cover=cover_of(shown),
        )

    def _comment(self, file: AudioFile) -> str:
        """Return what a file says of itself: the piece, and a digest of all that decides its sound and tags."""
        content = hashlib.sha256()
        facts = (_RENDERING, SAMPLE_RATE, self._format, self._instruments, file.title, file.album, file.track)
        content.update(repr(facts).encode())
        mix = self._sound.mix()
        content.update(repr((mix.space, mix.loudness, mix.layers, mix.transition, mix.fade_s)).encode())
        if self._sound.clicks:
            content.update(b"clicks")
        for item in file.items:
            content.update(f"{item.duration_s:.3f}".encode())
            content.update(self._music[item.piece.id] if item.piece else b"silence")
        pieces = {item.piece.id for item in file.items if item.piece}
        name = f"piece/{pieces.pop()} " if len(pieces) == 1 else ""
        return f"{name}{content.hexdigest()[:_DIGEST_LETTERS]}"


@contextlib.contextmanager
def item_sounds(store: Store, items: Sequence[ItemRecord], sound: Sound) -> Iterator[Iterator[Iterator[Samples]]]:
    """Give the sound of each item in blocks of shape (frames, 2) at `SAMPLE_RATE`; one is used up before the next.

    Raises
    ------
    NotFoundError
        Where a piece is no longer in the library.
    """
    blocks = _Blocks(items, present_music(store, items), sound)
    try:
        yield (blocks.following(1) for _ in items)
    finally:
        blocks.close()


@contextlib.contextmanager
def sound_of_item(store: Store, items: Sequence[ItemRecord], number: int, sound: Sound) -> Iterator[Iterator[Samples]]:
    """Give the sound of one of the items that follow one another, in blocks: what lies under all of them goes on in it.

    Raises
    ------
    NotFoundError
        Where a piece is no longer in the library.
    """
    blocks = _Blocks(items, present_music(store, items), sound, only=number)
    try:
        yield blocks.following(1)
    finally:
        blocks.close()


def stream_session(
    store: Store, number: int, *, start_s: float = 0.0, sound: Sound | None = None
) -> Generator[Samples, None, None]:
    """Render a stored session while it is listened to, from any position.

    A block comes as soon as the piece that it lies in is rendered (a second or two for the first one); later pieces are
    rendered meanwhile, and no more than three are held in memory. Close the generator to stop the threads.

    Parameters
    ----------
    store : Store
    number : int
        Of the session.
    start_s : float
        Where to begin, in seconds from the session's start. The samples are those that the whole session has there.
    sound : Sound, optional
        How to render; what it leaves open is as the session has it.

    Yields
    ------
    array of float32, shape (frames, 2)
        Stereo at `SAMPLE_RATE`, at most 65,536 frames, full scale at 1.

    Raises
    ------
    NotFoundError
        Where there is no such session, or a piece of it is no longer in the library.

    Examples
    --------
    >>> blocks = stream_session(store, 1, start_s=90.0)  # doctest: +SKIP
    >>> next(blocks).shape  # doctest: +SKIP
    (65536, 2)
    """
    record = get_session(store, number)
    sound = (sound or Sound()).over(record.parameters)
    blocks = _Blocks(record.items, present_music(store, record.items), sound, start_s=start_s)
    return blocks.all()


def live_session(store: Store, number: int, *, start_s: float = 0.0, sound: Sound | None = None) -> Iterator[Samples]:
    """Render a stored session for somebody who waits: as `stream_session`, but the first block comes after a second.

    Loudness is measured on excerpts of each piece, so that the samples are not those of an export.
    """
    from therapy_gen.music.audio.live.live_timeline import live_timeline

    record = get_session(store, number)
    sound = (sound or Sound()).over(record.parameters)
    music = present_music(store, record.items)
    items = _timeline_items(record.items, music)
    return live_timeline(items, mix=sound.mix(), sample_rate=SAMPLE_RATE, start_s=start_s)


def present_music(store: Store, items: Sequence[ItemRecord]) -> Mapping[str, bytes]:
    """Return the music of all pieces of items, as MIDI or recorded; NotFoundError where one is no longer there."""
    wanted = {item.piece.id: item.piece.title for item in items if item.piece}
    found = music_of(store, list(wanted))
    for id_, title in wanted.items():
        if id_ not in found:
            raise NotFoundError(
                f"piece {id_} ({title}) is no longer in the library; `therapy-gen piece list` shows all"
            )
    return found


def present_midi(store: Store, items: Sequence[ItemRecord]) -> Mapping[str, bytes]:
    """Return the MIDI of all pieces of items.

    Raises
    ------
    NotFoundError
        Where one is no longer in the library.
    ExportError
        Where one is recorded, so that there are no notes to be written.
    """
    recorded = next((item.piece for item in items if item.piece and item.piece.recorded), None)
    if recorded is not None:
        raise ExportError(f"{recorded.title} ({recorded.id}) is recorded and has no notes; export it as audio (flac)")
    return present_music(store, items)


@contextlib.contextmanager
def _named(part: Path, path: Path) -> Iterator[None]:
    """Let errors name a file as it will be called."""
    try:
        yield
    except InputError as error:
        raise ExportError(str(error).replace(str(part), str(path))) from error


def _digest_of_soundfont(path: Path | None) -> str:
    from therapy_gen.music.audio.instruments.soundfont import default_soundfont

    with (path or default_soundfont()).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _comment_of(path: Path) -> str | None:
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            return str(file.comment)
    except (soundfile.LibsndfileError, OSError):
        return None


def _timeline_items(items: Sequence[ItemRecord], music: Mapping[str, bytes]) -> list[TimelineItem]:
    from therapy_gen.music.audio.stream import TimelineItem

    return [
        TimelineItem(item.duration_s, music[item.piece.id], f"piece {item.piece.id}")
        if item.piece
        else TimelineItem(item.duration_s)
        for item in items
    ]


class _Blocks:
    """The sound of items, one after the other, in blocks."""

    def __init__(
        self,
        items: Sequence[ItemRecord],
        music: Mapping[str, bytes],
        sound: Sound,
        *,
        apart: bool = False,
        start_s: float = 0.0,
        only: int | None = None,
    ) -> None:
        from therapy_gen.music.audio.stream import lengths_of, render_timeline

        lengths = lengths_of([item.duration_s for item in items], SAMPLE_RATE, apart=apart)
        if only is not None:
            start_s, lengths = sum(lengths[:only]) / SAMPLE_RATE, lengths[only : only + 1]
        self._lengths = iter(lengths)
        blocks = render_timeline(
            _timeline_items(items, music),
            mix=sound.mix(),
            sample_rate=SAMPLE_RATE,
            workers=sound.threads,
            apart=apart,
            start_s=start_s,
            count=None if only is None else 1,
            cache=sound.cache,
        )
        self._blocks = cast(Generator[Samples, None, None], blocks)
        self._advance = sound.advance

    def following(self, count: int) -> Iterator[Samples]:
        """Give the blocks of the next items."""
        left = sum(next(self._lengths) for _ in range(count))
        while left > 0:
            block = next(self._blocks)
            left -= len(block)
            yield block
            self._advance(len(block) / SAMPLE_RATE)

    def all(self) -> Generator[Samples, None, None]:
        """Give all blocks; closing it stops rendering."""
        try:
            for block in self._blocks:
                yield block
                self._advance(len(block) / SAMPLE_RATE)
        finally:
            self.close()

    def close(self) -> None:
        """Stop rendering."""
        self._blocks.close()
