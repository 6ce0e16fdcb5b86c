"""One analysis plan for each listener, and recordings scored by more than one plan."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_MAIN = "main"


def _recordings(*unique: str) -> sa.Table:
    """Return the table with its constraints, whose names SQLite does not report."""
    return sa.Table(
        "recordings",
        sa.MetaData(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("listener_id", sa.Integer(), nullable=True),
        sa.Column("session_id", sa.Integer(), nullable=True),
        sa.Column("measured", sa.DateTime(timezone=True), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        *([sa.Column("plan", sa.String(), server_default=_MAIN, nullable=False)] if "plan" in unique else []),
        sa.ForeignKeyConstraint(["listener_id"], ["listeners.id"], name=op.f("fk_recordings_listener_id_listeners")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_recordings_session_id_sessions"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recordings")),
        sa.UniqueConstraint(*unique, name=op.f("uq_recordings_" + "_".join(unique))),
        sa.Index("ix_recordings_listener_id", "listener_id"),
        sa.Index("ix_recordings_session_id", "session_id"),
    )


_PLANS = sa.table(
    "analysis_plans",
    sa.column("listener_id", sa.Integer),
    sa.column("name", sa.String),
    sa.column("criterion", sa.String),
    sa.column("lower_is_better", sa.Boolean),
    sa.column("settings", sa.JSON),
    sa.column("created", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    op.create_table(
        "analysis_plans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("listener_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("criterion", sa.String(), nullable=False),
        sa.Column("lower_is_better", sa.Boolean(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["listener_id"], ["listeners.id"], name=op.f("fk_analysis_plans_listener_id_listeners"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analysis_plans")),
        sa.UniqueConstraint("listener_id", "name", name=op.f("uq_analysis_plans_listener_id_name")),
    )
    with op.batch_alter_table("recordings", copy_from=_recordings("sha256")) as batch:
        batch.add_column(sa.Column("plan", sa.String(), server_default=_MAIN, nullable=False))
        batch.drop_constraint(op.f("uq_recordings_sha256"), type_="unique")
        batch.create_unique_constraint(op.f("uq_recordings_sha256_plan"), ["sha256", "plan"])
    # The last declared criterion is the one by which the listener's pieces were ranked until now.
    recordings = sa.table(
        "recordings", sa.column("id"), sa.column("listener_id"), sa.column("facts", sa.JSON), sa.column("created")
    )
    scores = sa.table("play_scores", sa.column("play_id"), sa.column("parameters", sa.JSON), sa.column("id"))
    plays = sa.table("plays", sa.column("id"), sa.column("recording_id"))
    newest: dict[int, dict[str, object]] = {}
    bind = op.get_bind()
    rows = bind.execute(
        sa.select(recordings.c.id, recordings.c.listener_id, recordings.c.facts)
        .where(recordings.c.listener_id.is_not(None))
        .order_by(recordings.c.id)
    ).all()
    for id_, listener, facts in rows:
        query = (
            sa.select(scores.c.parameters)
            .join(plays, plays.c.id == scores.c.play_id)
            .where(plays.c.recording_id == id_)
            .order_by(scores.c.id)
            .limit(1)
        )
        parameters = bind.execute(query).scalar() or {}
        newest[listener] = {
            "listener_id": listener,
            "name": _MAIN,
            "criterion": facts.get("criterion", "beta"),
            "lower_is_better": facts.get("lower_is_better", True),
            "settings": {name: value for name, value in parameters.items() if name != "flags"},
            "created": datetime.now(UTC).replace(microsecond=0),
        }
    if newest:
        bind.execute(sa.insert(_PLANS), list(newest.values()))


def downgrade() -> None:
    # A recording that was scored by several plans keeps the scores of the first.
    op.execute(
        "DELETE FROM recordings WHERE id NOT IN (SELECT first FROM "
        "(SELECT min(id) AS first FROM recordings GROUP BY sha256) AS kept)"
    )
    with op.batch_alter_table("recordings", copy_from=_recordings("sha256", "plan")) as batch:
        batch.drop_constraint(op.f("uq_recordings_sha256_plan"), type_="unique")
        batch.create_unique_constraint(op.f("uq_recordings_sha256"), ["sha256"])
        batch.drop_column("plan")
    op.drop_table("analysis_plans")
