"""EEG figures for reports: what recordings measured of each play, and means with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from sqlalchemy import select

from sessions.storage.listeners import find_listener
from sessions.storage.store import Store
from sessions.storage.tables import PlayRow, PlayScoreRow, RecordingRow

_COVERED = 0.9


@dataclass(frozen=True)
class PlayFigures:
    """One play in a recording: seconds that were clean, and dB against the baseline by band."""

    piece: str
    onset_s: float
    clean_s: float
    db: dict[str, float]


@dataclass(frozen=True)
class RecordingFigures:
    """A scored recording; `moment` is when it was measured or else scored."""

    file: str
    moment: datetime
    session: int | None
    plays: tuple[PlayFigures, ...]


def recorded(store: Store, *, session: int | None = None, listener: str | None = None) -> list[RecordingFigures]:
    """Return the scored recordings of a session or of a listener, by time."""
    with store.read() as database:
        query = select(RecordingRow)
        if session is not None:
            query = query.where(RecordingRow.session_id == session)
        if listener is not None:
            query = query.where(RecordingRow.listener_id == find_listener(database, listener).id)
        found = []
        for row in database.scalars(query.order_by(RecordingRow.id)):
            scores = (
                select(PlayRow, PlayScoreRow.band, PlayScoreRow.db)
                .join(PlayScoreRow, PlayScoreRow.play_id == PlayRow.id)
                .where(PlayRow.recording_id == row.id)
                .order_by(PlayRow.onset_s)
            )
            plays: dict[int, PlayFigures] = {}
            for play, band, db in database.execute(scores):
                made = plays.setdefault(play.id, PlayFigures(play.piece_id, play.onset_s, play.clean_s, {}))
                made.db[band] = db
            # The name alone: a report is handed on, the folders of its maker are not.
            found.append(
                RecordingFigures(
                    PurePath(row.file).name, row.measured or row.created, row.session_id, tuple(plays.values())
                )
            )
    return sorted(found, key=lambda one: one.moment)


def mean_interval(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """Return the mean of plays and its 90 % interval (Student's t over plays); no interval of fewer than two."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None, None
    from scipy.special import stdtrit

    sd = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    half = float(stdtrit(len(values) - 1, 0.5 + _COVERED / 2)) * sd / math.sqrt(len(values))
    return mean, mean - half, mean + half
