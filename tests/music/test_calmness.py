"""The calmness score goes down with what arouses, explains itself, and agrees with listeners."""

from __future__ import annotations

from tests.needs import needs

needs("symusic", "symusic has no wheels for this Python")

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from therapy_gen.music.analysis.calmness import FEATURES, Calmness, calmness, calmness_of, contributions
from therapy_gen.music.analysis.valence import FEATURES as VALENCE
from therapy_gen.music.analysis.valence import valence
from therapy_gen.music.midi.midi import read_performance, to_midi
from therapy_gen.music.performance import Note, Part, Performance

VGMIDI = Path(os.environ.get("THERAPY_GEN_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")) / "vgmidi"
POP = VGMIDI.with_name("piano_pop")

Notes = tuple[np.ndarray, np.ndarray, np.ndarray]


def tune(notes_a_second: float = 2.0, legato: float = 1.0, low: int = 60, count: int = 64) -> Notes:
    """A scale up and down, over and over."""
    onsets = np.arange(count) / notes_a_second
    return (
        onsets,
        np.full(count, legato / notes_a_second),
        low + np.array([0, 2, 4, 5, 7, 5, 4, 2])[np.arange(count) % 8],
    )


def in_chords(notes: Notes, size: int) -> Notes:
    """The same notes, so many of them struck together."""
    return notes[0] - (np.arange(len(notes[0])) % size) * (notes[0][1] - notes[0][0]), notes[1], notes[2]


def sharpened(notes: Notes) -> Notes:
    """Every third note a semitone higher."""
    return notes[0], notes[1], notes[2] + (np.arange(len(notes[2])) % 3 == 0)


def in_pairs(notes: Notes) -> Notes:
    """The same rate of notes, every other one hurrying after the one before it."""
    return notes[0] - np.where(np.arange(len(notes[0])) % 2, 0.3, 0.0), notes[1], notes[2]


AROUSING: dict[str, Callable[[], Notes]] = {
    "steady rate": lambda: tune(3.0, legato=1.5),
    "fast notes": lambda: in_pairs(tune()),
    "upper notes": lambda: tune(3.0, legato=1.5),
    "short notes": lambda: tune(legato=0.5),
    "brevity": lambda: tune(legato=0.5),
    "detachment": lambda: tune(legato=0.5),
    "chords": lambda: in_chords(tune(), 3),
    "full chords": lambda: in_chords(tune(), 4),
    "bass rate": lambda: tune(low=36),
    "bass": lambda: tune(low=36),
    "chromaticism": lambda: sharpened(tune()),
}


@pytest.mark.parametrize("feature", AROUSING)
def test_what_arouses_lowers_the_score_through_its_own_feature(feature: str) -> None:
    plain, arousing = calmness(*tune()), calmness(*AROUSING[feature]())
    assert arousing.values[feature] > plain.values[feature]
    assert arousing.contributions[feature] < plain.contributions[feature]
    assert arousing.score < plain.score


@pytest.mark.parametrize("name", FEATURES)
def test_every_feature_is_monotone_and_says_where_it_comes_from(name: str) -> None:
    added = [FEATURES[name].contribution(value) for value in np.linspace(0.0, 127.0, 128)]
    # What is bent levels off.
    assert np.all(np.diff(added) <= 0)
    assert added[0] > added[-1]
    assert any(digit in FEATURES[name].source for digit in "12")


def test_contributions_add_up_to_the_score() -> None:
    found = calmness(*tune(1.7), velocities=np.arange(40, 104))
    assert list(found.contributions) == list(FEATURES)
    assert found.contributions == contributions(found.values)
    assert 1 / (1 + np.exp(-sum(found.contributions.values()))) == pytest.approx(found.score)


def test_features_of_another_version_add_nothing() -> None:
    assert contributions({"leaps": 3.0}) == {}


def test_velocity_counts_only_where_it_varies() -> None:
    notes = tune()
    without = calmness(*notes)
    spread = np.arange(64) % 9
    assert calmness(*notes, velocities=np.full(64, 100)) == without
    assert "loudness" not in without.values
    soft, loud = (calmness(*notes, velocities=level + spread).score for level in (30, 100))
    assert loud < without.score < soft


notes_played = st.lists(
    st.tuples(st.floats(0.0, 30.0), st.floats(0.03, 6.0), st.integers(21, 108), st.integers(1, 127)),
    min_size=8,
    max_size=60,
)


def columns(rows: list[tuple[float, float, int, int]]) -> tuple[np.ndarray, ...]:
    onsets, durations, pitches, velocities = zip(*rows, strict=True)
    return np.array(onsets), np.array(durations), np.array(pitches), np.array(velocities)


@settings(max_examples=60, deadline=None)
@given(notes_played, st.floats(1.05, 4.0))
def test_the_same_notes_slower_are_calmer(rows: list[tuple[float, float, int, int]], slower: float) -> None:
    onsets, durations, pitches, _ = columns(rows)
    # From where no two onsets become one, or come apart.
    onsets = np.round(onsets / 0.06) * 0.06
    assert (
        calmness(onsets * slower, durations * slower, pitches).score > calmness(onsets, durations, pitches).score - 0.01
    )


@settings(max_examples=60, deadline=None)
@given(notes_played, st.integers(1, 60))
def test_the_same_notes_struck_harder_are_less_calm(rows: list[tuple[float, float, int, int]], harder: int) -> None:
    onsets, durations, pitches, velocities = columns(rows)
    soft = velocities % 60 + 1
    if soft.std() > 1.0:
        parts = [calmness(onsets, durations, pitches, soft + more).contributions for more in (0, harder)]
        assert parts[1]["loudness"] < parts[0]["loudness"]
        assert {name: part for name, part in parts[0].items() if name != "loudness"} == {
            name: part for name, part in parts[1].items() if name != "loudness"
        }


@settings(max_examples=40, deadline=None)
@given(notes_played, st.floats(0.0, 600.0), st.integers(-2, 2))
def test_when_it_begins_and_in_which_key_it_stands_does_not_matter(
    rows: list[tuple[float, float, int, int]], later: float, moved: int
) -> None:
    onsets, durations, pitches, velocities = columns(rows)
    onsets = np.round(onsets, 1)
    plain = calmness(onsets, durations, pitches, velocities)
    assert calmness(onsets + np.round(later), durations, pitches, velocities).score == pytest.approx(plain.score)
    # Another key, as long as no note crosses C3 or C4.
    high = np.maximum(pitches, 62)
    assert calmness(onsets, durations, high + moved).score == pytest.approx(calmness(onsets, durations, high).score)


def test_a_loud_level_alone_does_not_decide() -> None:
    onsets, durations, pitches = tune(0.5)
    spread = np.arange(64) % 9
    slow_but_loud = calmness(onsets, durations, pitches, spread + 118)
    onsets, durations, pitches = tune(9.0, legato=0.5, low=40)
    fast_but_soft = calmness(onsets, durations, pitches, spread + 1)
    assert fast_but_soft.score < slow_but_loud.score
    weight = FEATURES["loudness"].weight
    assert all(abs(found.contributions["loudness"]) <= 2 * weight for found in (slow_but_loud, fast_but_soft))


def test_what_rings_in_the_pedal_sounds() -> None:
    onsets, _, pitches = tune()
    notes = tuple(Note(float(at), 0.1, int(pitch), 60) for at, pitch in zip(onsets, pitches, strict=True))

    def scored(*pedal: tuple[float, float]) -> Calmness:
        return calmness_of(Performance((Part("Piano", 0, notes, pedal=pedal),), 60.0, "", 40.0, ""))

    dry, always = scored(), scored((0.0, 33.0))
    assert always.values["short notes"] < dry.values["short notes"]
    assert always.values["brevity"] < dry.values["brevity"]
    assert always.score > dry.score
    # A pedal that nobody takes up does not make a note last for ever, and one that is up does nothing.
    assert scored((0.0, 3000.0)).score == pytest.approx(always.score, abs=0.01)
    assert scored((0.2, 0.4), (0.7, 0.9)) == dry


@pytest.mark.skipif(not VGMIDI.is_dir(), reason=f"no human ratings at {VGMIDI}")
@pytest.mark.parametrize("pedal_s", [None, 2.0])
def test_uneven_pedalled_clips_are_told_from_lively_music(pedal_s: float | None) -> None:
    """Short clips, onsets shaken, notes missed, durations as they are transcribed from a pedalled recording."""
    rng = np.random.default_rng(0)
    scores, arousal = [], []
    with (VGMIDI / "labels.tsv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            midi = symusic.Score(str(VGMIDI / row["file"])).to("second")
            rows = [
                (n.time, n.duration, n.pitch)
                for track in midi.tracks
                if not track.is_drum
                for n in track.notes
                if n.time < 30.0
            ]
            notes = np.array(rows)[rng.random(len(rows)) < 0.95]
            ends = np.minimum(notes[:, 0] + notes[:, 1], 30.0)
            if pedal_s:
                ends = np.minimum((np.floor(ends / pedal_s) + 1) * pedal_s, 30.0)
            notes[:, 0] += rng.normal(0.0, 0.012, len(notes))
            scores.append(calmness(notes[:, 0], np.maximum(ends - notes[:, 0], 0.03), notes[:, 2].astype(int)).score)
            arousal.append(float(row["mean_arousal"]))
    calm = np.array(arousal) < np.median(arousal)
    higher = np.array(scores)[calm][:, None] > np.array(scores)[~calm]
    assert higher.mean() > 0.92


def test_order_of_notes_does_not_matter() -> None:
    notes = tune()
    shuffled = np.random.default_rng(0).permutation(64)
    velocities, drums = np.arange(64) + 20, np.arange(64) % 3 == 0
    ordered = calmness(*notes, velocities, drums)
    again = calmness(*(column[shuffled] for column in notes), velocities[shuffled], drums[shuffled])
    assert again.values == pytest.approx(ordered.values)


def test_percussion_counts_as_strokes_but_has_no_pitch() -> None:
    onsets, durations, pitches = tune()
    with_drums = calmness(
        np.tile(onsets, 2),
        np.concatenate([durations, np.full(64, 0.05)]),
        np.concatenate([pitches, np.full(64, 36)]),
        percussion=np.repeat([False, True], 64),
    )
    plain = calmness(onsets, durations, pitches)
    for feature in ("short notes", "brevity", "detachment", "chords", "bass", "chromaticism"):
        assert with_drums.values[feature] == pytest.approx(plain.values[feature])
    assert with_drums.score < plain.score
    only = calmness(onsets, durations, pitches, percussion=np.ones(64, dtype=bool))
    assert set(only.values) == {"steady rate", "fast notes"}


def test_a_performance_is_scored_as_its_notes_are_and_as_its_file_is() -> None:
    onsets, durations, pitches = tune()
    notes = tuple(
        Note(float(onset), float(duration), int(pitch), 50 + n % 20)
        for n, (onset, duration, pitch) in enumerate(zip(onsets, durations, pitches, strict=True))
    )
    drums = tuple(Note(note.onset, 0.1, 42, 90) for note in notes[::4])
    performance = Performance((Part("Piano", 0, notes), Part("Drums", 0, drums, bank=128)), 60.0, "", 40.0, "")
    scored = calmness_of(performance)
    file = calmness_of(read_performance(to_midi(performance, title="Scale")))
    assert file.score == pytest.approx(scored.score, abs=1e-3)
    assert scored.values["bass"] == 0.0
    assert scored.values["steady rate"] == pytest.approx(80 / 32, rel=0.02)


@pytest.mark.parametrize("velocities", [None, np.array([60])])
def test_one_note_has_a_score(velocities: np.ndarray | None) -> None:
    assert 0.0 < calmness(np.array([3.0]), np.array([0.01]), np.array([60]), velocities).score < 1.0


def test_no_notes_have_no_score() -> None:
    with pytest.raises(ValueError, match="at least one note"):
        calmness(np.zeros(0), np.zeros(0), np.zeros(0, dtype=int))
    with pytest.raises(ValueError, match="at least one note"):
        calmness_of(Performance((), 60.0, "", 1.0, ""))


@pytest.mark.skipif(not POP.is_dir(), reason=f"no human ratings at {POP}")
def test_clips_of_piano_pop_are_told_apart() -> None:
    """Low arousal from high, without and with velocities, and pleasant from unpleasant: areas under the ROC curve."""
    told: dict[str, list[tuple[bool, float]]] = {"notes": [], "velocities": [], "valence": []}
    with (POP / "labels.tsv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            midi = symusic.Score(str(POP / row["file"])).to("second")
            notes = np.array([(n.time, n.duration, n.pitch, n.velocity) for t in midi.tracks for n in t.notes])
            onsets, durations, (pitches, velocities) = notes[:, 0], notes[:, 1], notes[:, 2:].T.astype(int)
            low = row["arousal"] == "low"
            told["notes"].append((low, calmness(onsets, durations, pitches).score))
            told["velocities"].append((low, calmness(onsets, durations, pitches, velocities).score))
            told["valence"].append((row["valence"] == "pleasant", valence(onsets, durations, pitches).score))
    found = {}
    for name, pairs in told.items():
        yes, no = (np.array([score for is_it, score in pairs if is_it == wanted]) for wanted in (True, False))
        found[name] = float((yes[:, None] > no).mean())
    assert found["notes"] > 0.91
    assert found["velocities"] > 0.943
    assert found["valence"] > 0.78


def test_major_sounds_more_pleasant_than_minor() -> None:
    onsets, durations = np.repeat(np.arange(8.0), 3), np.ones(24)
    major = np.tile([60, 64, 67, 65, 69, 72, 67, 71, 74, 60, 64, 67], 2)
    minor = np.tile([60, 63, 67, 65, 68, 72, 67, 70, 74, 60, 63, 67], 2)
    bright, dark = (valence(onsets, durations, pitches) for pitches in (major, minor))
    assert bright.score > 0.6 > dark.score
    assert 1 / (1 + np.exp(-sum(bright.contributions.values()))) == pytest.approx(bright.score)
    assert set(bright.contributions) == set(VALENCE)
    cluster = valence(onsets, durations, np.tile([60, 61, 66, 66, 67, 72, 62, 61, 68, 60, 66, 61], 2))
    assert cluster.contributions["clear keys"] < bright.contributions["clear keys"]


@pytest.mark.skipif(not VGMIDI.is_dir(), reason=f"no human ratings at {VGMIDI}")
def test_the_score_falls_with_the_arousal_that_listeners_report() -> None:
    scores, arousal = [], []
    with (VGMIDI / "labels.tsv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            midi = symusic.Score(str(VGMIDI / row["file"])).to("second")
            notes = np.array([(n.time, n.duration, n.pitch) for t in midi.tracks if not t.is_drum for n in t.notes])
            scores.append(calmness(notes[:, 0], notes[:, 1], notes[:, 2].astype(int)).score)
            arousal.append(float(row["mean_arousal"]))
    assert spearmanr(scores, arousal).statistic < -0.86
