"""Names that are never stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sessions.storage.pseudonyms import use_pseudonyms

NAME = "Žofie Nováková"


@pytest.fixture(autouse=True)
def names_again() -> Iterator[None]:
    yield
    use_pseudonyms(None)


def test_names_are_never_stored(cli: Any, home: Path) -> None:
    made = cli("--pseudonym", "session", "new", "--minutes", "1", "--seed", "1", "--listener", NAME, "--json")
    pseudonym = made.document["session"]["listener"]
    assert pseudonym.startswith("P-")
    # The home remembers, and finds the listener by the name.
    shown = cli("session", "list", "--listener", NAME, "--json").document["sessions"]
    assert [one["listener"] for one in shown] == [pseudonym]
    assert (
        cli("session", "new", "--minutes", "1", "--listener", f" {NAME.upper()} ", "--json").document["session"][
            "listener"
        ]
        == pseudonym
    )
    stored = b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
    assert pseudonym.encode() in stored
    for encoding in ("utf-8", "utf-16-le"):
        for part in NAME.split():
            assert part.encode(encoding) not in stored


def test_another_key_gives_other_pseudonyms(cli: Any, home: Path, tmp_path: Path) -> None:
    found = []
    for folder in ("a", "b"):
        at = ("--home", tmp_path / folder)
        assert cli(*at, "--pseudonym", "listener", "list").status == 0
        made = cli(*at, "session", "new", "--minutes", "1", "--listener", NAME, "--json")
        found.append(made.document["session"]["listener"])
    assert len(set(found)) == 2


def test_a_damaged_key_is_named(cli: Any, home: Path) -> None:
    home.mkdir()
    (home / "pseudonym.key").write_text("lost")
    assert "is no key of pseudonyms" in cli("session", "list").error_line
