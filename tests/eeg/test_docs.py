"""What docs/eeg.md shows is what comes out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NUMBER = re.compile(r"[-+]?\d+\.\d+(?:e-?\d+)?")


@pytest.mark.long
def test_the_loop_without_a_headset(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "eeg.md").read_text(encoding="utf-8")
    code, shown = re.search(r"```python\n(.*?)```\s+```\n(.*?)```", text, re.DOTALL).groups()  # type: ignore[union-attr]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
    )
    ours, theirs = done.stdout.strip(), shown.strip()
    assert NUMBER.sub("#", ours) == NUMBER.sub("#", theirs)
    for one, two in zip(NUMBER.findall(ours), NUMBER.findall(theirs), strict=True):
        assert float(one) == pytest.approx(float(two), abs=0.03)
    assert (tmp_path / "ana.html").stat().st_size > 50_000
