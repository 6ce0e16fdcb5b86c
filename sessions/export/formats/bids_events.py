"""A session's events as BIDS has them: a table and its sidecar."""

from __future__ import annotations

from sessions.errors import ExportError
from sessions.export.formats import Export, ExportFormat


def _write(export: Export) -> None:
    from importlib.metadata import version

    from sessions.export.bids_events import events_json, events_tsv, planned_events

    session, path = export.session, export.path
    if session is None:
        raise ExportError("a ranking has no events: they are a session's; give `session` ID")
    events = planned_events(session) if export.events is None else export.events
    table = events_tsv(session, export.programme.title, events).encode()
    levels = events_json(session, version=version("therapy-gen")).encode()
    side = path.with_suffix(".json")
    export.writer.is_current(path, table)
    export.writer.is_current(side, levels, side_of=path)
    export.writer.put(path, table)
    export.writer.put(side, levels)


FORMATS = (
    ExportFormat(
        "events",
        (".tsv",),
        "a session's BIDS events.tsv and its sidecar",
        _write,
        aliases=("tsv",),
    ),
)
