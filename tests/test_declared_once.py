"""Descriptors are declared once: a new one is measured, stored, shown and told in the manual without another change."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from sessions.errors import PlanError
from sessions.planning.request import SessionRequest
from therapy_gen.cli.completion import layer_names, space_names, transition_names
from therapy_gen.cli.context import GlobalOptions
from therapy_gen.cli.session import session
from therapy_gen.cli.session.new_options import with_attribute_options
from therapy_gen.cli.sound_options import LayerOption, SpaceOption, TransitionOption
from therapy_gen.music.analysis import calmness, valence
from therapy_gen.music.analysis.additive import Feature
from therapy_gen.music.audio.layers import LAYERS
from therapy_gen.music.audio.reverb import SPACES
from therapy_gen.music.audio.transitions import TRANSITIONS
from therapy_gen.music.midi.midi import to_midi
from therapy_gen.music.performance import Note, Part, Performance
from therapy_gen.musicvae.latent.attribute_kinds import ATTRIBUTES, Attribute, AttributeOption
from therapy_gen.musicvae.latent.attributes import attribute_values, attribute_vectors, measured_effects
from therapy_gen.musicvae.prior.descriptors import DESCRIPTORS, Descriptor, columns, section_descriptors

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def tables() -> Any:
    """The program that writes the manual's tables."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.tables


def test_a_new_feature_of_a_score(cli: Any, tmp_path: Path, tables: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = Feature(
        lambda notes: float(len(notes.times)), "how many onsets there are", "onsets", 10.0, 5.0, 0.5, "A 1999"
    )
    before = calmness.calmness(np.arange(4.0), np.ones(4), np.full(4, 60))
    monkeypatch.setitem(calmness.FEATURES, "onsets", toy)
    found = calmness.calmness(np.arange(4.0), np.ones(4), np.full(4, 60))
    assert found.values["onsets"] == 4.0
    assert found.contributions["onsets"] == pytest.approx(0.6)
    assert found.score > before.score
    notes = tuple(Note(0.5 * n, 0.5, 60 + n % 5, 60) for n in range(200))
    music = Performance((Part("Piano", 0, notes, pedal=()),), 120, "C", 100.0, "")
    (tmp_path / "made.mid").write_bytes(to_midi(music, title="Toy"))
    (piece,) = cli("piece", "import", tmp_path / "made.mid", "--json").document["pieces"]
    shown = cli("piece", "show", piece["piece"], "--json").document["piece"]
    (row,) = [row for row in shown["calm_from"] if row["feature"] == "onsets"]
    assert (row["unit"], row["source"]) == ("onsets", "A 1999")
    assert "how many onsets" in tables()["calmness.md"]["calmness features"]


def test_a_new_feature_of_valence(tables: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = Feature(lambda notes: float(notes.sounding.max()), "most notes together", "notes", 0.0, 1.0, 1.0, "B 2001")
    monkeypatch.setitem(valence.FEATURES, "together", toy)
    assert valence.valence(np.zeros(3), np.ones(3), np.array([60, 72, 84])).values["together"] == 3.0
    assert "most notes together" in tables()["calmness.md"]["valence features"]


def test_a_new_attribute(tables: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = Attribute("first pitch of the melody", "classes", lambda section: float(section.tokens[0, 0]), (2.0, 40.0))
    monkeypatch.setitem(ATTRIBUTES, "beginning", toy)
    tokens = np.zeros((50, 32, 3), dtype=np.uint8)
    tokens[:, 0, 0] = np.arange(10, 60)
    values = attribute_values(tokens)
    assert values["beginning"].tolist() == list(range(10, 60))
    arrays = attribute_vectors(np.outer(np.arange(50.0), [0.0, 1.0]).astype(np.float32), values)
    assert arrays["attribute/beginning"][1] > 0.5
    effects = measured_effects(np.zeros((1, 2), dtype=np.float32), lambda z: tokens[:1] + np.uint8(z[0, 1]), arrays)
    assert effects["attribute/beginning/effect"].shape == (7,)
    assert "first pitch of the melody" in tables()["sampling.md"]["attributes"]


def test_what_may_be_asked_of_an_attribute_is_declared_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    toy = Attribute("notes", "notes a bar", ATTRIBUTES["density"].of, (2.0, 3.0))
    monkeypatch.setitem(ATTRIBUTES, "density", toy)
    with pytest.raises(PlanError, match="density 4 is out of range; give 2 to 3 notes a bar"):
        SessionRequest(attributes={"density": (2.0, 4.0)})


def test_a_new_attribute_is_asked_for_by_an_option_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    option = AttributeOption("..", "from highest to lowest")
    toy = Attribute("first pitch", "classes", lambda section: float(section.tokens[0, 0]), (2.0, 40.0), option=option)
    monkeypatch.setitem(ATTRIBUTES, "beginning", toy)
    program = typer.Typer()
    program.command()(with_attribute_options(session.new.__wrapped__))  # type: ignore[attr-defined]
    there = {option.name: option for option in get_command(program).params}
    assert (there["beginning"].opts, there["beginning"].metavar) == (["--beginning"], "LOW..HIGH")
    assert there["beginning"].help == "First pitch; from highest to lowest"  # type: ignore[attr-defined]
    done = CliRunner().invoke(program, ["--beginning", "3..50"], obj=GlobalOptions(home=tmp_path))
    assert str(done.exception) == "beginning 50 is out of range; give 2 to 40 classes"
    assert {"density", "range"} < there.keys()


def test_a_new_descriptor_of_sections(tables: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = np.full((2, 32, 3), 40, dtype=np.uint8)
    before = section_descriptors(tokens)
    toy = Descriptor("highest class of each voice", lambda sections: sections.tokens.max(axis=1), None)
    monkeypatch.setitem(DESCRIPTORS, "highest", toy)
    found = section_descriptors(tokens)
    assert np.array_equal(found[:, :-3], before)
    assert columns("highest", 3) == slice(27, 30)
    assert (found[:, columns("highest", 3)] == 40).all()
    assert "highest class of each voice" in tables()["model.md"]["descriptors"]


@pytest.mark.parametrize(
    ("option", "names"), [(LayerOption, LAYERS), (TransitionOption, TRANSITIONS), (SpaceOption, SPACES)]
)
def test_help_names_every_layer_transition_and_space(option: Any, names: Mapping[str, Any]) -> None:
    said = option.__metadata__[0]
    assert not [name for name in names if name not in f"{said.metavar} {said.help}"]


def test_a_new_layer_and_a_new_transition_are_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    context = SimpleNamespace(find_root=lambda: SimpleNamespace(params={}))
    for names, completed in ((LAYERS, layer_names), (TRANSITIONS, transition_names)):
        monkeypatch.setitem(names, "toy", next(iter(names.values())))
        assert [word for word, _ in completed(context, "to")] == ["toy"]
    assert [word for word, _ in space_names(context, "")] == list(SPACES)
