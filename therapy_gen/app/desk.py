"""The app's state while it runs: database, model, streams, plays in progress, sessions being made."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessions.clients.diary import player_settings
from sessions.playback.heard import ENDED, HeardLog
from sessions.playback.session_stream import SessionStream, warm_up
from sessions.storage.library import get_session
from sessions.storage.listeners import list_listeners
from sessions.storage.store import Store
from therapy_gen.app.headset_desk import HeadsetDesk
from therapy_gen.study.next_session import Wishes, next_session

if TYPE_CHECKING:
    from sessions.records import SessionRecord
    from therapy_gen.musicvae.section_model import SectionModel

_STREAMS = 3
_PLAYS = 50
ME = "me"
"""The listener for whom sessions are made before any has a name."""


@dataclass
class Desk:
    """The app's state, which its pages use.

    Parameters
    ----------
    store : Store
    load_model : callable
        Returns the model that writes new sessions.
    renders : Path
        Folder of renders.
    """

    store: Store
    load_model: Callable[[], SectionModel]
    renders: Path
    headset: HeadsetDesk = field(init=False)
    _model: SectionModel | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _streams: OrderedDict[int, SessionStream] = field(default_factory=OrderedDict)
    _plays: OrderedDict[tuple[str, int], HeardLog] = field(default_factory=OrderedDict)
    _making: dict[tuple[str, Wishes], Future[SessionRecord]] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, thread_name_prefix="making"))

    def __post_init__(self) -> None:
        self.headset = HeadsetDesk(self.store, self.recordings)

    @property
    def recordings(self) -> Path:
        """Folder of headset recordings."""
        return self.renders.with_name("recordings")

    def warm_up(self) -> None:
        """Load in advance what takes a second: instruments, and the next session of the last listener."""
        self._pool.submit(warm_up)
        self.upcoming(self.listener())

    def listener(self) -> str:
        """Return the current listener: the last one chosen, else the only one there is."""
        chosen = player_settings(self.store, None).get("listener")
        names = [one.name for one in list_listeners(self.store)]
        if chosen in names:
            return str(chosen)
        return names[0] if len(names) == 1 else ME

    def wishes(self, listener: str) -> Wishes:
        """Return how a listener wants to listen, as stored."""
        return Wishes.of(player_settings(self.store, listener))

    def settings(self, listener: str) -> dict[str, Any]:
        """Return a listener's stored settings."""
        return player_settings(self.store, listener)

    def settings_of_app(self) -> dict[str, Any]:
        """Return the app's own settings: who listened last."""
        return player_settings(self.store, None)

    def upcoming(self, listener: str) -> Future[SessionRecord]:
        """Return the next session for a listener, made in the background; its beginning is rendered, too."""
        key = (listener, self.wishes(listener))
        with self._lock:
            made = self._making.get(key)
            if made is None or (made.done() and (made.exception() is not None or self._was_played(made.result().id))):
                made = self._making[key] = self._pool.submit(self._make, *key)
            return made

    def forget_upcoming(self) -> None:
        """Discard the next session: the data on a listener have changed."""
        with self._lock:
            self._making.clear()

    def _was_played(self, number: int) -> bool:
        return any(session == number for _, session in self._plays)

    def _make(self, listener: str, wishes: Wishes) -> SessionRecord:
        record = next_session(self.store, self.model(), listener, wishes)
        self._pool.submit(self.stream(record.id).prepare)
        return record

    def model(self) -> SectionModel:
        """Return the model, loaded on first use."""
        if self._model is None:
            self._model = self.load_model()
        return self._model

    def stream(self, number: int) -> SessionStream:
        """Return the sound of a session."""
        with self._lock:
            found = self._streams.get(number)
        if found is None:
            found = SessionStream(self.store, number)
        with self._lock:
            found = self._streams.setdefault(number, found)
            self._streams.move_to_end(number)
            old = [self._streams.popitem(last=False)[1] for _ in range(len(self._streams) - _STREAMS)]
        for one in old:
            one.close()
        return found

    def tell(self, play: str, session: int, state: str, at_s: float) -> None:
        """Log the position of a play in some tab."""
        with self._lock:
            log = self._plays.get((play, session))
        if log is None:
            log = HeardLog(self.store, get_session(self.store, session))
        with self._lock:
            log = self._plays.setdefault((play, session), log)
            while len(self._plays) > _PLAYS:
                self._plays.popitem(last=False)
        log.tell(state, at_s)

    def drop(self) -> None:
        """Drop all sound and plays, since somebody is being forgotten or sessions were deleted."""
        with self._lock:
            streams, self._streams = list(self._streams.values()), OrderedDict()
            self._plays.clear()
            self._making.clear()
        for stream in streams:
            stream.close()

    def close(self) -> None:
        """End: plays in progress are logged as ended and stored. Rendering threads end with the process."""
        self.headset.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)
        logs = list(self._plays.values())
        for log in logs:
            log.stop(ENDED)
        for log in logs:
            log.wait()
