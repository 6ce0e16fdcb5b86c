"""`piece import`, `interpolate` and the corpus of `model train` read the same MIDI files the same way."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import Cli
from therapy_gen.music.corpus.score import read_score
from therapy_gen.music.corpus.windows import WindowSettings, find_windows
from therapy_gen.music.midi.midi import read_performance
from therapy_gen.music.tonality import key_name

MAJOR, MINOR = (0, 4, 7, 5, 2, 4, 11, 12), (0, 3, 7, 5, 2, 3, 11, 12)
END = b"\x00\xff\x2f\x00"


def length(value: int) -> bytes:
    return bytes((value >> 7 | 128, value & 127)) if value > 127 else bytes((value,))


def tune(quarters: int, root: int, scale: tuple[int, ...]) -> bytes:
    pitches = [root + scale[n % 8] for n in range(quarters)]
    return b"".join(bytes((0, 0x90, each, 80)) + length(480) + bytes((0x80, each, 0)) for each in pitches)


def file_of(path: Path, *events: bytes, kind: int = 1) -> Path:
    track = b"".join(events) + END
    path.write_bytes(b"MThd" + struct.pack(">IHHH", 6, kind, 1, 480) + b"MTrk" + struct.pack(">I", len(track)) + track)
    return path


def metre(beats: int, power: int) -> bytes:
    return bytes((0, 0xFF, 0x58, 4, beats, power, 24, 8))


def key(sharps: int, minor: int) -> bytes:
    return b"\x00\xff\x59\x02" + struct.pack(">bB", sharps, minor)


FILES = {
    "6/4": ([metre(6, 2), tune(120, 60, MAJOR)], "C major", "3/4"),
    "4/2": ([metre(4, 1), tune(96, 62, MAJOR)], "D major", "4/4"),
    "2/4": ([metre(2, 2), tune(64, 60, MAJOR)], "C major", "4/4"),
    "3/4": ([metre(3, 2), tune(64, 57, MINOR)], "A minor", "3/4"),
    "no metre": ([tune(64, 67, MAJOR)], "G major", "4/4"),
    "C where nobody chose a key": ([key(0, 0), metre(4, 2), tune(64, 57, MINOR)], "A minor", "4/4"),
    "its own key": ([key(1, 1), metre(4, 2), tune(64, 64, MINOR)], "E minor", "4/4"),
    "another's key": ([key(-3, 0), metre(4, 2), tune(64, 67, MAJOR)], "G major", "4/4"),
    "two keys": ([key(1, 0), tune(96, 67, MAJOR), key(-3, 1), tune(64, 60, MINOR)], "G major", "4/4"),
}


def test_one_key_and_one_metre_by_every_door(cli: Cli, tmp_path: Path) -> None:
    files = [file_of(tmp_path / f"{n}.mid", *events) for n, (events, _, _) in enumerate(FILES.values())]
    done = cli("piece", "import", *files, "--json")
    assert [piece["key"] for piece in done.document["pieces"]] == [wanted for _, wanted, _ in FILES.values()]
    for file, (_, wanted, bars) in zip(files, FILES.values(), strict=True):
        windows = find_windows(read_score(file), WindowSettings(), Counter())
        assert (key_name(windows[0].tonic, windows[0].mode), windows[0].metre.name) == (wanted, bars), file


@pytest.mark.parametrize("name", ["6/4", "3/4", "its own key", "another's key"])
def test_the_way_is_in_their_key_and_metre(name: str, cli: Cli, tmp_path: Path) -> None:
    events, wanted, bars = FILES[name]
    file = file_of(tmp_path / "a.mid", *events)
    done = cli("interpolate", file, file, "--steps", "2", "-o", tmp_path / "way", "--json")
    assert "across the bar lines" not in done.err
    assert done.document["steps"][0]["key"] == wanted
    written = read_performance((tmp_path / "way" / "step-01.mid").read_bytes())
    assert written.metre == bars
    # The last quarter is held to the end of its section.
    beats = 16 * int(bars[0])
    assert len(written.parts[0].notes) == beats
    assert written.parts[0].notes[-1].onset == pytest.approx((beats - 1) / 2)


def test_files_in_different_metres_meet_in_bars_of_four(cli: Cli, tmp_path: Path) -> None:
    three, four = (file_of(tmp_path / f"{n}.mid", metre(n, 2), tune(66, 60, MAJOR)) for n in (3, 4))
    done = cli("interpolate", three, four, "--steps", "2", "-o", tmp_path / "way", "--json")
    assert "bars 1 to 22 have 3 quarters: read on as bars of four, across the bar lines" in done.err
    assert done.status == 0
