"""The tunes of an ABC file, as lines, without comments, typeset text and text between tunes."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

FIELD = re.compile(r"([A-Za-z+]):(?![|:\]])(.*)")
# Directives that change which notes are meant.
_DIRECTIVE = re.compile(r"%%((?:propagate-accidentals|MIDI\s+(?:channel|transpose))\s.*)")
# A tag of a web page that a tune was copied from.
_TAG = re.compile(r"\s*</?[A-Za-z!][^<>]*>")
# A word that no music has.
_PROSE = re.compile(r"\b(?=[A-Za-z]*[H-WYh-wy])[A-Za-z]{4,}\b")


def decoded(data: bytes) -> str:
    """Return the text of a file: UTF-8, UTF-16 where its mark says so, else Latin-1."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def tunes_of(text: str) -> Iterator[list[str]]:
    """Yield the lines of each tune, without comments and typeset text; each begins with the file's header."""
    lines: list[str] = []
    header: list[str] = []
    block = ""
    after_blank = False
    for raw in text.splitlines():
        if block:
            block = "" if raw.startswith(f"%%end{block}") else block
            continue
        if begins := re.match(r"%%begin(\w+)", raw):
            block = begins[1]
            continue
        directive = _DIRECTIVE.match(raw)
        line = f"I:{directive[1]}" if directive else re.sub(r"(?<!\\)%.*", "", raw).rstrip()
        if not line or _TAG.match(line):
            after_blank = after_blank or not raw.strip()
            continue
        named = FIELD.match(line)
        if named and named[1] == "X":
            if not any(each[:2] in ("X:", "K:") for each in lines):
                header = [each for each in lines if each[:2] in ("M:", "L:", "Q:", "I:")]
            elif _is_tune(lines):
                yield lines
            lines, after_blank = [line, *header], False
        elif named or not after_blank or ("|" in line and not _PROSE.search(re.sub(r'![^!]*!|"[^"]*"', "", line))):
            lines.append(line)
    if _is_tune(lines):
        yield lines


def _is_tune(lines: list[str]) -> bool:
    """Return whether lines have a field of tunes; text before the first tune, and prose, has none."""
    return any(line[:2] in ("X:", "K:", "M:") for line in lines)
