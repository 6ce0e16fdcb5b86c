"""A ranking as a playlist or a table, with the audio of its pieces."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from sessions.errors import ExportError
from sessions.export.audio import Sound
from sessions.export.export import export_programme
from sessions.export.playlists import Entry, Naming
from sessions.export.session_tables import safe_row
from sessions.export.writer import FileWriter, WrittenFile
from sessions.records import ItemRecord, Programme
from sessions.storage.library import get_piece
from sessions.storage.store import Store
from sessions.storage.tables import MUSIC

_COLUMNS = (
    "rank",
    "piece",
    "title",
    "file",
    "duration_s",
    "key",
    "tempo",
    "calm",
    "mean_db",
    "ci90_low_db",
    "ci90_high_db",
    "p_best",
    "expected_rank",
    "plays",
    "clean_s",
    "flags",
)


def ranked_programme(
    store: Store, ranking: Mapping[str, Any], top: int | None = None, *, with_name: bool = False
) -> Programme:
    """Return the best pieces of a ranking, best first.

    Parameters
    ----------
    store : Store
    ranking : mapping
        What `rank --json` prints.
    top : int, optional
        How many; all by default.
    with_name : bool
        Whether the title names the listener.

    Raises
    ------
    ExportError
        Where `top` is not positive.
    """
    if top is not None and top < 1:
        raise ExportError(f"`top` {top} is out of range; give how many pieces, 1 or more")
    pieces = [get_piece(store, row["piece"]) for row in ranking["pieces"][:top]]
    onsets = accumulate((piece.duration_s for piece in pieces), initial=0.0)
    who = f" for {ranking['listener']}" if with_name and ranking["listener"] else ""
    sure = "" if ranking["reliable_order"] else ", no reliable order"
    return Programme(
        f"Ranking{who} by {ranking['criterion']}{sure}",
        tuple(
            ItemRecord(position, MUSIC, piece, onset, piece.duration_s)
            for position, (piece, onset) in enumerate(zip(pieces, onsets, strict=False))
        ),
    )


def export_ranked(
    store: Store,
    ranking: Mapping[str, Any],
    programme: Programme,
    format: str,
    path: Path,
    sound: Sound,
    *,
    audio: str,
    naming: Naming | None = None,
    writer: FileWriter | None = None,
    cue: bool = False,
    with_name: bool = False,
) -> list[WrittenFile]:
    """Write the pieces of a ranking, best first, as a session is written, or as a table with their audio.

    Parameters
    ----------
    ranking : mapping
        What `rank --json` prints.
    programme : Programme
        Of the pieces to be written: see `ranked_programme`.
    format : str
        As for a session; not ``"events"``. The audio of a table lies in a folder of the same name.
    audio : str
        Format of the files that a playlist or table names.
    naming, writer, cue, with_name
        As for `sessions.export.export.export_session`.

    Raises
    ------
    ExportError
        Where a file cannot be written.
    """
    document = ranking if with_name else {**ranking, "listener": None}
    return export_programme(
        store,
        programme,
        format,
        path,
        sound,
        audio=audio,
        naming=naming,
        writer=writer,
        cue=cue,
        ranking=document,
    )


def table_of(ranking: Mapping[str, Any], programme: Programme, entries: Sequence[Entry]) -> dict[str, Any]:
    """Return a ranking with what is known of each piece, and the audio file in which it is to be heard."""
    rows = []
    for row, item, entry in zip(ranking["pieces"], programme.items, entries, strict=False):
        if item.piece is not None:
            known = {"duration_s": item.duration_s, "key": item.piece.key, "tempo": item.piece.tempo}
            known |= {"title": item.piece.title, "calm": item.piece.calm, "file": entry.path}
            rows.append({**row, **known})
    return {**ranking, "pieces": rows}


def ranking_json(document: Mapping[str, Any]) -> str:
    """Return what `table_of` gives as JSON."""
    return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def ranking_csv(document: Mapping[str, Any]) -> str:
    """Return what `table_of` gives as comma-separated values with a head."""
    text = io.StringIO()
    table = csv.DictWriter(text, _COLUMNS, lineterminator="\n", extrasaction="ignore")
    table.writeheader()
    for row in document["pieces"]:
        low, high = row["ci90_db"]
        table.writerow(safe_row({**row, "ci90_low_db": low, "ci90_high_db": high, "flags": " ".join(row["flags"])}))
    return text.getvalue()
