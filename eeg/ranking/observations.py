"""The ranking's data: one observation for each play and each block of silence of scored recordings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eeg.errors import ParameterError
from eeg.results import RecordingScore

CRITERIA = ("beta", "gamma", "both")

# The value of one rating point, and the SD of one rating, in dB. This does not claim that liking and band power go
# together: it is a convention that lets both guide what is heard next; one rating weighs about a third of a play.
RATING_DB, _RATING_SD = 0.3, 0.6
# Stands for the recording of observations that are ratings.
_RATINGS = "ratings"


@dataclass(frozen=True)
class Observation:
    """One play, or one block of baseline.

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
    known_sd : float or None
        SD of its noise in dB where that is fixed (a rating); None: the model estimates it.
    """

    piece: str | None
    recording: str
    time_s: float
    value_db: float
    muscle_db: float | None
    clean_s: float
    known_sd: float | None = None


@dataclass(frozen=True)
class Rating:
    """How much a listener liked a piece, 1 (not at all) to 5 (very much)."""

    piece: str
    value: int


def rated(rating: Rating, *, lower_is_better: bool) -> Observation:
    """Return a rating as an observation: a small, noisy effect in the wanted direction."""
    if not 1 <= rating.value <= 5:
        raise ParameterError(f"rating {rating.value} of piece {rating.piece} is out of range: give 1 to 5")
    liked = RATING_DB * (rating.value - 3)
    return Observation(rating.piece, _RATINGS, 0.0, -liked if lower_is_better else liked, None, 60.0, _RATING_SD)


def observations(scores: Iterable[RecordingScore], criterion: str = "beta") -> list[Observation]:
    """Return what the ranking needs from scored recordings.

    Parameters
    ----------
    scores : iterable of RecordingScore
        Of one listener.
    criterion : str
        A band, or ``"both"``: the mean of beta and gamma.

    Examples
    --------
    >>> from eeg.simulation.file import write_fif
    >>> from eeg.simulation.simulate import Listener, simulate
    >>> from eeg.timeline.known_pieces import Item
    >>> items = [Item("silence", None, 0.0, 90.0), Item("music", "A", 90.0, 60.0), Item("music", "B", 150.0, 60.0)]
    >>> made = simulate(items, sfreq=250.0, channels=4, listener=Listener(effects={"A": (-2.0, 0.0)}), seed=1)
    >>> write_fif(made, "rec.fif")
    >>> import eeg
    >>> [plays.piece for plays in eeg.observations([eeg.score_recording("rec.fif")]) if plays.piece]
    ['A', 'B']
    """
    check_criterion(criterion)
    found = [
        observe(
            play.piece,
            score.sha256 or score.file,
            onset_s=play.onset_s,
            duration_s=play.duration_s,
            clean_s=play.clean_s,
            db={name: band.db for name, band in play.bands.items()},
            muscle_db=play.muscle_db,
            flags=play.flags,
            criterion=criterion,
        )
        for score in scores
        for play in (*score.plays, *score.baseline)
    ]
    return [one for one in found if one is not None]


def observe(
    piece: str | None,
    recording: str,
    *,
    onset_s: float,
    duration_s: float,
    clean_s: float,
    db: Mapping[str, float | None],
    muscle_db: float | None,
    flags: Sequence[str],
    criterion: str,
) -> Observation | None:
    """Return one play or block of baseline as an observation; None where it has too little clean data.

    Silence that is too short to be a baseline is too short to rank against as well.
    """
    value = combine(db, criterion)
    if value is None or "too-little-clean" in flags or clean_s <= 0:
        return None
    if piece is None and "no-silence-baseline" in flags:
        return None
    return Observation(piece, recording, onset_s + duration_s / 2, value, muscle_db, clean_s)


def combine(db: Mapping[str, float | None], criterion: str) -> float | None:
    """Return a criterion's value from the bands' values, dB; None where a band it needs is missing."""
    check_criterion(criterion)
    if criterion != "both":
        return db.get(criterion)
    beta, gamma = db.get("beta"), db.get("gamma")
    return None if beta is None or gamma is None else (beta + gamma) / 2


def check_criterion(criterion: str) -> None:
    """Refuse what cannot be the name of a band."""
    if not criterion or criterion != criterion.strip():
        raise ParameterError(f"criterion {criterion!r} is no band: give {', '.join(CRITERIA)} or a band that is scored")
