"""The play log of a play elsewhere (a browser), which reports its position every few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from sessions.playback.log import QueuedPlayLog
from sessions.records import ItemRecord, SessionRecord
from sessions.storage.store import Store
from therapy_gen.errors import InputError

PLAYING, PAUSED, ENDED = "playing", "paused", "ended"
# Reported positions are not exact to the sample.
_SAME_PLACE_S = 3.0
_TO_ITS_END_S = 2.0
# While it plays, it is reported every 15 s; after so long without a report its position is unknown.
_TRUSTED_S = 20.0
# How long a database that is locked is waited for at the end.
_PATIENCE_S = 5.0


class HeardLog:
    """Writes a play to the log as it is reported.

    Parameters
    ----------
    store : Store
    record : SessionRecord
        The session that is played.
    now : callable
        Seconds by a clock that never jumps.

    Examples
    --------
    >>> log = HeardLog(store, record)  # doctest: +SKIP
    >>> log.tell("playing", 0.0)  # doctest: +SKIP
    """

    def __init__(self, store: Store, record: SessionRecord, now: Callable[[], float] = time.monotonic) -> None:
        self._store, self._record, self._now = store, record, now
        self._writer: QueuedPlayLog | None = None
        self._zero = 0.0
        # Session second and clock of the last report, while it plays.
        self._last: tuple[float, float] | None = None
        self._closed = False
        # A page may report twice at once, and each call has a thread of its own.
        self._lock = threading.RLock()

    def tell(self, state: str, at_s: float) -> None:
        """Note that at this moment the session's second `at_s` is heard, or that it paused or ended there.

        Raises
        ------
        InputError
            Where the state is not known or the place is outside the session.
        """
        if state not in (PLAYING, PAUSED, ENDED):
            raise InputError(f"state {state!r} is not known; give {PLAYING}, {PAUSED} or {ENDED}")
        if not 0.0 <= at_s <= self._record.duration_s + _TO_ITS_END_S:
            raise InputError(f"second {at_s:g} is outside session {self._record.id}")
        with self._lock:
            self._note(state, at_s)

    def _note(self, state: str, at_s: float) -> None:
        if self._closed:
            return
        moment = self._now()
        self._follow(at_s, moment)
        if state == PLAYING and self._last is None:
            self._begin(at_s, moment)
        elif state != PLAYING and self._last is not None and self._writer is not None:
            self._writer.end(moment - self._zero)
            self._last = None
        if state == ENDED and self._writer is not None:
            self._closed = True
            finished = at_s >= self._record.duration_s - _TO_ITS_END_S
            self._writer.close(moment - self._zero, finished=finished)

    def _follow(self, at_s: float, moment: float) -> None:
        """Write down what was heard since the last report: on through the items, or up to a jump."""
        if self._last is None or self._writer is None:
            return
        before_s, before = self._last
        ahead_s = at_s - (before_s + moment - before)
        stalled = ahead_s < -_SAME_PLACE_S and at_s >= before_s
        if abs(ahead_s) > _SAME_PLACE_S and not stalled:
            self._writer.end(moment - self._zero)
            self._last = None
            return
        # Where the stream stalled, everything before was heard on time.
        heard = before + at_s - before_s if stalled else moment
        for item in self._record.items:
            if before_s < item.onset_s <= at_s:
                onset = heard - (at_s - item.onset_s) - self._zero
                self._writer.end(onset)
                self._writer.begin(item.position, onset)
        self._last = (at_s, moment)
        if stalled:
            self._writer.end(heard - self._zero)
            self._last = None

    def _begin(self, at_s: float, moment: float) -> None:
        if self._writer is None:
            self._zero = moment
            self._writer = QueuedPlayLog(self._store, self._record.id, datetime.now(UTC), patience_s=_PATIENCE_S)
        item = self._item(at_s)
        self._writer.begin(item.position, moment - self._zero, max(at_s - item.onset_s, 0.0))
        self._last = (at_s, moment)

    def _item(self, at_s: float) -> ItemRecord:
        return next((item for item in reversed(self._record.items) if item.onset_s <= at_s), self._record.items[0])

    def stop(self, state: str = ENDED) -> None:
        """Note that no report follows: the play ended about where it was last reported."""
        with self._lock:
            if self._last is not None and not self._closed:
                at_s, moment = self._last
                heard_s = min(self._now() - moment, _TRUSTED_S)
                self.tell(state, min(at_s + heard_s, self._record.duration_s))

    def wait(self) -> None:
        """Return once everything reported is stored."""
        if self._writer is not None:
            self._writer.wait()
