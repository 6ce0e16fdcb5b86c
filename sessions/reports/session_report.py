"""A session as a page to hear and see: its pieces with their sound, the arc, why each is there, what was measured."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sessions.export.audio import Sound, present_midi
from sessions.files import check_file_target, write_bytes
from sessions.planning.arcs import rms
from sessions.records import PieceRecord, SessionRecord
from sessions.reports.charts import ARC_LEFT, ARC_SPAN, Interval, arc, intervals, roll
from sessions.reports.html import data_script, page, program_script, table, text
from sessions.reports.mp3 import SAMPLE_RATE, small_mp3s
from sessions.storage.library import get_session
from sessions.storage.play_log import SessionPlay, list_plays
from sessions.storage.recordings import RecordingPower, recorded_power
from sessions.storage.store import Store
from therapy_gen.music.analysis.register import pitch_name
from therapy_gen.music.midi.midi import read_performance
from therapy_gen.text import clock

NO_CLAIM = "This page shows what was made and measured. It makes no medical claim."


def write_session_report(
    store: Store, number: int, path: Path, ranking: Mapping[str, Any] | None = None, sound: Sound | None = None
) -> int:
    """Write a session's page, whole or not at all, and return its size in bytes.

    Parameters
    ----------
    store : Store
    number : int
        Of the session.
    path : Path
    ranking : mapping, optional
        The listener's ranking as ``rank --json`` prints it.
    sound : Sound, optional

    Raises
    ------
    NotFoundError
        Where there is no such session, or a piece of it is gone.
    ExportError
        Where the file cannot be written.
    """
    check_file_target(path)
    sound = sound or Sound()
    record = get_session(store, number)
    pieces = record.pieces()
    midi = present_midi(store, record.items)
    lengths = {item.piece.id: item.duration_s for item in record.items if item.piece}
    sounds = small_mp3s(pieces, midi, lengths, sound.soundfont, sound.advance)
    rolls = [roll(read_performance(midi[one.id]), place, one.title) for place, one in enumerate(pieces)]
    content = _page(
        record, rolls, sounds, lengths, ranking, recorded_power(store, session=number), list_plays(store, number)
    )
    write_bytes(path, content.encode())
    return len(content.encode())


def _page(
    record: SessionRecord,
    rolls: Sequence[str],
    sounds: Sequence[bytes],
    lengths: Mapping[str, float],
    ranking: Mapping[str, Any] | None,
    recordings: Sequence[RecordingPower],
    plays: Sequence[SessionPlay],
) -> str:
    pieces = record.pieces()
    numbers = {piece.id: place for place, piece in enumerate(pieces)}
    title = f"Session {record.id}" + (f" for {record.listener}" if record.listener else "")
    ranked = {one["piece"]: one for one in (ranking or {}).get("pieces", ())}
    body = [
        f"<h1>{text(title)}</h1>",
        f'<p class="soft">{clock(record.duration_s)} minutes, {len(pieces)} pieces, arc {text(record.arc)}, '
        f"seed {record.seed}, made {record.created:%Y-%m-%d %H:%M} UTC</p>",
        "<noscript><p>Playing needs JavaScript, which is off in this browser; all else is here.</p></noscript>",
        *_arc(record),
        *_timeline(record, numbers),
        "<h2>Pieces</h2>",
        *(_piece(record, piece, rolls[numbers[piece.id]], numbers, lengths, ranked.get(piece.id)) for piece in pieces),
        *_measured(record, ranking, ranked, recordings),
        *_played(plays),
        f'<p class="soft small">Sound in this file: mono, {SAMPLE_RATE / 1000:g} kHz, MP3. For full quality: '
        f"<code>therapy-gen export --session {record.id} --format flac -o session-{record.id}.flac</code>. "
        f"{NO_CLAIM}</p>",
    ]
    data = {
        "duration": record.duration_s,
        "arc": [ARC_LEFT, ARC_SPAN],
        "titles": [piece.title for piece in pieces],
        "items": [
            {
                "piece": numbers[item.piece.id] if item.piece else None,
                "onset": item.onset_s,
                "duration": item.duration_s,
            }
            for item in record.items
        ],
    }
    scripts = [
        _bar(record.duration_s),
        data_script("data", data),
        *(
            f'<script type="text/plain" id="sound-{place}">{base64.b64encode(one).decode()}</script>'
            for place, one in enumerate(sounds)
        ),
        program_script("player.js"),
    ]
    return page(title, body, scripts=scripts)


def _bar(duration_s: float) -> str:
    return (
        '<div id="bar" role="region" aria-label="Player"><div>'
        '<button class="main" id="toggle" type="button">Play session</button>'
        '<button id="before" type="button">Back</button><button id="after" type="button">Next</button>'
        '<span class="what" id="what" aria-live="polite"></span>'
        f'<span class="n" id="time">0:00 / {clock(duration_s)}</span>'
        f'<span class="range"><input id="seek" type="range" min="0" max="{duration_s:.3f}" step="any" value="0" '
        'aria-label="Place in the session"></span></div></div>'
    )


def _arc(record: SessionRecord) -> list[str]:
    target, achieved = record.curve(), record.achieved()
    if not achieved:
        return []
    said = "Bars: the calmness score of each piece, 0 to 1."
    if target:
        away = rms(target, achieved)
        said += f" Dashed: what the arc asked for; root mean square distance {away:.3f}."
    return ["<h2>Arc</h2>", arc(target, achieved, record.duration_s), f'<p class="soft small">{said}</p>']


def _timeline(record: SessionRecord, numbers: Mapping[str, int]) -> list[str]:
    rows = []
    for place, item in enumerate(record.items):
        name = f'<a href="#piece-{numbers[item.piece.id]}">{text(item.piece.title)}</a>' if item.piece else "silence"
        label = text(f"Play from {clock(item.onset_s)}, {item.piece.title if item.piece else 'silence'}")
        button = f'<button type="button" data-from="{place}" aria-label="{label}">Play</button>'
        rows.append(
            f'<tr data-item="{place}"><td class="n">{clock(item.onset_s)}</td>'
            f'<td class="n">{clock(item.duration_s)}</td>'
            f'<td>{name}</td><td class="n">{"★" * item.rating if item.rating else ""}</td>'
            f'<td class="noprint">{button}</td></tr>'
        )
    head = '<th scope="col" class="n">start</th><th scope="col" class="n">length</th><th scope="col">piece</th>'
    head += '<th scope="col" class="n">rated</th><th scope="col" class="noprint">from here</th>'
    return [
        "<h2>Timeline</h2>",
        '<div class="scroll" tabindex="0" role="region" aria-label="Timeline"><table><thead><tr>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>",
    ]


def _piece(
    record: SessionRecord,
    piece: PieceRecord,
    picture: str,
    numbers: Mapping[str, int],
    lengths: Mapping[str, float],
    ranked: Mapping[str, Any] | None,
) -> str:
    place = numbers[piece.id]
    item = next(item for item in record.items if item.piece and item.piece.id == piece.id)
    lies = "" if piece.register is None else f", melody about {pitch_name(piece.register)}"
    facts = [
        ("Key, tempo", f"{text(piece.key)}, {piece.tempo:.1f} beats a minute{lies}"),
        ("Calmness", f"{piece.calm:.2f} of 1"),
        ("Why it is here", text(item.why or "made for its place in the arc")),
        ("Rating", f"{item.rating} of 5" if item.rating else "none yet"),
    ]
    if ranked is not None:
        facts.append(("EEG" if ranked["plays"] else "Ranking", _figures(ranked)))
    facts.append(("Id", f"<code>{text(piece.id)}</code>"))
    length = lengths[piece.id]
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)
    return (
        f'<article id="piece-{place}" aria-labelledby="title-{place}"><div class="head">'
        f'<h3 id="title-{place}">{text(piece.title)}</h3>'
        f'<span class="n soft"><span class="playing"><span id="time-{place}">0:00</span> / </span>'
        f"{clock(length)}</span>"
        f'<button id="toggle-{place}" type="button" aria-describedby="title-{place}">Play</button></div>{picture}'
        f'<input id="seek-{place}" type="range" min="0" max="{length:.3f}" step="any" value="0" '
        f'aria-label="{text(f"Place in {piece.title}")}"><dl>{rows}</dl></article>'
    )


def _figures(ranked: Mapping[str, Any]) -> str:
    low, high = ranked["ci90_db"]
    if not ranked["plays"]:
        # A figure in dB would look measured.
        return f"from ratings alone, never recorded: rank {ranked['rank']}, P(best) {ranked['p_best']:.2f}"
    return (
        f"{ranked['mean_db']:+.2f} dB (90 % interval {low:+.2f} to {high:+.2f}), rank {ranked['rank']}, "
        f"P(best) {ranked['p_best']:.2f}, {ranked['plays']} plays, {clock(ranked['clean_s'])} clean"
    )


def _measured(
    record: SessionRecord,
    ranking: Mapping[str, Any] | None,
    ranked: Mapping[str, Mapping[str, Any]],
    recordings: Sequence[RecordingPower],
) -> list[str]:
    out: list[str] = []
    titles = {piece.id: piece.title for piece in record.pieces()}
    own = [ranked[id_] for id_ in titles if id_ in ranked and ranked[id_]["plays"]]
    if own and ranking is not None:
        rows = [
            Interval(titles[one["piece"]], one["mean_db"], *one["ci90_db"])
            for one in sorted(own, key=lambda one: one["rank"])
        ]
        out += [
            "<h2>EEG</h2>",
            intervals(rows, f"{ranking['criterion']} power of each piece with its 90 % interval"),
            f'<p class="soft small">{text(ranking["criterion"])} power against the listener\'s own silence, from all '
            f"recordings and ratings; lines are 90 % intervals. {text(_verdict(ranking))}</p>",
        ]
    for recording in recordings:
        if not out:
            out.append("<h2>EEG</h2>")
        rows_ = [
            [
                clock(play.onset_s),
                text(titles.get(play.piece, play.piece)),
                clock(play.clean_s),
                *(f"{play.db[band]:+.2f}" if band in play.db else "" for band in ("beta", "gamma")),
            ]
            for play in recording.plays
        ]
        name = f"Recording {recording.file}, {recording.moment:%Y-%m-%d %H:%M} UTC"
        out.append(f"<h3>{text(name)}</h3>")
        out.append(table(("at", "piece", "clean", "beta dB", "gamma dB"), rows_, numbers=(0, 2, 3, 4), label=name))
    return out


def _verdict(ranking: Mapping[str, Any]) -> str:
    return "The order is reliable." if ranking.get("reliable_order") else "There is no reliable order yet."


def _played(plays: Sequence[SessionPlay]) -> list[str]:
    if not plays:
        return []
    rows = [
        [
            f"{play.started:%Y-%m-%d %H:%M:%S} UTC",
            clock(play.ended_s) if play.ended_s is not None else "",
            "to its end" if play.finished else "stopped",
            str(len({heard.position for heard in play.stretches})),
        ]
        for play in plays
    ]
    return [
        "<h2>Played</h2>",
        table(("started", "lasted", "how it ended", "items"), rows, numbers=(1, 3), label="Played"),
    ]
