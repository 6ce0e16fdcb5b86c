"""Measure whole processes: wall time and peak memory of a command, and tables in plain text."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = Path(sys.executable).parent / "therapy-gen"


@dataclass(frozen=True)
class Run:
    """What one process took.

    Parameters
    ----------
    wall_s : float
        From the start of the process to its end, in seconds.
    cpu_s : float
        Processor time of all its threads, in seconds: what a busy machine does not change much.
    peak_mb : float
        Its largest resident set, in megabytes (10^6 bytes).
    stdout : str
        What it printed.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    stdout: str


def run(command: Sequence[object], env: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end; a failure ends the benchmark with what the command said.

    Modules are compiled once, as pip compiles those that it installs, also where PYTHONDONTWRITEBYTECODE is set: a
    checkout would else be compiled anew in every run.
    """
    variables = {**os.environ, **(env or {})}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            said = err.read().decode(errors="replace")[-2000:]
            sys.exit(f"error: exit code {process.returncode} from {' '.join(map(str, command))}\n{said}")
        # Linux counts kibibytes, macOS bytes.
        unit = 1 if sys.platform == "darwin" else 1024
        return Run(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6, out.read().decode())


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return rows under a head as plain text: the first column to the left, the others to the right."""
    texts = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in texts) for i in range(len(head))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in texts
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def timing_row(name: str, runs: Sequence[Run], limit_s: float | None = None) -> list[str]:
    """Return a row for `TIMING_HEAD`."""
    walls = [r.wall_s for r in runs]
    limit = "" if limit_s is None else f"{limit_s:g}"
    figures = [statistics.median(walls), min(walls), max(walls)]
    figures.append(statistics.median(r.cpu_s for r in runs))
    return [name, str(len(runs)), *(f"{f:.2f}" for f in figures), limit, f"{max(r.peak_mb for r in runs):.0f}"]


TIMING_HEAD = ("process", "runs", "median s", "min s", "max s", "cpu s", "limit s", "peak MB")


def machine() -> str:
    """Return a line on what the figures were measured with."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {cores} cores{load}"
