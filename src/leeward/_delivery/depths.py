"""How much waits at a target, for OpenTelemetry: read beside the work, and never more than needed.

Whoever collects metrics gets what was read last, and lets it be read anew on a thread of its own if
that was a while ago. So nobody waits for the store: no call, no attempt and no exporter.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Final
from weakref import WeakMethod

from leeward.clock import Clock
from leeward.forking import Forkable, watch
from leeward.leases.faults import DatabaseFault
from leeward.otel import (
    MESSAGING_NAME,
    QUEUE_AGE,
    QUEUE_DEAD,
    QUEUE_WAITING,
    SUBSCRIPTION,
    TARGET,
    load,
)
from leeward.stores import QUEUED_CALL, DeliveryRows, Depth, Recipient, sent_at

READ_SECONDS: Final = 10.0
"""The least time between two readings, however often metrics are collected."""

MOST_COUNTED: Final = 10_000
"""Rows of one recipient that are counted. That takes some 10 ms of an embedded store's time, for
which its writers wait; and a backlog of more says the same."""


class DepthGauges(Forkable):
    """Gauges of how much waits for the handlers of a process, and for how long.

    All processes of one target tell the same, so dashboards take the largest, not the sum.
    """

    def __init__(
        self,
        target: str,
        store: DeliveryRows,
        recipients: Callable[[], Iterable[Recipient]],
        clock: Clock,
    ) -> None:
        self._target, self._store, self._known, self._clock = target, store, recipients, clock
        self._api = api = load()
        self._depths: list[Depth] | None = None
        self._read = -READ_SECONDS
        self._seen: dict[Recipient, tuple[str, float]] = {}
        self._is_closed = False
        self._begin()
        watch(self)
        gauge = api.meter.create_observable_gauge
        gauge(QUEUE_WAITING, [self._observer(lambda depth, _: depth.waiting)], "{message}")
        gauge(QUEUE_DEAD, [self._observer(lambda depth, _: depth.dead)], "{message}")
        gauge(QUEUE_AGE, [self._observer(self._age)], "s")

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def refresh(self) -> None:
        """Read anew, beside, if that was a while ago."""
        now = self._clock.monotonic()
        with self._lock:
            is_due = now - self._read >= READ_SECONDS and self._thread is None
            if not is_due or self._is_closed:
                return
            self._read = now
            self._thread = threading.Thread(target=self._run, name="leeward-depths", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Read nothing more."""
        with self._lock:
            self._is_closed, thread = True, self._thread
        if thread is not None:
            thread.join(1.0)

    def renew(self, *, held: bool) -> None:
        """Begin in a child: its parent's thread is not there."""
        del held
        self._begin()

    def _run(self) -> None:
        depths: list[Depth] | None = None
        try:
            depths = self._store.depths([*self._known()], MOST_COUNTED)
            now = self._clock.now()
            for depth in depths:
                key, _ = self._seen.get(depth.recipient, (None, 0.0))
                if depth.key is not None and key != depth.key:
                    self._seen[depth.recipient] = (depth.key, now)
        except DatabaseFault:
            pass  # a gauge without a value says so
        finally:
            with self._lock:
                self._depths, self._thread = depths, None

    def _age(self, depth: Depth, now: float) -> float:
        """Return the seconds since the first row that waits was sent; 0 if none waits.

        One whose key does not tell that counts from when this process has first seen it.
        """
        if depth.key is None:
            return 0.0
        sent = sent_at(depth)
        _, seen = self._seen.get(depth.recipient, ("", now))
        return max(0.0, now - (seen if sent is None else sent))

    def _observer(
        self, value: Callable[[Depth, float], float]
    ) -> Callable[[object], Iterable[Any]]:
        method, observation = WeakMethod(self._look), self._api.metrics.Observation

        def observe(_: object) -> Iterable[Any]:
            look = method()
            if look is None:
                return []
            depths, now = look()
            return [observation(value(depth, now), self._attributes(depth)) for depth in depths]

        return observe

    def _look(self) -> tuple[list[Depth], float]:
        self.refresh()
        with self._lock:
            return [] if self._is_closed else self._depths or [], self._clock.now()

    def _attributes(self, depth: Depth) -> dict[str, str]:
        bus, subscriber = depth.recipient
        if bus == QUEUED_CALL:
            return {TARGET: self._target, MESSAGING_NAME: subscriber}
        return {TARGET: self._target, MESSAGING_NAME: bus, SUBSCRIPTION: subscriber}
