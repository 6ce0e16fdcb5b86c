"""Many recordings and many sessions through one command: weak scaling over workers, and memory.

    python benchmarks/eeg/cluster.py [--each 20] [--sessions 2] [--many 50 500] [--part scaling|sound|memory]

Scaling: `study score --cluster local:N` gives each of N worker processes equally many recordings; `study new` does the
same with the sound of sessions. Twice the work by two workers in the same time is a scaling of 2. Other work on the
machine is in the wall time; beside it stands what the processor's time alone would give: the work of one job by one
worker over that by two, times two. Memory: one process scores few and many recordings, largest resident set.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from eeg.simulation.file import write_fif  # noqa: E402
from eeg.simulation.simulate import Listener, simulate  # noqa: E402
from eeg.timeline.known_pieces import Item  # noqa: E402
from sessions.storage.library import get_session  # noqa: E402
from sessions.storage.store import Store  # noqa: E402
from sessions.studies.studies import get_study  # noqa: E402
from therapy_gen.study.make import write_study  # noqa: E402

PLAN = """
[study]
name = "many"
participants = {people}
[music]
pieces = 2
play_s = {play_s}
audio = "none"
[design]
repeats = 2
gap_s = 2
baseline_s = 45
"""
CHANNELS, SFREQ = 4, 128.0


@dataclass(frozen=True)
class Took:
    """What a command took: seconds by the clock and of the processor, workers included; largest resident set, MiB."""

    wall_s: float
    cpu_s: float
    peak_mib: float


def therapy_gen(home: Path, *arguments: object) -> Took:
    """Run the program, and all processes that it starts."""
    before = _processor_s()
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "therapy_gen", "--home", str(home), "--quiet", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, _peak_mib(process.pid))
        time.sleep(0.1)
    wall = time.perf_counter() - started
    if process.returncode:
        sys.exit(f"therapy-gen {' '.join(map(str, arguments))} failed")
    return Took(wall, _processor_s() - before, peak)


def _peak_mib(pid: int) -> float:
    """Return the largest resident set of a process so far; what `wait4` tells holds that of its parent, too."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)


def make_study(folder: Path, people: int, *, play_s: int = 60) -> tuple[Path, Path, float]:
    """Make a study without sound; return home, plan, and the hours of its sessions."""
    home, plan = folder / "home", folder / "many.toml"
    plan.write_text(PLAN.format(people=people, play_s=play_s))
    therapy_gen(home, "study", "new", plan, "-o", folder / "silent")
    store = Store.open(home / "therapy.db")
    hours = sum(get_session(store, one.id).duration_s for one in get_study(store, "many").sessions) / 3600
    return home, plan, hours


def record(home: Path, folder: Path) -> None:
    """Simulate a recording of every session of the study."""
    store = Store.open(home / "therapy.db")
    folder.mkdir()
    for one in get_study(store, "many").sessions:
        items = [
            Item(item.role, item.piece.id if item.piece else None, item.onset_s, item.duration_s)
            for item in get_session(store, one.id).items
        ]
        made = simulate(items, sfreq=SFREQ, channels=CHANNELS, listener=Listener(), seed=one.id)
        write_fif(made, folder / f"{one.participant}_ses-{one.number}_task-music_eeg.fif", annotate="piece")


def show(name: str, kind: str, rows: list[tuple[int, int, float, Took]]) -> None:
    """Print a table of how many workers did how many jobs of so many hours, and how it scales."""
    print(f"\n{name:34}{'jobs':>6}{'wall s':>9}{'processor s':>13}{f'{kind}-hours a s':>20}{'by processor':>14}")
    for workers, jobs, hours, took in rows:
        by_processor = hours / (took.cpu_s / workers)
        said = f"{workers} worker{'s' * (workers > 1)}"
        print(f"{said:34}{jobs:6}{took.wall_s:9.1f}{took.cpu_s:13.1f}{hours / took.wall_s:20.3f}{by_processor:14.3f}")
    (_, _, one_h, one), (_, _, two_h, two) = rows
    wall = (two_h / two.wall_s) / (one_h / one.wall_s)
    cpu = 2 * (two_h / two.cpu_s) / (one_h / one.cpu_s)
    print(f"weak scaling from 1 to 2 workers: {wall:.2f}, by the processor's time {cpu:.2f}", flush=True)


def scaling(each: int) -> None:
    """Score equally many recordings on each of one and two workers."""
    rows = []
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            home, plan, hours = make_study(folder, each * workers)
            record(home, folder / "recordings")
            took = therapy_gen(
                *(home, "study", "score", plan, folder / "recordings"),
                *("--cluster", f"local:{workers}"),
            )
            rows.append((workers, each * workers, hours, took))
    show(f"study score, {CHANNELS} channels, {SFREQ:g} Hz", "recording", rows)


def sound(each: int) -> None:
    """Render equally many sessions on each of one and two workers."""
    rows = []
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            home, _, hours = make_study(folder, each * workers, play_s=180)
            store = Store.open(home / "therapy.db")
            before, started = _processor_s(), time.perf_counter()
            write_study(store, get_study(store, "many"), folder / "out", "flac", cluster=f"local:{workers}")
            took = Took(time.perf_counter() - started, _processor_s() - before, 0.0)
            rows.append((workers, each * workers, hours, took))
    show("study new, FLAC", "music", rows)


def _processor_s() -> float:
    """Return the seconds of processor that this process and those that it started and ended have taken."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def memory(many: list[int]) -> None:
    """Score few and many recordings in one process."""
    print(f"\n{'study score in one process':34}{'wall s':>9}{'processor s':>13}{'peak MiB':>10}{'recording-hours':>17}")
    for count in many:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            home, plan, hours = make_study(folder, count)
            record(home, folder / "recordings")
            took = therapy_gen(home, "study", "score", plan, folder / "recordings")
            said = f"{count} recordings"
            print(f"{said:34}{took.wall_s:9.1f}{took.cpu_s:13.1f}{took.peak_mib:10.0f}{hours:17.1f}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=20, help="recordings for each worker")
    parser.add_argument("--sessions", type=int, default=2, help="sessions with sound for each worker")
    parser.add_argument("--many", type=int, nargs="+", default=[50, 500])
    parser.add_argument("--part", choices=("scaling", "sound", "memory"), action="append")
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    wanted = options.part or ("scaling", "sound", "memory")
    if "scaling" in wanted:
        scaling(options.each)
    if "sound" in wanted:
        sound(options.sessions)
    if "memory" in wanted:
        memory(options.many)


if __name__ == "__main__":
    main()
