"""When sessions were played, and when each stretch of them was heard."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "session_plays",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_s", sa.Double(), nullable=True),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.CheckConstraint("ended_s >= 0", name=op.f("ck_session_plays_ended_not_negative")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_session_plays_session_id_sessions"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session_plays")),
    )
    op.create_index(op.f("ix_session_plays_session_id"), "session_plays", ["session_id"], unique=False)

    op.create_table(
        "played_stretches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_play_id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("onset_s", sa.Double(), nullable=False),
        sa.Column("from_s", sa.Double(), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=True),
        sa.CheckConstraint("onset_s >= 0", name=op.f("ck_played_stretches_onset_not_negative")),
        sa.CheckConstraint("from_s >= 0", name=op.f("ck_played_stretches_from_not_negative")),
        sa.CheckConstraint("duration_s >= 0", name=op.f("ck_played_stretches_duration_not_negative")),
        sa.ForeignKeyConstraint(
            ["session_play_id"],
            ["session_plays.id"],
            name=op.f("fk_played_stretches_session_play_id_session_plays"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["session_items.id"],
            name=op.f("fk_played_stretches_item_id_session_items"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_played_stretches")),
        sa.UniqueConstraint("session_play_id", "onset_s", name=op.f("uq_played_stretches_session_play_id_onset_s")),
    )
    op.create_index(op.f("ix_played_stretches_item_id"), "played_stretches", ["item_id"], unique=False)


def downgrade() -> None:
    op.drop_table("played_stretches")
    op.drop_table("session_plays")
