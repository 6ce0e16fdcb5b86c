"""Scores as a tidy table for statistics programs: one row for each play, group of channels and band, with units."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eeg.errors import MissingExtraError, ParameterError
from eeg.results import PlayScore, RecordingScore
from therapy_gen.files import atomic_write
from therapy_gen.text import spreadsheet_cell

GRAINS = ("play", "channel", "window")
SUFFIXES = (".csv", ".tsv", ".parquet")

# Every column with its unit (empty: none) and what it means.
_COLUMNS: dict[str, tuple[str, str]] = {
    "file": ("", "The recording, as given"),
    "sha256": ("", "Digest of the recording's files"),
    "session": ("", "The session that was heard; empty where that is not one"),
    "play": ("", "Number of the play, or of the block of silence, in the recording, from 1"),
    "role": ("", "music or silence"),
    "piece": ("", "Id of the piece; empty for silence"),
    "onset_s": ("s", "Beginning of the play (by window: of the window) from the first stored sample"),
    "duration_s": ("s", "Length of the play (by window: of the window)"),
    "clean_s": ("s", "Clean seconds of the play, mean over the channels scored"),
    "clean": ("1", "Share of the good channels that are clean in the window"),
    "group": ("", "Channels: all, or a group of the scalp"),
    "channel": ("", "Name of the electrode"),
    "band": ("", "Name of the band"),
    "low_hz": ("Hz", "Lower end of the band, as used"),
    "high_hz": ("Hz", "Upper end of the band, as used"),
    "db": ("dB", "Power against the recording's own baseline"),
    "adjusted_db": ("dB", "The same above the aperiodic part"),
    "uv2": ("uV^2", "Power, geometric mean over channels"),
    "asymmetry": ("1", "ln of power on the right minus ln on the left, frontal electrodes"),
    "asymmetry_db": ("dB", "The same against the baseline"),
    "muscle_db": ("dB", "Muscle index against the baseline; empty where there is none"),
    "slope_db": ("dB", "Log-log slope 7 to 45 Hz against the baseline, as dB at 60 against 20 Hz"),
    "line_db": ("dB", "Height of the line frequency over its surroundings"),
    "flags": ("", "What to know about the play, with blanks between"),
}
_ALWAYS = ("file", "sha256", "session", "play", "role", "piece", "onset_s", "duration_s")
_GRAIN_COLUMNS = {
    "play": (
        *_ALWAYS, "clean_s", "group", "band", "low_hz", "high_hz", "db", "adjusted_db", "uv2", "asymmetry",
        "asymmetry_db", "muscle_db", "slope_db", "line_db", "flags",
    ),
    "channel": (*_ALWAYS, "clean_s", "channel", "band", "low_hz", "high_hz", "db", "flags"),
    "window": (*_ALWAYS, "clean", "band", "low_hz", "high_hz", "db"),
}  # fmt: skip

Row = dict[str, Any]


def check_table(path: Path, by: str) -> None:
    """Refuse a table that cannot be written: its suffix, its grain, or pyarrow that is not there."""
    if by not in GRAINS:
        raise ParameterError(f"by {by!r} is not known: give {', '.join(GRAINS)}")
    if path.suffix.lower() not in SUFFIXES:
        raise ParameterError(f"table {path} is of no known kind: give a name that ends in {', '.join(SUFFIXES)}")
    if path.suffix.lower() == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise MissingExtraError("writing Parquet", "tables") from None


def rows(scores: Iterable[RecordingScore], by: str = "play") -> Iterator[Row]:
    """Yield the rows of a table.

    Parameters
    ----------
    scores : iterable of RecordingScore
    by : str
        ``"play"`` (a row for each play, group of channels and band), ``"channel"`` (each play, electrode and band) or
        ``"window"`` (each window of 2 s and band).
    """
    make = {"play": _by_play, "channel": _by_channel, "window": _by_window}[by]
    for score in scores:
        yield from make(score)


def write_table(path: Path, scores: Sequence[RecordingScore], by: str = "play") -> Path:
    """Write scores as a table, and beside it a data dictionary.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.tsv`` or ``.parquet``.
    scores : sequence of RecordingScore
    by : str
        As for `rows`.

    Returns
    -------
    Path
        The data dictionary: the table's name with ``.json``, every column with its description and units, and what the
        table was made with, in the way of BIDS.

    Raises
    ------
    ParameterError, MissingExtraError
        As `check_table`.
    """
    check_table(path, by)
    columns = _GRAIN_COLUMNS[by]
    table = list(rows(scores, by))
    if path.suffix.lower() == ".parquet":
        _write_parquet(path, columns, table)
    else:
        with atomic_write(path, private=True) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, delimiter="," if path.suffix.lower() == ".csv" else "\t")
            writer.writeheader()
            writer.writerows({name: _cell(value) for name, value in row.items()} for row in table)
    dictionary = path.with_suffix(".json")
    with atomic_write(dictionary, private=True) as part:
        part.write_text(json.dumps(_dictionary(columns, scores), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return dictionary


def _cell(value: Any) -> Any:
    """Return a value for a cell that no spreadsheet takes for a formula: channels and files may be called anything."""
    return spreadsheet_cell(value) if isinstance(value, str) else value


def _dictionary(columns: Sequence[str], scores: Sequence[RecordingScore]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name in columns:
        unit, text = _COLUMNS[name]
        made[name] = {"Description": text, "Units": unit} if unit else {"Description": text}
    if scores:
        made["GeneratedBy"] = [{"Name": name, "Version": version} for name, version in scores[0].versions.items()]
        made["Settings"] = scores[0].as_dict()["settings"]
        made["MuscleIndex"] = {Path(score.file).name: score.muscle_index for score in scores}
    return made


def _write_parquet(path: Path, columns: Sequence[str], table: Sequence[Row]) -> None:
    import pyarrow
    import pyarrow.parquet

    types = {
        name: pyarrow.int64() if name == "play" else pyarrow.float64() if _COLUMNS[name][0] else pyarrow.string()
        for name in columns
    }
    arrays = [pyarrow.array([row.get(name) for row in table], types[name]) for name in columns]
    with atomic_write(path, private=True) as part:
        pyarrow.parquet.write_table(pyarrow.table(arrays, names=list(columns)), part)


def _each(score: RecordingScore) -> Iterator[tuple[int, PlayScore, Row]]:
    """Yield plays, then silences, with the cells that all their rows share, and the number of the segment."""
    for i, play in enumerate((*score.plays, *score.baseline)):
        yield (
            i,
            play,
            {
                "file": Path(score.file).name,
                "sha256": score.sha256,
                "session": score.session,
                "play": i + 1 if play.role == "music" else i + 1 - len(score.plays),
                "role": play.role,
                "piece": play.piece,
                "onset_s": round(play.onset_s, 4),
                "duration_s": round(play.duration_s, 4),
            },
        )


def _limits(score: RecordingScore, band: str) -> Row:
    limits = score.bands[band]
    return {"band": band, "low_hz": limits[0] if limits else None, "high_hz": limits[1] if limits else None}


def _by_play(score: RecordingScore) -> Iterator[Row]:
    for _, play, base in _each(score):
        about = {
            "clean_s": round(play.clean_s, 3),
            "muscle_db": play.muscle_db,
            "slope_db": play.slope_db,
            "line_db": play.line_db,
            "flags": " ".join(play.flags),
        }
        for name, band in play.bands.items():
            whole = {"group": "all", "db": band.db, "adjusted_db": band.adjusted_db, "uv2": band.uv2}
            sides = {"asymmetry": band.asymmetry, "asymmetry_db": band.asymmetry_db}
            yield base | about | _limits(score, name) | whole | sides
            for group, values in play.groups.items():
                yield base | about | _limits(score, name) | {"group": group, "db": values[name]}


def _by_channel(score: RecordingScore) -> Iterator[Row]:
    for i, play, base in _each(score):
        about = {"clean_s": round(play.clean_s, 3), "flags": " ".join(play.flags)}
        for name, values in score.figures.segment_channel_db.items():
            for channel, value in zip(score.scored_channels, values[i], strict=True):
                yield base | about | _limits(score, name) | {"channel": channel, "db": _known(value)}


def _by_window(score: RecordingScore) -> Iterator[Row]:
    figures = score.figures
    for i, _, base in _each(score):
        for at in np.flatnonzero(figures.epoch_segment == i):
            when = {
                "onset_s": round(float(figures.epoch_s[at]) - figures.epoch_length_s / 2, 4),
                "duration_s": figures.epoch_length_s,
                "clean": round(float(figures.epoch_clean[at]), 4),
            }
            for name, values in figures.epoch_db.items():
                yield base | when | _limits(score, name) | {"db": _known(values[at])}


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
