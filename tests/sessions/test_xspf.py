"""XSPF playlists against the rules of XSPF version 1 (https://www.xspf.org/spec).

The specification's own schema has no licence that lets it be copied here; these are its rules in our words: elements,
how often each may stand, and what each may hold.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest

from sessions.builder import new_session
from sessions.export.audio import Sound
from sessions.export.export import export_session
from sessions.export.playlists import Entry, Naming, xspf
from sessions.planning.plan import SessionRequest
from sessions.storage.store import Store
from therapy_gen.musicvae.model import Model

NAMESPACE = "{http://xspf.org/ns/0/}"
ONCE = {"title", "creator", "annotation", "info", "image"}
PLAYLIST = ONCE | {"location", "identifier", "date", "license", "attribution", "link", "meta", "extension", "trackList"}
TRACK = ONCE | {"location", "identifier", "album", "trackNum", "duration", "link", "meta", "extension"}
MANY = {"link", "meta", "extension"}
URIS = {"location", "identifier", "info", "image", "license"}
# RFC 3986: what may stand in a reference, and how anything else is escaped.
URI = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")


def faults(document: bytes) -> list[str]:
    """What in a document breaks a rule."""
    document.decode("utf-8")
    root = ElementTree.fromstring(document)
    found = []
    if root.tag != f"{NAMESPACE}playlist":
        return [f"the root is {root.tag}"]
    if root.attrib != {"version": "1"}:
        found.append(f"the playlist's attributes are {root.attrib}")
    found += _children(root, PLAYLIST, MANY)
    lists = root.findall(f"{NAMESPACE}trackList")
    if len(lists) != 1:
        return [*found, f"{len(lists)} track lists"]
    for track in lists[0]:
        if track.tag != f"{NAMESPACE}track":
            found.append(f"{track.tag} in the track list")
        # A track may have several locations and identifiers.
        found += _children(track, TRACK, MANY | {"location", "identifier"})
    return found


def _children(parent: ElementTree.Element, allowed: set[str], many: set[str]) -> list[str]:
    found = []
    seen: set[str] = set()
    if (parent.text or "").strip() or any((child.tail or "").strip() for child in parent):
        found.append(f"text between the elements of {parent.tag}")
    for child in parent:
        name = child.tag.removeprefix(NAMESPACE)
        if name not in allowed:
            found.append(f"{name} in {parent.tag}")
        if name in seen and name not in many:
            found.append(f"{name} twice in {parent.tag}")
        seen.add(name)
        text = child.text or ""
        if name in URIS and (not URI.fullmatch(text) or _scheme_in_relative(text)):
            found.append(f"{name} is no URI: {text!r}")
        if name in ("trackNum", "duration") and not re.fullmatch(r"0*[1-9][0-9]*|0+", text):
            found.append(f"{name} is no whole number: {text!r}")
        if name == "trackNum" and text.strip("0") == "":
            found.append("track numbers begin at 1")
        if name in ONCE - URIS and len(child):
            found.append(f"{name} holds elements")
    return found


def _scheme_in_relative(text: str) -> bool:
    return bool(urlsplit(text).scheme) and "//" not in text and not text.startswith(("urn:", "tag:"))


# Made to trouble formats that quote badly.
ODD = [Entry("a b/#1 é%20&<名>.flac", 'One & "two" <three>', 2.6, "C major"), Entry("x:y.flac", "Silence\n\x07", 0.25)]


@pytest.mark.long
def test_an_export_keeps_to_the_specification(store: Store, model: Model, tmp_path: Path) -> None:
    record = new_session(store, model, SessionRequest(minutes=1.0), seed=1, listener="<Ana & 名>")
    export_session(store, record, "xspf", tmp_path / "a.xspf", Sound(), audio="ogg")
    assert faults((tmp_path / "a.xspf").read_bytes()) == []


def test_odd_names_and_titles_keep_to_the_specification() -> None:
    assert faults(xspf(ODD, title="A & <b>\0").encode()) == []
    assert faults(xspf([], title="", naming=Naming(prefix="http://host/my music/")).encode()) == []
    whole = xspf(ODD, title="t", naming=Naming(prefix="http://host/my music/"))
    assert faults(whole.encode()) == []
    assert "<location>http://host/my%20music/a%20b/%231%20%C3%A9%2520%26%3C%E5%90%8D%3E.flac</location>" in whole
    assert "<duration>2600</duration>" in whole


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("<location>a b</location>", "no URI"),
        ("<duration>2.5</duration>", "no whole number"),
        ("<title>a</title><title>b</title>", "twice"),
        ("<artist>a</artist>", "artist in"),
    ],
)
def test_the_rules_find_faults(broken: str, said: str) -> None:
    start = '<playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList><track>'
    assert said in " ".join(faults(f"{start}{broken}</track></trackList></playlist>".encode()))


def test_letters_are_kept_and_what_xml_cannot_hold_is_dropped() -> None:
    # A soft hyphen, a joiner and a non-joiner: Persian and emoji need them.
    kept = "a\u00adb\u200cc\u200dd\U0001f3b5"
    whole = xspf([Entry("a.flac", f"{kept}\0\x08\ufffe\ud800", 1.0)], title="t").encode()
    assert faults(whole) == []
    assert f"<title>{kept}</title>" in whole.decode()


@pytest.mark.parametrize(
    ("prefix", "location"),
    [
        ("http://h/100% [x]/", "http://h/100%25%20%5Bx%5D/"),
        ("http://[::1]:80/a%20b/", "http://[::1]:80/a%20b/"),
        ("/m[1]/%zz%4/", "/m%5B1%5D/%25zz%254/"),
    ],
)
def test_a_prefix_becomes_a_uri(prefix: str, location: str) -> None:
    whole = xspf([Entry("a.flac", "t", 1.0)], title="t", naming=Naming(prefix=prefix))
    assert f"<location>{location}a.flac</location>" in whole
