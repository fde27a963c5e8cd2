"""The places of a transport for requests under way, and its connections.

A request takes a place, and with it a connection to its origin. If no place is free it waits, first
come, first served, until one is given back.
"""

from __future__ import annotations

import threading
from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from leeward._http.connection import Connection
from leeward._http.exchange import Exchange
from leeward._http.libcurl import leak
from leeward._http.messages import BULKHEAD, Failure, refuse
from leeward._http.options import TransportOptions
from leeward.calls import ISOLATED, AttemptTime, is_barred
from leeward.forking import Forkable

if TYPE_CHECKING:
    from collections.abc import Callable

C = TypeVar("C", bound=Connection)


class Pool(Generic[C]):
    """Leases connections to threads or tasks, `max_in_flight` at most at once.

    A lease is the user's own `Exchange`, made before anything is taken: an interrupt may strike
    between any two steps, and a lease can be released whatever has become of it.
    """

    def __init__(
        self,
        options: TransportOptions,
        make: Callable[[str, TransportOptions], C],
        clock: Callable[[], float],
    ) -> None:
        self._options = options
        self._make = make
        self._clock = clock
        self.is_closed = False
        self._start_empty()

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[C] = []
        self._busy: dict[Exchange, C] = {}
        self._waiting: dict[Exchange, Callable[[], object]] = {}  # in the order of their coming
        self._held = inf  # seconds, by the request that has given its place back last

    @property
    def in_flight(self) -> int:
        """How many places are taken."""
        return len(self._busy)

    @property
    def waiting(self) -> int:
        """How many requests wait for a place."""
        return len(self._waiting)

    @property
    def idle(self) -> list[C]:
        """The connections that are kept, the one used last at the end."""
        return self._idle.copy()

    def acquire(self, lease: Exchange) -> C | Failure | None:
        """Lease a connection, one that is kept if there is one; None if no place is free."""
        with self._lock:
            if self.is_closed:
                return refuse("closed")
            if self._waiting or len(self._busy) >= self._options.max_in_flight:
                return None
            return self._lease(lease)

    def wait(
        self, lease: Exchange, wake: Callable[[], object], timeout: float = inf
    ) -> Failure | None:
        """Wait in line; return a refusal if the line is full, or its end cannot be reached in time.

        `wake` is called once `collect` has something for it, from whatever thread; maybe this one.
        """
        with self._lock:
            if self.is_closed:
                return refuse("closed")
            if len(self._waiting) >= self._options.max_waiting:
                return refuse(
                    BULKHEAD,
                    f"{self._options.max_in_flight} requests are under way and "
                    f"{self._options.max_waiting} wait for their end",
                )
            if (
                isinstance(timeout, AttemptTime)
                and timeout.elsewhere
                and self._is_in_vain(timeout.wait)
            ):
                return refuse(BULKHEAD, self._none_in_time())
            self._waiting[lease] = wake
            woken = self._hand_on()
        for notify in woken:
            notify()
        return None

    def collect(self, lease: Exchange, timeout: float = inf) -> C | Failure:
        """Return the connection that was leased while `lease` waited; a refusal if none was."""
        if is_barred(timeout):
            return refuse(ISOLATED)
        with self._lock:
            if lease in self._busy:
                return self._busy[lease]
            if self.is_closed:
                return refuse("closed")
            return refuse(BULKHEAD, self._none_in_time())

    def _none_in_time(self) -> str:
        return f"none of {self._options.max_in_flight} places became free in time"

    def _is_in_vain(self, longest: float) -> bool:
        """Return whether so many are in the line that its end is not reached in the time to wait.

        Before any request has ended, that is if there are as many as places.
        """
        ahead, places = len(self._waiting), self._options.max_in_flight
        if self._held == inf:
            return ahead >= places
        return (ahead + 1) * self._held / places > longest

    def release(self, lease: Exchange) -> None:
        """Release what `lease` holds, if anything: its connection and place, or its turn."""
        surplus = None
        with self._lock:
            connection = self._busy.pop(lease, None)
            if connection is not None:
                self._held = self._clock() - connection.leased
                surplus = self._keep(connection)
            elif self._waiting:
                self._waiting.pop(lease, None)
            woken = self._hand_on() if self._waiting else ()
        if surplus is not None:
            surplus.close()
        for wake in woken:
            wake()

    def _lease(self, lease: Exchange) -> C:
        # The last one used is the least likely to have lost its connection.
        idle, origin = self._idle, lease.origin
        for index in range(len(idle) - 1, -1, -1):
            if idle[index].origin == origin:
                connection = self._busy[lease] = idle.pop(index)
                break
        else:
            connection = self._busy[lease] = self._make(origin, self._options)
        connection.leased = self._clock()
        return connection

    def _hand_on(self) -> list[Callable[[], object]]:
        """Lease to those who wait, as far as places are free; return how to wake them."""
        woken = []
        while self._waiting and len(self._busy) < self._options.max_in_flight:
            lease = next(iter(self._waiting))
            self._lease(lease)
            woken.append(self._waiting.pop(lease))
        return woken

    def _keep(self, connection: C) -> C | None:
        """Put `connection` with the idle ones; return one that has to go instead, if any has."""
        if self.is_closed or connection.is_dropped or not connection.is_reusable:
            return connection
        connection.used = self._clock()
        self._idle.append(connection)
        longest = self._idle[0]
        too_many = len(self._idle) > self._options.max_in_flight
        if too_many or connection.used - longest.used > self._options.max_idle:
            return self._idle.pop(0)
        return None

    def discard(self, connection: C) -> None:
        """Close `connection`, which is idle and has turned out useless."""
        with self._lock:
            if connection not in self._idle:
                return
            self._idle.remove(connection)
        connection.close()

    def drop(self, origin: str) -> None:
        """Close the idle connections to `origin` now, and those in use when they are given back."""
        with self._lock:
            idle = [connection for connection in self._idle if connection.origin == origin]
            self._idle = [connection for connection in self._idle if connection.origin != origin]
            for busy in self._busy.values():
                if busy.origin == origin:
                    busy.is_dropped = True
        for connection in idle:
            connection.close()

    def close(self) -> list[tuple[Exchange, C]]:
        """Close idle connections now, others when they are given back; return what is under way.

        Who waits for a place is refused.
        """
        with self._lock:
            self.is_closed = True
            idle, self._idle = self._idle, []
            waiting, self._waiting = self._waiting, {}
            busy = list(self._busy.items())
        for connection in idle:
            connection.close()
        for wake in waiting.values():
            wake()
        return busy

    def abandon(self) -> None:
        """Forget every connection without closing it: after a fork they are the parent's."""
        for connection in (*self._idle, *self._busy.values()):
            leak(connection.handle)
        self._start_empty()


class Pooled(Forkable):
    """A transport with a pool, for threads or an event loop."""

    _pool: Pool[Any]

    @property
    def in_flight(self) -> int:
        """How many requests are under way."""
        return self._pool.in_flight

    @property
    def waiting(self) -> int:
        """How many requests wait until others are done."""
        return self._pool.waiting

    @property
    def kept(self) -> int:
        """How many connections lie idle."""
        return len(self._pool.idle)

    def drop(self, origin: str) -> None:
        """Close every connection to `origin`; those in use when their request is done."""
        self._pool.drop(origin)
