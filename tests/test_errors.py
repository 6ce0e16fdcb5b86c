"""What a missing part says is a command that installs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from therapy_gen.errors import MissingExtraError


@pytest.mark.parametrize("extra", ["eeg", "train", "postgres"])
def test_an_extra_is_installed_by_its_name(extra: str) -> None:
    assert str(MissingExtraError("this", extra)).endswith(f"pip install 'therapy-gen[{extra}]'")


def test_magenta_is_installed_from_its_lock() -> None:
    said = str(MissingExtraError("this", "magenta"))
    assert "pip install --no-deps -r " in said
    assert (Path(__file__).parents[1] / said.split()[-1]).is_file()
