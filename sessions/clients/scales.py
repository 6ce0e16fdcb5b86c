"""Scales for before and after a session: those that come along, and one's own from a file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sessions.errors import NotFoundError
from sessions.storage.client_tables import ScaleRow
from sessions.storage.store import Store
from therapy_gen.errors import InputError
from therapy_gen.files import read_input

_MAX_BYTES = 1_000_000
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_KEYS = {"name", "title", "low", "high", "ends", "source", "smallest_change", "change_source", "step"}


@dataclass(frozen=True)
class Scale:
    """A scale.

    Attributes
    ----------
    name : str
        Lower-case letters, digits and dashes.
    title : str
    low, high : float
        Its ends.
    ends : tuple of (str, str)
        What the low and the high end mean.
    source : str
        The publication it comes from.
    smallest_change : float or None
        The smallest change in one person that is more than noise, where the source states one.
    change_source : str
        The publication that states it; without it, what the literature says instead, as a sentence.
    step : float
        Between two values that can be given.
    """

    name: str
    title: str
    low: float
    high: float
    ends: tuple[str, str]
    source: str
    smallest_change: float | None = None
    change_source: str = ""
    step: float = 1.0

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InputError(f"scale name {self.name!r} is not made of lower-case letters, digits and dashes")
        if not self.low < self.high:
            raise InputError(f"scale {self.name}: its low end {self.low:g} is not below its high end {self.high:g}")
        if self.step <= 0:
            raise InputError(f"scale {self.name}: its step {self.step:g} is not above 0")

    def check(self, value: float) -> float:
        """Return a value of the scale; InputError where it is out of range."""
        if not self.low <= value <= self.high:
            raise InputError(f"{self.title}: {value:g} is out of range; give {self.low:g} to {self.high:g}")
        return value

    def change_note(self) -> str:
        """Say what change in one person is more than noise, as far as a source states it."""
        if self.smallest_change is None:
            none = "The source states no smallest change in one person that is more than noise."
            return f"{none} {self.change_source}".rstrip()
        where = self.change_source or self.source
        return f"In one person a change of less than {self.smallest_change:g} may be noise ({where})."

    def document(self) -> dict[str, Any]:
        """Return what `--json` says of it."""
        return {**asdict(self), "ends": list(self.ends)}


_VAS = "visual analogue scale, 0 to 100 (Aitken 1969, Proc. R. Soc. Med. 62:989)"
_SAM = "Self-Assessment Manikin, 1 to 9 (Bradley & Lang 1994, J. Behav. Ther. Exp. Psychiatry 25:49)"
# A difference between groups that patients notice, not the noise of one person's answers.
_VAS_CHANGE = (
    "For a like scale of anxiety, in patients, the smallest difference that matters is put at 10 to 15 "
    "(Williams, Morlock & Feltner 2010, Health Qual. Life Outcomes 8:57)."
)
_STAI_CHANGE = (
    "For the whole state scale of the STAI there is no agreement on a change that matters "
    "(Bradt, Dileo & Shim 2013, Cochrane Database Syst. Rev. CD006908)."
)
_PANAS = "I-PANAS-SF, sum of 5 items (Thompson 2007, J. Cross-Cult. Psychol. 38:227)"

SCALES: Mapping[str, Scale] = MappingProxyType(
    {
        scale.name: scale
        for scale in (
            Scale("vas-calm", "Calm (VAS)", 0, 100, ("not calm at all", "as calm as can be"), _VAS),
            Scale(
                "vas-tension",
                "Tension (VAS)",
                0,
                100,
                ("no tension", "as tense as can be"),
                _VAS,
                change_source=_VAS_CHANGE,
            ),
            Scale("sam-valence", "Pleasure (SAM)", 1, 9, ("unpleasant", "pleasant"), _SAM),
            Scale("sam-arousal", "Arousal (SAM)", 1, 9, ("calm", "excited"), _SAM),
            Scale("sam-dominance", "Control (SAM)", 1, 9, ("controlled", "in control"), _SAM),
            Scale(
                "stai-6",
                "State anxiety (STAI-6)",
                6,
                24,
                ("least anxious", "most anxious"),
                "six-item state scale of the STAI, sum of 6 items of 1 to 4, calm items reversed "
                "(Marteau & Bekker 1992, Br. J. Clin. Psychol. 31:301)",
                change_source=_STAI_CHANGE,
            ),
            Scale("panas-sf-positive", "Positive affect (PANAS-SF)", 5, 25, ("least", "most"), _PANAS),
            Scale("panas-sf-negative", "Negative affect (PANAS-SF)", 5, 25, ("least", "most"), _PANAS),
        )
    }
)
"""Scales that come along, by name."""


def read_scales(path: Path) -> list[Scale]:
    """Read scales from a TOML file: tables ``[[scale]]`` with name, title, low, high, ends and source.

    Raises
    ------
    InputError
        Where the file cannot be read or a scale is not valid.
    """
    try:
        document = tomllib.loads(read_input(path, _MAX_BYTES).decode("utf-8-sig"))
    except RecursionError as error:
        raise InputError(f"scale file {path} is nested too deep; give name, title, low and high of each") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"scale file {path} is not TOML: {error}") from error
    entries = document.get("scale")
    if not isinstance(entries, list) or not entries:
        raise InputError(f"scale file {path} holds no [[scale]]; give name, title, low and high of each")
    return [_scale(path, entry) for entry in entries]


def _scale(path: Path, entry: Any) -> Scale:
    if not isinstance(entry, dict):
        raise InputError(f"scale file {path}: a [[scale]] is a table of name, title, low and high")
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        raise InputError(f"scale file {path}: {unknown[0]!r} is not known; known are {', '.join(sorted(_KEYS))}")
    for key in ("name", "title", "low", "high"):
        if key not in entry:
            raise InputError(f"scale file {path}: a scale has no {key!r}")
    try:
        ends = entry.get("ends", ["low", "high"])
        change = entry.get("smallest_change")
        return Scale(
            name=str(entry["name"]),
            title=str(entry["title"]),
            low=float(entry["low"]),
            high=float(entry["high"]),
            ends=(str(ends[0]), str(ends[1])),
            source=str(entry.get("source", "own scale")),
            smallest_change=None if change is None else float(change),
            change_source=str(entry.get("change_source", "")),
            step=float(entry.get("step", 1.0)),
        )
    except (TypeError, ValueError, IndexError) as error:
        raise InputError(f"scale file {path}: scale {entry.get('name')!r} makes no sense: {error}") from error


def add_scales(store: Store, scales: list[Scale]) -> None:
    """Keep scales of one's own; one of the same name is replaced. Those that come along cannot be."""
    for scale in scales:
        if scale.name in SCALES:
            raise InputError(f"scale {scale.name} comes along and cannot be replaced; give yours another name")
    with store.write() as database:
        for scale in scales:
            row = database.get(ScaleRow, scale.name)
            if row is None:
                database.add(ScaleRow(name=scale.name, facts=scale.document()))
            else:
                row.facts = scale.document()


def known_scales(store: Store) -> dict[str, Scale]:
    """Return all scales by name: those that come along, then one's own."""
    from sqlalchemy import select

    with store.read() as database:
        rows = list(database.scalars(select(ScaleRow).order_by(ScaleRow.name)))
    own = {row.name: Scale(**{**row.facts, "ends": tuple(row.facts["ends"])}) for row in rows}
    return {**SCALES, **own}


def find_scale(store: Store, name: str) -> Scale:
    """Return a scale; NotFoundError where there is none of that name."""
    known = known_scales(store)
    found = known.get(name.strip().lower())
    if found is None:
        raise NotFoundError(f"scale {name!r} is not known; give one of: {', '.join(known)}, or a file of your own")
    return found
