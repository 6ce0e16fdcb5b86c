"""Processes for tests in which several do something at once."""

from __future__ import annotations

import multiprocessing
from multiprocessing.context import BaseContext
from typing import Any

# What those tests use: imported once, in the process that the others are forked from.
_USED = ["sessions.builder", "sessions.storage.piece_import", "sessions.storage.recordings", "alembic.command"]


def forking() -> Any:
    """Processes that are there at once: forked from one that has imported what they use, where the system can."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context: BaseContext = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_USED)
    return context
