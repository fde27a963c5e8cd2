"""The HTTP side of an app in development: its functions, and the console, on loopback alone.

Whatever a browser has open may send requests to this machine. So the guard refuses what another
origin sends, and what comes under another name than that of this machine; the console has a token
in its address besides.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import tempfile
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from html import escape
from pathlib import Path
from threading import Event, Thread
from typing import Final

import uvicorn
from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leeward.app.answers import Problem, refusal_answer
from leeward.app.app import App
from leeward.app.host import Host, HttpAnswer, HttpRequest, headers_of, http_answer, serve
from leeward.app.serving import ANSWER_BYTES, BODY_BYTES, SECONDS, THREADS
from leeward.app.triggers import Platform
from leeward.clock import SystemClock
from leeward.entropy import new_id
from leeward.envelope import NO_FUNCTION, sent_in
from leeward.errors import ConfigError
from leeward.text import did_you_mean
from leeward_dev.console import open_console
from leeward_dev.console.guard import SAFE, path_of_console
from leeward_dev.sources import Sources

PORT: Final = 8700
"""That is tried first."""

MORE_PORTS: Final = 20
"""That are tried after it, if nobody has named one."""

HOSTS: Final = ("127.0.0.1", "localhost", "[::1]")
"""Names of this machine that no name server is asked for."""

BACKLOG: Final = 128
"""Connections that wait while the app is loaded again."""

HEAD_SECONDS: Final = 0.3
"""For requests of connections that are there already when the server ends."""

TURNS: Final = 20
"""Of the loop, in which a connection that is accepted becomes a request."""

HEADERS: Final = {
    "cache-control": "no-store",
    "connection": "close",  # the next request waits for the next process, if there is one
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Of every answer that has none of its own."""

NOT_LOADED: Final = "not_loaded"
"""The reason of a refusal while the app cannot be loaded."""


def new_token() -> str:
    """Return a token for the address of a console."""
    return secrets.token_urlsafe(16)


def listen(port: int | None) -> list[socket.socket]:
    """Return sockets that listen on loopback, all at one port: of IPv4, and of IPv6 if it is there.

    Args:
        port: that is asked for; None for `PORT`, or a free one if that is taken.

    Raises:
        ConfigError: the port that was asked for cannot be listened at.
    """
    ports = [port] if port is not None else [*range(PORT, PORT + MORE_PORTS + 1), 0]
    for number in ports[:-1]:
        with suppress(OSError):
            return _listen_at(number)
    try:
        return _listen_at(ports[-1])
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        raise ConfigError(f"cannot listen at port {port}: {why}; name another --port") from error


def _listen_at(port: int) -> list[socket.socket]:
    sockets = [_await_requests(socket.create_server(("127.0.0.1", port), backlog=BACKLOG))]
    port = sockets[0].getsockname()[1]
    if not socket.has_ipv6:
        return sockets
    try:
        probe = socket.socket(socket.AF_INET6)
        with probe:
            probe.bind(("::1", 0))
    except OSError:  # this machine has no IPv6
        return sockets
    try:
        own_socket = socket.create_server(("::1", port), family=socket.AF_INET6, backlog=BACKLOG)
        sockets.append(_await_requests(own_socket))
    except OSError:  # somebody else has it: `localhost` could then be either
        sockets[0].close()
        raise
    return sockets


def _await_requests(listener: socket.socket) -> socket.socket:
    """Return a socket on which a connection is accepted once it has sent something.

    So a server that ends leaves one that has not to the next server; Linux alone can do that, see
    TCP_DEFER_ACCEPT in tcp(7). Elsewhere `HEAD_SECONDS` has to be enough.
    """
    option = getattr(socket, "TCP_DEFER_ACCEPT", None)
    if option is not None:
        with suppress(OSError):
            listener.setsockopt(socket.IPPROTO_TCP, option, int(SECONDS))
    return listener


class Guard:
    """Refuses requests of other origins, and adds headers to every answer.

    Args:
        app: what is behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return  # there are no web sockets, and no lifespan

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.encode(), value.encode())
                        for name, value in HEADERS.items()
                        if name.encode() not in names
                    ),
                ]
            await send(message)

        flaw = _flaw(scope)
        if flaw is not None:
            problem = Problem(flaw, status=403, reason="origin")
            await _response(http_answer(refusal_answer(problem)))(scope, receive, send_with_headers)
            return
        with suppress(ClientDisconnect):  # who calls has gone amid its payload: nothing has run
            await self._app(scope, receive, send_with_headers)


def _flaw(scope: Scope) -> str | None:
    """Return why a request is refused; None if it is not."""
    headers = Headers(scope=scope)
    if not is_own_host(headers, scope):
        return "the host must be localhost, 127.0.0.1 or [::1], with this port; nothing ran"
    if is_foreign(headers, scope):
        return "a page of another origin may not call; nothing ran"
    return None


def is_own_host(headers: Headers, scope: Scope) -> bool:
    """Return whether a request names this machine, and the port at which it has come."""
    server = scope.get("server")
    port = server[1] if server else 0
    names = {f"{name}:{port}" for name in HOSTS} | ({*HOSTS} if port == 80 else set())
    return headers.get("host", "").lower() in names


def is_foreign(headers: Headers, scope: Scope) -> bool:
    """Return whether a page of another origin has made a request; a program's has no such headers.

    Someone who types the address, or clicks a link to it, may look: a browser says "none", or that
    it navigates. Whatever changes something has to come from here.
    """
    origin = f"http://{headers.get('host', '').lower()}"
    if any(value != origin for value in headers.getlist("origin")):
        return True
    site = headers.get("sec-fetch-site", "none")
    if site in ("same-origin", "none"):
        return False
    is_page = headers.get("sec-fetch-mode") == "navigate"
    is_top = headers.get("sec-fetch-dest") == "document"
    return not (is_page and is_top and scope["method"] in SAFE)


class FunctionCalls:
    """Answers calls of the functions of an app, as a deployed one would.

    Args:
        app: with the functions.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._host = Host(app, Platform("http", None, SystemClock(), ANSWER_BYTES))
        self._limiter: CapacityLimiter | None = None

    async def answer(self, request: Request) -> Response:
        """Answer a request: the name of the function is the last part of its path."""
        name = request.path_params["name"]
        headers = headers_of(request.headers.items())
        mark = sent_in(headers).mark
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > BODY_BYTES:
                problem = Problem("the payload is too large", status=413, reason="payload")
                return _response(http_answer(refusal_answer(problem), mark))
        handler = self._host.function_at(f"/{name}")
        if handler is None:
            return _response(http_answer(refusal_answer(self._no_function(name)), mark))
        call = HttpRequest(request.method, request.url.path, headers, bytes(body), "local")
        if self._limiter is None:  # it belongs to the loop that runs now
            self._limiter = CapacityLimiter(THREADS)
        call_id = new_id(SystemClock.now())
        answer = await to_thread.run_sync(
            serve, self._host, handler, call, call_id, SECONDS, limiter=self._limiter
        )
        return _response(answer)

    def _no_function(self, name: str) -> Problem:
        handlers = self._app.handlers
        if name in handlers:
            kind = handlers[name].kind.value
            text = f"the {kind} handler {name!r} is not a function: leeward trigger {name}"
        else:
            functions = [handler.name for handler in handlers.values() if handler.is_call]
            near = did_you_mean(name, functions) or f"; known: {', '.join(functions) or 'none'}"
            text = f"the app {self._app.name!r} has no function {name!r}{near}"
        return Problem(text, status=404, reason=NO_FUNCTION)


def _response(answer: HttpAnswer) -> Response:
    body = answer.body + b"\n" if answer.body else b""  # for who looks at it in a terminal
    response = Response(body, answer.status)
    for name, value in answer.headers:
        response.headers[name] = value
    return response


def pages_of_app(app: App, sources: Sources, token: str, port: int) -> ASGIApp:
    """Return what serves an app: ``/invoke/NAME``, and the console, which wants its token."""
    calls = FunctionCalls(app)
    functions = [handler.name for handler in app.handlers.values() if handler.is_call]
    lines = [f"leeward dev runs the app {app.name!r}. Call a function:", ""]
    lines += [f"curl -d '{{}}' http://localhost:{port}/invoke/{name}" for name in functions]
    lines += ["", "The address of the console, with its token, is in the terminal.", ""]
    text = "\n".join(lines)

    async def show(request: Request, fault: Exception | None = None) -> Response:
        del request
        return PlainTextResponse(text, 200 if fault is None else 404)

    async def tell_health(request: Request) -> Response:
        del request
        return JSONResponse({"status": "ok"})

    return Starlette(
        exception_handlers={404: show},
        routes=[
            Route("/", show),
            Route("/health", tell_health),
            Route("/invoke/{name}", calls.answer, methods=["POST", "GET", "PUT", "DELETE"]),
            Mount(path_of_console(token), open_console(sources, token=token)),
        ],
    )


def pages_of_console(sources: Sources, token: str) -> ASGIApp:
    """Return what serves a console alone, which wants its token."""
    return Starlette(routes=[Mount(path_of_console(token), open_console(sources, token=token))])


def pages_of_fault(fault: str) -> ASGIApp:
    """Return what answers while an app cannot be loaded: calls are refused, pages show why."""

    async def refuse(request: Request) -> Response:
        mark = sent_in(headers_of(request.headers.items())).mark
        text = f"the app cannot be loaded; nothing ran. {fault}"
        problem = Problem(text, status=503, reason=NOT_LOADED)
        return _response(http_answer(refusal_answer(problem), mark))

    async def tell_health(request: Request) -> Response:
        del request
        return JSONResponse({"status": "failing"}, status_code=503)

    page = HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>The app cannot be loaded'
        '</title><meta name="viewport" content="width=device-width">'
        '<meta http-equiv="refresh" content="1">'
        "<style>body{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:50rem;"
        "padding:0 1rem}pre{white-space:pre-wrap;overflow-wrap:anywhere}"
        "@media(prefers-color-scheme:dark){body{background:#111;color:#eee}}</style>"
        f'<h1>The app cannot be loaded</h1><pre role="alert">{escape(fault)}</pre>'
        "<p>Change the file: the app is loaded again, and this page shows the console.</p></html>",
        status_code=503,
        headers={"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"},
    )
    return Starlette(
        routes=[
            Route("/health", tell_health),
            Mount("/console", page),
            Mount("/", Starlette(routes=[Route("/{path:path}", refuse, methods=_METHODS)])),
        ]
    )


_METHODS: Final = ["GET", "POST", "PUT", "DELETE"]


class PageServer:
    """Serves pages on a thread of its own.

    Args:
        pages: what is behind the guard.
        sockets: that listen, all at one port; they are closed with the server.
        drain: whole seconds that requests have to end in.
    """

    def __init__(self, pages: ASGIApp, sockets: Sequence[socket.socket], drain: int) -> None:
        config = uvicorn.Config(
            Guard(pages),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=drain,
        )
        self._server = _Server(config)
        self._sockets = [*sockets]
        self._thread = Thread(target=self._run, name="leeward-dev-http", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self, timeout: float) -> bool:
        """Accept nothing more, and let requests end; return whether all have in so many seconds."""
        self._server.should_exit = True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.run(self._server.serve(self._sockets))


class _Server(uvicorn.Server):
    """A server that ends without a request that was sent already and not read yet."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing more, let requests come in that are on their way, and let them end."""
        for listener in (one for server in self.servers for one in server.sockets):
            asyncio.get_running_loop().remove_reader(listener.fileno())
        for _ in range(TURNS):  # not seconds: a busy machine may take them all
            await asyncio.sleep(0)
        for server in self.servers:  # what is accepted, and not yet known to it, would be lost
            server.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(HEAD_SECONDS):
                await self._wait_for_connections()
        await super().shutdown(sockets)

    async def _wait_for_connections(self) -> None:
        while self.server_state.connections:  # noqa: ASYNC110 - it is the library's, and has no event
            await asyncio.sleep(0.01)


def address_of_console(port: int, token: str) -> str:
    """Return the address of a console on this machine."""
    return f"http://127.0.0.1:{port}{path_of_console(token)}/?token={token}"


@contextmanager
def open_in_browser(address: str) -> Iterator[None]:
    """Open an address by a file that leads to it, until the end: others read command lines."""
    with tempfile.TemporaryDirectory(prefix="leeward-") as folder:  # its mode is 0700
        file = Path(folder, "console.html")
        file.touch(0o600)
        file.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={address}">')
        webbrowser.open(file.as_uri())
        yield


def serve_console(
    sources: Sources, *, port: int | None, ready: Callable[[str], object], opens: bool = False
) -> None:
    """Serve a console alone, until the process is asked to end: SIGINT or SIGTERM.

    Args:
        sources: of the console.
        port: that is asked for; None for a free one, from `PORT` on.
        ready: called with the address, once it listens.
        opens: it in a browser.

    Raises:
        ConfigError: the port cannot be listened at.
    """
    sockets, ends = listen(port), Event()
    token = new_token()
    before = {
        each: signal.signal(each, lambda *_: ends.set()) for each in (signal.SIGINT, signal.SIGTERM)
    }
    server = PageServer(pages_of_console(sources, token), sockets, drain=1)
    try:
        server.start()
        address = address_of_console(sockets[0].getsockname()[1], token)
        ready(address)
        with open_in_browser(address) if opens else nullcontext():
            ends.wait()
    finally:
        sources.feed.close()
        server.close(2.0)
        for number, handler in before.items():
            signal.signal(number, handler)
