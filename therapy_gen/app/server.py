"""The app as a server on this machine: its routes, its address, and how long it runs."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from therapy_gen.app import clients, headset, listener_pages
from therapy_gen.app.answers import done, guard_of, json_endpoint, page, shown
from therapy_gen.app.guard import Guard, guarded
from therapy_gen.errors import InputError
from therapy_gen.pages.html import asset

if TYPE_CHECKING:
    from therapy_gen.app.desk import Desk

_TYPES = {".js": "text/javascript", ".css": "text/css"}
LOOPBACK = "127.0.0.1"
# SIOCGIFADDR of Linux.
_GET_ADDRESS = 0x8915


@dataclass(frozen=True)
class Address:
    """The app's addresses.

    Attributes
    ----------
    url : str
        With the token; for this machine.
    port : int
    lan : tuple of str
        Addresses for other machines of the network.
    code : str
        The pairing code; empty without them.
    """

    url: str
    port: int
    lan: tuple[str, ...]
    code: str


def application(desk: Desk, guard: Guard) -> Starlette:
    """Return the app as an ASGI application.

    Examples
    --------
    >>> application(desk, Guard(["127.0.0.1:8000"]))  # doctest: +SKIP
    """
    post = ["POST"]
    routes = [
        Route("/", shown(listener_pages.home)),
        Route("/history", shown(listener_pages.history)),
        Route("/history/unmark", done(listener_pages.unmarked), methods=post),
        Route("/listener", done(listener_pages.chosen), methods=post),
        Route("/sessions/{session:int}", shown(listener_pages.shown_session)),
        Route("/sessions/{session:int}/heard", done(listener_pages.heard_elsewhere), methods=post),
        Route("/sessions/{session:int}/delete", done(listener_pages.deleted), methods=post),
        Route("/sessions/{session:int}/note", done(clients.noted), methods=post),
        Route("/sessions/{session:int}/measure", done(clients.measured), methods=post),
        Route("/sessions/{session:int}/assign", done(clients.assigned), methods=post),
        Route("/notes/delete", done(clients.unnoted), methods=post),
        Route("/sound/{session:int}.wav", shown(listener_pages.heard)),
        Route("/api/next", json_endpoint(listener_pages.upcoming)),
        Route("/api/roll/{piece}", json_endpoint(listener_pages.notes)),
        Route("/api/heard", json_endpoint(listener_pages.told), methods=post),
        Route("/api/rate", json_endpoint(listener_pages.rated), methods=post),
        Route("/api/mark", json_endpoint(listener_pages.marked), methods=post),
        Route("/api/settings", json_endpoint(listener_pages.wished), methods=post),
        Route("/clients", shown(clients.people)),
        Route("/clients/add", done(clients.added), methods=post),
        Route("/clients/{client:int}", shown(clients.client)),
        Route("/clients/{client:int}/print", shown(clients.printed)),
        Route("/clients/{client:int}/change", done(clients.changed), methods=post),
        Route("/clients/{client:int}/merge", done(clients.merged), methods=post),
        Route("/clients/{client:int}/archive", shown(clients.archived)),
        Route("/clients/{client:int}/forget", done(clients.forgotten), methods=post),
        Route("/clients/{client:int}/listen", done(clients.listening), methods=post),
        Route("/scales", shown(clients.scales)),
        Route("/scales/add", done(clients.scaled), methods=post),
        Route("/headset", shown(headset.headset)),
        Route("/api/headset", json_endpoint(headset.state)),
        Route("/api/headset/sources", json_endpoint(headset.sources)),
        Route("/api/headset/check", json_endpoint(headset.checked), methods=post),
        Route("/api/headset/record", json_endpoint(headset.recorded), methods=post),
        Route("/api/headset/stop", json_endpoint(headset.stopped), methods=post),
        Route("/pair", _pair, methods=["GET", "POST"]),
        Route("/static/{name}", _static),
    ]

    @contextlib.asynccontextmanager
    async def running(app: Starlette) -> AsyncIterator[None]:
        yield
        desk.close()

    app = Starlette(
        routes=routes, middleware=[Middleware(BaseHTTPMiddleware, dispatch=guarded(guard))], lifespan=running
    )
    app.state.desk, app.state.guard = desk, guard
    return app


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    kind = _TYPES.get(name[name.rfind(".") :], "")
    place = files("therapy_gen.app").joinpath("static", name)
    if not kind or "/" in name or "\\" in name or name.startswith(".") or not place.is_file():
        return PlainTextResponse("Not found", 404)
    content = place.read_text(encoding="utf-8")
    if name == "app.css":
        content = asset("therapy_gen.pages", "page.css") + content
    return Response(content, media_type=f"{kind}; charset=utf-8")


async def _pair(request: Request) -> Response:
    """Admit a phone that sends the code."""
    guard = guard_of(request)
    if guard.is_known(request):
        return RedirectResponse("/", 303)
    if not guard.lan:
        return PlainTextResponse("Refused: start `therapy-gen open --lan` to let other machines in.", 403)
    if request.method == "GET":
        return page(request, "pair.html", wrong=False)
    said = (await request.body()).decode("utf-8", "replace").partition("code=")[2].partition("&")[0]
    if guard.try_code(said):
        return guard.let_in(RedirectResponse("/", 303))
    return page(request, "pair.html", 403, wrong=True)


def serve(desk: Desk, port: int, *, lan: bool, ready: Callable[[Address, Guard], None]) -> None:
    """Run the app until it is interrupted.

    Parameters
    ----------
    desk : Desk
    port : int
        0 takes a free one.
    lan : bool
        Whether other machines of the network may connect, with a pairing code.
    ready : callable
        Called with the address once requests are answered.

    Raises
    ------
    InputError
        Where the port is not free.
    """
    listening_on = _listen("0.0.0.0" if lan else LOOPBACK, port)
    taken = listening_on.getsockname()[1]
    others = _own_addresses() if lan else []
    hosts = [f"{name}:{taken}" for name in (LOOPBACK, "localhost", *others)]
    guard = Guard(hosts, lan=lan)
    url = f"http://{LOOPBACK}:{taken}/?token={guard.token}"
    where = tuple(f"http://{name}:{taken}/" for name in others)
    address = Address(url, taken, where, guard.code if lan else "")
    config = uvicorn.Config(
        application(desk, guard),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        lifespan="on",
    )
    server = _Server(config, lambda: ready(address, guard))
    with listening_on:
        server.run(sockets=[listening_on])


class _Server(uvicorn.Server):
    """A server that reports when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def _listen(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except (OSError, OverflowError) as error:
        made.close()
        raise InputError(f"port {port} cannot be used: another program has it, or it is none; give another") from error
    return made


def _own_addresses() -> list[str]:
    """Return the addresses of this machine in its networks, the one towards the Internet first."""
    found = []
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Nothing is sent: the system only says which address it would use.
        probe.connect(("192.0.2.1", 9))
        found.append(probe.getsockname()[0])
    found += _addresses_of_interfaces()
    with contextlib.suppress(OSError):
        found += [entry[4][0] for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    return [name for name in dict.fromkeys(map(str, found)) if not name.startswith("127.")]


def _addresses_of_interfaces() -> list[str]:
    """Return the addresses of Linux's interfaces, including networks without Internet."""
    if sys.platform != "linux":
        return []
    import fcntl
    import struct

    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):
                answer = fcntl.ioctl(asking, _GET_ADDRESS, struct.pack("256s", name.encode()[:15]))
                found.append(socket.inet_ntoa(answer[20:24]))
    return found
