"""A server on loopback that does what it is asked, and loses the answer in one of five ways."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from math import inf
from typing import Any, Final, NamedTuple, Self

import trustme

from index.stores import PROTOCOLS
from leeward_lose_answers.effects import Marks, Request, RequestReader, effect_of

WAYS: Final = {
    "refused": "no connection: nobody listens",
    "reset": "the call is done, then the connection is reset",
    "cut": "the call is done, and its answer ends in its middle",
    "gateway": "the call is done, and a gateway answers 503 with a page",
    "silence": "the call is done, and nothing comes until the client's time limit",
}

PLANS: Final = {
    "all": "every answer is lost",
    "once": "the first answer is lost, and a second call is answered",
    "gone": "the first answer is lost, and then nobody listens",
}

JSON: Final = {"Content-Type": "application/json"}
PAGE: Final = b"<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>"
RESET: Final = struct.pack("ii", 1, 0)
"""For SO_LINGER: a socket that is closed sends a reset."""


class Call(NamedTuple):
    """A request with an effect that the server has carried out.

    Attributes:
        key: by which a service recognises a repeat, with the name of its header or field.
        identity: equal for requests that are one effect, however often they come; or empty.
    """

    key: str
    identity: str


class Authority:
    """A certificate authority for one run, which has a certificate for every name."""

    def __init__(self) -> None:
        self._authority = trustme.CA()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self.pem = self._authority.cert_pem.bytes().decode()

    def context_for(self, name: str) -> ssl.SSLContext:
        """Return the context of a server with this name."""
        if name not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._authority.issue_cert(name).configure_cert(context)
            self._contexts[name] = context
        return self._contexts[name]

    def wrap(self, connection: socket.socket) -> ssl.SSLSocket:
        """Return the connection in TLS, with a certificate for the name that is asked for."""
        outer = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("localhost").configure_cert(outer)

        def choose(inner: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            if name:
                inner.context = self.context_for(name)

        outer.sni_callback = choose
        return outer.wrap_socket(connection, server_side=True)


class FaultServer:
    """A server that carries out each call and loses its answer.

    Attributes:
        port: where it listens; where nobody does if the way is ``refused``.
        calls: what it has carried out, in order.
    """

    def __init__(
        self, row: Mapping[str, Any], way: str, plan: str, authority: Authority | None = None
    ) -> None:
        """Listen.

        Args:
            row: of `sdks.toml`: ``answer``, ``status``, ``others`` and ``reads`` are of use here.
            way: one of `WAYS`, or empty to lose nothing.
            plan: one of `PLANS`.
            authority: signs certificates; without one there is no TLS.
        """
        self.calls: list[Call] = []
        self._latest = inf
        self._row, self._way, self._plan, self._authority = row, way, plan, authority
        self._marks = Marks(reads=row.get("reads", ()))
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        if self._way == "refused":
            self._listener.close()
        else:
            threading.Thread(target=self._accept, daemon=True).start()
        return self

    def _close(self) -> None:
        with contextlib.suppress(OSError):  # wakes the thread that accepts
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def __exit__(self, *_: object) -> None:
        self._close()
        for connection in self._open:
            connection.close()

    @property
    def quiet_seconds(self) -> float:
        """Seconds since the last call."""
        return time.monotonic() - self._latest

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._open.append(connection)
        with contextlib.suppress(OSError), connection:
            if self._authority and connection.recv(1, socket.MSG_PEEK) == b"\x16":  # a handshake
                connection = self._authority.wrap(connection)
                self._open.append(connection)
            if serve := PROTOCOLS.get(self._row.get("protocol", "")):
                for answer, key in serve(connection.makefile("rb")):
                    if key is None:
                        connection.sendall(answer)
                    elif not self._carry_out(connection, Call(key, key), answer, len(answer)):
                        return
            for request in _requests_on(connection):
                if not self._answer(connection, request):
                    return

    def _answer(self, connection: socket.socket, request: Request) -> bool:
        """Answer a request; return whether the connection stays open."""
        action = request.headers.get("x-amz-target") or request.target
        line = f"{request.method} {action}"
        for pattern, body in self._row.get("others", {}).items():
            if re.match(pattern, line):
                connection.sendall(_message(200, body.encode(), JSON))
                return True
        effect = effect_of(request, self._marks)
        if effect is None:
            connection.sendall(_message(200, b"{}", JSON))
            return True
        once = effect.fingerprint.hex() if effect.is_idempotent else ""
        once = "the same" if self._row.get("repeatable") else once
        body = self._row.get("answer", '{"id": "1"}').encode()
        headers = JSON | self._row.get("headers", {})
        message = _message(self._row.get("status", 200), body, headers)
        return self._carry_out(connection, Call(effect.key, effect.key or once), message, len(body))

    def _carry_out(self, connection: socket.socket, call: Call, message: bytes, size: int) -> bool:
        """Carry out a call, whose answer is `message` with a body of `size` bytes, or lose that.

        Returns:
            Whether the connection stays open.
        """
        with self._lock:
            self.calls.append(call)
            self._latest = time.monotonic()
            is_lost = bool(self._way) and (self._plan == "all" or len(self.calls) == 1)
        if not is_lost:
            connection.sendall(message)
            return True
        return self._lose(connection, message, size)

    def _lose(self, connection: socket.socket, message: bytes, size: int) -> bool:
        if self._plan == "gone":
            self._close()
        if self._way == "gateway":
            connection.sendall(_message(503, PAGE, {"Content-Type": "text/html"}))
            if self._plan != "gone":
                return True
        elif self._way == "cut":
            connection.sendall(message[: len(message) - (size // 2 or len(message) // 2)])
        elif self._way == "silence":
            while connection.recv(65536):  # until the client goes away
                pass
        elif self._way == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        if isinstance(connection, ssl.SSLSocket):  # closes the socket without a word of TLS
            socket.close(connection.detach())
        return False


def _requests_on(connection: socket.socket) -> Iterator[Request]:
    reader = RequestReader()
    while data := connection.recv(65536):
        if b"100-continue" in data:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        yield from reader.feed(data)


def _message(status: int, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
