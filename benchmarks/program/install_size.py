"""Install the checkout with plain pip into a fresh virtual environment; measure its size and the embedded model's.

python benchmarks/program/install_size.py [--python python3.12] [--extra NAME]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import ROOT, machine, run, table

LIMIT_MB = 700.0
LIMIT_MODEL_MB = 12.0
MEBI = 2**20


def size_on_disk(path: Path) -> int:
    """Return the bytes that a file, or a folder with all in it, takes on disk; linked files count once (as `du`)."""
    seen: dict[tuple[int, int], int] = {}
    for folder, _, names in os.walk(path):
        for entry in [Path(folder), *(Path(folder, name) for name in names)]:
            status = entry.lstat()
            seen[status.st_dev, status.st_ino] = getattr(status, "st_blocks", -(-status.st_size // 512)) * 512
    return sum(seen.values()) if path.is_dir() else path.lstat().st_size


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", default=getattr(sys, "_base_executable", sys.executable))
    parser.add_argument("--extra", help="install an extra too")
    options = parser.parse_args()

    target = f"{ROOT}[{options.extra}]" if options.extra else str(ROOT)
    with tempfile.TemporaryDirectory() as scratch:
        venv = Path(scratch, "venv")
        run([options.python, "-m", "venv", venv])
        python = next(venv.glob("bin/python")) if os.name != "nt" else venv / "Scripts" / "python.exe"
        version = run([python, "-c", "import platform; print(platform.python_version())"]).stdout.strip()
        started = time.perf_counter()
        run([python, "-m", "pip", "install", "-q", target])
        took = time.perf_counter() - started
        total = size_on_disk(venv) / MEBI
        (packages,) = venv.glob("[lL]ib/**/site-packages")
        largest = sorted(((size_on_disk(p) / MEBI, p.name) for p in packages.iterdir()), reverse=True)[:10]
    model = ROOT / "therapy_gen" / "assets" / "calm.safetensors"
    model_mb = model.stat().st_size / 1e6

    print(f"{machine()}; pip install into a new virtual environment of Python {version}: {took:.0f} s\n")
    rows = [
        ["virtual environment, MiB", f"{total:.0f}", f"< {LIMIT_MB:g}", "yes" if total < LIMIT_MB else "NO"],
        [
            "embedded model, MB",
            f"{model_mb:.1f}",
            f"< {LIMIT_MODEL_MB:g}",
            "yes" if model_mb < LIMIT_MODEL_MB else "NO",
        ],
    ]
    print(table(("figure", "measured", "wanted", "met"), rows))
    print("\n" + table(("largest packages", "MiB"), [[name, f"{size:.0f}"] for size, name in largest]))


if __name__ == "__main__":
    main()
