"""What Magenta itself makes of small networks of each configuration, made once."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

DATA = Path(os.environ.get("THERAPY_GEN_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")) / "magenta"


@pytest.fixture(scope="session")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with, for each configuration, a checkpoint that Magenta saved and what it computes with it."""
    if find_spec("magenta") is None:
        pytest.skip("Magenta is not installed (extra magenta)")
    folder = tmp_path_factory.mktemp("oracle")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", Path(__file__).with_name("magenta_oracle.py"), folder],
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.fixture(scope="session")
def google_mel_2bar_small() -> Path:
    """Google's weights of mel_2bar_small in TensorFlow.js layout: the decoder whole, the encoder not."""
    path = DATA / "mel_2bar_small"
    if not path.is_dir():
        pytest.skip(f"no weights at {path} (THERAPY_GEN_DATA)")
    return path
