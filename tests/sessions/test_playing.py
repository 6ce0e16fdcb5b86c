"""Playing: what the log says where the sound device's own estimates of what waits in it differ."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import cycle, pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from sessions.errors import PlayError
from sessions.playback.outputs import CHANNELS, Samples, SoundCard
from sessions.playback.player import Player
from sessions.records import SessionRecord
from sessions.storage.play_log import PlayWriter, list_plays
from sessions.storage.store import Store


class Unsteady:
    """A device that is fast, and whose estimates of what waits in it swing, as those of real ones do."""

    def __init__(self) -> None:
        self._estimates: Iterator[float] = cycle((0.5, 0.1, 0.3, 0.0))

    def ahead_s(self) -> float:
        return next(self._estimates)

    def write(self, block: Samples) -> None:
        pass

    def close(self, *, drain: bool) -> None:
        pass


@pytest.mark.parametrize("keys", ["", "n", "nn", "q"])
def test_nothing_begins_or_ends_before_what_was_heard_last(store: Store, session: SessionRecord, keys: str) -> None:
    pressed = iter(keys)
    items = session.items
    player = Player(
        session.id,
        Unsteady(),
        lambda started: PlayWriter(store, session.id, started),
        keys=lambda: next(pressed, "") if player.heard_s else "",
    )
    sounds = [iter([np.zeros((100, CHANNELS), np.float32)] * 100) for _ in items]
    assert player.play(items, sounds) == ("q" not in keys)
    (play,) = list_plays(store)
    # The second of two keys skips an item before its first sample.
    assert len(play.stretches) == (1 if "q" in keys else len(items) - (keys == "nn"))
    for one, two in pairwise(play.stretches):
        assert two.onset_s >= one.onset_s + one.duration_s - 1e-9
    assert play.ended_s is not None
    assert play.ended_s >= play.stretches[-1].onset_s + play.stretches[-1].duration_s - 1e-9


class PortAudioError(Exception):
    pass


class Vanishing:
    """A stream of PortAudio whose device is there to be opened and to take some blocks, and then has gone."""

    latency = 0.2

    def __init__(self, **settings: object) -> None:
        self.left = 3

    @property
    def write_available(self) -> int:
        self.write()
        return 8820

    def write(self, block: Samples | None = None) -> None:
        self.left -= 1
        if self.left < 0:
            raise PortAudioError("Unanticipated host error")

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...


@pytest.mark.parametrize("blocks", [1, 5])
def test_a_device_that_goes_away_ends_the_log_and_is_named(
    store: Store, session: SessionRecord, blocks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        sys.modules, "sounddevice", SimpleNamespace(OutputStream=Vanishing, PortAudioError=PortAudioError)
    )
    player = Player(
        session.id, SoundCard(44100, None, "play elsewhere"), lambda started: PlayWriter(store, session.id, started)
    )
    with pytest.raises(PlayError, match=r"the sound device stopped \(Unanticipated host error\)"):
        player.play(session.items[:1], [iter([np.zeros((100, CHANNELS), np.float32)] * blocks)])
    (play,) = list_plays(store)
    assert play.ended_s is not None
    assert not play.finished
