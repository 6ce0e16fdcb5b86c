"""Write the list of modules, docs/modules.md, from the first line of each one's docstring.

    python docs/modules.py [--check]

With --check nothing is written: exit code 1 where the page is not what the modules say.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "modules.md"
PACKAGES = ("therapy_gen", "sessions", "eeg")

_HEAD = """# Modules

Written from the modules' own first lines by `python docs/modules.py`. [Architecture](architecture.md) says how they
work together.
"""


def first_line(path: Path) -> str:
    """Return what a module says of itself in its first line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("<", "&lt;").replace("|", "\\|")


def described(folder: Path) -> list[str]:
    """Return the section of a package, and those of the packages in it."""
    name = ".".join(folder.relative_to(ROOT).parts)
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    lines = [f"## {name}", "", first_line(folder / "__init__.py"), ""]
    if modules:
        lines += ["| module | what it is for |", "| --- | --- |"]
        lines += [f"| `{path.name}` | {first_line(path)} |" for path in modules] + [""]
    for inner in sorted(path.parent for path in folder.glob("*/__init__.py")):
        lines += described(inner)
    return lines


def main() -> None:
    """Write or check the page."""
    text = "\n".join([_HEAD, *(line for package in PACKAGES for line in described(ROOT / package))]).rstrip() + "\n"
    if "--check" in sys.argv[1:]:
        if PAGE.read_text(encoding="utf-8") != text:
            sys.exit("docs/modules.md is not what the modules say; run python docs/modules.py")
        return
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
