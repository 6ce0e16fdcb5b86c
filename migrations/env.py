"""Run Alembic over the connection that therapy-gen passes, or over `-x db=URL` in development."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine

from sessions.studies.study_tables import StudyRow


def _run(connection: Connection) -> None:
    # SQLite cannot alter a table in place: batch mode rebuilds it.
    context.configure(
        connection=connection,
        target_metadata=StudyRow.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    context.configure(dialect_name="sqlite", target_metadata=StudyRow.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
elif "connection" in context.config.attributes:
    _run(context.config.attributes["connection"])
else:
    engine = create_engine(context.get_x_argument(as_dictionary=True)["db"])
    with engine.begin() as connection:
        _run(connection)
