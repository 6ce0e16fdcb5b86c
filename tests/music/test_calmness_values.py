"""Every feature of the scores on notes that are written down here, and what it adds: stored scores stay comparable."""

from __future__ import annotations

import math

import numpy as np
import pytest

from therapy_gen.music.analysis import calmness, valence
from therapy_gen.music.analysis.additive import Feature, added_up

# Onset, duration, pitch, velocity: a chord of four notes, a quick pair, a long low note.
NOTES = np.array(
    [
        (0.0, 1.0, 47, 47),
        (0.0, 1.0, 60, 57),
        (0.0, 1.0, 64, 67),
        (0.0, 1.0, 67, 77),
        (1.0, 0.1, 61, 87),
        (1.2, 0.8, 72, 97),
        (2.0, 2.0, 48, 107),
    ]
)
ONSETS, DURATIONS = NOTES[:, 0], NOTES[:, 1]
PITCHES, VELOCITIES = NOTES[:, 2].astype(int), NOTES[:, 3].astype(int)

# As they were when they were first written down: change them only with the score's version.
CALMNESS_ADDED = {
    "steady rate": 0.276684,
    "fast notes": 0.521948,
    "upper notes": 0.072658,
    "short notes": 0.309043,
    "brevity": 0.185823,
    "detachment": -0.024543,
    "chords": 0.211302,
    "full chords": 0.075956,
    "bass rate": 0.228611,
    "bass": 0.004121,
    "chromaticism": -0.655766,
    "loudness": -0.294329,
}
VALENCE_VALUES = {"major keys": 0.170404, "clear keys": 0.861892, "major chords": 0.333333}
VALENCE_ADDED = {"major keys": 0.60314, "clear keys": 0.485754, "major chords": 0.661085}


def test_calmness_features_are_those_of_the_notes() -> None:
    values = calmness.measure(ONSETS, DURATIONS, PITCHES, VELOCITIES)
    assert values == pytest.approx(
        {
            # Six ways in two seconds; a gap of 0.2 s counts by two thirds; four ways of upper notes in 1.2 s.
            "steady rate": 3.0,
            "fast notes": 0.2 * (2 / 3) / 4.0,
            "upper notes": 4 / 1.2,
            "short notes": (4 * math.exp(-2.0) + math.exp(-0.2) + math.exp(-1.6) + math.exp(-4.0)) / 7,
            "brevity": 1.0 / (6.9 / 7 + 0.05),
            # Of six notes that another follows, one sounds for half the way.
            "detachment": math.log(2.0) / 6,
            "chords": 1 / 4,
            "full chords": 1 / 4,
            "bass rate": 1 / 4,
            "bass": 1 / 7,
            "chromaticism": 1 / 7,
            "loudness": 77.0,
        }
    )


def test_what_calmness_features_add_stays_the_same() -> None:
    added = calmness.calmness(ONSETS, DURATIONS, PITCHES, VELOCITIES).contributions
    assert added == pytest.approx(CALMNESS_ADDED, abs=1e-6)


def test_a_wholly_fast_gap_counts_whole_and_a_slow_one_not_at_all() -> None:
    fast = calmness.measure(np.array([0.0, 0.1, 0.4, 1.0]), np.ones(4), np.full(4, 60))["fast notes"]
    assert fast == pytest.approx(0.1 / 2.0)


@pytest.mark.parametrize(("apart", "chords"), [(0.05, 1 / 2), (0.06, 0.0)])
def test_notes_within_a_twentieth_of_a_second_are_one_chord(apart: float, chords: float) -> None:
    onsets = np.array([0.0, 0.0, apart])
    assert calmness.measure(onsets, 2.0 - onsets, np.array([60, 64, 67]))["chords"] == chords


@pytest.mark.parametrize(("rates", "steady"), [(20, 10.0), (5, 64 / 9.4)])
def test_the_rate_of_the_quietest_tenth_of_the_time_does_not_count(rates: int, steady: float) -> None:
    # Ten notes a second, 64 at a time; a rest of three seconds before the last.
    onsets = np.arange(64 + rates) * 0.1
    onsets[-1] += 3.0
    values = calmness.measure(onsets, np.full(len(onsets), 0.1), np.full(len(onsets), 50))
    assert values["steady rate"] == pytest.approx(steady)
    assert values["upper notes"] == 0.0


def test_the_rate_of_upper_notes_is_what_a_quarter_does_not_reach() -> None:
    onsets = np.arange(21) * 0.1
    onsets[-1] += 3.0
    assert calmness.measure(onsets, np.full(21, 0.1), np.full(21, 60))["upper notes"] == pytest.approx(10.0)
    assert calmness.measure(onsets[1:], np.full(20, 0.1), np.full(20, 60))["upper notes"] == pytest.approx(
        0.25 * 16 / 4.6 + 0.75 * 10.0
    )


def test_a_note_is_detached_by_a_tenth_at_most() -> None:
    values = calmness.measure(np.array([0.0, 10.0, 20.0]), np.array([0.5, 2.0, 1.0]), np.full(3, 60))
    assert values["detachment"] == pytest.approx((math.log(10.0) + math.log(5.0)) / 2)


def test_chromaticism_is_counted_over_sixteen_notes_in_succession() -> None:
    # Two phrases of one scale each, the second a semitone higher: the one across both holds half of each.
    scale = [60, 62, 64, 65, 67, 69, 71, 72]
    pitches = np.array([*scale, *scale, *(p + 1 for p in scale), *(p + 1 for p in scale)])
    values = calmness.measure(np.arange(32.0), np.ones(32), pitches)
    # The upper scale has C and F of the lower one, too.
    across = 1.0 - (8 + 3) / 16
    assert values["chromaticism"] == pytest.approx(across / 3)


def test_velocities_that_hardly_differ_say_nothing() -> None:
    flat = calmness.measure(np.arange(4.0), np.ones(4), np.full(4, 60), np.array([60, 62, 60, 62]))
    assert "loudness" not in flat
    assert calmness.measure(np.arange(4.0), np.ones(4), np.full(4, 60), np.array([60, 63, 60, 63]))["loudness"] == 61.5


def test_drums_have_strokes_and_loudness_alone() -> None:
    values = calmness.measure(np.arange(4.0), np.ones(4), np.full(4, 60), None, np.ones(4, dtype=bool))
    assert list(values) == ["steady rate", "fast notes"]


def test_a_feature_counts_from_its_centre_and_bends() -> None:
    straight = Feature(lambda notes: None, "", "", 2.0, 4.0, 0.5, "")
    assert straight.contribution(2.0) == 0.0
    assert straight.contribution(6.0) == -0.5
    assert Feature(lambda notes: None, "", "", 2.0, 4.0, 0.5, "", lowers=False).contribution(6.0) == 0.5
    bent = Feature(lambda notes: None, "", "", 0.0, 1.0, 1.0, "", most=2.0)
    assert bent.contribution(3.0) == pytest.approx(-2.0 * math.tanh(1.5))
    logarithmic = Feature(lambda notes: None, "", "", 0.0, 1.0, 1.0, "", offset=0.5)
    assert logarithmic.contribution(1.5) == pytest.approx(-math.log(2.0))


def test_a_score_is_the_logistic_of_what_its_features_add() -> None:
    feature = Feature(lambda notes: None, "", "", 0.0, 1.0, 1.0, "", lowers=False)
    assert added_up({"a": feature}, {"a": 2.0}).score == pytest.approx(1.0 / (1.0 + math.exp(-2.0)))
    assert added_up({"a": feature}, {"a": -1000.0}).score == pytest.approx(math.exp(-50.0))
    assert added_up({"a": feature}, {"a": 1000.0}).score == 1.0 / (1.0 + math.exp(-50.0))


def test_valence_features_are_those_of_the_notes() -> None:
    # A major triad for four seconds, then a minor one for two, then a single note.
    onsets = np.array([0.0, 0.0, 0.0, 4.0, 4.0, 4.0, 6.0])
    ends = np.array([4.0, 4.0, 4.0, 6.0, 6.0, 6.0, 7.0])
    pitches = np.array([60, 64, 67, 57, 60, 64, 60])
    found = valence.valence(onsets, ends - onsets, pitches)
    assert found.values["major chords"] == pytest.approx((16 - 8) / 24)
    assert found.values == pytest.approx(VALENCE_VALUES, abs=1e-6)
    assert found.contributions == pytest.approx(VALENCE_ADDED, abs=1e-6)


def test_keys_are_found_over_windows_that_overlap_by_half() -> None:
    # Twelve seconds of C major, four of C minor: windows from 0, 4, 8 and 12 s.
    triads = [(0.0, 12.0, (60, 64, 67)), (12.0, 4.0, (60, 63, 67))]
    notes = [(onset, length, pitch) for onset, length, chord in triads for pitch in chord]
    onsets, durations, pitches = (np.array(column) for column in zip(*notes, strict=True))
    alone = [valence.measure(np.zeros(3), np.full(3, 8.0), np.array(chord)) for chord in ((60, 64, 67), (60, 63, 67))]
    both = valence.measure(onsets, durations, pitches)["major keys"]
    mixed = valence.measure(onsets[[0, 1, 2, 3, 4, 5]] - [0, 0, 0, 8, 8, 8], np.full(6, 4.0), pitches)["major keys"]
    assert alone[0]["major keys"] > mixed > alone[1]["major keys"]
    # The last eight seconds alone have two windows, too: both keys, then minor.
    assert both == pytest.approx((2 * alone[0]["major keys"] + 2 * mixed) / 4)


def test_silence_between_notes_belongs_to_no_key() -> None:
    onsets, durations, pitches = np.array([0.0, 0.0, 40.0, 40.0]), np.full(4, 8.0), np.array([60, 64, 60, 64])
    together = valence.measure(onsets, durations, pitches)
    assert together["clear keys"] == pytest.approx(
        valence.measure(np.zeros(2), np.full(2, 8.0), pitches[:2])["clear keys"]
    )


def test_one_chord_is_not_detached() -> None:
    assert calmness.measure(np.zeros(3), np.ones(3), np.array([60, 64, 67]))["detachment"] == 0.0


def test_when_music_begins_does_not_matter_for_valence() -> None:
    onsets, durations, pitches = np.array([0.0, 1.0, 2.5]), np.array([1.0, 3.0, 2.0]), np.array([60, 64, 67])
    assert valence.measure(onsets + 7.0, durations, pitches) == valence.measure(onsets, durations, pitches)


def test_upper_notes_begin_at_middle_c() -> None:
    counted = [calmness.measure(np.arange(9.0), np.ones(9), np.full(9, pitch))["upper notes"] for pitch in (59, 60)]
    assert counted == [0.0, 1.0]
