"""Narrow terminals and quick answers: tables at 80 columns with long names, and what a listing imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = [sys.executable, "-m", "therapy_gen.cli.main"]
LONG = "Maria Magdalena von und zu Hohenstaufen-Langenburg, geborene Gräfin 名前"


@pytest.fixture(scope="module")
def wide_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a long name, a long title, a large seed and a rating."""
    from sqlalchemy import update

    from sessions.storage.store import Store
    from sessions.storage.tables import PieceRow
    from therapy_gen.cli.main import run

    home = tmp_path_factory.mktemp("wide") / "home"
    given = ["--home", str(home), "--quiet"]
    assert run([*given, "session", "new", "--minutes", "2", "--seed", "123456789012", "--listener", LONG]) == 0
    store = Store.open(home / "therapy.db")
    with store.write() as database:
        database.execute(update(PieceRow).values(title="The Long Way Home Through Very Tall Grass " * 3))
        piece = database.query(PieceRow.id).limit(1).scalar()
    assert run([*given, "session", "rate", "1", piece, "5"]) == 0
    return home


def cells(line: str) -> int:
    from rich.cells import cell_len

    return cell_len(line.rstrip())


TABLES = ["session list", "session show 1", "piece list", "model list", "session --help", "score-eeg --help", "rank"]


@pytest.mark.parametrize("words", TABLES)
def test_output_without_a_terminal_fits_80_columns(words: str, wide_home: Path, cli: Any) -> None:
    lines = cli("--home", wide_home, *words.split()).out.splitlines()
    tabular = [line for line in lines if LONG not in line and not line.startswith("Ranking")]
    assert [line for line in tabular if cells(line) > 80] == []


def on_a_terminal(arguments: list[str], columns: int) -> str:
    """Standard output of the program on a terminal of that width."""
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        stdout=follower,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm", "COLUMNS": str(columns), "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(leader)
    assert process.wait() == 0
    return shown.decode()


def test_numbers_are_never_cut_on_a_narrow_terminal(wide_home: Path) -> None:
    import re

    said = on_a_terminal(["--home", str(wide_home), "session", "list"], 80)
    rows = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in said.splitlines()]
    assert all(cells(row) <= 80 for row in rows)
    assert rows[1].split()[0] == "1"
    assert rows[1].split()[-1] == "123456789012"
    assert "…" in rows[1]
    said = on_a_terminal(["--home", str(wide_home), "session", "show", "1"], 80)
    head = next(re.sub(r"\x1b\[[0-9;]*m", "", line) for line in said.splitlines() if "start" in line)
    assert head.split() == ["start", "length", "title", "key", "tempo", "calm", "piece", "rated"]


@pytest.mark.long
def test_tables_of_60_columns_are_cut_between_words(wide_home: Path) -> None:
    import re

    for words in (["session", "list"], ["piece", "list"], ["listener", "list"], ["session", "show", "1"]):
        said = on_a_terminal(["--home", str(wide_home), *words], 60)
        table = [
            re.sub(r"\x1b\[[0-9;]*m", "", line) for line in said.split("\r\n\r\n")[words[1] == "show"].splitlines()
        ]
        assert all(cells(row) <= 60 for row in table), words
        # What is cut ends with a whole word of the name, of the title, of the date.
        whole = set(f"{LONG} The Long Way Home Through Very Tall Grass".split())
        for cut in re.findall(r"(\S+)…", " ".join(table[1:])):
            assert cut in whole or re.fullmatch(r"[0-9A-Z]{5,}|\d{4}-\d\d-\d\d", cut) or len(cut) <= 8, cut


@pytest.mark.long
def test_an_answer_no_is_no_error(with_session: Path) -> None:
    pty = pytest.importorskip("pty")
    for words in (["session", "delete", "1"], ["listener", "forget", "ana"]):
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            [*PROGRAM, "--home", str(with_session), *words],
            stdin=follower,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        os.write(leader, b"n\n")
        out, err = process.communicate(timeout=60)
        for end in (leader, follower):
            os.close(end)
        assert (process.returncode, err) == (0, b"")
        assert b"Nothing was deleted" in out


@pytest.mark.long
def test_progress_shows_within_the_first_second_of_work(with_session: Path, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    recording = str(tmp_path / "a_raw.fif")
    for words in (
        ["export", "--session", "1", "--format", "wav", "-o", str(tmp_path / "a.wav")],
        ["simulate-eeg", "--session", "1", "--channels", "3", "-o", recording],
        ["score-eeg", recording, "--listener", "ana"],
    ):
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            [*PROGRAM, "--home", str(with_session), *words],
            stdout=subprocess.DEVNULL,
            stderr=follower,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(follower)
        assert os.read(leader, 1000)
        # By the processor's time, of which other work takes a third more.
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        assert (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") < 1.4, words
        with pytest.raises(OSError, match=r"."):  # noqa: PT012 (it ends when nobody writes any more)
            while os.read(leader, 1000):
                pass
            raise OSError("the end")
        assert process.wait(120) == 0
        os.close(leader)


@pytest.mark.long
def test_a_hint_runs_as_pasted_where_the_command_was_run(with_session: Path, tmp_path: Path) -> None:
    # The program of an environment that is not on the path, as the README calls it.
    program = tmp_path / "clone" / ".venv" / "bin" / "therapy-gen"
    program.parent.mkdir(parents=True)
    text = "import sys\nfrom therapy_gen.cli.main import main\nsys.exit(main())\n"
    program.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
    program.chmod(0o755)
    run: dict[str, Any] = {"cwd": tmp_path / "clone", "capture_output": True, "text": True, "check": True}
    made = subprocess.run(
        [".venv/bin/therapy-gen", "--home", with_session, "session", "new", "--minutes", "1", "--listener", "ana.b"],
        **run,
    )
    hint = made.stdout.splitlines()[-1].removeprefix("To hear it: ")
    assert hint.startswith(".venv/bin/therapy-gen --home ")
    pasted = hint.replace("flac", "mid")
    assert subprocess.run(pasted, shell=True, **run).stdout == "session-2.mid\n"
    assert (tmp_path / "clone" / "session-2.mid").exists()


def test_a_listing_imports_no_more_than_it_needs(wide_home: Path) -> None:
    code = (
        "import sys; from therapy_gen.cli.main import run\n"
        "heavy = {'numpy', 'alembic', 'scipy', 'psycopg', 'rich.table'}\n"
        "for words in ('session list', 'session show 1', 'piece list', 'db info'):\n"
        "    status = run(['--home', sys.argv[1], *words.split()])\n"
        "    print(words, status, sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, wide_home], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ["session list 0 []", "session show 1 0 []", "piece list 0 []", "db info 0 []"]


def test_every_session_says_why_its_pieces_are_there(cli: Any) -> None:
    assert cli("session", "new", "--minutes", "1", "--seed", "2").status == 0
    title = cli("session", "show", 1, "--json").document["session"]["items"][0]["title"]
    assert f"\n{title}  new\n" in cli("session", "show", 1).out


def test_what_is_said_of_a_piece_is_wrapped_beside_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    from therapy_gen.cli.output import print_notes

    why = "drawn: rank 12 of 14, beta -0.1 dB (-0.3 to +0.0), rated 5 5 5, P(best) 0.95"
    print_notes([("A title that is not short 名前", why), ("Brief", "new")])
    long, rest, short = capsys.readouterr().out.splitlines()
    assert all(cells(line) <= 80 for line in (long, rest, short))
    assert " ".join(f"{long} {rest}".split()) == f"A title that is not short 名前 {why}"
    # What is said stands in one column.
    start = cells(long[: long.index("drawn")] + "|") - 1
    assert rest.startswith(" " * start)
    assert short.index("new") == start
