"""A bound in time and memory on work that is handed to a library: a damaged file must not hang or fill the machine."""

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
    """Bound what happens inside: `OutOfBoundsError` after some seconds of work, MemoryError beyond so many bytes more.

    Time is bounded in the main thread of systems with SIGPROF, as time of the processor: a busy machine makes no file
    damaged. Memory is bounded on Linux; elsewhere nothing is.

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
