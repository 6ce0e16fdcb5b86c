"""What docs/cli.md promises to people and scripts: names, JSON, streams, exit codes."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.command_tree import all_commands, command_of

PROGRAM = [sys.executable, "-m", "therapy_gen.cli.main"]

Cli = Callable[..., Any]


COMMANDS = [words for words, _ in all_commands()]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_help_ends_with_an_example_that_is_a_command(words: tuple[str, ...], cli: Cli, home: Path) -> None:
    done = cli(*words, "--help")
    assert (done.status, done.err) == (0, "")
    last = done.out.rstrip().splitlines()[-1].strip()
    assert last.startswith("Example: therapy-gen ")
    example = last.removeprefix("Example: therapy-gen ").split()
    assert tuple(example[: len(words)]) == words
    assert all(len(line) <= 80 for line in done.out.splitlines())
    assert not home.exists()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_is_explained(words: tuple[str, ...]) -> None:
    command = command_of(words)
    unexplained = [parameter.name for parameter in command.params if not getattr(parameter, "help", None)]
    assert unexplained == []
    assert command.help


CONTRACT = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
PROMISED = re.findall(r"^\| `([a-z -]+)` \| (?:`([^`]*)`)? ?\|", CONTRACT, flags=re.MULTILINE)
DOCUMENTS = dict(re.findall(r"`([a-z -]+) --json`:\n\n```json\n(.*?)```", CONTRACT, flags=re.DOTALL))


@pytest.mark.parametrize(("words", "options"), PROMISED, ids=[words for words, _ in PROMISED])
def test_what_is_promised_is_there(words: str, options: str) -> None:
    there = {
        name
        for parameter in command_of(tuple(words.split())).params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    assert set(options.split()) <= there


def test_every_command_is_promised() -> None:
    there = {" ".join(words) for words in COMMANDS if words}
    assert there - {words for words, _ in PROMISED} == {words.split()[0] for words, _ in PROMISED if " " in words}


def keys_missing(promised: Any, given: Any) -> set[str]:
    """Keys of the promised document that are not in one that was printed."""
    if isinstance(promised, dict):
        inner = [keys_missing(value, given[key]) for key, value in promised.items() if key in given]
        return (promised.keys() - given.keys()).union(*inner)
    if isinstance(promised, list) and promised and isinstance(promised[0], dict):
        return set().union(*(keys_missing(promised[0], one) for one in given))
    return set()


def test_documents_have_the_promised_keys(cli: Cli, with_session: Path) -> None:
    for words, arguments in {"session new": ("--minutes", "1"), "piece list": ()}.items():
        given = cli(*words.split(), *arguments, "--json").document
        promised = json.loads(DOCUMENTS[words])
        if words == "session new":
            given["session"]["items"] = [one for one in given["session"]["items"] if one["role"] == "music"]
        assert keys_missing(promised, given) == set()


def test_no_arguments_show_the_help(cli: Cli) -> None:
    assert cli() == cli("--help")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("sesion new", "session"),
        ("session nwe", "new"),
        ("--db session rnk", "rank"),
        ("--db=session rnk list", "rank"),
    ],
)
def test_a_slip_is_told_what_may_be_meant(words: str, meant: str, cli: Cli) -> None:
    done = cli(*words.split())
    assert done.status == 2
    assert f"Did you mean '{meant}'?" in done.err


def test_the_version_is_that_of_the_package(cli: Cli) -> None:
    from importlib.metadata import version

    assert cli("--version").out == f"therapy-gen {version('therapy-gen')}\n"


def test_session_new_says_what_the_contract_says(cli: Cli) -> None:
    done = cli("session", "new", "--minutes", "3", "--seed", "7", "--listener", "ana", "--json")
    assert (done.status, done.err) == (0, "")
    session = done.document["session"]
    assert session["id"] == 1
    assert session["listener"] == "ana"
    assert session["arc"] == "calm"
    assert session["seed"] == 7
    assert session["duration_s"] == pytest.approx(180.0, rel=0.05)
    moment = 0.0
    for position, item in enumerate(session["items"]):
        assert item["position"] == position
        assert item["role"] in ("music", "silence")
        assert item["onset_s"] == pytest.approx(moment)
        moment += item["duration_s"]
        if item["role"] == "music":
            assert re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", item["piece"])
            assert 54.0 <= item["tempo"] <= 72.0
            assert re.fullmatch(r"[A-G][♯♭]? (major|minor)", item["key"])
            assert 0.0 <= item["calm"] <= 1.0
        else:
            assert item["piece"] is None
    assert moment == pytest.approx(session["duration_s"])


def test_no_listener_is_null(cli: Cli) -> None:
    assert cli("session", "new", "--minutes", "1", "--json").document["session"]["listener"] is None


def test_the_same_seed_gives_the_same_session_but_for_its_ids(cli: Cli) -> None:
    def musical(document: dict[str, Any]) -> dict[str, Any]:
        session = document["session"]
        items = [{key: value for key, value in item.items() if key != "piece"} for item in session["items"]]
        return {**session, "id": None, "items": items}

    made = [cli("session", "new", "--minutes", "3", "--seed", "7", "--json").document for _ in range(2)]
    assert made[0] != made[1]
    assert musical(made[0]) == musical(made[1])


def test_new_and_show_tell_the_same(cli: Cli) -> None:
    made = cli("session", "new", "--minutes", "1", "--json")
    assert cli("session", "show", "1", "--json").document == made.document


@pytest.mark.parametrize("minutes", [1, 2, 5])
def test_a_session_lasts_what_was_asked(minutes: int, cli: Cli) -> None:
    session = cli("session", "new", "--minutes", minutes, "--json").document["session"]
    assert session["duration_s"] == pytest.approx(60 * minutes, rel=0.05)


def test_the_library_says_what_the_contract_says(cli: Cli, with_session: Path) -> None:
    pieces = cli("piece", "list", "--json").document["pieces"]
    keys = ["piece", "title", "source", "model", "duration_s", "tempo", "key", "calm"]
    assert [list(piece) for piece in pieces] == [keys] * len(pieces)
    assert {piece["model"] for piece in pieces} == {"calm"}
    assert {piece["source"] for piece in pieces} == {None}
    shown = cli("piece", "show", pieces[0]["piece"][:12], "--json").document["piece"]
    assert {key: shown[key] for key in keys} == pieces[0]


def test_a_piece_says_how_its_calmness_comes_about(cli: Cli, with_session: Path) -> None:
    piece = cli("piece", "list", "--json").document["pieces"][0]["piece"]
    shown = cli("piece", "show", piece, "--json").document["piece"]
    logit = sum(part["adds"] for part in shown["calm_from"])
    assert 1 / (1 + math.exp(-logit)) == pytest.approx(shown["calm"], abs=0.002)
    assert all(part["weight"] > 0 and part["source"] for part in shown["calm_from"])
    text = cli("piece", "show", piece).out
    assert "low arousal, not pleasantness" in text
    for part in shown["calm_from"]:
        assert f"{part['feature']}: {part['source']}" in text


def test_sessions_are_listed(cli: Cli, with_session: Path) -> None:
    (session,) = cli("session", "list", "--json").document["sessions"]
    assert (session["id"], session["listener"], session["seed"]) == (1, "ana", 5)


def test_a_rating_is_kept(cli: Cli, with_session: Path) -> None:
    piece = cli("piece", "list", "--json").document["pieces"][0]["piece"]
    done = cli("session", "rate", "1", piece[:12], "4", "--json")
    assert done.document == {"rating": {"session": 1, "piece": piece, "listener": "ana", "value": 4}}
    items = cli("session", "show", "1", "--json").document["session"]["items"]
    assert [item["rating"] for item in items if item["piece"] == piece] == [4]
    assert "****" in cli("session", "show", "1").out


def test_a_session_is_deleted(cli: Cli, with_session: Path) -> None:
    assert cli("session", "delete", "1", "--yes").out == "Deleted session 1\n"
    assert cli("session", "list", "--json").document == {"sessions": []}
    assert cli("session", "delete", "1", "--yes").status == 1


def test_without_a_terminal_a_session_is_deleted_unasked(cli: Cli, with_session: Path) -> None:
    said = cli("session", "delete", "--help").out
    assert "without a terminal on standard input it deletes unasked" in " ".join(said.split())
    assert cli("session", "delete", "1").out == "Deleted session 1\n"


def test_the_database_tells_about_itself(cli: Cli, with_session: Path, tmp_path: Path) -> None:
    info = cli("db", "info", "--json").document["db"]
    assert info["database"] == str(with_session / "therapy.db")
    assert info["revision"] == info["newest"]
    assert info["sessions"] == 1
    assert cli("db", "check", "--json").document["db"]["ok"] is True
    upgraded = cli("db", "upgrade", "--json").document["db"]
    assert upgraded["before"] == upgraded["after"] == info["newest"]
    copied = cli("db", "backup", tmp_path / "copy.db", "--json").document["db"]
    assert copied["bytes"] == (tmp_path / "copy.db").stat().st_size
    assert cli("--db", tmp_path / "copy.db", "session", "show", "1").status == 0
    assert "copy.db exists; choose another place" in cli("db", "backup", tmp_path / "copy.db").error_line
    assert cli("db", "backup", tmp_path / "copy.db", "--overwrite").status == 0


def test_a_damaged_database_fails_the_check(cli: Cli, with_session: Path) -> None:
    import sqlite3

    with sqlite3.connect(with_session / "therapy.db") as connection:
        connection.execute("UPDATE session_items SET onset_s = onset_s + 3")
    done = cli("db", "check", "--json")
    assert done.status == 1
    assert "begins at" in done.document["db"]["problems"][0]


def test_models_are_listed_and_shown(cli: Cli) -> None:
    models = {model["name"]: model for model in cli("model", "list", "--json").document["models"]}
    assert models["calm"]["default"] is True
    info = cli("model", "info", "calm", "--json").document["model"]
    assert info["sha256"] == models["calm"]["sha256"]
    assert info["config"]["steps_per_bar"] == 16
    shown = cli("model", "info").out
    assert shown.startswith("name")
    assert "{" not in shown


@pytest.mark.parametrize(
    "words", ["session list", "session show 1", "piece list", "model list", "db info", "session new --minutes 1"]
)
def test_tables_fit_80_columns(words: str, cli: Cli, with_session: Path) -> None:
    done = cli(*words.split())
    assert done.status == 0
    assert all(len(line.rstrip()) <= 80 for line in done.out.splitlines() if str(with_session) not in line)


def test_session_new_tells_how_to_hear_it(cli: Cli) -> None:
    done = cli("session", "new", "--minutes", "1")
    last = done.out.splitlines()[-1]
    assert last == "To hear it: therapy-gen export --session 1 --format flac -o session-1.flac"


def test_the_command_told_makes_the_sound(
    cli: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import soundfile

    monkeypatch.chdir(tmp_path)
    told = cli("session", "new", "--minutes", "1").out.splitlines()[-1].split()
    done = cli(*told[told.index("therapy-gen") + 1 :])
    assert (done.status, done.out) == (0, "session-1.flac\n")
    assert soundfile.info("session-1.flac").duration == pytest.approx(60.0, rel=0.05)


def test_audio_goes_where_it_is_sent(cli: Cli, tmp_path: Path) -> None:
    done = cli("session", "new", "--minutes", "1", "--audio", "ogg", "--out", tmp_path / "a b", "--json")
    assert done.status == 0
    assert done.document["session"]["id"] == 1
    names = sorted(path.name for path in (tmp_path / "a b").iterdir())
    assert names[-1] == "session-1.m3u8"
    assert all(name.endswith(".ogg") for name in names[:-1])
    assert done.err.startswith("session 1 is stored")


def test_audio_goes_to_the_home_folder_else(cli: Cli, home: Path) -> None:
    quiet = cli("--quiet", "session", "new", "--minutes", "1", "--audio", "flac")
    assert (quiet.status, quiet.err) == (0, "")
    assert (home / "renders" / "session-1.m3u8").exists()


def test_a_database_by_option_by_environment_and_by_home(
    cli: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed(*options: object) -> int:
        return len(cli(*options, "session", "list", "--json").document["sessions"])

    assert cli("--db", tmp_path / "a.db", "session", "new", "--minutes", "1").status == 0
    assert listed() == 0
    assert listed("--db", tmp_path / "a.db") == 1
    assert listed("--db", f"sqlite:///{tmp_path / 'a.db'}") == 1
    assert listed("--home", tmp_path / "other") == 0
    assert not (tmp_path / "other").exists()
    monkeypatch.setenv("THERAPY_GEN_DB", str(tmp_path / "a.db"))
    assert listed() == 1
    assert cli("--db", home / "therapy.db", "session", "list").status == 1


def test_without_options_the_user_data_folder_is_used(program: Cli, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("THERAPY_GEN")}
    environment |= {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data"), "USERPROFILE": str(tmp_path)}
    done = program("db", "upgrade", "--json", env=environment)
    database = Path(done.document["db"]["database"])
    assert database.is_relative_to(tmp_path)
    assert database.name == "therapy.db"


def test_a_closed_pipe_is_no_error(with_session: Path) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "session", "show", "1", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    assert (process.wait(), said) == (0, b"")
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_output_that_cannot_be_written_is_an_error(with_session: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, "session", "list"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["error: No space left on device"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_terminals_of_any_encoding(encoding: str, home: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    new = ["session", "new", "--minutes", "1", "--key", "Bb", "--listener", "Zoë 🎧", "--json"]
    code = (
        "import sys; from therapy_gen.cli.main import run\n"
        f"codes = [run(words) for words in ({new!a}, ['session', 'list'], ['session', 'show', '1'])]\n"
        "sys.exit(codes != [0, 0, 0])"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    document, _ = json.JSONDecoder().raw_decode(done.stdout.decode(encoding))
    session = document["session"]
    assert (session["listener"], session["items"][0]["key"]) == ("Zoë 🎧", "B♭ major")


@pytest.mark.parametrize("name", ['O"Hara', "a\nb", "\x1b[31mred", "[red]x[/red]", "🎧" * 40, "x" * 200])
def test_names_of_any_kind_do_not_break_the_output(name: str, cli: Cli) -> None:
    made = cli("session", "new", "--minutes", "1", "--listener", name, "--json")
    assert made.document["session"]["listener"] == name
    assert cli("session", "list", "--json").document["sessions"][0]["listener"] == name
    listed = cli("session", "list").out
    assert len(listed.splitlines()) == 2
    assert "\x1b" not in listed
    assert "\x1b" not in cli("session", "show", "1").out


def test_a_command_that_is_told_takes_a_listener_of_any_name(cli: Cli) -> None:
    name = 'Zoë "X", <b>'
    cli("session", "new", "--minutes", "1", "--listener", name)
    told = cli("rank", "--listener", name).error_line.partition("to score one: therapy-gen ")[2]
    assert shlex.split(told) == ["score-eeg", "RECORDING", "--listener", name]


@pytest.mark.long
def test_progress_shows_on_a_terminal_only(with_session: Path, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "export", "--session", "1", "--format", "wav", "-o", tmp_path / "a.wav"],
        stdout=subprocess.PIPE,
        stderr=follower,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 1000)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert out == f"{tmp_path / 'a.wav'}\n".encode()
    assert b"rendering" in shown


def test_help_is_quick_to_import() -> None:
    code = (
        "import sys; from therapy_gen.cli.main import run; run(['--help']);"
        "print(sorted({'rich', 'sqlalchemy', 'numpy', 'pydantic', 'alembic'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
