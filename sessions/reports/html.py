"""A page that stands alone: style, script and data inside, and nothing that leaves it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

# The page may use what it carries, and nothing else.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; media-src blob:; img-src data:"


@cache
def template(name: str) -> str:
    """Return a file of `sessions/templates`."""
    return files("sessions").joinpath("templates", name).read_text(encoding="utf-8")


def text(value: object) -> str:
    """Return a value as text of a page, markup and quotes escaped."""
    return escape(str(value))


def page(title: str, body: Iterable[str], *, scripts: Sequence[str] = ()) -> str:
    """Return an HTML document.

    Parameters
    ----------
    title : str
        Plain text.
    body, scripts : iterable of str
        HTML.
    """
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<title>{text(title)}</title>",
            f"<style>{template('page.css')}</style>\n</head>\n<body>\n<main>",
            *body,
            "</main>",
            *scripts,
            "</body>\n</html>\n",
        ]
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = (), label: str) -> str:
    """Return a table; cells are HTML, columns plain text, `numbers` those set to the right."""
    look = ['class="n"' if place in numbers else "" for place in range(len(columns))]
    head = "".join(f'<th scope="col" {one}>{text(name)}</th>' for name, one in zip(columns, look, strict=True))
    lines = "".join(
        "<tr>" + "".join(f"<td {one}>{cell}</td>" for cell, one in zip(row, look, strict=True)) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(label)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def data_script(id_: str, value: Any) -> str:
    """Return data for the page's script; nothing in it can end the element."""
    content = json.dumps(value, ensure_ascii=True).replace("<", "\\u003c").replace(">", "\\u003e")
    return f'<script type="application/json" id="{id_}">{content}</script>'


def program_script(name: str) -> str:
    """Return a template as a script."""
    return f"<script>{template(name)}</script>"
