"""The proxy as a test holds it."""

from __future__ import annotations

import socket
from typing import TypeAlias

from tests.servers.certificates import Authority
from tests.servers.faultproxy.arrival import (
    Arrival,
    ConnectionToxic,
    Service,
    noting_the_end,
)
from tests.servers.faultproxy.exchange import Address, RequestToxic
from tests.servers.faultproxy.ledger import ConnectionSeen, Entry, RequestSeen
from tests.servers.faultproxy.schedule import Schedule
from tests.servers.faultproxy.toxics import Refusal
from tests.servers.framing import Message
from tests.servers.loopback import LoopbackServer

Toxic: TypeAlias = Refusal | ConnectionToxic | RequestToxic


class FaultProxy(LoopbackServer):
    """Passes HTTP/1.1 on to an upstream, but for the toxics that a test injects.

    Use it in a `with` statement. Its methods may be called from any thread but its own.

    Args:
        upstream: the IP address and port of a server that speaks HTTP/1.1 without TLS.
        tls: whose certificates it shows to clients; None for plain TCP.

    Attributes:
        upstream: the same.
    """

    def __init__(self, upstream: Address, tls: Authority | None = None) -> None:
        super().__init__(tls)
        self.upstream = upstream
        self._on_connect: Schedule[ConnectionToxic] = Schedule()
        self._on_request: Schedule[RequestToxic] = Schedule()
        self._service = Service(upstream, tls, self._on_request, self._note)
        self._entries: list[Entry] = []
        self._kept: list[bytes] | None = None

    def inject(self, toxic: Toxic, times: int | None = None) -> None:
        """Apply `toxic` from now on, after those of its kind that are queued already.

        A toxic of a connection takes effect on the next one that is accepted, a toxic of a request
        on the next one that has been read in full, be it on a new connection or on a kept one.

        Args:
            toxic: one of `tests.servers.faultproxy.toxics`.
            times: on how many connections, or requests; None for all until `heal`.

        Raises:
            ValueError: `times` is no such number, or the toxic needs TLS and this proxy has none.
        """
        if isinstance(toxic, RequestToxic):
            self._on_request.add(toxic, times)
        elif isinstance(toxic, ConnectionToxic):
            if toxic.needs_tls and self._tls is None:
                raise ValueError(f"{toxic.name} needs a proxy with tls")
            self._on_connect.add(toxic, times)
        else:
            if times is not None:
                raise ValueError("nobody sees refused connections, so they cannot be counted")
            self._in_loop(self._refuse())

    def heal(self) -> None:
        """Drop all toxics, and listen again. What a toxic has in hand goes on as it is."""
        self._on_connect.clear()
        self._on_request.clear()
        self._in_loop(self._listen())

    @property
    def log(self) -> tuple[ConnectionSeen, ...]:
        """Give every connection so far, in the order of their acceptance."""
        with self._changed:
            return tuple(entry.seen for entry in self._entries)

    @property
    def requests(self) -> tuple[RequestSeen, ...]:
        """Give every request so far, connection by connection."""
        return tuple(request for connection in self.log for request in connection.requests)

    def keep(self) -> None:
        """Keep every request that comes from now on as `kept`; payloads are large, so on demand."""
        with self._changed:
            self._kept = self._kept or []

    @property
    def kept(self) -> tuple[bytes, ...]:
        """Give the requests since `keep`, each whole and as it came, whatever was done to it."""
        with self._changed:
            return tuple(self._kept or ())

    def _note(self, request: Message) -> None:
        with self._changed:
            if self._kept is not None:
                self._kept.append(request.raw)

    async def _serve(self, sock: socket.socket) -> None:
        toxic = self._on_connect.take()
        entry = Entry(toxic.name if toxic else None, self._changed)
        with self._changed:
            self._entries.append(entry)
            self._changed.notify_all()
        arrival = Arrival(sock, entry, self._service)
        with noting_the_end(entry):
            await (toxic.act(arrival) if toxic else arrival.serve())
