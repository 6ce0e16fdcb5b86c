"""When a recording began by its own clock, and which plays of the log were heard in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from eeg.errors import TimelineError
from eeg.io.recording import Recording
from eeg.timeline.known_pieces import KnownSession, Library, LoggedPlay

Matches = list[tuple[LoggedPlay, KnownSession]]


def begin_of(recording: Recording, zone: tzinfo | None, *, fold: int = 0) -> datetime | None:
    """Return when the first sample was taken; a clock of an unnamed zone is taken as in `timeline.find_timeline`.

    Parameters
    ----------
    recording : Recording
    zone : tzinfo or None
        None for this machine's.
    fold : int
        Which of the two hours, 0 or 1, where the clock was put back and showed one twice.
    """
    if recording.meas_date is None or recording.clock != "local":
        return recording.meas_date
    naive = recording.meas_date.replace(tzinfo=None, fold=fold)
    return naive.replace(tzinfo=zone) if zone is not None else naive.astimezone()


def heard_in(
    log: Sequence[LoggedPlay], library: Library, recording: Recording, begin: datetime, zone: tzinfo | None
) -> tuple[datetime, Matches, str | None]:
    """Match plays with a recording that began at `begin`, or an hour later where its clock showed that hour twice.

    Returns
    -------
    begin : datetime
        The later one where only that meets the log.
    matches : list of (LoggedPlay, KnownSession)
    note : str or None
        What was assumed.
    """
    matches = overlapping(log, library, begin, recording.duration_s)
    again = begin_of(recording, zone, fold=1)
    first_offset, second_offset = begin.utcoffset(), again.utcoffset() if again is not None else None
    # Where clocks are put forward, the hour that is left out has two offsets as well, the smaller one first.
    if again is None or first_offset is None or second_offset is None or second_offset >= first_offset:
        return begin, matches, None
    others = overlapping(log, library, again, recording.duration_s)
    if not others:
        return begin, matches, None
    if not matches:
        return again, others, None
    note = (
        f"the recorder's clock showed {begin:%Y-%m-%d %H:%M} twice that day, and both times a session played: the "
        "first is taken; a session with an offset says otherwise"
    )
    return begin, matches, note


def overlapping(log: Sequence[LoggedPlay], library: Library, begin: datetime, length_s: float) -> Matches:
    """Return the plays that were heard within some seconds from `begin` on, with their sessions."""
    # Within one zone, Python adds and compares what clocks show.
    begin = begin.astimezone(UTC)
    end = begin + timedelta(seconds=length_s)
    found = []
    for play in log:
        known = session_of(play.session, library, "the play log")
        duration_s = max((item.end_s for item in play.items), default=known.duration_s)
        if play.started < end and play.started + timedelta(seconds=duration_s) > begin:
            found.append((play, known))
    return found


def session_of(name: str, library: Library, where: str) -> KnownSession:
    """Return a session by its id, or refuse, saying `where` it is named."""
    known = library.find_session(name) if library.find_session else None
    if known is None:
        raise TimelineError(f"{where}: there is no session {name}: look at the list of sessions")
    return known
