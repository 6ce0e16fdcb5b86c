"""Making a study: its pieces, all sessions with balanced orders, and the files that people need to run it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from therapy_gen.errors import InputError
from therapy_gen.study.analysis_plan import plan_for
from therapy_gen.study.orders import balanced_orders
from therapy_gen.study.protocol import Protocol

if TYPE_CHECKING:
    from sessions.records import PieceRecord
    from sessions.storage.store import Store
    from sessions.studies.analysis_plans import AnalysisPlan
    from sessions.studies.studies import StudyRecord, StudySession
    from therapy_gen.music.audio.render_cache import RenderCache
    from therapy_gen.musicvae.section_model import SectionModel

# Sessions tried until one holds the wanted number of pieces.
_TRIES = 12


def analysis_of(store: Store, protocol: Protocol, participant: str) -> AnalysisPlan:
    """Return the analysis plan that a study's protocol fixes."""
    given = protocol.settings or {}
    return plan_for(
        store, participant, protocol.name, given=given, criterion=(protocol.criterion, protocol.lower_is_better)
    )


def make_study(store: Store, model: SectionModel, protocol: Protocol) -> StudyRecord:
    """Make a study's pieces, where they are new, and all its sessions, and store them.

    Parameters
    ----------
    store : Store
    model : SectionModel
        Writes the new pieces.
    protocol : Protocol

    Raises
    ------
    InputError
        Where there is a study of that name, a piece is not in the library, or a value of the analysis is not valid.
    """
    from sessions.errors import NotFoundError
    from sessions.planning.placement import HeldPiece
    from sessions.studies.studies import NewStudySession, add_study, get_study

    try:
        get_study(store, protocol.name)
    except NotFoundError:
        pass
    else:
        raise InputError(f"there is a study {protocol.name!r} already; `study status` shows it")
    analysis_of(store, protocol, protocol.participants[0])
    pieces = _pieces(store, model, protocol)
    orders = balanced_orders(
        len(pieces), len(protocol.participants), protocol.sessions, protocol.repeats, protocol.seed
    )
    sessions = [
        NewStudySession(who, number + 1, rounds)
        for who, own in zip(protocol.participants, orders, strict=True)
        for number, rounds in enumerate(own)
    ]
    document = {**protocol.document(), "pieces": [piece.id for piece in pieces]}
    return add_study(
        store,
        protocol.name,
        document,
        [HeldPiece.of(piece) for piece in pieces],
        sessions,
        gap_s=protocol.gap_s,
        baseline_s=protocol.baseline_s,
        seed=protocol.seed,
    )


def _pieces(store: Store, model: SectionModel, protocol: Protocol) -> list[PieceRecord]:
    """Return the pieces of a study, those of the library or new ones."""
    from sessions.builder import new_session
    from sessions.errors import PlanError
    from sessions.planning.request import SessionRequest
    from sessions.storage.library import delete_session, get_piece

    if not isinstance(protocol.pieces, int):
        return [get_piece(store, prefix) for prefix in protocol.pieces]
    play_and_gap = protocol.play_s + protocol.gap_s
    for attempt in range(_TRIES):
        # The length of so many plays; further attempts are a little longer and shorter.
        more = (attempt + 1) // 2 * (1 if attempt % 2 else -1) * 0.15
        minutes = round((2 * protocol.pieces + more) * play_and_gap / 60, 2)
        key = None if protocol.key == "auto" else protocol.key
        try:
            request = SessionRequest(
                minutes, arc="flat", key=key, repeats=2, gap_s=protocol.gap_s, play_s=protocol.play_s
            )
            made = new_session(store, model, request, seed=protocol.seed)
        except PlanError as error:
            said = str(error)
            continue
        found = made.pieces()
        delete_session(store, made.id, with_pieces=len(found) != protocol.pieces)
        if len(found) == protocol.pieces:
            return found
        said = f"{len(found)} pieces fit"
    raise InputError(
        f"no {protocol.pieces} pieces of about {protocol.play_s:g} s can be laid out ({said}); give another play_s"
    )


def write_study(
    store: Store,
    study: StudyRecord,
    folder: Path,
    audio: str,
    advance: Callable[[float], None] | None = None,
    *,
    cluster: str | None = None,
) -> list[Path]:
    """Write the files to run a study with.

    Parameters
    ----------
    store : Store
    study : StudyRecord
    folder : Path
        Gets ``participants.tsv``, ``protocol.json``, ``orders.tsv``, and ``sub-…/ses-…`` with sound, cue sheet and
        events of each session.
    audio : str
        Format of the sound; ``"none"`` makes none.
    advance : callable, optional
        Called with seconds of sound done.
    cluster : str, optional
        Address of a Dask scheduler, or ``"local:N"``: sessions are written there. Database and folder must have the
        same names on all machines.

    Returns
    -------
    list of Path
        The files; existing ones are left as they are.
    """
    from sessions.storage.library import get_session
    from therapy_gen.files import write_bytes

    folder.mkdir(parents=True, exist_ok=True)
    rows = ["participant_id\tsession\torder"]
    for one in study.sessions:
        order = [item.piece.id for item in get_session(store, one.id).items if item.piece]
        rows.append(f"{one.participant}\t{one.number}\t{' '.join(order)}")
    written = _write_sessions(store, study.sessions, folder, audio, advance or (lambda seconds: None), cluster)
    people = dict.fromkeys(one.participant for one in study.sessions)
    plain: dict[str, Any] = {"name": study.name, "created": study.created.isoformat(), "protocol": study.protocol}
    for name, content in (
        ("participants.tsv", "participant_id\n" + "".join(f"{who}\n" for who in people)),
        ("orders.tsv", "\n".join(rows) + "\n"),
        ("protocol.json", json.dumps(plain, indent=2, ensure_ascii=False) + "\n"),
    ):
        if not (folder / name).exists():
            write_bytes(folder / name, content.encode(), private=True)
            written.append(folder / name)
    return written


def _write_sessions(
    store: Store,
    sessions: Sequence[StudySession],
    folder: Path,
    audio: str,
    advance: Callable[[float], None],
    cluster: str | None,
) -> list[Path]:
    """Write the files of all sessions, here or on a cluster, and return those that are new."""
    if cluster is None:
        cache = _new_cache()
        return [path for one in sessions for path in _write_session(store, one, folder, audio, advance, cache=cache)]
    from therapy_gen.study.cluster import as_they_end, connected, result_of

    where = store.url.render_as_string(hide_password=False)
    jobs = [(where, one, folder.absolute(), audio) for one in sessions]
    written: dict[int, list[Path]] = {}
    with connected(cluster) as client:
        for number, future in as_they_end(client, _write_there, jobs):
            paths, seconds = result_of(future)
            written[number] = [folder / path.relative_to(folder.absolute()) for path in paths]
            advance(seconds)
    return [path for number in range(len(jobs)) for path in written[number]]


def _write_there(where: str, one: StudySession, folder: Path, audio: str) -> tuple[list[Path], float]:
    """Write the files of one session on a worker; also return how long it is, in seconds."""
    from sessions.errors import ExportError
    from sessions.storage.library import get_session
    from sessions.storage.store import Store

    store = Store.open(where)
    cache = _workers_cache()
    try:
        written = _write_session(store, one, folder, audio, threads=0, cache=cache)
    except ExportError:
        # Meanwhile written by a worker that was thought to be gone: it holds the same, and is kept.
        written = _write_session(store, one, folder, audio, threads=0, cache=cache)
    return written, get_session(store, one.id).duration_s


def _new_cache() -> RenderCache:
    from therapy_gen.music.audio.render_cache import RenderCache

    return RenderCache()


@functools.cache
def _workers_cache() -> RenderCache:
    """Return where this process, a worker, keeps the pieces of a study from one session to the next."""
    return _new_cache()


def _write_session(
    store: Store,
    one: StudySession,
    folder: Path,
    audio: str,
    advance: Callable[[float], None] = lambda seconds: None,
    *,
    threads: int = 2,
    cache: RenderCache | None = None,
) -> list[Path]:
    """Write events, sound and cue sheet of one session of a study; existing files are left as they are.

    Parameters are those of `write_study`, threads that render ahead (none on workers, each of which has one core), and
    where rendered pieces are kept: all sessions of a study hold the same.
    """
    from sessions.export.audio import Sound
    from sessions.export.export import FileWriter, export_session
    from sessions.storage.library import get_session

    record = get_session(store, one.id)
    place = folder / one.participant / f"ses-{one.number}"
    place.mkdir(parents=True, exist_ok=True)
    stem = f"{one.participant}_ses-{one.number}_task-music"
    files = [(f"{stem}_events.tsv", "events")]
    if audio != "none":
        files.append((f"{stem}_stimulus.{audio}", audio))
    written = []
    for name, form in files:
        path = place / name
        # The cue sheet is written after the sound: where it is missing, the sound may be incomplete.
        if path.exists() and (form != audio or path.with_suffix(".cue").exists()):
            continue
        done = export_session(
            store,
            record,
            form,
            path,
            Sound(None, advance, threads=threads, cache=cache),
            writer=FileWriter(),
            cue=form == audio,
        )
        written += [file.path for file in done if not file.kept]
    return written
