"""The loop from a session to a recording, a ranking, a playlist and the next session, through the command line."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.needs import needs

needs("mne", "the extra eeg is not installed")

Cli = Callable[..., Any]


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home that holds session 1 for ana, and its recording: copy it, do not write to it."""
    from sessions.storage.library import get_session
    from sessions.storage.store import Store
    from therapy_gen.cli.main import run as program

    folder = tmp_path_factory.mktemp("heard")

    def run(*arguments: str) -> None:
        assert program(["--home", str(folder / "home"), "--quiet", *arguments]) == 0

    run("session", "new", "--minutes", "9", "--repeats", "2", "--baseline", "45", "--seed", "3", "--listener", "ana")
    first, second = (piece.id for piece in get_session(Store.open(folder / "home" / "therapy.db"), 1).pieces())
    run(
        *("simulate-eeg", "--session", "1", "--channels", "3", "--sfreq", "160", "--drift", "0", "--marks", "session"),
        *("--effect", f"{first}=3:1", "--effect", f"{second}=-2:-1", "-o", str(folder / "ana_raw.fif")),
    )
    return folder


@pytest.fixture
def ana(heard: Path, home: Path, tmp_path: Path) -> Path:
    """The recording of session 1, which is in the home of this test."""
    shutil.copytree(heard / "home", home)
    return Path(shutil.copy(heard / "ana_raw.fif", tmp_path / "ana_raw.fif"))


def pieces_of(cli: Cli, session: int = 1) -> list[str]:
    items = cli("session", "show", session, "--json").document["session"]["items"]
    return list(dict.fromkeys(item["piece"] for item in items if item["piece"]))


def test_the_loop(cli: Cli, ana: Path, home: Path, tmp_path: Path) -> None:
    worse, better = pieces_of(cli)
    report = tmp_path / "ana.html"
    done = cli("score-eeg", ana, "--report", report, "--json")
    assert done.status == 0, done.err
    document = done.document
    assert document["listener"] == "ana"
    (recording,) = document["recordings"]
    assert {"file", "sha256", "sfreq", "channels", "bad_channels", "line_freq", "plays"} <= set(recording)
    assert (recording["sfreq"], recording["channels"], recording["line_freq"]) == (160.0, 3, 50.0)
    play = recording["plays"][0]
    assert {"piece", "onset_s", "duration_s", "clean_s", "beta_db", "gamma_db", "muscle_db", "flags"} <= set(play)
    assert "beta_adjusted_db" in play
    assert report.read_text(encoding="utf-8").startswith("<!doctype html>")

    ranking = cli("rank", "--listener", "ana", "--json").document
    assert ranking["listener"] == "ana"
    assert ranking["criterion"] == "beta"
    assert ranking == document["ranking"]
    assert [piece["piece"] for piece in ranking["pieces"]] == [better, worse]
    assert [piece["rank"] for piece in ranking["pieces"]] == [1, 2]
    first = ranking["pieces"][0]
    assert first["plays"] == 2
    assert first["ci90_db"][0] < first["mean_db"] < first["ci90_db"][1] < 0 < ranking["pieces"][1]["mean_db"]
    assert cli("rank", "--json").document == ranking
    assert "Ranking for ana" in cli("rank").out

    assert cli("db", "check").status == 0
    with sqlite3.connect(home / "therapy.db") as database:
        stored = database.execute("SELECT piece_id, mean_db FROM rankings ORDER BY expected_rank").fetchall()
        items = database.execute("SELECT count(*) FROM plays WHERE item_id IS NOT NULL").fetchone()[0]
    assert [name for name, _ in stored] == [better, worse]
    assert stored[0][1] == pytest.approx(first["mean_db"], abs=1e-3)
    assert items == 4

    playlist = tmp_path / "best.m3u8"
    done = cli(
        "export", "--ranked", "--listener", "ana", "--top", "1", "--format", "m3u8", "--audio", "ogg", "-o", playlist
    )
    assert done.status == 0, done.err
    (entry,) = [line for line in playlist.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert (tmp_path / entry).stat().st_size > 10_000

    drawn = cli("session", "new", "--minutes", "9", "--listener", "ana", "--seed", "4", "--explore", "0", "--json")
    why = {item["piece"]: item["why"] for item in drawn.document["session"]["items"] if item["piece"]}
    assert why[better].startswith("drawn: rank 1 of 2")
    assert better in cli("session", "show", "2").out


def test_scoring_again_replaces(cli: Cli, ana: Path, home: Path) -> None:
    one = cli("score-eeg", ana, "--json").document
    two = cli("score-eeg", ana, "--json", "--lower-is-better", "gamma", "--listener", "bob").document
    assert one["recordings"][0]["sha256"] == two["recordings"][0]["sha256"]
    with sqlite3.connect(home / "therapy.db") as database:
        counts = [database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("recordings", "plays")]
    assert counts == [1, 4]
    assert cli("rank", "--listener", "bob", "--json").document["criterion"] == "gamma"
    assert cli("rank", "--listener", "ana").status == 1


def test_a_recording_is_forgotten(cli: Cli, ana: Path, home: Path) -> None:
    done = cli("score-eeg", ana, "--forget")
    assert done.status == 1
    assert "has no scores in the database" in done.error_line
    assert cli("score-eeg", ana).status == 0
    other = Path(shutil.copy(ana, ana.with_name("other_raw.fif")))
    done = cli("score-eeg", other, "--forget", "--json")  # the same recording by another name
    assert done.document == {"forgotten": [str(other)], "rankings": []}
    with sqlite3.connect(home / "therapy.db") as database:
        counts = [
            database.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in ("recordings", "plays", "play_scores", "rankings")
        ]
    assert counts == [0, 0, 0, 0]
    assert cli("rank").status == 1
    assert cli("score-eeg", ana).status == 0
    ana.unlink()  # gone: its name is enough
    assert "taken out" in cli("score-eeg", ana, "--forget").out
    assert cli("rank").status == 1
    assert cli("score-eeg", ana, "--forget", "--dry-run").status == 2


def test_a_recording_that_is_named_twice_counts_once(cli: Cli, ana: Path, home: Path) -> None:
    copy = Path(shutil.copy(ana, ana.with_name("copy_raw.fif")))
    by_another_way = ana.parent / "." / ".." / ana.parent.name / ana.name
    done = cli("score-eeg", ana, by_another_way, copy, "--json")
    assert [recording["file"] for recording in done.document["recordings"]] == [str(ana)]
    assert f"{copy}: the same recording as {ana}: counted once" in done.err
    assert done.err.count("scoring") <= 2
    done = cli("score-eeg", ana, ana, copy, "--forget", "--json")
    assert done.document == {"forgotten": [str(ana), str(copy)], "rankings": []}
    with sqlite3.connect(home / "therapy.db") as database:
        assert database.execute("SELECT count(*) FROM recordings").fetchone()[0] == 0


def test_with_too_little_silence_the_ranking_is_against_all_plays(cli: Cli, ana: Path) -> None:
    import mne

    items = cli("session", "show", 1, "--json").document["session"]["items"]
    raw = mne.io.read_raw_fif(ana, verbose="error")
    for item in items:
        if item["piece"] is None:
            raw.annotations.append(item["onset_s"] + 4.0, item["duration_s"], "BAD")
    bare = ana.with_name("bare_raw.fif")
    raw.save(bare, verbose="error")
    report = ana.with_name("bare.html")
    done = cli("score-eeg", bare, "--report", report)
    assert "values are against the mean of all plays" in done.err
    assert "dB against the mean of all plays" in done.out.splitlines()
    assert "against silence" not in report.read_text(encoding="utf-8")
    ranking = cli("rank", "--json").document
    assert not ranking["against_silence"]
    assert sum(piece["mean_db"] for piece in ranking["pieces"]) == pytest.approx(0.0, abs=0.3)


def test_a_mark_that_names_no_session_is_told(cli: Cli, ana: Path) -> None:
    import mne

    raw = mne.io.read_raw_fif(ana, verbose="error")
    raw.set_annotations(mne.Annotations([0.0], [0.0], [f"session/{'1' * 5000}"]))
    marked = ana.with_name("marked_raw.fif")
    raw.save(marked, verbose="error")
    done = cli("score-eeg", marked)
    assert done.status == 1
    assert "mistake in therapy-gen" not in done.error_line
    assert "session" in done.error_line


@pytest.mark.parametrize(
    "wrong",
    [
        ("--spread", "nan"),
        ("--blinks", "-5"),
        ("--drift", "inf"),
        ("--channels", "0"),
        ("--sfreq", "10"),
        ("--seed", "-1"),
        ("--effect", "foo=1"),
    ],
    ids=" ".join,
)
def test_a_simulation_that_makes_no_sense_is_refused(wrong: tuple[str, str], cli: Cli, ana: Path) -> None:
    done = cli("simulate-eeg", "--session", 1, "-o", ana.with_name("x_raw.fif"), *wrong)
    assert done.status == 1
    assert done.error_line
    assert not ana.with_name("x_raw.fif").exists()


def test_what_fails_leaves_nothing_behind(cli: Cli, ana: Path, home: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken_raw.fif"
    broken.write_bytes(ana.read_bytes()[:50_000])
    done = cli("score-eeg", ana, broken)
    assert done.status == 1
    assert "broken_raw.fif" in done.err.splitlines()[-1]
    with sqlite3.connect(home / "therapy.db") as database:
        assert database.execute("SELECT count(*) FROM recordings").fetchone() == (0,)


def test_a_dry_run_shows_the_windows_and_stores_nothing(cli: Cli, ana: Path, home: Path) -> None:
    done = cli("score-eeg", ana, "--dry-run")
    assert done.status == 0
    items = cli("session", "show", 1, "--json").document["session"]["items"]
    assert all(f"{item['piece']}  {item['title']}" in done.out for item in items if item["piece"])
    (plan,) = cli("score-eeg", ana, "--dry-run", "--json").document["recordings"]
    assert (plan["session"], len(plan["plays"])) == ("1", 4)
    assert cli("rank").status == 1


def test_ratings_stand_apart_from_what_was_measured(cli: Cli, ana: Path) -> None:
    worse, better = pieces_of(cli)
    assert cli("session", "rate", 1, worse[:14], 5).status == 0
    assert "--with-ratings" in cli("rank").error_line
    alone = cli("rank", "--with-ratings", "--json").document
    assert (alone["pieces"], [piece["piece"] for piece in alone["with_ratings"]]) == ([], [worse])
    assert alone["reliable_order"] is False
    assert cli("session", "rate", 1, better[:14], 1).status == 0
    assert cli("score-eeg", ana, "--listener", "ana").status == 0
    without = cli("rank", "--json").document
    rated = cli("rank", "--json", "--with-ratings").document
    assert "with_ratings" not in without
    assert rated["pieces"] == without["pieces"]
    levels = {piece["piece"]: piece["level_db"] for piece in rated["with_ratings"]}
    assert levels[worse] < next(one["mean_db"] for one in without["pieces"] if one["piece"] == worse)
    # Without the session nothing is left of its ratings.
    assert cli("session", "delete", 1, "--yes").status == 0
    assert "with_ratings" not in cli("rank", "--json", "--with-ratings").document


@pytest.mark.long
def test_a_ranking_as_tables(cli: Cli, ana: Path, tmp_path: Path) -> None:
    assert cli("score-eeg", ana).status == 0
    for form in ("csv", "json"):
        done = cli("export", "--ranked", "--format", form, "--audio", "ogg", "-o", tmp_path / f"best.{form}")
        assert done.status == 0, done.err
    document = json.loads((tmp_path / "best.json").read_text(encoding="utf-8"))
    rows = list(csv.DictReader((tmp_path / "best.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["piece"] for row in rows] == [piece["piece"] for piece in document["pieces"]]
    assert all((tmp_path / row["file"]).is_file() for row in rows)
    assert float(rows[0]["ci90_low_db"]) < float(rows[0]["mean_db"]) < float(rows[0]["ci90_high_db"])


def test_a_new_listener_hears_only_new_pieces(cli: Cli, ana: Path) -> None:
    made = cli("session", "new", "--minutes", "3", "--listener", "cleo", "--json").document
    assert {item["why"] for item in made["session"]["items"] if item["piece"]} == {"new: nothing heard"}


def test_without_the_part_that_reads_eeg(ana: Path, home: Path, tmp_path: Path) -> None:
    (tmp_path / "mne.py").write_text("raise ModuleNotFoundError('No module named mne', name='mne')\n")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
            "from therapy_gen.cli.main import main; sys.exit(main())",
            "score-eeg",
            str(ana),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert "pip install 'therapy-gen[eeg]'" in line


WRONG = [
    (["no.fif"], 1),
    (["{ana}", "--beta", "30-13"], 1),
    (["{ana}", "--beta", "13"], 1),
    (["{ana}", "--gamma", "a-b"], 1),
    (["{ana}", "--picks", "Qz"], 1),
    (["{ana}", "--picks", ","], 1),
    (["{ana}", "--session", "99", "--events", "no.tsv"], 1),
    (["{ana}", "--events", "{ana}"], 1),
    (["{ana}", "--lower-is-better", "omega"], 2),
    (["{ana}", "--lower-is-better", "beta", "--higher-is-better", "beta"], 2),
    (["{ana}", "{ana}", "--offset", "3"], 2),
    (["{ana}", "--code", "x"], 2),
    (["{ana}", "--code", f"{'1' * 5001}=piece/01KA"], 2),
    (["{ana}", "--offset", "nan"], 2),
    (["{ana}", "--code", "1=piece/01KA"], 0),
    (["{ana}", "--report", "/no/such/folder/x.html"], 1),
    (["{ana}", "--listener", " "], 1),
    (["{folder}"], 1),
    (["{text}"], 1),
    (["{empty}"], 1),
    ([], 2),
]


@pytest.mark.parametrize(
    ("arguments", "status"), WRONG, ids=lambda value: " ".join(map(str, value))[:60] if isinstance(value, list) else ""
)
def test_wrong_commands_are_told_in_one_line(
    arguments: list[str], status: int, cli: Cli, ana: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.fif").write_text("this is no recording")
    (tmp_path / "empty.edf").write_bytes(b"")
    places = {"ana": ana, "folder": tmp_path, "text": tmp_path / "text.fif", "empty": tmp_path / "empty.edf"}
    done = cli("score-eeg", *(argument.format(**places) for argument in arguments))
    assert done.status == status, done.err
    if status:
        assert done.error_line


def test_a_play_that_was_logged_tells_which_piece_played_when(cli: Cli, ana: Path, home: Path, tmp_path: Path) -> None:
    """No marks in the recording: its date and the log of a play, in which a pause moved the later pieces."""
    from datetime import UTC, datetime, timedelta

    import mne

    from sessions.storage.play_log import log_play
    from sessions.storage.store import Store

    raw = mne.io.read_raw_fif(ana, verbose="error")
    raw.set_annotations(None)
    began = datetime(2026, 7, 1, 20, 0, 0, tzinfo=UTC)
    raw.set_meas_date(began)
    bare = tmp_path / "bare_raw.fif"
    raw.save(bare, verbose="error")
    assert cli("score-eeg", bare).status == 1

    items = cli("session", "show", 1, "--json").document["session"]["items"]
    heard = [(item["position"], item["onset_s"], item["duration_s"]) for item in items]
    late = [(position, onset + (0.0 if position < 4 else 7.0), duration - 7.0) for position, onset, duration in heard]
    log_play(Store.open(home / "therapy.db"), 1, began + timedelta(seconds=2.5), late)
    (plan,) = cli("score-eeg", bare, "--dry-run", "--json").document["recordings"]
    assert "play log" in plan["source"]
    told = [(play["piece"], play["onset_s"]) for play in plan["plays"]]
    wanted = [
        (item["piece"], pytest.approx(onset + 2.5 - raw.first_time, abs=0.01))
        for item, (_, onset, _) in zip(items, late, strict=True)
        if item["piece"]
    ]
    assert told == wanted
    done = cli("score-eeg", bare, "--listener", "ana", "--json")
    assert done.status == 0, done.err
    assert len(done.document["recordings"][0]["plays"]) == 4


def test_other_bands_can_be_ranked_by_and_written_as_a_table(cli: Cli, ana: Path, tmp_path: Path) -> None:
    table = tmp_path / "plays.csv"
    done = cli(
        "score-eeg",
        ana,
        "--band",
        "smr=12-15",
        "--lower-is-better",
        "alpha",
        "--table",
        table,
        "--by",
        "play",
        "--json",
    )
    assert done.status == 0, done.err
    document = done.document
    assert document["ranking"]["criterion"] == "alpha"
    assert {"smr_db", "alpha_db", "alpha_adjusted_db"} <= set(document["recordings"][0]["plays"][0])
    with table.open(encoding="utf-8", newline="") as file:
        assert {row["band"] for row in csv.DictReader(file)} == {"beta", "gamma", "smr", "alpha"}
    assert (tmp_path / "plays.json").is_file()
    twice = ("--band", "alpha", "--band", "alpha=8-12"), ("--beta", "13-30", "--band", "beta=14-30")
    for wrong in (
        ("--lower-is-better", "omega"),
        ("--band", "omega"),
        ("--table", "x.xls"),
        ("--by", "minute"),
        *twice,
    ):
        assert cli("score-eeg", ana, *wrong).status in (1, 2)


def test_later_recordings_follow_the_first_ones_plan(cli: Cli, ana: Path, home: Path) -> None:
    assert cli("score-eeg", ana, "--higher-is-better", "gamma").status == 0
    # What was declared stays, whatever is left out later.
    again = cli("score-eeg", ana, "--json").document
    assert (again["ranking"]["criterion"], again["ranking"]["lower_is_better"]) == ("gamma", False)
    other = ana.with_name("second_raw.fif")
    told = cli("simulate-eeg", "--session", 1, "--channels", 3, "--sfreq", 160, "--seed", 1, "-o", other)
    assert told.status == 0
    for wrong, said in (
        (("--beta", "15-25"), "has beta 13-30, not 15-25"),
        (("--picks", "central"), "has picks all, not central"),
        (("--ica",), "has ica off, not on"),
        (("--lower-is-better", "beta"), "ranks by more gamma, not less beta"),
    ):
        done = cli("score-eeg", other, "--listener", "ana", *wrong)
        assert (done.status, said in done.error_line) == (1, True), done.err
        assert "--plan NAME" in done.error_line
    sided = ("--plan", "sided", "--band", "alpha", "--lower-is-better", "alpha-asymmetry")
    assert "no good pair of frontal electrodes (F4 and F3" in cli("score-eeg", other, "--listener", "ana", *sided).err
    assert "no clean play that can be ranked by alpha asymmetry" in cli("rank", "--plan", "sided").error_line
    # Another plan is kept apart, and the same recording may be scored by both.
    assert cli("score-eeg", ana, "--plan", "narrow", "--beta", "15-25").status == 0
    narrow = cli("rank", "--plan", "narrow", "--json").document
    main = cli("rank", "--json").document
    assert (narrow["plan"], narrow["criterion"], narrow["settings"]["beta"]) == ("narrow", "beta", [15.0, 25.0])
    assert (main["plan"], main["criterion"], main["settings"]["beta"]) == ("main", "gamma", [13.0, 30.0])
    assert main["looks"] == {"recordings": 1, "plans": ["main", "sided", "narrow"], "bands": 7}
    assert "therapy-gen" in main["versions"]
    assert "7 bands in 3 plans (main, sided, narrow), after 1 recording" in cli("rank").out
    assert "narrow" in cli("rank", "--plan", "wide").error_line
    # A band that lies below muscle is not called muscle, and asymmetry is no power.
    low = ("--plan", "low", "--band", "smr=12-15", "--lower-is-better")
    assert "Gamma may be muscle" not in cli("score-eeg", ana, *low, "smr").out
    assert "Gamma may be muscle" in cli("rank").out
    # The session was made for somebody else.
    told = cli("score-eeg", ana, "--session", 1, "--offset", 0, "--listener", "ben")
    assert "session 1 was made for ana, and is taken as heard by ben, as asked" in told.err
    assert "scored as ana's before, and ben's from now on" in told.err
    assert cli("score-eeg", ana, "--listener", "ana").status == 0
    # With nothing left that was scored by it, a plan may be made anew.
    assert cli("score-eeg", ana, "--forget").status == 0
    assert cli("score-eeg", ana, "--beta", "15-25", "--json").document["ranking"]["criterion"] == "beta"


def test_nobodys_recordings_are_never_ranked_together(cli: Cli, ana: Path, tmp_path: Path) -> None:
    piece = pieces_of(cli)[0]
    events = tmp_path / "events.tsv"
    lines = [f"{onset}\t60\tpiece/{piece}" for onset in (60, 125)]
    events.write_text("\n".join(["onset\tduration\ttrial_type", *lines, ""]))
    nameless = Path(shutil.copy(ana, tmp_path / "take_raw.fif"))
    import mne

    for number in (1, 2):
        raw = mne.io.read_raw_fif(ana, verbose="error")
        raw.set_annotations(mne.Annotations([50.0 + number, 115.0], [60.0, 60.0], [f"piece/{piece}"] * 2))
        raw.save(tmp_path / f"sub-0{number}_task-music_eeg.fif", verbose="error")
    raw.save(nameless, overwrite=True, verbose="error")
    again = Path(shutil.copy(nameless, tmp_path / "again_raw.fif"))
    done = cli("score-eeg", nameless, again)
    assert done.status == 1
    assert "--listener NAME" in done.error_line
    subjects = sorted(tmp_path.glob("sub-*_eeg.fif"))
    assert "called after several: sub-01, sub-02" in cli("score-eeg", *subjects, "--listener", "ana").err
    done = cli("score-eeg", *subjects, "--json")
    assert done.status == 0, done.err
    assert [one["listener"] for one in done.document["recordings"]] == ["sub-01", "sub-02"]
    assert [one["recordings"] for one in done.document["rankings"]] == [1, 1]
    assert cli("rank", "--listener", "sub-02", "--json").document["plays"] == 2
    assert "sub-01 sub-02" in cli("rank").error_line.replace(",", "")
    # Whose it was when it was scored before is known.
    assert cli("score-eeg", nameless, "--listener", "sub-02").status == 0
    group = cli("rank", "--group", "--json").document
    assert (group["group"], group["listeners"], group["plan"]) == (["sub-01", "sub-02"], 2, "main")
    assert [piece["listeners"] for piece in group["pieces"]] == [2]
    assert "over 2 listeners" in cli("rank", "--group").out
    # Listeners who were analysed otherwise are not ranked together.
    assert cli("score-eeg", subjects[0], "--plan", "low", "--beta", "13-20").status == 0
    assert cli("score-eeg", subjects[1], "--plan", "low", "--beta", "13-21").status == 0
    assert "has beta 13-20, not 13-21" in cli("rank", "--group", "--plan", "low").error_line
    # Others, who have no plan of that name, are not in the way.
    assert cli("score-eeg", ana, "--listener", "sub-03").status == 0
    assert "has beta 13-20, not 13-21" in cli("rank", "--group", "--plan", "low").error_line
    assert "give one of: main, low" in cli("rank", "--group", "--plan", "high").error_line
    # A group may be of some listeners only; who is named in vain is told.
    both = ("--group", "--listener", "sub-02", "--listener", "sub-01", "--listener", "sub-02")
    assert cli("rank", *both, "--json").document["group"] == ["sub-02", "sub-01"]
    assert cli("session", "new", "--minutes", 3, "--listener", "eve").status == 0
    named = cli("rank", *both, "--listener", "eve", "--json").document
    assert (named["listeners"], named["without_plays"]) == (2, ["eve"])
    assert "not counted: eve" in cli("rank", *both, "--listener", "eve").out
    assert "there is 1, sub-01" in cli("rank", "--group", "--listener", "sub-01", "--listener", "eve").error_line
    assert "listener 'bob' is not known" in cli("rank", *both, "--listener", "bob").error_line
    two = cli("rank", "--listener", "sub-01", "--listener", "sub-02")
    assert (two.status, "add --group" in two.err) == (2, True)


def test_a_recording_counts_once_however_its_path_is_written(
    cli: Cli, ana: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("score-eeg", ana).status == 0
    monkeypatch.chdir(ana.parent)
    assert "scored again" in cli("score-eeg", ana.name).out
    # Earlier versions knew it by another digest then.
    doubled = hashlib.sha256(ana.read_bytes() * 2).hexdigest()
    with contextlib.closing(sqlite3.connect(home / "therapy.db")) as database, database:
        database.execute("UPDATE recordings SET sha256 = ?", (doubled,))
    assert "scored again" in cli("score-eeg", ana.name).out
    assert cli("rank", "--json").document["recordings"] == 1


def test_parts_of_a_split_recording_count_with_the_whole(cli: Cli, ana: Path, tmp_path: Path) -> None:
    import mne

    raw = mne.io.read_raw_fif(ana, preload=True, verbose="error")
    raw.save(tmp_path / "whole_raw.fif", split_size=3 * 2**19, verbose="error")
    parts = sorted(tmp_path.glob("whole_raw*.fif"))
    assert len(parts) > 1
    alone = cli("score-eeg", parts[0], "--dry-run", "--json")
    assert alone.status == 1
    assert "whole_raw.fif" in alone.err
    done = cli("score-eeg", *parts, "--json")
    assert done.status == 0, done.err
    assert len(done.document["recordings"]) == 1
    assert "counted with it" in done.err


def test_labels_of_ones_own(cli: Cli, ana: Path, tmp_path: Path) -> None:
    import mne

    items = cli("session", "show", 1, "--json").document["session"]["items"]
    names = {piece: f"song {i}" for i, piece in enumerate(pieces_of(cli))}
    raw = mne.io.read_raw_fif(ana, verbose="error")
    heard = [item for item in items if item["piece"]]
    onsets, lengths = [item["onset_s"] for item in heard], [item["duration_s"] for item in heard]
    raw.set_annotations(mne.Annotations(onsets, lengths, [names[item["piece"]] for item in heard]))
    raw.save(tmp_path / "own_raw.fif", verbose="error")
    free = cli("score-eeg", tmp_path / "own_raw.fif", "--any-label", "--json")
    assert free.status == 0, free.err
    assert {one["piece"] for one in free.document["ranking"]["pieces"]} == {"song_0", "song_1"}
    assert cli("rank", "--listener", "ana").status == 1  # nothing is stored
    songs = tmp_path / "songs.tsv"
    songs.write_text("label\tpiece\n" + "".join(f"{label}\t{piece}\n" for piece, label in names.items()))
    done = cli("score-eeg", tmp_path / "own_raw.fif", "--map", songs, "--listener", "ana", "--json")
    assert done.status == 0, done.err
    mapped = {play["piece"] for play in done.document["recordings"][0]["plays"]}
    assert mapped == set(names)
    assert cli("score-eeg", tmp_path / "own_raw.fif", "--stream", "x", "--any-label").status == 1
