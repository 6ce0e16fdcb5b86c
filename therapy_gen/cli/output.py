"""How results look: JSON, tables that fit a narrow terminal, progress."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Annotated, Any

import typer

from therapy_gen.text import clock as clock
from therapy_gen.text import json_text, with_parameters
from therapy_gen.text import printable as printable

# `--json`, the same in every command.
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document")]

# `--limit`, the same in every list; of long lists, tables show the newest.
PAGE = 100
Limit = Annotated[
    int | None,
    typer.Option(metavar="N", min=0, help="The newest so many; 0 for all  [default: 100 in a table, all with --json]"),
]

_NARROW = 80
_GAP = "  "
# A column of words keeps at least this many characters; one of moments keeps its days.
_LEAST, _DATE = 6, 11
Advance = Callable[[float], None]


def print_json(document: Any) -> None:
    """Print one JSON document."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "")
    print(json_text(document, ascii_only=encoding != "utf8"))


def print_json_list(name: str, documents: Iterable[Any]) -> None:
    """Print one JSON document with a list under a name, as `print_json` would, one entry after the other."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "")
    # The first is made before anything is printed, so that an error comes first.
    following = iter(documents)
    first = next(following, None)
    print(f'{{\n  "{name}": [', end="")
    for number, document in enumerate(() if first is None else chain((first,), following)):
        text = json_text(document, ascii_only=encoding != "utf8")
        print("," if number else "", textwrap.indent(text, "    "), sep="\n", end="")
    print("]\n}" if first is None else "\n  ]\n}")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Print rows under a head; the columns whose places are in `right` are flush right.

    Where a row is wider than the terminal, the widest of the other columns are cut; numbers never are.
    """
    # Not with rich.table: that alone takes 0.05 s to import.
    from rich.cells import cell_len, set_cell_size

    terminal = sys.stdout.isatty()
    total = shutil.get_terminal_size((_NARROW, 24)).columns if terminal else _NARROW
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(cell_len(cell) for cell in column) for column in zip(columns, *cells, strict=True)]
    elastic = {
        n: _DATE if _are_moments(row[n] for row in cells) else _LEAST for n in range(len(widths)) if n not in right
    }
    _fit(widths, total - len(_GAP) * (len(widths) - 1), elastic)

    def line(row: Sequence[str]) -> str:
        shown = []
        for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
            if cell_len(cell) > width:
                cut = set_cell_size(cell, width - 1)
                # Between words, where that leaves half of it or more.
                words = cut.rpartition(" ")[0].rstrip()
                cell = (words if 2 * cell_len(words) >= width else cut) + "…"
            space = " " * (width - cell_len(cell))
            shown.append(space + cell if place in right else cell + space)
        return _GAP.join(shown)

    print(_bold(line(columns)) if terminal else line(columns))
    for row in cells:
        print(line(row))


def _bold(text: str) -> str:
    """Return text in bold for a terminal that can show it; older ones of Windows cannot."""
    return text if sys.platform == "win32" or os.environ.get("TERM") == "dumb" else f"\x1b[1m{text}\x1b[0m"


def _are_moments(cells: Iterable[str]) -> bool:
    """Return whether cells are what `day_and_time` writes, or nothing."""
    return all(not cell or (len(cell) == len("2026-11-28 07:15") and cell[4:8:3] == "--") for cell in cells)


def _fit(widths: list[int], total: int, elastic: Mapping[int, int]) -> None:
    """Make the widest of the elastic columns narrower until all have room, or all are at their least width."""
    while sum(widths) > total:
        giving = [place for place, least in elastic.items() if widths[place] > least]
        if not giving:
            return
        widths[max(giving, key=lambda place: widths[place])] -= 1


def print_text(text: str, *, indent: str = "") -> None:
    """Print a line of running text; on a narrow terminal it is broken between words."""
    print(textwrap.fill(text, text_width() if sys.stdout.isatty() else 10_000, subsequent_indent=indent))


def text_width() -> int:
    """Return how wide running text is: as wide as a narrow terminal, or less where that is less."""
    return min(shutil.get_terminal_size((_NARROW, 24)).columns, _NARROW) if sys.stdout.isatty() else _NARROW


def print_notes(notes: Sequence[tuple[str, str]]) -> None:
    """Print names with their descriptions beside them, within the width of a narrow terminal."""
    from rich.cells import cell_len, set_cell_size

    width = max(cell_len(name) for name, _ in notes)
    for name, said in notes:
        lines = textwrap.wrap(said, max(text_width() - width - len(_GAP), 20), break_long_words=True)
        for number, line in enumerate(lines or [""]):
            print(f"{set_cell_size('' if number else name, width)}{_GAP}{line}".rstrip())


def page_of(limit: int | None, as_json: bool) -> int | None:
    """Return how many entries of a list are wanted; None for all."""
    if limit is None:
        return None if as_json else PAGE
    return limit or None


def say_more(shown: int, count: Callable[[], int], what: str, *, quiet: bool) -> None:
    """Say how many entries a list left out, on standard error."""
    if shown and (left := count() - shown) > 0:
        say(f"{left} older {what} are not shown; --limit 0 shows all", quiet=quiet)


def brief(text: str, most: int = 30) -> str:
    """Return `text` cut to `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def figure(value: float | None, decimals: int) -> str:
    """Return a number for a table; nothing where it is not known."""
    return "" if value is None else f"{value:.{decimals}f}"


def day_and_time(moment: datetime) -> str:
    """Return a moment in the local time zone, to the minute."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def with_options(text: str) -> str:
    """Return a library's message with its parameters as options."""
    return with_parameters(text, lambda name: "--" + name.replace("_", "-"))


def say(text: str, *, quiet: bool = False) -> None:
    """Print a message that is not part of the result, on standard error."""
    if not quiet:
        print(printable(with_options(text)), file=sys.stderr)


@contextlib.contextmanager
def progress(label: str, total: float, *, quiet: bool = False) -> Iterator[Advance]:
    """Show a bar on standard error where that is a terminal; give a function that adds to the amount done."""
    if quiet or not sys.stderr.isatty():
        yield lambda amount: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        # It moves at once; the share done shows from the first report on.
        task = bar.add_task(label, total=None)

        def advance(amount: float) -> None:
            bar.update(task, total=total, advance=amount)

        yield advance


def count(number: int, what: str) -> str:
    """Return how many of something there are, in words."""
    return f"{number} {what}{'' if number == 1 else 's'}"
