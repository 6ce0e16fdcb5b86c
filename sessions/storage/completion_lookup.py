"""Names in an SQLite database, for completing words while they are typed.

Reads with the driver alone (SQLAlchemy takes longer to import than the reading does), never makes, migrates or locks
anything, and gives nothing where a database is absent, is on a server, is another program's or is being changed.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

# Longer than a shell shows, and quick to read.
_MOST = 200
_PATIENCE_S = 0.2


def sessions(where: str | Path) -> list[tuple[str, str]]:
    """Return number and description of the sessions, newest first."""
    rows = _rows(
        where,
        "SELECT s.id, s.arc, s.duration_s, l.name FROM sessions s LEFT JOIN listeners l ON l.id = s.listener_id "
        "ORDER BY s.id DESC",
    )
    return [
        (str(number), f"{round(seconds / 60)} minutes, {arc}" + (f", {name}" if name else ""))
        for number, arc, seconds, name in rows
    ]


def pieces(where: str | Path, begin: str = "") -> list[tuple[str, str]]:
    """Return id and title of the pieces whose id begins so, newest first."""
    # Ids are in upper case; no wildcards, which a typed underscore or percent sign would be.
    query = "SELECT id, title FROM pieces WHERE substr(id, 1, ?) = ? ORDER BY id DESC"
    return [(str(id_), str(title)) for id_, title in _rows(where, query, (len(begin), begin.upper()))]


def listeners(where: str | Path) -> list[str]:
    """Return the names of the listeners in alphabetical order."""
    return [str(name) for (name,) in _rows(where, "SELECT name FROM listeners ORDER BY name")]


def _rows(where: str | Path, query: str, values: Sequence[object] = ()) -> list[Any]:
    text = str(where)
    if text.startswith("sqlite:///"):
        text = text.removeprefix("sqlite:///").partition("?")[0]
    if "://" in text or not text or "\0" in text:
        return []
    with contextlib.suppress(OSError, ValueError, sqlite3.Error):
        path = Path(text).expanduser().absolute()
        if path.is_file():
            # Without a log beside it nobody is writing, and SQLite can read it without making one.
            logged = path.with_name(f"{path.name}-wal").exists()
            address = f"file:{quote(str(path))}?mode=ro" + ("" if logged else "&immutable=1")
            with contextlib.closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE_S)) as connection:
                return connection.execute(f"{query} LIMIT {_MOST}", values).fetchall()
    return []
