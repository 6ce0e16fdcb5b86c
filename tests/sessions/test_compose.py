from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from sessions.builder import new_session
from sessions.composing.compose import Brief, compose, compose_session
from sessions.composing.latent_path import distinct, latent_path
from sessions.composing.titles import titles
from sessions.errors import PlanError
from sessions.planning.plan import FORMS, PlannedPiece, SessionRequest
from sessions.records import SessionRecord
from sessions.storage.library import midi_of
from sessions.storage.store import Store
from therapy_gen.errors import InputError
from therapy_gen.music.arranging.arrange import PALETTES, duration_of, steps_of
from therapy_gen.music.metre import METRES
from therapy_gen.music.midi.midi import read_performance
from therapy_gen.musicvae.latent.attributes import attribute_values
from therapy_gen.musicvae.model import Model


def fingerprint(store: Store, record: SessionRecord) -> list[tuple[object, ...]]:
    """Everything in a session that does not depend on when and where it was made."""
    midi = midi_of(store, [piece.id for piece in record.pieces()])
    return [
        (
            item.position,
            item.role,
            item.onset_s,
            item.duration_s,
            *(
                (
                    item.piece.title,
                    item.piece.key,
                    item.piece.tempo,
                    item.piece.calm,
                    item.piece.form,
                    item.piece.seed,
                    tuple(item.piece.features.items()),
                    hashlib.sha256(midi[item.piece.id]).hexdigest(),
                )
                if item.piece
                else ()
            ),
        )
        for item in record.items
    ]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, model: Model) -> None:
    request = SessionRequest(minutes=5.0)
    stores = [Store.open(tmp_path / name) for name in ("a.db", "b.db")]
    made = [new_session(store, model, request, seed=11) for store in stores]
    assert fingerprint(stores[0], made[0]) == fingerprint(stores[1], made[1])
    other = new_session(stores[0], model, request, seed=12)
    assert fingerprint(stores[0], other) != fingerprint(stores[0], made[0])


def test_a_piece_is_what_was_planned(model: Model) -> None:
    plan = [PlannedPiece(("A", "A'", "B", "A"), 60.0, 2, "major"), PlannedPiece(("A",), 54.3, 9, "minor")]
    first, second = compose(plan, model, np.random.default_rng(1))
    assert (first.key, first.tempo, first.form) == ("D major", 60.0, ("A", "A'", "B", "A"))
    assert second.key == "A minor"
    assert first.z.shape == (3, model.config.z_size)
    for piece in (first, second):
        assert piece.duration_s == pytest.approx(duration_of(len(piece.form), piece.tempo), abs=1e-3)
        assert 0.0 <= piece.calm <= 1.0
        heard = read_performance(piece.midi)
        assert heard.duration == pytest.approx(piece.duration_s, abs=0.01)
        assert heard.title == piece.title


def test_a_section_that_returns_is_the_same_music(model: Model) -> None:
    plan = [PlannedPiece(("A", "B", "A"), 60.0, 0, "major")]
    (piece,) = compose(plan, model, np.random.default_rng(1))
    melody = next(part for part in read_performance(piece.midi).parts if part.name == "Melody")
    # From the third bar to the twelfth: what rings on from before, and the ending, are apart.
    steps = steps_of(3, 60.0)
    heard = [
        [note for note in melody.notes if steps[at + 32] - 0.3 < note.onset < steps[at + 192] - 0.3] for at in (0, 512)
    ]
    assert [note.pitch for note in heard[0]] == [note.pitch for note in heard[1]]
    assert len(heard[0]) > 3


def test_variations_stand_nearer_than_contrasts(model: Model) -> None:
    near, far = [], []
    for seed in range(20):
        walk = latent_path(("A", "A'", "B", "A"), model, np.random.default_rng(seed))
        near.append(float(np.linalg.norm(walk[1] - walk[0])))
        far.append(float(np.linalg.norm(walk[2] - walk[0])))
    assert np.mean(near) < np.mean(far)
    assert min(near) > 0.0


@pytest.mark.parametrize("form", [form for forms in FORMS.values() for form in forms])
def test_a_walk_has_a_point_for_each_label(form: tuple[str, ...], model: Model) -> None:
    walk = latent_path(form, model, np.random.default_rng(0))
    assert walk.shape == (len(distinct(form)), model.config.z_size)
    assert walk.dtype == np.float32
    assert np.isfinite(walk).all()


@pytest.mark.parametrize("palette", sorted(PALETTES))
def test_every_palette_plays(palette: str, store: Store, model: Model) -> None:
    made = new_session(store, model, SessionRequest(minutes=1.0), seed=1, palette=palette)
    assert made.pieces()[0].palette == palette


@pytest.mark.parametrize(
    ("requested", "said"),
    [
        ({"seed": -1}, r"seed -1 is out of range"),
        ({"seed": 2**63}, r"seed 9223372036854775808"),
        ({"seed": 1, "temperature": 0.0}, r"temperature 0 .* 0.05 to 2"),
        ({"seed": 1, "temperature": float("nan")}, r"temperature nan"),
        ({"seed": 1, "palette": "kazoo"}, r"palette 'kazoo' .* piano"),
        ({"seed": 1, "listener": "  "}, r"name is empty"),
    ],
)
def test_bad_values_are_refused_and_nothing_is_stored(
    requested: dict[str, object], said: str, store: Store, model: Model
) -> None:
    with pytest.raises(InputError, match=said):
        new_session(store, model, SessionRequest(minutes=1.0), **requested)  # type: ignore[arg-type]
    assert store.info().sessions == store.info().pieces == store.info().listeners == 0


def test_the_largest_seed_works(store: Store, model: Model) -> None:
    assert new_session(store, model, SessionRequest(minutes=1.0), seed=2**63 - 1).seed == 2**63 - 1


def test_titles_differ_and_follow_the_seed() -> None:
    made = titles(100, np.random.default_rng(1))
    assert len(set(made)) == 100
    assert made == titles(100, np.random.default_rng(1))
    assert len(titles(5000, np.random.default_rng(1))) == 5000


@pytest.mark.parametrize(
    ("attribute", "low", "high"), [("density", (4.0, 5.0), (14.0, 15.0)), ("range", (9, 9), (17, 17))]
)
def test_attributes_lead_the_music(
    model: Model, attribute: str, low: tuple[float, float], high: tuple[float, float]
) -> None:
    plan = [PlannedPiece(("A", "B", "C"), 60.0, 0, "major")] * 8

    def measured(requested: tuple[float, float]) -> float:
        pieces = compose(plan, model, np.random.default_rng(3), attributes={attribute: requested})
        sections = np.stack([section for piece in pieces for section in piece.sections])
        return float(attribute_values(sections)[attribute].mean())

    assert measured(high) > 1.2 * measured(low)


@pytest.mark.parametrize(("metre", "requested"), [("4/4", 11.0), ("3/4", 7.0)])
def test_pieces_on_an_arc_have_the_density_that_is_asked_for(model: Model, metre: str, requested: float) -> None:
    plan = [PlannedPiece(("A", "B", "C"), 60.0, 0, "major", METRES[metre])] * 8
    targets = np.linspace(0.96, 0.974, 8).tolist()
    attributes = {"density": (requested, requested)}
    briefs = [Brief(piece, target) for piece, target in zip(plan, targets, strict=True)]
    pieces = compose_session(briefs, model, np.random.default_rng(3), attributes=attributes)
    densities = [attribute_values(np.stack(piece.sections))["density"].mean() for piece in pieces]
    assert np.mean(densities) == pytest.approx(requested, rel=0.1)
    assert np.std(densities) < 0.15 * requested


def test_a_model_without_the_vector_says_so(model: Model) -> None:
    plan = [PlannedPiece(("A",), 60.0, 0, "major")]
    with pytest.raises(PlanError, match="has no vector for brightness"):
        compose(plan, model, np.random.default_rng(1), attributes={"brightness": (0.0, 1.0)})
