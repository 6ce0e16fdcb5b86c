"""Decoding names in MIDI files, which do not state their encoding."""

from __future__ import annotations

import codecs
import re
import unicodedata

_KANA = re.compile("[\u3041-\u30fe]")
# Terminal escape sequences.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_SPACES = "\t\n\r"
# Control characters, halves of characters, private ones and those that are none (Unicode's general categories).
_HIDDEN = ("Cc", "Cs", "Co", "Cn")
# Characters that change the direction of text, which make one name look like another.
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# A larger share of signs outside of ASCII is not a Western language.
_MOST_ACCENTS = 0.4


def readable_text(data: bytes) -> str:
    r"""Return a name as text in composed form (NFC) without control characters; empty where it cannot be told.

    UTF-8 is read where the bytes are, Japanese (Shift JIS) where that gives kana, and else Latin-1 where most letters
    are plain ones.

    Examples
    --------
    >>> readable_text(b"F\xfcr Elise\x00")
    'Für Elise'
    """
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return clean_text(data.decode("utf-16", errors="ignore").partition("\0")[0])
    data = data.partition(b"\0")[0] if data[:1] != b"\0" else data.replace(b"\0", b"")
    return clean_text(_decoded(data))


def clean_text(text: str) -> str:
    """Return text in composed form, without control characters and surrogates of undecodable bytes."""
    text = _ESCAPES.sub("", text)
    hidden = {sign for sign in set(text) if unicodedata.category(sign) in _HIDDEN or sign == "\ufffd"} | _TURNS
    kept = (sign for sign in text if sign in _SPACES or sign not in hidden)
    return unicodedata.normalize("NFC", " ".join("".join(kept).split()))


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        pass
    try:
        text = data.decode("shift_jis")
    except UnicodeDecodeError:
        text = ""
    if _KANA.search(text):
        return text
    letters = [byte for byte in data if byte > 0x40]
    accents = sum(byte >= 0x80 for byte in letters)
    if accents > _MOST_ACCENTS * len(letters):
        return ""
    return data.decode("cp1252", errors="ignore")
