"""A listener's history as a page: sessions, ratings, the ranking with intervals, recordings over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sessions.files import check_file_target, write_bytes
from sessions.records import SessionRecord
from sessions.reports.charts import Interval, intervals
from sessions.reports.html import page, table, text
from sessions.reports.session_report import NO_CLAIM
from sessions.storage.library import get_session, list_sessions, titles_of
from sessions.storage.listeners import find_listener
from sessions.storage.play_log import list_plays
from sessions.storage.recordings import RecordingPower, recorded_power
from sessions.storage.store import Store
from therapy_gen.text import clock

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
    sessions = [get_session(store, one.id) for one in list_sessions(store) if one.listener == name]
    plays: dict[int, int] = {}
    for play in list_plays(store):
        plays[play.session] = plays.get(play.session, 0) + 1
    recordings = recorded_power(store, listener=name)
    known = {piece.id for record in sessions for piece in record.pieces()}
    known |= {one["piece"] for one in (ranking or {}).get("pieces", ())}
    titles = titles_of(store, known)
    heard = sum(plays.get(one.id, 0) for one in sessions)
    body = [
        f"<h1>{text(name)}</h1>",
        f'<p class="soft">{_count(len(sessions), "session")}, {_count(heard, "play")}'
        f", {_count(len(recordings), 'recording')}</p>",
        *_sessions(sessions, plays),
        *_ratings(sessions),
        *_ranking(ranking, titles),
        *_recordings(recordings),
        f'<p class="soft small">{NO_CLAIM}</p>',
    ]
    content = page(f"Listener {name}", body).encode()
    write_bytes(path, content)
    return len(content)


def _sessions(sessions: Sequence[SessionRecord], plays: Mapping[int, int]) -> list[str]:
    if not sessions:
        return ["<h2>Sessions</h2>", '<p class="soft">None yet.</p>']
    rows = []
    for record in sessions:
        ratings = _rated(record)
        rows.append(
            [
                str(record.id),
                f"{record.created:%Y-%m-%d %H:%M}",
                text(record.arc),
                clock(record.duration_s),
                str(len(record.pieces())),
                str(plays.get(record.id, 0)),
                f"{sum(ratings.values()) / len(ratings):.1f} ({len(ratings)})" if ratings else "",
            ]
        )
    columns = ("id", "made (UTC)", "arc", "length", "pieces", "played", "mean rating")
    return ["<h2>Sessions</h2>", table(columns, rows, numbers=(0, 3, 4, 5, 6), label="Sessions")]


def _rated(record: SessionRecord) -> dict[str, int]:
    return {item.piece.id: item.rating for item in record.items if item.piece and item.rating}


def _ratings(sessions: Sequence[SessionRecord]) -> list[str]:
    rows = []
    for record in sessions:
        names = {piece.id: piece.title for piece in record.pieces()}
        rows += [
            [str(record.id), text(names[id_]), f"{value} of 5", f"<code>{text(id_)}</code>"]
            for id_, value in _rated(record).items()
        ]
    if not rows:
        return ["<h2>Ratings</h2>", '<p class="soft">None yet.</p>']
    return ["<h2>Ratings</h2>", table(("session", "piece", "rating", "id"), rows, numbers=(0, 2), label="Ratings")]


def _ranking(ranking: Mapping[str, Any] | None, titles: Mapping[str, str]) -> list[str]:
    if ranking is None:
        return ["<h2>Ranking</h2>", '<p class="soft">Nothing was scored or rated yet.</p>']
    pieces = ranking["pieces"]
    rows = [
        [
            str(one["rank"]),
            text(titles.get(one["piece"], one["piece"])),
            f"{one['mean_db']:+.2f}",
            f"{one['ci90_db'][0]:+.2f} to {one['ci90_db'][1]:+.2f}",
            f"{one['p_best']:.2f}",
            str(one["plays"]),
            clock(one["clean_s"]),
        ]
        for one in pieces
    ]
    verdict = "The order is reliable." if ranking["reliable_order"] else "There is no reliable order yet."
    if not any(one["plays"] for one in pieces):
        verdict = "Nothing was recorded: it is made from ratings alone, and its figures were not measured."
    return [
        "<h2>Ranking</h2>",
        f"<p>By {text(ranking['criterion'])} power, as declared. {verdict}</p>",
        intervals(
            [Interval(titles.get(one["piece"], one["piece"]), one["mean_db"], *one["ci90_db"]) for one in pieces],
            "Pieces by rank with 90 % intervals",
        ),
        table(
            ("rank", "piece", "dB", "90 % interval", "P(best)", "plays", "clean"),
            rows,
            numbers=(0, 2, 3, 4, 5, 6),
            label="Ranking",
        ),
    ]


def _recordings(recordings: Sequence[RecordingPower]) -> list[str]:
    if not recordings:
        return ["<h2>Recordings</h2>", '<p class="soft">None yet.</p>']
    out = ["<h2>Recordings over time</h2>"]
    for band in BANDS:
        rows, lines = [], []
        for one in recordings:
            values = [play.db[band] for play in one.plays if band in play.db]
            if not values:
                continue
            mean, low, high = _mean_interval(values)
            rows.append(Interval(f"{one.moment:%Y-%m-%d %H:%M}", mean, low, high))
            lines.append(
                [
                    f"{one.moment:%Y-%m-%d %H:%M}",
                    text(one.file),
                    "" if one.session is None else str(one.session),
                    str(len(values)),
                    f"{mean:+.2f}",
                    "" if low is None or high is None else f"{low:+.2f} to {high:+.2f}",
                ]
            )
        if rows:
            out += [
                f"<h3>{band}</h3>",
                intervals(rows, f"Mean {band} power of each recording's plays, oldest first"),
                table(
                    ("measured (UTC)", "file", "session", "plays", "mean dB", "90 % interval"),
                    lines,
                    numbers=(2, 3, 4, 5),
                    label=f"Recordings, {band}",
                ),
            ]
    out.append(
        '<p class="soft small">Mean over the plays of each recording, dB against silence in it; intervals are '
        "Student's t over plays, and need two.</p>"
    )
    return out


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _mean_interval(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """Return the mean of plays and its 90 % interval (Student's t over plays); no interval of fewer than two."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None, None
    from scipy.special import stdtrit

    sd = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    half = float(stdtrit(len(values) - 1, 0.5 + _COVERED / 2)) * sd / math.sqrt(len(values))
    return mean, mean - half, mean + half
