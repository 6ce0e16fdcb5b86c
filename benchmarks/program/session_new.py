"""Time `therapy-gen session new` as a whole process, beside as many 16-bar samples by Magenta's TrainedModel.

    python benchmarks/program/session_new.py [--runs 5] [--minutes 24] [--without-magenta]

Every run has a home folder of its own, so the database is made within the time. Runs before the measured ones warm the
disk, and the two programs are measured by turns. Magenta (config hierdec-mel_16bar, random weights of its own making,
one checkpoint for all runs) is a whole process too: import, load, sample. It makes as many samples as the session has
whole 16-bar stretches of music.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import PROGRAM, TIMING_HEAD, Run, machine, run, table, timing_row

BEATS_OF_16_BARS = 64
LIMIT_S = 2.0
LIMIT_MB = 300.0
LIMIT_RATIO = 10.0
_RUNS_OF_MAGENTA = 3
MAGENTA = Path(__file__).parents[1] / "musicvae" / "magenta_sample.py"


def session_new(home: Path, minutes: float, seed: int) -> Run:
    """Run `session new` in a home folder that does not exist yet."""
    command = [PROGRAM, "--home", home, "session", "new", "--minutes", f"{minutes:g}", "--seed", str(seed), "--json"]
    return run(command, env={"HOME": str(home.parent)})


def samples_in(session: Run) -> int:
    """Return how many whole 16-bar stretches of music a session holds."""
    items = json.loads(session.stdout)["session"]["items"]
    music = [item for item in items if item["role"] == "music"]
    return sum(max(1, round(item["duration_s"] * item["tempo"] / 60) // BEATS_OF_16_BARS) for item in music)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=24)
    parser.add_argument("--batch", type=int, default=8, help="Magenta's batch size (8 is that of its own command)")
    parser.add_argument("--without-magenta", action="store_true")
    options = parser.parse_args()

    print(f"{machine()}; {options.minutes:g} minutes of music, a fresh home folder in every run\n")
    with tempfile.TemporaryDirectory() as scratch:
        seeds = range(1, options.runs + 1)
        warming = [session_new(Path(scratch, f"warm{seed}"), options.minutes, seed) for seed in seeds]
        samples = min(map(samples_in, warming))
        ours: list[Run] = []
        theirs: list[Run] = []
        command: list[object] = []
        if not options.without_magenta:
            checkpoint = Path(scratch, "checkpoint", "model.ckpt")
            run([sys.executable, MAGENTA, "prepare", checkpoint])
            command = [sys.executable, MAGENTA, "sample", checkpoint, str(samples), str(options.batch)]
            run(command)
        # By turns: what else the machine does falls on both.
        for seed in seeds:
            ours.append(session_new(Path(scratch, f"home{seed}"), options.minutes, seed))
            if command and len(theirs) < _RUNS_OF_MAGENTA:
                theirs.append(run(command))
        rows = [timing_row("therapy-gen session new", ours, LIMIT_S)]
        if theirs:
            rows.append(timing_row(f"Magenta TrainedModel, {samples} samples", theirs))
            for key, name in {"import_s": "import", "load_s": "load", "sample_s": "sample"}.items():
                seconds = [json.loads(r.stdout.splitlines()[-1])[key] for r in theirs]
                figures = [statistics.median(seconds), min(seconds), max(seconds)]
                rows.append([f"  of it: {name}", str(len(theirs)), *(f"{f:.2f}" for f in figures), "", "", ""])
    print(table(TIMING_HEAD, rows))

    wall = statistics.median(r.wall_s for r in ours)
    peak = max(r.peak_mb for r in ours)
    checks = [
        ["wall time, s", f"{wall:.2f}", f"< {LIMIT_S:g}", "yes" if wall < LIMIT_S else "NO"],
        ["peak memory, MB", f"{peak:.0f}", f"< {LIMIT_MB:g}", "yes" if peak < LIMIT_MB else "NO"],
    ]
    if theirs:
        ratio = statistics.median(r.wall_s for r in theirs) / wall
        met = "yes" if ratio >= LIMIT_RATIO else "NO"
        checks.append(["times faster than Magenta's process", f"{ratio:.1f}", f">= {LIMIT_RATIO:g}", met])
        alone = statistics.median(json.loads(r.stdout.splitlines()[-1])["sample_s"] for r in theirs)
        checks.append(["times faster than its sampling alone", f"{alone / wall:.1f}", "", ""])
        cpu = [statistics.median(r.cpu_s for r in runs) for runs in (theirs, ours)]
        checks.append(["times less processor time", f"{cpu[0] / cpu[1]:.1f}", "", ""])
    print("\n" + table(("figure", "measured", "wanted", "met"), checks))


if __name__ == "__main__":
    main()
