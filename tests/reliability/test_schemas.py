"""Every released schema: upgraded, downgraded and back, with every row compared, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Boolean, DateTime, Engine, LargeBinary, MetaData, create_engine, text

from sessions.storage import schema
from sessions.storage.database import locate
from sessions.storage.store import Store
from tests.reliability.schema_fixtures import FOLDER, load, migrate

REVISIONS = schema.known_revisions()


def rows_of(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, in the order of their keys, as both databases would tell it."""
    found = {}
    metadata = MetaData()
    metadata.reflect(engine)
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            query = table.select().order_by(*table.primary_key.columns)
            found[table.name] = [
                {name: _plain(value) for name, value in row._mapping.items()} for row in connection.execute(query)
            ]
    found.pop("alembic_version")
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    return bytes(value) if isinstance(value, memoryview) else value


def copy_rows(source: Engine, target: Engine) -> None:
    """Put every row of an SQLite database into a PostgreSQL database of the same schema."""
    metadata = MetaData()
    metadata.reflect(target)
    with source.connect() as old, target.begin() as new:
        for table in metadata.sorted_tables:
            if table.name == "alembic_version":
                continue
            raw = old.execute(text(f"SELECT * FROM {table.name}")).mappings()
            rows = [{name: _typed(value, table.c[name].type) for name, value in row.items()} for row in raw]
            if rows:
                new.execute(table.insert(), rows)


def _typed(value: Any, kind: Any) -> Any:
    if value is None or isinstance(kind, LargeBinary):
        return value
    if isinstance(kind, JSON):
        return json.loads(value)
    if isinstance(kind, DateTime):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return bool(value) if isinstance(kind, Boolean) else value


def test_every_revision_has_its_file() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.sql")) == sorted(REVISIONS), (
        "python tests/reliability/schema_fixtures.py"
    )


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def test_up_down_and_up(kind: str, revision: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    engine = load(revision, tmp_path / "a.db")
    place = str(tmp_path / "a.db")
    if kind == "postgresql":
        place = request.getfixturevalue("postgres")
        server = create_engine(locate(place))
        migrate(server, revision)
        copy_rows(engine, server)
        engine.dispose()
        engine = server
    before = rows_of(engine)
    migrate(engine, schema.HEAD)
    newest = rows_of(engine)
    assert all(len(rows) == len(newest[name]) for name, rows in before.items())
    migrate(engine, revision)
    assert rows_of(engine) == before
    migrate(engine, schema.HEAD)
    again = rows_of(engine)
    for name in set(newest) - set(before):
        # What a migration makes out of other rows is as old as it is.
        for row in (*newest[name], *again[name]):
            row.pop("created", None)
    assert again == newest
    engine.dispose()
    assert Store.open(place).check() == []


def test_recorded_pieces_survive_a_schema_without_them(tmp_path: Path) -> None:
    """Their sound does not, but what was measured of them needs the piece."""
    engine = load("0008", tmp_path / "a.db")
    before = rows_of(engine)
    migrate(engine, "0007")
    old = {row["id"]: row for row in rows_of(engine)["pieces"]}
    assert len(old) == len(before["pieces"])
    assert old["01KAT4X2RRRRRRRRRRRRRRRRRR"]["title"] == "Été"
    migrate(engine, schema.HEAD)
    engine.dispose()
    assert Store.open(str(tmp_path / "a.db")).check() == []
