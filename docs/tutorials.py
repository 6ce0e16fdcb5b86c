"""Run the commands of the tutorials and write what they print into these pages.

    python docs/tutorials.py [--check] [PAGE...]

A page docs/NAME-tutorial.md has an empty home folder of its own, in which every block runs, in order. Pictures that it
shows as NAME-*.svg are those that its commands draw. With --check nothing is written: the commands must work and draw
every picture, and the pages must show them with some output.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parent
# What TensorFlow says of itself while it is imported.
NOISE = re.compile(r"WARNING: All log messages|[IWE]\d{4} |To enable the following")
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def run(block: str, folder: Path) -> str:
    """Run the command lines of a block in `folder`, and return the block with what they print."""
    environment = os.environ | {"THERAPY_GEN_HOME": str(folder / "home"), "COLUMNS": "80", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("THERAPY_GEN_DB", None)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    said = []
    for line in re.findall(r"^\$ (.+)$", block, flags=re.MULTILINE):
        done = subprocess.run(
            line,
            shell=True,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{line}\n{done.stdout}")
        output = done.stdout.replace(f"{folder}/", "").rstrip()
        said.append("\n".join([f"$ {line}", *(row.rstrip() for row in output.splitlines() if not NOISE.match(row))]))
    return "```console\n" + "\n\n".join(said) + "\n```"


def renew(page: Path, *, check: bool) -> None:
    """Bring a tutorial up to date, or check it."""
    text = page.read_text(encoding="utf-8")
    prefix = page.stem.removesuffix("tutorial")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fresh = BLOCK.sub(lambda match: run(match.group(1), folder), text)
        pictures = {
            drawn: (folder / drawn).read_text(encoding="utf-8")
            for drawn in re.findall(rf"\({prefix}(.+?\.svg)\)", text)
        }
    if check:
        short = [block for block in BLOCK.findall(text) if block.count("\n") < 2]
        if short:
            sys.exit(f"{page.name} shows no output of {short[0].strip()}; run: python docs/tutorials.py")
        return
    for drawn, picture in pictures.items():
        (DOCS / f"{prefix}{drawn}").write_text(picture, encoding="utf-8")
    page.write_text(fresh, encoding="utf-8")


def main() -> None:
    """Bring the tutorials up to date, or check them."""
    requested = [Path(word).resolve() for word in sys.argv[1:] if word != "--check"]
    for page in requested or sorted(DOCS.glob("*-tutorial.md")):
        renew(page, check="--check" in sys.argv)


if __name__ == "__main__":
    main()
