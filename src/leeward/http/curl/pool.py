"""The easy handles of a transport: which are in use, which are free, and how many may be."""

from __future__ import annotations

import threading
from time import monotonic
from typing import Final

from leeward.http.curl.easy import Easy
from leeward.http.curl.forks import forsake_in_child, leak
from leeward.http.messages import Failure, Phase, Request
from leeward.http.options import TransportOptions

BULKHEAD: Final = "bulkhead"
"""The code of a refusal because as many requests as may be are under way."""


class Pool:
    """Lends handles to threads or tasks, `max_in_flight` at most at once.

    What a borrower holds is the ticket that it made itself: an interrupt may strike between any
    two steps, and a ticket can be given back whether or not the loan came about.
    """

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._start_empty()
        forsake_in_child(self)

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Easy] = []
        self._busy: dict[object, Easy | None] = {}
        self._closed = False

    def prepared(self, ticket: object, request: Request, timeout: float) -> Easy | Failure:
        """Lend a handle on which `request` is ready to go; or a refusal, and nothing is sent.

        Args:
            ticket: what to give to `take_back`, whatever becomes of this.
            request: what to send.
            timeout: seconds.
        """
        if timeout <= 0:
            return _refused("deadline")
        easy = self.lend(ticket, request.origin)
        if isinstance(easy, str):
            full = f"{self._options.max_in_flight} requests are under way already"
            return _refused(easy, full if easy == BULKHEAD else None)
        easy.prepare(request, timeout)
        return easy

    def lend(self, ticket: object, origin: str) -> Easy | str:
        """Give a handle for `origin`, one with a connection if there is one; or why not."""
        with self._lock:
            if self._closed:
                return "closed"
            if len(self._busy) >= self._options.max_in_flight:
                return BULKHEAD
            easy = self._busy[ticket] = self._idle_for(origin)
        if easy is None:
            easy = self._busy[ticket] = Easy(origin, self._options)
        return easy

    def _idle_for(self, origin: str) -> Easy | None:
        # The last one used is the least likely to have lost its connection.
        for index in range(len(self._idle) - 1, -1, -1):
            if self._idle[index].origin == origin:
                return self._idle.pop(index)
        return None

    def take_back(self, ticket: object) -> None:
        """End the loan of `ticket`, if there is one."""
        surplus = None
        with self._lock:
            easy = self._busy.pop(ticket, None)
            if easy is not None:
                surplus = self._keep(easy)
        if surplus is not None:
            surplus.close()

    def _keep(self, easy: Easy) -> Easy | None:
        """Put `easy` with the idle ones; give one that has to go instead, if any has."""
        if self._closed or easy.dropped:
            return easy
        easy.rest()
        easy.used = monotonic()
        self._idle.append(easy)
        longest = self._idle[0]
        too_many = len(self._idle) > self._options.max_in_flight
        if too_many or easy.used - longest.used > self._options.max_idle:
            return self._idle.pop(0)
        return None

    def drop(self, origin: str) -> None:
        """Close the idle handles for `origin` now, and those in use when they are given back."""
        with self._lock:
            idle = [easy for easy in self._idle if easy.origin == origin]
            self._idle = [easy for easy in self._idle if easy.origin != origin]
            for busy in self._busy.values():
                if busy is not None and busy.origin == origin:
                    busy.dropped = True
        for easy in idle:
            easy.close()

    def close(self) -> None:
        """Close the idle handles now, and those in use when they are given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for easy in idle:
            easy.close()

    def forsake(self) -> None:
        """Forget every handle without closing it: after a fork they are the parent's."""
        for easy in (*self._idle, *self._busy.values()):
            if easy is not None:
                leak(easy.handle)
        closed = self._closed
        self._start_empty()
        self._closed = closed


def _refused(code: str, message: str | None = None) -> Failure:
    return Failure(Phase.REFUSED_HERE, sent=False, code=code, message=message)
