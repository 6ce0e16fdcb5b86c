"""The play log while a session is played: what was heard is queued at once, and stored when the database is free.

In: moments, from the player. Out: rows of the play log. Playing never waits for a database, nor ends because of one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from queue import SimpleQueue

from sessions.errors import DatabaseError
from sessions.storage.play_log import PlayWriter
from sessions.storage.store import Store
from therapy_gen.errors import TherapyGenError

# How often storing is tried again on a busy database, and for how long once playing has ended.
_RETRY_S = 0.5
PATIENCE_S = 60.0

_Step = Callable[[PlayWriter], None]


class QueuedPlayLog:
    """Stores one play from a thread of its own: a stretch for which the database has no time now is stored later.

    Parameters
    ----------
    store : Store
    session : int
    started : datetime
        When the first sample is heard; aware.
    patience_s : float
        How long to wait, at the end, for a database that is busy.

    Attributes
    ----------
    problem : TherapyGenError or None
        Why the log is not complete, once `wait` has returned; None where all of it is stored.
    """

    def __init__(self, store: Store, session: int, started: datetime, *, patience_s: float = PATIENCE_S) -> None:
        self._store = store
        self._session = session
        self._started = started
        self._patience_s = patience_s
        self._steps: SimpleQueue[_Step | None] = SimpleQueue()
        self._give_up = threading.Event()
        self.problem: TherapyGenError | None = None
        # A process that is to end does not wait for a database either.
        self._thread = threading.Thread(target=self._work, name="play log", daemon=True)
        self._thread.start()

    def begin(self, position: int, onset_s: float, from_s: float = 0.0) -> None:
        """Note that an item is heard from `onset_s` on, from its second `from_s` on."""
        self._steps.put(lambda writer: writer.begin(position, onset_s, from_s))

    def end(self, at_s: float) -> None:
        """Note that what was heard last ended."""
        self._steps.put(lambda writer: writer.end(at_s))

    def close(self, at_s: float, *, finished: bool) -> None:
        """Note that the play ended; `wait` waits until that is stored."""
        self._steps.put(lambda writer: writer.close(at_s, finished=finished))

    def wait(self) -> None:
        """Wait until everything queued is stored, no longer than the patience; then nothing more can be noted."""
        self._steps.put(None)
        self._thread.join(self._patience_s)
        if self._thread.is_alive():
            self._give_up.set()
            self._thread.join(2 * _RETRY_S)
            if self.problem is None:
                self.problem = DatabaseError(
                    f"database {self._store.label} took too long; the log of this play is not complete"
                )

    def _work(self) -> None:
        writer: PlayWriter | None = None

        def start() -> None:
            nonlocal writer
            writer = PlayWriter(self._store, self._session, self._started)

        if not self._patiently(start):
            return
        while (step := self._steps.get()) is not None:
            if writer is None or not self._patiently(partial(step, writer)):
                return

    def _patiently(self, work: Callable[[], None]) -> bool:
        """Repeat `work` until the database takes it; False where it never will, or patience has ended."""
        while True:
            try:
                work()
                self.problem = None
                return True
            except TherapyGenError as error:
                self.problem = error
                if not (isinstance(error, DatabaseError) and error.passing) or self._give_up.is_set():
                    return False
            self._give_up.wait(_RETRY_S)
