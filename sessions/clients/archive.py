"""All that is kept of one person as a zip file: JSON, CSV, MIDI and sound, readable without this program."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from sessions.clients.diary import list_measures, list_notes, marked_pieces
from sessions.clients.scales import known_scales
from sessions.export_paths import atomic_write, check_file_target
from sessions.storage.library import find_pieces, get_session, list_sessions, music_of
from sessions.storage.listeners import list_listeners
from sessions.storage.pieces import brought_by
from sessions.storage.play_log import list_plays
from sessions.storage.store import Store
from sessions.storage.tables import ListenerRow, PlayRow, PlayScoreRow, RankingRow, RecordingRow
from therapy_gen.music.audio.files.kind import suffix_of
from therapy_gen.text import spreadsheet_cell

# Bytes do not depend on when an archive is written.
_WRITTEN = (1980, 1, 1, 0, 0, 0)

_README = """What is kept of one listener by therapy-gen.

listener.json    all of it, as one document
*.csv            the same as tables, UTF-8 with a head line; times are UTC, lengths and moments seconds
pieces/*         the pieces of the sessions as Standard MIDI Files, named by their ids; recorded ones as sound

sessions.csv     one line a session
items.csv        what a session holds: pieces and silences, in order
ratings.csv      1 (not at all) to 5 (very much)
plays.csv        what was heard, and when: onset is from the start of the play
measures.csv     scales before and after a session; scales.csv says what they are
notes.csv        what was written about sessions
marks.csv        pieces that are never to come back, and favourites
recordings.csv   EEG recordings that were scored; the recordings themselves are not kept
scores.csv       band power of each play in dB against silence
ranking.csv      where pieces stand; figures of pieces with no plays come from ratings alone
"""

Rows = list[dict[str, Any]]


def export_listener(store: Store, name: str, path: Path) -> dict[str, int]:
    """Write all that is kept of a listener as a zip file, whole or not at all; return the lines of each table.

    Raises
    ------
    NotFoundError
        Where there is no such listener.
    ExportError
        Where the file cannot be written.
    """
    check_file_target(path)
    (summary,) = list_listeners(store, name)
    records = [get_session(store, one.id) for one in list_sessions(store, listener=summary.name)]
    tables = _session_tables(store, summary.name, [record.document()["session"] for record in records])
    tables |= _eeg_tables(store, summary.name)
    ids = list(dict.fromkeys(piece.id for record in records for piece in record.pieces()))
    ids += [row["piece"] for row in tables["scores"] if row["piece"] not in ids]
    ids += [id_ for id_ in brought_by(store, summary.name) if id_ not in ids]
    known = find_pieces(store, ids)
    tables["pieces"] = [piece.full_document() for piece in known.values()]
    document = {"listener": summary.document(), **tables}
    with atomic_write(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "README.txt", _README)
        _add(archive, "listener.json", json.dumps(document, ensure_ascii=False, indent=2, default=str))
        for table, rows in tables.items():
            _add(archive, f"{table}.csv", _csv(rows))
        for id_ in known:
            # One at a time: recorded pieces may be large.
            music = music_of(store, [id_])[id_]
            _add(archive, f"pieces/{id_}{suffix_of(music)}", music)
    return {table: len(rows) for table, rows in tables.items()}


def _session_tables(store: Store, name: str, sessions: Sequence[Mapping[str, Any]]) -> dict[str, Rows]:
    items = [{"session": one["id"], **item} for one in sessions for item in one["items"]]
    numbers = {one["id"] for one in sessions}
    scales = known_scales(store)
    measures = list_measures(store, listener=name)
    return {
        "sessions": [{key: value for key, value in one.items() if key != "items"} for one in sessions],
        "items": items,
        "ratings": _ratings(items),
        "plays": [
            {
                "session": play.session,
                "started": play.started.isoformat(),
                "finished": play.finished,
                "position": stretch.position,
                "piece": stretch.piece,
                "onset_s": stretch.onset_s,
                "from_s": stretch.from_s,
                "duration_s": stretch.duration_s,
            }
            for play in list_plays(store)
            if play.session in numbers
            for stretch in play.stretches
        ],
        "measures": [
            {"session": one.session, "scale": one.scale, "before": one.before, "after": one.after} for one in measures
        ],
        "scales": [scales[scale].document() for scale in dict.fromkeys(one.scale for one in measures)],
        "notes": [
            {"session": one.session, "created": one.created.isoformat(), "text": one.text}
            for one in list_notes(store, listener=name)
        ],
        "marks": [{"piece": piece, "mark": mark} for piece, mark in marked_pieces(store, name).items()],
    }


def _ratings(items: Iterable[Mapping[str, Any]]) -> Rows:
    given = {
        (item["session"], item["piece"]): {"session": item["session"], "piece": item["piece"], "value": item["rating"]}
        for item in items
        if item["rating"]
    }
    return list(given.values())


def _eeg_tables(store: Store, name: str) -> dict[str, Rows]:
    with store.read() as database:
        owner = select(ListenerRow.id).where(ListenerRow.name == name).scalar_subquery()
        recordings = list(database.scalars(select(RecordingRow).where(RecordingRow.listener_id == owner)))
        by_id = {row.id: row for row in recordings}
        scores = database.execute(
            select(PlayRow, PlayScoreRow)
            .join(PlayScoreRow, PlayScoreRow.play_id == PlayRow.id)
            .where(PlayRow.recording_id.in_(by_id))
            .order_by(PlayRow.recording_id, PlayRow.onset_s, PlayScoreRow.band)
        ).all()
        ranking = list(database.scalars(select(RankingRow).where(RankingRow.listener_id == owner)))
    return {
        "recordings": [
            {
                "sha256": row.sha256,
                "file": row.file,
                "session": row.session_id,
                "measured": row.measured.isoformat() if row.measured else None,
                "facts": row.facts,
            }
            for row in recordings
        ],
        "scores": [
            {
                "recording": by_id[play.recording_id].sha256,
                "piece": play.piece_id,
                "onset_s": play.onset_s,
                "duration_s": play.duration_s,
                "clean_s": play.clean_s,
                "band": score.band,
                "db": score.db,
                "adjusted_db": score.adjusted_db,
                "muscle_db": score.muscle_db,
            }
            for play, score in scores
        ],
        "ranking": [
            {
                "piece": row.piece_id,
                "criterion": row.criterion,
                "expected_rank": row.expected_rank,
                "p_best": row.p_best,
                "mean_db": row.mean_db if row.plays else None,
                "sd_db": row.sd_db if row.plays else None,
                "plays": row.plays,
            }
            for row in ranking
        ],
    }


def _csv(rows: Rows) -> str:
    out = io.StringIO(newline="")
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(out, columns)
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _cell(value) for key, value in row.items()})
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return spreadsheet_cell(value) if isinstance(value, str) else value


def _add(archive: zipfile.ZipFile, name: str, content: str | bytes) -> None:
    entry = zipfile.ZipInfo(name, _WRITTEN)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)
