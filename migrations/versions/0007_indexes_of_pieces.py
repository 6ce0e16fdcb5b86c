"""Indexes by which a piece's title, and an imported piece's length, are found among tens of thousands."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_pieces_title"), "pieces", ["title"], unique=False)
    op.create_index(op.f("ix_pieces_duration_s"), "pieces", ["duration_s"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_pieces_duration_s"), table_name="pieces")
    op.drop_index(op.f("ix_pieces_title"), table_name="pieces")
