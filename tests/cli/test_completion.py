"""Completion, through the protocol that the shells speak."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from tests.command_tree import all_commands

PROGRAM = [sys.executable, "-m", "therapy_gen.cli.main"]


def completed(line: str, shell: str = "bash", **environment: Any) -> list[str]:
    """What a shell is told at the end of a line, in this process."""
    from therapy_gen.cli.main import run

    words = shlex.split(line + ("''" if line.endswith(" ") else ""))
    asked = {
        "_THERAPY_GEN_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        **environment,
    }
    out, err = io.StringIO(), io.StringIO()
    with patch.dict(os.environ, asked), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run([])
    assert (status, err.getvalue()) == (0, "")
    return [word for word in out.getvalue().splitlines() if word]


def test_commands_and_options_are_completed(home: Path) -> None:
    assert completed("therapy-gen sess") == ["session"]
    assert completed("therapy-gen session sh") == ["show"]
    assert completed("therapy-gen export --overw") == ["--overwrite"]
    assert not home.exists()


def test_what_is_stored_is_completed(with_session: Path, cli: Any) -> None:
    piece = cli("piece", "list", "--json").document["pieces"][0]["piece"]
    assert completed("therapy-gen session show ") == ["1"]
    assert completed("therapy-gen export --session ") == ["1"]
    assert completed("therapy-gen rank --listener a") == ["ana"]
    assert piece in completed(f"therapy-gen piece show {piece[:6]}")
    # An id is accepted in lower case too.
    assert piece[:6].lower() + piece[6:] in completed(f"therapy-gen session rate 1 {piece[:6].lower()}")
    assert completed("therapy-gen piece show ZZZZ") == []


def test_values_with_a_choice_are_completed(home: Path) -> None:
    from sessions.export.formats import export_formats
    from therapy_gen.music.arranging.palettes import PALETTES

    assert sorted(completed("therapy-gen export --format ")) == sorted(export_formats())
    assert completed("therapy-gen export --format xs") == ["xspf"]
    assert completed("therapy-gen session new --arc ") == ["calm", "iso", "sleep", "flat"]
    assert completed("therapy-gen session new --palette ") == list(PALETTES)
    (home / "models").mkdir(parents=True)
    (home / "models" / "mine.safetensors").touch()
    assert completed("therapy-gen session new --model ") == ["calm", "mine"]


def test_every_option_with_a_choice_of_words_completes_them(home: Path) -> None:
    from therapy_gen.music.audio.layers import LAYERS
    from therapy_gen.music.audio.reverb import SPACES
    from therapy_gen.music.audio.transitions import TRANSITIONS

    for option, words in (("--layer", [*LAYERS, "none"]), ("--space", SPACES), ("--transition", TRANSITIONS)):
        assert sorted(completed(f"therapy-gen export {option} ")) == sorted(words)
    for words, command in all_commands():
        for parameter in command.params:
            if re.fullmatch(r"[a-z0-9/]+(\|[a-z0-9/]+)+", parameter.metavar or ""):
                assert parameter._custom_shell_complete is not None, (words, parameter.opts)


def test_zsh_and_fish_are_told_what_a_value_is(with_session: Path) -> None:
    assert completed("therapy-gen session show ", "fish") == ["1\t3 minutes, calm, ana"]
    assert completed("therapy-gen session show ", "zsh") == ['_arguments \'*: :(("1":"3 minutes, calm, ana"))\'']


def test_nothing_is_made_and_nothing_is_said_where_there_is_no_database(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(b"no database at all" * 100)
    for options in ("", f"--home {tmp_path / 'nowhere'} ", f"--db {other} ", "--db postgresql://no@127.0.0.1:1/no "):
        assert completed(f"therapy-gen {options}session show ") == []
        assert completed(f"therapy-gen {options}piece show 01") == []
        assert completed(f"therapy-gen {options}rank --listener ") == []
    assert sorted(tmp_path.iterdir()) == [other]


def test_a_database_is_read_where_the_options_say(with_session: Path, tmp_path: Path) -> None:
    nowhere = {"THERAPY_GEN_HOME": str(tmp_path / "nowhere")}
    assert completed(f"therapy-gen --home {with_session} session show ", **nowhere) == ["1"]
    assert completed(f"therapy-gen --db {with_session / 'therapy.db'} session show ", **nowhere) == ["1"]
    assert completed("therapy-gen session show ", **nowhere) == []


def test_looking_leaves_nothing_beside_the_database(with_session: Path) -> None:
    database = next(with_session.rglob("*.db"))
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for beside in database.parent.glob(f"{database.name}-*"):
        beside.unlink()
    before = sorted(database.parent.iterdir())
    assert completed("therapy-gen session show ") == ["1"]
    assert sorted(database.parent.iterdir()) == before


def test_nothing_of_weight_is_imported(with_session: Path) -> None:
    code = (
        "import sys, os; from therapy_gen.cli.main import run; status = run([]);"
        "print(status, sorted({'sqlalchemy', 'numpy', 'alembic', 'scipy'} & set(sys.modules)), file=sys.stderr)"
    )
    environment = {
        "_THERAPY_GEN_COMPLETE": "complete_bash",
        "COMP_WORDS": "therapy-gen session show ",
        "COMP_CWORD": "3",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("1\n", "0 []\n")


def test_a_name_with_blanks_comes_as_one_word_in_a_real_bash(home: Path, cli: Any, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    assert cli("session", "new", "--minutes", "1", "--listener", "Ana O'Neil (2)").status == 0
    function = tmp_path / "therapy-gen"
    function.write_text(f'#!/bin/sh\nexec {shlex.join(PROGRAM)} "$@"\n')
    function.chmod(0o755)
    source = subprocess.run(
        PROGRAM, capture_output=True, text=True, check=True, env={**os.environ, "_THERAPY_GEN_COMPLETE": "source_bash"}
    ).stdout
    done = subprocess.run(
        [bash, "--norc"],
        input=(
            f"{source}\nCOMP_WORDS=(therapy-gen rank --listener An); COMP_CWORD=3\n"
            f"_therapy_gen_completion {function}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
        ),
        capture_output=True,
        text=True,
        check=True,
    )
    (word,) = done.stdout.splitlines()
    assert shlex.split(word) == ["Ana O'Neil (2)"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_calls_the_program(shell: str) -> None:
    environment = {**os.environ, "_THERAPY_GEN_COMPLETE": f"source_{shell}"}
    done = subprocess.run(PROGRAM, capture_output=True, text=True, check=True, env=environment)
    assert f"complete_{shell}" in done.stdout
    assert "therapy-gen" in done.stdout
    if shutil.which(shell) and shell != "fish":
        subprocess.run([shell, "-n"], input=done.stdout, text=True, check=True)


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with the program in it, under its own name."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "therapy-gen"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(PROGRAM)} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


def script_of(shell: str, folder: Path) -> Path:
    environment = {**os.environ, "_THERAPY_GEN_COMPLETE": f"source_{shell}"}
    done = subprocess.run(PROGRAM, capture_output=True, text=True, check=True, env=environment)
    script = folder / f"completion.{shell}"
    script.write_text(done.stdout)
    return script


def test_a_real_fish_completes_commands_and_values(home: Path, cli: Any, on_path: Path) -> None:
    fish = shutil.which("fish")
    if fish is None:
        pytest.skip("fish is not installed")
    assert cli("session", "new", "--minutes", "1", "--listener", "ana").status == 0

    def completed(line: str) -> list[str]:
        commands = f"source {shlex.quote(str(script_of('fish', on_path)))}; complete -C {shlex.quote(line)}"
        done = subprocess.run([fish, "--no-config", "-c", commands], capture_output=True, text=True, check=True)
        return [said.split("\t")[0] for said in done.stdout.splitlines()]

    assert completed("therapy-gen session sh") == ["show"]
    assert completed("therapy-gen rank --listener ") == ["ana"]
    assert completed("therapy-gen session show ") == ["1"]


def test_a_real_zsh_completes_commands(home: Path, on_path: Path) -> None:
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("zsh is not installed")
    script = shlex.quote(str(script_of("zsh", on_path)))
    dump = shlex.quote(str(on_path / "dump"))
    # A terminal of its own; what comes is read until the word is whole.
    commands = f"""
zmodload zsh/zpty
zpty inner {zsh} -f -i
zpty -w inner 'autoload -Uz compinit && compinit -u -d {dump} && source {script} && bindkey "^I" complete-word'
zpty -w inner 'echo rea''dy'
until [[ $said == *ready* ]]; do zpty -r inner line || exit 1; said+=$line; done
said=
zpty -w -n inner $'therapy-gen session sh\t'
until [[ $said == *'session show'* ]]; do zpty -r inner line '*show*' || exit 1; said+=$line; done
zpty -d inner
"""
    done = subprocess.run([zsh, "-f", "-c", commands], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def test_it_is_installed_into_the_home_folder_of_the_user(home: Path, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    # Typer asks the processes above for their shell.
    done = subprocess.run(
        [bash, "-c", f"{shlex.join(PROGRAM)} --install-completion; exit $?"],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "_COMPLETE=complete_bash" in (tmp_path / ".bash_completions" / "therapy-gen.sh").read_text()


HOSTILE = r'x\$(touch PWNED)`touch PWNED`";touch PWNED;#' + "\\'"


@pytest.fixture
def hostile(home: Path, cli: Any, tmp_path: Path) -> Path:
    """A database whose names and titles are commands; the file that they would make."""
    made = tmp_path / "PWNED"
    text = HOSTILE.replace("PWNED", str(made))
    assert cli("session", "new", "--minutes", "1", "--listener", "ana").status == 0
    with sqlite3.connect(home / "therapy.db") as connection:
        connection.execute("UPDATE pieces SET title = ?", (text,))
        connection.execute("UPDATE listeners SET name = ?", (text,))
        connection.execute("UPDATE sessions SET arc = ?", (text,))
    (home / "models").mkdir(exist_ok=True)
    (home / "models" / f"{HOSTILE.replace('touch ', '').replace('/', '')}.safetensors").touch()
    return made


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_hostile_names_reach_no_shell(hostile: Path, shell: str) -> None:
    for line in ("piece show ", "session show ", "rank --listener ", "session new --model "):
        told = "\n".join(completed(f"therapy-gen {line}", shell))
        assert told or line.startswith("rank")
        # What Typer puts around the words for zsh, or before a colon, is none of ours.
        assert not set(told) & set("$`;#"), told
        assert "\\" not in told.replace("\\\\:", ""), told


def test_a_real_zsh_runs_nothing_of_a_title(hostile: Path, on_path: Path) -> None:
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("zsh is not installed")
    script = shlex.quote(str(script_of("zsh", on_path)))
    dump = shlex.quote(str(on_path / "dump"))
    commands = f"""
zmodload zsh/zpty
zpty inner {zsh} -f -i
zpty -w inner 'autoload -Uz compinit && compinit -u -d {dump} && source {script} && bindkey "^I" complete-word'
zpty -w inner 'echo rea''dy'
until [[ $said == *ready* ]]; do zpty -r inner line || exit 1; said+=$line; done
said=
zpty -w -n inner $'therapy-gen piece show \t'
for n in {{1..300}}; do
    zpty -r -t inner line && said+=$line
    [[ $said == *'show 01'* || -e {shlex.quote(str(hostile))} ]] && break
    sleep 0.1
done
zpty -d inner
print -r -- $said
"""
    done = subprocess.run([zsh, "-f", "-c", commands], capture_output=True, text=True, check=False, timeout=120)
    assert "show 01" in done.stdout, done
    assert not hostile.exists()
