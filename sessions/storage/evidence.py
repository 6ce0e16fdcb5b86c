"""What a listener's ranking is made from, and the ranking as it is stored; how to rank is told from outside."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from sessions.storage.listeners import find_listener
from sessions.storage.store import Store
from sessions.storage.tables import (
    ListenerRow,
    PlayRow,
    PlayScoreRow,
    RankingRow,
    RatingRow,
    RecordingRow,
    SessionRow,
    now,
)

DEFAULT_CRITERION = "beta"


@dataclass(frozen=True)
class HeardPlay:
    """One play in a recording, or one block of silence (`piece` is None), as it was scored; `db` by band."""

    piece: str | None
    onset_s: float
    duration_s: float
    clean_s: float
    muscle_db: float | None
    db: Mapping[str, float]
    flags: tuple[str, ...]


@dataclass(frozen=True)
class HeardRecording:
    """A stored recording: plays, then blocks of silence."""

    sha256: str
    file: str
    stretches: tuple[HeardPlay, ...]


@dataclass(frozen=True)
class Rating:
    """How much a piece was liked in a session, 1 to 5."""

    session: int
    piece: str
    value: int


@dataclass(frozen=True)
class Evidence:
    """All that is known of what a listener's pieces do.

    Attributes
    ----------
    listener : str or None
    criterion : str
        What was asked for when a recording was last scored.
    lower_is_better : bool
    recordings : tuple of HeardRecording
        Oldest first.
    ratings : tuple of Rating
    """

    listener: str | None
    criterion: str
    lower_is_better: bool
    recordings: tuple[HeardRecording, ...]
    ratings: tuple[Rating, ...]


@dataclass(frozen=True)
class RankedPiece:
    """Where a piece stands, to be stored: its posterior under the criterion."""

    piece: str
    mean_db: float
    sd_db: float
    p_best: float
    expected_rank: float
    plays: int
    clean_s: float


@dataclass(frozen=True)
class StoredRanking:
    """A listener's pieces, best first."""

    criterion: str
    pieces: tuple[RankedPiece, ...]


Ranker = Callable[[Evidence], StoredRanking | None]


def evidence_of(store: Store, listener: str | None) -> Evidence:
    """Return what is known of a listener's pieces; NotFoundError where there is no such listener."""
    with store.read() as database:
        owner = find_listener(database, listener) if listener is not None else None
        return _evidence(database, owner.id if owner else None, owner.name if owner else None)


def rank_again(store: Store, listener_ids: Collection[int | None], ranker: Ranker) -> None:
    """Put the rankings that `ranker` makes of listeners' evidence in place of those that are stored.

    The ranking, which may take seconds, is computed while no transaction is open; where the evidence has changed
    meanwhile, it is computed anew.
    """
    for listener_id in listener_ids:
        while not _ranked(store, listener_id, ranker):
            pass


def _ranked(store: Store, listener_id: int | None, ranker: Ranker) -> bool:
    """Rank once; return whether the evidence was still the same when the ranking was stored."""
    with store.read() as database:
        stamp = _stamp(database, listener_id)
        owner = database.get(ListenerRow, listener_id) if listener_id is not None else None
        evidence = _evidence(database, listener_id, owner.name if owner else None)
    made = ranker(evidence)
    with store.write() as database:
        if _stamp(database, listener_id) != stamp:
            return False
        database.execute(delete(RankingRow).where(RankingRow.listener_id == listener_id))
        if made is not None:
            database.add_all(_ranking_rows(made, listener_id))
    return True


def _stamp(database: Session, listener_id: int | None) -> tuple[Any, ...]:
    """Return what is different whenever a listener's evidence is."""
    recordings = (
        select(RecordingRow.id, RecordingRow.sha256, RecordingRow.created)
        .where(RecordingRow.listener_id == listener_id)
        .order_by(RecordingRow.id)
    )
    ratings = (
        select(RatingRow.session_id, RatingRow.piece_id, RatingRow.value)
        .join(SessionRow, SessionRow.id == RatingRow.session_id)
        .where(SessionRow.listener_id == listener_id)
        .order_by(RatingRow.session_id, RatingRow.piece_id)
    )
    return (
        tuple(tuple(row) for row in database.execute(recordings)),
        tuple(tuple(row) for row in database.execute(ratings)),
    )


def _ranking_rows(made: StoredRanking, listener_id: int | None) -> list[RankingRow]:
    moment = now()
    return [
        RankingRow(
            listener_id=listener_id,
            piece_id=piece.piece,
            criterion=made.criterion,
            mean_db=piece.mean_db,
            sd_db=piece.sd_db,
            p_best=piece.p_best,
            expected_rank=piece.expected_rank,
            plays=piece.plays,
            clean_s=piece.clean_s,
            created=moment,
        )
        for piece in made.pieces
    ]


def _evidence(database: Session, listener_id: int | None, name: str | None) -> Evidence:
    query = select(RecordingRow).where(RecordingRow.listener_id == listener_id).order_by(RecordingRow.id)
    rows = list(database.scalars(query))
    plays = _plays(database, [row.id for row in rows])
    newest = rows[-1].facts if rows else {}
    rated = (
        select(RatingRow.session_id, RatingRow.piece_id, RatingRow.value)
        .join(SessionRow, SessionRow.id == RatingRow.session_id)
        .where(SessionRow.listener_id == listener_id)
        .order_by(RatingRow.session_id, RatingRow.piece_id)
    )
    return Evidence(
        listener=name,
        criterion=newest.get("criterion", DEFAULT_CRITERION),
        lower_is_better=newest.get("lower_is_better", True),
        recordings=tuple(
            HeardRecording(row.sha256, row.file, (*plays.get(row.id, ()), *_silences(row.facts))) for row in rows
        ),
        ratings=tuple(Rating(session, piece, value) for session, piece, value in database.execute(rated)),
    )


def _plays(database: Session, recordings: Sequence[int]) -> dict[int, list[HeardPlay]]:
    query = (
        select(PlayRow, PlayScoreRow)
        .join(PlayScoreRow, PlayScoreRow.play_id == PlayRow.id)
        .where(PlayRow.recording_id.in_(recordings))
        .order_by(PlayRow.recording_id, PlayRow.onset_s, PlayScoreRow.band)
    )
    scored: dict[int, tuple[PlayRow, list[PlayScoreRow]]] = {}
    for play, score in database.execute(query):
        scored.setdefault(play.id, (play, []))[1].append(score)
    found: dict[int, list[HeardPlay]] = {}
    for play, scores in scored.values():
        found.setdefault(play.recording_id, []).append(
            HeardPlay(
                piece=play.piece_id,
                onset_s=play.onset_s,
                duration_s=play.duration_s,
                clean_s=play.clean_s,
                muscle_db=scores[0].muscle_db,
                db={score.band: score.db for score in scores},
                flags=tuple(scores[0].parameters.get("flags", ())),
            )
        )
    return found


def _silences(facts: Mapping[str, Any]) -> list[HeardPlay]:
    return [HeardPlay(**{**block, "flags": tuple(block["flags"])}) for block in facts.get("baseline", ())]
