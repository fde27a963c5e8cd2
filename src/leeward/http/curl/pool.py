"""The handles of a transport: which are in use, which are free, and how many may be."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from leeward.forking import Forkable, watch
from leeward.http.curl.forks import leak
from leeward.http.messages import Failure, Phase, Request
from leeward.http.options import TransportOptions

if TYPE_CHECKING:
    from collections.abc import Callable

BULKHEAD: Final = "bulkhead"
"""The code of a refusal because as many requests as may be are under way."""


class Lendable(Protocol):
    """A handle for one origin.

    Attributes:
        origin: what it is for.
        handle: pycurl's.
        used: when it was last given back.
        dropped: whether it is not to be lent again.
    """

    origin: str
    handle: Any
    used: float
    dropped: bool

    def prepare(self, request: Request, timeout: float) -> None:
        """Make `request` ready."""

    def rest(self) -> None:
        """Let go of the last request."""

    def close(self) -> None:
        """Close the connection, if there is one."""


H = TypeVar("H", bound=Lendable)


class Pool(Forkable, Generic[H]):
    """Lends handles to threads or tasks, `max_in_flight` at most at once.

    What a borrower holds is the ticket that it made itself: an interrupt may strike between any
    two steps, and a ticket can be given back whether or not the loan came about.

    Args:
        options: of the transport.
        make: makes a handle for an origin.
    """

    def __init__(
        self, options: TransportOptions, make: Callable[[str, TransportOptions], H]
    ) -> None:
        self._options = options
        self._make = make
        self._start_empty()
        watch(self)

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[H] = []
        self._busy: dict[object, H | None] = {}
        self._closed = False

    def prepared(self, ticket: object, request: Request, timeout: float) -> H | Failure:
        """Lend a handle on which `request` is ready to go; or a refusal, and nothing is sent.

        Args:
            ticket: what to give to `take_back`, whatever becomes of this.
            request: what to send.
            timeout: seconds.
        """
        if not timeout > 0:  # nor for what is no number
            return _refused("deadline")
        handle = self.lend(ticket, request.origin)
        if isinstance(handle, str):
            full = f"{self._options.max_in_flight} requests are under way already"
            return _refused(handle, full if handle == BULKHEAD else None)
        handle.prepare(request, timeout)
        return handle

    def lend(self, ticket: object, origin: str) -> H | str:
        """Return a handle for `origin`, one with a connection if there is one; or why not."""
        with self._lock:
            if self._closed:
                return "closed"
            if len(self._busy) >= self._options.max_in_flight:
                return BULKHEAD
            handle = self._busy[ticket] = self._idle_for(origin)
        if handle is None:
            handle = self._busy[ticket] = self._make(origin, self._options)
        return handle

    def _idle_for(self, origin: str) -> H | None:
        # The last one used is the least likely to have lost its connection.
        for index in range(len(self._idle) - 1, -1, -1):
            if self._idle[index].origin == origin:
                return self._idle.pop(index)
        return None

    def take_back(self, ticket: object) -> None:
        """End the loan of `ticket`, if there is one."""
        surplus = None
        with self._lock:
            handle = self._busy.pop(ticket, None)
            if handle is not None:
                surplus = self._keep(handle)
        if surplus is not None:
            surplus.close()

    def _keep(self, handle: H) -> H | None:
        """Put `handle` with the idle ones; give one that has to go instead, if any has."""
        handle.rest()
        if self._closed or handle.dropped:
            return handle
        handle.used = monotonic()
        self._idle.append(handle)
        longest = self._idle[0]
        too_many = len(self._idle) > self._options.max_in_flight
        if too_many or handle.used - longest.used > self._options.max_idle:
            return self._idle.pop(0)
        return None

    def drop(self, origin: str) -> None:
        """Close the idle handles for `origin` now, and those in use when they are given back."""
        with self._lock:
            idle = [handle for handle in self._idle if handle.origin == origin]
            self._idle = [handle for handle in self._idle if handle.origin != origin]
            for busy in self._busy.values():
                if busy is not None and busy.origin == origin:
                    busy.dropped = True
        for handle in idle:
            handle.close()

    def close(self) -> None:
        """Close the idle handles now, and those in use when they are given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for handle in idle:
            handle.close()

    def renew(self, *, held: bool = False) -> None:
        """Forget every handle without closing it: after a fork they are the parent's."""
        for handle in (*self._idle, *self._busy.values()):
            if handle is not None:
                leak(handle.handle)
        closed = self._closed
        self._start_empty()
        self._closed = closed


def _refused(code: str, message: str | None = None) -> Failure:
    return Failure(Phase.REFUSED_HERE, sent=False, code=code, message=message)
