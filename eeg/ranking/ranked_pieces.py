"""A ranking of pieces, with its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from eeg.errors import ParameterError
from eeg.ranking.verdict import LEVEL

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PieceRank:
    """A piece in a ranking.

    Parameters
    ----------
    piece : str
    rank : int
        1 is best.
    expected_rank : float
        Mean of its rank over the posterior.
    mean_db, sd_db : float
        Posterior mean (shrunk towards the listener's mean) and SD, against silence.
    ci90_db : (float, float)
    p_best : float
        Probability that it is the best of all.
    plays : int
    clean_s : float
    ratings : int
    flags : tuple of str
        ``"only-rated"``, ``"one-play"``, ``"short"`` (under 60 s of clean data), ``"gamma-may-be-muscle"``.
    """

    piece: str
    rank: int
    expected_rank: float
    mean_db: float
    sd_db: float
    ci90_db: tuple[float, float]
    p_best: float
    plays: int
    clean_s: float
    ratings: int
    flags: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "piece": self.piece,
            "rank": self.rank,
            "expected_rank": round(self.expected_rank, 2),
            "mean_db": round(self.mean_db, 3),
            "sd_db": round(self.sd_db, 3),
            "ci90_db": [round(value, 3) for value in self.ci90_db],
            "p_best": round(self.p_best, 3),
            "plays": self.plays,
            "clean_s": round(self.clean_s, 1),
            "ratings": self.ratings,
            "flags": list(self.flags),
        }


@dataclass(frozen=True)
class RatedPiece:
    """A piece in the order in which ratings count as well.

    Parameters
    ----------
    piece : str
    rank : int
    expected_rank : float
    level_db : float
        Posterior mean where a point of a rating counts for `observations.RATING_DB`; no measurement of band power.
    p_best : float
    ratings : int
    """

    piece: str
    rank: int
    expected_rank: float
    level_db: float
    p_best: float
    ratings: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "piece": self.piece,
            "rank": self.rank,
            "expected_rank": round(self.expected_rank, 2),
            "level_db": round(self.level_db, 3),
            "p_best": round(self.p_best, 3),
            "ratings": self.ratings,
        }


@dataclass(frozen=True)
class WithRatings:
    """The pieces by plays and ratings together, best first: what the next session is drawn from.

    Parameters
    ----------
    pieces : tuple of RatedPiece
        Including those never played.
    draws : array, shape (n_draws, n_pieces)
    new_draws : array, shape (n_draws,)
    """

    pieces: tuple[RatedPiece, ...]
    draws: Float64 = field(repr=False, compare=False)
    new_draws: Float64 = field(repr=False, compare=False)


@dataclass(frozen=True)
class Ranking:
    """A listener's pieces by the plays alone, best first.

    Parameters
    ----------
    criterion : str
        ``"beta"``, ``"gamma"`` or ``"both"`` (their mean).
    lower_is_better : bool
        Declared by the user.
    reliable_order : bool
        Whether the data show that the pieces differ.
    reason : str
        Why, in one line.
    p_value : float
        Probability that equal pieces would look as different.
    pieces : tuple of PieceRank
    against_silence : bool
        Whether `mean_db` is against silence, or (without any) against the mean of all plays.
    tau_db, noise_db : float
        Posterior mean SD between pieces, and of a play with 60 clean seconds.
    day_db : (float, float)
        Posterior mean SD of the effects of music, and of a piece, that one day adds to those of all days; with one
        recording, the assumed value.
    muscle_slope : float
        dB in the band for one dB of muscle, taken out.
    recordings, plays, ratings : int
    draws : array, shape (n_draws, n_pieces)
        From the posterior, in the order of `pieces`.
    new_draws : array, shape (n_draws,)
        Draws for a piece never played.
    with_ratings : WithRatings or None
        What ratings add, where there are any.
    """

    criterion: str
    lower_is_better: bool
    reliable_order: bool
    reason: str
    p_value: float
    pieces: tuple[PieceRank, ...]
    against_silence: bool
    tau_db: float
    noise_db: float
    day_db: tuple[float, float]
    muscle_slope: float
    recordings: int
    plays: int
    ratings: int
    draws: Float64 = field(repr=False, compare=False)
    new_draws: Float64 = field(repr=False, compare=False)
    with_ratings: WithRatings | None = None

    def as_dict(self, *, with_ratings: bool = False) -> dict[str, Any]:
        """Return plain values for JSON; what ratings add only where asked for."""
        result = {
            "criterion": self.criterion,
            "lower_is_better": self.lower_is_better,
            "reliable_order": self.reliable_order,
            "reason": self.reason,
            "p_value": round(self.p_value, 4),
            "against_silence": self.against_silence,
            "tau_db": round(self.tau_db, 3),
            "noise_db": round(self.noise_db, 3),
            "music_by_recording_db": round(self.day_db[0], 3),
            "piece_by_recording_db": round(self.day_db[1], 3),
            "muscle_slope": round(self.muscle_slope, 3),
            "recordings": self.recordings,
            "plays": self.plays,
            "ratings": self.ratings,
            "pieces": [piece.as_dict() for piece in self.pieces],
        }
        if with_ratings and self.with_ratings is not None:
            result["with_ratings"] = [piece.as_dict() for piece in self.with_ratings.pieces]
        return result

    def difference(self, one: str, two: str) -> tuple[float, tuple[float, float]]:
        """Return the posterior mean and 90 % interval of piece `one` minus piece `two`, dB."""
        at = {piece.piece: i for i, piece in enumerate(self.pieces)}
        for name in (one, two):
            if name not in at:
                raise ParameterError(f"piece {name} is not in the ranking")
        values = self.draws[:, at[one]] - self.draws[:, at[two]]
        low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(values.mean()), (float(low), float(high))
