"""A study from its plan to its report, here and on a cluster of processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from sessions.storage.store import Store
from tests.needs import needs

needs("mne", "the extra eeg is not installed")

Cli = Callable[..., Any]

PLAN = """
[study]
name = "pilot"
participants = 2
seed = 4
[music]
pieces = 2
audio = "none"
[design]
repeats = 2
gap_s = 2
baseline_s = 45
"""


@pytest.fixture(autouse=True)
def _on_both(home: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THERAPY_GEN_DB", database)


@pytest.fixture
def study(cli: Cli, tmp_path: Path) -> Path:
    """A study of two people, with a recording of each in the folder `recordings` beside its plan."""
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    made = cli("study", "new", plan, "-o", tmp_path / "out", "--json")
    assert made.status == 0, made.err
    (tmp_path / "recordings").mkdir()
    for one in made.document["sessions"]:
        path = tmp_path / "recordings" / f"{one['participant']}_ses-1_task-music_eeg.fif"
        done = cli(
            *("simulate-eeg", "--session", one["session"], "--channels", 2, "--sfreq", 128, "--seed", one["session"]),
            *("-o", path),
        )
        assert done.status == 0, done.err
    return plan


def test_a_study_in_five_commands(cli: Cli, study: Path, database: str, tmp_path: Path) -> None:
    firsts = []
    for who in ("sub-01", "sub-02"):
        rows = (tmp_path / "out" / who / "ses-1" / f"{who}_ses-1_task-music_events.tsv").read_text().splitlines()
        firsts.append(next(row.split("\t")[2] for row in rows if "piece/" in row))
    assert len(set(firsts)) == 2, "each piece is first once"
    before = cli("study", "status", study, "--json").document
    assert [one["recorded"] for one in before["sessions"]] == [False, False]

    broken = tmp_path / "recordings" / "sub-02_ses-1_task-rest_eeg.fif"
    broken.write_bytes((tmp_path / "recordings" / "sub-02_ses-1_task-music_eeg.fif").read_bytes()[:5000])
    done = cli("study", "score", study, tmp_path / "recordings", "--json")
    assert done.status == 1
    assert sorted(one["status"] for one in done.document["recordings"]) == ["failed", "scored", "scored"]
    broken.unlink()
    # What does not belong is told, and the rest goes on: strangers, and what would count twice.
    stranger, twice = (tmp_path / "recordings" / f"sub-{name}_task-music_eeg.fif" for name in ("09_ses-1", "02_ses-01"))
    for path in (stranger, twice):
        shutil.copy(tmp_path / "recordings" / "sub-02_ses-1_task-music_eeg.fif", path)
    again = cli("study", "score", study, tmp_path / "recordings", "--json")
    assert again.status == 1
    assert "sub-09 takes no part in study 'pilot'" in again.err
    assert "is a second recording of ses-1 of sub-02" in again.err
    assert [one["status"] for one in again.document["recordings"]] == ["scored before"] * 2 + ["failed"] * 2
    for path in (stranger, twice):
        path.unlink()

    status = cli("study", "status", study, "--json").document
    assert {step["step"]: step["number"] for step in status["flow"]}["participants analysed"] == 2
    page = tmp_path / "pilot.html"
    told = cli("study", "report", study, "-o", page, "--json").document
    assert told["group"]["listeners"] == 2
    assert told["group"]["plays"] == 8
    content = page.read_text(encoding="utf-8")
    assert "participants analysed" in content
    assert str(tmp_path) not in content
    assert cli("rank", "--listener", "sub-01", "--json").document["plan"] == "pilot"
    assert count_rows(database) == 2
    assert count_rows(database, "DISTINCT listener_id", "rankings") == 2

    study.write_text(PLAN.replace("repeats = 2", "repeats = 3"))
    assert "repeats was 2, is 3" in cli("study", "status", study).error_line


def test_recordings_that_belong_to_nobody_are_told(cli: Cli, study: Path, tmp_path: Path) -> None:
    source = tmp_path / "recordings" / "sub-01_ses-1_task-music_eeg.fif"
    for name, said in (
        ("sub-09_ses-1_task-music_eeg.fif", "takes no part"),
        ("sub-01_ses-7_task-music_eeg.fif", "does not tell which session"),
        ("take_eeg.fif", "does not tell whose"),
    ):
        other = Path(shutil.copy(source, tmp_path / name))
        assert said in cli("study", "score", study, other).error_line
    assert cli("study", "score", study, tmp_path / "out").status == 1


def test_a_study_as_a_bids_dataset(cli: Cli, study: Path, tmp_path: Path) -> None:
    mne_bids = pytest.importorskip("mne_bids")
    assert cli("study", "score", study, tmp_path / "recordings").status == 0
    root = tmp_path / "dataset"
    done = cli("study", "bids", study, tmp_path / "recordings", "-o", root, "--json")
    assert done.status == 0, done.err
    assert mne_bids.get_entity_vals(root, "subject") == ["01", "02"]
    place = mne_bids.BIDSPath(subject="01", session="1", task="music", datatype="eeg", root=root)
    raw = mne_bids.read_raw_bids(place, verbose="error")
    assert {text.partition("/")[0] for text in raw.annotations.description} == {"piece", "silence"}
    table = next(root.rglob("sub-01*_desc-bandpower_eeg.tsv")).read_text(encoding="utf-8").splitlines()
    assert table[0].split("\t")[:5] == ["onset", "duration", "trial_type", "band", "db"]
    assert len(table) == 1 + 4 * 2
    assert "new folder" in cli("study", "bids", study, tmp_path / "recordings", "-o", root).error_line

    # Its sidecars say which piece played when; other people's trial types are told by a table.
    plans = cli("score-eeg", root, "--dry-run", "--json").document["recordings"]
    assert [Path(plan["file"]).name[:6] for plan in plans] == ["sub-01", "sub-02"]
    assert {len(plan["plays"]) for plan in plans} == {4}
    (sidecar,) = root.rglob("sub-01*_events.tsv")
    piece = plans[0]["plays"][0]["piece"]
    sidecar.write_text(sidecar.read_text().replace(f"piece/{piece}", "calm song"))
    (tmp_path / "map.tsv").write_text(f"trial_type\tpiece\ncalm song\t{piece}\n")
    (told,) = cli("score-eeg", root / "sub-01", "--map", tmp_path / "map.tsv", "--dry-run", "--json").document[
        "recordings"
    ]
    assert [play["piece"] for play in told["plays"]] == [play["piece"] for play in plans[0]["plays"]]


def test_a_study_passes_the_bids_validator(cli: Cli, study: Path, tmp_path: Path) -> None:
    pytest.importorskip("mne_bids", reason="the extra bids is not installed")
    validator = shutil.which("bids-validator-deno")
    if validator is None:
        pytest.skip("bids-validator-deno is not installed (pip install bids-validator-deno)")
    assert cli("study", "score", study, tmp_path / "recordings").status == 0
    root = tmp_path / "dataset"
    assert cli("study", "bids", study, tmp_path / "recordings", "-o", root).status == 0
    told = subprocess.run([validator, root, "--json"], capture_output=True, text=True, check=False)
    issues = json.loads(told.stdout)["issues"]["issues"]
    # What only a laboratory knows, such as who made its amplifier, is recommended and not there.
    assert [issue for issue in issues if not issue["code"].endswith("_KEY_RECOMMENDED")] == []
    assert {issue["severity"] for issue in issues} <= {"warning"}


class Dask:
    """A scheduler and two workers as processes of their own."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        program = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", self.address, "--nthreads", "1", "--no-nanny"]
        self.processes = [
            subprocess.Popen([*one, "--no-dashboard"], stderr=subprocess.DEVNULL) for one in (program, worker, worker)
        ]

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        """Start the program with `--cluster`."""
        program = "from therapy_gen.cli.main import main; import sys; sys.exit(main())"
        command = [sys.executable, "-c", program, *arguments, "--cluster", self.address]
        # A shell lets what it runs in the background ignore interrupts.
        restored = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
        self.processes.append(subprocess.Popen([*map(str, command)], preexec_fn=restored))
        return self.processes[-1]

    def kill_a_worker(self) -> None:
        os.kill(self.processes[1].pid, signal.SIGKILL)


@pytest.fixture
def dask() -> Iterator[Dask]:
    pytest.importorskip("distributed")
    cluster = Dask()
    yield cluster
    for process in cluster.processes:
        process.kill()
        process.wait()


def until(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and not done():
        time.sleep(0.05)


@pytest.mark.long
def test_a_worker_that_is_killed_loses_and_doubles_nothing(
    cli: Cli, study: Path, database: str, tmp_path: Path, dask: Dask
) -> None:
    """The same rows and figures as on one machine."""
    assert cli("study", "score", study, tmp_path / "recordings").status == 0
    alone = cli("study", "report", study, "-o", tmp_path / "a.html", "--json").document["group"]
    recordings = sorted((tmp_path / "recordings").iterdir())
    assert cli("score-eeg", *recordings, "--forget").status == 0
    scoring = dask.start("study", "score", study, tmp_path / "recordings")
    until(lambda: count_rows(database))
    dask.kill_a_worker()
    assert scoring.wait(timeout=600) == 0
    assert count_rows(database) == 2
    assert cli("study", "report", study, "-o", tmp_path / "b.html", "--json").document["group"] == alone


@pytest.mark.long
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_study_made_on_a_cluster_has_the_same_bytes(cli: Cli, tmp_path: Path, dask: Dask) -> None:
    """A worker is killed and the command interrupted on the way: what is missing is written when it is given again."""
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.replace('"none"', '"flac"'))
    here, there = tmp_path / "here", tmp_path / "there"
    assert cli("study", "new", plan, "-o", here).status == 0
    made = files_of(here)
    assert sum(name.endswith((".flac", ".cue", "_events.tsv")) for name in made) == 2 * 3
    writing = dask.start("study", "new", plan, "-o", there)
    until(lambda: any(".part" in path.name for path in there.rglob(".*")))  # while sound is being written
    dask.kill_a_worker()
    writing.send_signal(signal.SIGINT)
    assert writing.wait(timeout=600) == 130
    assert dask.start("study", "new", plan, "-o", there).wait(timeout=600) == 0
    assert files_of(there) == made
    (next(there.rglob("*.cue"))).unlink()
    assert dask.start("study", "new", plan, "-o", there).wait(timeout=600) == 0
    assert files_of(there) == made


@pytest.mark.long
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_corpus_read_on_a_cluster_is_the_same(cli: Cli, tmp_path: Path, dask: Dask) -> None:
    for seed in range(3):
        assert cli("session", "new", "--minutes", 6, "--seed", seed).status == 0
        for item in cli("session", "show", seed + 1, "--json").document["session"]["items"]:
            path = tmp_path / f"{item['piece']}.mid"
            assert cli("piece", "export", item["piece"], "--plain", "-o", path).status == 0
    (tmp_path / "broken.mid").write_bytes(b"MThd")
    here = cli("model", "eval", "calm", tmp_path, "--json", "--most", 8)
    assert here.status == 0, here.err
    assert cli("model", "eval", "calm", tmp_path, "--json", "--most", 8, "--cluster", dask.address).out == here.out
    assert "no number of workers" in cli("model", "eval", "calm", tmp_path, "--cluster", "local:none").error_line


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file that is whole with its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def count_rows(database: str, what: str = "*", table: str = "recordings") -> int:
    """Count rows, on either kind of database."""
    with Store.open(database).read() as session:
        return int(session.execute(text(f"SELECT count({what}) FROM {table}")).scalar_one())
