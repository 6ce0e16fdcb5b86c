"""What the database knows of pieces and sessions, as the EEG package wants it; a score, as the database keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eeg.results import PlayScore, RecordingScore
    from eeg.timeline.library import KnownPiece, KnownSession, Library
    from sessions.storage.recordings import ScoredPlay, ScoredRecording
    from sessions.storage.store import Store

# Longer numbers are neither sessions nor codes; Python itself reads no more than 4300 digits.
_MOST_DIGITS = 18


def known(store: Store) -> Library:
    """Return the database's pieces, sessions and play log as the EEG package wants to know them."""
    from eeg.timeline.library import Item, KnownPiece, KnownSession, Library, LoggedPlay
    from sessions.errors import NotFoundError
    from sessions.storage.library import get_piece, get_session
    from sessions.storage.play_log import list_plays

    def find_piece(name: str) -> KnownPiece | None:
        try:
            piece = get_piece(store, name)
        except NotFoundError:
            return None
        return KnownPiece(piece.id, piece.duration_s)

    def find_session(name: str) -> KnownSession | None:
        if not is_number(name):
            return None
        try:
            record = get_session(store, int(name))
        except NotFoundError:
            return None
        return KnownSession(
            str(record.id),
            tuple(
                Item(item.role, item.piece.id if item.piece else None, item.onset_s, item.duration_s)
                for item in record.items
            ),
        )

    log = [
        LoggedPlay(
            str(play.session),
            play.started,
            tuple(Item(heard.role, heard.piece, heard.onset_s, heard.duration_s) for heard in play.stretches),
        )
        for play in list_plays(store)
        if play.stretches
    ]
    return Library(find_piece, find_session, log)


def to_store(score: RecordingScore, session: int | None, criterion: str, lower_is_better: bool) -> ScoredRecording:
    """Return a score as it is stored; `session` is what was said of it, where the file says nothing."""
    from sessions.storage.recordings import ScoredRecording

    facts = score.as_dict()
    for name in ("file", "sha256", "plays", "baseline", "settings", "session"):
        del facts[name]
    return ScoredRecording(
        sha256=score.sha256,
        file=str(Path(score.file).absolute()),
        session=int(score.session) if score.session is not None else session,
        measured=_moment(score.meas_date),
        criterion=criterion,
        lower_is_better=lower_is_better,
        plays=[_play(play) for play in score.plays],
        baseline=[_play(block) for block in score.baseline],
        facts=facts,
        parameters=dict(score.settings),
    )


def listener_of(store: Store, scores: Sequence[RecordingScore], session: int | None, given: str | None) -> str | None:
    """Return whose recordings these are: as said, or the sessions' listener, or whose they were when scored before."""
    from sessions.storage.library import get_session
    from sessions.storage.listeners import listener_name
    from sessions.storage.recordings import owners_of
    from therapy_gen.errors import InputError

    if given is not None:
        return listener_name(given)
    numbers = {int(score.session) if score.session is not None else session for score in scores}
    found = {None if number is None else get_session(store, number).listener for number in numbers}
    if found == {None}:
        found = owners_of(store, [score.sha256 for score in scores]) or found
    if len(found) > 1:
        raise InputError("the recordings are of different listeners; give --listener, or score them apart")
    return found.pop()


def _moment(text: str | None) -> datetime | None:
    """Return a date; where it names no time zone, the recorder's clock is taken as this machine's."""
    return None if text is None else datetime.fromisoformat(text).astimezone()


def _play(play: PlayScore) -> ScoredPlay:
    from eeg.settings import ASYMMETRY
    from sessions.storage.recordings import BandPower, ScoredPlay

    bands = {name: BandPower(band.db, band.adjusted_db) for name, band in play.bands.items() if band.db is not None}
    for name, band in play.bands.items():
        if band.asymmetry_db is not None and band.db is not None:
            bands[name + ASYMMETRY] = BandPower(band.asymmetry_db, None)
    return ScoredPlay(
        piece=play.piece,
        onset_s=play.onset_s,
        duration_s=play.duration_s,
        clean_s=play.clean_s,
        windows=play.windows_used,
        muscle_db=play.muscle_db,
        bands=bands,
        flags=play.flags,
    )


def is_number(text: str) -> bool:
    """Return whether a text is a whole number that a session or a code can have."""
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
