"""A listener's history as a page: sessions, ratings, measures, the ranking with intervals, recordings over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sessions.clients.diary import list_notes, measures_by_scale
from sessions.export_paths import check_file_target, write_bytes
from sessions.records import SessionRecord
from sessions.reports.charts import Interval, intervals, trend
from sessions.reports.session_report import NO_CLAIM
from sessions.storage.library import get_session, list_sessions, titles_of
from sessions.storage.listeners import find_listener
from sessions.storage.play_log import list_plays
from sessions.storage.recordings import RecordingPower, recorded_power
from sessions.storage.store import Store
from therapy_gen.pages.html import render
from therapy_gen.text import clock, criterion_text

BANDS = ("beta", "gamma")
# Share of the plays that an interval of their mean covers.
_COVERED = 0.9


def write_listener_report(store: Store, listener: str, path: Path, ranking: Mapping[str, Any] | None = None) -> int:
    """Write a listener's page, whole or not at all, and return its size in bytes.

    Parameters
    ----------
    store : Store
    listener : str
    path : Path
    ranking : mapping, optional
        As ``rank --json`` prints it.

    Raises
    ------
    NotFoundError
        Where there is no such listener.
    ExportError
        Where the file cannot be written.
    """
    check_file_target(path)
    with store.read() as database:
        name = find_listener(database, listener).name
    sessions = [get_session(store, one.id) for one in list_sessions(store, listener=name)]
    plays: dict[int, int] = {}
    for play in list_plays(store):
        plays[play.session] = plays.get(play.session, 0) + 1
    recordings = recorded_power(store, listener=name)
    known = {piece.id for record in sessions for piece in record.pieces()}
    known |= {one["piece"] for key in ("pieces", "with_ratings") for one in (ranking or {}).get(key, ())}
    titles = titles_of(store, known)
    content = render(
        "sessions.reports",
        "listener.html",
        title=f"Listener {name}",
        listener=name,
        sessions=[_session(record, plays) for record in sessions],
        heard=sum(plays.get(one.id, 0) for one in sessions),
        recordings=len(recordings),
        ratings=[row for record in sessions for row in _ratings(record)],
        trends=measure_trends(store, name),
        notes=list_notes(store, listener=name),
        bands=[made for band in BANDS if (made := _band(band, recordings))],
        no_claim=NO_CLAIM,
        **_ranking(ranking, titles),
    ).encode()
    write_bytes(path, content)
    return len(content)


def measure_trends(store: Store, listener: str, latest: int | None = None) -> list[dict[str, Any]]:
    """Return a listener's measures by scale, each as a chart and a table, with the change that exceeds noise.

    With `latest`, only so many of the last measures of each scale are shown.
    """
    moments = {one.id: one.created for one in list_sessions(store, listener=listener)}
    found = []
    for scale, every in measures_by_scale(store, listener):
        measures = every[-latest:] if latest else every
        pairs = [(str(one.session), one.before, one.after) for one in measures]
        rows = [
            [
                str(one.session),
                f"{moments[one.session]:%Y-%m-%d}",
                *("" if value is None else f"{value:g}" for value in (one.before, one.after)),
                "" if one.change is None else f"{one.change:+g}",
            ]
            for one in measures
        ]
        source = scale.source[:1].upper() + scale.source[1:]
        note = f"{scale.low:g}: {scale.ends[0]}; {scale.high:g}: {scale.ends[1]}. {source}. {scale.change_note()}"
        if len(measures) < len(every):
            note = f"The latest {len(measures)} of {len(every)}. {note}"
        chart = trend(pairs, f"{scale.title} before and after each session", (scale.low, scale.high))
        found.append({"name": scale.title, "chart": chart, "rows": rows, "note": note})
    return found


def _session(record: SessionRecord, plays: Mapping[int, int]) -> list[str]:
    ratings = _rated(record)
    return [
        str(record.id),
        f"{record.created:%Y-%m-%d %H:%M}",
        record.arc,
        clock(record.duration_s),
        str(len(record.pieces())),
        str(plays.get(record.id, 0)),
        f"{sum(ratings.values()) / len(ratings):.1f} ({len(ratings)})" if ratings else "",
    ]


def _rated(record: SessionRecord) -> dict[str, int]:
    return {item.piece.id: item.rating for item in record.items if item.piece and item.rating}


def _ratings(record: SessionRecord) -> list[dict[str, Any]]:
    titles = {piece.id: piece.title for piece in record.pieces()}
    return [
        {"session": record.id, "title": titles[id_], "value": value, "piece": id_}
        for id_, value in _rated(record).items()
    ]


def _ranking(ranking: Mapping[str, Any] | None, titles: Mapping[str, str]) -> dict[str, Any]:
    """Return what the page says of a ranking; a piece that was never recorded has no dB."""
    if ranking is None:
        return {"ranked": [], "verdict": "", "ranking_chart": "", "ranking_columns": ()}
    measured = ranking["pieces"]
    verdict = "Nothing was recorded: it is made from ratings alone."
    columns: tuple[str, ...] = ("rank", "piece", "P(best)")
    pieces = ranking.get("with_ratings", ())
    if measured:
        columns = ("rank", "piece", "dB", "90 % interval", "P(best)", "plays", "clean")
        reliable = "The order is reliable." if ranking["reliable_order"] else "There is no reliable order yet."
        verdict = f"By {criterion_text(ranking['criterion'])}, as declared. {reliable}"
        pieces = measured
    rows = [Interval(titles.get(one["piece"], one["piece"]), one["mean_db"], *one["ci90_db"]) for one in measured]
    return {
        "ranked": [_ranked(one, titles, with_db=bool(measured)) for one in pieces],
        "verdict": verdict,
        "ranking_chart": intervals(rows, "Pieces by rank with 90 % intervals") if rows else "",
        "ranking_columns": columns,
    }


def _ranked(one: Mapping[str, Any], titles: Mapping[str, str], *, with_db: bool) -> list[str]:
    row = [str(one["rank"]), titles.get(one["piece"], one["piece"])]
    if not with_db:
        return [*row, f"{one['p_best']:.2f}"]
    db = [f"{one['mean_db']:+.2f}", f"{one['ci90_db'][0]:+.2f} to {one['ci90_db'][1]:+.2f}"]
    return [*row, *db, f"{one['p_best']:.2f}", str(one["plays"]), clock(one["clean_s"])]


def _band(band: str, recordings: Sequence[RecordingPower]) -> dict[str, Any] | None:
    """Return a band over time: a chart and its table; None where nothing was measured."""
    rows, lines = [], []
    for one in recordings:
        values = [play.db[band] for play in one.plays if band in play.db]
        if not values:
            continue
        mean, low, high = _mean_interval(values)
        moment = f"{one.moment:%Y-%m-%d %H:%M}"
        rows.append(Interval(moment, mean, low, high))
        interval = "" if low is None or high is None else f"{low:+.2f} to {high:+.2f}"
        session = "" if one.session is None else str(one.session)
        lines.append([moment, one.file, session, str(len(values)), f"{mean:+.2f}", interval])
    if not rows:
        return None
    chart = intervals(rows, f"Mean {band} power of each recording's plays, oldest first")
    return {"name": band, "chart": chart, "rows": lines}


def _mean_interval(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """Return the mean of plays and its 90 % interval (Student's t over plays); no interval of fewer than two."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None, None
    from scipy.special import stdtrit

    sd = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    half = float(stdtrit(len(values) - 1, 0.5 + _COVERED / 2)) * sd / math.sqrt(len(values))
    return mean, mean - half, mean + half
