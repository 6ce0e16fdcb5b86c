"""Text for people and for files: lengths of time, and escaping for terminals, XML and spreadsheets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Compiled on first use: `re` takes 30 ms for such sets.
# XML 1.0, section 2.2.
_NOT_XML = "[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
# Of the control characters JSON itself escapes only the first 32.
_CONTROLS = "[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
# The name of a parameter in an error text.
_PARAMETER = "`([a-z][a-z0-9_]*)`"
# What makes a spreadsheet take a cell for a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def clock(seconds: float, *, decimals: int = 0) -> str:
    """Return a length or moment in minutes and seconds.

    Parameters
    ----------
    seconds : float
    decimals : int
        Of the seconds.

    Examples
    --------
    >>> clock(1440.0)
    '24:00'
    >>> clock(75.25, decimals=1)
    '1:15.2'
    """
    scale = 10**decimals
    whole = round(abs(seconds) * scale)
    minutes, rest = divmod(whole, 60 * scale)
    sign = "-" if seconds < 0 and whole else ""
    fraction = f".{rest % scale:0{decimals}d}" if decimals else ""
    return f"{sign}{minutes}:{rest // scale:02d}{fraction}"


def with_parameters(text: str, form: Callable[[str], str]) -> str:
    """Return an error text with parameters renamed for its readers.

    Libraries write a parameter as `name`; the command line shows it as an option, a page as a word.

    Examples
    --------
    >>> with_parameters("give another `play_length`", lambda name: "--" + name.replace("_", "-"))
    'give another --play-length'
    """
    return re.sub(_PARAMETER, lambda found: form(found[1]), text)


def printable(text: str) -> str:
    r"""Return text on one line, with terminal control characters escaped.

    Examples
    --------
    >>> print(printable("a\x1b[2Jb"))
    a\x1b[2Jb
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def criterion_text(criterion: str) -> str:
    """Return the words for a criterion in a sentence.

    Examples
    --------
    >>> criterion_text("beta"), criterion_text("both")
    ('beta power', 'beta and gamma power')
    >>> criterion_text("alpha-asymmetry")
    'alpha asymmetry (right over left)'
    """
    band, asymmetry, _ = criterion.partition("-asymmetry")
    if asymmetry:
        return f"{band} asymmetry (right over left)"
    return "beta and gamma power" if criterion == "both" else f"{criterion} power"


def json_text(document: object, *, ascii_only: bool = False) -> str:
    r"""Return a document as JSON, indented, with control and bidirectional characters escaped.

    Examples
    --------
    >>> print(json_text({"title": "\x9b2J"}))
    {
      "title": "\u009b2J"
    }
    """
    import json

    text = json.dumps(document, ensure_ascii=ascii_only, indent=2, allow_nan=False)
    return re.sub(_CONTROLS, lambda match: f"\\u{ord(match[0]):04x}", text)


def xml_text(text: str) -> str:
    """Return text without the characters that XML 1.0 cannot hold; marks such as ``&`` stay as they are."""
    return re.sub(_NOT_XML, "", text)


def spreadsheet_cell(text: str) -> str:
    """Return text for a cell of a CSV or TSV file that no spreadsheet takes for a formula.

    An apostrophe, which spreadsheets take for "this is text", goes before a first character that would begin one.
    Write numbers directly, not through this function.

    Examples
    --------
    >>> spreadsheet_cell("=HYPERLINK(A1)")
    "'=HYPERLINK(A1)"
    """
    return f"'{text}" if text.startswith(_FORMULA) else text
