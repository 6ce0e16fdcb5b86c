"""Recorded pieces: sound in place of notes, without tempo and calmness; and the listener who imported a piece."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ONE_MUSIC = "(midi IS NULL) <> (audio IS NULL)"
# What the older schema must have of a piece: a MIDI file of one empty track.
_NO_NOTES = b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x01\xe0MTrk\x00\x00\x00\x04\x00\xff\x2f\x00"


def _pieces(*, recorded: bool) -> sa.Table:
    """Return the table before and after, since SQLite does not report the names of its constraints."""
    table = sa.Table(
        "pieces",
        sa.MetaData(),
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
        sa.Column("tempo", sa.Double(), nullable=recorded),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.Column("midi", sa.LargeBinary(), nullable=recorded),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.Column("calm", sa.Double(), nullable=recorded),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("register", sa.Double(), nullable=True),
        sa.Column("metre", sa.String(), server_default="4/4", nullable=False),
        sa.Column("valence", sa.Double(), nullable=True),
        sa.CheckConstraint("(model_id IS NULL) <> (source IS NULL)", name=op.f("ck_pieces_one_origin")),
        sa.CheckConstraint("calm >= 0 AND calm <= 1", name=op.f("ck_pieces_calm_is_share")),
        sa.CheckConstraint("duration_s > 0", name=op.f("ck_pieces_duration_positive")),
        sa.CheckConstraint("tempo > 0", name=op.f("ck_pieces_tempo_positive")),
        sa.CheckConstraint("valence >= 0 AND valence <= 1", name=op.f("ck_pieces_valence_is_share")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_pieces_model_id_models")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pieces")),
        sa.Index("ix_pieces_model_id", "model_id"),
        sa.Index("ix_pieces_title", "title"),
        sa.Index("ix_pieces_duration_s", "duration_s"),
    )
    if recorded:
        table.append_column(sa.Column("audio", sa.LargeBinary(), nullable=True))
        table.append_column(sa.Column("listener_id", sa.Integer(), nullable=True))
        table.append_constraint(sa.CheckConstraint(_ONE_MUSIC, name=op.f("ck_pieces_one_music")))
        table.append_constraint(
            sa.ForeignKeyConstraint(
                ["listener_id"], ["listeners.id"], name=op.f("fk_pieces_listener_id_listeners"), ondelete="SET NULL"
            )
        )
        sa.Index("ix_pieces_listener_id", table.c.listener_id)
    return table


def upgrade() -> None:
    with op.batch_alter_table("pieces", copy_from=_pieces(recorded=False)) as batch:
        batch.alter_column("tempo", existing_type=sa.Double(), nullable=True)
        batch.alter_column("midi", existing_type=sa.LargeBinary(), nullable=True)
        batch.alter_column("calm", existing_type=sa.Double(), nullable=True)
        batch.add_column(sa.Column("audio", sa.LargeBinary(), nullable=True))
        batch.add_column(sa.Column("listener_id", sa.Integer(), nullable=True))
        batch.create_check_constraint(op.f("ck_pieces_one_music"), _ONE_MUSIC)
        batch.create_foreign_key(
            op.f("fk_pieces_listener_id_listeners"), "listeners", ["listener_id"], ["id"], ondelete="SET NULL"
        )
        batch.create_index(op.f("ix_pieces_listener_id"), ["listener_id"])


def downgrade() -> None:
    # Their plays and scores stay; their sound, which the older schema cannot hold, does not.
    pieces = sa.table(
        "pieces",
        *(sa.column(name) for name in ("audio", "midi", "tempo", "calm")),
    )
    op.get_bind().execute(
        sa.update(pieces)
        .where(pieces.c.midi.is_(None))
        .values(audio=None, midi=sa.literal(_NO_NOTES, sa.LargeBinary()), tempo=60.0, calm=0.0)
    )
    with op.batch_alter_table("pieces", copy_from=_pieces(recorded=True)) as batch:
        batch.drop_index(op.f("ix_pieces_listener_id"))
        batch.drop_constraint(op.f("fk_pieces_listener_id_listeners"), type_="foreignkey")
        batch.drop_constraint(op.f("ck_pieces_one_music"), type_="check")
        batch.drop_column("listener_id")
        batch.drop_column("audio")
        batch.alter_column("tempo", existing_type=sa.Double(), nullable=False)
        batch.alter_column("midi", existing_type=sa.LargeBinary(), nullable=False)
        batch.alter_column("calm", existing_type=sa.Double(), nullable=False)
