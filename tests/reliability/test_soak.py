"""Many sessions in one process: memory stays flat."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest

from sessions.builder import new_session
from sessions.planning.plan import SessionRequest
from sessions.storage.store import Store
from therapy_gen.musicvae.model import load_model

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")

FIRST, SESSIONS = 50, 500
GROWTH = 1.1


def memory_mb() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.long
def test_five_hundred_sessions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, model = Store.open(tmp_path / "therapy.db"), load_model()
    first = 0.0
    for seed in range(SESSIONS):
        new_session(store, model, SessionRequest(minutes=1.0), seed=seed, listener="ana")
        if seed + 1 == FIRST:
            first = memory_mb()
    last = memory_mb()
    size = (tmp_path / "therapy.db").stat().st_size
    with capsys.disabled():
        print(
            f"\n{FIRST} sessions: {first:.0f} MB, {SESSIONS}: {last:.0f} MB; "
            f"{size / SESSIONS / 1e3:.0f} kB of database a session of a minute"
        )
    assert last <= GROWTH * first
