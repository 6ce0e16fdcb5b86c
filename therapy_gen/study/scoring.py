"""The database's pieces and sessions as the EEG package's `Library`; scores as rows of the database."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eeg.results import PlayScore, RecordingScore
    from eeg.timeline.known_pieces import KnownPiece, KnownSession, Library
    from sessions.storage.recordings import ScoredPlay, ScoredRecording
    from sessions.storage.store import Store
    from sessions.studies.analysis_plans import AnalysisPlan

# Longer numbers are neither sessions nor codes; Python itself reads no more than 4300 digits.
_MOST_DIGITS = 18


def known(store: Store) -> Library:
    """Return the database's pieces, sessions and play log as a `Library`."""
    from eeg.timeline.known_pieces import Item, KnownPiece, KnownSession, Library, LoggedPlay
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


def to_store(store: Store, score: RecordingScore, session: int | None, plan: AnalysisPlan) -> ScoredRecording:
    """Return a score as it is stored; `session` counts where the file does not name one."""
    from sessions.storage.recordings import ScoredRecording

    facts = score.as_dict()
    for name in ("file", "sha256", "plays", "baseline", "settings", "session"):
        del facts[name]
    return ScoredRecording(
        sha256=score.sha256,
        file=str(Path(score.file).absolute()),
        session=int(score.session) if score.session is not None else session,
        measured=_moment(score.meas_date),
        criterion=plan.criterion,
        lower_is_better=plan.lower_is_better,
        plan=plan.name,
        plays=[_play(play) for play in score.plays],
        baseline=[_play(block) for block in score.baseline],
        facts=facts,
        parameters=dict(score.settings),
        former_sha256=_former_digests(store, score),
    )


def _former_digests(store: Store, score: RecordingScore) -> tuple[str, ...]:
    """Return by which other digest earlier versions knew a recording: its first file twice, after a relative path."""
    from eeg.io.recording import open_recording
    from eeg.scoring import sha256_of
    from sessions.storage.recordings import digests_of

    others = digests_of(store, str(Path(score.file).absolute())) - {score.sha256}
    if not others:
        return ()
    with open_recording(Path(score.file)) as recording:
        doubled = sha256_of([recording.files[0], *recording.files])
    return (doubled,) if doubled in others else ()


def listener_of(
    store: Store,
    path: Path,
    library: Library,
    *,
    given: str | None = None,
    session: str | None = None,
    alone: bool = False,
    **timing: Any,
) -> str:
    """Return the listener of a recording; recordings without one are not pooled.

    Parameters
    ----------
    store : Store
    path : Path
    library : Library
        As `known` gives it.
    given : str, optional
        The listener that the user names.
    session : str, optional
        The session that the user names.
    alone : bool
        Whether no other recording is scored with it: then the only listener there is may be recognised by the pieces.
    **timing
        Other arguments that say which piece played when: see `eeg.scoring.plan_recording`.

    Returns
    -------
    str
        The one given; or the listener of the session that was heard; or the subject in the file's BIDS name
        (``sub-07``); or the listener it was scored for before.

    Raises
    ------
    InputError
        Where none of these is known.
    """
    from eeg.scoring import plan_recording
    from sessions.storage.library import get_session
    from sessions.storage.listeners import listener_name, only_listener_of
    from therapy_gen.errors import InputError

    if given is not None:
        return listener_name(given)
    timeline = None if session else plan_recording(path, library, session=session, **timing)
    heard = session or (timeline.session if timeline is not None else None)
    listener = get_session(store, int(heard)).listener if heard is not None else None
    listener = listener or bids_subject(path) or _owner_before(store, path)
    if listener is None and alone and timeline is not None:
        listener = only_listener_of(store, {play.piece for play in timeline.plays if play.piece})
    if listener is None:
        raise InputError(
            f"{path} does not tell whose recording it is, and recordings of several people must not be ranked "
            "together; give `listener` NAME"
        )
    return listener


def other_owners(store: Store, score: RecordingScore, listener: str) -> list[str]:
    """Return reasons to doubt that a recording belongs to a listener, one sentence each."""
    from sessions.storage.library import get_session
    from sessions.storage.recordings import owners_of

    found = []
    made_for = get_session(store, int(score.session)).listener if score.session is not None else None
    if made_for not in (None, listener):
        found.append(f"session {score.session} was made for {made_for}, and is taken as heard by {listener}, as asked")
    found += [
        f"scored as {before}'s before, and {listener}'s from now on"
        for before in owners_of(store, [score.sha256])
        if before not in (None, listener)
    ]
    return found


def bids_subject(path: Path) -> str | None:
    """Return the subject in a file's BIDS name: ``sub-07`` of ``sub-07_task-music_eeg.edf``.

    >>> bids_subject(Path("sub-07/eeg/sub-07_task-music_eeg.edf"))
    'sub-07'
    """
    found = re.match(r"(sub-[A-Za-z0-9]+)_", path.name)
    return found.group(1) if found else None


def _owner_before(store: Store, path: Path) -> str | None:
    from eeg.io.recording import open_recording
    from eeg.scoring import sha256_of
    from sessions.storage.recordings import owners_of

    with open_recording(path) as recording:
        owners = owners_of(store, [sha256_of(recording.files)])
    return owners.pop() if len(owners) == 1 else None


def missing_criterion(score: RecordingScore, plan: AnalysisPlan) -> str | None:
    """Return why no play of a recording can be ranked by what its plan declares; None where one can."""
    from eeg.bandpower.asymmetry import PAIRS
    from eeg.ranking.observations import combine
    from eeg.settings import ASYMMETRY
    from therapy_gen.text import criterion_text

    plays = [_play(play) for play in score.plays if play.piece is not None]
    if any(combine({name: band.db for name, band in play.bands.items()}, plan.criterion) is not None for play in plays):
        return None
    said = f"no play can be ranked by {criterion_text(plan.criterion)}"
    if plan.criterion.endswith(ASYMMETRY) and score.asymmetry_pair is None:
        pairs = ", ".join(f"{right} and {left}" for left, right in PAIRS)
        return f"{said}: it has no good pair of frontal electrodes ({pairs})"
    return f"{said}, which the recording does not carry"


def _moment(text: str | None) -> datetime | None:
    """Return a date; one without a time zone is taken as this machine's local time."""
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
