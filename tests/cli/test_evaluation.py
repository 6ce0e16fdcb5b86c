"""`model eval` measures a model on a folder of scores, as a table and as JSON."""

from __future__ import annotations

from dataclasses import replace

from tests.needs import needs

needs("symusic", "symusic has no wheels for this Python")

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import symusic

from therapy_gen.musicvae.magenta.configs import CONFIGS, decoder_shapes, variable_shapes
from therapy_gen.musicvae.magenta.imported_weights import pieces, write_stored

Cli = Callable[..., Any]


def write_tune(folder: Path, number: int, quarters: int, tune: list[int], bass: list[int]) -> None:
    """Twenty bars of a tune in quarters, drawn from some pitches, over a bass note a bar."""
    rng = np.random.default_rng(number)
    score = symusic.Score(4)
    score.time_signatures.append(symusic.TimeSignature(0, quarters, 4))
    track = symusic.Track("tune", 0, False)
    for beat in range(quarters * 20):
        track.notes.append(symusic.Note(beat * 4, 4, int(rng.choice(tune)), 60))
        if beat % quarters == 0:
            track.notes.append(symusic.Note(beat * 4, quarters * 4, int(rng.choice(bass)), 60))
    score.tracks.append(track)
    score.dump_midi(str(folder / f"{number}.mid"))


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scores")
    for number in range(4):
        write_tune(folder, number, 4, [60, 62, 64, 65, 67, 72], [36, 41, 43])
    return folder


def test_the_embedded_model_is_measured(scores: Path, cli: Cli) -> None:
    done = cli("model", "eval", "calm", scores, "--most", "8", "--json")
    assert done.status == 0, done.err
    figures = done.document
    assert figures["sections"] == 8
    assert figures["held_out"] is False
    assert set(figures["voices"]) == {"melody", "inner", "bass"}
    for voice in figures["voices"].values():
        assert set(voice) == {"teacher_forced", "greedy", "sampled", "holds"}
        assert all(0 <= share <= 1 for share in voice.values())
    # A tune in quarters holds three steps of four; a model that knows music does better.
    assert figures["voices"]["melody"]["holds"] == pytest.approx(0.75, abs=0.01)
    assert figures["voices"]["melody"]["teacher_forced"] > 0.9
    assert figures["voices"]["melody"]["teacher_forced"] >= figures["voices"]["melody"]["sampled"]
    dimensions = figures["kl_per_dimension"]
    assert len(dimensions) == figures["latent_dimensions"] == 512
    assert dimensions == sorted(dimensions, reverse=True)
    assert sum(dimensions) == pytest.approx(figures["nats"]["kl"], abs=0.2)
    assert 0 < figures["active_units"] <= 512
    way = figures["interpolation"]
    assert way["ways"] == 4
    assert 0 < way["change"] <= way["largest_change"] <= 1
    assert figures["distribution"]
    for row in figures["distribution"].values():
        assert {"real", "made", "overlap", "kl"} <= set(row)
        assert 0 <= row["overlap"] <= 1 + 1e-6

    again = cli("model", "eval", "calm", scores, "--most", "8", "--json")
    assert again.document == figures
    table = cli("model", "eval", "calm", scores, "--most", "8").out
    assert table.startswith("8 sections\n")
    assert f"{figures['voices']['melody']['teacher_forced']:.3f}" in table
    assert f"{figures['active_units']} of 512 latent dimensions in use" in table


def test_samples_are_compared_in_the_mode_and_metre_of_the_music(cli: Cli, tmp_path: Path) -> None:
    for number in range(4):
        write_tune(tmp_path, number, 3, [57, 60, 62, 64, 68, 69], [33, 38, 40])
    done = cli("model", "eval", "calm", tmp_path, "--most", "16", "--json")
    assert done.status == 0, done.err
    # A beat in four would be empty in most bars, and bars of four quarters among those of three, if all were in 4/4.
    rows = done.document["distribution"]
    assert rows["notes_a_bar"]["real"] == pytest.approx(4.0)
    assert rows["groove_consistency"]["real"] == pytest.approx(1.0)
    assert rows["empty_beat_rate"]["made"] < 0.1
    imported = replace(CONFIGS["cat-mel_2bar_small"], z_size=6, encoder_units=(8,), decoder_units=(9, 9))
    rng = np.random.default_rng(4)
    shapes = variable_shapes(imported)
    arrays = (rng.normal(0, 0.9, shape).astype(np.float32) for shape in shapes.values())
    write_stored(tmp_path / "two.safetensors", imported, {}, shapes, (pieces(array) for array in arrays))
    other = cli("model", "eval", tmp_path / "two.safetensors", tmp_path)
    assert other.status == 1
    assert "are not in 4/4: left out" in other.err
    assert "holds 0 sections that the model can read" in other.err.splitlines()[-1]


def test_imported_models_are_measured_without_an_encoder_by_samples(scores: Path, cli: Cli, tmp_path: Path) -> None:
    config = replace(CONFIGS["cat-mel_2bar_small"], z_size=6, encoder_units=(8,), decoder_units=(9, 9))
    rng = np.random.default_rng(4)
    for name, shapes in (("whole", variable_shapes(config)), ("half", decoder_shapes(config))):
        arrays = (rng.normal(0, 0.9, shape).astype(np.float32) for shape in shapes.values())
        write_stored(tmp_path / f"{name}.safetensors", config, {}, shapes, (pieces(array) for array in arrays))
    whole = cli("model", "eval", tmp_path / "whole.safetensors", scores, "--most", "4", "--json").document
    assert set(whole["voices"]) == {"melody"}
    assert len(whole["kl_per_dimension"]) == 6
    half = cli("model", "eval", tmp_path / "half.safetensors", scores, "--most", "4", "--json")
    assert half.status == 0, half.err
    assert "voices" not in half.document
    assert half.document["distribution"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("model eval nonesuch {scores}", "nonesuch"),
        ("model eval calm {scores} --most 1", "--most 1 is too few"),
        ("model eval calm {scores} --calmest 2", "--calmest 2"),
        ("model eval calm {scores} --seed -1", "seed -1 is out of range"),
        ("model eval calm {empty}", "no scores"),
    ],
)
def test_what_cannot_be_measured_is_said(words: str, said: str, scores: Path, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = cli(*words.format(scores=scores, empty=tmp_path / "empty").split())
    assert done.status == 1
    assert said in done.error_line


def test_pieces_of_two_bars_measure_a_model_of_two_bars(cli: Cli, tmp_path: Path) -> None:
    config = replace(CONFIGS["cat-mel_2bar_small"], z_size=6, encoder_units=(8,), decoder_units=(9, 9))
    rng = np.random.default_rng(4)
    shapes = variable_shapes(config)
    arrays = (rng.normal(0, 0.9, shape).astype(np.float32) for shape in shapes.values())
    write_stored(tmp_path / "two.safetensors", config, {}, shapes, (pieces(array) for array in arrays))
    (tmp_path / "loops").mkdir()
    for number in range(3):
        score = symusic.Score(4)
        score.time_signatures.append(symusic.TimeSignature(0, 4, 4))
        track = symusic.Track("tune", 0, False)
        track.notes.extend(symusic.Note(beat * 4, 4, 60 + (beat * (number + 2)) % 7, 60) for beat in range(8))
        score.tracks.append(track)
        score.dump_midi(str(tmp_path / "loops" / f"{number}.mid"))
    done = cli("model", "eval", tmp_path / "two.safetensors", tmp_path / "loops", "--json")
    assert done.status == 0, done.err
    assert done.document["sections"] == 3
    # Where all values of a measure are equal, its figures are numbers too.
    assert all(np.isfinite(value) for row in done.document["distribution"].values() for value in row.values())
    assert cli("model", "eval", "calm", tmp_path / "loops").status == 1
