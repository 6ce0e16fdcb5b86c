"""Tonal tension grows with distance on the line of fifths, and knows no key of its own."""

from __future__ import annotations

import numpy as np
import pytest

from therapy_gen.music.analysis.tension import tonal_tension
from therapy_gen.music.tokens import VoiceNote


def chords(*classes: tuple[int, ...]) -> list[VoiceNote]:
    """A chord a quarter."""
    return [VoiceNote(4 * n, 4 * n + 4, 60 + c, v) for n, chord in enumerate(classes) for v, c in enumerate(chord)]


CADENCE = ((0, 4, 7), (5, 9, 0), (7, 11, 2), (0, 4, 7))


def test_a_note_has_no_width_and_a_tritone_more_than_a_fifth() -> None:
    fifth_height = np.sqrt(2 / 15)
    unit = 12 * fifth_height
    still = tonal_tension(chords((0,), (0,)), 8)
    assert still["cloud_diameter"] == 0
    assert still["cloud_momentum"] == 0
    fifth = tonal_tension(chords((0, 7), (0, 7)), 8)
    # A fifth is a quarter of a turn: sqrt(2) on the circle and a step up.
    assert fifth["cloud_diameter"] == pytest.approx(np.hypot(np.sqrt(2), fifth_height) / unit)
    tritone = tonal_tension(chords((0, 6), (0, 6)), 8)
    assert tritone["cloud_diameter"] > fifth["cloud_diameter"]


def test_the_key_of_a_piece_changes_nothing() -> None:
    home = tonal_tension(chords(*CADENCE), 16)
    away = tonal_tension([note._replace(pitch=note.pitch + 5) for note in chords(*CADENCE)], 16)
    assert away == pytest.approx(home)
    assert home["cloud_momentum"] > 0


def test_notes_outside_the_key_strain_it() -> None:
    plain = tonal_tension(chords(*CADENCE), 16)
    strange = tonal_tension(chords(CADENCE[0], (1, 6, 8), CADENCE[2], CADENCE[3]), 16)
    assert strange["tensile_strain"] > plain["tensile_strain"]
    assert strange["cloud_momentum"] > plain["cloud_momentum"]
    assert np.isnan(tonal_tension([], 16)["tensile_strain"])
