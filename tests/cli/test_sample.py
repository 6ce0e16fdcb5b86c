"""`sample` and `interpolate`: single sections as MIDI files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from therapy_gen.music.arranging.arrange import arrange
from therapy_gen.music.midi.midi import read_performance, to_midi
from therapy_gen.music.tokens import STEPS_PER_SECTION, VoiceNote, notes_to_tokens

Cli = Callable[..., Any]


def write_tune(path: Path, pitches: list[int], tonic: int = 0) -> Path:
    """A file of sixteen bars: a tune in quarter notes over a bass in whole notes."""
    tune = [VoiceNote(4 * n, 4 * n + 4, pitches[n % len(pitches)], 0) for n in range(STEPS_PER_SECTION // 4)]
    bass = [VoiceNote(16 * n, 16 * n + 16, 48 if n % 2 else 43, 2) for n in range(STEPS_PER_SECTION // 16)]
    performance = arrange([notes_to_tokens(tune + bass)], tonic=tonic, mode="major", tempo=60.0, seed=0)
    path.write_bytes(to_midi(performance, title=path.stem))
    return path


def test_samples_are_midi_files_and_the_same_for_the_same_seed(cli: Cli, home: Path, tmp_path: Path) -> None:
    done = cli("sample", "-n", "3", "--seed", "5", "-o", tmp_path / "a", "--json")
    assert done.status == 0
    assert done.document["seed"] == 5
    files = [Path(sample["file"]) for sample in done.document["samples"]]
    assert [file.name for file in files] == ["sample-01.mid", "sample-02.mid", "sample-03.mid"]
    assert sorted((tmp_path / "a").iterdir()) == files
    for file, sample in zip(files, done.document["samples"], strict=True):
        assert read_performance(file.read_bytes()).title == sample["title"]
        assert 0.0 <= sample["calm"] <= 1.0
    assert len({file.read_bytes() for file in files}) == 3

    assert cli("sample", "-n", "3", "--seed", "5", "-o", tmp_path / "b").status == 0
    assert [file.read_bytes() for file in sorted((tmp_path / "b").iterdir())] == [file.read_bytes() for file in files]
    assert not (home / "therapy.db").exists()


def test_the_way_has_both_ends_and_goes_from_key_to_key(cli: Cli, tmp_path: Path) -> None:
    first = write_tune(tmp_path / "first.mid", [72, 74, 76, 77, 79, 77, 76, 74])
    second = write_tune(tmp_path / "second.mid", [76, 72, 67, 72], tonic=2)
    done = cli("interpolate", first, second, "--steps", "4", "-o", tmp_path / "way", "--json")
    assert done.status == 0, done.err
    steps = done.document["steps"]
    assert [step["key"] for step in steps] == ["C major", "C major", "D major", "D major"]
    assert [Path(step["file"]).name for step in steps] == [f"step-{n:02d}.mid" for n in range(1, 5)]
    assert steps[0]["title"] == "first to second, 1 of 4"
    again = cli("interpolate", first, second, "--steps", "4", "-o", tmp_path / "again")
    assert again.status == 0
    for step in steps:
        assert (tmp_path / "again" / Path(step["file"]).name).read_bytes() == Path(step["file"]).read_bytes()


def test_the_way_from_a_file_to_itself_stands_still(cli: Cli, tmp_path: Path) -> None:
    tune = write_tune(tmp_path / "a.mid", [72, 74, 76, 77])
    assert cli("interpolate", tune, tune, "--steps", "3", "-o", tmp_path / "way").status == 0
    melodies = []
    for file in sorted((tmp_path / "way").iterdir()):
        melody = read_performance(file.read_bytes()).parts[0]
        melodies.append([note.pitch for note in melody.notes])
    assert np.unique(melodies, axis=0).shape[0] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("sample -n 0 -o out", "count 0 is out of range; give 1 to 1000"),
        ("sample -n 1001 -o out", "count 1001 is out of range"),
        ("sample --temperature nan -o out", "temperature nan is out of range"),
        ("sample --seed -1 -o out", "seed -1 is out of range"),
        ("sample --palette kazoo -o out", "palette 'kazoo' is not known"),
        ("sample --model nonesuch -o out", "model 'nonesuch' is not known"),
        ("sample -n 1 -o taken", "taken is a file; give the name of a folder"),
        ("interpolate a.mid a.mid --steps 1 -o out", "steps 1 is out of range; give 2 to 100"),
        ("interpolate a.mid a.mid --palette kazoo -o out", "palette 'kazoo' is not known"),
        ("interpolate a.mid nonesuch.mid -o out", "nonesuch.mid cannot be read"),
        ("interpolate a.mid taken -o out", "taken is not a score"),
        ("interpolate a.mid damaged.mid -o out", "damaged.mid"),
        ("interpolate a.mid short.mid -o out", "short.mid is too short: 4 bars of 4/4 or 3/4 are needed"),
        ("interpolate a.mid folder.mid -o out", "folder.mid is a folder"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    words: str, said: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tune(tmp_path / "a.mid", [72])
    (tmp_path / "taken").write_text("mine")
    (tmp_path / "folder.mid").mkdir()
    (tmp_path / "damaged.mid").write_bytes(b"MThd nonsense")
    symusic = pytest.importorskip("symusic", reason="symusic has no wheels for this Python")
    score = symusic.Score(4)
    score.time_signatures.append(symusic.TimeSignature(0, 3, 4))
    track = symusic.Track("tune", 0, False)
    track.notes.append(symusic.Note(0, 4, 60, 60))
    score.tracks.append(track)
    score.dump_midi("short.mid")
    done = cli(*words.split())
    assert done.status == 1
    assert said in done.error_line
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "taken").read_text() == "mine"
