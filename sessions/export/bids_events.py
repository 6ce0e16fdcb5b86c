"""A session's timeline as a BIDS events file, for the side that records EEG."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sessions.records import SessionRecord
from therapy_gen.text import spreadsheet_cell

# Columns: https://bids-specification.readthedocs.io/en/stable/modality-specific-files/task-events.html
_COLUMNS = ("onset", "duration", "trial_type", "position", "title")
SILENCE = "silence"


@dataclass(frozen=True)
class BidsEvent:
    """A stretch of sound or silence; seconds from the start of the session."""

    onset_s: float
    duration_s: float
    piece: str | None
    position: int
    title: str


def planned_events(session: SessionRecord) -> list[BidsEvent]:
    """Return what a session's timeline says is to be heard when."""
    return [
        BidsEvent(
            item.onset_s,
            item.duration_s,
            item.piece.id if item.piece else None,
            item.position,
            item.piece.title if item.piece else "Silence",
        )
        for item in session.items
    ]


def events_tsv(session: SessionRecord, title: str, events: Iterable[BidsEvent]) -> str:
    """Return the events as tab-separated values; the first row, with `title`, is the session's start, at 0."""
    rows = [("0.000", "n/a", f"session/{session.id}", "n/a", _cell(title))]
    rows += [
        (
            f"{event.onset_s:.3f}",
            f"{event.duration_s:.3f}",
            f"piece/{event.piece}" if event.piece else SILENCE,
            str(event.position),
            _cell(event.title),
        )
        for event in events
    ]
    return "".join("\t".join(row) + "\n" for row in (_COLUMNS, *rows))


def events_json(session: SessionRecord, *, version: str) -> str:
    """Return the sidecar that says what the columns of `events_tsv` mean."""
    levels = {f"session/{session.id}": "Start of the session: the audio file's first sample"}
    levels |= {f"piece/{piece.id}": f"The piece {_cell(piece.title)}" for piece in session.pieces()}
    if any(item.piece is None for item in session.items):
        levels[SILENCE] = "Nothing is played"
    document = {
        "onset": {"Description": "Start of the event, counted from the start of the session", "Units": "s"},
        "duration": {"Description": "Length of the event", "Units": "s"},
        "trial_type": {"LongName": "What is heard", "Description": "What is heard", "Levels": levels},
        "position": {"Description": "Place of the event on the session's timeline, from 0"},
        "title": {"Description": "Title of the piece"},
        "StimulusPresentation": {"SoftwareName": "therapy-gen", "SoftwareVersion": version},
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _cell(text: str) -> str:
    return spreadsheet_cell(" ".join("".join(c if c.isprintable() else " " for c in text).split())) or "n/a"
