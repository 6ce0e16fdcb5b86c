"""Reading the options of `therapy-gen score-eeg`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from therapy_gen.cli.output import brief


def labels_in(path: Path | None) -> dict[str, str] | None:
    """Return the pieces that a table names for labels, or None without one."""
    if path is None:
        return None
    from eeg.timeline.events import read_labels_file

    return read_labels_file(path)


def criterion_of(lower: str | None, higher: str | None) -> tuple[str, bool] | None:
    """Return the declared criterion, and whether lower is better; None where none was declared."""
    if lower is not None and higher is not None:
        raise typer.BadParameter("--lower-is-better and --higher-is-better exclude each other")
    if lower is not None:
        return lower, True
    return None if higher is None else (higher, False)


def given_settings(
    picks: str | None, beta: str | None, gamma: str | None, bands: Sequence[str], ica: bool | None, muscle: bool | None
) -> dict[str, Any]:
    """Return the parameters of the scoring that were given; the analysis plan has the others."""
    from eeg.settings import parse_band, parse_named_band

    named = [parse_named_band(text) for text in bands]
    named += [(name, parse_band(text, name)) for name, text in (("beta", beta), ("gamma", gamma)) if text is not None]
    found: dict[str, tuple[float, float]] = {}
    for name, band in named:
        if found.setdefault(name, band) != band:
            raise typer.BadParameter(f"band {brief(name)!r} is given twice, with other limits; give it once")
    given: dict[str, Any] = {name: found.pop(name) for name in ("beta", "gamma") if name in found}
    if found:
        given["bands"] = found
    if picks is not None:
        names = tuple(name.strip() for name in picks.split(",") if name.strip())
        given["picks"] = names[0] if len(names) == 1 else names
    given |= {name: value for name, value in (("ica", ica), ("muscle", muscle)) if value is not None}
    return given


def recordings_at(places: Sequence[Path]) -> list[Path]:
    """Return recordings; folders are replaced by the recordings of their BIDS datasets."""
    from eeg.io.formats import formats
    from therapy_gen.study.recording_files import recordings_in

    folder_formats = tuple(suffix for one in formats() if one.folder for suffix in one.suffixes)
    found: list[Path] = []
    for place in places:
        inside = recordings_in([place]) if place.is_dir() and not place.name.lower().endswith(folder_formats) else []
        found += inside or [place]
    return found


def codes_of(pairs: Sequence[str]) -> dict[int, str]:
    """Return the labels of trigger codes, of texts such as ``1=piece/ID``."""
    from therapy_gen.study.scoring import is_number

    codes = {}
    for pair in pairs:
        number, equals, text = pair.partition("=")
        if not equals or not text.strip() or not is_number(number.strip()):
            raise typer.BadParameter(f"--code {brief(pair, 60)!r} is no code and label; write it as 1=piece/ID")
        codes[int(number)] = text.strip()
    return codes
