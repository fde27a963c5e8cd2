"""A client that sends the bytes it is told, and tells exactly what comes back."""

from __future__ import annotations

import socket
import ssl
from types import TracebackType
from typing import NamedTuple, Self

from tests.servers.faultproxy import Ending
from tests.servers.loopback import PATIENCE

REQUEST = b"POST /work?n=1 HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\nabc"


class Heard(NamedTuple):
    """Everything until the end of a connection, and how it ended: CLOSED or RESET."""

    data: bytes
    ended: Ending


class RawClient:
    """One connection to `address`, over TLS if `context` is given. Use it in a `with` statement."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext | None = None) -> None:
        self._sock = socket.create_connection(address, PATIENCE)
        if context:
            self._sock = self._wrapped(self._sock, context)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sock.close()

    def send(self, data: bytes) -> None:
        """Send `data`."""
        self._sock.sendall(data)

    def read(self, size: int) -> bytes:
        """Read `size` bytes, or fewer if the connection ends before."""
        data = b""
        while len(data) < size and (more := self._sock.recv(size - len(data))):
            data += more
        return data

    def read_to_the_end(self) -> Heard:
        """Read everything."""
        data = b""
        try:
            while more := self._sock.recv(65536):
                data += more
        except ConnectionResetError:
            return Heard(data, Ending.RESET)
        except ssl.SSLEOFError:
            if self._has_peer():
                raise
            return Heard(data, Ending.RESET)
        return Heard(data, Ending.CLOSED)

    def hears_nothing(self) -> bool:
        """Tell whether there is nothing to read right now, not even the end."""
        self._sock.setblocking(False)
        try:
            self._sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        finally:
            self._sock.settimeout(PATIENCE)
        return False

    def _has_peer(self) -> bool:
        """Tell a connection that was closed without a word of TLS from one that was reset.

        Python's ssl tells both by the same exception, but a reset socket has no peer any more.
        """
        try:
            self._sock.getpeername()
        except OSError:
            return False
        return True

    @staticmethod
    def _wrapped(sock: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
        try:
            # An end of the stream that TLS did not announce is no clean end.
            return context.wrap_socket(
                sock, server_hostname="127.0.0.1", suppress_ragged_eofs=False
            )
        except OSError:
            sock.close()
            raise
