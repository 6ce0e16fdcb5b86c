"""Who may use the app: a secret in the address or a pairing code, and requests that come from its own pages."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

_CODE_DIGITS = 6
_TRIES, _PAUSE_S = 5, 60.0
_SAFE = ("GET", "HEAD")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass
class Guard:
    """Admits browsers that know the token or the pairing code.

    Parameters
    ----------
    hosts : collection of str
        Host names of the app, with its port.
    lan : bool
        Whether there is a pairing code; then the app may also be called by the address at which a request arrives.
    new_code : callable
        Called with the new code after too many wrong ones.
    """

    hosts: Collection[str]
    lan: bool = False
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    code: str = field(default_factory=lambda: _new_code())
    new_code: Callable[[str], None] = lambda code: None
    _secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    _wrong: int = 0
    _closed_until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def cookie(self) -> str:
        """Name of the cookie; it contains the port, since browsers send cookies to all ports of a machine."""
        return f"therapy-gen-{next(iter(self.hosts)).rpartition(':')[2]}"

    @property
    def csrf(self) -> str:
        """The token that forms and scripts of the app's own pages send along."""
        return hmac.new(self._secret.encode(), b"csrf", "sha256").hexdigest()

    def is_known(self, request: Request) -> bool:
        """Say whether a request comes from an admitted browser."""
        return hmac.compare_digest(request.cookies.get(self.cookie, ""), self._secret)

    def let_in(self, response: Response) -> Response:
        """Admit the browser until the app ends."""
        response.set_cookie(self.cookie, self._secret, httponly=True, samesite="strict", path="/")
        return response

    def try_code(self, said: str) -> bool:
        """Say whether a pairing code is right; after some wrong ones there is a pause and a new code."""
        with self._lock:
            if not self.lan or time.monotonic() < self._closed_until:
                return False
            if hmac.compare_digest(said.strip().encode(), self.code.encode()):
                self._wrong = 0
                return True
            self._wrong += 1
            if self._wrong >= _TRIES:
                self._wrong, self.code, self._closed_until = 0, _new_code(), time.monotonic() + _PAUSE_S
                self.new_code(self.code)
            return False

    def refusal(self, request: Request) -> str | None:
        """Say why a request is refused from any browser; None where it is not."""
        own = set(self.hosts)
        if self.lan and (here := request.scope.get("server")):
            # The address itself; not a host name, which somebody else may point here.
            own.add(f"{here[0]}:{here[1]}")
        if request.headers.get("host", "") not in own:
            return "this address is not the app's"
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] not in own:
            return "another page asked for this"
        outside = request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        # A link from elsewhere opens the front door, and nothing else.
        if outside and (request.method not in _SAFE or request.url.path != "/"):
            return "another page asked for this"
        return None


def _new_code() -> str:
    return f"{secrets.randbelow(10**_CODE_DIGITS):0{_CODE_DIGITS}d}"


def guarded(
    guard: Guard,
) -> Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]:
    """Return the middleware that lets requests through to the pages."""

    async def dispatch(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = _answer(guard, request)
        if response is None:
            response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return dispatch


def _answer(guard: Guard, request: Request) -> Response | None:
    """Return the answer in place of a page; None where the page may answer."""
    refused = guard.refusal(request)
    if refused is not None:
        return PlainTextResponse(f"Refused: {refused}.", 403)
    given = request.query_params.get("token")
    if given is not None and request.method in _SAFE:
        if hmac.compare_digest(given.encode(), guard.token.encode()):
            return guard.let_in(RedirectResponse(request.url.path, 303))
        return PlainTextResponse("Refused: the token in the address is wrong; start `therapy-gen open` again.", 403)
    if guard.is_known(request) or request.url.path.startswith("/static/"):
        return None
    if guard.lan and request.url.path == "/pair":
        return None
    if guard.lan and request.method in _SAFE and request.url.path == "/":
        return RedirectResponse("/pair", 303)
    return PlainTextResponse("Refused: open the address that `therapy-gen open` printed, with its token.", 403)
