"""Register and metre of a piece as columns, moved out of its features; and its valence."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_USUAL_METRE = "4/4"
_AT_ONCE = 500


def _pieces() -> sa.Table:
    """Return the table as 0001 made it, since SQLite does not report the names of its constraints."""
    return sa.Table(
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
        sa.Index("ix_pieces_model_id", "model_id"),
    )


_ROWS = sa.table(
    "pieces",
    sa.column("id", sa.String),
    sa.column("features", sa.JSON),
    sa.column("register", sa.Double),
    sa.column("metre", sa.String),
)


def _updated(change: sa.Update, values: list[dict[str, object]]) -> None:
    for start in range(0, len(values), _AT_ONCE):
        op.get_bind().execute(change, values[start : start + _AT_ONCE])


def upgrade() -> None:
    with op.batch_alter_table("pieces", copy_from=_pieces()) as batch:
        batch.add_column(sa.Column("register", sa.Double(), nullable=True))
        batch.add_column(sa.Column("metre", sa.String(), server_default=_USUAL_METRE, nullable=False))
        batch.add_column(sa.Column("valence", sa.Double(), nullable=True))
        batch.create_check_constraint(op.f("ck_pieces_valence_is_share"), "valence >= 0 AND valence <= 1")
    moved: list[dict[str, object]] = []
    for id_, features in op.get_bind().execute(sa.select(_ROWS.c.id, _ROWS.c.features)):
        kept = {name: value for name, value in features.items() if name not in ("register", "metre")}
        if kept != features:
            register, metre = features.get("register"), features.get("metre", _USUAL_METRE)
            moved.append({"piece": id_, "kept": kept, "lies": register, "bars": metre})
    _updated(
        sa.update(_ROWS)
        .where(_ROWS.c.id == sa.bindparam("piece"))
        .values(features=sa.bindparam("kept"), register=sa.bindparam("lies"), metre=sa.bindparam("bars")),
        moved,
    )


def downgrade() -> None:
    moved: list[dict[str, object]] = []
    for id_, features, register, metre in op.get_bind().execute(sa.select(_ROWS)):
        kept = {
            **features,
            **({} if register is None else {"register": register}),
            **({} if metre == _USUAL_METRE else {"metre": metre}),
        }
        if kept != features:
            moved.append({"piece": id_, "kept": kept})
    _updated(
        sa.update(_ROWS).where(_ROWS.c.id == sa.bindparam("piece")).values(features=sa.bindparam("kept")),
        moved,
    )
    table = _pieces()
    table.append_column(sa.Column("register", sa.Double(), nullable=True))
    table.append_column(sa.Column("metre", sa.String(), server_default=_USUAL_METRE, nullable=False))
    table.append_column(sa.Column("valence", sa.Double(), nullable=True))
    table.append_constraint(sa.CheckConstraint("valence >= 0 AND valence <= 1", name="ck_pieces_valence_is_share"))
    with op.batch_alter_table("pieces", copy_from=table) as batch:
        batch.drop_constraint(op.f("ck_pieces_valence_is_share"), type_="check")
        batch.drop_column("valence")
        batch.drop_column("metre")
        batch.drop_column("register")
