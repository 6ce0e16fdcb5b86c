"""The measures of sections on notes that are written down here, and the comparison of two sets of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import gaussian_kde

from therapy_gen.music.analysis.register import pitch_name, register_of
from therapy_gen.music.analysis.statistics import MEASURES, compare, measure
from therapy_gen.music.analysis.tension import DISTANCES, KEYS, PITCHES, UNIT, tonal_tension
from therapy_gen.music.metre import METRES
from therapy_gen.music.performance import Note, Part, Performance
from therapy_gen.music.tokens import NOTE_OFF, VoiceNote, pitch_to_token


def section(bars: int, *notes: tuple[int, int, int, int]) -> np.ndarray:
    """Tokens of notes (voice, start, end, pitch)."""
    tokens = np.zeros((16 * bars, 2), dtype=np.int64)
    for voice, start, end, pitch in notes:
        tokens[start, voice] = pitch_to_token(pitch)
        if end < len(tokens) and tokens[end, voice] == 0:
            tokens[end, voice] = NOTE_OFF
    return tokens


# Two bars: C E in the first, G and a low C beside it in the second, the last half of which is silent.
TWO_BARS = section(2, (0, 0, 8, 60), (0, 8, 16, 64), (0, 16, 24, 67), (1, 16, 20, 48))


def test_measures_of_two_bars() -> None:
    found = measure(TWO_BARS)
    assert set(found) == set(MEASURES)
    # Classes C twice, E, G: 1.5 bits.
    assert found["pitch_class_entropy"] == pytest.approx(1.5)
    assert found["scale_consistency"] == 1.0
    # The bars differ at one of sixteen steps.
    assert found["groove_consistency"] == pytest.approx(15 / 16)
    # One note for 20 sixteenths, two for four.
    assert found["polyphony"] == pytest.approx((20 + 2 * 4) / 24)
    assert found["pitch_range"] == 19.0
    assert found["empty_beat_rate"] == 2 / 8
    assert found["notes_a_bar"] == 2.0
    assert found["mean_interval"] == 3.5


def test_notes_outside_a_scale() -> None:
    chromatic = section(1, *((0, 2 * n, 2 * n + 2, 60 + n) for n in range(8)))
    assert measure(chromatic)["scale_consistency"] == pytest.approx(5 / 8)
    assert measure(section(1, (0, 0, 4, 61), (0, 4, 8, 66)))["scale_consistency"] == 1.0


@pytest.mark.parametrize("tonic", range(12))
def test_each_major_scale_and_its_relative_minor_are_scales(tonic: int) -> None:
    major = section(1, *((0, 2 * n, 2 * n + 2, 48 + tonic + step) for n, step in enumerate((0, 2, 4, 5, 7, 9, 11, 12))))
    assert measure(major)["scale_consistency"] == pytest.approx(1.0)


def test_what_takes_no_time_is_not_measured() -> None:
    # Bars of 3/4 fill twelve of sixteen steps: a note in each, held to the bar line.
    bars = section(2, (0, 0, 16, 60), (0, 16, 32, 62))
    found = measure(bars, METRES["3/4"])
    assert found["notes_a_bar"] == 1.0
    assert found["groove_consistency"] == 1.0
    assert found["empty_beat_rate"] == 0.0


def test_one_note_and_none() -> None:
    one = measure(section(1, (0, 0, 4, 60)))
    assert np.isnan(one["mean_interval"])
    assert one["groove_consistency"] == 1.0
    assert one["empty_beat_rate"] == 0.75
    none = measure(section(1))
    assert (none["empty_beat_rate"], none["notes_a_bar"], none["groove_consistency"]) == (1.0, 0.0, 1.0)
    assert np.isnan(none["polyphony"])
    # The line is that of the first voice alone.
    assert np.isnan(measure(section(1, (1, 0, 4, 60), (1, 4, 8, 67)))["mean_interval"])


def sections_of(rng: np.random.Generator, count: int, notes: int) -> list[np.ndarray]:
    return [
        section(2, *((0, 2 * int(at), 2 * int(at) + 2, 60) for at in rng.choice(16, notes + n % 4, replace=False)))
        for n in range(count)
    ]


def test_a_set_compared_with_itself_overlaps_wholly() -> None:
    own = sections_of(np.random.default_rng(1), 12, 6)
    table = compare(own, own)
    assert table["notes_a_bar"]["overlap"] == pytest.approx(1.0, abs=2e-3)
    assert table["notes_a_bar"]["kl"] == 0.0


def test_overlap_and_divergence_are_those_of_kernel_densities() -> None:
    real, made = (sections_of(np.random.default_rng(seed), 16, notes) for seed, notes in ((1, 5), (2, 7)))
    found = compare(real, made)["notes_a_bar"]
    values = [np.array([measure(one)["notes_a_bar"] for one in own]) for own in (real, made)]
    assert (found["real"], found["made"]) == (values[0].mean(), values[1].mean())
    grid = np.linspace(-4.0, 12.0, 4000)
    p, q = (gaussian_kde(own, 1.06 * len(own) ** -0.2)(grid) for own in values)
    step = grid[1] - grid[0]
    assert found["overlap"] == pytest.approx((np.minimum(p, q) * step).sum(), abs=0.01)
    assert found["kl"] == pytest.approx((p * np.log(p / q) * step).sum(), rel=0.03)


def test_sets_apart_do_not_overlap_and_what_neither_has_is_left_out() -> None:
    few, many = ([section(1, *((0, 2 * n, 2 * n + 1, 60) for n in range(count)))] * 3 for count in (1, 8))
    table = compare(few, many)
    assert table["notes_a_bar"]["overlap"] < 1e-3
    assert table["notes_a_bar"]["kl"] > 10.0
    assert "mean_interval" not in table
    assert "notes_a_bar" not in compare(few[:1], many)


def test_sections_of_three_quarters_are_compared_in_their_metre() -> None:
    bars = [section(2, (0, 0, 16, 60), (0, 16, 32, 62))] * 2
    assert compare(bars, bars, [METRES["3/4"]] * 2)["notes_a_bar"]["real"] == 1.0


def test_strain_is_the_way_to_the_centre_of_the_key_in_major_and_in_minor() -> None:
    def at(fifths: int) -> np.ndarray:
        return np.array([np.sin(fifths * np.pi / 2), np.cos(fifths * np.pi / 2), fifths * np.sqrt(2 / 15)])

    def chord(root: int, minor: bool) -> np.ndarray:
        return 0.516 * at(root) + 0.315 * at(root + 1) + 0.168 * at(root - 3 if minor else root + 4)

    major = 0.516 * chord(0, False) + 0.315 * chord(1, False) + 0.168 * chord(-1, False)
    minor = (
        0.516 * chord(0, True)
        + 0.315 * (0.75 * chord(1, False) + 0.25 * chord(1, True))
        + 0.168 * (0.75 * chord(-1, True) + 0.25 * chord(-1, False))
    )
    assert np.array([major, minor]) == pytest.approx(KEYS)
    for third, fifths, key in ((4, (0, 4, 1), major), (3, (0, -3, 1), minor)):
        notes = [VoiceNote(0, 4, 60 + step, voice) for voice, step in enumerate((0, third, 7))]
        centre = sum(at(step) for step in fifths) / 3
        expected = np.linalg.norm(centre - key) / (12 * np.sqrt(2 / 15))
        assert tonal_tension(notes, 4)["tensile_strain"] == pytest.approx(expected)
    assert pytest.approx(12 * np.sqrt(2 / 15)) == UNIT
    # Spelt from D flat (five fifths down) to F sharp (six up).
    assert PITCHES[:, 2] / np.sqrt(2 / 15) == pytest.approx([0, -5, 2, -3, 4, -1, 6, 1, -4, 3, -2, 5])
    assert DISTANCES[0, 7] == pytest.approx(np.linalg.norm(at(0) - at(1)))


def test_a_sixteenth_of_a_quarter_sounds_in_it_and_weighs_a_quarter_of_one() -> None:
    notes = [VoiceNote(0, 4, 60, 0), VoiceNote(3, 8, 67, 1)]
    found = tonal_tension(notes, 8)
    # Both sound in the first quarter, one in the second.
    assert found["cloud_diameter"] == pytest.approx(DISTANCES[0, 7] / UNIT / 2)
    moved = np.linalg.norm(PITCHES[7] - (0.8 * PITCHES[0] + 0.2 * PITCHES[7])) / UNIT
    assert found["cloud_momentum"] == pytest.approx(moved)


def test_momentum_needs_two_quarters_beside_one_another() -> None:
    assert np.isnan(tonal_tension([VoiceNote(0, 4, 60, 0), VoiceNote(8, 12, 67, 0)], 12)["cloud_momentum"])


def of_parts(*parts: tuple[str, int, list[tuple[float, float, int]]]) -> Performance:
    made = tuple(
        Part(name, 0, tuple(Note(*note, 60) for note in notes), pedal=(), bank=bank) for name, bank, notes in parts
    )
    return Performance(made, 60, "", 16.0, "")


def test_register_is_the_melody_s_or_else_the_top_line_s() -> None:
    assert register_of(of_parts(("Melody", 0, [(0.0, 1.0, 70), (1.0, 1.0, 73)]), ("Bass", 0, [(0.0, 1.0, 90)]))) == 71.5
    # Struck nearly together: the highest. Under one that still sounds: not heard as the top.
    line = [(0.0, 1.0, 60), (0.04, 1.0, 64), (1.5, 1.0, 70), (2.0, 0.2, 50), (2.6, 1.0, 62)]
    assert register_of(of_parts(("Piano", 0, line))) == pytest.approx((64 + 70 + 62) / 3)
    assert register_of(of_parts(("Piano", 0, [(0.0, 1.0, 64), (0.05, 1.0, 67)]))) == 65.5
    assert register_of(of_parts(("Drums", 128, [(0.0, 1.0, 36)]))) is None


@pytest.mark.parametrize(("pitch", "name"), [(69.2, "A4"), (60.0, "C4"), (59.4, "B3"), (61.0, "D♭4"), (21.0, "A0")])
def test_names_of_pitches(pitch: float, name: str) -> None:
    assert pitch_name(pitch) == name
