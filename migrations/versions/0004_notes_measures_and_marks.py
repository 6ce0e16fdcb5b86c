"""Notes and measures of sessions, marks of pieces, how listeners are shown, and what the app remembers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("listeners") as table:
        table.add_column(sa.Column("alias", sa.String(), nullable=True))
        table.add_column(sa.Column("colour", sa.String(length=16), nullable=True))
    op.create_table(
        "session_notes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_session_notes_session_id_sessions"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session_notes")),
    )
    op.create_index(op.f("ix_session_notes_session_id"), "session_notes", ["session_id"], unique=False)
    op.create_table(
        "measures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("scale", sa.String(length=64), nullable=False),
        sa.Column("before", sa.Double(), nullable=True),
        sa.Column("after", sa.Double(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_measures_session_id_sessions"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measures")),
        sa.UniqueConstraint("session_id", "scale", name=op.f("uq_measures_session_id_scale")),
    )
    op.create_table(
        "scales",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_scales")),
    )
    op.create_table(
        "piece_marks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("listener_id", sa.Integer(), nullable=True),
        sa.Column("piece_id", sa.String(length=26), nullable=False),
        sa.Column("mark", sa.String(length=16), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("mark IN ('never', 'favourite')", name=op.f("ck_piece_marks_known")),
        sa.ForeignKeyConstraint(
            ["listener_id"], ["listeners.id"], name=op.f("fk_piece_marks_listener_id_listeners"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["piece_id"], ["pieces.id"], name=op.f("fk_piece_marks_piece_id_pieces"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_piece_marks")),
    )
    op.create_index(op.f("ix_piece_marks_listener_id"), "piece_marks", ["listener_id"], unique=False)
    op.create_index(op.f("ix_piece_marks_piece_id"), "piece_marks", ["piece_id"], unique=False)
    op.create_table(
        "player_settings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("listener_id", sa.Integer(), nullable=True),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["listener_id"], ["listeners.id"], name=op.f("fk_player_settings_listener_id_listeners"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_player_settings")),
    )
    op.create_index(op.f("ix_player_settings_listener_id"), "player_settings", ["listener_id"], unique=False)


def downgrade() -> None:
    for table in ("player_settings", "piece_marks", "scales", "measures", "session_notes"):
        op.drop_table(table)
    with op.batch_alter_table("listeners") as table:
        table.drop_column("colour")
        table.drop_column("alias")
