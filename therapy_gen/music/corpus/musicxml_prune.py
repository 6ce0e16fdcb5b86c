"""Pruning a MusicXML file to what sounds, measure by measure, so that nothing else can stop its reading."""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, cast
from xml.etree import ElementTree

from therapy_gen.music.corpus.notation import (
    MAX_BARS,
    MAX_BEATS,
    MAX_NOTES,
    MAX_SHARPS,
    UNITS,
    DamagedError,
    TooMuchError,
)

# Largest size of an unpacked score.
MAX_UNPACKED_BYTES = 100_000_000
# A parser goes through one long word or blank again with every chunk.
_MAX_BYTES_WITHOUT_TAGS = 2_000_000
# Nested deeper than any score.
_MAX_DEPTH = 64
_CHUNK = 1 << 16
_MAX_DIVISIONS = 100_000
_STEPS = "CDEFGAB"


def open_document(path: Path) -> IO[bytes]:
    """Open the score in a file, compressed or not."""
    if not zipfile.is_zipfile(path):
        return path.open("rb")
    with zipfile.ZipFile(path) as archive:
        name = _root_name(archive)
        try:
            if archive.getinfo(name).file_size > MAX_UNPACKED_BYTES:
                raise TooMuchError(f"unpacks to more than {MAX_UNPACKED_BYTES // 1_000_000} MB")
            return archive.open(name)
        except (KeyError, NotImplementedError, RuntimeError) as error:
            raise DamagedError("the archive does not hold the score that it names") from error


def _root_name(archive: zipfile.ZipFile) -> str:
    """Return the score of an archive: what its container names as MusicXML, or the only score in it."""
    scores = [
        name
        for name in archive.namelist()
        if name.lower().endswith((".xml", ".musicxml")) and not name.startswith(("META-INF/", "__MACOSX/"))
    ]
    named = _named(archive)
    for name in named:
        if name in archive.NameToInfo and (len(named) == 1 or name in scores):
            return name
    if len(scores) == 1:
        return scores[0]
    raise DamagedError(
        "the archive does not hold the score that it names" if named else "the archive has no META-INF/container.xml"
    )


def _named(archive: zipfile.ZipFile) -> list[str]:
    """Return the files that an archive's container names."""
    try:
        with archive.open("META-INF/container.xml") as container:
            root = ElementTree.fromstring(container.read(_CHUNK))
    except KeyError:
        return []
    except (NotImplementedError, RuntimeError) as error:
        raise DamagedError("the archive's META-INF/container.xml cannot be unpacked") from error
    return [str(each.get("full-path")) for each in root.iter() if _tag(each) == "rootfile" and each.get("full-path")]


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    total = 0
    while chunk := stream.read(_CHUNK):
        total += len(chunk)
        if total > MAX_UNPACKED_BYTES:
            raise TooMuchError(f"unpacks to more than {MAX_UNPACKED_BYTES // 1_000_000} MB")
        yield chunk


# Note values in quarter notes.
_BEAT_UNITS = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25}


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


class PrunedScore:
    """The parts of a score reduced to what sounds, measure by measure, so that nothing else can stop its reading."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.measures: dict[str, list[str]] = {}
        self.movement_ends: list[int] = []
        """Bars of the first part that end a movement, by index."""
        self.notes = 0
        self.drums: set[str] = set()
        """Parts of percussion, written with pitches."""
        self._part = self._measure = ""
        self._key: str | None = None
        parser: ElementTree.XMLPullParser[ElementTree.Element] = ElementTree.XMLPullParser(("start", "end"))
        depth, empty, open_parts = 0, 0, [""]
        for chunk in _chunks(stream):
            parser.feed(chunk)
            empty += len(chunk)
            if empty > _MAX_BYTES_WITHOUT_TAGS:
                raise DamagedError("there are megabytes without a note in it")
            for event, element in cast("Iterable[tuple[str, ElementTree.Element]]", parser.read_events()):
                tag, empty = _tag(element), 0
                if event == "start":
                    depth += 1
                    if depth > _MAX_DEPTH:
                        raise DamagedError("it is nested deeper than a score")
                    if tag == "part":
                        open_parts.append(element.get("id") or f"P{len(self.measures) + 1}")
                    continue
                depth -= 1
                if tag == "score-part" and _is_drum_kit(element):
                    self.drums.add(element.get("id") or "")
                # A score may hold parts of measures, or measures of parts.
                if tag == "part":
                    name = open_parts.pop()
                    if self._holds_notes(element):
                        self._take(name, element)
                    element.clear()
                elif tag == "measure" and len(open_parts) > 1:
                    self._take(open_parts[-1], element)
                    element.clear()
        parser.close()
        if not self.measures:
            raise DamagedError("it has no part with bars")

    @staticmethod
    def _holds_notes(part: ElementTree.Element) -> bool:
        return any(_tag(child) == "note" for child in part)

    def document(self) -> bytes:
        """Return a score-partwise document of what is left."""
        names = "".join(
            f'<score-part id="P{n}"><part-name>P{n}</part-name></score-part>' for n in range(len(self.measures))
        )
        parts = "".join(
            f'<part id="P{n}">'
            + "".join(f'<measure number="{i + 1}">{bar}</measure>' for i, bar in enumerate(bars))
            + "</part>"
            for n, bars in enumerate(self.measures.values())
        )
        return f'<score-partwise version="3.1"><part-list>{names}</part-list>{parts}</score-partwise>'.encode()

    def _take(self, part: str, measure: ElementTree.Element) -> None:
        bars = self.measures.setdefault(part, [])
        if len(bars) >= MAX_BARS:
            raise TooMuchError(f"has more than {MAX_BARS} bars")
        out: list[str] = []
        for child in measure:
            tag = _tag(child)
            if tag == "note":
                self.notes += 1
                if self.notes > MAX_NOTES:
                    raise TooMuchError(f"has more than {MAX_NOTES} notes")
                text = _note(child, sounds=part not in self.drums)
                # A chord's note needs one before it that sounds.
                if not ("<chord/>" in text and (not out or "<pitch>" not in out[-1])):
                    out.append(text)
            elif tag in ("backup", "forward"):
                out.append(f"<{tag}>{_duration(child)}</{tag}>")
            elif tag == "attributes":
                out.append(_attributes(child))
                clefs = [_find(clef, "sign") for clef in child if _tag(clef) == "clef"]
                if clefs and all(sign is not None and (sign.text or "").strip() == "percussion" for sign in clefs):
                    self.drums.add(part)
            elif tag in ("direction", "sound"):
                out.append(_tempo(child))
            elif tag == "barline" and part == next(iter(self.measures)) and _ends_movement(child):
                self.movement_ends.append(len(bars))
        bars.append("".join(out))


def _find(element: ElementTree.Element, name: str) -> ElementTree.Element | None:
    return next((child for child in element.iter() if _tag(child) == name), None)


def _number(element: ElementTree.Element, name: str, low: float, high: float) -> float | None:
    """Return the number that a child holds, None where there is no such child."""
    child = _find(element, name)
    if child is None:
        return None
    try:
        value = float((child.text or "").strip())
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise DamagedError(f"<{name}> is {(child.text or '').strip()[:20]!r}, not {low:g} to {high:g}")
    return value


def _duration(element: ElementTree.Element) -> str:
    value = _number(element, "duration", 0, 1e7)
    return "" if value is None else f"<duration>{round(value)}</duration>"


def _is_drum_kit(part: ElementTree.Element) -> bool:
    """Return whether a part's instruments all play on MIDI's channel of drums."""
    channels = [(child.text or "").strip() for child in part.iter() if _tag(child) == "midi-channel"]
    return bool(channels) and all(channel == "10" for channel in channels)


def _note(note: ElementTree.Element, *, sounds: bool = True) -> str:
    """Return a note or rest without what does not sound; nothing for a grace note, which takes no time."""
    kinds = {_tag(child) for child in note}
    if "grace" in kinds:
        return ""
    out = ["<chord/>"] if "chord" in kinds else []
    pitch = None if not sounds or kinds & {"rest", "unpitched", "cue"} else _find(note, "pitch")
    if pitch is None:
        if out:
            return ""
        out.append("<rest/>")
    else:
        step = _find(pitch, "step")
        letter = (step.text or "").strip().upper() if step is not None else ""
        octave = _number(pitch, "octave", -1, 10)
        if letter not in _STEPS or not letter or octave is None:
            raise DamagedError("a <pitch> has no step or octave")
        # Quarter tones are rounded down, as a piano has none.
        alter = math.floor(_number(pitch, "alter", -4, 4) or 0.0)
        altered = f"<alter>{alter}</alter>" if alter else ""
        out.append(f"<pitch><step>{letter}</step>{altered}<octave>{int(octave)}</octave></pitch>")
    out.append(_duration(note))
    if pitch is not None:
        ties = [child.get("type") for child in note if _tag(child) == "tie"]
        out += [f'<tie type="{kind}"/>' for kind in ties if kind in ("start", "stop")]
    voice = _find(note, "voice")
    name = "".join(c for c in (voice.text or "") if c.isalnum()) if voice is not None else ""
    return "<note>" + "".join(out) + f"<voice>{name if name.isdigit() else 1}</voice></note>"


def _attributes(attributes: ElementTree.Element) -> str:
    out = []
    divisions = _number(attributes, "divisions", 0, _MAX_DIVISIONS)
    if divisions is not None:
        if divisions < 1 or divisions != int(divisions):
            raise DamagedError(f"<divisions> is {divisions:g}, not a whole number")
        out.append(f"<divisions>{int(divisions)}</divisions>")
    fifths = _find(attributes, "fifths")
    if fifths is not None:
        sharps = int(_number(attributes, "fifths", -99, 99) or 0)
        if abs(sharps) <= MAX_SHARPS:
            out.append(f"<key><fifths>{sharps}</fifths></key>")
    out.append(_time(attributes))
    if (transpose := _find(attributes, "transpose")) is not None:
        chromatic = int(_number(transpose, "chromatic", -60, 60) or 0)
        octaves = int(_number(transpose, "octave-change", -5, 5) or 0)
        total = chromatic + 12 * octaves
        out.append(f"<transpose><diatonic>0</diatonic><chromatic>{total}</chromatic></transpose>")
    return "<attributes>" + "".join(out) + "</attributes>"


def _time(attributes: ElementTree.Element) -> str:
    """Return a time signature with whole numbers, sums such as 2+2 added up; nothing for what has none."""
    time = _find(attributes, "time")
    if time is None:
        return ""
    beats = [child.text or "" for child in time if _tag(child) == "beats"]
    units = [child.text or "" for child in time if _tag(child) == "beat-type"]
    if len(beats) != 1 or len(units) != 1:
        # Without metre, or in several at once.
        return ""
    try:
        count, unit = sum(int(number) for number in beats[0].split("+")), int(units[0])
    except ValueError:
        raise DamagedError(f"a time signature of {beats[0][:20]!r} over {units[0][:20]!r}") from None
    if not 0 < count <= MAX_BEATS or unit not in UNITS:
        raise DamagedError(f"a time signature of {count} over {unit}")
    return f"<time><beats>{count}</beats><beat-type>{unit}</beat-type></time>"


def _tempo(element: ElementTree.Element) -> str:
    """Return the tempo of playback, or, where there is none, the metronome mark."""
    sound = element if _tag(element) == "sound" else _find(element, "sound")
    said = sound.get("tempo", "") if sound is not None else ""
    try:
        tempo = float(said) if said else _metronome(element)
    except ValueError:
        return ""
    return f'<sound tempo="{tempo:g}"/>' if 1 <= tempo <= 1000 else ""


def _metronome(element: ElementTree.Element) -> float:
    """Return the quarter notes a minute of a mark such as a dotted quarter = 60; ValueError where it says none."""
    mark = _find(element, "metronome")
    if mark is None:
        return math.nan
    unit, quarters, minute = "", math.nan, ""
    for child in mark:
        tag, text = _tag(child), (child.text or "").strip()
        if tag == "beat-unit" and not unit:
            unit, quarters = text, _BEAT_UNITS.get(text, math.nan)
        elif tag == "beat-unit-dot":
            quarters *= 1.5
        elif tag == "per-minute":
            minute = text
    number = re.search(r"\d{1,3}(?:\.\d{1,3})?", minute)
    return quarters * float(number[0]) if number else math.nan


def _ends_movement(barline: ElementTree.Element) -> bool:
    style = _find(barline, "bar-style")
    final = style is not None and (style.text or "").strip() == "light-heavy"
    return final and barline.get("location", "right") == "right" and _find(barline, "repeat") is None
