"""What the package imports, and what it says where MNE-Python is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.strip()


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    modules = (
        "eeg.scoring, eeg.settings, eeg.io.xdf, eeg.bandpower.ica, eeg.ranking.rank, eeg.ranking.thompson, "
        "eeg.report.report, eeg.simulation.simulate, eeg.timeline.timeline"
    )
    heavy = "('mne', 'pyxdf', 'matplotlib', 'scipy')"
    assert run(f"import sys, {modules}\nprint([m for m in {heavy} if m in sys.modules])") == "[]"


def test_ranking_needs_no_mne() -> None:
    code = (
        "import sys; sys.modules['mne'] = None\n"
        "from eeg.ranking.observations import Observation\nfrom eeg.ranking.rank import rank\n"
        "rows = [Observation('a', 'r', 0.0, -1.0, None, 60.0), Observation('b', 'r', 60.0, 0.0, None, 60.0)]\n"
        "print(rank(rows).reason)"
    )
    assert "no reliable order" in run(code)


def test_missing_mne_says_how_to_install_it(tmp_path: Path) -> None:
    path = tmp_path / "rec.fif"
    path.write_bytes(bytes.fromhex("000000640000001f0000001400000000") + bytes(64))
    code = (
        "import sys; sys.modules['mne'] = None\n"
        "from eeg.scoring import score_recording\nfrom therapy_gen.errors import MissingExtraError\n"
        f"try:\n    score_recording({str(path)!r})\nexcept MissingExtraError as error:\n    print(error)"
    )
    assert "pip install 'therapy-gen[eeg]'" in run(code)
