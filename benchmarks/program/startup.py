"""Time the commands that should answer at once, as whole processes.

python benchmarks/program/startup.py [--runs 10]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import PROGRAM, TIMING_HEAD, machine, run, table, timing_row

COMMANDS = {
    "--help": 0.4,
    "--version": 0.4,
    "session --help": 0.4,
    "session list": None,
    "session show 1": None,
    "piece list": None,
    "db info": None,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs

    print(f"{machine()}; warm disk, one session stored\n")
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        program = [PROGRAM, "--home", Path(scratch, "home")]
        run([*program, "session", "new", "--minutes", "3", "--seed", "1"])
        python = [sys.executable, "-c", "pass"]
        run(python)
        rows.append(timing_row("(Python alone)", [run(python) for _ in range(runs)]))
        for text, limit_s in COMMANDS.items():
            command = [*program, *text.split()]
            run(command)
            rows.append(timing_row(f"therapy-gen {text}", [run(command) for _ in range(runs)], limit_s))
    print(table(TIMING_HEAD, rows))


if __name__ == "__main__":
    main()
