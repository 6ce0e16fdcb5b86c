"""Study sessions, stored: the same pieces in one session after another, in orders that go on from each to the next."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from sessions.builder import new_session
from sessions.errors import PlanError
from sessions.planning.plan import SessionRequest, usual_tempo
from sessions.records import SessionRecord
from sessions.storage.designs import designs_of
from sessions.storage.store import Store
from therapy_gen.musicvae.model import Model


def rounds(record: SessionRecord) -> list[tuple[str, ...]]:
    heard = [item.piece.id for item in record.items if item.piece]
    size = len(record.pieces())
    return [tuple(heard[start : start + size]) for start in range(0, len(heard), size)]


def test_order_and_carry_over_cancel_over_the_sessions_of_a_listener(store: Store, model: Model) -> None:
    request = SessionRequest(minutes=11.0, repeats=2, play_s=75.0, tempo=usual_tempo("calm", None, 75.0))
    first = new_session(store, model, request, seed=1, listener="ana")
    pieces = [piece.id for piece in first.pieces()]
    assert len(pieces) == 4
    # What others hear, and other pieces, do not count.
    new_session(store, model, request, seed=2, listener="ben", requested=pieces)
    new_session(store, model, request, seed=3, listener="ana")
    second = new_session(store, model, request, seed=4, listener="ana", requested=pieces[::-1])
    assert {piece.id for piece in second.pieces()} == set(pieces)
    heard = rounds(first) + rounds(second)
    assert set(Counter(place for order in heard for place in enumerate(order)).values()) == {1}
    followers = Counter(pair for order in heard for pair in pairwise(order))
    assert len(followers) == 12
    assert set(followers.values()) == {1}
    (design,) = [one for one in designs_of(store, "ana") if set(one.pieces) == set(pieces)]
    assert sorted(design.used) == [0, 1, 2, 3]
    assert [set(one.pieces) for one in designs_of(store, "ben")] == [set(pieces)]
    assert designs_of(store, None) == []
    for record in (first, second):
        music = [item for item in record.items if item.piece]
        assert min(item.duration_s for item in music) >= 60.0
        between = [round(b.onset_s - a.onset_s - a.duration_s, 3) for a, b in pairwise(music)]
        assert set(between) == {8.0}


def test_a_piece_too_short_to_be_compared_is_named(store: Store, model: Model) -> None:
    made = new_session(store, model, SessionRequest(minutes=1.0, tempo=(80.0, 80.0)), seed=1)
    (piece,) = made.pieces()
    assert piece.duration_s < 60.0
    with pytest.raises(PlanError, match=f"piece {piece.id} lasts .* 60 s or more: leave it out, or `repeats`"):
        new_session(store, model, SessionRequest(minutes=6.0, repeats=2), seed=2, requested=[piece.id])


def test_the_pieces_of_a_session_come_again_in_the_next_orders(cli: Any) -> None:
    requested = ("session", "new", "--minutes", 8, "--repeats", 2, "--listener", "ana", "--json")
    first = cli(*requested, "--play-length", 90, "--seed", 1)
    assert first.status == 0, first.err
    second = cli(*requested, "--again", 1, "--seed", 2).document["session"]
    first = first.document["session"]
    heard = [[item["piece"] for item in session["items"] if item["piece"]] for session in (first, second)]
    assert set(heard[0]) == set(heard[1])
    assert first["parameters"]["design"]["pieces"] == second["parameters"]["design"]["pieces"]
    assert first["parameters"]["play_s"] == 90.0
    assert {item["why"] for item in second["items"] if item["piece"]} == {"asked for"}
    assert "session 9 does not exist" in cli(*requested[:-1], "--again", 9).error_line
    alone = cli(*requested[:-1], "--again", 1, "--explore", 0, "--seed", 3)
    assert alone.status == 0, alone.err
    longer = cli("session", "new", "--minutes", 30, *requested[4:-1], "--again", 1, "--explore", 0)
    assert "no session of 30 minutes with 2 repeats and gaps of 8 s holds the pieces asked for" in longer.error_line
    assert "and nothing else" in longer.error_line


def test_pieces_fill_a_time_that_new_ones_alone_do_not(store: Store, model: Model) -> None:
    made = new_session(store, model, SessionRequest(minutes=2.0), seed=1)
    (piece,) = made.pieces()
    minutes = (4 * piece.duration_s + 3 * 8.0) / 60.0
    request = SessionRequest(minutes=minutes, repeats=4, tempo=(30.0, 30.0))
    with pytest.raises(PlanError):
        new_session(store, model, request, seed=2)
    again = new_session(store, model, request, seed=2, requested=[piece.id])
    assert [item.piece.id for item in again.items if item.piece] == [piece.id] * 4
