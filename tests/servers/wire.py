"""One accepted connection, as the servers of the tests use it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

from tests.servers.framing import Framer, Message

Count: TypeAlias = Callable[[int, int], None]
"""Is told, of every transfer, the bytes that came in and those that go out."""

CHUNK = 65536

_SHUTDOWN_SECONDS = 0.5
"""How long a client may take to acknowledge the end of a TLS session."""


class PeerLeft(Exception):
    """The client closed its side before the exchange was over."""


class HandshakeFailed(OSError):
    """No TLS session came about."""


def reset_on_close(sock: socket.socket) -> None:
    """Let the closing of `sock`, unless it is closed already, drop what is unsent and send RST."""
    if sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _uncounted(_received: int, _sent: int) -> None:
    pass


class Wire:
    """Reads requests from a client and writes bytes to it, over TCP or TLS.

    Every method raises ConnectionError when the client reset the connection.

    Attributes:
        closed: True once this side has closed or reset the connection.
    """

    def __init__(
        self,
        sock: socket.socket,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        count: Count,
    ) -> None:
        self.closed = False
        self._sock = sock
        self._reader = reader
        self._writer = writer
        self._count = count
        self._framer = Framer()

    async def next_request(self) -> Message | None:
        """Read a whole request; give None when the client has closed instead.

        Raises:
            BadMessage: what came is no request; CutOff: it ended too early.
        """
        while (request := self._framer.next_request()) is None and not self._framer.ended:
            await self._read()
        return request

    async def send(self, data: bytes) -> None:
        """Write `data`, and wait until most of it is on its way."""
        self._count(0, len(data))
        self._writer.write(data)
        await self._writer.drain()

    async def pause(self, seconds: float | None) -> None:
        """Wait; for ever if None. Raises PeerLeft as soon as the client closes its side."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._framer.ended:
                    await self._read()
                raise PeerLeft

    async def close(self) -> None:
        """End the connection cleanly, after everything that was sent."""
        self.closed = True
        self._writer.close()
        # A client that is gone already has ended the connection in its own way.
        with suppress(OSError):
            await self._writer.wait_closed()

    async def reset(self) -> None:
        """Drop the connection with an RST."""
        self.closed = True
        reset_on_close(self._sock)
        self._writer.transport.abort()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _read(self) -> None:
        data = await self._reader.read(CHUNK)
        self._count(len(data), 0)
        self._framer.feed(data)


@asynccontextmanager
async def accepted(
    sock: socket.socket, context: ssl.SSLContext | None, count: Count = _uncounted
) -> AsyncIterator[Wire]:
    """Take over the accepted `sock`, after a TLS handshake if `context` is given.

    A wire that is not closed in the block is reset at its end.

    Raises:
        HandshakeFailed: the client did not like what it saw.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    patience = _SHUTDOWN_SECONDS if context else None
    try:
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, sock, ssl=context, ssl_shutdown_timeout=patience
        )
    except OSError as error:
        raise HandshakeFailed from error
    wire = Wire(sock, reader, asyncio.StreamWriter(transport, protocol, reader, loop), count)
    try:
        yield wire
    finally:
        if not wire.closed:
            await wire.reset()
