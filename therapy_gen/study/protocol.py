"""A study as one TOML file: who takes part, what is played how often, and how it is analysed, before there are data."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from therapy_gen.errors import InputError
from therapy_gen.files import read_input

Result = TypeVar("Result")

_LABEL = re.compile(r"sub-[A-Za-z0-9]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")


@dataclass(frozen=True)
class Protocol:
    """The plan of a study, fixed beforehand.

    Parameters
    ----------
    name : str
        Letters, digits and hyphens; also the name of its analysis plan.
    participants : tuple of str
        BIDS labels, as ``"sub-01"``; listeners by that name.
    sessions : int
        Of each participant.
    repeats : int
        Plays of each piece in a session.
    pieces : int or tuple of str
        How many new pieces, or which of the library. All participants hear the same.
    play_s : float
        About how long a new piece is, seconds.
    gap_s, baseline_s : float
        Silence between two plays, and before and after the music, seconds.
    seed : int
        Of the new pieces and the orders.
    model, key : str
        Of the new pieces.
    audio : str
        Format of the sessions' sound; ``"none"`` makes none.
    criterion : str
    lower_is_better : bool
    settings : mapping
        Scoring parameters that differ from the defaults.
    """

    name: str
    participants: tuple[str, ...]
    sessions: int = 1
    repeats: int = 4
    pieces: int | tuple[str, ...] = 4
    play_s: float = 60.0
    gap_s: float = 8.0
    baseline_s: float = 90.0
    seed: int = 1
    model: str = "calm"
    key: str = "auto"
    audio: str = "flac"
    criterion: str = "beta"
    lower_is_better: bool = True
    settings: Mapping[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """Return plain values for JSON and for the database."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        plain["participants"] = list(self.participants)
        plain["pieces"] = self.pieces if isinstance(self.pieces, int) else list(self.pieces)
        plain["settings"] = dict(self.settings or {})
        return plain


# The table of the file that holds each value.
_TABLES = {
    "study": ("name", "participants", "seed"),
    "music": ("pieces", "play_s", "model", "key", "audio"),
    "design": ("sessions", "repeats", "gap_s", "baseline_s"),
    "analysis": ("criterion", "lower_is_better"),
}
# A plan is a page of text.
_MAX_BYTES = 1_000_000
_SWITCHES = ("ica", "muscle", "average_reference")
_ANALYSIS = ("beta", "gamma", "bands", "picks", "ica", "muscle", "overlap", "average_reference")


def read_protocol(path: Path) -> Protocol:
    """Read a study's plan.

    Raises
    ------
    InputError
        Where the file cannot be read, has unknown entries, or a value is out of range.
    """
    try:
        document = tomllib.loads(read_input(path, _MAX_BYTES).decode("utf-8-sig"))
    except RecursionError as error:
        raise InputError(f"{path} is nested too deep for a study's plan; see docs/studies.md for one") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML file ({error}); see docs/studies.md for one") from error
    values: dict[str, Any] = {}
    for table, content in document.items():
        if table not in _TABLES or not isinstance(content, dict):
            raise InputError(f"{path}: {table!r} is no table of a study's plan; it has {', '.join(_TABLES)}")
        for name, value in content.items():
            if name in _TABLES[table]:
                values[name] = value
            elif table == "analysis" and name in _ANALYSIS:
                values.setdefault("settings", {})[name] = _settings_value(path, name, value)
            else:
                known = (*_TABLES[table], *(_ANALYSIS if table == "analysis" else ()))
                raise InputError(f"{path}: {name!r} is not known in [{table}]; it has {', '.join(known)}")
    for name in ("name", "participants"):
        if name not in values:
            raise InputError(f"{path}: [study] has no {name}")
    return _checked(path, values)


def _settings_value(path: Path, name: str, value: Any) -> Any:
    from eeg.settings import parse_band

    if name in ("beta", "gamma"):
        return _named(path, partial(parse_band, str(value), name))
    if name == "bands":
        if not isinstance(value, dict):
            raise InputError(f'{path}: bands is no table; write it as bands = {{ alpha = "8-13" }}')
        return {band: _named(path, partial(parse_band, str(limits), band)) for band, limits in value.items()}
    if name == "picks":
        names = value if isinstance(value, list) else [value]
        if not names or not all(isinstance(one, str) and one.strip() for one in names):
            raise InputError(f'{path}: picks {value!r} is neither "all", "central" nor a list of channels, as ["C3"]')
        return tuple(names) if isinstance(value, list) else value
    if name in _SWITCHES and not isinstance(value, bool):
        raise InputError(f"{path}: {name} {value!r} is no true or false")
    if name == "overlap":
        _check(path, name, value, 0.0, 0.75, whole=False)
    return value


def _named(path: Path, read: Callable[[], Result]) -> Result:
    """Return what is read of a plan's file, whose name stands in its errors."""
    try:
        return read()
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _check_analysis(path: Path, protocol: Protocol) -> None:
    """Refuse what no recording could be scored or ranked by."""
    from eeg.settings import Settings
    from therapy_gen.study.analysis_plan import with_criterion

    _named(path, lambda: with_criterion(Settings(**(protocol.settings or {})), protocol.criterion))


def _checked(path: Path, values: dict[str, Any]) -> Protocol:
    people = values["participants"]
    if isinstance(people, int) and not isinstance(people, bool):
        _check(path, "participants", people, 1, 999)
        people = [f"sub-{number + 1:02d}" for number in range(people)]
    if not isinstance(people, list) or not people:
        raise InputError(f'{path}: participants is neither a number nor a list of labels; write it as 12 or ["sub-01"]')
    for place, one in enumerate(people):
        if not isinstance(one, str) or not _LABEL.fullmatch(one):
            raise InputError(
                f"{path}: {one!r} is no participant's label; write it as sub-01, in letters a to z and digits"
            )
        # Folders go by these labels, and some file systems tell no case apart.
        if one.lower() in (other.lower() for other in people[:place]):
            raise InputError(f"{path}: participants holds {one} twice")
    _check(path, "participants", len(people), 1, 999)
    pieces = values.get("pieces", Protocol.pieces)
    if isinstance(pieces, list) and all(isinstance(one, str) for one in pieces):
        pieces = tuple(pieces)
    elif not isinstance(pieces, int):
        raise InputError(f"{path}: pieces is neither a number nor a list of pieces' ids")
    if not isinstance(values["name"], str) or not _NAME.fullmatch(values["name"]):
        raise InputError(
            f"{path}: name {values['name']!r} is no name for a study; give up to 40 letters a to z, digits, hyphens"
        )
    _check(path, "pieces", pieces if isinstance(pieces, int) else len(pieces), 2, 12)
    limits = {"sessions": (1, 50), "repeats": (1, 20), "seed": (0, 2**63 - 1)}
    for name, (low, high) in limits.items():
        _check(path, name, values.get(name, getattr(Protocol, name)), low, high)
    for name, (least, most) in {"play_s": (60.0, 900.0), "gap_s": (1.0, 300.0), "baseline_s": (0.0, 1800.0)}.items():
        _check(path, name, values.get(name, getattr(Protocol, name)), least, most, whole=False)
    for name, kind in {"model": str, "key": str, "audio": str, "criterion": str, "lower_is_better": bool}.items():
        if not isinstance(values.get(name, getattr(Protocol, name)), kind):
            raise InputError(f"{path}: {name} {values[name]!r} is no {'text' if kind is str else 'true or false'}")
    protocol = Protocol(**{**values, "participants": tuple(people), "pieces": pieces})
    if protocol.audio != "none":
        from sessions.export.export import check_audio_format

        _named(path, lambda: check_audio_format(protocol.audio))
    _check_analysis(path, protocol)
    return protocol


def _check(path: Path, name: str, value: Any, low: float, high: float, *, whole: bool = True) -> None:
    number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        most = str(high) if whole else f"{high:g}"
        raise InputError(f"{path}: {name} {value!r} is out of range; give {low:g} to {most}")


def changes(stored: Mapping[str, Any], protocol: Protocol) -> list[str]:
    """Return how a plan differs from the stored study, which was fixed before there were data."""
    now = json.loads(json.dumps(protocol.document()))
    before = json.loads(json.dumps(dict(stored)))
    if isinstance(now["pieces"], int) and len(before.get("pieces", ())) == now["pieces"]:
        now["pieces"] = before["pieces"]  # the new ones
    elif isinstance(now["pieces"], list) and all(
        full.startswith(part.upper()) for full, part in zip(before.get("pieces", ()), now["pieces"], strict=False)
    ):
        now["pieces"] = before["pieces"]
    return [f"{name} was {before.get(name)}, is {value}" for name, value in now.items() if before.get(name) != value]
