"""Other values for a run's configuration, and what is said of those that do not fit."""

from __future__ import annotations

import pytest

from therapy_gen.errors import InputError
from therapy_gen.musicvae.config import Config


def test_values_are_set_by_name() -> None:
    config = Config().with_values(["learning_rate=2e-3", "bar_z=16", "max_beta=1"])
    assert (config.learning_rate, config.bar_z, config.max_beta) == (0.002, 16, 1.0)
    assert config.z_size == 256
    assert Config().with_values([]) == Config()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("voices=1", "'voices=1' sets nothing that can be set; give NAME=NUMBER, NAME of: bar_z, embedding"),
        ("fast", "'fast' sets nothing that can be set"),
        ("bar_z=2.5", "'bar_z=2.5' is out of range; give bar_z= a whole number from 1 to 4096"),
        ("bar_z=0", "out of range"),
        ("learning_rate", "'learning_rate' is out of range; give learning_rate= a number from 0 to 1"),
        ("learning_rate=nan", "out of range"),
        ("beta_rate=0", "out of range"),
    ],
)
def test_values_that_do_not_fit_are_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Config().with_values([text])
