"""Run the commands of docs/musicvae-tutorial.md in an empty home folder and write what they print into the page.

    python docs/musicvae_tutorial.py [--check]

The pictures that the commands draw go to docs/musicvae-*.svg. With --check nothing is written: the commands must work
and draw every picture, and the page must show them with some output.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).resolve().with_name("musicvae-tutorial.md")
# What TensorFlow says of itself while it is imported.
NOISE = re.compile(r"WARNING: All log messages|[IWE]\d{4} |To enable the following")
PICTURES = re.compile(r"\(musicvae-([a-z-]+\.svg)\)")
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
        rows = [
            row.rstrip() for row in done.stdout.replace(f"{folder}/", "").rstrip().splitlines() if not NOISE.match(row)
        ]
        said.append("\n".join([f"$ {line}", *rows]))
    return "```console\n" + "\n\n".join(said) + "\n```"


def main() -> None:
    """Bring the page up to date, or check it."""
    text = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fresh = BLOCK.sub(lambda match: run(match.group(1), folder), text)
        pictures = {name: (folder / name).read_text(encoding="utf-8") for name in PICTURES.findall(text)}
    if "--check" in sys.argv:
        short = [block for block in BLOCK.findall(text) if block.count("\n") < 2]
        if short:
            sys.exit(f"the page shows no output of {short[0].strip()}; run: python docs/musicvae_tutorial.py")
        return
    for name, picture in pictures.items():
        PAGE.with_name(f"musicvae-{name}").write_text(picture, encoding="utf-8")
    PAGE.write_text(fresh, encoding="utf-8")


if __name__ == "__main__":
    main()
