"""Tables of a session or of a ranking, the latter with the audio of its pieces: comma-separated values and JSON."""

from __future__ import annotations

from functools import partial

from sessions.errors import ExportError
from sessions.export.formats import TABLE, Export, ExportFormat


def _write(name: str, export: Export) -> None:
    from sessions.export import ranking
    from sessions.export import session_tables as tables
    from sessions.export.playlist_audio import render_entries

    if export.session is not None:
        text = tables.session_csv(export.session) if name == "csv" else tables.session_json(export.session)
    elif export.ranking is not None:
        entries = render_entries(export)
        document = ranking.table_of(export.ranking, export.programme, entries)
        text = ranking.ranking_csv(document) if name == "csv" else ranking.ranking_json(document)
    else:
        raise ExportError(f"{name} is a table of a session or a ranking; give another format")
    export.writer.put(export.path, text.encode())


FORMATS = tuple(
    ExportFormat(name, (f".{name}",), TABLE, partial(_write, name), names_audio=("ranking",))
    for name in ("csv", "json")
)
