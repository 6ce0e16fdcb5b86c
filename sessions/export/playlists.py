"""Playlists as text: M3U8, XSPF, JSPF and PLS."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import MappingProxyType
from urllib.parse import quote
from xml.sax.saxutils import escape

from sessions.errors import ExportError
from sessions.export_paths import check_text_name
from therapy_gen.text import xml_text

_CREATOR = "therapy-gen"
_XSPF_NAMESPACE = "http://xspf.org/ns/0/"

# What may stand in a URI (RFC 3986, section 2.2); what is escaped already stays as it is. Brackets hold an address in
# place of a host's name, and stand nowhere else.
_URI_CHARACTERS = ":/?#@!$&'()*+,;=~%"
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True)
class Naming:
    """How a playlist names its files; the words are those of beets' smart playlists.

    Attributes
    ----------
    relative_to : Path or None
        The folder that paths begin from; None is the playlist's own.
    prefix : str
        Stands before every path.
    urlencode : bool
        Whether paths are percent-encoded, as they always are in XSPF and JSPF.
    """

    relative_to: Path | None = None
    prefix: str = ""
    urlencode: bool = False

    def path(self, file: Path, playlist: Path) -> str:
        """Return how a file is named in a playlist, with forward slashes.

        Raises
        ------
        ExportError
            Where no relative path leads to it, or what does is not UTF-8.
        """
        base = self.relative_to if self.relative_to is not None else playlist.parent
        try:
            found = os.path.relpath(file.absolute(), base.absolute())
        except ValueError as error:
            raise ExportError(f"no relative path leads from {base} to {file}; give another `relative_to`") from error
        check_text_name(self.prefix + found)
        return PurePath(found).as_posix()


@dataclass(frozen=True)
class Entry:
    """A line of a playlist.

    Attributes
    ----------
    path : str
        As `Naming.path` gives it.
    title : str
    duration_s : float
    note : str
        About the piece, one line.
    """

    path: str
    title: str
    duration_s: float
    note: str = ""


def m3u8(entries: Sequence[Entry], *, title: str, naming: Naming | None = None) -> str:
    """Return an extended M3U playlist, to be stored as UTF-8."""
    lines = ["#EXTM3U", f"#PLAYLIST:{_one_line(title)}"]
    for entry in entries:
        lines.append(f"#EXTINF:{round(entry.duration_s)},{_one_line(entry.title)}")
        name = _named(entry, naming)
        # A leading hash would make it a comment.
        lines.append(f"./{name}" if name.startswith("#") else name)
    return "\n".join(lines) + "\n"


def pls(entries: Sequence[Entry], *, title: str, naming: Naming | None = None) -> str:
    """Return a PLS playlist (version 2), to be stored as UTF-8. It has no place for a title."""
    lines = ["[playlist]"]
    for number, entry in enumerate(entries, 1):
        lines += [
            f"File{number}={_named(entry, naming)}",
            f"Title{number}={_one_line(entry.title)}",
            f"Length{number}={round(entry.duration_s)}",
        ]
    return "\n".join([*lines, f"NumberOfEntries={len(entries)}", "Version=2"]) + "\n"


def xspf(entries: Sequence[Entry], *, title: str, naming: Naming | None = None) -> str:
    """Return an XSPF playlist, version 1 (https://www.xspf.org/spec); durations in milliseconds."""
    album = _xml(title)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<playlist version="1" xmlns="{_XSPF_NAMESPACE}">',
        f"  <title>{album}</title>",
        f"  <creator>{_CREATOR}</creator>",
        "  <trackList>",
    ]
    for number, entry in enumerate(entries, 1):
        note = [f"      <annotation>{_xml(entry.note)}</annotation>"] if entry.note else []
        lines += [
            "    <track>",
            f"      <location>{_xml(_uri(entry, naming))}</location>",
            f"      <title>{_xml(entry.title)}</title>",
            f"      <creator>{_CREATOR}</creator>",
            *note,
            f"      <album>{album}</album>",
            f"      <trackNum>{number}</trackNum>",
            f"      <duration>{round(1000 * entry.duration_s)}</duration>",
            "    </track>",
        ]
    return "\n".join([*lines, "  </trackList>", "</playlist>"]) + "\n"


def jspf(entries: Sequence[Entry], *, title: str, naming: Naming | None = None) -> str:
    """Return a JSPF playlist: XSPF as JSON (https://www.xspf.org/jspf)."""
    album = _one_line(title)
    tracks = [
        {
            "location": [_uri(entry, naming)],
            "title": _one_line(entry.title),
            "creator": _CREATOR,
            **({"annotation": entry.note} if entry.note else {}),
            "album": album,
            "trackNum": number,
            "duration": round(1000 * entry.duration_s),
        }
        for number, entry in enumerate(entries, 1)
    ]
    document = {"playlist": {"title": album, "creator": _CREATOR, "track": tracks}}
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


Writer = Callable[..., str]
WRITERS: Mapping[str, Writer] = MappingProxyType({"m3u8": m3u8, "xspf": xspf, "jspf": jspf, "pls": pls})


def _named(entry: Entry, naming: Naming | None) -> str:
    naming = naming or Naming()
    name = naming.prefix + (quote(entry.path) if naming.urlencode else entry.path)
    if any(character in "\r\n\0" for character in name):
        raise ExportError(f"the path {name!a} has a line break, which no playlist can name; give `urlencode`")
    return name


def _uri(entry: Entry, naming: Naming | None) -> str:
    prefix = _LONE_PERCENT.sub("%25", (naming or Naming()).prefix)
    authority = _AUTHORITY.match(prefix)
    host = authority.group() if authority else ""
    return (
        quote(host, safe=f"{_URI_CHARACTERS}[]") + quote(prefix[len(host) :], safe=_URI_CHARACTERS) + quote(entry.path)
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _xml(text: str) -> str:
    """Return text for an XML 1.0 element, without the characters that it cannot hold."""
    return escape(xml_text(_one_line(text)))
