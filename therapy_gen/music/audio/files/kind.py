"""The kinds of stored pieces: MIDI, or recorded sound in one of several formats."""

from __future__ import annotations

AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff")


def is_audio(content: bytes) -> bool:
    """Return whether music is recorded sound; else it is a MIDI file."""
    mpeg = len(content) > 1 and content[0] == 0xFF and content[1] >= 0xE0
    return content.startswith((b"fLaC", b"OggS", b"ID3")) or mpeg


def suffix_of(content: bytes) -> str:
    """Return the suffix for stored music: ``".flac"``, ``".mp3"``, ``".ogg"``, ``".mid"``."""
    if not is_audio(content):
        return ".mid"
    return ".flac" if content.startswith(b"fLaC") else ".ogg" if content.startswith(b"OggS") else ".mp3"
