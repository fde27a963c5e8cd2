"""The doors as courses: what a synchronous and an asynchronous client share, which is all.

A course checks its arguments, yields each call that is to be put to the router, with the seconds
for it, is sent the result, and returns what the door gives. A client only carries it out.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from leeward.adapter import Call, Driver, Result
from leeward.clock import Clock
from leeward.config import Config
from leeward.errors import ConfigError, LeewardError
from leeward.operations import arguments, results
from leeward.operations.batches import send_in_order
from leeward.operations.capabilities import needed, require
from leeward.operations.requests import Preparation
from leeward.routing import FailoverDriver
from leeward.values import (
    Effect,
    Event,
    InvokeResult,
    Item,
    Json,
    PublishReceipt,
    PublishReport,
    Receipt,
    Record,
    StoreReceipt,
    TargetStatus,
)

if TYPE_CHECKING:
    from datetime import timedelta

T = TypeVar("T")

Course: TypeAlias = Generator[tuple[Call, float], Result[Any], T]


class Front:
    """The doors of one client, and the router behind them.

    Attributes:
        router: takes each call to a target.
        closed: set it, and every door refuses.
    """

    def __init__(self, config: Config, drivers: Sequence[Driver], clock: Clock) -> None:
        self.router = FailoverDriver(
            drivers, home=config.data_target, homes=config.homes(), clock=clock
        )
        self.closed = False
        self._drivers = {driver.target: driver for driver in drivers}
        self._everywhere = frozenset.intersection(*(driver.capabilities for driver in drivers))
        self._clock = clock
        limits = {driver.target: driver.limits for driver in drivers}
        self._prepare = Preparation(config, limits, clock.now)

    def invoke(
        self,
        function: str,
        payload: Json,
        effect: Effect | str | None,
        idempotency_key: str | None,
        timeout: float | None,
    ) -> Course[InvokeResult]:
        """Call a function and wait for its answer."""
        call = self._prepare.invoke(function, payload, effect, idempotency_key)
        seconds = self._prepare.invoke_timeout(call, timeout)
        self._require(call)
        return results.invoked(call, (yield call, seconds))

    def enqueue(
        self,
        function: str,
        payload: Json,
        effect: Effect | str | None,
        idempotency_key: str | None,
        timeout: float | None,
    ) -> Course[Receipt]:
        """Queue a function call."""
        call = self._prepare.enqueue(function, payload, effect, idempotency_key)
        seconds = self._prepare.enqueue_timeout(timeout)
        self._require(call)
        return results.enqueued(call, (yield call, seconds))

    def publish_event(
        self, bus: str, event: Event, timeout: float | None
    ) -> Course[PublishReceipt]:
        """Publish one event."""
        call = self._prepare.publish(bus, event)
        seconds = self._prepare.event_timeout(bus, timeout)
        self._require(call)
        return results.published(call, (yield call, seconds))

    def publish_events(
        self, bus: str, events: Sequence[Event], timeout: float | None
    ) -> Course[PublishReport]:
        """Publish many events, request by request, until the deadline."""
        chunks = self._prepare.events(bus, events)
        deadline = self._clock.monotonic() + self._prepare.event_timeout(bus, timeout)
        for chunk in chunks:
            self._require(chunk)
        course = send_in_order(chunks)
        try:
            chunk = next(course)
            while True:
                left = deadline - self._clock.monotonic()
                chunk = course.send((yield chunk, left) if left > 0 else None)
        except StopIteration as end:
            return results.report(end.value)

    def store_data(
        self,
        table: str,
        item: Item,
        *,
        if_absent: bool,
        if_revision: str | None,
        expires_in: float | timedelta | None,
        timeout: float | None,
    ) -> Course[StoreReceipt]:
        """Store an item whole."""
        call = self._prepare.store(table, item, if_absent, if_revision, expires_in)
        seconds = self._prepare.data_timeout(table, timeout)
        self._require(call)
        return results.stored(call, (yield call, seconds))

    def load_data(
        self, table: str, key: str | Mapping[str, str], timeout: float | None
    ) -> Course[Record | None]:
        """Load an item."""
        call = self._prepare.load(table, key)
        seconds = self._prepare.data_timeout(table, timeout)
        self._require(call)
        return results.loaded(call, (yield call, seconds), self._clock.now())

    def delete_data(
        self,
        table: str,
        key: str | Mapping[str, str],
        if_revision: str | None,
        timeout: float | None,
    ) -> Course[StoreReceipt]:
        """Delete an item."""
        call = self._prepare.delete(table, key, if_revision)
        seconds = self._prepare.data_timeout(table, timeout)
        self._require(call)
        return results.deleted(call, (yield call, seconds))

    def targets(self) -> list[TargetStatus]:
        """Describe the targets, in order."""
        return [self._status(driver) for driver in self._drivers.values()]

    def native(self, target: str, service: str) -> object:
        """Return the vendor's own client of a service."""
        arguments.name(service, "service")
        if arguments.name(target, "target") not in self._drivers:
            raise ConfigError(
                f"no target {target!r} in the order; it has {', '.join(self._drivers)}"
            )
        return self._drivers[target].native(service)

    def _require(self, call: Call) -> None:
        if self.closed:
            raise LeewardError("this client is closed, and nothing was sent; open a new one")
        if not self._everywhere.issuperset(needed(call)):
            require(call, [self._drivers[name] for name in self.router.candidates(call)])

    def _status(self, driver: Driver) -> TargetStatus:
        evidence = self.router.evidence(driver.target)
        return TargetStatus(
            name=driver.target,
            capabilities=frozenset(capability.value for capability in driver.capabilities),
            settings=driver.describe(),
            attempts=evidence.attempts,
            failures=evidence.failures,
            last_outcome=evidence.last_outcome,
        )
