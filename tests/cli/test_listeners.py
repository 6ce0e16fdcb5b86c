"""Listeners and what is noted about their sessions: list, rename, merge, export, forget, notes, measures, ratings."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.fixture(scope="module")
def two_pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with session 1 of two pieces or more for ana, made once."""
    from therapy_gen.cli.main import run

    folder = tmp_path_factory.mktemp("two") / "home"
    made = ["--home", str(folder), "session", "new", "--minutes", "9", "--seed", "5", "--listener", "ana"]
    assert run(made) == 0
    return folder


@pytest.fixture
def with_session(two_pieces: Path, home: Path) -> Path:
    shutil.copytree(two_pieces, home)
    return home


def pieces_of(cli: Cli, session: int = 1) -> list[str]:
    items = cli("session", "show", session, "--json").document["session"]["items"]
    return [item["piece"] for item in items if item["piece"]]


def test_listeners_are_listed_renamed_and_shown(cli: Cli, with_session: Path) -> None:
    assert cli("listener", "list", "--json").document["listeners"][0]["listener"] == "ana"
    done = cli("listener", "rename", "ana", "Ana Lima", "--json")
    assert done.document == {"listener": {"before": "ana", "listener": "Ana Lima"}}
    assert cli("listener", "edit", "Ana Lima", "--alias", "A. L.", "--colour", "teal").status == 0
    shown = cli("listener", "show", "Ana Lima", "--json").document["listener"]
    assert (shown["alias"], shown["colour"], len(shown["sessions"])) == ("A. L.", "teal", 1)
    assert "shown as A. L." in cli("listener", "show", "Ana Lima").out
    assert [one["id"] for one in cli("session", "list", "--listener", "Ana Lima", "--json").document["sessions"]] == [1]
    assert "listener list" in cli("session", "list", "--listener", "ana").error_line
    assert "not known" in cli("listener", "edit", "Ana Lima", "--colour", "mauve").error_line


def test_names_nearly_the_same_are_warned_of_and_merged(cli: Cli, with_session: Path) -> None:
    made = cli("session", "new", "--minutes", "1", "--listener", "Ana.", "--seed", "2")
    assert "listener merge Ana. ana" in made.err
    cli("session", "rate", 2, 1, 4)
    assert "already" in cli("listener", "rename", "Ana.", "ana").error_line
    assert cli("listener", "merge", "Ana.", "ana", "--json").document["listener"]["sessions"] == 1
    (one,) = cli("listener", "list", "--json").document["listeners"]
    assert (one["listener"], one["sessions"], one["ratings"]) == ("ana", 2, 1)
    assert "itself" in cli("listener", "merge", "ana", "ana").error_line


def test_a_session_of_nobody_is_assigned_with_its_ratings(cli: Cli, home: Path) -> None:
    cli("session", "new", "--minutes", "1", "--seed", "2")
    rated = cli("session", "rate", 1, 1, 5)
    assert "session assign 1 --listener NAME" in rated.err
    assert cli("session", "assign", 1, "--listener", "ben", "--json").document["session"]["listener"] == "ben"
    ranked = cli("rank", "--listener", "ben", "--with-ratings", "--json").document
    assert ranked["with_ratings"][0]["piece"] == pieces_of(cli)[0]


def test_a_session_takes_recordings_along_that_name_its_pieces_alone(cli: Cli, with_session: Path) -> None:
    from sessions.storage.recordings import BandPower, ScoredPlay, ScoredRecording, recorded_power, store_recordings
    from sessions.storage.store import Store
    from therapy_gen.study.posterior import Ranker

    first, second = pieces_of(cli)
    shared, other = first, second
    made = cli("session", "new", "--with", shared, "--explore", 0, "--listener", "ana", "--minutes", 5)
    assert made.status == 0, made.err

    def recording(name: str, *pieces: str) -> ScoredRecording:
        power = {"beta": BandPower(-1.0, None)}
        plays = [ScoredPlay(piece, 60.0 * n, 50.0, 50.0, 25, None, power, ()) for n, piece in enumerate(pieces)]
        return ScoredRecording(name, f"{name}.fif", None, None, "beta", True, plays, [], {}, {})

    store = Store.open(with_session / "therapy.db")
    # Scored from marks that name pieces, without --session; a piece that is in two sessions tells of neither.
    store_recordings(store, [recording("its", shared, other), recording("either", shared)], Ranker(), listener="ana")
    assert cli("session", "assign", 1, "--listener", "ben").status == 0
    assert [one.file for one in recorded_power(store, listener="ben")] == ["its.fif"]
    assert [one.file for one in recorded_power(store, listener="ana")] == ["either.fif"]
    ranked = cli("rank", "--listener", "ben", "--json").document["pieces"]
    assert {one["piece"] for one in ranked} == {first, second}


def test_pieces_are_rated_by_number_title_and_id(cli: Cli, with_session: Path) -> None:
    items = cli("session", "show", 1, "--json").document["session"]["items"]
    second = [item for item in items if item["piece"]][1]
    for said, value in (("2", 5), (second["title"].upper(), 4), (second["piece"][:12].lower(), 3)):
        done = cli("session", "rate", 1, said, value, "--json")
        assert done.document["rating"]["piece"] == second["piece"], said
    assert "give 1 to" in cli("session", "rate", 1, 9, 3).error_line
    assert cli("session", "rate", 1, "No Such Title", 3).status == 1


def test_notes_and_measures_are_kept(cli: Cli, with_session: Path, tmp_path: Path) -> None:
    cli("session", "note", 1, "Slept well; <b>tired</b>.")
    assert cli("session", "note", 1, "--json").document["notes"][0]["text"] == "Slept well; <b>tired</b>."
    assert "empty" in cli("session", "note", 1, " ").error_line
    assert cli("session", "measure", 1, "--scale", "vas-calm", "--before", 40).status == 0
    done = cli("session", "measure", 1, "--scale", "VAS-calm", "--after", 65, "--json").document
    assert done["measures"] == [{"scale": "vas-calm", "before": 40.0, "after": 65.0, "change": 25.0}]
    names = {one["name"] for one in done["scales"]}
    assert {"vas-tension", "sam-arousal", "stai-6", "panas-sf-negative"} <= names
    assert "give 0 to 100" in cli("session", "measure", 1, "--scale", "vas-calm", "--after", 101).error_line
    own = tmp_path / "own.toml"
    own.write_text('[[scale]]\nname = "pain"\ntitle = "Pain"\nlow = 0\nhigh = 10\nsmallest_change = 2\n')
    assert cli("session", "measure", 1, "--scales", own, "--scale", "pain", "--before", 5, "--after", 2).status == 0
    cli("report", "--listener", "ana", "-o", tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert "Pain before and after each session" in page
    assert "less than 2 may be noise" in page
    assert "&lt;b&gt;tired" in page
    own.write_text('[[scale]]\nname = "pain"\ntitle = "Pain"\nlow = 3\nhigh = 1\n')
    assert "not below" in cli("session", "measure", 1, "--scales", own).error_line


def test_what_was_heard_elsewhere_is_a_play(cli: Cli, with_session: Path) -> None:
    assert cli("session", "heard", 1, "--at", "2026-07-01 20:15", "--json").document["play"]["finished"] is True
    assert cli("listener", "list", "--json").document["listeners"][0]["plays"] == 1
    assert "no moment" in cli("session", "heard", 1, "--at", "yesterday").error_line


def test_an_archive_is_readable_without_the_program(cli: Cli, with_session: Path, tmp_path: Path) -> None:
    cli("session", "rate", 1, 1, 4)
    cli("session", "note", 1, "=1+1 is no formula")
    out = tmp_path / "ana.zip"
    assert cli("listener", "export", "ana", "-o", out, "--json").document["listener"]["tables"]["sessions"] == 1
    with zipfile.ZipFile(out) as archive:
        names = set(archive.namelist())
        document = json.loads(archive.read("listener.json"))
        assert archive.read(f"pieces/{pieces_of(cli)[0]}.mid").startswith(b"MThd")
        assert "'=1+1" in archive.read("notes.csv").decode()
    assert {"README.txt", "sessions.csv", "ratings.csv", "measures.csv", "plays.csv", "scores.csv"} <= names
    assert document["ratings"][0]["value"] == 4


@pytest.mark.long
def test_forgetting_leaves_no_bytes(cli: Cli, home: Path) -> None:
    name = "Zoë Unmistakable 名前"
    cli("session", "new", "--minutes", "2", "--seed", "1", "--listener", name, "--audio", "ogg")
    cli("session", "new", "--minutes", "1", "--seed", "2", "--listener", "other")
    cli("session", "rate", 1, 1, 5)
    cli("session", "note", 1, "a note of some length that is unmistakable too")
    gone, kept = pieces_of(cli, 1), pieces_of(cli, 2)
    (home / "therapy.db.0001.bak").write_bytes(name.encode())
    done = cli("listener", "forget", name, "--yes", "--json").document["forgotten"]
    assert (done["sessions"], done["pieces"]) == (1, len(gone))
    for path in home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for needle in (name.encode(), b"unmistakable", *(piece.encode() for piece in gone)):
                assert needle not in content, path
    assert pieces_of(cli, 2) == kept
    assert cli("db", "check").status == 0
    assert cli("listener", "show", name).status == 1


def test_a_piece_is_renamed_and_deleted(cli: Cli, with_session: Path, tmp_path: Path) -> None:
    piece = pieces_of(cli)[0]
    assert cli("piece", "rename", piece, "Evening Water", "--json").document["piece"]["title"] == "Evening Water"
    assert cli("piece", "export", piece, "-o", tmp_path / "a.mid").status == 0
    imported = cli("piece", "import", tmp_path / "a.mid", "--json").document["pieces"][0]
    assert imported["title"] == "Evening Water"
    assert "is in session 1" in cli("piece", "delete", piece, "--yes").error_line
    if imported["piece"] != piece:
        assert cli("piece", "delete", imported["piece"], "--yes").status == 0
        assert cli("piece", "show", imported["piece"]).status == 1


def test_the_suffix_says_the_format(cli: Cli, with_session: Path, tmp_path: Path) -> None:
    assert cli("export", "--session", 1, "-o", tmp_path / "a.csv").status == 0
    assert (tmp_path / "a.csv").read_text().count("\n") > 2
    assert cli("export", "--session", 1, "-o", tmp_path / "a.mid").status == 0
    assert cli("export", "--session", 1, "-o", tmp_path / "a.xyz").status == 2


@pytest.mark.parametrize("marked", ["rated", "never"])
def test_what_was_not_liked_does_not_come_back(cli: Cli, with_session: Path, marked: str) -> None:
    from sessions.clients.diary import mark_piece
    from sessions.storage.store import Store
    from therapy_gen.study.posterior import preference_of

    store = Store.open(with_session / "therapy.db")
    first, *rest = pieces_of(cli)
    cli("session", "rate", 1, 2, 5)
    before = {one.piece: one.why for one in preference_of(store, "ana", None, 1).drawn}
    # What was heard and not rated may return.
    assert set(before) == {first, *rest}
    assert before[first] == "drawn: heard before, not rated"
    if marked == "rated":
        cli("session", "rate", 1, 1, 2)
    else:
        mark_piece(store, first, "never", "ana")
    assert {one.piece for one in preference_of(store, "ana", None, 1).drawn} == set(rest)
    new = cli("session", "new", "--minutes", "6", "--listener", "ana", "--seed", "4", "--json").document["session"]
    assert first not in {item["piece"] for item in new["items"]}
    assert not [item for item in new["items"] if first[:10] in (item["why"] or "")]


def test_a_session_again_shorter_and_through_other_instruments(cli: Cli, with_session: Path) -> None:
    before = pieces_of(cli)
    shorter = cli("session", "new", "--again", 1, "--minutes", 6, "--seed", 9, "--json")
    assert shorter.status == 0, shorter.err
    held = {item["piece"] for item in shorter.document["session"]["items"]} & set(before)
    assert held
    assert len(held) < len(before)
    other = cli("session", "new", "--again", 1, "--minutes", 9, "--palette", "harp", "--seed", 9, "--json")
    assert other.status == 0, other.err
    items = [item for item in other.document["session"]["items"] if item["why"] == "asked for"]
    titles = [item["title"] for item in cli("session", "show", 1, "--json").document["session"]["items"]]
    assert items
    for item in items:
        assert item["title"] in titles
        assert item["piece"] not in before
        shown = cli("piece", "show", item["piece"], "--json").document["piece"]
        assert shown["palette"] == "harp"
    # Once more: they are there already.
    number = len(cli("piece", "list", "--json").document["pieces"])
    cli("session", "new", "--again", 1, "--minutes", 9, "--palette", "harp", "--seed", 9)
    assert len(cli("piece", "list", "--json").document["pieces"]) <= number + 1
