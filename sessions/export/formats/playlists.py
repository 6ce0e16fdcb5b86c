"""Playlists, with the audio files that they name."""

from __future__ import annotations

from functools import partial

from sessions.export.formats import PLAYLIST, Export, ExportFormat


def _write(name: str, export: Export) -> None:
    from sessions.export.playlist_audio import write_playlist
    from sessions.export.playlists import WRITERS

    write_playlist(export, WRITERS[name])


FORMATS = tuple(
    ExportFormat(
        name,
        tuple(suffixes),
        PLAYLIST,
        partial(_write, name),
        aliases=tuple(suffix[1:] for suffix in suffixes[1:]),
        names_audio=("session", "ranking"),
    )
    for name, *suffixes in (("m3u8", ".m3u8", ".m3u"), ("xspf", ".xspf"), ("jspf", ".jspf"), ("pls", ".pls"))
)
