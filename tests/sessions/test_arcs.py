"""Arcs: sessions come near the curve asked for, and move along it in small steps."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sessions.builder import new_session
from sessions.errors import PlanError
from sessions.planning.arcs import ARCS, TargetCurve, rms, value_at
from sessions.planning.calm_levels import LEAST_CALM, MOST_CALM
from sessions.planning.keys import fifths_between
from sessions.planning.plan import SessionRequest, usual_tempo
from sessions.storage.library import midi_of
from sessions.storage.store import Store
from therapy_gen.music.midi.midi import read_performance
from therapy_gen.music.tonality import parse_key
from therapy_gen.musicvae.model import Model


@pytest.mark.parametrize("arc", sorted(ARCS))
@pytest.mark.long
def test_sessions_come_near_their_arc_and_move_in_small_steps(arc: str, store: Store, model: Model) -> None:
    """Ten seeds; `benchmarks/music/arcs.py` has longer sessions and more arcs."""
    request = SessionRequest(minutes=12.0 if arc == "iso" else 8.0, arc=arc, tempo=usual_tempo(arc))
    for seed in range(10):
        made = new_session(store, model, request, seed=seed)
        assert rms(made.curve(), made.achieved()) < 0.05
        pieces = made.pieces()
        assert len({piece.palette for piece in pieces}) == 1
        for one, two in pairwise(pieces):
            assert two.tempo <= one.tempo
            assert fifths_between(parse_key(one.key), parse_key(two.key)) <= 1


@pytest.mark.parametrize("arousal", [0.1, 0.5])
def test_an_iso_arc_begins_where_the_listener_is(arousal: float, store: Store, model: Model) -> None:
    request = SessionRequest(minutes=16.0, arc="iso", arousal=arousal, tempo=usual_tempo("iso", arousal))
    made = new_session(store, model, request, seed=3)
    assert made.curve()[0][1] == pytest.approx(1.0 - arousal)
    assert made.parameters["from"] == arousal
    calm = [piece.calm for piece in made.pieces()]
    assert calm[0] == pytest.approx(1.0 - arousal, abs=0.12)
    assert calm[-1] > 0.9


@pytest.mark.parametrize("arc", sorted(ARCS))
@pytest.mark.parametrize("arousal", [None, 0.0, 0.2, 0.5, 1.0])
def test_an_arc_never_grows_less_calm(arc: str, arousal: float | None) -> None:
    curve = [TargetCurve.of(arc, arousal).at(place) for place in np.linspace(0.0, 1.0, 50).tolist()]
    assert curve[0] == TargetCurve.of(arc, arousal).start
    assert all(b >= a - 1e-12 for a, b in pairwise(curve))
    assert (curve[0] == curve[-1]) == (arc == "flat" or TargetCurve.of(arc, arousal).start >= ARCS[arc].end)


@pytest.mark.parametrize("arousal", [-0.1, 1.1, float("nan")])
def test_an_arousal_out_of_range_is_refused(arousal: float) -> None:
    with pytest.raises(PlanError, match=r"arousal .* is out of range; give 0 \(calm\) to 1"):
        TargetCurve.of("iso", arousal)


def test_the_manual_says_where_arcs_begin_and_end() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sessions.md").read_text(encoding="utf-8")
    for name, arc in ARCS.items():
        assert f"| `{name}` | {arc.start:g} | {arc.end:g} |" in page
    assert f"not below {LEAST_CALM:g}" in page
    assert f"nor above {MOST_CALM:g}" in page


def test_the_distance_is_that_over_the_time_of_the_music() -> None:
    curve = ((0.0, 0.5), (100.0, 1.0))
    assert value_at(curve, 50.0) == pytest.approx(0.75)
    assert value_at(curve, 200.0) == 1.0
    assert rms(curve, [(0.0, 100.0, 0.75)]) == pytest.approx(0.5 / np.sqrt(12.0), rel=1e-3)
    assert rms(curve, [(200.0, 300.0, 0.9), (400.0, 500.0, 1.0)]) == pytest.approx(0.1 / np.sqrt(2.0), rel=1e-6)
    assert rms(curve, []) == 0.0


def test_the_last_section_of_a_piece_leans_towards_the_next_piece(store: Store) -> None:
    """In latent space it ends nearer to the first section of the next than the piece's first section is.

    So it is with models that have no memory: what is remembered stays as it is.
    """
    from sqlalchemy import select

    from therapy_gen.musicvae.weights import find_model, load_weights

    weights = load_weights(find_model("calm"))
    arrays = {name: weights.arrays[name] for name in weights.arrays if not name.startswith("memory/")}
    model = Model(dataclasses.replace(weights, arrays=arrays), "calm")

    from sessions.storage.tables import PieceRow

    nearer = []
    for seed in range(2):
        made = new_session(store, model, SessionRequest(minutes=12.0, arc="flat"), seed=seed)
        with store.read() as database:
            rows = {row.id: row for row in database.scalars(select(PieceRow))}
            walks = [
                np.frombuffer(rows[piece.id].z or b"", "<f4").reshape(-1, model.config.z_size)
                for piece in made.pieces()
            ]
        for walk, following in pairwise(walks):
            last, first, target = walk[-1], walk[0], following[0]
            nearer.append(_cosine(last, target) > _cosine(first, target))
    assert np.mean(nearer) >= 0.8


def _cosine(one: np.ndarray, two: np.ndarray) -> float:
    return float(one @ two / np.linalg.norm(one) / np.linalg.norm(two))


@pytest.mark.parametrize("palette", ["piano", "pad"])
def test_instruments_follow_the_arc_without_jumps(palette: str, store: Store, model: Model) -> None:
    """The pad comes forward and the others are struck more softly as it grows calmer; the instruments stay."""
    request = SessionRequest(minutes=16.0, arc="iso", tempo=usual_tempo("iso"))
    made = new_session(store, model, request, seed=4, palette=palette)
    midi = midi_of(store, [piece.id for piece in made.pieces()])
    heard = [read_performance(midi[piece.id]) for piece in made.pieces()]
    assert len({tuple(part.program for part in performance.parts) for performance in heard}) == 1
    pads = [next(part.level for part in performance.parts if part.name == "Pad") for performance in heard]
    struck = [np.mean([note.velocity for note in performance.parts[0].notes]) for performance in heard]
    assert pads[-1] > 1.5 * pads[0]
    assert struck[-1] < struck[0] - 10.0
    for values, step in ((20.0 * np.log10(pads), 4.0), (struck, 13.0)):
        assert np.abs(np.diff(values)).max() < step
    # Levels are read back from steps of a MIDI controller.
    assert all(b >= 0.99 * a for a, b in pairwise(pads))


@pytest.mark.long
@pytest.mark.parametrize(("arc", "arousal"), [("iso", 0.5), ("flat", 0.3), ("calm", 0.4)])
def test_sessions_come_near_arcs_that_begin_aroused(arc: str, arousal: float, store: Store, model: Model) -> None:
    request = SessionRequest(minutes=16.0, arc=arc, arousal=arousal, tempo=usual_tempo(arc, arousal))
    away = []
    for seed in range(4):
        made = new_session(store, model, request, seed=seed)
        away.append(rms(made.curve(), made.achieved()))
    assert np.mean(away) < 0.04
    assert max(away) < 0.05


def test_a_new_arc_is_one_entry(tmp_path: Path) -> None:
    """Help, completion, errors, planning and reports read the registry: nothing else names arcs."""
    script = """
import contextlib, io, json, os
from sessions.planning.arcs import ARCS, Arc
ARCS["toy"] = Arc("down in two steps", 0.93, 0.97, lambda place: 0.0 if place < 0.5 else 1.0)
from therapy_gen.cli.main import run
said = []
for line in ("session new --help", "", "session new --arc none", "session new --arc toy --minutes 6 --seed 1 --json"):
    if not line:
        asked = {"_THERAPY_GEN_COMPLETE": "complete_bash", "COMP_WORDS": "therapy-gen session new --arc "}
        os.environ |= {**asked, "COMP_CWORD": "4"}
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        run(line.split())
    said.append(out.getvalue())
    os.environ.pop("_THERAPY_GEN_COMPLETE", None)
print(json.dumps(said))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "THERAPY_GEN_HOME": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
    )
    helped, completed, refused, made = json.loads(done.stdout)
    assert "toy: down in two steps" in " ".join(helped.split())
    assert "toy" in completed.split()
    assert "give one of: calm, iso, sleep, flat, toy" in refused
    made = json.loads(made)["session"]
    target = made["curve"]["target"]
    assert (target[0][1], target[-1][1]) == (0.93, 0.97)
    assert made["curve"]["rms"] < 0.05
