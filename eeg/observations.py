"""What the ranking sees of a scored recording: one observation for each play and each block of silence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from eeg.errors import ParameterError
from eeg.results import RecordingScore

CRITERIA = ("beta", "gamma", "both")


@dataclass(frozen=True)
class Observation:
    """One play, or one block of baseline, as the ranking sees it.

    Parameters
    ----------
    piece : str or None
        None: baseline.
    recording : str
        Which recording (its digest).
    time_s : float
        Its middle, seconds from the start of the recording.
    value_db : float
        The criterion against that recording's baseline.
    muscle_db : float or None
    clean_s : float
    """

    piece: str | None
    recording: str
    time_s: float
    value_db: float
    muscle_db: float | None
    clean_s: float


def observations(scores: Iterable[RecordingScore], criterion: str = "beta") -> list[Observation]:
    """Return what the ranking needs from scored recordings.

    Parameters
    ----------
    scores : iterable of RecordingScore
        Of one listener.
    criterion : str
        ``"beta"``, ``"gamma"`` or ``"both"``.
    """
    check_criterion(criterion)
    found = []
    for score in scores:
        for play in (*score.plays, *score.baseline):
            value = combine(play.beta_db, play.gamma_db, criterion)
            if value is None or "too-little-clean" in play.flags or play.clean_s <= 0:
                continue
            middle = play.onset_s + play.duration_s / 2
            found.append(
                Observation(play.piece, score.sha256 or score.file, middle, value, play.muscle_db, play.clean_s)
            )
    return found


def combine(beta_db: float | None, gamma_db: float | None, criterion: str) -> float | None:
    """Return the value of a criterion from the two bands; None where a band it needs is missing."""
    check_criterion(criterion)
    if criterion == "beta":
        return beta_db
    if criterion == "gamma":
        return gamma_db
    return None if beta_db is None or gamma_db is None else (beta_db + gamma_db) / 2


def check_criterion(criterion: str) -> None:
    """Refuse a criterion that is not known."""
    if criterion not in CRITERIA:
        raise ParameterError(f"criterion {criterion!r} is not known: give {', '.join(CRITERIA)}")
