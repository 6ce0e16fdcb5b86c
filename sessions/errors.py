"""What can go wrong with the database, a plan or an export; each text is one line for the user."""

from __future__ import annotations

from therapy_gen.errors import InputError


class DatabaseError(InputError):
    """The database cannot be opened, read or written."""


class PlanError(InputError):
    """No session can be laid out as asked."""


class NotFoundError(InputError):
    """A session, piece or listener is not in the database."""


class ExportError(InputError):
    """A file cannot be written where or as asked."""
