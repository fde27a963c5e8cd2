"""One connection on its way through the proxy, and what a toxic can do with it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.servers.certificates import Authority, Certificate
from tests.servers.faultproxy.exchange import Address, Exchange, RequestToxic, UpstreamFailed
from tests.servers.faultproxy.ledger import Ending, Entry, RequestSeen
from tests.servers.faultproxy.schedule import Schedule
from tests.servers.framing import BadMessage, CutOff, Message
from tests.servers.wire import CHUNK, HandshakeFailed, PeerLeft, Wire, accepted, reset_on_close

_ENDINGS: dict[type[BaseException], Ending] = {
    HandshakeFailed: Ending.HANDSHAKE_FAILED,
    PeerLeft: Ending.CLIENT_CLOSED,
    CutOff: Ending.CLIENT_CLOSED,
    ConnectionError: Ending.CLIENT_RESET,
    ssl.SSLError: Ending.CLIENT_RESET,
    UpstreamFailed: Ending.UPSTREAM_FAILED,
    BadMessage: Ending.MALFORMED,
    asyncio.CancelledError: Ending.CUT,
}
"""How a connection ended that ended by an exception. The first that fits counts."""


class Service(NamedTuple):
    """What a proxy's connections share; `note` is given each request that was read in full."""

    upstream: Address
    tls: Authority | None
    faults: Schedule[RequestToxic]
    note: Callable[[Message], None]


class Arrival:
    """A connection that was accepted, before anything was read, and the ways to deal with it."""

    def __init__(self, sock: socket.socket, entry: Entry, service: Service) -> None:
        self._sock = sock
        self._entry = entry
        self._service = service

    async def serve(self, certificate: Certificate = Certificate.GOOD) -> None:
        """Do what a proxy should, but show `certificate` where the proxy speaks TLS."""
        tls = self._service.tls
        context = tls.server_context(certificate) if tls else None
        async with accepted(self._sock, context, self._entry.count) as wire:
            with noting_the_end(self._entry):
                await self._converse(wire)

    async def swallow(self) -> None:
        """Read without ever answering, until the client goes away."""
        while await self.read():
            pass
        self._entry.ended(Ending.CLIENT_CLOSED)

    async def read(self) -> bytes:
        """Read the bytes that come, be they TLS or not; empty when the client has closed."""
        data = await asyncio.get_running_loop().sock_recv(self._sock, CHUNK)
        self._entry.count(len(data), 0)
        return data

    async def blurt(self, data: bytes) -> None:
        """Send `data` as it is, outside of any TLS, and close."""
        self._entry.count(0, len(data))
        self._entry.ended(Ending.CLOSED)
        await asyncio.get_running_loop().sock_sendall(self._sock, data)

    async def reset(self) -> None:
        """Reset the connection."""
        self._entry.ended(Ending.RESET)
        reset_on_close(self._sock)

    async def _converse(self, wire: Wire) -> None:
        while request := await wire.next_request():
            toxic = self._service.faults.take()
            name = toxic.name if toxic else None
            self._service.note(request)
            self._entry.asked(RequestSeen(request.method, request.target, name))
            exchange = Exchange(request, wire, self._entry, self._service.upstream)
            await (toxic.act(exchange) if toxic else exchange.pass_on())
            if not (wire.closed or exchange.keeps_alive):
                await exchange.close()
            if wire.closed:
                return
        self._entry.ended(Ending.CLIENT_CLOSED)


class ConnectionToxic(NamedTuple):
    """A fault of one connection: its name in the log, and what it does with the arrival."""

    name: str
    act: Callable[[Arrival], Awaitable[None]]
    needs_tls: bool = False


@contextmanager
def noting_the_end(entry: Entry) -> Iterator[None]:
    """Note how the connection ended if the block ends by an exception that says so."""
    try:
        yield
    except tuple(_ENDINGS) as error:
        entry.ended(next(ending for kind, ending in _ENDINGS.items() if isinstance(error, kind)))
