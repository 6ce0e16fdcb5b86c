"""One clear line and the right exit code for whatever is wrong; nothing is left behind."""

from __future__ import annotations

import json
import shutil
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--minutes 0", "minutes 0 is out of range; give 1 to 600"),
        ("--minutes -5", "minutes -5 is out of range; give 1 to 600"),
        ("--minutes nan", "minutes nan is out of range; give 1 to 600"),
        ("--minutes inf", "minutes inf is out of range; give 1 to 600"),
        ("--minutes 10000", "minutes 10000 is out of range; give 1 to 600"),
        ("--minutes 1 --baseline 60", "leave 0 s for music"),
        ("--minutes 1 --tempo 54:71", "too little at up to 71 BPM; give more minutes or a faster --tempo"),
        ("--minutes 1 --tempo 54:72", "too little at up to 72 BPM; give more minutes or a faster --tempo"),
        ("--play-length 600", "play length 600 is out of reach: pieces have at most 5 sections, 421 s at 48 BPM"),
        ("--arc wild", "arc 'wild' is not known; give one of: calm, iso, sleep, flat"),
        ("--key H", "key 'H' is not known"),
        ("--key major", "key 'major' is not known"),
        ("--tempo fast", "tempo 'fast' is no tempo"),
        ("--tempo 60:50", "give the slower one first"),
        ("--tempo 300", "tempo 300 is out of range"),
        ("--tempo nan", "tempo nan is out of range"),
        ("--baseline -1", "baseline -1 is out of range"),
        ("--repeats 0", "repeats 0 is out of range"),
        ("--density lots", "density 'lots' is no range; give two numbers, such as 6..10"),
        ("--density 9..5", "density 9 to 5 is upside down"),
        ("--density 0", "density 0 is out of range; give 1 to 32 notes a bar"),
        ("--range 8..10", "range '8..10' is no range; give two numbers, such as 6-10"),
        ("--range 8-nan", "range nan is out of range"),
        ("--seed -1", "seed -1 is out of range"),
        ("--seed 99999999999999999999", "seed 99999999999999999999 is out of range"),
        ("--temperature 9", "temperature 9 is out of range"),
        ("--palette kazoo", "palette 'kazoo' is not known; give one of:"),
        ("--model nonesuch", "model 'nonesuch' is not known; give one of: calm"),
        ("--model ./nonesuch.safetensors", "model ./nonesuch.safetensors does not exist"),
        ("--audio aac", "audio format 'aac' is not known; give one of: wav, flac, ogg, mp3"),
        ("--audio flac --soundfont nonesuch.sf2", "soundfont nonesuch.sf2 is not a file"),
    ],
)
def test_session_new_refuses_in_one_line_and_stores_nothing(words: str, said: str, cli: Cli) -> None:
    done = cli("session", "new", *words.split())
    assert done.status == 1
    assert said in done.error_line
    assert cli("session", "list", "--json").document == {"sessions": []}
    assert cli("piece", "list", "--json").document == {"pieces": []}


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "\udcff"])
def test_listeners_without_a_proper_name_are_refused(name: str, cli: Cli) -> None:
    done = cli("session", "new", "--minutes", "1", "--listener", name)
    assert done.status == 1
    assert "name" in done.error_line


@pytest.mark.parametrize(
    "words",
    [
        "frobnicate",
        "session frobnicate",
        "session",
        "session new --frobnicate",
        "session new --minutes many",
        "session new --minutes 10,000",
        "session new stray",
        "session show",
        "session show one",
        "session rate 1",
        "export --session 1",
        "export --format flac -o a.flac",
        "--db",
    ],
)
def test_usage_errors_say_where_help_is(words: str, cli: Cli, home: Path) -> None:
    done = cli(*words.split())
    assert done.status == 2
    assert done.error_line.endswith(" --help")
    assert not home.exists()


@pytest.mark.parametrize(
    ("words", "help_"),
    [
        ("session new --with", "therapy-gen session new"),
        ("--db a.db session new --minutes", "therapy-gen session new"),
        ("rank --listener", "therapy-gen rank"),
        ("--home", "therapy-gen"),
    ],
)
def test_an_option_without_its_value_names_the_help_of_its_command(words: str, help_: str, cli: Cli) -> None:
    done = cli(*words.split())
    assert done.status == 2
    assert done.error_line.endswith(f"see: {help_} --help")


def test_the_help_that_is_named_exists(cli: Cli) -> None:
    line = cli("session", "new", "--frobnicate").error_line
    assert cli(*line.partition("see: therapy-gen ")[2].split()).status == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("session show 9", "session 9 does not exist"),
        ("session show 0", "session 0 does not exist"),
        ("session show 99999999999999999999", "session 99999999999999999999 does not exist"),
        ("session delete 9 --yes", "session 9 does not exist"),
        ("session rate 9 01KA 5", "session 9 does not exist"),
        ("session rate 1 ZZZZ 5", "piece 'ZZZZ' is not in session 1"),
        ("session rate 1 99 5", "give 1 to"),
        ("session rate 1 ZZZZ 6", "rating 6 is out of range"),
        ("piece show ZZZZ", "piece 'ZZZZ' is not in the library"),
        ("piece export ZZZZ -o a.mid", "piece 'ZZZZ' is not in the library"),
        ("export --session 9 --format midi -o a.mid", "session 9 does not exist"),
        ("export --session 1 --format aiff -o a.aiff", "format 'aiff' is not known; give one of: midi, wav"),
        ("export --session 1 --format flac -o .", "is a folder; give the name of a file"),
        ("export --session 1 --format wav -o a.mp3", "a.mp3 is named as mp3, but the format is wav"),
        ("export --session 1 --format csv -o nowhere/a.csv", "the folder of nowhere/a.csv does not exist"),
        (
            "export --session 1 --format midi -o a.mid --audio ogg",
            "--audio is for the files that a playlist names, not",
        ),
        ("export --session 1 --format csv -o a.csv --prefix x", "--prefix is for the files that a playlist names, not"),
        (
            "export --session 1 --format flac -o a.flac --urlencode",
            "leave it out, or give --format m3u8, xspf, jspf, pls",
        ),
        (
            "export --session 1 --format events -o a.tsv --relative-to .",
            "--relative-to is for the files that a playlist",
        ),
        ("export --session 1 --format wav -o a.wav --soundfont .", "soundfont . is not a file"),
        ("export --session 1 --format m3u8 -o a.m3u8 --audio aac", "audio format 'aac' is not known"),
        ("model info nonesuch", "model 'nonesuch' is not known"),
        ("db backup .", ". is a folder"),
        ("db backup nowhere/a.db", "does not exist"),
    ],
)
def test_what_is_not_there_is_named(
    words: str, said: str, cli: Cli, with_session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    done = cli(*words.split())
    assert done.status == 1
    assert said in done.error_line
    assert list(folder.iterdir()) == []


def test_a_prefix_of_several_pieces_names_them(cli: Cli) -> None:
    pieces = [
        item["piece"]
        for seed in (1, 2)
        for item in cli("session", "new", "--minutes", "1", "--seed", seed, "--json").document["session"]["items"]
        if item["piece"]
    ]
    done = cli("piece", "show", pieces[0][:4])
    assert done.status == 1
    assert pieces[0] in done.error_line


@pytest.fixture(params=["not_sqlite", "foreign", "newer", "folder", "missing_folder", "url"])
def bad_database(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """A place that is no database of ours, and what is to be said of it."""
    place = tmp_path / "a.db"
    match request.param:
        case "not_sqlite":
            place.write_text("this is a letter, not a database\n" * 100)
            return str(place), "is not an SQLite database"
        case "foreign":
            with sqlite3.connect(place) as connection:
                connection.execute("CREATE TABLE songs (name TEXT)")
            return str(place), "belongs to another program"
        case "newer":
            with sqlite3.connect(place) as connection:
                connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
                connection.execute("INSERT INTO alembic_version VALUES ('9999')")
            return str(place), "is newer than this program"
        case "folder":
            return str(tmp_path), "is a folder"
        case "missing_folder":
            return str(tmp_path / "nowhere" / "a.db"), "does not exist"
        case _:
            return "oracle://scott:tiger@host/db", "oracle databases are not supported"


@pytest.mark.parametrize("words", ["session new --minutes 1", "session list", "piece list", "db upgrade"])
def test_a_database_that_is_none_of_ours(words: str, cli: Cli, bad_database: tuple[str, str]) -> None:
    place, said = bad_database
    before = Path(place).read_bytes() if Path(place).is_file() else None
    done = cli("--db", place, *words.split())
    assert done.status == 1
    assert said in done.error_line
    assert "tiger" not in done.error_line
    if before is not None:
        assert Path(place).read_bytes() == before


def test_a_home_that_is_a_file_is_named(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        done = cli("--home", home, "session", "list")
        assert done.status == 1
        assert "choose another with --home" in done.error_line


def test_an_audio_folder_that_is_named_as_a_file_is_refused(cli: Cli, tmp_path: Path) -> None:
    done = cli("session", "new", "--minutes", "2", "--out", tmp_path / "b.mp3")
    assert done.status == 2
    assert "--out takes a folder, and" in done.error_line
    assert not (tmp_path / "b.mp3").exists()


def test_the_option_of_audio_that_stands_alone_is_named(cli: Cli) -> None:
    done = cli("session", "new", "--minutes", "2", "--loudness", "-16")
    assert done.status == 2
    assert "--loudness is of audio: give --audio or --out with it" in done.error_line


def test_a_file_in_place_of_the_audio_folder_is_named_at_once(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = cli("session", "new", "--minutes", "1", "--audio", "flac", "--out", tmp_path / "file")
    assert done.status == 1
    assert "is a file; give the name of a folder" in done.error_line
    assert cli("session", "list", "--json").document == {"sessions": []}


@pytest.mark.parametrize("content", [b"", b"nonsense" * 100, b"\xff" * 100])
def test_a_model_file_that_is_none(content: bytes, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    done = cli("session", "new", "--minutes", "1", "--model", tmp_path / "a.safetensors")
    assert done.status == 1
    assert "a.safetensors" in done.error_line


def test_a_model_cut_short_is_named(cli: Cli, tmp_path: Path) -> None:
    from therapy_gen.musicvae.weights import find_model

    whole = find_model("calm").read_bytes()
    (tmp_path / "a.safetensors").write_bytes(whole[: len(whole) // 2])
    done = cli("session", "new", "--minutes", "1", "--model", tmp_path / "a.safetensors")
    assert done.status == 1
    assert "a.safetensors" in done.error_line
    listed = cli("--home", tmp_path / "home", "model", "list", "--json")
    assert listed.status == 0


@pytest.mark.parametrize("value", ["nan", "-nan", "inf", "-inf"])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_model_of_values_that_are_no_numbers_is_refused(value: str, dtype: str, cli: Cli, tmp_path: Path) -> None:
    import numpy as np
    from safetensors import safe_open
    from safetensors.numpy import save_file

    from therapy_gen.musicvae.weights import find_model

    with safe_open(find_model("calm"), "numpy") as file:
        arrays = {name: file.get_tensor(name).astype(dtype) for name in file.keys()}  # noqa: SIM118
        facts = file.metadata()
    arrays["decoder/recurrent"][3, 5] = np.copysign(abs(float(value)), -1 if value.startswith("-") else 1)
    save_file(arrays, tmp_path / "a.safetensors", facts)
    done = cli("sample", "--model", tmp_path / "a.safetensors", "-o", tmp_path / "out")
    assert done.status == 1
    assert "a.safetensors holds values that are no numbers (decoder/recurrent); take" in done.error_line
    assert not (tmp_path / "out").exists()


def test_a_model_of_ones_own_that_is_damaged_does_not_hide_the_others(cli: Cli, home: Path) -> None:
    (home / "models").mkdir(parents=True)
    (home / "models" / "mine.safetensors").write_bytes(b"nonsense")
    models = {model["name"]: model for model in cli("model", "list", "--json").document["models"]}
    assert "error" in models["mine"]
    assert "error" not in models["calm"]
    listed = cli("model", "list")
    assert listed.status == 0
    assert {row.split()[0]: row.split()[-1] for row in listed.out.splitlines()}["mine"] == "damaged"
    # Whole, which no column is wide enough for.
    assert listed.err == f"{models['mine']['error']}\n"
    assert str(home / "models" / "mine.safetensors") in listed.err
    assert cli("--quiet", "model", "list").err == ""


@pytest.mark.parametrize(
    ("changed", "shape"),
    [
        ({"z_size": "x"}, [4]),
        ({"segments": None}, [4]),
        ({"segments": -2, "segment_steps": -2}, [4]),
        ({"encoder_units": [1e999]}, [4]),
        ({"name": 5}, [4]),
        ({"max_beta": "much"}, [4]),
        ({}, [-2, -2]),
        ({}, [1e999]),
        ({}, ["4"]),
    ],
)
def test_a_model_of_magentas_that_makes_no_sense_does_not_hide_the_others(
    changed: dict[str, Any], shape: list[Any], cli: Cli, home: Path
) -> None:
    from therapy_gen.musicvae.magenta.configs import CONFIGS

    config = json.loads(CONFIGS["cat-mel_2bar_small"].to_json()) | changed
    header = {
        "__metadata__": {"format": "magenta-musicvae", "config": json.dumps(config), "facts": "{}"},
        "a": {"dtype": "F32", "shape": shape, "data_offsets": [0, 16]},
    }
    head = json.dumps(header).encode()
    (home / "models").mkdir(parents=True)
    (home / "models" / "mine.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + bytes(16))
    listed = cli("model", "list", "--json")
    assert listed.status == 0, listed.err
    models = {model["name"]: model for model in listed.document["models"]}
    assert "model" in models["mine"]["error"]
    assert "error" not in models["calm"]


def test_a_model_of_ones_own_is_found_by_name(cli: Cli, home: Path) -> None:
    from therapy_gen.musicvae.weights import find_model

    (home / "models").mkdir(parents=True)
    shutil.copy(find_model("calm"), home / "models" / "mine.safetensors")
    assert cli("session", "new", "--minutes", "1", "--model", "mine").status == 0
    assert {piece["model"] for piece in cli("piece", "list", "--json").document["pieces"]} <= {"mine", "calm"}


def test_debug_shows_where(cli: Cli) -> None:
    done = cli("--debug", "session", "show", "9")
    assert done.status == 1
    assert "Traceback" in done.err
    assert done.err.splitlines()[-1].startswith("error: session 9 does not exist")


def test_a_missing_driver_says_what_to_install(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", None)
    done = cli("--db", "postgresql://localhost/music", "session", "list")
    assert done.status == 3
    assert "pip install 'therapy-gen[" in done.error_line
