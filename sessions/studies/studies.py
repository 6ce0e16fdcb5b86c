"""Studies: their protocol, fixed beforehand, and their sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from sessions.errors import ConflictError, NotFoundError
from sessions.planning.plan import HeldPiece, PlannedItem, SessionPlan
from sessions.storage.listeners import add_listener
from sessions.storage.store import Store
from sessions.storage.tables import (
    MUSIC,
    SILENCE,
    ListenerRow,
    PlayRow,
    PlayScoreRow,
    RecordingRow,
    SessionItemRow,
    SessionRow,
    now,
)
from sessions.studies.study_tables import StudyRow, StudySessionRow


@dataclass(frozen=True)
class StudySession:
    """A session of a study: its number in the database, its listener, and its number among the listener's."""

    id: int
    participant: str
    number: int


@dataclass(frozen=True)
class StudyRecord:
    """A stored study.

    Attributes
    ----------
    name : str
    protocol : mapping
        Plain values.
    created : datetime
    sessions : tuple of StudySession
    """

    name: str
    protocol: Mapping[str, Any]
    created: datetime
    sessions: tuple[StudySession, ...]


@dataclass(frozen=True)
class NewStudySession:
    """A session to be stored: its listener, its number among theirs, and its rounds as indices of pieces."""

    participant: str
    number: int
    rounds: Sequence[Sequence[int]]


def add_study(
    store: Store,
    name: str,
    protocol: Mapping[str, Any],
    pieces: Sequence[HeldPiece],
    sessions: Sequence[NewStudySession],
    *,
    gap_s: float,
    baseline_s: float,
    seed: int,
) -> StudyRecord:
    """Store a study with all its sessions, in one transaction.

    Raises
    ------
    ConflictError
        Where there is a study of that name already.
    """
    with store.write() as database:
        if database.scalar(select(StudyRow.id).where(StudyRow.name == name)) is not None:
            raise ConflictError(f"there is a study {name!r} already; give this one another name")
        study = StudyRow(name=name, protocol=dict(protocol), created=now())
        database.add(study)
        database.flush()
        for one in sessions:
            plan = _lay_out(pieces, one.rounds, gap_s=gap_s, baseline_s=baseline_s)
            row = SessionRow(
                listener=add_listener(database, one.participant),
                arc="flat",
                seed=seed,
                duration_s=plan.duration_s,
                parameters={
                    "minutes": round(plan.duration_s / 60, 2),
                    "baseline_s": baseline_s,
                    "gap_s": gap_s,
                    "repeats": len(one.rounds),
                    "study": name,
                },
                created=now(),
                items=[
                    SessionItemRow(
                        position=position,
                        role=item.role,
                        piece_id=None if item.piece is None else pieces[item.piece].id,
                        onset_s=item.onset_s,
                        duration_s=item.duration_s,
                    )
                    for position, item in enumerate(plan.items)
                ],
            )
            database.add(row)
            database.flush()
            database.add(StudySessionRow(session_id=row.id, study_id=study.id, number=one.number))
    return get_study(store, name)


def _lay_out(
    pieces: Sequence[HeldPiece], rounds: Sequence[Sequence[int]], *, gap_s: float, baseline_s: float
) -> SessionPlan:
    """Return a timeline of rounds of pieces with silence between two plays, before and after."""
    order = [piece for one in rounds for piece in one]
    stretches: list[tuple[int | None, float]] = [(None, baseline_s)] if baseline_s else []
    for place, piece in enumerate(order):
        stretches += [(None, gap_s)] if place else []
        stretches.append((piece, pieces[piece].duration_s))
    stretches += [(None, baseline_s)] if baseline_s else []
    items, at = [], 0.0
    for number, seconds in stretches:
        items.append(PlannedItem(SILENCE if number is None else MUSIC, number, round(at, 3), round(seconds, 3)))
        at = round(at + round(seconds, 3), 3)
    return SessionPlan(tuple(pieces), tuple(items))


def get_study(store: Store, name: str) -> StudyRecord:
    """Return a study; NotFoundError where there is none of that name."""
    with store.read() as database:
        row = database.scalar(select(StudyRow).where(StudyRow.name == name))
        if row is None:
            known = ", ".join(database.scalars(select(StudyRow.name).order_by(StudyRow.id)))
            raise NotFoundError(
                f"there is no study {name!r}" + (f"; there are: {known}" if known else "; make it with `study new`")
            )
        found = database.execute(
            select(SessionRow.id, ListenerRow.name, StudySessionRow.number)
            .join(ListenerRow, ListenerRow.id == SessionRow.listener_id)
            .join(StudySessionRow, StudySessionRow.session_id == SessionRow.id)
            .where(StudySessionRow.study_id == row.id)
            .order_by(SessionRow.id)
        )
        sessions = tuple(StudySession(*one) for one in found)
        return StudyRecord(row.name, row.protocol, row.created, sessions)


def study_recordings(store: Store, plan: str) -> Mapping[tuple[str, int], dict[str, Any]]:
    """Return facts of the recordings scored by a plan, by listener and session."""
    scored = select(PlayScoreRow.play_id).distinct().scalar_subquery()
    query = (
        select(
            RecordingRow,
            ListenerRow.name,
            func.count(PlayRow.id),
            func.count(PlayRow.id).filter(PlayRow.id.in_(scored)),
            func.coalesce(func.sum(PlayRow.clean_s), 0.0),
            func.coalesce(func.sum(PlayRow.duration_s), 0.0),
        )
        .join(ListenerRow, ListenerRow.id == RecordingRow.listener_id)
        .outerjoin(PlayRow, PlayRow.recording_id == RecordingRow.id)
        .where(RecordingRow.plan == plan, RecordingRow.session_id.is_not(None))
        .group_by(RecordingRow.id, ListenerRow.name)
    )
    with store.read() as database:
        return {
            (name, row.session_id): {
                "recorded": True,
                "file": row.file,
                "channels": int(row.facts.get("channels", 0)),
                "bad_channels": len(row.facts.get("bad_channels", ())),
                "plays": plays,
                "usable": usable,
                "clean": clean / duration if duration else 0.0,
            }
            for row, name, plays, usable, clean, duration in database.execute(query)
            if row.session_id is not None
        }


def study_power(store: Store, plan: str) -> list[tuple[int, dict[str, Any], list[dict[str, Any]]]]:
    """Return what was scored by a plan: session, scoring parameters, and a row for each play and band."""
    recordings = select(RecordingRow).where(RecordingRow.plan == plan, RecordingRow.session_id.is_not(None))
    found = []
    with store.read() as database:
        for row in database.scalars(recordings.order_by(RecordingRow.id)):
            scores = database.execute(
                select(PlayRow, PlayScoreRow)
                .join(PlayScoreRow, PlayScoreRow.play_id == PlayRow.id)
                .where(PlayRow.recording_id == row.id)
                .order_by(PlayRow.onset_s, PlayScoreRow.band)
            )
            rows = [
                {
                    "onset": play.onset_s,
                    "duration": play.duration_s,
                    "trial_type": f"piece/{play.piece_id}",
                    "band": score.band,
                    "db": score.db,
                    "adjusted_db": score.adjusted_db,
                    "muscle_db": score.muscle_db,
                    "clean": play.clean_s,
                }
                for play, score in scores
            ]
            if row.session_id is not None:
                found.append((row.session_id, dict(row.facts.get("settings", {})), rows))
    return found
