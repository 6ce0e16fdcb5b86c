"""Time rendering and encoding a stored session, as whole processes.

python benchmarks/sound/render.py [--runs 3] [--minutes 24] [--formats flac]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.measure import PROGRAM, TIMING_HEAD, machine, run, table, timing_row

LIMIT_S = {"flac": 15.0, "mp3": 30.0}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=24)
    parser.add_argument("--formats", nargs="+", default=["flac"], help="of midi, wav, flac, ogg, mp3")
    options = parser.parse_args()

    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        program = [PROGRAM, "--home", Path(scratch, "home")]
        made = run([*program, "session", "new", "--minutes", f"{options.minutes:g}", "--seed", "1", "--json"])
        session = json.loads(made.stdout)["session"]
        print(f"{machine()}; a session of {session['duration_s'] / 60:.1f} minutes\n")
        for audio in options.formats:
            runs = []
            for i in range(options.runs):
                out = Path(scratch, f"{audio}{i}")
                runs.append(run([*program, "export", "--session", str(session["id"]), "--format", audio, "-o", out]))
            files = [path for path in (out.rglob("*") if out.is_dir() else [out]) if path.is_file()]
            size = sum(path.stat().st_size for path in files) / 1e6
            limit_s = LIMIT_S.get(audio)
            rows.append([*timing_row(f"export --format {audio}", runs, limit_s), str(len(files)), f"{size:.0f}"])
    print(table((*TIMING_HEAD, "files", "size MB"), rows))


if __name__ == "__main__":
    main()
