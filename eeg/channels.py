"""Names, kinds and scalp groups of channels, whatever a headset or file format calls them."""

from __future__ import annotations

import re
from dataclasses import dataclass

GROUPS = ("frontal", "central", "temporal", "parietal", "occipital")

# Central and centro-parietal places of the 10-10 system within two steps of the vertex: the least muscle
# (Whitham 2007, 10.1016/j.clinph.2007.04.027; Fitzgibbon 2016, 10.1016/j.clinph.2015.10.030).
CENTRAL = frozenset({"FC1", "FCZ", "FC2", "C3", "C1", "CZ", "C2", "C4", "CP1", "CPZ", "CP2"})

# Older names of the same places (American Clinical Neurophysiology Society, guideline 2).
_OLD_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}

_PREFIX = re.compile(r"^(?:EEG|EEG[-_:])\s*(?=[A-Z])", re.IGNORECASE)
_REFERENCE = re.compile(r"[-_ :/](?:REF|LE|RE|AVG|AR|A1|A2|M1|M2|A1A2|CAR|CZ|NASION)$", re.IGNORECASE)
_PLACE = re.compile(
    r"^(?:NZ|FPZ?|AFP?|AF|F|FT|FC|FCC|C|CCP|T|TP|CP|CPP|P|PO|POO|O|OI|I|FZ|CZ|PZ|OZ|IZ)(?:Z|\d{1,2}[HP]?)?$", re.IGNORECASE
)
_ASIDE = (
    ("EOG", re.compile(r"EOG|^(?:LO1|LO2|IO1|IO2|SO1|SO2|HEO[GLR]?|VEO[GUL]?)$", re.IGNORECASE)),
    ("ECG", re.compile(r"ECG|EKG|CARDIO|PULSE|PLETH|^PPG|^HR$", re.IGNORECASE)),
    ("EMG", re.compile(r"EMG|CHIN", re.IGNORECASE)),
    (
        "reference",
        re.compile(r"^(?:A1|A2|M1|M2|TP9/10|REF|GND|CMS|DRL|LE|RE|[AM][12][-_ ][AM][12]|NOSE|MASTOID\w*)$", re.IGNORECASE),
    ),
    (
        "not EEG",
        re.compile(
            r"^(?:RESP\w*|GSR\w*|EDA\w*|SCR\w*|TEMP\w*|SPO2|ACC\w*|GYRO?\w*|MAG\w*|EXG\d*|AUX\w*|ERGO.*|STATUS|STI\b.*|STIM?\w*"
            r"|TRIG\w*|EVENTS?|MARKERS?|COUNTER|PACKET\w*|TIMESTAMP\w*|BATTERY\w*|ANNOTATIONS?|QUALITY\w*|CQ_\w*|SYNC\w*|DC\d+)$",
            re.IGNORECASE,
        ),
    ),
)


@dataclass(frozen=True)
class Channel:
    """A channel of a recording.

    Parameters
    ----------
    name : str
        As the file writes it.
    place : str or None
        Its place in the 10-10 system, upper case (``"CZ"``), or None where the name is no such place.
    kind : str
        ``"eeg"``, or why it is set aside: ``"EOG"``, ``"ECG"``, ``"EMG"``, ``"reference"``, ``"stim"``, ``"not EEG"``.
    """

    name: str
    place: str | None
    kind: str

    @property
    def label(self) -> str:
        """The short name to print: the place in usual spelling, or the file's name."""
        return spell(self.place) if self.place else self.name


def plain(name: str) -> str:
    """Return a channel name without prefix, reference and padding, upper case: ``"EEG Fp1-REF"`` -> ``"FP1"``."""
    name = name.strip().rstrip(".").strip()
    name = _PREFIX.sub("", name)
    if not any(pattern.search(name) for kind, pattern in _ASIDE if kind == "reference"):
        name = _REFERENCE.sub("", name)
    return name.strip().upper()


def place_of(name: str) -> str | None:
    """Return the 10-10 place that a channel name means, or None."""
    short = plain(name)
    if not _PLACE.match(short) or short in {"A1", "A2", "M1", "M2"}:
        return None
    return _OLD_NAMES.get(short, short)


def spell(place: str) -> str:
    """Spell a place as in print: ``"FP1"`` -> ``"Fp1"``, ``"CZ"`` -> ``"Cz"``."""
    if place.endswith("Z"):
        place = place[:-1] + "z"
    return "Fp" + place[2:] if place.startswith("FP") else place


def kind_of(name: str, file_kind: str = "eeg") -> str:
    """Return what a channel is, from its name and the kind the file gives it."""
    if file_kind == "stim":
        return "stim"
    if file_kind in {"eog", "ecg", "emg"}:
        return file_kind.upper()
    if file_kind not in {"eeg", "misc"}:
        return "not EEG"
    short = plain(name)
    for kind, pattern in _ASIDE:
        if pattern.search(short):
            return kind
    if file_kind == "misc":
        return "not EEG"
    return "eeg"


def group_of(place: str | None) -> str | None:
    """Return the scalp group of a 10-10 place, or None where it is not known."""
    if place is None:
        return None
    letters = place.rstrip("0123456789HPZ") or place.rstrip("0123456789HZ")
    if place.startswith("FP") or letters in {"N", "AF", "AFP", "F"}:
        return "frontal"
    if letters in {"FT", "T", "TP"} or place in {"FT7", "FT8", "T7", "T8", "TP7", "TP8", "T9", "T10", "TP9", "TP10"}:
        return "temporal"
    if letters in {"FC", "FCC", "C", "CC"} or place.startswith(("FC", "CC")) or re.match(r"^C(?:Z|\d+H?)$", place):
        return "central"
    if place.startswith("CP") or re.match(r"^P(?:Z|\d+H?)$", place):
        return "parietal"
    if place.startswith(("PO", "O", "I")):
        return "occipital"
    return None


def side_of(place: str | None) -> str | None:
    """Return ``"left"``, ``"right"`` or ``"midline"`` of a 10-10 place."""
    if place is None:
        return None
    digits = re.search(r"\d+", place)
    if digits is None:
        return "midline"
    return "left" if int(digits.group()) % 2 else "right"
