"""Pages and calls for keeping clients' sessions: people, notes, measures, archive, forgetting."""

from __future__ import annotations

import tempfile
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sessions.clients.archive import export_listener
from sessions.clients.client_overview import Client, client_overview
from sessions.clients.diary import add_note, delete_note, remember_settings, set_measure
from sessions.clients.forget import forget_listener
from sessions.clients.scales import add_scales, known_scales, read_scales
from sessions.clients.sessions_of import assign_session, merge_listeners
from sessions.errors import NotFoundError
from sessions.reports.listener_report import measure_trends
from sessions.storage.listeners import (
    COLOURS,
    ListenerSummary,
    list_listeners,
    new_listener,
    rename_listener,
    show_listener_as,
    similar_listeners,
)
from therapy_gen.app.answers import Form, desk_of, number, page
from therapy_gen.errors import InputError
from therapy_gen.study.posterior import Ranker

# Sessions that a client's page shows at once.
_AT_ONCE = 50


def people(request: Request) -> Response:
    """Show all clients."""
    store = desk_of(request).store
    found = list_listeners(store)
    return page(request, "clients.html", clients=found, colours=COLOURS)


def added(request: Request, form: Form) -> Response:
    """Add a client; one with nearly the same name is warned of on the page that follows."""
    store = desk_of(request).store
    name = new_listener(store, form.get("name", ""), alias=form.get("alias", ""), colour=form.get("colour", ""))
    (made,) = list_listeners(store, name)
    return RedirectResponse(f"/clients/{made.id}", 303)


def client(request: Request) -> Response:
    """Show a client."""
    return _client(request, "client.html")


def printed(request: Request) -> Response:
    """Show a client on two pages of paper, with room for handwriting."""
    return _client(request, "client-print.html")


def _client(request: Request, template: str) -> Response:
    store = desk_of(request).store
    summary = _summary(request)
    found: Client = client_overview(store, summary.name)
    pages = max(-(-len(found.sessions) // _AT_ONCE), 1)
    asked = request.query_params.get("page", "1")
    shown = min(max(int(asked), 1), pages) if asked.isdecimal() and len(asked) < 9 else 1
    return page(
        request,
        template,
        client=found,
        sessions=found.sessions[::-1][(shown - 1) * _AT_ONCE : shown * _AT_ONCE],
        shown=shown,
        pages=pages,
        trends=measure_trends(store, summary.name, _AT_ONCE),
        similar=similar_listeners(store, summary.name),
        others=[one for one in list_listeners(store) if one.id != summary.id],
        colours=COLOURS,
    )


def _summary(request: Request) -> ListenerSummary:
    wanted = int(request.path_params["client"])
    for one in list_listeners(desk_of(request).store):
        if one.id == wanted:
            return one
    raise NotFoundError("this client is no longer known; the list of clients shows who is")


def changed(request: Request, form: Form) -> None:
    """Rename a client, or show something in place of the name."""
    store, summary = desk_of(request).store, _summary(request)
    show_listener_as(store, summary.name, alias=form.get("alias", ""), colour=form.get("colour", ""))
    wanted = form.get("name", "").strip()
    if wanted and wanted != summary.name:
        rename_listener(store, summary.name, wanted)
        desk_of(request).forget_upcoming()


def merged(request: Request, form: Form) -> Response:
    """Merge a client into another."""
    desk, summary = desk_of(request), _summary(request)
    target = form.get("into", "")
    merge_listeners(desk.store, summary.name, target, Ranker())
    desk.forget_upcoming()
    (kept,) = list_listeners(desk.store, target)
    return RedirectResponse(f"/clients/{kept.id}", 303)


def archived(request: Request) -> Response:
    """Give all that is kept of a client as a zip file."""
    summary = _summary(request)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "client.zip"
        export_listener(desk_of(request).store, summary.name, path)
        content = path.read_bytes()
    headers = {"Content-Disposition": f'attachment; filename="client-{summary.id}.zip"'}
    return Response(content, media_type="application/zip", headers=headers)


def forgotten(request: Request, form: Form) -> Response:
    """Forget a client, if the name was typed again."""
    desk, summary = desk_of(request), _summary(request)
    if form.get("name", "").strip() != summary.name:
        raise InputError("the name that was typed is not this client's: nothing was deleted; go back and type it again")
    desk.drop()
    if desk.settings_of_app().get("listener") == summary.name:
        remember_settings(desk.store, None, {})
    gone = forget_listener(desk.store, summary.name, [desk.renders, desk.recordings])
    return page(request, "forgotten.html", gone=gone)


def listening(request: Request, form: Form) -> Response:
    """Open the player for a client."""
    remember_settings(desk_of(request).store, None, {"listener": _summary(request).name})
    return RedirectResponse("/", 303)


def noted(request: Request, form: Form) -> None:
    """Store a note about a session."""
    add_note(desk_of(request).store, int(request.path_params["session"]), form.get("text", ""))


def unnoted(request: Request, form: Form) -> None:
    """Delete a note."""
    delete_note(desk_of(request).store, int(form.get("note", "0")))


def measured(request: Request, form: Form) -> None:
    """Store the value of a scale before or after a session."""
    values = [number(form[key], key) if form.get(key, "").strip() else None for key in ("before", "after")]
    set_measure(desk_of(request).store, int(request.path_params["session"]), form.get("scale", ""), *values)


def assigned(request: Request, form: Form) -> None:
    """Give a session to a client."""
    desk = desk_of(request)
    assign_session(desk.store, int(request.path_params["session"]), form.get("listener", ""), Ranker())
    desk.forget_upcoming()


def scales(request: Request) -> Response:
    """Show all scales."""
    return page(request, "scales.html", scales=known_scales(desk_of(request).store))


def scaled(request: Request, form: Form) -> None:
    """Store scales of the user's own, from the text of a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scales.toml"
        path.write_text(form.get("text", ""), encoding="utf-8")
        add_scales(desk_of(request).store, read_scales(path))
