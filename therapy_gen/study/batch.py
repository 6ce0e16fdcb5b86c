"""Scoring many recordings, here or on a Dask cluster; failures are reported without stopping the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from therapy_gen.errors import TherapyGenError

if TYPE_CHECKING:
    from sessions.storage.store import Store
    from sessions.studies.analysis_plans import AnalysisPlan

SCORED, KNOWN, FAILED = "scored", "scored before", "failed"


@dataclass(frozen=True)
class ScoringJob:
    """A recording to be scored and stored.

    Parameters
    ----------
    path : str
        As the machine that scores it sees it.
    listener : str
    plan : AnalysisPlan
    session : int or None
        The session that was heard, where the file does not say.
    offset_s : float or None
        When it began, in seconds from the first sample.
    """

    path: str
    listener: str
    plan: AnalysisPlan
    session: int | None = None
    offset_s: float | None = None


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job: `SCORED`, `KNOWN` or `FAILED`; why, or what is missing; clean plays, and all."""

    path: str
    listener: str
    status: str
    reason: str = ""
    plays: int = 0
    usable: int = 0
    clean_s: float = 0.0


def _score_job(where: str, job: ScoringJob) -> Outcome:
    """Score one recording and store it in the database at `where`; one that was scored by this plan is left alone.

    It is stored in one transaction and known by its digest, so that a job may be stopped and repeated. The
    listener's ranking is left to `_rank_job`, once all recordings are scored.
    """
    from sessions.storage.store import Store

    return _outcome(Store.open(where), job)


def _outcome(store: Store, job: ScoringJob) -> Outcome:
    try:
        return _scored(store, job)
    except TherapyGenError as error:
        return Outcome(job.path, job.listener, FAILED, str(error))


def _scored(store: Store, job: ScoringJob) -> Outcome:
    from eeg.io.recording import open_recording
    from eeg.scoring import score_recording, sha256_of
    from sessions.storage.recordings import store_recordings, stored_plays
    from therapy_gen.study.analysis_plan import settings_of
    from therapy_gen.study.scoring import known, missing_criterion, to_store

    with open_recording(Path(job.path)) as recording:
        digest = sha256_of(recording.files)
    before = stored_plays(store, digest, job.listener, job.plan.name)
    if before is not None:
        return Outcome(job.path, job.listener, KNOWN, "", *before)
    settings = replace(settings_of(job.plan), threads=0)
    session = None if job.session is None else str(job.session)
    score = score_recording(job.path, known(store), session=session, offset_s=job.offset_s, settings=settings)
    store_recordings(store, [to_store(store, score, job.session, job.plan)], None, listener=job.listener)
    usable = [play for play in score.plays if "too-little-clean" not in play.flags]
    missing = missing_criterion(score, job.plan) or ""
    clean_s = sum(play.clean_s for play in usable)
    return Outcome(job.path, job.listener, SCORED, missing, len(score.plays), len(usable), clean_s)


def _rank_job(where: str, listener: str) -> None:
    """Rank a listener's pieces in the database at `where`."""
    from sessions.storage.store import Store

    _rank(Store.open(where), listener)


def _rank(store: Store, listener: str) -> None:
    from sessions.storage.evidence import rank_again
    from sessions.storage.listeners import find_listener
    from therapy_gen.study.posterior import Ranker

    with store.read() as database:
        number = find_listener(database, listener).id
    # A ranker keeps its rankings: a new one for each listener bounds memory.
    rank_again(store, [number], Ranker())


def run_jobs(
    where: str, jobs: Sequence[ScoringJob], *, cluster: str | None = None, done: Callable[[Outcome], None] | None = None
) -> list[Outcome]:
    """Score recordings and rank the pieces of their listeners, each once; one after the other, or on a cluster.

    Parameters
    ----------
    where : str
        Path or URL of the database, as the machines that score see it.
    jobs : sequence of ScoringJob
    cluster : str, optional
        Address of a Dask scheduler, or ``"local:N"`` for N worker processes here.
    done : callable, optional
        Called with every outcome.

    Returns
    -------
    list of Outcome
        In the order of the jobs.

    Raises
    ------
    InputError
        Where the cluster does not answer.
    MissingExtraError
        Dask is not installed.
    """
    tell = done or (lambda outcome: None)
    if cluster is None:
        from sessions.storage.store import Store

        found, store = [], Store.open(where)
        for job in jobs:
            found.append(_outcome(store, job))
            tell(found[-1])
        for listener in _to_rank(found):
            _rank(store, listener)
        return found
    from therapy_gen.study.cluster import as_they_end, connected, result_of, why_failed

    outcomes: dict[int, Outcome] = {}
    with connected(cluster) as client:
        # A worker that repeats a killed one's job finds what that had stored.
        for number, future in as_they_end(client, _score_job, [(where, job) for job in jobs]):
            if future.status == "finished":
                outcomes[number] = future.result()
            else:
                outcomes[number] = Outcome(jobs[number].path, jobs[number].listener, FAILED, why_failed(future))
            tell(outcomes[number])
        in_order = [outcomes[number] for number in range(len(jobs))]
        for _, future in as_they_end(client, _rank_job, [(where, listener) for listener in _to_rank(in_order)]):
            result_of(future)
    return in_order


def _to_rank(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the listeners with stored scores, each once."""
    return list(dict.fromkeys(one.listener for one in outcomes if one.status != FAILED))
