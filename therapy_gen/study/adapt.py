"""Adaptive sessions: each next piece is drawn from the posterior updated while it plays; and their sham control."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from therapy_gen.errors import InputError, TherapyGenError

if TYPE_CHECKING:
    from eeg.ranking.ranked_pieces import Ranking
    from sessions.records import ItemRecord, SessionRecord
    from sessions.storage.evidence import Evidence, HeardRecording
    from sessions.storage.store import Store


@dataclass(frozen=True)
class Decision:
    """Which piece was chosen next, and why.

    Attributes
    ----------
    slot : int
        Number of the piece in the play, from 0.
    piece : str
    why : str
        In words.
    measured : bool
        Whether plays of this recording took part in the choice.
    p_best : float or None
        Of the chosen piece, before it is played.
    mean_db, ci90_db : float or (float, float) or None
        Of the piece; None where it was never measured.
    """

    slot: int
    piece: str
    why: str
    measured: bool
    p_best: float | None = None
    mean_db: float | None = None
    ci90_db: tuple[float, float] | None = None


Choose = Callable[[int, str | None], Decision]


class Adaptive:
    """Chooses each next piece of a session by Thompson sampling from the listener's posterior, updated while it plays.

    The growing recording is scored by the listener's analysis plan, with the code that scores the finished file. Where
    it holds too little yet, the posterior of earlier recordings decides; without any, all pieces are equally likely.

    Parameters
    ----------
    store : Store
    session : SessionRecord
        Its pieces are the candidates; a piece never follows itself where there are others.
    recording : Path
        The file that grows.
    seed : int

    Raises
    ------
    InputError
        The session has no listener, or one piece only.
    """

    def __init__(self, store: Store, session: SessionRecord, recording: Path, *, seed: int) -> None:
        if session.listener is None:
            raise InputError(f"session {session.id} has no listener, whose posterior is to be updated; assign one")
        if len(session.pieces()) < 2:
            raise InputError(f"session {session.id} holds one piece; there is nothing to choose from")
        self._store, self._session, self._recording, self._seed = store, session, recording, seed

    def __call__(self, slot: int, last: str | None) -> Decision:
        """Return the piece for a slot, where `last` was played before."""
        import numpy as np

        from eeg.ranking.thompson import thompson

        candidates = [piece.id for piece in self._session.pieces() if piece.id != last]
        rng = np.random.default_rng([self._seed, slot])
        ranking, problem = self._ranking()
        if ranking is None:
            return Decision(slot, candidates[int(rng.integers(len(candidates)))], f"by chance: {problem}", False)
        piece = thompson(ranking, candidates, 1, explore=0.0, rng=rng)[0]
        known = next((one for one in ranking.pieces if one.piece == piece), None)
        measured = problem is None
        why = "drawn from the posterior" + ("" if measured else f" of earlier recordings: {problem}")
        if known is None:
            return Decision(slot, piece, f"{why}; never measured", measured)
        return Decision(slot, piece, why, measured, known.p_best, known.mean_db, known.ci90_db)

    def _ranking(self) -> tuple[Ranking | None, str | None]:
        """Return the posterior, and why this recording has no part in it where it has none."""
        from therapy_gen.study.posterior import posterior

        evidence = self._evidence()
        problem: str | None = None
        try:
            live = self._measured()
            evidence = replace(evidence, recordings=(*evidence.recordings, live))
        except TherapyGenError as error:
            problem = str(error)
        # The chosen piece is heard on the same day.
        ranking = posterior(evidence, other_days=False) if evidence.recordings or evidence.ratings else None
        return ranking, problem or (None if ranking is not None else "nothing was measured yet")

    def _evidence(self) -> Evidence:
        from sessions.storage.evidence import Evidence, evidence_of
        from therapy_gen.study.analysis_plan import plan_for

        listener = str(self._session.listener)
        try:
            return evidence_of(self._store, listener)
        except TherapyGenError:
            return Evidence(listener, plan_for(self._store, listener), (), ())

    def _measured(self) -> HeardRecording:
        """Score the recording as far as it goes."""
        from eeg.scoring import score_recording
        from sessions.storage.evidence import HeardPlay, HeardRecording
        from therapy_gen.study.analysis_plan import plan_for, settings_of
        from therapy_gen.study.scoring import known, to_store

        plan = plan_for(self._store, str(self._session.listener))
        score = score_recording(self._recording, known(self._store), settings=settings_of(plan))
        scored = to_store(self._store, score, self._session.id, plan)
        return HeardRecording(
            scored.sha256,
            scored.file,
            tuple(
                HeardPlay(
                    play.piece,
                    play.onset_s,
                    play.duration_s,
                    play.clean_s,
                    play.muscle_db,
                    {name: band.db for name, band in play.bands.items()},
                    tuple(play.flags),
                )
                for play in (*scored.plays, *scored.baseline)
            ),
        )


class Yoked:
    """Repeats the order of another play, whatever is measured: the sham control of `Adaptive`.

    Parameters
    ----------
    store : Store
    session : SessionRecord
    other : int
        The session whose last play is followed; it holds the same pieces.

    Raises
    ------
    InputError
        The other session was never played, or what was heard is not in this one.
    """

    def __init__(self, store: Store, session: SessionRecord, other: int) -> None:
        from sessions.storage.library import get_session
        from sessions.storage.play_log import list_plays

        get_session(store, other)
        plays = list_plays(store, other)
        if not plays:
            raise InputError(f"session {other} was never played; its order cannot be followed")
        heard = [stretch.piece for stretch in plays[-1].stretches if stretch.piece is not None]
        # A pause cuts a play in two.
        order = [piece for n, piece in enumerate(heard) if n == 0 or piece != heard[n - 1]]
        missing = set(order) - {piece.id for piece in session.pieces()}
        if missing:
            raise InputError(
                f"session {session.id} does not hold all pieces that session {other} played; make it of the "
                f"same pieces (`again` {other})"
            )
        self._other, self._order = other, order

    def __call__(self, slot: int, last: str | None) -> Decision:
        """Return the piece for a slot."""
        return Decision(slot, self._order[slot % len(self._order)], f"as session {self._other} was played", False)


class AdaptiveItems:
    """The items of a session in the order in which they are chosen while it plays.

    The next piece is chosen during the silence before it, or else when the piece before it has ended. Every decision is
    written to a file, one line each, before it is played.

    Parameters
    ----------
    session : SessionRecord
    choose : callable
        From slot and the piece before to a `Decision`: `Adaptive` or `Yoked`.
    log : Path
        File of JSON lines.
    """

    def __init__(self, session: SessionRecord, choose: Choose, log: Path) -> None:
        self._session, self._choose, self._log = session, choose, log
        self.decisions: list[Decision] = []

    def __iter__(self) -> Iterator[ItemRecord]:
        by_piece = {item.piece.id: item for item in self._session.items if item.piece is not None}
        last: str | None = None
        slot = 0
        waiting: Future[Decision] | None = None
        with ThreadPoolExecutor(1) as pool:
            for item in self._session.items:
                if item.piece is None:
                    waiting = pool.submit(self._choose, slot, last)
                    yield item
                    continue
                decision = waiting.result() if waiting is not None else self._choose(slot, last)
                waiting = None
                self._keep(decision)
                last = decision.piece
                slot += 1
                yield by_piece[decision.piece]

    def _keep(self, decision: Decision) -> None:
        self.decisions.append(decision)
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"session": self._session.id, **asdict(decision)}) + "\n")
