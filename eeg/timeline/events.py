"""Marks from outside the annotations: a BIDS events file, and the codes of a stimulus channel."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from eeg.errors import TimelineError
from eeg.io.recording import Annotation, Recording

MAX_BYTES = 16 * 2**20
_MAX_ONSET_S = 30 * 86400.0
# A level held this long is the length of the play; a shorter one is a pulse that marks its start.
_HELD_S = 1.0


def read_events(path: Path) -> list[Annotation]:
    """Read a BIDS ``events.tsv`` (onset and duration in seconds, ``trial_type``).

    Raises
    ------
    TimelineError
        The file is missing, too large, no such table, or a value in it is no number.
    """
    rows = _table(path)
    header = [_bare(name).lower() for name in rows[0]]
    missing = [name for name in ("onset", "duration", "trial_type") if name not in header]
    if missing:
        raise TimelineError(
            f"{path} has no column {', '.join(missing)}: a BIDS events file has onset, duration, trial_type"
        )
    at = {name: header.index(name) for name in ("onset", "duration", "trial_type")}
    annotations = []
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) < len(header):
            raise TimelineError(f"{path}, line {number}: {len(row)} cells where the header has {len(header)}")
        onset = _seconds(_bare(row[at["onset"]]), path, number, "onset")
        duration = _bare(row[at["duration"]])
        length = 0.0 if duration.lower() == "n/a" else _seconds(duration, path, number, "duration")
        if length < 0:
            raise TimelineError(f"{path}, line {number}: duration {duration} is negative")
        annotations.append(Annotation(onset, length, _bare(row[at["trial_type"]])))
    return sorted(annotations, key=lambda annotation: annotation.onset_s)


def sidecar_of(path: Path) -> Path | None:
    """Return the BIDS events file beside a recording, ``…_events.tsv`` for ``…_eeg.edf``; None where there is none."""
    stem, found, _ = path.name.rpartition("_eeg.")
    beside = path.with_name(f"{stem}_events.tsv")
    return beside if found and beside.is_file() else None


def _table(path: Path) -> list[list[str]]:
    """Return the cells of a small text file with tabs."""
    try:
        if path.exists() and not path.is_file():
            raise TimelineError(f"{path} is a folder, a pipe or a device: save the table as a file first")
        if path.stat().st_size > MAX_BYTES:
            raise TimelineError(f"{path} is larger than {MAX_BYTES // 2**20} MiB: that is no such table")
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise TimelineError(f"{path} does not exist: check the name") from None
    except OSError as error:
        raise TimelineError(f"{path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise TimelineError(f"{path} is no text in UTF-8: save it as tab-separated text") from None
    # BIDS knows no quoting: a quotation mark is a character as any other, and every line is a row.
    return [line.split("\t") for line in re.split(r"\r\n|\r|\n", text)]


def read_labels_file(path: Path) -> dict[str, str]:
    """Read a table of labels (columns ``label`` and ``piece``, with tabs between).

    Raises
    ------
    TimelineError
        The file is missing, no such table, or names a label twice.
    """
    rows = _table(path)
    header = [_bare(name).lower() for name in rows[0]]
    # As BIDS calls it.
    header = ["label" if name == "trial_type" else name for name in header]
    if "label" not in header or "piece" not in header:
        raise TimelineError(f"{path} has no columns label and piece, with a tab between: write them in its first line")
    at = header.index("label"), header.index("piece")
    found: dict[str, str] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) <= max(at):
            raise TimelineError(f"{path}, line {number}: a label and a piece are needed, with a tab between")
        label, piece = (_bare(row[i]) for i in at)
        if not label or not piece or found.get(label, piece.removeprefix("piece/")) != piece.removeprefix("piece/"):
            raise TimelineError(f"{path}, line {number}: label {label!r} is empty, or is another piece above")
        found[label] = piece.removeprefix("piece/")
    return found


def _bare(cell: str) -> str:
    """Return a cell without spaces around it, and without the pair of quotation marks that some programs add."""
    cell = cell.strip()
    return cell[1:-1].strip() if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _seconds(text: str, path: Path, number: int, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or abs(value) > _MAX_ONSET_S:
        raise TimelineError(f"{path}, line {number}: {column} {text.strip()!r} is no number of seconds")
    return value


_NUMBER = re.compile(r"(?:^|[/\s#RST])\s*(\d{1,9})(?:\.0*)?\s*$")


def code_of(text: str) -> int | None:
    """Return the number that an annotation stands for: ``"1"``, ``"Stimulus/S  1"``, ``"Trigger#1"``; None without."""
    match = _NUMBER.search(text)
    return int(match.group(1)) if match else None


def coded_annotations(
    annotations: Iterable[Annotation], codes: Mapping[int, str]
) -> tuple[list[Annotation], list[int]]:
    """Return the annotations whose number has a label, with that label, and the numbers that have none."""
    found, others = [], set()
    for one in annotations:
        code = code_of(one.text)
        if code is None:
            continue
        if code in codes:
            found.append(replace(one, text=codes[code]))
        else:
            others.add(code)
    return found, sorted(others)


def stimulus_annotations(recording: Recording, codes: Mapping[int, str]) -> tuple[list[Annotation], list[int]]:
    """Turn the codes of the stimulus channel into annotations.

    Parameters
    ----------
    recording : Recording
    codes : mapping of int to str
        From a code to its label.

    Returns
    -------
    annotations : list of Annotation
        Only codes that have a label; a level held over a second gives the duration.
    others : list of int
        Codes found that have none.

    Raises
    ------
    TimelineError
        There is no stimulus channel, or none of its codes is among `codes`.
    """
    channels = [i for i, channel in enumerate(recording.channels) if channel.kind == "stim"]
    if not channels:
        channels = [
            i for i, c in enumerate(recording.channels) if c.name.strip().upper() in {"STATUS", "TRIGGER", "STI"}
        ]
    if not channels:
        names = [channel.name for channel in recording.channels]
        listed = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
        raise TimelineError(f"{recording.path} has no stimulus channel for the codes given (its channels: {listed})")
    step = max(int(60 * recording.sfreq), 1)
    seen: set[int] = set()
    annotations: list[Annotation] = []
    for channel in channels:
        edges: list[tuple[int, int]] = []
        last = 0
        for start in range(0, recording.n_samples, step):
            # BioSemi's Status channel keeps its own state above the 16 bits of the trigger.
            values = 0xFFFF & np.rint(
                recording.read(start, min(start + step, recording.n_samples), [channel])[0]
            ).astype(np.int64)
            changed = np.flatnonzero(np.diff(values, prepend=last))
            edges += [(start + int(i), int(values[i])) for i in changed]
            last = int(values[-1])
        ends = [at for at, _ in edges[1:]] + [recording.n_samples]
        seen.update(code for _, code in edges if code)
        for (at, code), end in zip(edges, ends, strict=True):
            if code in codes:
                held = (end - at) / recording.sfreq
                annotations.append(Annotation(at / recording.sfreq, held if held >= _HELD_S else 0.0, codes[code]))
    if not annotations:
        found = ", ".join(str(code) for code in sorted(seen)[:12]) or "none"
        raise TimelineError(
            f"{recording.path}: the stimulus channel holds none of the codes given (codes found: {found})"
        )
    return sorted(annotations, key=lambda annotation: annotation.onset_s), sorted(seen - codes.keys())
