"""Cue sheets: where each piece begins in the audio file of a whole session."""

from __future__ import annotations

import unicodedata

from sessions.errors import ExportError
from sessions.records import Programme

# A cue sheet counts 75 frames a second, as a compact disc does.
_FRAMES_PER_S = 75
_MOST_TRACKS = 99
_TYPES = {"wav": "WAVE", "mp3": "MP3"}


def cue_sheet(programme: Programme, file_name: str, format: str) -> str:
    """Return a cue sheet for an audio file that lies beside it.

    Silences are tracks, too: with the start of the file marked in a recording, every piece has its place. Beside each
    index (in frames of 1/75 s) a remark says the onset to the millisecond.

    Raises
    ------
    ExportError
        Where there are more tracks than a cue sheet counts, or it cannot name the file.
    """
    if any(c == '"' or unicodedata.category(c) == "Cc" for c in file_name):
        raise ExportError(
            f"a cue sheet cannot name {file_name!a}: quotation marks and control characters have no place in it; "
            "call the file something else, or leave out `cue`"
        )
    if len(programme.items) > _MOST_TRACKS:
        raise ExportError(
            f"a cue sheet counts to {_MOST_TRACKS}, this session has {len(programme.items)} pieces and silences; "
            "leave out `cue`, and give `format` events for where each begins"
        )
    lines = [
        f"TITLE {_quoted(programme.title)}",
        'PERFORMER "therapy-gen"',
        f'FILE "{file_name}" {_TYPES.get(format, "WAVE")}',
    ]
    onset_s = 0.0
    for number, item in enumerate(programme.items, 1):
        piece = item.piece
        lines += [
            f"  TRACK {number:02d} AUDIO",
            f"    TITLE {_quoted(piece.title if piece else 'Silence')}",
            *([f"    REM PIECE {piece.id}"] if piece else []),
            f"    REM ONSET_S {onset_s:.3f}",
            f"    REM DURATION_S {item.duration_s:.3f}",
            f"    INDEX 01 {_index(onset_s)}",
        ]
        onset_s += item.duration_s
    return "\n".join(lines) + "\n"


def _index(seconds: float) -> str:
    frames = round(seconds * _FRAMES_PER_S)
    whole, frames = divmod(frames, _FRAMES_PER_S)
    return f"{whole // 60:02d}:{whole % 60:02d}:{frames:02d}"


def _quoted(text: str) -> str:
    return '"' + " ".join(text.split()).replace('"', "'") + '"'
