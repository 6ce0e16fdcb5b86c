"""The status of a study: recordings of each session and their quality, and who was left out why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessions.studies.studies import study_recordings

if TYPE_CHECKING:
    from sessions.storage.store import Store
    from sessions.studies.studies import StudyRecord


@dataclass(frozen=True)
class SessionStatus:
    """A session of a study and its recording.

    Parameters
    ----------
    participant : str
    number : int
        Which of theirs.
    session : int
        In the database.
    recorded : bool
    file : str
    channels, bad_channels : int
    plays, usable : int
        Of the recording; those with enough clean data.
    clean : float
        Share of the plays' time, 0 to 1.
    """

    participant: str
    number: int
    session: int
    recorded: bool = False
    file: str = ""
    channels: int = 0
    bad_channels: int = 0
    plays: int = 0
    usable: int = 0
    clean: float = 0.0

    def document(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**self.__dict__, "clean": round(self.clean, 3)}


@dataclass(frozen=True)
class Flow:
    """Participant flow: how many there are at each step, from planned to analysed."""

    participants: int
    sessions: int
    recorded_participants: int
    recordings: int
    plays: int
    usable_plays: int
    analysed_participants: int

    def steps(self) -> list[tuple[str, int, str]]:
        """Return each step in words, its number, and what was left out before it."""
        return [
            ("participants planned", self.participants, ""),
            ("sessions made", self.sessions, ""),
            (
                "participants with a recording",
                self.recorded_participants,
                _left(self.participants - self.recorded_participants, "without a recording"),
            ),
            ("recordings scored", self.recordings, _left(self.sessions - self.recordings, "sessions not recorded")),
            ("plays recorded", self.plays, ""),
            (
                "plays with enough clean data",
                self.usable_plays,
                _left(self.plays - self.usable_plays, "with under 30 s of clean data"),
            ),
            (
                "participants analysed",
                self.analysed_participants,
                _left(self.recorded_participants - self.analysed_participants, "without a usable play"),
            ),
        ]


def _left(number: int, why: str) -> str:
    return f"{number} {why}" if number > 0 else ""


def study_status(store: Store, study: StudyRecord) -> list[SessionStatus]:
    """Return every session of a study with its recording, as scored by the study's plan."""
    recordings = study_recordings(store, study.name)
    found = []
    for one in study.sessions:
        known = recordings.get((one.participant, one.id))
        status = SessionStatus(one.participant, one.number, one.id)
        found.append(status if known is None else SessionStatus(one.participant, one.number, one.id, **known))
    return found


def flow_of(study: StudyRecord, status: Sequence[SessionStatus]) -> Flow:
    """Return how many participants, recordings and plays reached each step."""
    recorded = [one for one in status if one.recorded]
    return Flow(
        participants=len({one.participant for one in study.sessions}),
        sessions=len(study.sessions),
        recorded_participants=len({one.participant for one in recorded}),
        recordings=len(recorded),
        plays=sum(one.plays for one in recorded),
        usable_plays=sum(one.usable for one in recorded),
        analysed_participants=len({one.participant for one in recorded if one.usable}),
    )
