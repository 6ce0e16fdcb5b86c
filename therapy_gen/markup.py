"""Text as XML can hold it."""

from __future__ import annotations

import re

# All but the characters of XML 1.0 (production 2, `Char`).
_NO_CHARACTERS = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def held_by_xml(text: str) -> str:
    """Return text without the characters that no XML 1.0 document can hold, not even escaped."""
    return _NO_CHARACTERS.sub("", text)
