"""Pages and calls for listening: home, sound, ratings, history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sessions.clients.diary import mark_piece, marked_pieces, remember_settings
from sessions.export.sound_settings import Sound, read_layers
from sessions.planning.arcs import ARCS
from sessions.records import SessionRecord
from sessions.reports.charts import arc, roll
from sessions.storage.client_tables import FAVOURITE, NEVER
from sessions.storage.library import delete_session, find_pieces, get_session, list_sessions, midi_of, rate
from sessions.storage.listeners import list_listeners
from sessions.storage.play_log import list_plays, note_heard, play_moments
from therapy_gen.app.answers import Form, desk_of, page, sound
from therapy_gen.errors import InputError
from therapy_gen.music.arranging.palettes import PALETTES, check_palette
from therapy_gen.music.audio.layers import LAYERS, LEVELS_DB
from therapy_gen.music.audio.transitions import TRANSITIONS
from therapy_gen.music.midi.midi import read_performance
from therapy_gen.study.next_session import Wishes
from therapy_gen.study.posterior import Ranker

MINUTES = (6, 12, 24, 36, 48, 60)
_NEWEST = 100


def home(request: Request) -> Response:
    """Show the page with the player; the session is made in the background."""
    desk = desk_of(request)
    listener = desk.listener()
    chosen = request.query_params.get("session", "")
    if not chosen:
        desk.upcoming(listener)
    return page(
        request,
        "home.html",
        listener=listener,
        listeners=list_listeners(desk.store),
        wishes=desk.wishes(listener),
        settings=desk.settings(listener),
        session=int(chosen) if chosen.isascii() and chosen.isdigit() else None,
        minutes=MINUTES,
        arcs=ARCS,
        layers={name: sort.about for name, sort in LAYERS.items()},
        levels=_levels(desk.wishes(listener).layers),
        level_limits=LEVELS_DB,
        transitions=TRANSITIONS,
        palettes={name: palette.title for name, palette in PALETTES.items()},
    )


def _levels(layers: Sequence[str]) -> dict[str, float]:
    """Return the levels of layers by name, dB against the music."""
    return {layer.name: layer.level_db for layer in read_layers(layers)}


def upcoming(request: Request, said: dict[str, Any]) -> Any:
    """Return the next session, or a requested one, once it is made."""
    desk = desk_of(request)
    wanted = request.query_params.get("session")
    record = get_session(desk.store, int(wanted)) if wanted else desk.upcoming(desk.listener()).result(120)
    return described(record, marked_pieces(desk.store, record.listener))


def described(record: SessionRecord, marks: dict[str, str]) -> dict[str, Any]:
    """Return a session as the player needs it."""
    achieved = record.achieved()
    return {
        "id": record.id,
        "title": f"{record.duration_s / 60:.0f} minutes, {record.arc}",
        "duration": record.duration_s,
        "sound": f"/sound/{record.id}.wav",
        "arc": arc(record.curve(), achieved, record.duration_s) if achieved else "",
        "items": [
            {
                "position": item.position,
                "piece": item.piece.id if item.piece else None,
                "title": item.piece.title if item.piece else "Silence",
                "about": item.piece.about() if item.piece else "",
                "onset": item.onset_s,
                "duration": item.duration_s,
                "rating": item.rating,
                "mark": marks.get(item.piece.id) if item.piece else None,
            }
            for item in record.items
        ],
    }


def heard(request: Request) -> Response:
    """Give the sound of a session, or a range of it."""
    stream = desk_of(request).stream(int(request.path_params["session"]))
    return sound(request, stream.size, stream.read)


def notes(request: Request, said: dict[str, Any]) -> Any:
    """Return the piano roll of a piece as SVG."""
    desk = desk_of(request)
    piece = str(request.path_params["piece"])
    known = find_pieces(desk.store, [piece])
    if piece not in known:
        raise InputError(f"piece {piece!r} is not in the library")
    if known[piece].recorded:
        return {"svg": ""}
    return {"svg": roll(read_performance(midi_of(desk.store, [piece])[piece]), "now", known[piece].title)}


def told(request: Request, said: dict[str, Any]) -> Any:
    """Log the position of a play."""
    desk_of(request).tell(str(said["play"])[:64], int(said["session"]), str(said["state"]), float(said["at"]))
    return {}


def rated(request: Request, said: dict[str, Any]) -> Any:
    """Store a rating."""
    desk = desk_of(request)
    session, piece = rate(desk.store, int(said["session"]), str(said["piece"]), int(said["value"]), Ranker())
    return {"piece": piece.id, "value": int(said["value"]), "listener": session.listener}


def marked(request: Request, said: dict[str, Any]) -> Any:
    """Mark a piece as never to be played again, or as a favourite."""
    desk = desk_of(request)
    record = get_session(desk.store, int(said["session"]))
    on = bool(said["on"])
    piece = mark_piece(desk.store, str(said["piece"]), str(said["mark"]), record.listener, on=on)
    return {"piece": piece, "mark": said["mark"] if on else None}


def wished(request: Request, said: dict[str, Any]) -> Any:
    """Store a listener's settings; the next session follows them."""
    desk = desk_of(request)
    listener = desk.listener()
    kept = {**desk.settings(listener), **{key: said[key] for key in said if key in _REMEMBERED}}
    wishes = Wishes.of(kept)
    if wishes.arc not in ARCS:
        raise InputError(f"arc {wishes.arc!r} is not known; give one of: {', '.join(ARCS)}")
    check_palette(wishes.palette)
    Sound(layers=read_layers(wishes.layers), transition=wishes.transition)
    if not any(one.name == listener for one in list_listeners(desk.store)):
        from sessions.storage.listeners import new_listener

        new_listener(desk.store, listener)
    remember_settings(desk.store, listener, kept)
    desk.upcoming(listener)
    return {"settings": kept}


_REMEMBERED = ("minutes", "arc", "palette", "explore", "layers", "transition", "volume", "timer", "pacer", "breaths")


def chosen(request: Request, form: Form) -> None:
    """Store who listens."""
    desk = desk_of(request)
    remember_settings(desk.store, None, {"listener": form.get("listener", "")})


def history(request: Request) -> Response:
    """Show what was heard and when, and the ratings."""
    desk = desk_of(request)
    listener = desk.listener()
    known = any(one.name == listener for one in list_listeners(desk.store))
    sessions = list_sessions(desk.store, listener=listener, limit=_NEWEST)[::-1] if known else []
    plays = play_moments(desk.store, [one.id for one in sessions])
    marks = marked_pieces(desk.store, listener)
    dear = find_pieces(desk.store, [piece for piece, mark in marks.items() if mark == FAVOURITE])
    never = find_pieces(desk.store, [piece for piece, mark in marks.items() if mark == NEVER])
    return page(
        request,
        "history.html",
        listener=listener,
        sessions=sessions,
        plays=plays,
        favourites=list(dear.values()),
        never=list(never.values()),
    )


def shown_session(request: Request) -> Response:
    """Show a session: its pieces, ratings, notes and measures."""
    from sessions.clients.diary import list_measures, list_notes
    from sessions.clients.scales import known_scales

    desk = desk_of(request)
    record = get_session(desk.store, int(request.path_params["session"]))
    return page(
        request,
        "session.html",
        record=record,
        shown=list_listeners(desk.store, record.listener)[0].shown if record.listener else "",
        arc=arc(record.curve(), record.achieved(), record.duration_s) if record.achieved() else "",
        plays=list_plays(desk.store, record.id),
        notes=list_notes(desk.store, session=record.id),
        measures={one.scale: one for one in list_measures(desk.store, session=record.id)},
        scales=known_scales(desk.store),
        marks=marked_pieces(desk.store, record.listener),
    )


def heard_elsewhere(request: Request, form: Form) -> None:
    """Note that a session was heard in another player."""
    desk = desk_of(request)
    note_heard(desk.store, get_session(desk.store, int(request.path_params["session"])))


def unmarked(request: Request, form: Form) -> None:
    """Remove a mark."""
    desk = desk_of(request)
    mark_piece(desk.store, form.get("piece", ""), form.get("mark", FAVOURITE), desk.listener(), on=False)
    desk.forget_upcoming()


def deleted(request: Request, form: Form) -> None:
    """Delete a session."""
    desk = desk_of(request)
    delete_session(desk.store, int(request.path_params["session"]), with_pieces=True, ranker=Ranker())
    desk.drop()
