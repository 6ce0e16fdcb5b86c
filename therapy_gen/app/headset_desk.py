"""A headset in the app: its contact quality, and a session played on this machine while EEG is recorded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eeg.headset.contact import DEAD, Contact, watch_contact
from eeg.headset.recorder import Recorder, begin_recording
from eeg.headset.sources import open_source
from sessions.export.audio import SAMPLE_RATE, item_sounds
from sessions.export.sound_settings import Sound
from sessions.playback.log import QueuedPlayLog
from sessions.playback.outputs import open_output
from sessions.playback.player import QUIT, PlaybackProgress, Player
from sessions.storage.library import get_session, titles_of
from therapy_gen.app.answers import in_words
from therapy_gen.errors import InputError, TherapyGenError

if TYPE_CHECKING:
    from eeg.headset.recorder import Recorded
    from sessions.records import SessionRecord
    from sessions.storage.store import Store

# After so long without a request from its page, the headset is released.
_UNSEEN_S = 20.0
_LONGEST_S = 3600.0
IDLE, CHECKING, PLAYING, SCORING, DONE, FAILED = "idle", "checking", "playing", "scoring", "done", "failed"


@dataclass(frozen=True)
class Wanted:
    """A request for a recorded session.

    Parameters
    ----------
    source : str
        As `eeg.headset.sources.open_source` takes it.
    session : int
    device : str or None
        Output device of this machine; None for the system's default, ``"none"`` for silence.
    any_contact : bool
        Whether to begin even if electrodes measure nothing.
    score : bool
        Whether it is scored afterwards.
    """

    source: str
    session: int
    device: str | None = None
    any_contact: bool = False
    score: bool = True


@dataclass
class HeadsetDesk:
    """One headset at a time, checked or recorded, in a thread of its own.

    Parameters
    ----------
    store : Store
    folder : Path
        Folder of recordings; made with the first.
    """

    store: Store
    folder: Path
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _state: dict[str, Any] = field(default_factory=lambda: {"state": IDLE})
    _seen: float = 0.0

    def state(self) -> dict[str, Any]:
        """Return the state for the page; each call keeps a check running."""
        self._seen = time.monotonic()
        with self._lock:
            return dict(self._state)

    def check(self, source: str) -> None:
        """Begin to check the contact of a source; any other check ends."""
        self.stop()
        self._begin(CHECKING, source, lambda: self._watch(source))

    def record(self, wanted: Wanted) -> None:
        """Begin to play a session and to record; a check ends.

        Raises
        ------
        InputError
            Where a recording is under way.
        NotFoundError
            Where there is no such session.
        """
        session = get_session(self.store, wanted.session)
        if self._state["state"] in (PLAYING, SCORING):
            raise InputError("a session is being recorded; end it first")
        self.stop()
        self._begin(PLAYING, wanted.source, lambda: self._record(session, wanted))

    def stop(self) -> None:
        """End the check or recording, and wait until the headset is free and the recording is a file."""
        self._ending.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(30.0)

    def _begin(self, state: str, source: str, work: Callable[[], None]) -> None:
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise InputError("the headset is still busy; try again in a moment")
            self._ending = threading.Event()
            self._seen = time.monotonic()
            self._state = {"state": state, "source": source}
            self._thread = threading.Thread(target=self._run, args=(work,), name="headset", daemon=True)
            self._thread.start()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except TherapyGenError as error:
            self._tell(state=FAILED, problem=in_words(error))
        except Exception as error:
            self._tell(state=FAILED, problem=f"it stopped without a known cause ({type(error).__name__})")

    def _tell(self, **facts: Any) -> None:
        with self._lock:
            self._state |= facts

    def _watch(self, source: str) -> None:
        connected = open_source(source)
        try:
            watched = watch_contact(connected, _LONGEST_S, stop=self._is_unwanted)
            for contacts in watched:
                self._tell(contacts=[described(one) for one in contacts])
        finally:
            connected.close()
        self._tell(state=IDLE)

    def _is_unwanted(self) -> bool:
        return self._ending.is_set() or time.monotonic() - self._seen > _UNSEEN_S

    def _record(self, session: SessionRecord, wanted: Wanted) -> None:
        path = self._new_file(session.id)
        sound = Sound().over(session.parameters)
        output = open_output(wanted.device, SAMPLE_RATE, "choose another one, or silence")
        try:
            recorder = begin_recording(wanted.source, path, any_contact=wanted.any_contact)
        except BaseException:
            output.close(drain=False)
            raise
        self._tell(file=str(path), duration=session.duration_s)
        logs: list[QueuedPlayLog] = []

        def start_log(started: datetime) -> QueuedPlayLog:
            logs.append(QueuedPlayLog(self.store, session.id, started))
            return logs[-1]

        def keys() -> str:
            return QUIT if self._ending.is_set() else ""

        try:
            with item_sounds(self.store, session.items, sound) as sounds:
                tell = self._teller(recorder)
                player = Player(session.id, output, start_log, markers=recorder, keys=keys, tell=tell)
                player.play(session.items, sounds)
        finally:
            for log in logs:
                log.wait()
            made = recorder.finish()
            self._tell(recorded=_told(made))
        if wanted.score and not self._ending.is_set():
            self._tell(state=SCORING)
            self._tell(**self._scored(path, session))
        self._tell(state=DONE)

    def _teller(self, recorder: Recorder) -> Callable[[PlaybackProgress], None]:
        def tell(progress: PlaybackProgress) -> None:
            title = progress.item.piece.title if progress.item.piece else "Silence"
            self._tell(what=title, at=progress.item.onset_s + progress.at_s, away=recorder.problem)

        return tell

    def _new_file(self, session: int) -> Path:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        return self.folder / f"session-{session}-{datetime.now():%Y%m%d-%H%M%S}.fif"

    def _scored(self, path: Path, session: SessionRecord) -> Mapping[str, Any]:
        """Return each piece's score and whether there is a reliable order; or why there is no score."""
        from therapy_gen.study.score_and_rank import rank_listener, score_and_store

        try:
            score = score_and_store(self.store, path, listener=session.listener)
            ranking = rank_listener(self.store, session.listener)
        except TherapyGenError as error:
            return {"score_problem": in_words(error)}
        titles = titles_of(self.store, [play.piece for play in score.plays if play.piece])
        plays = [
            {
                "title": titles.get(play.piece or "", ""),
                "clean": play.clean_s,
                "beta": None if play.bands["beta"].db is None else round(play.bands["beta"].db, 2),
            }
            for play in score.plays
        ]
        return {"plays": plays, "order": ranking.reason if ranking is not None else "too little clean data"}


def described(contact: Contact) -> dict[str, Any]:
    """Return the contact of an electrode as the page shows it."""
    return {
        "channel": contact.channel,
        "state": contact.state,
        "dead": contact.state in DEAD,
        "spread": round(contact.spread_uv),
        "line": round(contact.line_uv),
        "fast": round(contact.fast_uv, 1),
        "to_do": contact.to_do,
    }


def _told(made: Recorded) -> dict[str, Any]:
    return {
        "file": str(made.path),
        "duration": made.duration_s,
        "lost": round(made.lost_s, 1),
        "jitter_ms": round(1000 * made.jitter_s, 1),
        "problem": made.problem,
    }
