"""Tables of studies; with this module all tables are known."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from sessions.storage.client_tables import ScaleRow
from sessions.storage.tables import Base, now

__all__ = ["ScaleRow", "StudyRow", "StudySessionRow"]


class StudyRow(Base):
    """A study and its protocol, fixed before there are data."""

    __tablename__ = "studies"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    protocol: Mapped[dict[str, Any]]
    created: Mapped[datetime] = mapped_column(default=now)


class StudySessionRow(Base):
    """A session that is part of a study: which of its listener's."""

    __tablename__ = "study_sessions"

    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), index=True)
    number: Mapped[int]
