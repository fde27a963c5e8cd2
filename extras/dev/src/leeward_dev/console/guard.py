"""Who may see the console, and what may be done in it.

The console is for the one person who has started it. It listens on loopback, which every program
and every page of a browser on this machine can reach. The server refuses what another origin sends
(`leeward_dev.server.Guard`). Here a request counts only

- with the cookie of a browser that has opened the address with the token, once: the token leaves
  the address at once. The console's path is made of the token, and is that of the cookie: a browser
  sends the cookies of 127.0.0.1 to each of its ports;
- and, if it changes something, with the seal that the console's own forms have.
"""

from __future__ import annotations

import hashlib
import hmac
from html import escape
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN: Final = "token"  # noqa: S105 - the name of a field
"""The field of the address."""
SEAL: Final = "seal"
"""The field of a form."""
COOKIE: Final = "leeward-console"

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
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token
        self._cookie = _derive(token, "cookie")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have the console answer it."""
        if scope["type"] != "http":  # there are no web sockets, and no lifespan
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await (self._log_in(scope) or self._app)(scope, receive, send_with_headers)

    def _log_in(self, scope: Scope) -> Response | None:
        """Return what gives a browser its cookie, or refuses one without; None for one with it."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(query).get(TOKEN)
        if given is not None and scope["method"] in SAFE:
            if not is_same(given, self._token):
                return _refusal(_HINT, 401)
            rest = urlencode([(key, value) for key, value in query if key != TOKEN])
            url = f"{quote(scope['path'])}?{rest}".rstrip("?")
            # No redirect: where a file or another site has led here, that is sent without a cookie
            # that is strict (RFC 6265bis, 5.2); the page's own next step is sent with it.
            link = f'<!doctype html><title>leeward</title><a href="{escape(url)}">The console</a>'
            answer = HTMLResponse(link, headers={"refresh": f"0; url={url}"})
            place = scope["root_path"]
            answer.set_cookie(COOKIE, self._cookie, path=place, httponly=True, samesite="strict")
            return answer
        cookies = cookie_parser(Headers(scope=scope).get("cookie", ""))
        if not is_same(cookies.get(COOKIE, ""), self._cookie):
            return _refusal(_HINT, 401)
        return None


_HINT: Final = "Open the address that the command has printed: it has a token at its end."


def path_of_console(token: str) -> str:
    """Return the path of a console, which nobody can guess who does not know its token."""
    return f"/console/{_derive(token, 'path')[:32]}"


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
