"""One recording scored, stored and ranked in one call: what `score-eeg` and `rank` do, for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eeg.ranking.ranked_pieces import Ranking
    from eeg.results import RecordingScore
    from sessions.storage.store import Store


def score_and_store(
    store: Store,
    path: str | Path,
    *,
    listener: str | None = None,
    session: int | None = None,
    plan: str | None = None,
    given: Mapping[str, Any] | None = None,
    criterion: tuple[str, bool] | None = None,
    **timing: Any,
) -> RecordingScore:
    """Score a recording by the listener's analysis plan, store it, and rank the listener's pieces again.

    Parameters
    ----------
    store : Store
    path : str or Path
        A recording that `eeg.open_recording` reads.
    listener : str, optional
        Whose it is; by default the listener of the session that was heard, or the subject in a BIDS name.
    session : int, optional
        The session that was heard, where the recording does not say.
    plan : str, optional
        Name of the analysis plan; the main one by default.
    given : mapping, optional
        Parameters of `eeg.Settings` for the first recording of a plan.
    criterion : (str, bool), optional
        What to rank by and whether lower is better, for the first recording of a plan; lower beta by default.
    **timing
        Other arguments that say which piece played when: `events`, `codes`, `offset_s` of `eeg.score_recording`.

    Returns
    -------
    RecordingScore

    Raises
    ------
    InputError
        The recording cannot be read or scored, its listener is not known, or the request differs from the plan.

    Examples
    --------
    >>> from pathlib import Path
    >>> import sessions
    >>> import therapy_gen
    >>> from eeg.simulation.file import write_fif
    >>> from eeg.simulation.simulate import simulate
    >>> from eeg.timeline.known_pieces import Item
    >>> from therapy_gen import study
    >>> from therapy_gen.music.performance import Note, Part, Performance
    >>> notes = tuple(Note(2.0 * n, 2.0, 60, 50) for n in range(30))
    >>> music = Performance((Part("Piano", 0, notes, pedal=()),), 60, "", 60.0, "")
    >>> _ = Path("mine.mid").write_bytes(therapy_gen.to_midi(music, title="Mine"))
    >>> store = sessions.Store.open("therapy.db")
    >>> (mine,) = sessions.import_pieces(store, [Path("mine.mid")])
    >>> items = [Item("silence", None, 0.0, 90.0), Item("music", mine.piece.id, 90.0, 60.0)]
    >>> write_fif(simulate(items, sfreq=250.0, channels=4, seed=1), "rec.fif")
    >>> score = study.score_and_store(store, "rec.fif", listener="ana")
    >>> [play.piece == mine.piece.id for play in score.plays]
    [True]
    """
    from eeg.scoring import score_recording
    from sessions.storage.recordings import store_recordings
    from therapy_gen.study.analysis_plan import plan_for, settings_of
    from therapy_gen.study.posterior import Ranker
    from therapy_gen.study.scoring import known, listener_of, to_store

    path = Path(path)
    library = known(store)
    timing["session"] = None if session is None else str(session)
    who = listener_of(store, path, library, given=listener, **timing)
    chosen = plan_for(store, who, plan, given=given, criterion=criterion)
    score = score_recording(path, library, settings=settings_of(chosen), **timing)
    store_recordings(store, [to_store(store, score, session, chosen)], Ranker(), listener=who)
    return score


def rank_listener(store: Store, listener: str | None = None, *, plan: str | None = None) -> Ranking | None:
    """Return a listener's ranking from all stored recordings and ratings; None without enough clean data.

    Parameters
    ----------
    store : Store
    listener : str, optional
        By default the only one there is.
    plan : str, optional
        Name of the analysis plan; the main one by default.

    Raises
    ------
    InputError
        There is no such listener or plan, or no name was given and several could be meant.

    Examples
    --------
    >>> from pathlib import Path
    >>> import sessions
    >>> import therapy_gen
    >>> from eeg.simulation.file import write_fif
    >>> from eeg.simulation.simulate import simulate
    >>> from eeg.timeline.known_pieces import Item
    >>> from therapy_gen import study
    >>> from therapy_gen.music.performance import Note, Part, Performance
    >>> notes = tuple(Note(2.0 * n, 2.0, 60, 50) for n in range(30))
    >>> music = Performance((Part("Piano", 0, notes, pedal=()),), 60, "", 60.0, "")
    >>> _ = Path("mine.mid").write_bytes(therapy_gen.to_midi(music, title="Mine"))
    >>> store = sessions.Store.open("therapy.db")
    >>> (mine,) = sessions.import_pieces(store, [Path("mine.mid")])
    >>> items = [Item("silence", None, 0.0, 90.0), Item("music", mine.piece.id, 90.0, 60.0)]
    >>> write_fif(simulate(items, sfreq=250.0, channels=4, seed=1), "rec.fif")
    >>> _ = study.score_and_store(store, "rec.fif", listener="ana")
    >>> [(ranked.piece == mine.piece.id, ranked.plays) for ranked in study.rank_listener(store, "ana").pieces]
    [(True, 1)]
    """
    from therapy_gen.study.posterior import evidence_for, posterior

    return posterior(evidence_for(store, listener, plan))
