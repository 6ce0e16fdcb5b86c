"""Damaged files: what was found once, and a search for more: a second, half a minute (long), ten minutes (hours)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reliability.fuzz import FOUND, READERS, fault

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="alarms and limits of POSIX")

# The same files every time; another number looks for others.
SEED = os.environ.get("THERAPY_GEN_FUZZ_SEED", "1")


def search(reader: str, seconds: float, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.fuzz", reader, str(seconds), SEED, folder],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", sorted(FOUND.rglob("*.*")), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_found_case(path: Path) -> None:
    assert fault(READERS[path.parent.name][1], path) is None


@pytest.mark.parametrize("reader", READERS)
def test_damaged_files(reader: str, tmp_path: Path) -> None:
    search(reader, 1.0, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("reader", READERS)
def test_damaged_files_for_a_minute(reader: str, tmp_path: Path) -> None:
    search(reader, 60.0, tmp_path)


@pytest.mark.hours
@pytest.mark.parametrize("reader", READERS)
def test_damaged_files_for_ten_minutes(reader: str, tmp_path: Path) -> None:
    search(reader, 600.0, tmp_path)
