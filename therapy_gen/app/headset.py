"""Pages and calls for the headset: sources, contact quality, a session with EEG."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sessions.storage.library import list_sessions
from sessions.storage.listeners import list_listeners
from therapy_gen.app.answers import desk_of, page
from therapy_gen.app.headset_desk import Wanted
from therapy_gen.errors import InputError, MissingExtraError

_NEWEST = 30
# Those that people have; `headset list --boards` shows all.
_USUAL = (
    ("brainflow:MUSE_2", "Muse 2, over Bluetooth"),
    ("brainflow:MUSE_S", "Muse S, over Bluetooth"),
    ("brainflow:CYTON:/dev/ttyUSB0", "OpenBCI Cyton; Windows: COM3 in place of /dev/ttyUSB0"),
    ("brainflow:GANGLION:/dev/ttyACM0", "OpenBCI Ganglion"),
    ("brainflow:SYNTHETIC", "no headset: made-up signals, to try it"),
)
SOUNDS = {"": "this computer's sound", "none": "silence"}


def headset(request: Request) -> Response:
    """Show the headset page."""
    desk = desk_of(request)
    listener = desk.listener()
    known = any(one.name == listener for one in list_listeners(desk.store))
    return page(
        request,
        "headset.html",
        listener=listener,
        usual=_USUAL,
        sessions=list_sessions(desk.store, listener=listener, limit=_NEWEST)[::-1] if known else [],
        sounds=SOUNDS,
    )


def sources(request: Request, said: dict[str, Any]) -> Any:
    """Return the EEG streams of LSL that can be seen."""
    from eeg.headset.lsl import list_streams

    try:
        found = list_streams()
    except MissingExtraError as error:
        raise InputError(str(error)) from error
    return {"sources": [{"source": f"lsl:{one.name}", "about": f"{len(one.channels)} channels"} for one in found]}


def state(request: Request, said: dict[str, Any]) -> Any:
    """Return the headset's state."""
    return desk_of(request).headset.state()


def checked(request: Request, said: dict[str, Any]) -> Any:
    """Begin to check the contact of a headset."""
    headset_desk = desk_of(request).headset
    headset_desk.check(str(said["source"]).strip())
    return headset_desk.state()


def recorded(request: Request, said: dict[str, Any]) -> Any:
    """Begin a recorded session."""
    headset_desk = desk_of(request).headset
    sound = str(said.get("sound", ""))
    if sound not in SOUNDS:
        raise InputError(f"sound {sound!r} is not known; choose one of the list")
    headset_desk.record(
        Wanted(
            str(said["source"]).strip(),
            int(said["session"]),
            sound or None,
            any_contact=bool(said.get("any_contact")),
            score=bool(said.get("score", True)),
        )
    )
    return headset_desk.state()


def stopped(request: Request, said: dict[str, Any]) -> Any:
    """End the check or the recording."""
    headset_desk = desk_of(request).headset
    headset_desk.stop()
    return headset_desk.state()
