"""A cloud on loopback for an adapter's tests: it answers over a real wire, and fails on demand."""

from __future__ import annotations

import io
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from leeward.adapter.wire import Response


class LoopbackCloud(ABC):
    """An HTTP server on 127.0.0.1 to derive a cloud from. It serves until `stop`, and is `Faults`.

    Attributes:
        spared: targets that faults leave alone: a token endpoint has a host of its own, and the
            contract counts the requests of calls.
    """

    on_wire = True
    spared: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self._port = 0
        self._to_lose = 0
        self._throttling = False
        self._instead: Callable[[Response], Response] | None = None
        self._drop_pause = 0.0
        self._no_more_drops = threading.Event()
        self._losing = threading.Lock()
        self.start()

    @abstractmethod
    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Do what a request asks for, on any thread.

        Args:
            method: upper case.
            target: path and query, as they came.
            headers: names in lower case.
            body: empty for none.
        """

    @abstractmethod
    def too_many_requests(self) -> Response:
        """Return how this cloud refuses a request before it looks at it."""

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Accept connections, on the same port as before."""
        self._server = _Server(self, self._port)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def stop(self) -> None:
        """Accept no more connections, and end those that are open."""
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()

    @contextmanager
    def lose_answers(self, times: int) -> Iterator[None]:
        """Do the work of the next requests, and hang up instead of answering."""
        self._to_lose = times
        try:
            yield
        finally:
            self._to_lose = 0

    @contextmanager
    def refuse(self) -> Iterator[None]:
        """Accept no connection."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def throttle(self) -> Iterator[None]:
        """Refuse everything before looking at it."""
        self._throttling = True
        try:
            yield
        finally:
            self._throttling = False

    @contextmanager
    def change_answers(self, change: Callable[[Response], Response]) -> Iterator[None]:
        """Do the work of every request, and answer with what `change` makes of its answer."""
        self._instead = change
        try:
            yield
        finally:
            self._instead = None

    @contextmanager
    def drip_answers(self, seconds: float) -> Iterator[None]:
        """Send each answer a byte at a time; at the end of the block the rest at once."""
        self._no_more_drops.clear()
        self._drop_pause = seconds
        try:
            yield
        finally:
            self._drop_pause = 0.0
            self._no_more_drops.set()

    def pause(self, target: str) -> bool:
        """Wait for the next byte of an answer; return whether answers are sent bytewise at all."""
        return (
            bool(self._drop_pause)
            and target not in self.spared
            and not self._no_more_drops.wait(self._drop_pause)
        )

    def respond(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Response | None:
        """Return the answer to a request; None to hang up instead."""
        if target in self.spared:
            return self.answer(method, target, headers, body)
        if self._throttling:
            return self.too_many_requests()
        response = self.answer(method, target, headers, body)
        if self._instead is not None:
            response = self._instead(response)
        with self._losing:
            self._to_lose -= 1
            return None if self._to_lose >= 0 else response


class _Server(ThreadingHTTPServer):
    """The sockets of a cloud."""

    def __init__(self, cloud: LoopbackCloud, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.cloud = cloud
        self.connections: set[socket.socket] = set()

    def hang_up(self) -> None:
        for connection in list(self.connections):
            with suppress(OSError):  # its own thread may have closed it by now
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a client may hang up first."""


class _Handler(BaseHTTPRequestHandler):
    """One connection, which may carry many requests."""

    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def do_POST(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        response = self.server.cloud.respond(self.command, self.path, headers, body)
        if response is None:
            self.close_connection = True
            return
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        wire, self.wfile = self.wfile, io.BytesIO()
        self.end_headers()
        answer, self.wfile = self.wfile.getvalue() + response.body, wire
        at = 0
        while self.server.cloud.pause(self.path) and at < len(answer):
            wire.write(answer[at : at + 1])
            wire.flush()
            at += 1
        wire.write(answer[at:])

    do_GET = do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815 - as http.server asks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
        """Log nothing."""
