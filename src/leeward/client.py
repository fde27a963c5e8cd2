"""The client: one object, whichever cloud answers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self, cast

from leeward.clock import Clock, SystemClock
from leeward.config import Config, load_config, load_settings, with_order
from leeward.doors import arguments, conclude
from leeward.doors.batches import send_in_order
from leeward.doors.capabilities import require
from leeward.doors.prepare import Preparation
from leeward.driver import Call, Driver, Limits
from leeward.errors import ConfigError, LeewardError
from leeward.opening import open_order, own_order
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
    from datetime import datetime, timedelta
    from pathlib import Path
    from types import TracebackType


class Client:
    """Calls functions, publishes events and keeps items, on the targets of the failover order.

    One client may be shared by any number of threads. Use it as a context manager, or close it.

    Args:
        targets: the order, as in ``CLOUD_PROVIDER``; or a driver, or several, already open, which
            then belong to this client. By default ``CLOUD_PROVIDER``, else the configuration file,
            else ``local``, the embedded store.
        config: path of a ``leeward.toml``, or a `Config`. By default the file that
            ``LEEWARD_CONFIG`` names, else ``leeward.toml`` in the working directory.
        clock: for tests, `leeward.testing.FakeClock`.

    Raises:
        ConfigError: something configured is wrong; the message names the place and the remedy.
    """

    def __init__(
        self,
        targets: str | Driver | Sequence[Driver] | None = None,
        *,
        config: str | Path | Config | None = None,
        clock: Clock | None = None,
    ) -> None:
        settled, drivers = _settle(targets, config)
        self._clock: Clock = clock or SystemClock()
        self._closed = False
        self._drivers = {driver.target: driver for driver in drivers}
        self._router = FailoverDriver(drivers, home=settled.homes(), clock=self._clock)
        limits = Limits.smallest([driver.limits for driver in drivers])
        self._prepare = Preparation(settled, limits, self._clock.now)

    def invoke(
        self,
        function: str,
        payload: Json = None,
        *,
        effect: Effect | str | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> InvokeResult:
        """Call a function and wait for its answer.

        Args:
            function: its logical name.
            payload: JSON.
            effect: what repeating the call would do: ``read_only``, ``idempotent``, ``keyed`` or
                ``unsafe``. By default what is configured for the function, else ``unsafe``.
            idempotency_key: by which the function recognises a repeated call; minted if None.
            timeout: seconds for everything, retries and failover included. By default the
                function's configured ``timeout``, else 60.

        Raises:
            CallError: one class for each outcome; `OutcomeUnknown` if it may have run.
        """
        call = self._prepare.invoke(function, payload, effect, idempotency_key)
        seconds = self._prepare.invoke_timeout(call, timeout)
        self._require(call)
        return conclude.invoked(call, self._router.invoke(call, seconds))

    def enqueue(
        self,
        function: str,
        payload: Json = None,
        *,
        effect: Effect | str | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Receipt:
        """Queue a function call; there will be no answer. Arguments as for `invoke`.

        The receipt says that a target accepted the call. Platforms run an accepted call at least
        once. `timeout` is for the queueing, 10 seconds by default.
        """
        call = self._prepare.enqueue(function, payload, effect, idempotency_key)
        seconds = self._prepare.enqueue_timeout(timeout)
        self._require(call)
        return conclude.enqueued(call, self._router.enqueue(call, seconds))

    def publish_event(
        self,
        bus: str,
        type: str,
        data: Json | bytes = None,
        *,
        subject: str | None = None,
        id: str | None = None,
        time: datetime | None = None,
        ordering_key: str | None = None,
        timeout: float | None = None,
    ) -> PublishReceipt:
        """Publish one CloudEvent.

        Args:
            bus: its logical name.
            type: what happened, such as ``order.created``.
            data: JSON, or bytes.
            subject: what it happened to.
            id: unique for the configured source; minted if None. It stays the same through
                retries and failover, so that consumers can recognise a duplicate.
            time: aware; now if None.
            ordering_key: events of one key are delivered in order, where the target can.
            timeout: seconds; by default what is configured for the bus, else 10.

        Raises:
            CallError: one class for each outcome.
        """
        event = Event(type, data, id=id, time=time, subject=subject, ordering_key=ordering_key)
        call = self._prepare.publish(bus, event)
        seconds = self._prepare.event_timeout(bus, timeout)
        self._require(call)
        return conclude.published(call, self._router.publish(call, seconds))

    def publish_events(
        self, bus: str, events: Sequence[Event], *, timeout: float | None = None
    ) -> PublishReport:
        """Publish many events, in as few requests as the targets' limits allow.

        Only entries that failed are sent again. Look at the report's `failed`, or call
        `raise_if_failed`. `timeout` is for the whole batch.

        Raises:
            InvalidRequest: an event is wrong; none was sent.
        """
        chunks = self._prepare.events(bus, events)
        seconds = self._prepare.event_timeout(bus, timeout)
        for chunk in chunks:
            self._require(chunk)
        deadline = self._clock.monotonic() + seconds
        course = send_in_order(chunks)
        try:
            chunk = next(course)
            while True:
                left = deadline - self._clock.monotonic()
                chunk = course.send(self._router.publish(chunk, left) if left > 0 else None)
        except StopIteration as end:
            return conclude.report(end.value)

    def store_data(
        self,
        table: str,
        item: Item,
        *,
        if_absent: bool = False,
        if_revision: str | None = None,
        expires_in: float | timedelta | None = None,
        timeout: float | None = None,
    ) -> StoreReceipt:
        """Store an item whole, in the table's home. The key is taken from the item.

        Args:
            table: its logical name.
            item: string keys; values of None, bool, int, float, Decimal, str, bytes, aware
                datetime, list and dict, nested. `load_data` gives exactly these back.
            if_absent: store only if no item has this key.
            if_revision: store only if the item still has this revision.
            expires_in: seconds, or a timedelta, after which the item is not found any more.
            timeout: seconds; by default what is configured for the table, else 15.

        Raises:
            Conflict: the condition did not hold.
            CallError: one class for each other outcome.
        """
        call = self._prepare.store(table, item, if_absent, if_revision, expires_in)
        seconds = self._prepare.data_timeout(table, timeout)
        self._require(call)
        return conclude.stored(call, self._router.store(call, seconds))

    def load_data(
        self, table: str, key: str | Mapping[str, str], *, timeout: float | None = None
    ) -> Record | None:
        """Load an item from the table's home; None if there is none, or if it has expired.

        Args:
            table: its logical name.
            key: the key's value; a mapping where the key has two fields.
            timeout: seconds; by default what is configured for the table, else 15.
        """
        call = self._prepare.load(table, key)
        seconds = self._prepare.data_timeout(table, timeout)
        self._require(call)
        return conclude.loaded(call, self._router.load(call, seconds), self._clock.now())

    def delete_data(
        self,
        table: str,
        key: str | Mapping[str, str],
        *,
        if_revision: str | None = None,
        timeout: float | None = None,
    ) -> StoreReceipt:
        """Delete an item; that it was not there is no error, unless `if_revision` is given."""
        call = self._prepare.delete(table, key, if_revision)
        seconds = self._prepare.data_timeout(table, timeout)
        self._require(call)
        return conclude.deleted(call, self._router.delete(call, seconds))

    def targets(self) -> list[TargetStatus]:
        """Describe the targets, in order: what they can do, the settings in force, and evidence."""
        return [self._status(driver) for driver in self._drivers.values()]

    def native(self, target: str, service: str) -> object:
        """Give the vendor's own client of a service: the way out, for what is not portable."""
        arguments.name(service, "service")
        if arguments.name(target, "target") not in self._drivers:
            raise ConfigError(
                f"no target {target!r} in the order; it has {', '.join(self._drivers)}"
            )
        return self._drivers[target].native(service)

    def close(self) -> None:
        """Give back every connection, thread and file. Closing twice is harmless."""
        self._closed = True
        self._router.close()

    def __enter__(self) -> Self:
        """Give the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the client."""
        self.close()

    def _require(self, call: Call) -> None:
        if self._closed:
            raise LeewardError("this client is closed, and nothing was sent; open a new one")
        require(call, [self._drivers[name] for name in self._router.candidates(call)])

    def _status(self, driver: Driver) -> TargetStatus:
        evidence = self._router.evidence(driver.target)
        return TargetStatus(
            name=driver.target,
            capabilities=frozenset(capability.value for capability in driver.capabilities),
            settings=driver.describe(),
            attempts=evidence.attempts,
            failures=evidence.failures,
            last_outcome=evidence.last_outcome,
        )


def _settle(
    targets: str | Driver | Sequence[Driver] | None, config: str | Path | Config | None
) -> tuple[Config, list[Driver]]:
    """Find out what is configured, and open what is not open yet."""
    if targets is None or isinstance(targets, str):
        settled = _order_settled(targets, config)
        return settled, open_order(settled, os.environ)
    several = isinstance(targets, Sequence) and not isinstance(targets, bytes | bytearray)
    drivers = cast("Sequence[Driver]", targets if several else [targets])
    if not isinstance(config, Config):
        config = load_settings(file=config, env=os.environ)
    return config, own_order(drivers, config)


def _order_settled(targets: str | None, config: str | Path | Config | None) -> Config:
    if not isinstance(config, Config):
        return load_config(targets, file=config, env=os.environ)
    if config.order and targets is None:
        return config
    return with_order(config, targets, os.environ)
