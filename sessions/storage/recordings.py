"""Scored recordings: stored with their plays, listed, and forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from sessions.errors import NotFoundError
from sessions.storage.evidence import RankFunction, rank_again
from sessions.storage.listeners import add_listener, find_listener, listener_name
from sessions.storage.store import Store
from sessions.storage.tables import (
    MAIN_PLAN,
    ListenerRow,
    PieceRow,
    PlayRow,
    PlayScoreRow,
    RatingRow,
    RecordingRow,
    SessionItemRow,
    SessionRow,
    now,
)
from sessions.studies.analysis_plans import AnalysisPlan, put_plan

# How far a play's onset may be from a session item's; recorders and people round.
_SAME_PLAY_S = 2.0


@dataclass(frozen=True)
class BandPower:
    """Power of one band during one play, dB against the recording's baseline.

    Attributes
    ----------
    db : float
    adjusted_db : float or None
        Above the aperiodic part.
    """

    db: float
    adjusted_db: float | None


@dataclass(frozen=True)
class ScoredPlay:
    """One time that a piece was heard in a recording, or a block of silence.

    Attributes
    ----------
    piece : str or None
        ULID; None for silence.
    onset_s, duration_s : float
        From the first stored sample.
    clean_s : float
        Seconds that were used.
    windows : int
    muscle_db : float or None
    bands : mapping of str to BandPower
        By name; a band with too little clean data is left out.
    flags : tuple of str
    """

    piece: str | None
    onset_s: float
    duration_s: float
    clean_s: float
    windows: int
    muscle_db: float | None
    bands: Mapping[str, BandPower]
    flags: tuple[str, ...]


@dataclass(frozen=True)
class ScoredRecording:
    """A recording to be stored.

    Attributes
    ----------
    sha256, file : str
    session : int or None
        The session that was heard.
    measured : datetime or None
        When it began; aware.
    criterion : str
        What the listener's pieces are ranked by, from now on.
    lower_is_better : bool
    plays, baseline : sequence of ScoredPlay
        The baseline in blocks.
    facts : mapping
        About the recording, plain values.
    parameters : mapping
        Of the scoring, plain values.
    plan : str
        Name of the analysis plan.
    former_sha256 : tuple of str
        Other digests that earlier versions gave the same files: what is stored by them is replaced.
    """

    sha256: str
    file: str
    session: int | None
    measured: datetime | None
    criterion: str
    lower_is_better: bool
    plays: Sequence[ScoredPlay]
    baseline: Sequence[ScoredPlay]
    facts: Mapping[str, Any]
    parameters: Mapping[str, Any]
    plan: str = MAIN_PLAN
    former_sha256: tuple[str, ...] = ()


def store_recordings(
    store: Store, recordings: Sequence[ScoredRecording], ranker: RankFunction | None, *, listener: str | None
) -> list[str]:
    """Store recordings of a listener in one transaction; then, with a `ranker`, rank the listener's pieces again.

    A recording that is stored already (the same digest) is replaced, even if it was another listener's; that listener's
    pieces are then ranked again, too.

    Returns
    -------
    list of str
        Digests of the recordings that were replaced.

    Raises
    ------
    NotFoundError
        Where a piece or session is not in the database (any more).
    """
    name = listener_name(listener) if listener is not None else None
    replaced = []
    with store.write() as database:
        owner = add_listener(database, name) if name is not None else None
        affected = {owner.id if owner else None}
        for recording in recordings:
            same = (recording.sha256, *recording.former_sha256)
            query = select(RecordingRow).where(RecordingRow.sha256.in_(same))
            for old in list(database.scalars(query)):
                same_plan = old.plan == recording.plan
                if old.listener_id == (owner.id if owner else None) and not same_plan:
                    continue  # the same recording under another plan
                replaced.append(recording.sha256)
                affected.add(old.listener_id)
                # Digest and plan are unique: the old row goes before the new one comes.
                database.execute(delete(RecordingRow).where(RecordingRow.id == old.id))
                database.expunge(old)
            if owner is not None:
                put_plan(database, owner.id, _plan_of(recording))
            _add(database, recording, owner)
    if ranker is not None:
        rank_again(store, affected, ranker)
    return replaced


def forget_recordings(
    store: Store, recordings: Sequence[tuple[str, str | None]], ranker: RankFunction
) -> list[str | None]:
    """Delete recordings and their plays in one transaction; then rank their listeners' pieces again.

    Parameters
    ----------
    store : Store
    recordings : sequence of (str, str or None)
        Absolute file name and digest of each; where the digest is not stored, the recordings stored under that name are
        meant. One may be named several times.
    ranker : RankFunction

    Returns
    -------
    list of (str or None)
        Their listeners, each once.

    Raises
    ------
    NotFoundError
        Where one of them is not stored; then none is deleted.
    """
    affected: dict[int | None, str | None] = {}
    with store.write() as database:
        found: dict[int, RecordingRow] = {}
        for file, digest in recordings:
            query = select(RecordingRow)
            rows = list(database.scalars(query.where(RecordingRow.sha256 == digest))) if digest else []
            rows = rows or list(database.scalars(query.where(RecordingRow.file == file)))
            if not rows:
                raise NotFoundError(f"{file} has no scores in the database, so that there is nothing to forget")
            found.update((row.id, row) for row in rows)
        for row in found.values():
            owner = database.get(ListenerRow, row.listener_id) if row.listener_id is not None else None
            affected[row.listener_id] = owner.name if owner else None
            database.execute(delete(RecordingRow).where(RecordingRow.id == row.id))
            database.expunge(row)
    rank_again(store, list(affected), ranker)
    return list(affected.values())


def _plan_of(recording: ScoredRecording) -> AnalysisPlan:
    return AnalysisPlan(recording.plan, recording.criterion, recording.lower_is_better, recording.parameters)


def _add(database: Session, recording: ScoredRecording, owner: ListenerRow | None) -> None:
    if recording.session is not None and database.get(SessionRow, recording.session) is None:
        raise NotFoundError(
            f"{recording.file}: session {recording.session} is not in the database; use the database that made it"
        )
    known = set(database.scalars(select(PieceRow.id).where(PieceRow.id.in_({play.piece for play in recording.plays}))))
    missing = [play.piece for play in recording.plays if play.piece not in known]
    if missing:
        raise NotFoundError(
            f"{recording.file}: piece {missing[0]} is not in the database; use the database that made it"
        )
    row = RecordingRow(
        sha256=recording.sha256,
        file=recording.file,
        listener_id=owner.id if owner else None,
        session_id=recording.session,
        measured=recording.measured,
        plan=recording.plan,
        facts={
            **recording.facts,
            "settings": dict(recording.parameters),
            "criterion": recording.criterion,
            "lower_is_better": recording.lower_is_better,
            "baseline": [_silence(block) for block in recording.baseline],
        },
        created=now(),
    )
    database.add(row)
    database.flush()
    items = _items(database, recording)
    plays = [
        PlayRow(
            recording_id=row.id,
            piece_id=play.piece,
            item_id=item,
            onset_s=play.onset_s,
            duration_s=play.duration_s,
            clean_s=play.clean_s,
        )
        for play, item in zip(recording.plays, items, strict=True)
    ]
    database.add_all(plays)
    database.flush()
    database.add_all(
        PlayScoreRow(
            play_id=play_row.id,
            band=band,
            db=power.db,
            adjusted_db=power.adjusted_db,
            muscle_db=play.muscle_db,
            windows=play.windows,
            parameters={**recording.parameters, "flags": list(play.flags)},
        )
        for play_row, play in zip(plays, recording.plays, strict=True)
        for band, power in play.bands.items()
    )


def _silence(block: ScoredPlay) -> dict[str, Any]:
    """Return a block of silence as `sessions.storage.evidence` reads it back."""
    return {
        "piece": None,
        "onset_s": block.onset_s,
        "duration_s": block.duration_s,
        "clean_s": block.clean_s,
        "muscle_db": block.muscle_db,
        "db": {band: power.db for band, power in block.bands.items()},
        "flags": list(block.flags),
    }


def _items(database: Session, recording: ScoredRecording) -> list[int | None]:
    """Return the session item of each play: the time offset that fits most plays decides."""
    if recording.session is None:
        return [None] * len(recording.plays)
    query = select(SessionItemRow).where(SessionItemRow.session_id == recording.session)
    items = [item for item in database.scalars(query) if item.piece_id is not None]
    offsets = Counter(
        round((play.onset_s - item.onset_s) / _SAME_PLAY_S)
        for play in recording.plays
        for item in items
        if item.piece_id == play.piece
    )
    if not offsets:
        return [None] * len(recording.plays)
    offset = offsets.most_common(1)[0][0] * _SAME_PLAY_S
    return [
        next(
            (
                item.id
                for item in items
                if item.piece_id == play.piece and abs(play.onset_s - item.onset_s - offset) <= _SAME_PLAY_S
            ),
            None,
        )
        for play in recording.plays
    ]


def listeners_with_evidence(store: Store) -> list[str | None]:
    """Return the listeners who have recordings or ratings, by name; None stands for no listener named."""
    with store.read() as database:
        ids = set(database.scalars(select(RecordingRow.listener_id).distinct()))
        ids |= set(
            database.scalars(
                select(SessionRow.listener_id).join(RatingRow, RatingRow.session_id == SessionRow.id).distinct()
            )
        )
        names = list(database.scalars(select(ListenerRow.name).where(ListenerRow.id.in_(ids - {None}))))
    found = sorted(names)
    return [None, *found] if None in ids else [*found]


def digests_of(store: Store, file: str) -> set[str]:
    """Return the digests of the recordings that are stored by a file's absolute name."""
    with store.read() as database:
        return set(database.scalars(select(RecordingRow.sha256).where(RecordingRow.file == file)))


def owners_of(store: Store, digests: Sequence[str]) -> set[str | None]:
    """Return the names of the listeners who have recordings of these digests; None stands for no listener."""
    query = (
        select(ListenerRow.name)
        .select_from(RecordingRow)
        .outerjoin(ListenerRow, ListenerRow.id == RecordingRow.listener_id)
    )
    with store.read() as database:
        return set(database.scalars(query.where(RecordingRow.sha256.in_(digests))))


@dataclass(frozen=True)
class PlayPower:
    """One play in a recording: seconds that were clean, and dB against the baseline by band."""

    piece: str
    onset_s: float
    clean_s: float
    db: dict[str, float]


@dataclass(frozen=True)
class RecordingPower:
    """A scored recording; `moment` is when it was measured or else scored."""

    file: str
    moment: datetime
    session: int | None
    plays: tuple[PlayPower, ...]


def recorded_power(store: Store, *, session: int | None = None, listener: str | None = None) -> list[RecordingPower]:
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
            plays: dict[int, PlayPower] = {}
            for play, band, db in database.execute(scores):
                entry = plays.setdefault(play.id, PlayPower(play.piece_id, play.onset_s, play.clean_s, {}))
                entry.db[band] = db
            # The file name alone: reports are shared, and should not show the folders of whoever made them.
            found.append(
                RecordingPower(
                    PurePath(row.file).name, row.measured or row.created, row.session_id, tuple(plays.values())
                )
            )
    return sorted(found, key=lambda one: one.moment)


def stored_plays(store: Store, digest: str, listener: str, plan: str) -> tuple[int, int, float] | None:
    """Return how many plays a recording scored by a plan has, how many are usable, and their clean seconds, or None."""
    query = (
        select(RecordingRow.id)
        .join(ListenerRow, ListenerRow.id == RecordingRow.listener_id)
        .where(RecordingRow.sha256 == digest, RecordingRow.plan == plan, ListenerRow.name == listener)
    )
    with store.read() as database:
        id_ = database.scalar(query)
        if id_ is None:
            return None
        plays = list(database.scalars(select(PlayRow).where(PlayRow.recording_id == id_)))
        scored = set(
            database.scalars(select(PlayScoreRow.play_id).where(PlayScoreRow.play_id.in_([p.id for p in plays])))
        )
        return len(plays), len(scored), sum(play.clean_s for play in plays if play.id in scored)
