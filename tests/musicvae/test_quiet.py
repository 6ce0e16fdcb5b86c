"""What C libraries write while they are imported is kept back, and shown where the import fails."""

from __future__ import annotations

import os

import pytest

from therapy_gen.musicvae.training.quiet import quiet_libraries


def test_words_of_libraries_are_kept_back_unless_something_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_libraries():
        os.write(2, b"could not find cuda drivers\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
    with pytest.raises(ZeroDivisionError), quiet_libraries():
        _ = os.write(2, b"a library is missing\n") / 0
    assert capfd.readouterr().err == "a library is missing\n"
