"""A server of raw sockets on loopback that does exactly what a test scripts, and counts."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self

LIMIT = 20.0
"""Seconds that anything may take before a test gives up; nothing waits that long when it works."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class Peer:
    """One accepted connection, for a script."""

    def __init__(self, connection: socket.socket, wire: Wire) -> None:
        self._connection = connection
        self._wire = wire
        self.held = threading.Event()

    def read(self) -> bytes | None:
        """Give the next whole request, body included, and count it; None when there is no more."""
        head = self._read_until_blank()
        if head is None:
            return None
        body = b""
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                body = self._read_exactly(int(line.split(b":")[1]))
        self._wire.requests.append(head + body)
        return head + body

    def _read_until_blank(self) -> bytes | None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = self.receive(self._ahead(head))
            if not piece:
                return None
            head += piece
        return head

    def _ahead(self, head: bytes) -> int:
        """Return how many bytes may be taken: what stands behind a head is not touched."""
        if isinstance(self._connection, ssl.SSLSocket):  # nobody can peek into it
            return 1
        arrived = self._connection.recv(65_536, socket.MSG_PEEK)
        end = (head + arrived).find(b"\r\n\r\n")
        return max(1, len(arrived) if end < 0 else end + 4 - len(head))

    def _read_exactly(self, size: int) -> bytes:
        body = b""
        while len(body) < size and (piece := self.receive(size - len(body))):
            body += piece
        return body

    def peek(self) -> None:
        """Wait until something has arrived, and leave it there."""
        self._connection.recv(1, socket.MSG_PEEK)

    def receive(self, size: int) -> bytes:
        """Give some bytes, or none at the end."""
        return self._connection.recv(size)

    def send(self, data: bytes) -> None:
        """Send `data`."""
        self._connection.sendall(data)

    def reset(self) -> None:
        """Close with a TCP reset."""
        linger = struct.pack("ii", 1, 0)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._connection.close()

    def hold(self) -> None:
        """Do nothing until the test is over; from now on another thread may use the connection."""
        self.held.set()
        self._wire.over.wait(LIMIT)

    def wait(self, seconds: float) -> bool:
        """Wait; True as soon as the test is over."""
        return self._wire.over.wait(seconds)

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Shake hands as a TLS server."""
        self._connection = context.wrap_socket(self._connection, server_side=True)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def cut(self) -> None:
        """End the connection, and wake the thread that waits for it, which `close` would not."""
        with suppress(OSError):
            socket.socket.shutdown(self._connection, socket.SHUT_RDWR)


Script = Callable[[Peer], None]


def answer(*answers: bytes) -> Script:
    """Give a script that sends `answers` in turn, then the last one again and again."""

    def script(peer: Peer) -> None:
        queue = list(answers)
        while peer.read() is not None:
            peer.send(queue.pop(0) if len(queue) > 1 else queue[0])

    return script


def once(data: bytes) -> Script:
    """Give a script that reads one request, sends `data` and closes."""

    def script(peer: Peer) -> None:
        peer.read()
        peer.send(data)

    return script


def hang(peer: Peer) -> None:
    """Read a request and never answer."""
    peer.read()
    peer.hold()


class Wire:
    """A listening socket on loopback; every connection runs `script` in a thread of its own.

    Attributes:
        requests: the raw requests, in the order of their arrival.
        connections: how many were accepted.
        over: set when the test is over.
    """

    def __init__(
        self,
        script: Script,
        *,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.over = threading.Event()
        self._script = script
        self._tls = tls
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._peers: list[Peer] = []

    def origin(self, scheme: str = "http", host: str = "127.0.0.1") -> str:
        """Give the origin by which to reach it."""
        return f"{scheme}://{host}:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._peers:
            peer.cut()
        for thread in self._threads:
            thread.join(LIMIT)
            assert not thread.is_alive(), "a script of the server did not end"

    def on_each(self, act: Callable[[Peer], None]) -> None:
        """Do something on each connection that its script holds; some may have ended."""
        for peer in self._peers:
            with suppress(OSError):
                act(peer)

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._peers.append(Peer(connection, self))
            self._start(partial(self._serve, self._peers[-1]))

    def _serve(self, peer: Peer) -> None:
        # The client may be gone in the middle of any script: that is often the point.
        with suppress(OSError):
            if self._tls is not None:
                peer.start_tls(self._tls)
            self._script(peer)
        with suppress(OSError):
            peer.close()
