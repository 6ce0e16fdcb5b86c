from __future__ import annotations

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


@pytest.fixture
def store(database: str) -> Store:
    """A new database, of each kind."""
    return Store.open(database)


@pytest.fixture
def session(store: Store, model: Model) -> SessionRecord:
    """A session of two pieces, each heard twice, in `store`."""
    request = SessionRequest(minutes=8.0, repeats=2, baseline_s=10.0)
    return new_session(store, model, request, seed=3, listener="ana")
