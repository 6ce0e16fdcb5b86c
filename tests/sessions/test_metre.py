"""Sessions in 3/4: bars of three quarters from the model to the file, in time and with cadences on bar lines."""

from __future__ import annotations

from tests.needs import needs

needs("symusic", "symusic has no wheels for this Python")

from pathlib import Path

import numpy as np
import pytest
import symusic

from sessions.builder import new_session
from sessions.composing.samples import write_samples
from sessions.errors import PlanError
from sessions.planning.arcs import rms
from sessions.planning.choosing import Drawn, Preference
from sessions.planning.plan import SessionRequest
from sessions.storage.library import get_piece, midi_of
from sessions.storage.store import Store
from therapy_gen.errors import InputError
from therapy_gen.music.arranging.arrange import arrange, duration_of, steps_of
from therapy_gen.music.arranging.literal import literal_performance
from therapy_gen.music.metre import FOUR_FOUR, THREE_FOUR, in_metres
from therapy_gen.music.tokens import VoiceNote, notes_to_tokens
from therapy_gen.musicvae.model import Model


def waltz() -> np.ndarray:
    """Return sixteen bars of C major: a chord note on every beat, the root held below."""
    notes = [
        VoiceNote(12 * bar + 4 * beat, 12 * bar + 4 * beat + 4, 72 + 4 * beat, 0)
        for bar in range(16)
        for beat in range(3)
    ]
    notes += [VoiceNote(12 * bar, 12 * bar + 12, 48, 2) for bar in range(16)]
    return notes_to_tokens(THREE_FOUR.on_grid(note) for note in notes)


def test_bars_of_three_quarters_take_three_quarters() -> None:
    even = np.diff(steps_of(1, 60.0, THREE_FOUR)[: 4 * 16 + 1]).reshape(4, 16)
    assert even[:, :12] == pytest.approx(0.25, abs=1e-3)
    assert (even[:, 12:] == 0.0).all()
    assert duration_of(1, 60.0, THREE_FOUR) / duration_of(1, 60.0) == pytest.approx(0.75, abs=0.02)
    made = arrange([waltz()], tonic=0, mode="major", tempo=60.0, seed=1, metre=THREE_FOUR)
    assert made.metre == "3/4"
    assert made.duration == duration_of(1, 60.0, THREE_FOUR)
    onsets = np.array([note.onset for note in made.parts[0].notes if note.onset < 11.5])
    # A performer's time bends within a phrase, by less than an eighth note.
    assert np.abs(onsets - np.rint(onsets)).max() < 0.25
    assert len(onsets) == 12


def test_what_lies_beyond_a_bar_is_left_out() -> None:
    full = np.full((2, 256, 3), 40, dtype=np.uint8)
    three, four = in_metres(full, [THREE_FOUR, FOUR_FOUR])
    assert (four == 40).all()
    assert (three.reshape(16, 16, 3)[:, :12] == 40).all()
    assert not three.reshape(16, 16, 3)[:, 12:].any()


def test_a_session_in_three_four(store: Store, model: Model) -> None:
    made = new_session(store, model, SessionRequest(minutes=8.0, metre="3/4"), seed=4)
    assert made.parameters["metre"] == "3/4"
    assert rms(made.curve(), made.achieved()) < 0.02
    for piece in made.pieces():
        assert get_piece(store, piece.id).metre == piece.full_document()["metre"] == "3/4"
        score = symusic.Score.from_midi(midi_of(store, [piece.id])[piece.id])
        signature = score.time_signatures[0]
        assert (signature.numerator, signature.denominator) == (3, 4)
        ticks = np.array([note.start for track in score.tracks if track.name == "Bass" for note in track.notes])
        # A bass of three quarters begins most bars; one of four would wander through them.
        beats = np.rint(ticks / score.ticks_per_quarter).astype(int) % 3
        assert (beats == 0).mean() > 0.4


def test_new_pieces_are_near_those_heard_of_their_own_metre(store: Store, model: Model) -> None:
    waltzes = new_session(store, model, SessionRequest(minutes=6.0, metre="3/4"), seed=1).pieces()
    preference = Preference(tuple(Drawn(piece.id, "heard") for piece in waltzes), explore=0.7)
    for metre, near in (("3/4", True), ("4/4", False)):
        made = new_session(store, model, SessionRequest(minutes=12.0, metre=metre), seed=2, preference=preference)
        reasons = [item.why or "" for item in made.items if item.piece and item.piece.id not in {p.id for p in waltzes}]
        assert reasons
        assert any("near" in why for why in reasons) == near


def test_a_metre_that_is_not_known_is_refused(store: Store, model: Model) -> None:
    with pytest.raises(PlanError, match=r"metre '5/4' is not known; give one of: 4/4, 3/4, 6/8"):
        SessionRequest(metre="5/4")
    fours = Model(model_without_threes(model), "fours")
    with pytest.raises(InputError, match=r"model fours writes no bars of 3/4; give `metre` 4/4, or another model"):
        new_session(store, fours, SessionRequest(minutes=3.0, metre="3/4"), seed=1)
    assert store.info().sessions == 0


def test_a_model_of_waltzes_alone_samples_waltzes_and_says_so(model: Model, store: Store, tmp_path: Path) -> None:
    threes = Model(model_of(model, 3.0), "waltz")
    with pytest.raises(InputError, match=r"model waltz writes no bars of 4/4; give `metre` 3/4, or another model"):
        new_session(store, threes, SessionRequest(minutes=3.0), seed=1)
    for sample in write_samples(threes, tmp_path, count=2, seed=1):
        signature = symusic.Score(str(sample.path)).time_signatures[0]
        assert (signature.numerator, signature.denominator) == (3, 4)


def test_bars_of_three_quarters_as_they_stand_take_three_quarters() -> None:
    plain = literal_performance([waltz().astype(np.int64)], ("melody", "inner", "bass"), tempi=[60.0], metre=THREE_FOUR)
    assert plain.metre == "3/4"
    assert [note.onset for note in plain.parts[0].notes] == pytest.approx(list(range(48)))
    assert [note.duration for note in plain.parts[2].notes] == pytest.approx([3.0] * 16)


def model_without_threes(model: Model) -> object:
    """Return the weights of the embedded model as if it had learned 4/4 alone."""
    return model_of(model, 4.0)


def model_of(model: Model, quarters: float) -> object:
    """Return the weights of the embedded model as if it had learned one metre alone."""
    from dataclasses import replace

    from therapy_gen.musicvae.weights import find_model, load_weights

    weights = load_weights(find_model(model.name))
    metres = weights.arrays["prior/traits/metre"]
    return replace(weights, arrays={**weights.arrays, "prior/traits/metre": np.full_like(metres, quarters)})
