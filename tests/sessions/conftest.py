from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sessions.builder import new_session
from sessions.planning.plan import SessionRequest
from sessions.records import SessionRecord
from sessions.storage.store import Store
from therapy_gen.musicvae.model import Model, load_model


@pytest.fixture(scope="session")
def model() -> Model:
    """The embedded model."""
    return load_model()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new SQLite database, made once: copy it."""
    path = tmp_path_factory.mktemp("empty") / "therapy.db"
    Store.open(path)
    return path


@pytest.fixture(scope="session")
def made_session(
    empty_database: Path, tmp_path_factory: pytest.TempPathFactory, model: Model
) -> tuple[Path, SessionRecord]:
    """An SQLite database with a session of two pieces, each heard twice, made once: copy it."""
    path = tmp_path_factory.mktemp("made") / "therapy.db"
    shutil.copy(empty_database, path)
    return path, _make(Store.open(path), model)


def _make(store: Store, model: Model) -> SessionRecord:
    request = SessionRequest(minutes=8.0, repeats=2, baseline_s=10.0)
    return new_session(store, model, request, seed=3, listener="ana")


@pytest.fixture
def store(database: str, empty_database: Path) -> Store:
    """A new database, of each kind."""
    if "://" not in database:
        shutil.copy(empty_database, database)
    return Store.open(database)


@pytest.fixture
def session(
    store: Store, database: str, model: Model, empty_database: Path, made_session: tuple[Path, SessionRecord]
) -> SessionRecord:
    """A session of two pieces, each heard twice, in `store`."""
    made, record = made_session
    # What another fixture has stored stays.
    if "://" in database or Path(database).read_bytes() != empty_database.read_bytes():
        return _make(store, model)
    shutil.copy(made, database)
    for end in ("-wal", "-shm"):
        Path(f"{database}{end}").unlink(missing_ok=True)
    return record
