"""Who may see the console, and what may be done in it.

The console is for the one person who has started it. It listens on loopback, which every program
and every page of a browser on this machine can reach. So a request counts only

- with the cookie of a browser that has opened the address with the token, once: the token leaves
  the address at once, and with it history and logs;
- under a name of this machine in `Host`: another name that leads here was rebound to it;
- from the console's own pages: `Origin` and `Sec-Fetch-Site`, which no page can forge, say so;
- and, if it changes something, with the seal that the console's own forms have.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN: Final = "token"  # noqa: S105 - the name of a field
"""The field of the address."""
SEAL: Final = "seal"
"""The field of a form."""
COOKIE: Final = "leeward-console"
"""With the port behind it: browsers do not tell the ports of one host apart."""

HOSTS: Final = ("127.0.0.1", "localhost", "[::1]")
"""Names of this machine that no name server is asked for."""

USUAL_PORT: Final = 80
"""Of HTTP (RFC 9110, 4.2.1)."""

SAFE: Final = ("GET", "HEAD")

HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # Not no-referrer: a browser would then send `Origin: null` with the console's own forms
    # (Fetch Standard, "append a request Origin header").
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Of every answer. No page is kept, framed or read by another one, and it loads from here alone."""


class ConsoleGuard:
    """Lets requests through to the console that may be.

    Args:
        app: the console.
        token: that its address has. The cookie and the seal are made of it: it has to be random.
        ticket: that stands for the token once, where others may read the address; "" for none.
    """

    def __init__(self, app: ASGIApp, token: str, ticket: str = "") -> None:
        self._app = app
        self._token = token
        self._ticket = ticket
        self._cookie = _derive(token, "cookie")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have the console answer it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # a websocket: the console has none
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        answer = self._refuse(scope) or self._log_in(scope)
        await (answer or self._app)(scope, receive, send_with_headers)

    def _refuse(self, scope: Scope) -> Response | None:
        """Return the answer to a request that another origin has made."""
        headers = Headers(scope=scope)
        if not is_own_host(headers, scope):
            return _refusal("This address is not one of the console's.", 421)
        if is_foreign(headers, scope):
            return _refusal("A page of another origin has no way in here.", 403)
        return None

    def _log_in(self, scope: Scope) -> Response | None:
        """Return what gives a browser its cookie, or refuses one without; None for one with it."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        name = f"{COOKIE}-{_port_of(scope)}"
        given = dict(query).get(TOKEN)
        if given is not None and scope["method"] in SAFE:
            if self._ticket and is_same(given, self._ticket):
                self._ticket = ""
            elif not is_same(given, self._token):
                return _refusal(_HINT, 401)
            rest = urlencode([(key, value) for key, value in query if key != TOKEN])
            path = "/" + scope["path"].lstrip("/")  # two slashes would name a host
            answer = RedirectResponse(f"{path}?{rest}".rstrip("?"), 303)
            answer.set_cookie(
                name,
                self._cookie,
                path=scope.get("root_path") or "/",
                httponly=True,
                samesite="strict",
            )
            return answer
        cookies = cookie_parser(Headers(scope=scope).get("cookie", ""))
        if not is_same(cookies.get(name, ""), self._cookie):
            return _refusal(_HINT, 401)
        return None


_HINT: Final = "Open the address that the command has printed: it has a token at its end."


def is_own_host(headers: Headers, scope: Scope) -> bool:
    """Return whether a request names this machine, and the port at which it has come."""
    return headers.get("host", "") in _own_hosts(scope)


def is_foreign(headers: Headers, scope: Scope) -> bool:
    """Return whether a page of another origin has made a request; a program's has no such headers.

    Someone who types the address, or clicks a link to it, may look: a browser says "none", or that
    it navigates. Whatever changes something has to come from here.
    """
    origin = headers.get("origin")
    own = {f"http://{host}" for host in _own_hosts(scope)}
    if origin is not None and origin not in own:
        return True
    site = headers.get("sec-fetch-site", "none")
    if site in ("same-origin", "none"):
        return False
    is_page = headers.get("sec-fetch-mode") == "navigate"
    is_top = headers.get("sec-fetch-dest") == "document"
    return not (is_page and is_top and scope["method"] in SAFE)


def _own_hosts(scope: Scope) -> set[str]:
    """Return this machine's names with the port; a browser leaves out 80, the usual one of HTTP."""
    port = _port_of(scope)
    return {f"{host}:{port}" for host in HOSTS} | ({*HOSTS} if port == USUAL_PORT else set())


def _port_of(scope: Scope) -> int:
    server = scope.get("server")
    return int(server[1]) if server and server[1] else 0


def seal_of(token: str) -> str:
    """Return what the console's own forms have in the field `SEAL`, by the token of its address."""
    return _derive(token, "seal")


def is_same(one: str, other: str) -> bool:
    """Return whether two secrets are the same, in a time that says nothing of where they differ."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())


def _derive(token: str, use: str) -> str:
    return hmac.new(token.encode(), use.encode(), hashlib.sha256).hexdigest()


def _refusal(why: str, status: int) -> Response:
    return PlainTextResponse(f"{why}\n", status)
