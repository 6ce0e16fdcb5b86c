"""A session as a page to hear and see: its pieces with their sound, the arc, why each is there, what was measured."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sessions.export.audio import Sound, present_music
from sessions.export_paths import check_file_target, make_folder, write_bytes
from sessions.planning.arcs import rms
from sessions.records import SessionRecord
from sessions.reports.charts import ARC_LEFT, ARC_SPAN, Interval, arc, intervals, roll
from sessions.reports.page_audio import OPUS_RATE, SUFFIX, small_sounds
from sessions.storage.library import get_session
from sessions.storage.play_log import SessionPlay, list_plays
from sessions.storage.recordings import RecordingPower, recorded_power
from sessions.storage.store import Store
from therapy_gen.music.analysis.register import pitch_name
from therapy_gen.music.midi.midi import read_performance
from therapy_gen.pages.html import render
from therapy_gen.text import clock, criterion_text

NO_CLAIM = "This page shows what was made and measured. It makes no medical claim."


def write_session_report(
    store: Store,
    number: int,
    path: Path,
    ranking: Mapping[str, Any] | None = None,
    sound: Sound | None = None,
    *,
    folder: bool = False,
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
    folder : bool
        Whether the sound is put into files in a folder beside the page, ``<name>_files``, rather than into the page.

    Raises
    ------
    NotFoundError
        Where there is no such session, or a piece of it is gone.
    ExportError
        Where the file cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> import sessions
    >>> import therapy_gen
    >>> store = sessions.Store.open("therapy.db")
    >>> request = sessions.SessionRequest(minutes=1.0)
    >>> session = sessions.new_session(store, therapy_gen.load_model(), request, seed=1)
    >>> _ = sessions.write_session_report(store, session.id, Path("one.html"))
    >>> Path("one.html").read_text(encoding="utf-8")[:15].lower()
    '<!doctype html>'
    """
    check_file_target(path)
    sound = sound or Sound()
    record = get_session(store, number)
    pieces = record.pieces()
    music = present_music(store, record.items)
    lengths = {item.piece.id: item.duration_s for item in record.items if item.piece}
    # The pieces alone, without the layers and transitions of the whole session.
    mix = replace(sound.over(record.parameters).mix(), layers=(), transition="silence", fade_s=0.0)
    sounds = small_sounds(pieces, music, lengths, mix, sound.advance)
    files = _beside(path, sounds) if folder else None
    content = render(
        "sessions.reports",
        "session.html",
        title=record.programme().title,
        record=record,
        pieces=pieces,
        rolls=[
            "" if piece.recorded else roll(read_performance(music[piece.id]), str(place), piece.title)
            for place, piece in enumerate(pieces)
        ],
        lengths=lengths,
        pitch_name=pitch_name,
        sounds=[] if folder else [base64.b64encode(one).decode() for one in sounds],
        player=_player(record, files),
        sound_note=f"Sound {'beside' if folder else 'in'} this file: stereo, {OPUS_RATE / 1000:g} kHz, Opus.",
        no_claim=NO_CLAIM,
        plays=[_played(play) for play in list_plays(store, number)],
        **_contents(record),
        **_measured(record, ranking, recorded_power(store, session=number)),
    ).encode()
    write_bytes(path, content)
    return len(content)


def _beside(path: Path, sounds: Sequence[bytes]) -> list[str]:
    """Write sounds into the folder that goes with a page; return their paths relative to the page."""
    folder = make_folder(path.with_name(f"{path.stem}_files"))
    names = [f"{place + 1:02d}{SUFFIX}" for place in range(len(sounds))]
    for name, content in zip(names, sounds, strict=True):
        write_bytes(folder / name, content)
    return [f"{quote(folder.name)}/{name}" for name in names]


def _contents(record: SessionRecord) -> dict[str, Any]:
    """Return what the page says of the timeline and the arc."""
    target, achieved = record.curve(), record.achieved()
    firsts = {item.piece.id: item for item in reversed(record.items) if item.piece}
    return {
        "numbers": {piece.id: place for place, piece in enumerate(record.pieces())},
        "firsts": firsts,
        "arc": arc(target, achieved, record.duration_s) if achieved else "",
        "away": rms(target, achieved) if target and achieved else None,
        "silences": _silences(record),
    }


def _silences(record: SessionRecord) -> str:
    """Say in a line where there is silence."""
    silent = [item for item in record.items if item.piece is None]
    if not silent:
        return ""
    between = [item.duration_s for item in silent if 0 < item.position < len(record.items) - 1]
    said = [f"{item.duration_s:.0f} s before" for item in silent if item.position == 0]
    if between:
        low, high = round(min(between)), round(max(between))
        said.append(f"{low} s between pieces" if low == high else f"{low} to {high} s between pieces")
    said += [f"{item.duration_s:.0f} s after" for item in silent if item.position == len(record.items) - 1]
    return f"Silence: {', '.join(said)}."


def _player(record: SessionRecord, files: Sequence[str] | None) -> dict[str, Any]:
    """Return the data that the page's player script reads."""
    numbers = {piece.id: place for place, piece in enumerate(record.pieces())}
    return {
        "duration": record.duration_s,
        "arc": [ARC_LEFT, ARC_SPAN],
        "titles": [piece.title for piece in record.pieces()],
        "sounds": files,
        "items": [
            {
                "piece": numbers[item.piece.id] if item.piece else None,
                "onset": item.onset_s,
                "duration": item.duration_s,
            }
            for item in record.items
        ],
    }


def _measured(
    record: SessionRecord, ranking: Mapping[str, Any] | None, recordings: Sequence[RecordingPower]
) -> dict[str, Any]:
    """Return what was measured: dB of pieces that were recorded, never of ratings alone."""
    titles = {piece.id: piece.title for piece in record.pieces()}
    ranked = {one["piece"]: {"plays": 0, **one} for one in (ranking or {}).get("with_ratings", ())}
    ranked |= {one["piece"]: one for one in (ranking or {}).get("pieces", ())}
    own = sorted((ranked[id_] for id_ in titles if id_ in ranked and ranked[id_]["plays"]), key=lambda one: one["rank"])
    rows = [Interval(titles[one["piece"]], one["mean_db"], *one["ci90_db"]) for one in own]
    measure = criterion_text((ranking or {}).get("criterion", ""))
    shown = [
        {
            "name": f"Recording {one.file}, {one.moment:%Y-%m-%d %H:%M} UTC",
            "rows": [
                [
                    clock(play.onset_s),
                    titles.get(play.piece, play.piece),
                    clock(play.clean_s),
                    *(f"{play.db[band]:+.2f}" if band in play.db else "" for band in ("beta", "gamma")),
                ]
                for play in one.plays
            ],
        }
        for one in recordings
    ]
    return {
        "ranked": ranked,
        "measured": intervals(rows, f"{measure} of each piece with its 90 % interval") if rows else "",
        "measure": measure,
        "reliable": bool((ranking or {}).get("reliable_order")),
        "recordings": shown,
        "chapters": [(f"recording-{place + 1}", one["name"]) for place, one in enumerate(shown)],
    }


def _played(play: SessionPlay) -> list[str]:
    return [
        f"{play.started:%Y-%m-%d %H:%M:%S} UTC",
        clock(play.ended_s) if play.ended_s is not None else "",
        "to its end" if play.finished else "stopped",
        str(len({heard.position for heard in play.stretches})),
    ]
