"""What leads the decoder: pitch classes that are closed or made less likely, and clashes between voices."""

from __future__ import annotations

import numpy as np
import pytest

from therapy_gen.music.tokens import FIRST_PITCH_CLASS, MIN_PITCH, NOTE_OFF
from therapy_gen.musicvae.features import sounding
from therapy_gen.musicvae.model import Model, load_model

C_MAJOR = np.isin(np.arange(12), (0, 2, 4, 5, 7, 9, 11))


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


def decoded(model: Model, **options: object) -> np.ndarray:
    z = np.random.default_rng(0).standard_normal((12, model.config.z_size), dtype=np.float32)
    return model.decode(z, temperature=0.5, rng=np.random.default_rng(1), **options)  # type: ignore[arg-type]


def outside(tokens: np.ndarray) -> float:
    pitches = tokens[tokens > NOTE_OFF].astype(int) - FIRST_PITCH_CLASS + MIN_PITCH
    return float((~C_MAJOR[pitches % 12]).mean())


def clashes(tokens: np.ndarray) -> float:
    heard = sounding(tokens).astype(int)
    found = []
    for a, b in ((0, 1), (0, 2), (1, 2)):
        both = (heard[..., a] > 0) & (heard[..., b] > 0)
        found.append(np.isin(np.abs(heard[..., a] - heard[..., b])[both] % 12, (1, 2, 6, 10, 11)))
    return float(np.concatenate(found).mean())


def test_notes_outside_the_key_are_closed_or_made_rarer(model: Model) -> None:
    free = decoded(model)
    assert outside(free) > 0.1
    np.testing.assert_array_equal(decoded(model, pitch_classes=C_MAJOR, chromatic=0.0), free)
    rarer = outside(decoded(model, pitch_classes=C_MAJOR, chromatic=2.0))
    assert 0.0 < rarer < 0.5 * outside(free)
    assert outside(decoded(model, pitch_classes=C_MAJOR)) == 0.0


def test_the_more_consonance_is_asked_for_the_fewer_clashes(model: Model) -> None:
    shares = [clashes(decoded(model, consonance=nats)) for nats in (0.0, 1.0, 5.0)]
    assert shares[0] > shares[1] > shares[2]
    assert shares[2] < 0.5 * shares[0]
