"""Run the commands of the README's tour in an empty home folder and write what they print into the README.

    python docs/tour.py [--check]

With --check nothing is written: the commands must work, and the README must show them with some output.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- tour -->", "<!-- end of tour -->"


def commands(tour: str) -> list[str]:
    """Return the command lines of a tour."""
    return re.findall(r"^\$ (.+)$", tour, flags=re.MULTILINE)


def play(lines: list[str], program: str) -> str:
    """Run command lines in a new home folder and return them with what they print."""
    said = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        home.mkdir()
        environment = {**os.environ, "HOME": str(home), "COLUMNS": "100", "THERAPY_GEN_HOME": str(home / "therapy-gen")}
        environment.pop("THERAPY_GEN_DB", None)
        environment["PATH"] = f"{Path(program).parent}{os.pathsep}{environment['PATH']}"
        for line in lines:
            done = subprocess.run(
                line, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                sys.exit(f"{line}\n{done.stderr}")
            output = done.stdout.replace(str(home / "therapy-gen"), "~/.local/share/therapy-gen").rstrip()
            said.append("\n".join([f"$ {line}", *(row.rstrip() for row in output.splitlines())]))
    return "\n\n".join(said)


def main() -> None:
    """Bring the README's tour up to date, or check it."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    tour, after = rest.split(END)
    printed = play(commands(tour), str(Path(sys.executable).with_name("therapy-gen")))
    if "--check" in sys.argv:
        if tour.count("\n") < 2 * len(commands(tour)):
            sys.exit("the README shows no output; run: python docs/tour.py")
        return
    README.write_text(f"{before}{BEGIN}\n```console\n{printed}\n```\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
