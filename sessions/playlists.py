"""Playlists and tables of a session, as text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from sessions.records import SessionRecord

_COLUMNS = ("position", "role", "onset_s", "duration_s", "piece", "title", "key", "tempo", "calm", "rating")


@dataclass(frozen=True)
class Entry:
    """A line of a playlist; `path` is relative to it."""

    path: PurePosixPath
    title: str
    duration_s: float


def m3u8(entries: Iterable[Entry], *, title: str) -> str:
    """Return an extended M3U playlist, to be stored as UTF-8."""
    lines = ["#EXTM3U", f"#PLAYLIST:{_one_line(title)}"]
    for entry in entries:
        lines.append(f"#EXTINF:{round(entry.duration_s)},{_one_line(entry.title)}")
        # A leading hash would make it a comment.
        path = str(entry.path)
        lines.append(f"./{path}" if path.startswith("#") else path)
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def session_csv(session: SessionRecord) -> str:
    """Return the timeline as comma-separated values with a head."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(item.document() for item in session.items)
    return text.getvalue()


def session_json(session: SessionRecord) -> str:
    """Return what `session show --json` prints."""
    return json.dumps(session.document(), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
