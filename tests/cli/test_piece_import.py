"""`piece import` stores files as pieces that sessions can hold."""

from __future__ import annotations

from tests.needs import needs

needs("symusic", "symusic has no wheels for this Python")

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import symusic

Cli = Callable[..., Any]


def write(
    path: Path, name: str = "", quarters: int = 64, drums: bool = False, metres: Sequence[tuple[int, int, int]] = ()
) -> Path:
    """A tune in quarters; `metres` are (quarter, beats, unit)."""
    score = symusic.Score(480)
    score.tempos.append(symusic.Tempo(0, qpm=64.0))
    for quarter, beats, unit in metres:
        score.time_signatures.append(symusic.TimeSignature(quarter * 480, beats, unit))
    track = symusic.Track(name, 0, False)
    for n in range(quarters):
        track.notes.append(symusic.Note(n * 480, 480, (62, 66, 69, 67, 64, 61)[n % 6], 70))
    score.tracks.append(track)
    if drums:
        kit = symusic.Track("kit", 0, True)
        kit.notes.append(symusic.Note(0, 60, 36, 70))
        score.tracks.append(kit)
    score.dump_midi(str(path))
    return path


def test_an_imported_piece_is_listed_and_heard_in_a_session(cli: Cli, tmp_path: Path) -> None:
    path = write(tmp_path / "lullaby.mid")
    done = cli("piece", "import", path, "--json")
    assert done.status == 0, done.err
    (piece,) = done.document["pieces"]
    assert piece["title"] == "lullaby"
    assert piece["source"] == "lullaby.mid"
    assert piece["model"] is None
    assert piece["key"] == "D major"
    assert cli("piece", "show", piece["piece"], "--json").document["piece"]["register"] == 64.91
    assert piece["tempo"] == pytest.approx(64.0, abs=0.01)
    assert 60 < piece["duration_s"] < 66
    assert 0 <= piece["calm"] <= 1
    assert cli("piece", "list", "--json").document["pieces"][0]["piece"] == piece["piece"]
    made = cli("session", "new", "--minutes", "8", "--seed", "3", "--with", piece["piece"][:12], "--json")
    assert made.status == 0, made.err
    items = [item for item in made.document["session"]["items"] if item["role"] == "music"]
    assert [item["piece"] for item in items].count(piece["piece"]) == 1
    assert len(items) > 1
    assert cli("piece", "export", piece["piece"], "-o", tmp_path / "out.mid").status == 0
    assert (tmp_path / "out.mid").read_bytes() == path.read_bytes()


def test_a_name_that_is_not_utf_8_is_readable_in_the_library(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "caf\udce9.mid"
    try:
        write(tmp_path / "a.mid").rename(path)
    except OSError:
        pytest.skip("names are UTF-8 here")
    done = cli("piece", "import", path, "--json")
    assert done.status == 0, done.err
    (piece,) = cli("piece", "list", "--json").document["pieces"]
    assert (piece["title"], piece["source"]) == ("café", "café.mid")


def test_the_same_music_is_stored_once(cli: Cli, tmp_path: Path) -> None:
    first = cli("piece", "import", write(tmp_path / "a.mid"), "--json").document["pieces"][0]
    again = cli("piece", "import", write(tmp_path / "b.mid"), write(tmp_path / "c.mid", quarters=32), "--json")
    assert "the library had it already" in again.err
    assert [piece["new"] for piece in again.document["pieces"]] == [False, True]
    assert again.document["pieces"][0]["piece"] == first["piece"]
    assert len(cli("piece", "list", "--json").document["pieces"]) == 2


def test_format_0_with_running_status_and_without_a_tempo_is_imported(cli: Cli, tmp_path: Path) -> None:
    events = b"".join(
        bytes((0,)) + (b"\x90" if n == 0 else b"") + bytes((60 + n % 5, 70, 96, 60 + n % 5, 0)) for n in range(64)
    )
    track = events + b"\x00\xff\x2f\x00"
    midi = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, 96) + struct.pack(">4sI", b"MTrk", len(track)) + track
    (tmp_path / "zero.mid").write_bytes(midi)
    (piece,) = cli("piece", "import", tmp_path / "zero.mid", "--json").document["pieces"]
    assert piece["tempo"] == 120.0
    assert piece["duration_s"] == pytest.approx(32.0, abs=3.5)


@pytest.mark.parametrize(
    ("metres", "said"),
    [
        ([(0, 3, 4)], "3/4"),
        ([(0, 7, 8)], "7/8"),
        ([], "4/4"),
        # After an upbeat written as a bar of its own.
        ([(0, 1, 4), (1, 6, 8)], "6/8"),
        # In 4/4 for longer, as what says nothing is.
        ([(40, 3, 4)], "4/4"),
    ],
)
def test_a_piece_says_its_metre_and_a_session_holds_it(
    metres: list[tuple[int, int, int]], said: str, cli: Cli, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.mid", metres=metres)
    (piece,) = cli("piece", "import", path, "--json").document["pieces"]
    assert cli("piece", "show", piece["piece"], "--json").document["piece"]["metre"] == said
    assert f"metre     {said}\n" in cli("piece", "show", piece["piece"]).out
    made = cli("session", "new", "--minutes", "5", "--seed", "1", "--metre", "3/4", "--with", piece["piece"], "--json")
    assert made.status == 0, made.err
    assert piece["piece"] in {item["piece"] for item in made.document["session"]["items"]}


def test_patterns_without_a_common_time_are_refused(cli: Cli, tmp_path: Path) -> None:
    track = bytes((0, 0x90, 60, 70, 96, 60, 0, 0, 0xFF, 0x2F, 0))
    chunk = struct.pack(">4sI", b"MTrk", len(track)) + track
    two, one = tmp_path / "two.mid", tmp_path / "one.mid"
    two.write_bytes(struct.pack(">4sIHHH", b"MThd", 6, 2, 2, 96) + 2 * chunk)
    assert (
        "two.mid is a MIDI file of type 2: 2 patterns without a common time" in cli("piece", "import", two).error_line
    )
    one.write_bytes(struct.pack(">4sIHHH", b"MThd", 6, 2, 1, 96) + chunk)
    assert cli("piece", "import", one).status == 0


def test_drums_are_kept_and_told(cli: Cli, tmp_path: Path) -> None:
    done = cli("piece", "import", write(tmp_path / "band.mid", drums=True))
    assert done.status == 0
    assert "1 strokes of drums" in done.err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nonesuch.mid", "nonesuch.mid cannot be read"),
        ("folder.mid", "folder.mid is a folder"),
        ("damaged.mid", "damaged.mid"),
        ("song.mp3", "song.mp3 holds no audio that can be read"),
        ("silent.mid", "silent.mid holds no notes"),
    ],
)
def test_nothing_is_stored_where_one_file_is_no_music(name: str, said: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "folder.mid").mkdir()
    (tmp_path / "damaged.mid").write_bytes(b"MThd nonsense")
    (tmp_path / "song.mp3").write_bytes(b"ID3")
    write(tmp_path / "silent.mid", quarters=0)
    done = cli("piece", "import", write(tmp_path / "good.mid"), tmp_path / name)
    assert done.status == 1
    assert said in done.error_line
    assert cli("piece", "list", "--json").document["pieces"] == []


def test_pieces_that_do_not_fit_are_refused(cli: Cli, tmp_path: Path) -> None:
    (piece,) = cli("piece", "import", write(tmp_path / "long.mid", quarters=400), "--json").document["pieces"]
    done = cli("session", "new", "--minutes", "3", "--with", piece["piece"])
    assert done.status == 1
    assert "no session of 3 minutes holds the pieces asked for" in done.error_line
    assert "is not in the library" in cli("session", "new", "--with", "01ZZZZZZ").error_line
