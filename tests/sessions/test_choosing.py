"""Choosing: pieces drawn from what a listener is known to like, new ones near the best of them, and why."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import update

from sessions.builder import new_session
from sessions.errors import PlanError
from sessions.planning.arcs import rms
from sessions.planning.choosing import Drawn, Preference, choose
from sessions.planning.placement import HeldPiece
from sessions.planning.plan import SessionRequest, usual_tempo
from sessions.records import SessionRecord
from sessions.storage.library import rate, z_of
from sessions.storage.store import Store
from sessions.storage.tables import PieceRow
from therapy_gen.music.arranging.arrange import duration_of
from therapy_gen.musicvae.model import Model
from therapy_gen.study.posterior import Ranker, preference_of

REQUEST = SessionRequest(minutes=12.0, arc="flat")


@pytest.fixture
def first(store: Store, model: Model) -> SessionRecord:
    """A session of ana's, nothing known of her."""
    return new_session(store, model, REQUEST, seed=1, listener="ana")


def drawn(record: SessionRecord, explore: float) -> Preference:
    return Preference(tuple(Drawn(piece.id, f"drawn: {piece.title}") for piece in record.pieces()[::-1]), explore)


def test_the_share_of_new_pieces_is_kept(store: Store, model: Model, first: SessionRecord) -> None:
    shares = {}
    for explore in (0.0, 0.25, 0.5, 1.0):
        new = total = 0
        for seed in range(20):
            requested = drawn(first, explore)
            made = choose(store, REQUEST, requested, np.random.SeedSequence(seed), duration_of, model.sha256)
            new += len(made.plan.composed())
            total += len(made.plan.pieces)
        shares[explore] = new / total
    assert shares[0.0] == 0.0
    assert shares[0.25] == pytest.approx(0.25, abs=0.12)
    assert shares[0.5] == pytest.approx(0.5, abs=0.12)
    assert shares[1.0] == 1.0


def test_every_piece_says_why_and_new_ones_stand_near_those_drawn_first(
    store: Store, model: Model, first: SessionRecord
) -> None:
    best = first.pieces()[-1]
    near, far = [], []
    for seed in range(3):
        made = new_session(store, model, REQUEST, seed=seed, listener="ana", preference=drawn(first, 0.3))
        because = {item.piece.id: item.why for item in made.items if item.piece}
        new = [piece for piece, why in because.items() if why and why.startswith("new: near ")]
        assert all((why or "").startswith(("drawn: ", "new: near ")) for why in because.values())
        if new:
            assert because[new[0]] == f"new: near {best.title} ({best.id[:10]})"
            z = z_of(store, [new[0], *(piece.id for piece in first.pieces())], model.sha256)
            near.append(_cosine(z[new[0]], z[best.id]))
            far += [_cosine(z[new[0]], z[piece.id]) for piece in first.pieces() if piece != best]
    assert near
    assert min(near) > 0.5
    assert min(near) > max(far)


def test_a_piece_that_is_too_lively_for_the_arc_waits_for_another(
    store: Store, model: Model, first: SessionRecord
) -> None:
    request = SessionRequest(minutes=8.0, arc="iso", arousal=0.5, tempo=usual_tempo("iso", 0.5))
    lively = new_session(store, model, request, seed=5, listener="ana").pieces()[0]
    assert lively.calm < 0.7
    known = Preference((Drawn(lively.id, "drawn: lively"), *drawn(first, 0.0).drawn), 0.0)
    for requested, there in ((REQUEST, False), (request, True)):
        made = new_session(store, model, requested, seed=6, listener="ana", preference=known)
        assert (lively in made.pieces()) is there
        assert rms(made.curve(), made.achieved()) < (0.1 if there else 0.05)
    only = Preference((Drawn(lively.id, "drawn: lively"),), 0.0)
    made = new_session(store, model, REQUEST, seed=7, listener="ana", preference=only)
    assert {item.why for item in made.items if item.piece} == {"new: no piece heard before fits"}


def test_of_pieces_a_little_off_the_arc_the_furthest_waits(store: Store, model: Model, first: SessionRecord) -> None:
    """Each alone has a place on it; together they would take the session too far from it."""
    calm = (0.915, 0.93, 0.93)
    with store.write() as database:
        for piece, value in zip(first.pieces(), calm, strict=False):
            database.execute(update(PieceRow).where(PieceRow.id == piece.id).values(calm=value))
    known = Preference(tuple(Drawn(piece.id, "drawn") for piece in first.pieces()[:3]), 0.0)
    made = choose(store, REQUEST, known, np.random.SeedSequence(1), duration_of, model.sha256)
    held = [piece.id for piece in made.plan.pieces if isinstance(piece, HeldPiece)]
    assert held == [piece.id for piece in first.pieces()[1:3]]


def _cosine(one: np.ndarray, two: np.ndarray) -> float:
    return float(one @ two / np.linalg.norm(one) / np.linalg.norm(two))


def test_ratings_alone_lead_the_next_sessions(store: Store, model: Model, first: SessionRecord) -> None:
    """What is drawn follows them, more often than by chance; what was rated 1 is not drawn."""
    liked, *others = first.pieces()
    for number, piece in enumerate((liked, *others)):
        rate(store, first.id, piece.id, 3 if number else 5, Ranker())
    drawn_first = []
    for seed in range(12):
        preference = preference_of(store, "ana", None, seed)
        assert {one.piece for one in preference.drawn} == {piece.id for piece in first.pieces()}
        drawn_first.append(preference.drawn[0].piece)
        (why,) = [one.why for one in preference.drawn if one.piece == liked.id]
        assert why.startswith(f"drawn: rank 1 of {len(first.pieces())}, rated 5, P(best) 0.")
    assert drawn_first.count(liked.id) > len(drawn_first) / len(first.pieces())
    for piece in others:
        rate(store, first.id, piece.id, 1, Ranker())
    assert {one.piece for one in preference_of(store, "ana", None, 0).drawn} == {liked.id}
    assert preference_of(store, "ana", None, 3) == preference_of(store, "ana", None, 3)
    assert preference_of(store, "ben", None, 3).drawn == ()


def test_a_listener_of_whom_nothing_is_known_hears_new_pieces(store: Store, model: Model) -> None:
    made = new_session(store, model, REQUEST, seed=2, listener="ben", preference=preference_of(store, "ben", None, 2))
    assert {item.why for item in made.items if item.piece} == {"new: nothing heard"}


@pytest.mark.parametrize("explore", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(explore: float) -> None:
    with pytest.raises(PlanError, match=r"explore .* is out of range; give 0 \(no new pieces\) to 1"):
        Preference((), explore)


@pytest.mark.long
@pytest.mark.parametrize(("arousal", "minutes", "metre"), [(None, 12.0, "4/4"), (0.5, 16.0, "4/4"), (0.5, 24.0, "3/4")])
def test_pieces_heard_before_keep_to_the_arc(
    arousal: float | None, minutes: float, metre: str, store: Store, model: Model
) -> None:
    """Each takes more of a short and steep arc than of the one that it was made for; some then find no place.

    New pieces begin near them, and may have to be far more aroused than they are.
    """
    heard = [
        piece.id
        for arc in ("calm", "iso")
        for piece in new_session(
            store, model, SessionRequest(arc=arc, tempo=usual_tempo(arc), metre=metre), seed=9
        ).pieces()
    ]
    away, shares = [], []
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(heard))
        preference = Preference(tuple(Drawn(heard[n], "drawn") for n in order))
        request = SessionRequest(
            minutes=minutes, arc="iso", arousal=arousal, tempo=usual_tempo("iso", arousal), metre=metre
        )
        made = new_session(store, model, request, seed=seed, preference=preference)
        away.append(rms(made.curve(), made.achieved()))
        shares.append(np.mean([piece.id in heard for piece in made.pieces()]))
    assert max(away) < 0.045
    assert np.mean(shares) > 0.25
