"""The data that a listener's ranking is made from, and the stored ranking; a `RankFunction` does the ranking."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from sessions.errors import NotFoundError
from sessions.storage.listeners import find_listener
from sessions.storage.store import Store
from sessions.storage.tables import (
    MAIN_PLAN,
    ListenerRow,
    PlayRow,
    PlayScoreRow,
    RankingRow,
    RatingRow,
    RecordingRow,
    SessionRow,
    now,
)
from sessions.studies.analysis_plans import AnalysisPlan, plans_of, settings_differences

DEFAULT_CRITERION = "beta"


@dataclass(frozen=True)
class HeardPlay:
    """One play in a recording, or one block of silence (`piece` is None), with its scores; `db` by band."""

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
class StoredRating:
    """How much a piece was liked in a session, 1 to 5."""

    session: int
    piece: str
    value: int


@dataclass(frozen=True)
class Evidence:
    """All data on a listener's responses to pieces.

    Attributes
    ----------
    listener : str or None
    plan : AnalysisPlan
        By which the recordings were scored.
    recordings : tuple of HeardRecording
        Oldest first.
    ratings : tuple of StoredRating
    plans : tuple of AnalysisPlan
        All plans of the listener: how often the data were looked at.
    set_aside : tuple of (str, str)
        Recordings scored differently from the plan, which are not ranked: file and difference.
    versions : mapping of str to str
        Of the software that scored the newest recording.
    """

    listener: str | None
    plan: AnalysisPlan
    recordings: tuple[HeardRecording, ...]
    ratings: tuple[StoredRating, ...]
    plans: tuple[AnalysisPlan, ...] = ()
    set_aside: tuple[tuple[str, str], ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def criterion(self) -> str:
        """What pieces are ranked by, as declared."""
        return self.plan.criterion

    @property
    def lower_is_better(self) -> bool:
        """Its direction, as declared."""
        return self.plan.lower_is_better


@dataclass(frozen=True)
class RankedPiece:
    """A piece's place in a ranking, to be stored: its posterior under the criterion."""

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


RankFunction = Callable[[Evidence], StoredRanking | None]


def evidence_of(store: Store, listener: str | None, plan: str | None = None) -> Evidence:
    """Return a listener's evidence under one analysis plan, by default the main one.

    Raises
    ------
    NotFoundError
        Where there is no such listener, or the listener has no such plan.
    """
    with store.read() as database:
        owner = find_listener(database, listener) if listener is not None else None
        return _evidence(database, owner.id if owner else None, owner.name if owner else None, plan)


def rank_again(store: Store, listener_ids: Collection[int | None], ranker: RankFunction) -> None:
    """Replace listeners' stored rankings by those that `ranker` makes of their evidence.

    A ranking may take seconds: it is computed while no transaction is open, and again where the evidence has changed
    meanwhile.
    """
    for listener_id in listener_ids:
        while not _ranked(store, listener_id, ranker):
            pass


def _ranked(store: Store, listener_id: int | None, ranker: RankFunction) -> bool:
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
    """Return a value that changes whenever a listener's evidence does."""
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


def _evidence(database: Session, listener_id: int | None, name: str | None, plan_name: str | None = None) -> Evidence:
    query = select(RecordingRow).where(RecordingRow.listener_id == listener_id).order_by(RecordingRow.id)
    every = list(database.scalars(query))
    plans = plans_of(database, listener_id) if listener_id is not None else []
    chosen = _chosen(plans, every, plan_name)
    rows = [row for row in every if row.plan == chosen]
    plays = _plays(database, [row.id for row in rows])
    plan = next((one for one in plans if one.name == chosen), None) or _implied(chosen, rows)
    other = {row.id: settings_differences(plan.settings, row.facts.get("settings", {})) for row in rows}
    rated = (
        select(RatingRow.session_id, RatingRow.piece_id, RatingRow.value)
        .join(SessionRow, SessionRow.id == RatingRow.session_id)
        .where(SessionRow.listener_id == listener_id)
        .order_by(RatingRow.session_id, RatingRow.piece_id)
    )
    return Evidence(
        listener=name,
        plan=plan,
        recordings=tuple(
            HeardRecording(row.sha256, row.file, (*plays.get(row.id, ()), *_silences(row.facts)))
            for row in rows
            if not other[row.id]
        ),
        ratings=tuple(StoredRating(session, piece, value) for session, piece, value in database.execute(rated)),
        plans=tuple(plans) or (plan,),
        set_aside=tuple((row.file, other[row.id][0]) for row in rows if other[row.id]),
        versions=rows[-1].facts.get("versions", {}) if rows else {},
    )


def _chosen(plans: Sequence[AnalysisPlan], rows: Sequence[RecordingRow], name: str | None) -> str:
    known = list(dict.fromkeys([*(plan.name for plan in plans), *(row.plan for row in rows)]))
    if name is None:
        return MAIN_PLAN if MAIN_PLAN in known or not known else known[0]
    if name not in known:
        raise NotFoundError(f"there is no analysis plan {name!r}; give one of: {', '.join(known) or MAIN_PLAN}")
    return name


def _implied(name: str, rows: Sequence[RecordingRow]) -> AnalysisPlan:
    """Return the plan of recordings stored without one: the criterion declared with the newest."""
    facts = rows[-1].facts if rows else {}
    return AnalysisPlan(
        name, facts.get("criterion", DEFAULT_CRITERION), facts.get("lower_is_better", True), facts.get("settings", {})
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
