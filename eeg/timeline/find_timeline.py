"""Which piece played when: clicks, an events file, annotations, a stimulus channel, a session and an offset, the log.

These sources are tried in this order and never mixed; nothing is guessed. Times are seconds from the first stored
sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from eeg.errors import TimelineError
from eeg.io.recording import Annotation, Recording
from eeg.timeline.clicks import annotations_of, find_clicks, until_the_next
from eeg.timeline.events import coded_annotations, read_events, sidecar_of, stimulus_annotations
from eeg.timeline.hints import why_none
from eeg.timeline.known_pieces import MUSIC, SILENCE, Item, KnownPiece, KnownSession, Library
from eeg.timeline.labels import TOLERANCE_S, few, labels_of, read_labels, relabel, seams
from eeg.timeline.logged_plays import begin_of, heard_in, overlapping, session_of
from eeg.timeline.timeline import Timeline, moment


def find_timeline(
    recording: Recording,
    library: Library | None = None,
    *,
    events: str | Path | None = None,
    codes: Mapping[int, str] | None = None,
    session: str | None = None,
    offset_s: float | None = None,
    zone: tzinfo | None = None,
    labels: Mapping[str, str] | None = None,
    any_label: bool = False,
    clicks: str | None = None,
    edge_s: float = 1.0,
    baseline_max_s: float = 600.0,
) -> Timeline:
    """Find out which piece played when.

    Parameters
    ----------
    recording : Recording
    library : Library, optional
    events : path, optional
        A BIDS ``events.tsv``; `offset_s`, where given, is added to its onsets.
    codes : mapping of int to str, optional
        What the codes of the stimulus channel mean, e.g. ``{1: "piece/01J…"}``.
    session : str, optional
        Id of the session that was played.
    offset_s : float, optional
        When it began, seconds from the first stored sample; negative where the recording began later.
    zone : tzinfo, optional
        Time zone of the recorder's clock, for formats that do not say; by default this machine's.
    labels : mapping of str to str, optional
        Pieces by labels of one's own, e.g. ``{"songA": "01J…"}``.
    any_label : bool
        Take every label for the name of a piece: for scores without a library.
    clicks : str, optional
        A channel of the recording, or an audio file recorded with it, whose clicks mark pieces; with `session`, those
        of its parts, else they are ``click/1``, ``click/2``, … to `codes`, `labels` and `any_label`.
    edge_s, baseline_max_s : float
        As in `Settings`.

    Raises
    ------
    TimelineError
        Nothing says which piece played when; labels are unknown; items overlap or lie outside the recording.
    """
    library = library or Library()
    notes: list[str] = []
    if (labels or any_label) and clicks is None:
        recording = replace(recording, annotations=tuple(relabel(recording.annotations, labels, any_label=any_label)))
    rename = partial(relabel, labels=labels, any_label=any_label)
    found = (
        _find(recording, library, events, codes, session, offset_s, zone, notes, rename)
        if clicks is None
        else _from_clicks(recording, library, clicks, codes, session, offset_s, notes, rename)
    )
    if found is None:
        raise TimelineError(why_none(recording, library, session, zone))
    ids = found.sessions
    if session is not None and ids - {session}:
        where, named = events or recording.path, ", ".join(sorted(ids))
        raise TimelineError(f"{where} is marked as session {named}, not {session}: leave `session` out")
    _check_seams(recording, found)
    return _finish(recording, found, notes, edge_s, baseline_max_s)


class _Found(NamedTuple):
    """Items, their source in words, sessions, ends of plays without a known beginning, fixed timelines.

    A fixed timeline is the moment from which its times count, and its session.
    """

    items: list[Item]
    source: str
    sessions: set[str]
    lost: tuple[Annotation, ...] = ()
    fixed: tuple[tuple[float, str, list[Item]], ...] = ()


def _find(
    recording: Recording,
    library: Library,
    events: str | Path | None,
    codes: Mapping[int, str] | None,
    session: str | None,
    offset_s: float | None,
    zone: tzinfo | None,
    notes: list[str],
    rename: Callable[[Sequence[Annotation]], list[Annotation]],
) -> _Found | None:
    if events is None and (beside := sidecar_of(Path(recording.path))) is not None:
        annotations = rename(read_events(beside))
        found = _from_annotations(
            annotations, recording.sfreq, library, str(beside), f"events file {beside.name}", notes
        )
        if found is not None:
            return found
    if events is not None:
        shift = offset_s or 0.0
        annotations = [
            replace(annotation, onset_s=annotation.onset_s + shift) for annotation in rename(read_events(Path(events)))
        ]
        where = f"events file {Path(events).name}" + (f", shifted by {shift:g} s" if shift else "")
        found = _from_annotations(annotations, recording.sfreq, library, str(events), where, notes)
        if found is None:
            raise TimelineError(
                f"{events} names no piece/<id> or session/<id> in trial_type ({labels_of(annotations)})"
            )
        return found
    found = _from_annotations(
        recording.annotations, recording.sfreq, library, str(recording.path), "annotations", notes
    )
    if found is not None:
        if offset_s is not None:
            notes.append("the offset is not used: the annotations say when the pieces played")
        if codes:
            notes.append("codes are not used: the annotations say when the pieces played")
        return found
    if codes:
        annotations, others = coded_annotations(recording.annotations, codes)
        if not annotations:
            annotations, others = stimulus_annotations(recording, codes)
        if others:
            notes.append(f"codes that nobody named: {few(map(str, others), 12)}")
        found = _from_annotations(
            annotations, recording.sfreq, library, str(recording.path), "the stimulus channel", notes
        )
        if found is not None:
            return found
        raise TimelineError(f"{recording.path}: the codes given stand for no piece/<id> or session/<id>")
    if session is not None and offset_s is not None:
        known = session_of(session, library, "`session`")
        items = _shift(known, offset_s)
        source = f"session {known.id} at {offset_s:g} s"
        return _Found(items, source, {known.id}, fixed=((offset_s, known.id, items),))
    return _from_log(recording, library, session, zone, notes)


def _from_clicks(
    recording: Recording,
    library: Library,
    clicks: str,
    codes: Mapping[int, str] | None,
    session: str | None,
    offset_s: float | None,
    notes: list[str],
    rename: Callable[[Sequence[Annotation]], list[Annotation]],
) -> _Found:
    track = find_clicks(recording, clicks, offset_s, notes)
    known = None if session is None else session_of(session, library, "`session`")
    marks = rename(annotations_of(track, known, notes))
    if known is None and codes:
        marks, _ = coded_annotations(marks, codes)
    found = _from_annotations(
        marks, recording.sfreq, library, str(recording.path), f"the clicks in {track.name}", notes
    )
    if found is None:
        raise TimelineError(
            f"{recording.path}: nothing says what the {len(track.clicks)} clicks in {track.name} are: give `session` "
            "ID, or say it by `code` 1=piece/ID, or by `map` with the labels click/1, click/2, …"
        )
    sessions = found.sessions if known is None else {known.id}
    return found._replace(items=until_the_next(found.items, marks), sessions=sessions)


def _known_session(name: str, library: Library) -> KnownSession | None:
    return library.find_session(name) if library.find_session else None


def _shift(known: KnownSession, offset_s: float) -> list[Item]:
    return [replace(item, onset_s=item.onset_s + offset_s) for item in known.items]


def _from_annotations(
    annotations: Sequence[Annotation], sfreq: float, library: Library, where: str, source: str, notes: list[str]
) -> _Found | None:
    """Return the items that annotations name, or None where no annotation names a piece or a session."""
    labels = read_labels(annotations, sfreq)
    quiet = [Item(SILENCE, None, annotation.onset_s, annotation.duration_s) for annotation in labels.silences]
    if labels.pieces:
        heard = {known.id for name, _ in labels.sessions if (known := _known_session(name, library)) is not None}
        items = _resolve(labels.pieces, library, where, annotations) + quiet
        return _Found(items, f"{source} (piece/…)", heard, labels.lost)
    if not labels.sessions:
        return None
    fixed = []
    for name, annotation in labels.sessions:
        known = _known_session(name, library)
        if known is None:
            raise TimelineError(f"{where}: session/{name} is no known session ({labels_of(annotations)})")
        fixed.append((annotation.onset_s, known.id, _shift(known, annotation.onset_s)))
    if quiet:
        notes.append("silence marks are not used: the session's own timeline says where it is silent")
    items = [item for _, _, shifted in fixed for item in shifted]
    first, last = min(item.onset_s for item in items), max(item.end_s for item in items)
    lost = tuple(annotation for annotation in labels.lost if not first <= annotation.onset_s <= last)
    return _Found(items, f"{source} (session/…)", {name for _, name, _ in fixed}, lost, tuple(fixed))


def _resolve(
    pieces: Sequence[tuple[str, Annotation]], library: Library, where: str, annotations: Sequence[Annotation]
) -> list[Item]:
    items: list[Item] = []
    unknown: list[str] = []
    find = library.find_piece or KnownPiece
    by_name = {name: find(name) for name in dict.fromkeys(name for name, _ in pieces)}  # each is looked up once
    for name, annotation in pieces:
        known = by_name[name]
        if known is None:
            unknown.append(f"piece/{name}")
            continue
        duration = annotation.duration_s if annotation.duration_s > 0 else known.duration_s
        if not duration:
            raise TimelineError(
                f"{where}: piece/{name} at {moment(annotation.onset_s)} has no duration, and its length is not known: "
                "give an events file with durations"
            )
        items.append(Item(MUSIC, known.id, annotation.onset_s, duration))
    if unknown:
        raise TimelineError(
            f"{where} names unknown pieces ({few(unknown)}); {labels_of(annotations)}: "
            "use the database that generated them, or `any_label`, which stores nothing"
        )
    return items


def _from_log(
    recording: Recording, library: Library, session: str | None, zone: tzinfo | None, notes: list[str]
) -> _Found | None:
    """Match the play log with the recording's own date."""
    log = [play for play in library.play_log if session is None or play.session == session]
    begin = begin_of(recording, zone)
    if recording.meas_date is None or begin is None or not log:
        return None
    begin, matches, note = heard_in(log, library, recording, begin, zone)
    if not matches:
        if recording.clock == "local" and (
            others := overlapping(log, library, recording.meas_date, recording.duration_s)
        ):
            first = others[0][0]
            raise TimelineError(
                f"{recording.path} begins at {begin:%Y-%m-%d %H:%M:%S %z} by this machine's time zone, "
                "when no session played; "
                f"if its clock was UTC, give `session` {first.session} "
                f"`offset` {(first.started - recording.meas_date).total_seconds():.1f}"
            )
        return None
    if recording.clock == "local":
        notes.append(f"the recorder's clock is taken as {begin:%Z (UTC%z)}")
    notes += [note] if note else []
    fixed = []
    for play, known in matches:
        heard = replace(known, items=play.items) if play.items else known
        # The date is that of the first sample: from there on every second must be in the file.
        fixed.append((0.0, known.id, _shift(heard, (play.started.astimezone(UTC) - begin).total_seconds())))
    items = [item for _, _, shifted in fixed for item in shifted]
    ids = {known.id for _, known in matches}
    source = f"the play log and the recording's date ({begin:%Y-%m-%d %H:%M:%S %z})"
    return _Found(items, source, ids, fixed=tuple(fixed))


def _check_seams(recording: Recording, found: _Found) -> None:
    """Refuse a fixed timeline across a seam, where an unknown time may be missing."""
    for seam in seams(recording.annotations):
        for begin, session, items in found.fixed:
            end = max((item.end_s for item in items if item.role == MUSIC), default=begin)
            if begin < seam.onset_s < min(end, recording.duration_s):
                raise TimelineError(
                    f"{recording.path} was interrupted or cut at {moment(seam.onset_s)} ({seam.text.strip('/')}), so "
                    f"that the fixed timeline of session {session} does not hold behind it: give `events` FILE.tsv "
                    "with the onset of each piece in the recording"
                )


def _finish(recording: Recording, found: _Found, notes: list[str], edge_s: float, baseline_max_s: float) -> Timeline:
    """Order items, refuse overlaps, clip to the recording, and find the baseline."""
    items = sorted(found.items, key=lambda item: item.onset_s)
    for i, (one, two) in enumerate(pairwise(items)):
        if one.end_s <= two.onset_s:
            continue
        if one.end_s - two.onset_s > TOLERANCE_S:
            raise TimelineError(
                f"{recording.path}: {_name(one)} ({moment(one.onset_s)} to {moment(one.end_s)}) and {_name(two)} "
                f"(from {moment(two.onset_s)}) overlap: mend the events"
            )
        items[i] = replace(one, duration_s=two.onset_s - one.onset_s)
    length = recording.duration_s
    inside: list[Item] = []
    outside = 0
    for item in items:
        start, end = max(item.onset_s, 0.0), min(item.end_s, length)
        if end - start <= 0:
            outside += 1
            continue
        if item.role == MUSIC and (item.onset_s < -TOLERANCE_S or item.end_s > length + TOLERANCE_S):
            notes.append(
                f"{_name(item)} at {moment(item.onset_s)} is only partly in the recording: cut to what is there"
            )
        inside.append(replace(item, onset_s=start, duration_s=end - start))
    if outside:
        notes.append(f"{outside} of {len(items)} items lie outside the recording")
    if not any(item.role == MUSIC for item in inside):
        raise TimelineError(
            f"{recording.path} is {moment(length)} long and no play lies in it (timeline from {found.source}, "
            f"{moment(items[0].onset_s)} to {moment(items[-1].end_s)}): check `offset` or the events"
        )
    baseline = [item for item in inside if item.role == SILENCE]
    first, last = inside[0].onset_s, max(item.end_s for item in inside)
    # An end without a beginning: the piece may have played since the recording began, or since the previous item.
    lost = [end.onset_s for end in found.lost]
    begin = max([0.0, *(at for at in lost if at <= first + TOLERANCE_S)])
    end = max([last, *(at for at in lost if at > last)])
    for start, stop in (
        (max(edge_s, begin, first - baseline_max_s), first),
        (end, min(length - edge_s, end + baseline_max_s)),
    ):
        if stop - start > 0:
            baseline.append(Item(SILENCE, None, start, stop - start))
    if lost:
        notes.append(
            f"{few(f'{one.text} at {moment(one.onset_s)}' for one in found.lost)}: its beginning is not marked, so "
            "the time from the item before it is not taken as silence, nor scored; an events file can name the play"
        )
    baseline.sort(key=lambda item: item.onset_s)
    if not baseline:
        notes.append("there is no silence in the recording: values are against the mean of all plays")
    session = next(iter(found.sessions)) if len(found.sessions) == 1 else None
    return Timeline(tuple(inside), tuple(baseline), found.source, session, tuple(notes))


def _name(item: Item) -> str:
    return f"piece {item.piece}" if item.role == MUSIC else "silence"
