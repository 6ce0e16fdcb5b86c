"""Write the command reference, docs/reference.md, and the tables of other pages that are read from the program itself.

    python docs/reference.py [--check]

With --check nothing is written: exit code 1 where the page is not what the program says.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().with_name("reference.md")

_HEAD = """# Command reference

Written from the program by `python docs/reference.py`; `therapy-gen COMMAND --help` says the same in a terminal.

Results go to standard output; progress, warnings and errors to standard error. `--json` prints one JSON document.
Exit codes: 0 done; 1 the input or the data is at fault; 2 usage; 3 an optional part is missing; 130 interrupted.
"""

# The type that Typer adds to the name of an argument.
_TYPE = re.compile(r" <\w+>")


def reference() -> str:
    """Return the page: every command with its arguments, options, defaults and example."""
    from typer.main import get_command

    from therapy_gen.cli.app import PROGRAM, app

    parts = [_HEAD]
    for words, command in _walk(get_command(app), (PROGRAM,)):
        parts.append(_section(words, command))
    return "\n".join(parts)


def _walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield words, command
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield from _walk(inner, (*words, name))


def _section(words: tuple[str, ...], command: Any) -> str:
    context = command.make_context(" ".join(words), [], resilient_parsing=True)
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f"{'#' * min(max(len(words), 2), 3)} {' '.join(words)}", "", f"`{' '.join(words)} {usage}`", ""]
    lines += [paragraph + "\n" for paragraph in _paragraphs(command.help)]
    parameters = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    shown = [record for record in parameters if record is not None and record[0] != "--help"]
    lines += [f"- `{_TYPE.sub('', name)}`: {_text(said)}" for name, said in shown]
    inner = sorted(getattr(command, "commands", {}).items())
    if inner:
        lines += ["", "Commands:", ""] if shown else ["Commands:", ""]
        lines += [
            f"- [{name}](#{'-'.join((*words, name))}): {_text(each.get_short_help_str(200))}" for name, each in inner
        ]
    example = (command.epilog or "").removeprefix("Example: ")
    lines += ["", "```", example, "```", ""]
    return "\n".join(lines)


def _paragraphs(text: str | None) -> list[str]:
    return [_text(paragraph) for paragraph in re.split(r"\n\s*\n", text or "") if paragraph.strip()]


def _text(text: str) -> str:
    """Return plain text for Markdown: what stands between backticks stays, signs elsewhere are escaped."""
    words = " ".join(text.split())
    parts = words.split("`")
    plain = [re.sub(r"([\\*_<>#\[\]])", r"\\\1", part) for part in parts[::2]]
    return "".join(
        part for pair in zip(plain, [f"`{code}`" for code in parts[1::2]] + [""], strict=False) for part in pair
    )


def tables() -> dict[str, dict[str, str]]:
    """Return the tables that the manual takes from registries: of each page, by their names."""
    from eeg.io.formats import format_table
    from therapy_gen.music.analysis import calmness, valence
    from therapy_gen.music.analysis.additive import feature_table
    from therapy_gen.musicvae.latent.attribute_kinds import attribute_table
    from therapy_gen.musicvae.prior.descriptors import descriptor_table

    return {
        "eeg.md": {"formats": format_table()},
        "calmness.md": {
            "calmness features": feature_table(calmness.FEATURES),
            "valence features": feature_table(valence.FEATURES),
        },
        "sampling.md": {"attributes": attribute_table()},
        "model.md": {"descriptors": descriptor_table()},
    }


def with_table(page: str, name: str, table: str) -> str:
    """Return a page with a table between its marks."""
    before, begin, rest = page.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- end of {name} -->")
    if not (begin and end):
        sys.exit(f"error: a page lacks the marks of the table of {name}")
    return f"{before}{begin}{table}\n{end}{after}"


def main() -> None:
    """Write the pages, or check them."""
    pages = {PAGE: reference()}
    for name, own in tables().items():
        text = PAGE.with_name(name).read_text(encoding="utf-8")
        for table in own.items():
            text = with_table(text, *table)
        pages[PAGE.with_name(name)] = text
    for page, made in pages.items():
        if "--check" not in sys.argv:
            page.write_text(made, encoding="utf-8")
        elif not page.exists() or page.read_text(encoding="utf-8") != made:
            sys.exit(f"error: docs/{page.name} is not what the program says; run: python docs/reference.py")


if __name__ == "__main__":
    main()
