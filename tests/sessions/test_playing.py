"""Playing: what the log says where the sound device's own estimates of what waits in it differ."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, pairwise

import numpy as np
import pytest

from sessions.outputs import CHANNELS, Samples
from sessions.playing import Player
from sessions.playlog import PlayWriter, list_plays
from sessions.records import SessionRecord
from sessions.store import Store


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
