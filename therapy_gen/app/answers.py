"""Answers of the app: pages from templates, JSON, sound in ranges, and errors in one line."""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.responses import StreamingResponse as _Streaming

from sessions.errors import DatabaseError, NotFoundError
from therapy_gen.errors import InputError, TherapyGenError
from therapy_gen.pages.html import render
from therapy_gen.text import with_parameters

if TYPE_CHECKING:
    from therapy_gen.app.desk import Desk
    from therapy_gen.app.guard import Guard

_LARGEST_BODY = 1 << 20
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")

Form = dict[str, str]
Endpoint = Callable[[Request], Awaitable[Response]]


def desk_of(request: Request) -> Desk:
    """Return the app's state."""
    found: Desk = request.app.state.desk
    return found


def guard_of(request: Request) -> Guard:
    """Return the app's access control."""
    found: Guard = request.app.state.guard
    return found


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page of the app."""
    guard = guard_of(request)
    content = render(
        "therapy_gen.app", template, csrf=guard.csrf, path=request.url.path, known=guard.is_known(request), **values
    )
    return HTMLResponse(content, status)


def in_words(error: Exception) -> str:
    """Return an error's text, with its parameters as words."""
    return with_parameters(str(error), lambda name: name.replace("_", " "))


def shown(work: Callable[[Request], Response]) -> Endpoint:
    """Return an endpoint that shows a page; an error is a page of one line."""

    async def endpoint(request: Request) -> Response:
        try:
            return await run_in_threadpool(work, request)
        except TherapyGenError as error:
            return page(request, "problem.html", _status(error), problem=in_words(error))

    return endpoint


def done(work: Callable[[Request, Form], Response | None]) -> Endpoint:
    """Return an endpoint for one of the app's forms; it leads to the page that the form names, or to its own."""

    async def endpoint(request: Request) -> Response:
        form = await _form(request)
        if not hmac.compare_digest(form.pop("csrf", ""), guard_of(request).csrf):
            return PlainTextResponse("Refused: this form is not from the app's own pages; load the page again.", 403)
        try:
            made = await run_in_threadpool(work, request, form)
        except TherapyGenError as error:
            return page(request, "problem.html", _status(error), problem=in_words(error))
        return made if made is not None else RedirectResponse(_back(form), 303)

    return endpoint


def json_endpoint(work: Callable[[Request, dict[str, Any]], Any]) -> Endpoint:
    """Return an endpoint for the app's scripts: JSON in, JSON out."""

    async def endpoint(request: Request) -> Response:
        said: dict[str, Any] = {}
        if request.method == "POST":
            if not hmac.compare_digest(request.headers.get("x-csrf", ""), guard_of(request).csrf):
                return JSONResponse({"error": "this page is of an app that has ended; load it again"}, 403)
            try:
                said = dict(await request.json()) if await request.body() else {}
            except (ValueError, TypeError):
                return JSONResponse({"error": "no JSON object"}, 400)
        try:
            return JSONResponse(await run_in_threadpool(work, request, said))
        except TherapyGenError as error:
            return JSONResponse({"error": in_words(error)}, _status(error))
        except (KeyError, TypeError, ValueError) as error:
            return JSONResponse({"error": f"what was sent makes no sense ({error})"}, 400)

    return endpoint


def sound(request: Request, size: int, read: Callable[[int, int], Iterator[bytes]]) -> Response:
    """Return a WAV file, or the requested range of it, while it is rendered."""
    start, stop, status = 0, size, 200
    headers = {"Accept-Ranges": "bytes"}
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if found and (found[1] or found[2]):
        start = int(found[1]) if found[1] else max(size - int(found[2]), 0)
        stop = min(int(found[2]) + 1, size) if found[1] and found[2] else size
        status = 206
        if not 0 <= start < stop:
            return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    headers["Content-Length"] = str(stop - start)
    return _Streaming(read(start, stop), status, headers, "audio/wav")


def number(text: str, what: str) -> float:
    """Return a typed number; InputError where it is not one."""
    try:
        return float(text.replace(",", "."))
    except ValueError as error:
        raise InputError(f"{what} {text!r} is not a number; type one such as 40") from error


async def _form(request: Request) -> Form:
    body = await request.body()
    if len(body) > _LARGEST_BODY:
        return {}
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _back(form: Form) -> str:
    """Return the page of the app that a form leads back to."""
    wanted = form.get("back", "/")
    return wanted if wanted.startswith("/") and not wanted.startswith(("//", "/\\")) else "/"


def _status(error: TherapyGenError) -> int:
    if isinstance(error, NotFoundError):
        return 404
    return 503 if isinstance(error, DatabaseError) else 400
