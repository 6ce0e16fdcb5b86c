"""Pages from Jinja2 templates, every value escaped; Jinja2 is imported when the first page is made."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from therapy_gen.text import clock

if TYPE_CHECKING:
    from jinja2 import Environment

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; media-src blob: file:; img-src data:"
)
"""Content security policy of a self-contained page: only its own content, and sound beside it."""


@cache
def asset(package: str, name: str) -> str:
    """Return the text of a template, style or script of a package's folder `templates`."""
    return files(package).joinpath("templates", name).read_text(encoding="utf-8")


@cache
def environment(package: str) -> Environment:
    """Return the templates of a package's folder `templates`, with the shared ones (``base.html``, ``parts.html``).

    Examples
    --------
    >>> made = environment("therapy_gen.pages").from_string("{{ name }} {{ 75 | clock }}")
    >>> made.render(name="<b>")
    '&lt;b&gt; 1:15'
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    loaders = [PackageLoader(one, "templates") for one in dict.fromkeys((package, "therapy_gen.pages"))]
    made = Environment(
        loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters.update(clock=clock, moment=_moment, local=_local, data=_data, count=_count)
    made.globals.update(asset=asset, policy=POLICY)
    return made


def render(package: str, template: str, **values: Any) -> str:
    """Return a page: a template of a package, filled with values.

    Parameters
    ----------
    package : str
        Dotted name of the package in whose folder ``templates`` it lies.
    template : str
    **values
        Text is escaped; what is HTML or SVG already is marked ``| safe`` in the template.
    """
    return environment(package).get_template(template).render(**values)


def _moment(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M}"


def _local(value: datetime) -> str:
    """Return a moment in the time zone of this machine."""
    return f"{value.astimezone():%Y-%m-%d %H:%M}"


def _count(number: int, what: str, several: str = "") -> str:
    return f"{number} {what if number == 1 else several or what + 's'}"


def _data(value: Any) -> Any:
    """Return a value as JSON for a script element; nothing in it can end the element."""
    from markupsafe import Markup

    content = json.dumps(value, ensure_ascii=True).replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(content.replace("&", "\\u0026"))
