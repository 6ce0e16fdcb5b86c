"""The tables, as SQLAlchemy typed classes; `migrations/` builds exactly these."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    LargeBinary,
    MetaData,
    String,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

ULID_LENGTH = 26
MUSIC = "music"
SILENCE = "silence"
USUAL_METRE = "4/4"


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC, time-zone aware in Python even where the database stores no zone (SQLite)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive values: their moment is unknown."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the moment its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# The name of the first analysis plan.
MAIN_PLAN = "main"


def now() -> datetime:
    """Return the present moment in UTC, whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


class Base(DeclarativeBase):
    """Base of every table; constraints are named so that migrations can address them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        float: Double,
        dict[str, Any]: JSON,
    }


class ModelRow(Base):
    """A model that pieces came from, known by the digest of its weights."""

    __tablename__ = "models"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    config: Mapped[dict[str, Any]]
    created: Mapped[datetime] = mapped_column(default=now)


class PieceRow(Base):
    """A piece: its music as a Standard MIDI File or as recorded sound, and where it came from."""

    __tablename__ = "pieces"
    __table_args__ = (
        CheckConstraint("duration_s > 0", name="duration_positive"),
        CheckConstraint("tempo > 0", name="tempo_positive"),
        CheckConstraint("calm >= 0 AND calm <= 1", name="calm_is_share"),
        CheckConstraint("valence >= 0 AND valence <= 1", name="valence_is_share"),
        CheckConstraint("(model_id IS NULL) <> (source IS NULL)", name="one_origin"),
        CheckConstraint("(midi IS NULL) <> (audio IS NULL)", name="one_music"),
    )

    id: Mapped[str] = mapped_column(String(ULID_LENGTH), primary_key=True)
    title: Mapped[str] = mapped_column(index=True)
    # The file it was imported from; null for a piece of a model.
    source: Mapped[str | None]
    model_id: Mapped[int | None] = mapped_column(ForeignKey("models.id"), index=True)
    # Little-endian float32 rows, one for each distinct section in order of first appearance in `form`.
    z: Mapped[bytes | None] = mapped_column(LargeBinary)
    form: Mapped[str | None]
    seed: Mapped[int | None] = mapped_column(BigInteger)
    temperature: Mapped[float | None]
    palette: Mapped[str | None]
    key: Mapped[str]
    # Null for a recorded piece, as is everything known from notes.
    tempo: Mapped[float | None]
    duration_s: Mapped[float] = mapped_column(index=True)
    midi: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    # What the scores of calmness and of valence measured.
    features: Mapped[dict[str, Any]]
    calm: Mapped[float | None]
    created: Mapped[datetime] = mapped_column(default=now)
    # Mean pitch of the melody; null for a piece stored before that was noted, or without pitched notes.
    register: Mapped[float | None]
    metre: Mapped[str] = mapped_column(server_default=USUAL_METRE)
    # How pleasant it sounds to most raters; null for a piece stored before that was scored.
    valence: Mapped[float | None]
    # A FLAC, MP3 or Ogg file at 44,100 Hz: recorded music, in place of notes.
    audio: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    # Whose it is: it is exported and forgotten with that listener.
    listener_id: Mapped[int | None] = mapped_column(ForeignKey("listeners.id", ondelete="SET NULL"), index=True)

    model: Mapped[ModelRow | None] = relationship()


class ListenerRow(Base):
    """Someone who listens, known by name."""

    __tablename__ = "listeners"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created: Mapped[datetime] = mapped_column(default=now)
    # What pages show in place of the name, such as initials, and the colour that marks the listener.
    alias: Mapped[str | None]
    colour: Mapped[str | None] = mapped_column(String(16))


class SessionRow(Base):
    """A listening session; `parameters` holds everything it was asked for."""

    __tablename__ = "sessions"
    __table_args__ = (
        CheckConstraint("duration_s > 0", name="duration_positive"),
        # A deleted session's number is never reused: recordings may still carry it.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    listener_id: Mapped[int | None] = mapped_column(ForeignKey("listeners.id"), index=True)
    arc: Mapped[str]
    seed: Mapped[int] = mapped_column(BigInteger)
    duration_s: Mapped[float]
    parameters: Mapped[dict[str, Any]]
    created: Mapped[datetime] = mapped_column(default=now)

    listener: Mapped[ListenerRow | None] = relationship()
    items: Mapped[list[SessionItemRow]] = relationship(
        back_populates="session", cascade="all, delete-orphan", passive_deletes=True, order_by="SessionItemRow.position"
    )


class SessionItemRow(Base):
    """A stretch of a session's timeline: a piece, or silence."""

    __tablename__ = "session_items"
    __table_args__ = (
        UniqueConstraint("session_id", "position"),
        CheckConstraint("position >= 0", name="position_counts"),
        CheckConstraint("onset_s >= 0", name="onset_not_negative"),
        CheckConstraint("duration_s > 0", name="duration_positive"),
        CheckConstraint(
            "(role = 'music' AND piece_id IS NOT NULL) OR (role = 'silence' AND piece_id IS NULL)",
            name="music_has_piece",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    position: Mapped[int]
    role: Mapped[str] = mapped_column(String(7))
    piece_id: Mapped[str | None] = mapped_column(ForeignKey("pieces.id"), index=True)
    onset_s: Mapped[float]
    duration_s: Mapped[float]

    session: Mapped[SessionRow] = relationship(back_populates="items")
    piece: Mapped[PieceRow | None] = relationship()


class SessionPlayRow(Base):
    """One time that a session was played."""

    __tablename__ = "session_plays"
    __table_args__ = (CheckConstraint("ended_s >= 0", name="ended_not_negative"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    # When its first sample was heard, to the microsecond.
    started: Mapped[datetime]
    # Seconds from its start to the last sound; null where the program ended without saying so.
    ended_s: Mapped[float | None]
    finished: Mapped[bool]


class PlayedStretchRow(Base):
    """A stretch of a session as it was heard: an item, or as much of it as came before or after a pause."""

    __tablename__ = "played_stretches"
    __table_args__ = (
        UniqueConstraint("session_play_id", "onset_s"),
        CheckConstraint("onset_s >= 0", name="onset_not_negative"),
        CheckConstraint("from_s >= 0", name="from_not_negative"),
        CheckConstraint("duration_s >= 0", name="duration_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    session_play_id: Mapped[int] = mapped_column(ForeignKey("session_plays.id", ondelete="CASCADE"))
    item_id: Mapped[int] = mapped_column(ForeignKey("session_items.id", ondelete="CASCADE"), index=True)
    # Seconds from the start of the play, by a clock that never jumps.
    onset_s: Mapped[float]
    # Which second of the item it began with: 0 unless it was resumed.
    from_s: Mapped[float]
    # Null while it sounds, and where the program ended without saying so.
    duration_s: Mapped[float | None]


class RatingRow(Base):
    """How much a piece was liked in a session, 1 to 5; the last rating counts."""

    __tablename__ = "ratings"
    __table_args__ = (
        UniqueConstraint("session_id", "piece_id"),
        CheckConstraint("value >= 1 AND value <= 5", name="one_to_five"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    piece_id: Mapped[str] = mapped_column(ForeignKey("pieces.id", ondelete="CASCADE"), index=True)
    value: Mapped[int]
    created: Mapped[datetime] = mapped_column(default=now)


class AnalysisPlanRow(Base):
    """How a listener's recordings are scored and ranked, fixed with the first of them."""

    __tablename__ = "analysis_plans"
    __table_args__ = (UniqueConstraint("listener_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    listener_id: Mapped[int] = mapped_column(ForeignKey("listeners.id", ondelete="CASCADE"))
    name: Mapped[str]
    criterion: Mapped[str]
    lower_is_better: Mapped[bool]
    settings: Mapped[dict[str, Any]]
    created: Mapped[datetime] = mapped_column(default=now)


class RecordingRow(Base):
    """Facts about an EEG recording, known by the digest of its file; no copy of the data."""

    __tablename__ = "recordings"
    __table_args__ = (UniqueConstraint("sha256", "plan"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    file: Mapped[str]
    listener_id: Mapped[int | None] = mapped_column(ForeignKey("listeners.id"), index=True)
    session_id: Mapped[int | None] = mapped_column(ForeignKey("sessions.id", ondelete="SET NULL"), index=True)
    # When the recording began, where its file says so.
    measured: Mapped[datetime | None]
    facts: Mapped[dict[str, Any]]
    created: Mapped[datetime] = mapped_column(default=now)
    # The analysis plan by which it was scored.
    plan: Mapped[str] = mapped_column(server_default=MAIN_PLAN)


class PlayRow(Base):
    """One time that a piece was heard while EEG was recorded."""

    __tablename__ = "plays"
    __table_args__ = (
        UniqueConstraint("recording_id", "onset_s"),
        CheckConstraint("onset_s >= 0", name="onset_not_negative"),
        CheckConstraint("duration_s > 0", name="duration_positive"),
        CheckConstraint("clean_s >= 0", name="clean_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    recording_id: Mapped[int] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"))
    piece_id: Mapped[str] = mapped_column(ForeignKey("pieces.id"), index=True)
    # The item it was, where the session is known.
    item_id: Mapped[int | None] = mapped_column(ForeignKey("session_items.id", ondelete="SET NULL"), index=True)
    # Seconds from the first stored sample.
    onset_s: Mapped[float]
    duration_s: Mapped[float]
    clean_s: Mapped[float]


class PlayScoreRow(Base):
    """Band power of one play, in dB against the listener's own silence baseline."""

    __tablename__ = "play_scores"
    __table_args__ = (
        UniqueConstraint("play_id", "band"),
        CheckConstraint("windows >= 0", name="windows_count"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    play_id: Mapped[int] = mapped_column(ForeignKey("plays.id", ondelete="CASCADE"))
    band: Mapped[str]
    db: Mapped[float]
    adjusted_db: Mapped[float | None]
    muscle_db: Mapped[float | None]
    windows: Mapped[int]
    parameters: Mapped[dict[str, Any]]
    created: Mapped[datetime] = mapped_column(default=now)


class RankingRow(Base):
    """A piece's rank for a listener: the posterior of its effect under one criterion.

    Whoever writes rankings without a listener (`listener_id` null) must keep them unique: a unique constraint does not
    compare nulls, and an index that does would load PostgreSQL's dialect wherever the tables are imported.
    """

    __tablename__ = "rankings"
    __table_args__ = (
        UniqueConstraint("listener_id", "criterion", "piece_id"),
        CheckConstraint("sd_db >= 0", name="sd_not_negative"),
        CheckConstraint("p_best >= 0 AND p_best <= 1", name="p_best_is_share"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    listener_id: Mapped[int | None] = mapped_column(ForeignKey("listeners.id", ondelete="CASCADE"))
    piece_id: Mapped[str] = mapped_column(ForeignKey("pieces.id", ondelete="CASCADE"), index=True)
    criterion: Mapped[str]
    mean_db: Mapped[float]
    sd_db: Mapped[float]
    p_best: Mapped[float]
    expected_rank: Mapped[float]
    plays: Mapped[int]
    clean_s: Mapped[float]
    created: Mapped[datetime] = mapped_column(default=now)
