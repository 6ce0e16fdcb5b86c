"""`interpolate` keeps the ends' own notes and goes in even steps; models of all kinds sample and make sessions."""

from __future__ import annotations

from dataclasses import replace

from tests.needs import needs

needs("symusic", "symusic has no wheels for this Python")

import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import symusic

from therapy_gen.music.midi.midi import read_performance
from therapy_gen.musicvae.latent.even_spacing import distances, even_choice, unevenness
from therapy_gen.musicvae.magenta.configs import CONFIGS, variable_shapes
from therapy_gen.musicvae.magenta.imported_weights import pieces, write_stored

Cli = Callable[..., Any]
FIRST = [72, 74, 76, 77, 79, 77, 76, 74]
SECOND = [67, 71, 74, 79, 74, 71]


def write(path: Path, tune: list[int], qpm: float, quarters: int = 64, drums: bool = False) -> Path:
    score = symusic.Score(480)
    score.time_signatures.append(symusic.TimeSignature(0, 4, 4))
    score.tempos.append(symusic.Tempo(0, qpm=qpm))
    track = symusic.Track("tune", 0, False)
    for n in range(quarters):
        track.notes.append(symusic.Note(n * 480, 480, tune[n % len(tune)], 70))
    score.tracks.append(track)
    if drums:
        kit = symusic.Track("kit", 0, True)
        for n in range(quarters):
            kit.notes.append(symusic.Note(n * 480, 60, 36 if n % 2 else 42, 70))
        score.tracks.append(kit)
    score.dump_midi(str(path))
    return path


@pytest.fixture
def ends(tmp_path: Path) -> tuple[Path, Path]:
    return write(tmp_path / "first.mid", FIRST, 60.0), write(tmp_path / "second.mid", SECOND, 90.0)


def notes_of(path: Path) -> list[tuple[float, float, int]]:
    """Onset and length in quarter notes, and pitch, of all notes of a file."""
    score = symusic.Score(str(path)).to("quarter")
    return sorted(
        (round(note.time, 3), round(note.duration, 3), note.pitch) for track in score.tracks for note in track.notes
    )


def model(path: Path, name: str, segments: int = 1, steps: int = 32) -> Path:
    config = replace(CONFIGS[name], z_size=6, decoder_units=(9, 9))
    config = replace(config, encoder_units=(8, 7)[: len(config.encoder_units)])
    rng = np.random.default_rng(4)
    arrays = {name: rng.normal(0, 0.9, shape).astype(np.float32) for name, shape in variable_shapes(config).items()}
    write_stored(path, config, {}, variable_shapes(config), (pieces(array) for array in arrays.values()))
    return path


def test_the_way_begins_and_ends_with_the_files_own_notes_and_tempi(
    ends: tuple[Path, Path], cli: Cli, tmp_path: Path
) -> None:
    done = cli("interpolate", *ends, "--steps", "5", "-o", tmp_path / "way", "--json")
    assert done.status == 0, done.err
    files = [Path(step["file"]) for step in done.document["steps"]]
    assert notes_of(files[0]) == notes_of(ends[0])
    assert notes_of(files[-1]) == notes_of(ends[1])
    assert notes_of(files[0])[-1][:2] == (63.0, 1.0)
    tempi = [read_performance(file.read_bytes()).tempo for file in files]
    np.testing.assert_allclose(tempi, [60, 67.5, 75, 82.5, 90], rtol=1e-4)
    changes = [step["change"] for step in done.document["steps"]]
    assert changes[0] is None
    assert all(0 <= change <= 1 for change in changes[1:])
    assert [taken["bars"] for taken in done.document["taken"]] == [16, 16]


def test_smooth_steps_are_more_even(ends: tuple[Path, Path], cli: Cli, tmp_path: Path) -> None:
    plain = cli("interpolate", *ends, "-o", tmp_path / "plain", "--json").document
    smooth = cli("interpolate", *ends, "--smooth", "-o", tmp_path / "smooth", "--json").document
    assert smooth["unevenness"] < plain["unevenness"]
    assert notes_of(Path(smooth["steps"][0]["file"])) == notes_of(ends[0])
    assert notes_of(Path(smooth["steps"][-1]["file"])) == notes_of(ends[1])
    changes = np.array([step["change"] for step in smooth["steps"][1:]])
    assert smooth["unevenness"] == pytest.approx(changes.std() / changes.mean(), abs=1e-3)


def test_smooth_steps_have_key_and_tempo_of_where_they_stand(cli: Cli, tmp_path: Path) -> None:
    # Most changes near the start, so that most steps are taken from there: a step-by-step count would go too far.
    first = write(tmp_path / "first.mid", FIRST, 60.0)
    second = write(tmp_path / "second.mid", [pitch + 2 for pitch in SECOND], 120.0)
    smooth = cli("interpolate", first, second, "--smooth", "-o", tmp_path / "way", "--json").document
    tempi = [read_performance(Path(step["file"]).read_bytes()).tempo for step in smooth["steps"]]
    keys = [step["key"] for step in smooth["steps"]]
    assert keys[0] != keys[-1]
    # The tempo says how far along a step stands; it has the key of the end that it is nearer to.
    assert [key == keys[0] for key in keys] == [tempo <= 90.01 for tempo in tempi]
    assert tempi == sorted(tempi)
    assert np.abs(np.diff(np.diff(tempi))).max() > 1.0


def test_one_file_holds_all_steps_without_a_gap_and_with_the_last_note(
    ends: tuple[Path, Path], cli: Cli, tmp_path: Path
) -> None:
    done = cli("interpolate", *ends, "--steps", "3", "--joined", "-o", tmp_path / "way", "--json")
    joined = notes_of(Path(done.document["joined"]))
    expected = []
    for number, step in enumerate(done.document["steps"]):
        expected += [(round(onset + 64 * number, 3), length, pitch) for onset, length, pitch in notes_of(step["file"])]
    assert joined == sorted(expected)
    assert max(onset + length for onset, length, _ in joined) == 3 * 64


def midi(division: int, events: bytes) -> bytes:
    """Return a file of one track."""
    track = events + b"\x00\xff\x2f\x00"
    head = b"MThd" + struct.pack(">IHHH", 6, 0, 1, division)
    return head + b"MTrk" + struct.pack(">I", len(track)) + track


EMPTY = midi(96, b"")
SMPTE = midi(0xE728, b"\x00\x90\x3c\x40\x40\x80\x3c\x00")
DRUMS = midi(96, b"\x00\x99\x24\x40\x40\x89\x24\x00")


def odd(path: Path, kind: str) -> Path:
    """Music as people have it: in three, with a pick-up, in triplets, with pedal, in parts, without a tempo."""
    score = symusic.Score(480)
    numerator = 3 if kind == "3/4" else 4
    lead = 480 if kind == "pick-up" else 0
    if lead:
        score.time_signatures.append(symusic.TimeSignature(0, 1, 4))
    score.time_signatures.append(symusic.TimeSignature(lead, numerator, 4))
    if kind != "no tempo":
        score.tempos.append(symusic.Tempo(0, qpm=173.0 if kind == "fast" else 70.0))
    tune, bass = symusic.Track("tune", 0, False), symusic.Track("bass", 32, False)
    length = 160 if kind == "triplets" else 480
    for n in range(lead // 480 + (64 * 480) // length):
        tune.notes.append(symusic.Note(n * length, length, FIRST[n % len(FIRST)], 70))
    for n in range(16):
        (bass if kind == "parts" else tune).notes.append(symusic.Note(lead + n * 1920, 1920, 43 + n % 3, 60))
        if kind == "pedal":
            tune.pedals.append(symusic.Pedal(n * 1920, 1900))
    score.tracks.append(tune)
    if kind == "parts":
        score.tracks.append(bass)
    score.dump_midi(str(path))
    return path


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("3/4", "have 3 quarters: read on as bars of four"),
        ("pick-up", "bar 1"),
        ("triplets", "sixteenth"),
        ("pedal", ""),
        ("parts", ""),
        ("no tempo", ""),
        ("fast", ""),
    ],
)
def test_music_as_people_have_it_goes_the_way_and_into_the_library(
    kind: str, said: str, ends: tuple[Path, Path], cli: Cli, tmp_path: Path
) -> None:
    path = odd(tmp_path / "odd.mid", kind)
    done = cli("interpolate", path, ends[1], "--steps", "2", "-o", tmp_path / "way", "--json")
    assert done.status == 0, done.err
    assert said in done.err
    pitches = {pitch for _, _, pitch in notes_of(Path(done.document["steps"][0]["file"]))}
    assert {pitch for pitch in pitches if pitch > 60} <= set(FIRST)
    assert pitches & {43, 44, 45}
    assert cli("piece", "import", path).status == 0


def test_two_bar_models_go_the_way_too(ends: tuple[Path, Path], cli: Cli, tmp_path: Path) -> None:
    two = model(tmp_path / "two.safetensors", "cat-mel_2bar_small")
    done = cli("interpolate", *ends, "--steps", "4", "--model", two, "-o", tmp_path / "way", "--json")
    assert done.status == 0, done.err
    first = notes_of(done.document["steps"][0]["file"])
    assert [pitch for _, _, pitch in first] == FIRST
    again = cli("interpolate", ends[0], ends[0], "--steps", "3", "--model", two, "-o", tmp_path / "still", "--json")
    contents = [notes_of(step["file"]) for step in again.document["steps"]]
    assert contents[0] == contents[1] == contents[2]


def test_trio_models_read_and_write_drums(cli: Cli, tmp_path: Path) -> None:
    trio = model(tmp_path / "trio.safetensors", "flat-trio_16bar")
    path = write(tmp_path / "band.mid", FIRST, 100.0, drums=True)
    done = cli("interpolate", path, path, "--steps", "2", "--model", trio, "-o", tmp_path / "way", "--json")
    assert done.status == 0, done.err
    written = read_performance(Path(done.document["steps"][0]["file"]).read_bytes())
    kit = next(part for part in written.parts if part.bank == 128)
    assert [note.pitch for note in kit.notes] == [42, 36] * 32


def test_samples_of_an_imported_model_are_the_same_for_the_same_seed(cli: Cli, tmp_path: Path) -> None:
    two = model(tmp_path / "two.safetensors", "cat-mel_2bar_small")
    runs = [
        cli("sample", "-n", "3", "--seed", "7", "--model", two, "-o", tmp_path / out, "--json") for out in ("a", "b")
    ]
    assert [run.status for run in runs] == [0, 0]
    files = [[Path(sample["file"]).read_bytes() for sample in run.document["samples"]] for run in runs]
    assert files[0] == files[1]
    assert read_performance(files[0][0]).tempo == pytest.approx(120.0)


def test_a_session_can_be_made_with_an_imported_model(cli: Cli, tmp_path: Path) -> None:
    for name in ("cat-mel_2bar_small", "flat-trio_16bar"):
        path = model(tmp_path / f"{name}.safetensors", name)
        done = cli("session", "new", "--minutes", "3", "--seed", "1", "--key", "D", "--model", path, "--json")
        assert done.status == 0, done.err
        (item,) = [item for item in done.document["session"]["items"] if item["role"] == "music"]
        assert item["key"] == "D major"
        shown = cli("piece", "show", item["piece"], "--json").document["piece"]
        assert shown["model"] == name
        assert cli("piece", "export", item["piece"], "-o", tmp_path / f"{name}.mid").status == 0
        pitches = {pitch % 12 for _, _, pitch in notes_of(tmp_path / f"{name}.mid")}
        assert pitches <= {2, 4, 6, 7, 9, 11, 1}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("sample --engine tape -o out", "engine 'tape' is not known; give one of: numpy, magenta"),
        ("sample --engine magenta -o out", "which Magenta cannot run"),
        (
            "sample --model two.safetensors --palette piano -o out",
            "--palette arranges what therapy-gen's own models write",
        ),
        ("interpolate a.mid a.mid --model two.safetensors --palette piano -o out", "--palette arranges"),
        ("session new --engine magenta", "which Magenta cannot run"),
    ],
)
def test_what_an_engine_cannot_do_is_said(
    words: str, said: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model(tmp_path / "two.safetensors", "cat-mel_2bar_small")
    write(tmp_path / "a.mid", FIRST, 60.0)
    done = cli(*words.split())
    assert done.status == 1
    assert said in done.error_line


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"hello", "is not a MIDI file that can be read (no MIDI header); give a Standard MIDI File"),
        (SMPTE, "counts time in frames (SMPTE) and so has no bars"),
        (DRUMS, "holds no notes but those of drums"),
        (EMPTY, "holds no notes; give another file"),
    ],
)
def test_files_that_no_way_leads_from_are_named_with_a_reason(data: bytes, said: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "odd.mid").write_bytes(data)
    done = cli("interpolate", tmp_path / "odd.mid", tmp_path / "odd.mid", "-o", tmp_path / "way")
    assert done.status == 1
    assert f"odd.mid {said}" in done.error_line
    assert not (tmp_path / "way").exists()


def test_even_choices_are_in_order_and_keep_both_ends() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        steps = rng.random(int(rng.integers(3, 40))) * (rng.random() < 0.8)
        count = int(rng.integers(2, len(steps) + 2))
        chosen = even_choice(steps, count)
        assert chosen[0] == 0
        assert chosen[-1] == len(steps)
        assert len(chosen) == count
        assert all(a < b for a, b in pairwise(chosen))
    assert even_choice(np.array([1.0, 1, 1, 1, 4, 4]), 4) == [0, 4, 5, 6]


def test_distances_hear_what_sounds_not_what_is_written() -> None:
    struck = np.zeros((8, 1), dtype=int)
    struck[0], struck[4] = 40, 40
    held = np.zeros((8, 1), dtype=int)
    held[0] = 40
    other = np.zeros((8, 1), dtype=int)
    other[0], other[4] = 40, 45
    np.testing.assert_allclose(distances([struck, held, other], ("melody",)), [0.0, 0.5])
    assert unevenness(np.array([0.2, 0.2])) == 0.0
