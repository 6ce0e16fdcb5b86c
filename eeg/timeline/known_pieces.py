"""Knowledge from outside the recording: pieces, sessions with their timelines, and when sessions were played."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

MUSIC, SILENCE = "music", "silence"


@dataclass(frozen=True)
class Item:
    """A stretch of the timeline.

    Parameters
    ----------
    role : str
        ``"music"`` or ``"silence"``.
    piece : str or None
        The piece's id; None for silence.
    onset_s, duration_s : float
        Seconds, from the start of the session (`KnownSession`) or of the recording (`Timeline`).
    """

    role: str
    piece: str | None
    onset_s: float
    duration_s: float

    @property
    def end_s(self) -> float:
        """Where it ends, seconds."""
        return self.onset_s + self.duration_s


@dataclass(frozen=True)
class KnownSession:
    """A session as it was planned: a fixed timeline."""

    id: str
    items: tuple[Item, ...]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return max((item.end_s for item in self.items), default=0.0)


@dataclass(frozen=True)
class KnownPiece:
    """A piece of the library: its full id and its length in seconds."""

    id: str
    duration_s: float | None = None


@dataclass(frozen=True)
class LoggedPlay:
    """A play of a session.

    Parameters
    ----------
    session : str
    started : datetime
        Aware.
    items : tuple of Item
        What was heard when, from `started`; where there are none, the session's own timeline counts.
    """

    session: str
    started: datetime
    items: tuple[Item, ...] = ()


@dataclass(frozen=True)
class Library:
    """What is known about pieces and sessions, however the caller stores them.

    Parameters
    ----------
    find_piece : callable, optional
        From an id, or a unique beginning of one, to the piece; None where there is no such piece. Without it every id
        is accepted.
    find_session : callable, optional
        From an id to the session; None where there is no such session.
    play_log : sequence of LoggedPlay
        Every time that a session was played.
    """

    find_piece: Callable[[str], KnownPiece | None] | None = None
    find_session: Callable[[str], KnownSession | None] | None = None
    play_log: Sequence[LoggedPlay] = ()
