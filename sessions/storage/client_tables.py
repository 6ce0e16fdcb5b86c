"""The tables of what is kept about clients beside their sessions: notes, measures, marks of pieces, settings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sessions.storage.tables import ULID_LENGTH, Base, now

NEVER, FAVOURITE = "never", "favourite"


class SessionNoteRow(Base):
    """What somebody wrote about a session."""

    __tablename__ = "session_notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    text: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)


class MeasureRow(Base):
    """The values of a scale before and after a session; a later value replaces an earlier one."""

    __tablename__ = "measures"
    __table_args__ = (UniqueConstraint("session_id", "scale"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    scale: Mapped[str] = mapped_column(String(64))
    before: Mapped[float | None]
    after: Mapped[float | None]
    created: Mapped[datetime] = mapped_column(default=now)


class ScaleRow(Base):
    """A scale of one's own, as its file said: the fields of `sessions.clients.scales.Scale`."""

    __tablename__ = "scales"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    facts: Mapped[dict[str, Any]]


class PieceMarkRow(Base):
    """A piece that a listener never wants to hear again, or a favourite; `listener_id` is null without a named one."""

    __tablename__ = "piece_marks"
    __table_args__ = (CheckConstraint("mark IN ('never', 'favourite')", name="known"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    listener_id: Mapped[int | None] = mapped_column(ForeignKey("listeners.id", ondelete="CASCADE"), index=True)
    piece_id: Mapped[str] = mapped_column(String(ULID_LENGTH), ForeignKey("pieces.id", ondelete="CASCADE"), index=True)
    mark: Mapped[str] = mapped_column(String(16))
    created: Mapped[datetime] = mapped_column(default=now)


class PlayerSettingsRow(Base):
    """What the app remembers of how somebody listens."""

    __tablename__ = "player_settings"

    id: Mapped[int] = mapped_column(primary_key=True)
    listener_id: Mapped[int | None] = mapped_column(ForeignKey("listeners.id", ondelete="CASCADE"), index=True)
    values: Mapped[dict[str, Any]]
