"""Playing a session: sound to an output in real time, pauses and skips, and what was heard when, to the play log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np

from sessions.export.audio import SAMPLE_RATE
from sessions.playback.outputs import CHANNELS, Output, Samples
from sessions.records import ItemRecord

PAUSE, NEXT, QUIT = " ", "n", "q"
# 46 ms: how soon a key takes effect, and how exactly a stretch can begin after a pause.
_BLOCK = 2048


class Markers(Protocol):
    """Takes markers of what is heard."""

    def send(self, text: str, ahead_s: float = 0.0) -> None:
        """Send a marker of what will be heard in `ahead_s` seconds."""


class PlayLog(Protocol):
    """Takes what was heard when, in seconds from the start of the play."""

    def begin(self, position: int, onset_s: float, from_s: float = 0.0) -> None:
        """Note that an item is heard from `onset_s` on, from its second `from_s` on."""

    def end(self, at_s: float) -> None:
        """Note that what was heard last ended."""

    def close(self, at_s: float, *, finished: bool) -> None:
        """Note that the play ended, to its end or before."""


@dataclass(frozen=True)
class PlaybackProgress:
    """The position of playing.

    Attributes
    ----------
    item : ItemRecord
    at_s : float
        Seconds into the item.
    paused : bool
    """

    item: ItemRecord
    at_s: float
    paused: bool


class Player:
    """Plays items one after the other and notes when each was heard.

    Every stretch begins with a marker ``piece/<ULID>`` or ``silence`` and ends with ``end/<ULID>`` or
    ``end/silence``; the first one comes after ``session/<number>``.

    Parameters
    ----------
    session : int
    output : Output
    start_log : callable
        Called with the moment at which the first sample is heard; returns the log of this play.
    markers : Markers, optional
    keys : callable
        Returns the keys pressed since it was last called: `PAUSE` (again: resume), `NEXT`, `QUIT`.
    tell : callable
        Called with the position, some 20 times a second.

    Attributes
    ----------
    heard_s : float
        Seconds of items that were given to the output.
    """

    def __init__(
        self,
        session: int,
        output: Output,
        start_log: Callable[[datetime], PlayLog],
        *,
        markers: Markers | None = None,
        keys: Callable[[], str] = lambda: "",
        tell: Callable[[PlaybackProgress], None] = lambda progress: None,
    ) -> None:
        self._session = session
        self._output = output
        self._start_log = start_log
        self._markers = markers
        self._keys = keys
        self._tell = tell
        self._log: PlayLog | None = None
        self._zero = 0.0
        self._heard_until = 0.0
        self._under_way: str | None = None
        self.heard_s = 0.0

    def play(self, items: Iterable[ItemRecord], sounds: Iterable[Iterator[Samples]]) -> bool:
        """Play items, whose sounds come in the same order, in blocks; return whether to the end.

        The log is complete up to where it ended, also after an interrupt.
        """
        finished = False
        ahead_s = 0.0
        try:
            to_end = all(self._item(item, sound) for item, sound in zip(items, sounds, strict=True))
            if to_end:
                ahead_s = self._output.ahead_s()
            finished = to_end
        finally:
            # After an interrupt what waits in the device is not heard any more.
            ended = self._moment(ahead_s)
            self._end(ended)
            if self._log is not None:
                self._log.close(ended - self._zero, finished=finished)
            self._output.close(drain=finished)
        return finished

    def _item(self, item: ItemRecord, sound: Iterator[Samples]) -> bool:
        """Play an item; False where playing is to end."""
        frames = 0
        paused = False
        for block in _small(sound):
            while True:
                keys = self._keys()
                if QUIT in keys:
                    return False
                if NEXT in keys:
                    self._end(self._moment(self._output.ahead_s()))
                    for _ in sound:
                        pass
                    return True
                if keys.count(PAUSE) % 2:
                    paused = not paused
                    if paused:
                        self._end(self._moment(self._output.ahead_s()))
                self._tell(PlaybackProgress(item, frames / SAMPLE_RATE, paused))
                if not paused:
                    break
                # The device keeps running, so that its clock stays in step with what is heard.
                self._output.write(np.zeros((_BLOCK, CHANNELS), np.float32))
            self._write(item, block, frames / SAMPLE_RATE)
            frames += len(block)
        self._end(self._moment(self._output.ahead_s()))
        return True

    def _write(self, item: ItemRecord, block: Samples, from_s: float) -> None:
        if self._under_way is not None:
            self._output.write(block)
            self.heard_s += len(block) / SAMPLE_RATE
            return
        ahead = self._output.ahead_s()
        if self._log is None:
            self._zero = time.monotonic() + ahead
            started = datetime.now(UTC) + timedelta(seconds=ahead)
            self._output.write(block)
            self._log = self._start_log(started)
            self._mark(f"session/{self._session}", self._zero)
            onset = self._zero
        else:
            onset = self._moment(ahead)
            self._output.write(block)
        # Written after the sound is on its way: a slow disk delays no note.
        name = item.piece.id if item.piece else "silence"
        self._log.begin(item.position, onset - self._zero, from_s)
        # A sample of it is heard at least.
        self._heard_until = onset + 1.0 / SAMPLE_RATE
        self._under_way = name
        self._mark(f"piece/{name}" if item.piece else name, onset)
        self.heard_s += len(block) / SAMPLE_RATE

    def _moment(self, ahead_s: float) -> float:
        """Return when, by the monotonic clock, a sample written now is heard.

        Latency is an estimate that varies: the moment returned is never before that of the last sample.
        """
        return max(time.monotonic() + ahead_s, self._heard_until)

    def _end(self, at: float) -> None:
        """Note that the current stretch ends at a moment."""
        if self._under_way is None or self._log is None:
            return
        self._heard_until = at
        name, self._under_way = self._under_way, None
        self._mark(f"end/{name}", at)
        self._log.end(at - self._zero)

    def _mark(self, text: str, moment: float) -> None:
        if self._markers is not None:
            self._markers.send(text, moment - time.monotonic())


def _small(sound: Iterator[Samples]) -> Iterator[Samples]:
    for block in sound:
        for start in range(0, len(block), _BLOCK):
            yield block[start : start + _BLOCK]
