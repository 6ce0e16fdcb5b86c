"""Pieces and listening sessions.

In: a request, a model, MIDI files. Out: sessions in a database, and files and pages made of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from therapy_gen.lazy import public_names

if TYPE_CHECKING:
    from sessions.builder import new_session
    from sessions.export.export import export_session
    from sessions.planning.request import SessionRequest
    from sessions.reports.session_report import write_session_report
    from sessions.storage.piece_import import import_pieces
    from sessions.storage.store import Store

__all__ = ["SessionRequest", "Store", "export_session", "import_pieces", "new_session", "write_session_report"]

__getattr__, __dir__ = public_names(
    __name__,
    {
        "SessionRequest": "sessions.planning.request",
        "Store": "sessions.storage.store",
        "export_session": "sessions.export.export",
        "import_pieces": "sessions.storage.piece_import",
        "new_session": "sessions.builder",
        "write_session_report": "sessions.reports.session_report",
    },
)
