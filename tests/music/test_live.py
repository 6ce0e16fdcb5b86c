"""Loudness before anything is rendered: an estimate from notes against the measured sound."""

from __future__ import annotations

import numpy as np
import pytest

from therapy_gen.music.audio import SAMPLE_RATE
from therapy_gen.music.audio.live.estimate import estimate_loudness
from therapy_gen.music.audio.live.live_timeline import live_renderer
from therapy_gen.music.audio.loudness import LoudnessMeter
from therapy_gen.music.audio.mix import Mix
from therapy_gen.music.audio.synth import StruckNote

_LENGTH_S = 8.0


def _notes(program: int, bank: int = 0) -> list[StruckNote]:
    pitches = (48, 55, 60, 64, 67, 72, 69, 62)
    return [StruckNote(0.7 * n, 1.5, pitch, 45 + 3 * n, program, bank) for n, pitch in enumerate(pitches)]


@pytest.mark.parametrize("program", [11, 24, 46])
def test_an_estimate_is_near_what_is_measured(program: int) -> None:
    renderer = live_renderer(Mix(), SAMPLE_RATE)
    measured = LoudnessMeter(SAMPLE_RATE)
    for block in renderer.bare(_notes(program), round(_LENGTH_S * SAMPLE_RATE)):
        measured.add(block.T)
    estimated = estimate_loudness(_notes(program), _LENGTH_S, "room", SAMPLE_RATE)
    assert estimated is not None
    gain, _ = renderer.levels_of(measured)
    expected, _ = renderer.levels_of(estimated)
    assert abs(20 * np.log10(expected / gain)) < 1.5


def test_drums_are_not_estimated() -> None:
    assert estimate_loudness(_notes(0, bank=128), _LENGTH_S, "room", SAMPLE_RATE) is None


def test_silence_is_estimated() -> None:
    estimated = estimate_loudness([], 3.0, "dry", SAMPLE_RATE)
    assert estimated is not None
    assert estimated.peak == 0.0
