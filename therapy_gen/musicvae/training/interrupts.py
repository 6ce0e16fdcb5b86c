"""Deferring interrupts to a safe moment: one raised inside a step of training can crash TensorFlow."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_HELD = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def held_interrupts(notice: Callable[[], None] | None = None) -> Iterator[Callable[[], None]]:
    """Defer SIGINT and SIGTERM, and give a function that handles a deferred one.

    Within, the first SIGINT or SIGTERM with a Python handler is deferred until that function is called, or until the
    end; a second one takes effect at once. Where an exception ends the block, a deferred signal is dropped. In threads
    other than the main one, which get no signals, nothing changes.

    Parameters
    ----------
    notice : callable, optional
        Called when a signal is deferred.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before: dict[int, Callable[[int, FrameType | None], object]] = {}
    kept: list[int] = []

    def keep(signum: int, frame: FrameType | None) -> None:
        if kept:
            before[signum](signum, frame)
            return
        kept.append(signum)
        if notice is not None:
            notice()

    def let_through() -> None:
        if kept:
            signum = kept.pop()
            before[signum](signum, None)

    try:
        for held in _HELD:
            handler = signal.getsignal(held)
            if callable(handler):
                before[held] = handler
                signal.signal(held, keep)
        yield let_through
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
    let_through()
