"""Limits on time and memory of work in a library: a damaged file must not hang or fill the machine."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from therapy_gen.errors import OutOfBoundsError


@contextmanager
def bounded(seconds: float, more_bytes: int) -> Iterator[None]:
    """Limit the work inside: `OutOfBoundsError` after so many seconds, MemoryError beyond so many bytes more.

    Time is limited in the main thread of systems with SIGPROF, as processor time, so that a busy machine does not
    matter. Memory is limited on Linux only.

    Parameters
    ----------
    seconds : float
    more_bytes : int
        Beyond what the process holds now.
    """
    with _memory(more_bytes), _time(seconds):
        yield


@contextmanager
def _time(seconds: float) -> Iterator[None]:
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise OutOfBoundsError

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def _memory(more_bytes: int) -> Iterator[None]:
    if sys.platform != "linux":
        yield
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = pages * resource.getpagesize() + more_bytes
    if soft != resource.RLIM_INFINITY:
        wanted = min(wanted, soft)
    resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
