"""A proxy before PostgreSQL that loses answers, hangs up, refuses and throttles.

It reads as much of the protocol as that takes: what a chunk from the client begins with.
https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg

from leeward.adapter.wire import Response
from tests.servers.process import held_port

_READY = b"Z\x00\x00\x00\x05"
_CHECK = b".version"
"""In the statement that looks at a new connection: it is no request of a call."""


class PostgresProxy:
    """Stands between a driver and the server on `port`, and makes faults as a contract wants them.

    Attributes:
        requests: how many the server was sent.
    """

    on_wire = True

    def __init__(self, port: int) -> None:
        self._server = port
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._lose = self.requests = 0
        self._cut_before = self._spared = 0
        self._throttles = False
        self._change: Callable[[Response], Response] | None = None
        self._drip = 0.0
        self._holds = False
        self._held: list[bytes] = []
        self._holder = held_port()
        self.port: int = self._holder.getsockname()[1]
        self._listener = self._listen()

    @contextmanager
    def lose_answers(self, times: int) -> Iterator[None]:
        """Let the next requests do their work, and hang up in the place of their answers."""
        with self._lock:
            self._lose = times
        try:
            yield
        finally:
            with self._lock:
                self._lose = 0

    @contextmanager
    def change_answers(self, change: Callable[[Response], Response]) -> Iterator[None]:
        """Let requests do their work, answer with the body that `change` gives, and hang up."""
        self._change = change
        try:
            with self.lose_answers(1_000_000):
                yield
        finally:
            self._change = None

    @contextmanager
    def drip_answers(self, seconds: float) -> Iterator[None]:
        """Pass answers back a byte at a time."""
        self._drip = seconds
        try:
            yield
        finally:
            self._drip = 0.0

    @contextmanager
    def lose_requests(self, times: int, after: int = 0) -> Iterator[None]:
        """Hang up before the next requests reach the server, those that come `after` so many."""
        with self._lock:
            self._cut_before, self._spared = times, after
        try:
            yield
        finally:
            with self._lock:
                self._cut_before = 0

    @contextmanager
    def hold_requests(self) -> Iterator[None]:
        """Hang up before requests reach the server, and keep them for `deliver`."""
        self._holds = True
        try:
            yield
        finally:
            self._holds = False

    def deliver(self, url: str) -> None:
        """Let the server have, late, what was held.

        It is sent on a connection of its own, as it would be if the network had kept it.
        """
        held, self._held = self._held, []
        for chunk in held:
            with psycopg.connect(url, autocommit=True) as connection:
                descriptor = socket.socket(fileno=os.dup(connection.pgconn.socket))
                descriptor.setblocking(True)
                descriptor.sendall(chunk)
                answer = b""
                while answer[-6:-1] != _READY:
                    answer += descriptor.recv(1 << 20)
                descriptor.close()

    @contextmanager
    def refuse(self) -> Iterator[None]:
        """Let no connection come about."""
        _close(self._listener)
        self.cut()
        try:
            yield
        finally:
            self._listener = self._listen()

    @contextmanager
    def throttle(self) -> Iterator[None]:
        """Let the server have too many connections."""
        self._throttles = True
        self.cut()
        try:
            yield
        finally:
            self._throttles = False

    def cut(self) -> None:
        """Hang up on everybody."""
        with self._lock:
            ends, self._open = self._open, set()
        for each in ends:
            _close(each)

    def stop(self) -> None:
        """Close everything."""
        _close(self._listener)
        self._holder.close()
        self.cut()

    def _listen(self) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        if self._throttles:
            client.recv(65536)
            client.sendall(_error("FATAL", "53300", "sorry, too many clients already"))
            _close(client)
            return
        server = socket.create_connection(("127.0.0.1", self._server))
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open |= {client, server}
        losing = threading.Event()
        back = threading.Thread(target=self._pass_back, args=(server, client, losing), daemon=True)
        back.start()
        with suppress(OSError):
            while chunk := client.recv(1 << 20):
                if chunk[:1] in (b"P", b"Q") and _CHECK not in chunk:
                    with self._lock:
                        cut = self._is_cut()
                        if self._holds:
                            self._held.append(chunk)
                            cut = True
                        lost, self._lose = self._lose > 0, max(self._lose - 1, 0)
                        self.requests += not cut
                    if cut:
                        break
                    if lost:
                        losing.set()
                server.sendall(chunk)
        self._drop(client, server)

    def _is_cut(self) -> bool:
        if self._spared:
            self._spared -= 1
            return False
        cut, self._cut_before = self._cut_before > 0, max(self._cut_before - 1, 0)
        return cut

    def _pass_back(
        self, server: socket.socket, client: socket.socket, losing: threading.Event
    ) -> None:
        answer = b""
        with suppress(OSError):
            while chunk := server.recv(1 << 20):
                at = 0
                while self._drip and at < len(chunk):
                    client.sendall(chunk[at : at + 1])
                    at += 1
                    time.sleep(self._drip)
                if not losing.is_set():
                    client.sendall(chunk[at:])
                    continue
                answer += chunk
                if chunk[-6:-1] == _READY:
                    if self._change is not None:
                        client.sendall(self._change(Response(200, {}, answer)).body)
                    break
        self._drop(client, server)

    def _drop(self, *ends: socket.socket) -> None:
        with self._lock:
            self._open -= {*ends}
        for each in ends:
            _close(each)


def _error(severity: str, code: str, message: str) -> bytes:
    fields = (("S", severity), ("V", severity), ("C", code), ("M", message))
    body = b"".join(f"{key}{value}".encode() + b"\0" for key, value in fields) + b"\0"
    return b"E" + struct.pack("!I", len(body) + 4) + body


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
