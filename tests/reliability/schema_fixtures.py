"""Databases as every released schema left them, one SQL file a revision, with rows in every table.

After a new migration, `python tests/reliability/schema_fixtures.py` writes the file of its revision: that of the one
before, migrated. Add to it what the new tables and columns can hold. Files that are there are never written again.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine

from sessions.storage import schema

FOLDER = Path(__file__).parent / "schemas"


def migrate(engine: Engine, revision: str) -> None:
    """Bring a database to a revision, up or down."""
    config = Config()
    config.set_main_option("script_location", str(schema.scripts_folder()).replace("%", "%%"))
    known = ["base", *schema.known_revisions()]
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        now = schema.revision_of(connection) or "base"
        move = command.upgrade if known.index(revision) >= known.index(now) else command.downgrade
        move(config, revision)


def load(revision: str, path: Path) -> Engine:
    """Make an SQLite database as it was at a revision."""
    with sqlite3.connect(path) as connection:
        connection.executescript((FOLDER / f"{revision}.sql").read_text(encoding="utf-8"))
    connection.close()
    return create_engine(f"sqlite:///{path}")


def write_missing() -> list[Path]:
    """Write the files of the revisions that have none."""
    written = []
    revisions = schema.known_revisions()
    for before, revision in pairwise(revisions):
        target = FOLDER / f"{revision}.sql"
        if target.exists():
            continue
        with tempfile.TemporaryDirectory() as folder:
            engine = load(before, Path(folder) / "a.db")
            migrate(engine, revision)
            engine.dispose()
            with sqlite3.connect(Path(folder) / "a.db") as connection:
                text = "\n".join(line for line in connection.iterdump() if "sqlite_sequence" not in line)
            connection.close()
        target.write_text(text + "\n", encoding="utf-8")
        written.append(target)
    return written


if __name__ == "__main__":
    for path in write_missing():
        sys.stdout.write(f"{path}\n")
