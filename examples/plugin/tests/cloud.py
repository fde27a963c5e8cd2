"""A Nimbus cloud on loopback: it runs functions, delivers events, keeps items, and fails on demand.

Every request is answered by JSON; what was asked for with 200, and a refusal with ``code`` and
``message``. Items carry the document, a revision and an expiry, which the caller's clock judges.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

TOKEN = "nimbus-token"
MAX_PAYLOAD = 1024 * 1024
MAX_EVENT = 256 * 1024


class Answer(NamedTuple):
    """A status and a JSON document."""

    status: int
    document: Any


class Item(NamedTuple):
    """A document as it was stored."""

    document: Any
    revision: str
    expires: float | None


class NimbusCloud:
    """One account, which serves until `stop`. It is what makes `Faults` of itself, too.

    Args:
        functions: by name; each takes the payload and returns the answer.
        subscribers: by bus; each takes an event as CloudEvents JSON.
    """

    def __init__(
        self,
        functions: Mapping[str, Callable[[Any], Any]],
        subscribers: Mapping[str, Callable[[Any], object]],
    ) -> None:
        self._functions = functions
        self._subscribers = subscribers
        self._items: dict[str, Item] = {}
        self._revisions = 0
        self._lock = threading.RLock()
        self._port = 0
        self._lost = 0
        self._throttled = False
        self.start()

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
        self._lost = times
        try:
            yield
        finally:
            self._lost = 0

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
        self._throttled = True
        try:
            yield
        finally:
            self._throttled = False

    def loses_this_answer(self) -> bool:
        """Return whether to hang up now."""
        with self._lock:
            self._lost -= 1
            return self._lost >= 0

    def answer(self, method: str, target: str, token: str | None, body: bytes) -> Answer:
        """Do what a request asks for."""
        if self._throttled:
            return _refusal(429, "too_many_requests", retry_after=1)
        if token != f"Bearer {TOKEN}":
            return _refusal(401, "bad_token")
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query))
        match method, *(unquote(part) for part in parts.path.split("/")[1:]):
            case "POST", "functions", name if name in self._functions:
                return self._call(name, body)
            case "POST", "buses", name if name in self._subscribers:
                return self._deliver(name, json.loads(body))
            case "GET", "tables", table, key:
                return self._get(f"{table}/{key}")
            case "PUT" | "DELETE", "tables", table, key:
                return self._change(f"{table}/{key}", query, json.loads(body or "null"))
        return _refusal(404, "not_here")

    def _call(self, name: str, body: bytes) -> Answer:
        if len(body) > MAX_PAYLOAD:
            return _refusal(413, "payload_too_large")
        try:
            return Answer(200, self._functions[name](json.loads(body)))
        except Exception as error:  # noqa: BLE001 - whatever a function raises
            fault = {"type": type(error).__name__, "message": str(error)}
            return _refusal(424, "function_failed", error=fault)

    def _deliver(self, bus: str, events: list[Any]) -> Answer:
        statuses = [413 if len(json.dumps(each)) > MAX_EVENT else 200 for each in events]
        for event, status in zip(events, statuses, strict=True):
            if status == 200:
                self._subscribers[bus](event)
        return Answer(200, {"statuses": statuses})

    def _get(self, key: str) -> Answer:
        item = self._items.get(key)
        return Answer(200, item and {"item": item.document, "revision": item.revision})

    def _change(self, key: str, query: Mapping[str, str], document: Any) -> Answer:
        with self._lock:
            there = self._items.get(key)
            if there and there.expires is not None and there.expires <= float(query["now"]):
                there = None
            wanted = query.get("if_revision")
            if (there and "if_absent" in query) or (
                wanted is not None and (there is None or there.revision != wanted)
            ):
                return _refusal(412, "condition_failed")
            self._items.pop(key, None)
            if document is None:
                return Answer(200, None)
            self._revisions += 1
            expires = float(query["expires"]) if "expires" in query else None
            self._items[key] = Item(document, str(self._revisions), expires)
            return Answer(200, {"revision": str(self._revisions)})


def _refusal(status: int, code: str, **more: Any) -> Answer:
    return Answer(status, {"code": code, "message": f"Nimbus says {code}", **more})


class _Server(ThreadingHTTPServer):
    """The sockets of a cloud."""

    def __init__(self, cloud: NimbusCloud, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.cloud = cloud
        self.connections: set[socket.socket] = set()

    def hang_up(self) -> None:
        for connection in list(self.connections):
            with suppress(OSError):  # its own thread may have closed it by now
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Return nothing: whoever hangs up first is right here."""


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
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        cloud = self.server.cloud
        answer = cloud.answer(self.command, self.path, self.headers.get("Authorization"), body)
        if cloud.loses_this_answer():
            self.close_connection = True
            return
        document = json.dumps(answer.document).encode()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(document)))
        self.send_header("Nimbus-Request", "request-1")
        self.end_headers()
        self.wfile.write(document)

    do_GET = do_PUT = do_DELETE = do_POST  # noqa: N815 - the names that http.server asks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
        """Log nothing."""
