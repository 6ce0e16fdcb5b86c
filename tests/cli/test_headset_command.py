"""`headset` and `session play --record`, with BrainFlow's synthetic board."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

Cli = Any


@pytest.fixture(autouse=True)
def brainflow() -> None:
    pytest.importorskip("brainflow")


@pytest.mark.long
def test_a_session_is_played_and_recorded_into_one_file(with_session: Path, cli: Cli, tmp_path: Path) -> None:
    """From the headset to the timeline in one command."""
    assert cli("session", "new", "--minutes", "1", "--listener", "bea", "--seed", "2").status == 0
    out = tmp_path / "rec.fif"
    done = cli("session", "play", "2", "--device", "none", "--record", "brainflow:SYNTHETIC", "-o", out)
    assert done.status == 0, done.err
    assert "recorded 1:" in done.err
    (plan,) = cli("score-eeg", out, "--dry-run", "--json").document["recordings"]
    (play,) = plan["plays"]
    assert play["duration_s"] == pytest.approx(60.0, abs=0.5)
    again = cli("session", "play", "2", "--device", "none", "--record", "brainflow:SYNTHETIC", "-o", out)
    assert "exists: choose another name" in again.error_line


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("session play 1 --record lsl:EEG", 2, "give -o FILE.fif"),
        ("session play 1 -o rec.fif", 2, "belong to --record"),
        ("session play 1 --record lsl:EEG -o rec.edf", 2, "does not end in .fif"),
        ("session play 1 --device none --record muse -o rec.fif", 1, "names no source"),
        ("session play 1 --device none --record brainflow:CYTON:/dev/no -o rec.fif", 1, "cannot be reached"),
        ("headset check brainflow:NONE_SUCH", 1, "knows no board"),
        ("headset check lsl:nobody-sends-this", 1, "there is no LSL stream"),
        ("headset finish nothing.fif", 1, "does not exist"),
    ],
)
def test_what_cannot_be_recorded_is_one_line(
    words: str, status: int, said: str, with_session: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli(*words.split())
    assert done.status == status
    assert said in done.error_line
    assert not list(tmp_path.glob("*.fif"))


def test_contact_is_shown(cli: Cli, home: Path) -> None:
    done = cli("headset", "check", "brainflow:SYNTHETIC", "--seconds", "3", "--json")
    channels = done.document["channels"]
    assert [channel["channel"] for channel in channels][:3] == ["Fz", "C3", "Cz"]
    assert {channel["state"] for channel in channels} <= {"good", "loose", "line", "muscle"}


def test_boards_are_listed(cli: Cli, home: Path) -> None:
    sources = {one["source"]: one for one in cli("headset", "list", "--boards", "--json").document["sources"]}
    assert sources["brainflow:MUSE_2"]["channels"] == ["TP9", "AF7", "AF8", "TP10"]
    assert {"brainflow:CYTON", "brainflow:GANGLION", "brainflow:MUSE_S"} <= set(sources)
