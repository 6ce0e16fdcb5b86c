"""Names, kinds and scalp groups of channels, whatever a headset or file format calls them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

GROUPS = ("frontal", "central", "temporal", "parietal", "occipital")

# Central and centro-parietal places of the 10-10 system within two steps of the vertex: the least muscle
# (Whitham 2007, 10.1016/j.clinph.2007.04.027; Fitzgibbon 2016, 10.1016/j.clinph.2015.10.030).
CENTRAL = frozenset({"FC1", "FCZ", "FC2", "C3", "C1", "CZ", "C2", "C4", "CP1", "CPZ", "CP2"})

# Older names of the same places (American Clinical Neurophysiology Society, guideline 2).
_OLD_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}

_PREFIX = re.compile(r"^(?:POL\s+|EEG[-_:.]?\s*)(?=[A-Z])", re.IGNORECASE)
_REFERENCE = re.compile(r"\s*[-_ :/]\s*(?:REF|LE|RE|AVE?|AVG|AR|A1|A2|M1|M2|A1A2|CAR|CZ|NASION)$", re.IGNORECASE)
_STIM = re.compile(
    r"^(?:STI[ _]?\d*|STIM\w*|STATUS|TRIG\w*(?:[ _]\w+)?|TRG\d*|EVENTS?\d*|DIN[ _]?\d*|D\d{3}|MARKERS?\d*|TTL[ _]?\w*"
    r"|CODES?|STATUS[ _]CH\w*|(?:EDF|BDF|EXT|EXTERNAL|DIGITAL)[ _]TRIG\w*|EVENT[ _]?MARKERS?|(?:MARK|MRK|MKR)S?\d*"
    r"|SYNC\d*|DI|DIGITAL[ _]?IN\w*|PARALLEL[ _]?PORT|LPT\d*)$",
    re.IGNORECASE,
)
_ASIDE = (
    (
        "EOG",
        re.compile(
            r"EOG|^(?:LO1|LO2|IO1|IO2|SO1|SO2|HEO[GLR]?|VEO[GUL]?|LOC|ROC|(?:E[12]|[LR]OC)[-_ /:][AM][12]|E[12])$",
            re.IGNORECASE,
        ),
    ),
    ("ECG", re.compile(r"ECG|EKG|CARDIO|PULSE|^PLETH?|^PPG|^HR$|^H(?:EART)?[ _]?RATE", re.IGNORECASE)),
    (
        "EMG",
        re.compile(
            r"EMG|CHIN|^(?:[LR][-_ ]?)?(?:LEG|ARM|TIB\w*|LAT|RAT|MASSETER|CALF)S?[-_ ]?[LR]?\d*[-+]?$", re.IGNORECASE
        ),
    ),
    (
        "reference",
        re.compile(
            r"^(?:A1|A2|M1|M2|TP9/10|REF|GND|CMS|DRL|LE|RE|[AM][12][-_ ][AM][12]|NOSE|MASTOID\w*)$", re.IGNORECASE
        ),
    ),
    (
        "not EEG",
        re.compile(
            r"^(?:EX\d|PLM\w*|DIF\d|(?:ALPHA|BETA|THETA|DELTA|GAMMA|POW|CQ)[ _.].*"
            r"|RESP.*|THOR(?:AX|ACIC)?.*|ABD(?:O.*)?|CHEST|AIR[ _]?FLOW|(?:NASAL|ORAL|CPAP|FLOW)\b.*|SNORE|GSR\w*"
            r"|EDA\w*|SCR\w*|(?:BODY[ _]?)?TEMP.*|S[APC]?O2\w*|OSAT|ETCO2|BPM|POS(?:ITION)?|LIGHT|LUX|PHOTO\w*|SOUND"
            r"|AUDIO|MIC\w*|(?:\w+[._ ])?(?:ACC|GYR|MAG)\w*(?:[ _].*)?|PITCH|YAW|ROLL|[XYZ][-_ ]?(?:DIR|AXIS|ACC\w*)"
            r"|ANALOG.*|DIGITAL.*|EXG\d*|(?:LEFT |RIGHT )?AUX.*|BIP\d+|ERG.*|X\d|Q[0-3]|JAW.*|BLINK.*|HEADBAND\w*"
            r"|HSI\w*|COUNTER|INTERPOLATED|HIGHBITFLEX|SATURATION\w*|VALIDATION.*|SAMPLE[ _]?(?:INDEX|COUNT\w*)"
            r"|PACK(?:ET|AGE).*|(?:\w+[ _])?TIME[ _]?STAMP.*|TIME|BATTERY.*|.* ANNOTATIONS?|ANNOTATIONS?|QUALITY\w*"
            r"|(?:RAW_)?CQ(?:[ _].*)?|EQ[ _].*|MARKER_\w+|SYNC\w*|DC\d+|IMP(?:EDANCE)?\b.*)$",
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
    site : str or None
        Its site in the 10-10 system, upper case (``"CZ"``), or None where the name is no such site.
    kind : str
        ``"eeg"``, or why it is set aside: ``"EOG"``, ``"ECG"``, ``"EMG"``, ``"reference"``, ``"stim"``, ``"not EEG"``.
    """

    name: str
    site: str | None
    kind: str

    @property
    def label(self) -> str:
        """The short name to print: the site in usual spelling, or the file's name."""
        return _spell(self.site) if self.site else self.name


def canonical(name: str) -> str:
    """Return a channel name without prefix, reference and padding, upper case: ``"EEG Fp1-REF"`` -> ``"FP1"``."""
    name = name.strip().rstrip(".").strip()
    name = _PREFIX.sub("", name)
    if not any(pattern.search(name) for kind, pattern in _ASIDE if kind == "reference"):
        name = _REFERENCE.sub("", name)
    return name.strip().upper()


def site_of(name: str) -> str | None:
    """Return the 10-10 site that a channel name means, or None."""
    short = _OLD_NAMES.get(canonical(name), canonical(name))
    parts = _split(short)
    return short if parts is not None and parts[1] <= 10 else None


def _spell(site: str) -> str:
    """Spell a site as in print: ``"FP1"`` -> ``"Fp1"``, ``"CZ"`` -> ``"Cz"``."""
    if site.endswith("Z"):
        site = site[:-1] + "z"
    return "Fp" + site[2:] if site.startswith("FP") else site


def kind_of(name: str, file_kind: str = "eeg") -> str:
    """Return what a channel is, from its name and the kind the file gives it."""
    if file_kind == "stim":
        return "stim"
    if file_kind in {"eog", "ecg", "emg"}:
        return file_kind.upper()
    if file_kind not in {"eeg", "misc"}:
        return "not EEG"
    short = canonical(name)
    if _STIM.match(short):
        return "stim"
    for kind, pattern in _ASIDE:
        if pattern.search(short):
            return kind
    if file_kind == "misc":
        return "not EEG"
    return "eeg"


# Places of the 10-5 system (Oostenveld and Praamstra 2001), and electrodes beside it.
_PLACE = re.compile(r"(?:FP|[AFTCPOI]{1,4})(?:Z|\d{1,2})H?|N[Z12]|(?:PG|SP)\d")
# Electrodes that are numbered: E17, CH 3, EEG 021, LA7.
_NUMBERED = re.compile(r"(?:CH(?:ANNEL|AN)?|EEG(?: ?CHANNEL)?|EXG ?CHANNEL|[A-Z]{0,2}'?) ?\d{1,3}")
# With so many channels that are called by places, what is not called by one is no electrode.
_PLACES = 3


def among_others(channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
    """Return channels with the kinds that only all names together show.

    A1 and A2 are no ear lobes in a cap that numbers its electrodes, E1 and E2 no eyes in a net; and where electrodes
    are called by their places, a channel with any other name is no electrode.
    """
    channels = _numbered_caps(channels)
    placed = [_is_place(channel.name) for channel in channels if channel.kind == "eeg"]
    if sum(placed) < _PLACES:
        return channels
    return tuple(
        replace(channel, kind="not EEG")
        if channel.kind == "eeg" and not _is_place(channel.name) and not _NUMBERED.fullmatch(_plain(channel.name))
        else channel
        for channel in channels
    )


def _plain(name: str) -> str:
    return re.sub(r"[-_ :.]+", " ", name).strip().upper()


def _is_place(name: str) -> bool:
    """Return whether a channel is called by a place on the head, alone or against another."""
    plain = re.sub(r"^EEG\s*(?=.)", "", re.sub(r"['+*]", "", _plain(name))).replace("/", " ")
    return any(_PLACE.fullmatch(word) for word in plain.split())


def _numbered_caps(channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
    """BioSemi caps number their electrodes A1 to A32, B1 …: there A1 and A2 are no ear lobes, and P or C no places."""
    names = {channel.name.strip().upper() for channel in channels}
    if {"E1", "E2", "E3"} <= names:  # EGI's nets: E1 and E2 are no eyes
        channels = tuple(
            Channel(one.name, None, "eeg") if re.fullmatch(r"E\d{1,3}", one.name.strip().upper()) else one
            for one in channels
        )
    if not {f"A{i}" for i in range(1, 17)} <= names:
        return channels
    return tuple(
        Channel(channel.name, None, "eeg")
        if channel.name.strip().upper()[:1] in "ABCDEFGH" and channel.name.strip()[1:].isdigit()
        else channel
        for channel in channels
    )


_ROWS = {
    "FP": 0, "AFP": 0, "AF": 1, "F": 2, "FT": 3, "FC": 3, "T": 4, "C": 4, "TP": 5, "CP": 5, "P": 6, "PO": 7, "O": 8,
    "I": 9,
}  # fmt: skip
_GROUP_OF_ROW = (
    "frontal",
    "frontal",
    "frontal",
    "central",
    "central",
    "parietal",
    "parietal",
    "occipital",
    "occipital",
    "occipital",
)


def _split(site: str) -> tuple[str, int] | None:
    """Split a site into row letters and number (0 on the midline)."""
    match = re.match(r"^([A-Y]+?)(Z|[1-9]\d?)$", site)
    if match is None or match.group(1) not in _ROWS:
        return None
    return match.group(1), 0 if match.group(2) == "Z" else int(match.group(2))


def group_of(site: str | None) -> str | None:
    """Return the scalp group of a 10-10 site, or None where it is not known."""
    parts = _split(site) if site else None
    if parts is None:
        return None
    letters, number = parts
    if letters in {"FT", "T", "TP"} or (number >= 7 and _ROWS[letters] in {3, 4, 5}):
        return "temporal"
    return _GROUP_OF_ROW[_ROWS[letters]]


def position_of(site: str | None) -> tuple[float, float] | None:
    """Return where a 10-10 site lies on the head seen from above.

    Nose up, right ear right, the vertex in the middle, 90 degrees from it at radius 1 (the 10 % arcs of Oostenveld and
    Praamstra 2001, 10.1016/S1388-2457(00)00527-7, drawn flat). None where the site is not known.
    """
    parts = _split(site) if site else None
    if parts is None:
        return None
    letters, number = parts
    row = _ROWS[letters]
    middle = (0.0, 0.8 - 0.2 * row)
    if number == 0:
        return middle
    side = -1.0 if number % 2 else 1.0
    steps = (number + 1) // 2
    if letters in {"FP", "O", "I"}:
        angle = math.radians(90 - 18 if row == 0 else -90 + 18)
        radius = 1.0 if letters == "I" else 0.8
        return side * radius * math.cos(angle), radius * math.sin(angle)
    angle = math.radians(90 - 18 * (row + 1))
    end = 0.8 * math.cos(angle), 0.8 * math.sin(angle)
    share = steps / 4
    return side * end[0] * share, middle[1] + (end[1] - middle[1]) * share
