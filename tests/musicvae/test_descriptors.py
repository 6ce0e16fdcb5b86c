"""What sections are like: descriptors of notes that are written down here."""

from __future__ import annotations

import numpy as np

from therapy_gen.musicvae.prior.descriptors import DENSITY, section_descriptors

C4 = 60 - 21 + 2


def section(bars: int = 4, voices: int = 3) -> np.ndarray:
    return np.zeros((1, bars * 16, voices), dtype=np.uint8)


def test_descriptors_are_those_of_the_notes() -> None:
    tokens = section()
    # In each bar: C, C, D, E, a fifth down to A, an octave up.
    for bar in range(4):
        tokens[0, bar * 16 : bar * 16 + 12 : 2, 0] = np.array([0, 0, 2, 4, -3, 9]) + C4
    tokens[0, ::16, 2] = C4 - 12
    (descriptors,) = section_descriptors(tokens)
    assert descriptors.shape == (27,)
    assert descriptors[DENSITY] == 7.0
    np.testing.assert_allclose(descriptors[1:4], np.sqrt([6, 0, 1]), rtol=1e-6)
    # Melody intervals: 0, 2, 2, -7, 12 four times, and -9 between bars three times.
    np.testing.assert_allclose(descriptors[4:9], np.array([4, 0, 8, 0, 4]) / 23, rtol=1e-6)
    np.testing.assert_allclose(descriptors[9], (4 * 23 + 3 * 9) / 23, rtol=1e-6)
    assert descriptors[13] == C4 - 12
    shares = descriptors[14:26] ** 2
    np.testing.assert_allclose(shares.sum(), 1.0, rtol=1e-6)
    np.testing.assert_allclose(sorted(shares)[-4:], np.array([4, 4, 8, 12]) / 28, rtol=1e-6)
    assert descriptors[26] == 1.0


def test_sections_of_rests_and_of_two_bars_have_descriptors_too() -> None:
    for bars in (2, 16):
        descriptors = section_descriptors(section(bars))
        assert np.isfinite(descriptors).all()
        assert descriptors[0, DENSITY] == 0.0


def test_bars_return_as_often_as_they_do() -> None:
    rng = np.random.default_rng(0)
    fresh = rng.integers(2, 90, (1, 256, 3)).astype(np.uint8)
    returning = np.tile(fresh[:, :64], (1, 4, 1))
    again, new = section_descriptors(np.concatenate([returning, fresh]))[:, -1]
    assert 0.75 < again < 0.85
    assert new < 0.1
