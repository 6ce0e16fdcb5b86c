"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "listeners",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listeners")),
        sa.UniqueConstraint("name", name=op.f("uq_listeners_name")),
    )
    op.create_table(
        "models",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sa.UniqueConstraint("sha256", name=op.f("uq_models_sha256")),
    )
    op.create_table(
        "pieces",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("model_id", sa.Integer(), nullable=True),
        sa.Column("z", sa.LargeBinary(), nullable=True),
        sa.Column("form", sa.String(), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("temperature", sa.Double(), nullable=True),
        sa.Column("palette", sa.String(), nullable=True),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("tempo", sa.Double(), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.Column("midi", sa.LargeBinary(), nullable=False),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.Column("calm", sa.Double(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(model_id IS NULL) <> (source IS NULL)", name=op.f("ck_pieces_one_origin")),
        sa.CheckConstraint("calm >= 0 AND calm <= 1", name=op.f("ck_pieces_calm_is_share")),
        sa.CheckConstraint("duration_s > 0", name=op.f("ck_pieces_duration_positive")),
        sa.CheckConstraint("tempo > 0", name=op.f("ck_pieces_tempo_positive")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_pieces_model_id_models")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pieces")),
    )
    op.create_index(op.f("ix_pieces_model_id"), "pieces", ["model_id"], unique=False)

    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("listener_id", sa.Integer(), nullable=True),
        sa.Column("arc", sa.String(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("duration_s > 0", name=op.f("ck_sessions_duration_positive")),
        sa.ForeignKeyConstraint(["listener_id"], ["listeners.id"], name=op.f("fk_sessions_listener_id_listeners")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_sessions_listener_id"), "sessions", ["listener_id"], unique=False)

    op.create_table(
        "rankings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("listener_id", sa.Integer(), nullable=True),
        sa.Column("piece_id", sa.String(length=26), nullable=False),
        sa.Column("criterion", sa.String(), nullable=False),
        sa.Column("mean_db", sa.Double(), nullable=False),
        sa.Column("sd_db", sa.Double(), nullable=False),
        sa.Column("p_best", sa.Double(), nullable=False),
        sa.Column("expected_rank", sa.Double(), nullable=False),
        sa.Column("plays", sa.Integer(), nullable=False),
        sa.Column("clean_s", sa.Double(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("p_best >= 0 AND p_best <= 1", name=op.f("ck_rankings_p_best_is_share")),
        sa.CheckConstraint("sd_db >= 0", name=op.f("ck_rankings_sd_not_negative")),
        sa.ForeignKeyConstraint(
            ["listener_id"], ["listeners.id"], name=op.f("fk_rankings_listener_id_listeners"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["piece_id"], ["pieces.id"], name=op.f("fk_rankings_piece_id_pieces"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rankings")),
        sa.UniqueConstraint(
            "listener_id", "criterion", "piece_id", name=op.f("uq_rankings_listener_id_criterion_piece_id")
        ),
    )
    op.create_index(op.f("ix_rankings_piece_id"), "rankings", ["piece_id"], unique=False)

    op.create_table(
        "ratings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("piece_id", sa.String(length=26), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("value >= 1 AND value <= 5", name=op.f("ck_ratings_one_to_five")),
        sa.ForeignKeyConstraint(
            ["piece_id"], ["pieces.id"], name=op.f("fk_ratings_piece_id_pieces"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_ratings_session_id_sessions"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ratings")),
        sa.UniqueConstraint("session_id", "piece_id", name=op.f("uq_ratings_session_id_piece_id")),
    )
    op.create_index(op.f("ix_ratings_piece_id"), "ratings", ["piece_id"], unique=False)

    op.create_table(
        "recordings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("listener_id", sa.Integer(), nullable=True),
        sa.Column("session_id", sa.Integer(), nullable=True),
        sa.Column("measured", sa.DateTime(timezone=True), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["listener_id"], ["listeners.id"], name=op.f("fk_recordings_listener_id_listeners")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_recordings_session_id_sessions"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recordings")),
        sa.UniqueConstraint("sha256", name=op.f("uq_recordings_sha256")),
    )
    op.create_index(op.f("ix_recordings_listener_id"), "recordings", ["listener_id"], unique=False)
    op.create_index(op.f("ix_recordings_session_id"), "recordings", ["session_id"], unique=False)

    op.create_table(
        "session_items",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=7), nullable=False),
        sa.Column("piece_id", sa.String(length=26), nullable=True),
        sa.Column("onset_s", sa.Double(), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "(role = 'music' AND piece_id IS NOT NULL) OR (role = 'silence' AND piece_id IS NULL)",
            name=op.f("ck_session_items_music_has_piece"),
        ),
        sa.CheckConstraint("duration_s > 0", name=op.f("ck_session_items_duration_positive")),
        sa.CheckConstraint("onset_s >= 0", name=op.f("ck_session_items_onset_not_negative")),
        sa.CheckConstraint("position >= 0", name=op.f("ck_session_items_position_counts")),
        sa.ForeignKeyConstraint(["piece_id"], ["pieces.id"], name=op.f("fk_session_items_piece_id_pieces")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_session_items_session_id_sessions"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session_items")),
        sa.UniqueConstraint("session_id", "position", name=op.f("uq_session_items_session_id_position")),
    )
    op.create_index(op.f("ix_session_items_piece_id"), "session_items", ["piece_id"], unique=False)

    op.create_table(
        "plays",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("recording_id", sa.Integer(), nullable=False),
        sa.Column("piece_id", sa.String(length=26), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=True),
        sa.Column("onset_s", sa.Double(), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.Column("clean_s", sa.Double(), nullable=False),
        sa.CheckConstraint("clean_s >= 0", name=op.f("ck_plays_clean_not_negative")),
        sa.CheckConstraint("duration_s > 0", name=op.f("ck_plays_duration_positive")),
        sa.CheckConstraint("onset_s >= 0", name=op.f("ck_plays_onset_not_negative")),
        sa.ForeignKeyConstraint(
            ["item_id"], ["session_items.id"], name=op.f("fk_plays_item_id_session_items"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["piece_id"], ["pieces.id"], name=op.f("fk_plays_piece_id_pieces")),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recordings.id"], name=op.f("fk_plays_recording_id_recordings"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plays")),
        sa.UniqueConstraint("recording_id", "onset_s", name=op.f("uq_plays_recording_id_onset_s")),
    )
    op.create_index(op.f("ix_plays_item_id"), "plays", ["item_id"], unique=False)
    op.create_index(op.f("ix_plays_piece_id"), "plays", ["piece_id"], unique=False)

    op.create_table(
        "play_scores",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("play_id", sa.Integer(), nullable=False),
        sa.Column("band", sa.String(), nullable=False),
        sa.Column("db", sa.Double(), nullable=False),
        sa.Column("adjusted_db", sa.Double(), nullable=True),
        sa.Column("muscle_db", sa.Double(), nullable=True),
        sa.Column("windows", sa.Integer(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("windows >= 0", name=op.f("ck_play_scores_windows_count")),
        sa.ForeignKeyConstraint(
            ["play_id"], ["plays.id"], name=op.f("fk_play_scores_play_id_plays"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_play_scores")),
        sa.UniqueConstraint("play_id", "band", name=op.f("uq_play_scores_play_id_band")),
    )


def downgrade() -> None:
    for table in (
        "play_scores",
        "plays",
        "session_items",
        "recordings",
        "ratings",
        "rankings",
        "sessions",
        "pieces",
        "models",
        "listeners",
    ):
        op.drop_table(table)
