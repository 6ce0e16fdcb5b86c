"""Run the commands that the README and the guides show, and write what they print into these pages.

    python docs/tour.py [--check] [PAGE...]

Every page has an empty home folder of its own; what stands between its marks runs there, in order. With --check nothing
is written: the commands must work, and the pages must show them with some output.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parent
# How wide the terminal is that a page shows.
WIDTHS = {DOCS.parent / "README.md": 100, **dict.fromkeys(sorted(DOCS.glob("guide-*.md")), 80)}
BEGIN, END = "<!-- tour -->", "<!-- end of tour -->"


def commands(tour: str) -> list[str]:
    """Return the command lines of a tour."""
    return re.findall(r"^\$ (.+)$", tour, flags=re.MULTILINE)


def play(tours: list[list[str]], program: str, width: int) -> list[str]:
    """Run the command lines of a page's tours in a new home folder and return each tour with what is printed."""
    said = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        home.mkdir()
        environment = {**os.environ, "HOME": str(home), "THERAPY_GEN_HOME": str(home / "therapy-gen")}
        environment.pop("THERAPY_GEN_DB", None)
        environment["COLUMNS"] = str(width)
        environment["PATH"] = f"{Path(program).parent}{os.pathsep}{environment['PATH']}"
        for lines in tours:
            told = []
            for line in lines:
                done = subprocess.run(
                    line, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False
                )
                if done.returncode:
                    sys.exit(f"{line}\n{done.stderr}")
                output = done.stdout.replace(str(home / "therapy-gen"), "~/.local/share/therapy-gen").rstrip()
                told.append("\n".join([f"$ {line}", *(row.rstrip() for row in output.splitlines())]))
            said.append("\n\n".join(told))
    return said


def renew(page: Path, width: int, *, check: bool) -> None:
    """Bring the tours of a page up to date, or check them."""
    between = re.split(f"({BEGIN}|{END})", page.read_text(encoding="utf-8"))
    # Text, mark, tour, mark, text, mark, tour...
    tours = between[2::4]
    program = str(Path(sys.executable).with_name("therapy-gen"))
    printed = play([commands(tour) for tour in tours], program, width)
    if check:
        lines = sum(len(commands(tour)) for tour in tours)
        if sum(tour.count("\n") for tour in tours) < 2 * lines:
            sys.exit(f"{page.name} shows no output; run: python docs/tour.py")
        return
    between[2::4] = [f"\n```console\n{told}\n```\n" for told in printed]
    page.write_text("".join(between), encoding="utf-8")


def main() -> None:
    """Bring the pages up to date, or check them."""
    requested = [Path(word).resolve() for word in sys.argv[1:] if word != "--check"]
    for page, width in WIDTHS.items():
        if not requested or page in requested:
            renew(page, width, check="--check" in sys.argv)


if __name__ == "__main__":
    main()
