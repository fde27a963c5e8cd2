"""The client's operations as values: what both clients share, which is all but the waiting.

An operation checks its arguments, and is then a call, the seconds for it, and what makes a receipt
or an exception of its result. A client puts the call to the router and finishes:

    call, seconds, finish = operations.load_data("orders", "42", None)
    return finish(call, router.perform(call, seconds))

Everything that can be wrong with a call is found here, before any I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

from leeward import items
from leeward.adapter import (
    Call,
    Capability,
    Delete,
    Driver,
    Enqueue,
    Invoke,
    Key,
    Load,
    Publish,
    Result,
    Store,
)
from leeward.clock import Clock
from leeward.config import BusConfig, Config, FunctionConfig, TableConfig
from leeward.entropy import new_id
from leeward.errors import ConfigError, InvalidRequest, LeewardError, PayloadTooLarge
from leeward.forking import ForkLock
from leeward.json_text import encode
from leeward.operations import arguments, results
from leeward.operations.capabilities import POSSIBLE, needed, require
from leeward.operations.limits import OrderLimits
from leeward.operations.routing import router_of
from leeward.operations.traces import running_trace
from leeward.values import (
    Effect,
    Event,
    InvokeResult,
    Item,
    Json,
    ProbeReport,
    PublishReceipt,
    PublishReport,
    Receipt,
    Record,
    StoreReceipt,
    TargetStatus,
)

if TYPE_CHECKING:
    from datetime import timedelta

    from leeward.operations.objects import ObjectOperations
    from leeward.operations.workflows import Workflows
    from leeward.workflow.model import Definition

C = TypeVar("C", bound=Call)
T = TypeVar("T")

Operation: TypeAlias = tuple[C, float, Callable[[C, Result[Any]], T]]
"""A call, the seconds for it, and what its result becomes."""

INVOKE_TIMEOUT: Final = 60.0
EVENT_TIMEOUT: Final = 10.0
DATA_TIMEOUT: Final = 15.0
"""Seconds: the deadline of a call that names none."""

MOST_KNOWN: Final = 1024
"""Tables whose names are remembered as checked. Where there are more, all are checked anew."""


_ANY_FUNCTION: Final = FunctionConfig()
_ANY_BUS: Final = BusConfig()
_ANY_TABLE: Final = TableConfig()
"""What holds for a name that is not configured."""


class _Table(NamedTuple):
    """What holds for a table: its key's fields, and its deadline in seconds."""

    key: tuple[str, ...]
    seconds: float


class Operations:
    """The operations of one client, and the router behind them.

    Args:
        config: what was configured.
        drivers: in order of preference.
        clock: gives the time.
        definitions: of workflows.

    Attributes:
        router: takes each call to a target.
        closed: set it, and every operation is refused.
    """

    def __init__(
        self,
        config: Config,
        drivers: Sequence[Driver],
        clock: Clock,
        definitions: Iterable[Definition] = (),
    ) -> None:
        self.router = router_of(config, drivers, clock)
        self.closed = False
        self._config = config
        self._drivers = {driver.target: driver for driver in drivers}
        everywhere = frozenset.intersection(*(driver.capabilities for driver in drivers))
        self._lacking = frozenset(Capability) - everywhere
        self._clock = clock
        self._limits = OrderLimits({driver.target: driver.limits for driver in drivers})
        self._tables: dict[str, _Table] = {}
        self._objects: ObjectOperations | None = None
        self._definitions = definitions
        self._workflows: Workflows | None = None
        self._opening = ForkLock(whole=False)

    def invoke(
        self,
        function: str,
        payload: Json,
        effect: Effect | str | None,
        idempotency_key: str | None,
        timeout: float | None,
    ) -> Operation[Invoke, InvokeResult]:
        """Call a function and wait for its answer."""
        configured = self._function(function)
        call = Invoke(
            function,
            self._encoded(payload, "payload_bytes"),
            arguments.check_idempotency_key(idempotency_key) or new_id(self._clock.now()),
            arguments.check_effect(effect) or configured.effect,
            configured.shared_dedup,
            configured.timeout or 0.0,
            running_trace(),
        )
        seconds = call.time_limit or INVOKE_TIMEOUT
        if timeout is not None:
            seconds = arguments.check_timeout(timeout)
        if call.effect is Effect.UNSAFE and seconds < call.time_limit:
            raise InvalidRequest(
                f"timeout is {seconds:g} s, but {function!r} may run for {call.time_limit:g} s and "
                "is unsafe to repeat: giving up earlier would leave its outcome unknown; raise "
                "timeout, or declare the function's effect",
                field="timeout",
            )
        self._check(call)
        return call, seconds, results.invoked

    def enqueue(
        self,
        function: str,
        payload: Json,
        effect: Effect | str | None,
        idempotency_key: str | None,
        timeout: float | None,
    ) -> Operation[Enqueue, Receipt]:
        """Queue a function call."""
        configured = self._function(function)
        call = Enqueue(
            function,
            self._encoded(payload, "queued_bytes"),
            arguments.check_idempotency_key(idempotency_key) or new_id(self._clock.now()),
            arguments.check_effect(effect) or configured.effect,
            configured.shared_dedup,
            running_trace(),
        )
        seconds = EVENT_TIMEOUT if timeout is None else arguments.check_timeout(timeout)
        self._check(call)
        return call, seconds, results.enqueued

    def publish_event(
        self, bus: str, event: Event, timeout: float | None
    ) -> Operation[Publish, PublishReceipt]:
        """Publish one event."""
        # Loaded by the first event: a program that only calls functions does without.
        from leeward.operations.events import completed

        arguments.check_name(bus, "bus")
        now, limits = self._clock.now(), self._limits
        source = self._config.source
        done = completed(event, "event", limits, id=new_id(now), source=source, now=now)
        call = Publish(bus, (done,))
        seconds = self._event_seconds(bus, timeout)
        self._check(call)
        return call, seconds, results.published

    def publish_events(
        self, bus: str, events: Sequence[Event], timeout: float | None
    ) -> Generator[tuple[Publish, float], Result[Any], PublishReport]:
        """Publish many events, request by request, until the deadline.

        The one operation of several calls: it yields each with the seconds for it, is sent its
        result, and returns the report.
        """
        from leeward.operations.batches import send_in_order
        from leeward.operations.events import complete, in_chunks

        arguments.check_name(bus, "bus")
        done = complete(events, self._config.source, self._limits, self._clock.now())
        requests = [Publish(bus, chunk) for chunk in in_chunks(done, self._limits.smallest)]
        deadline = self._clock.monotonic() + self._event_seconds(bus, timeout)
        for request in requests:
            self._check(request)
        batch = send_in_order(requests)
        try:
            request = next(batch)
            while True:
                left = deadline - self._clock.monotonic()
                request = batch.send((yield request, left) if left > 0 else None)
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
    ) -> Operation[Store, StoreReceipt]:
        """Store an item whole."""
        self._check_item(item)
        if if_absent is not False or if_revision is not None:
            arguments.check_condition(if_absent, if_revision)
        now = self._clock.now()
        known = self._table(table)
        call = Store(
            table,
            self._key_of(item, known.key),
            item.copy(),
            new_id(now),
            now,
            None if expires_in is None else arguments.expires_at(expires_in, now),
            if_absent,
            if_revision,
        )
        seconds = known.seconds if timeout is None else arguments.check_timeout(timeout)
        self._check(call)
        return call, seconds, results.stored

    def load_data(
        self, table: str, key: str | Mapping[str, str], timeout: float | None
    ) -> Operation[Load, Record | None]:
        """Load an item."""
        known = self._table(table)
        call = Load(table, arguments.key_of(key, known.key, self._limits))
        seconds = known.seconds if timeout is None else arguments.check_timeout(timeout)
        self._check(call)
        return call, seconds, self._loaded

    def delete_data(
        self,
        table: str,
        key: str | Mapping[str, str],
        if_revision: str | None,
        timeout: float | None,
    ) -> Operation[Delete, StoreReceipt]:
        """Delete an item."""
        known = self._table(table)
        call = Delete(
            table,
            arguments.key_of(key, known.key, self._limits),
            self._clock.now(),
            arguments.check_condition(False, if_revision),
        )
        seconds = known.seconds if timeout is None else arguments.check_timeout(timeout)
        self._check(call)
        return call, seconds, results.deleted

    @property
    def objects(self) -> ObjectOperations:
        """The operations on objects; a program that uses none does not load them."""
        if self._objects is None:
            from leeward.operations.objects import ObjectOperations

            self._objects = ObjectOperations(
                self._config.buckets, self._limits, self._clock, self._check
            )
        return self._objects

    def workflows(self) -> Workflows:
        """Return what the client does with workflows, opened on first need.

        Raises:
            LeewardError: the client is closed, or the workflows are not configured well.
        """
        from leeward.operations.own_tables import OwnTables
        from leeward.operations.workflows import Means, Workflows

        with self._opening:
            if self._workflows is None and not self.closed:
                self._workflows = Workflows(
                    self._config,
                    list(self._drivers.values()),
                    self._definitions,
                    Means(self._invoke_step, self.router, OwnTables(self), self._clock),
                )
            if self._workflows is None:
                raise LeewardError("this client is closed, and nothing was started; open a new one")
            return self._workflows

    def close_workflows(self) -> None:
        """Let the steps under way end, for a moment, and close the journal, if one is open."""
        with self._opening:
            if self._workflows is not None:
                self._workflows.runs.close()
                self._workflows = None

    def targets(self) -> list[TargetStatus]:
        """Describe the targets, in order."""
        from leeward.operations.status import status_of

        return [
            status_of(driver, self.router.evidence(driver.target), self._config)
            for driver in self._drivers.values()
        ]

    def native(self, target: str, service: str) -> object:
        """Return the vendor's own client of a service."""
        arguments.check_name(service, "service")
        return self._drivers[self.check_target(target)].native(service)

    def probe(self, target: str) -> ProbeReport:
        """Look whether a target works."""
        from leeward.operations.status import probe_of

        return probe_of(self._drivers[self.check_target(target)], self._clock)

    def check_target(self, target: str) -> str:
        """Check the name of a target of the order."""
        if arguments.check_name(target, "target") not in self._drivers:
            raise ConfigError(
                f"no target {target!r} in the order; it has {', '.join(self._drivers)}"
            )
        return target

    def narrowed(self, call: Call, targets: str | Sequence[str]) -> tuple[str, ...]:
        """Check the targets that a caller narrows the order to, for one call."""
        return arguments.check_targets(targets, self._drivers, self.router.candidates(call))

    def _invoke_step(
        self,
        function: str,
        payload: Json = None,
        *,
        effect: Effect,
        idempotency_key: str,
        timeout: float,
    ) -> InvokeResult:
        call, seconds, finish = self.invoke(function, payload, effect, idempotency_key, timeout)
        return finish(call, self.router.perform(call, seconds))

    def _check(self, call: Call) -> None:
        """Refuse a call of a closed client, and one that a target could not serve."""
        if self.closed:
            raise LeewardError("this client is closed, and nothing was sent; open a new one")
        lacking = self._lacking
        if not (lacking.isdisjoint(POSSIBLE[call.verb]) or lacking.isdisjoint(needed(call))):
            require(call, [self._drivers[name] for name in self.router.candidates(call)])

    def _function(self, function: str) -> FunctionConfig:
        checked = arguments.check_name(function, "function")
        return self._config.functions.get(checked) or _ANY_FUNCTION

    def _table(self, table: str) -> _Table:
        known = self._tables.get(table) if type(table) is str else None
        if known is not None:
            return known
        checked = arguments.check_name(table, "table")
        configured = self._config.tables.get(checked) or _ANY_TABLE
        known = _Table(configured.key, configured.timeout or DATA_TIMEOUT)
        if len(self._tables) >= MOST_KNOWN:
            self._tables.clear()
        self._tables[table] = known
        return known

    def _key_of(self, item: Item, fields: tuple[str, ...]) -> Key:
        """Take the key out of an item; nearly all have one field, and a plain text in it."""
        value = item.get(fields[0])
        longest = self._limits.smallest.key_bytes if len(fields) == 1 else 0
        if type(value) is str and value.isascii() and 0 < len(value) <= longest:
            return Key(fields, (value,))
        return arguments.key_of_item(item, fields, self._limits)

    def _event_seconds(self, bus: str, timeout: float | None) -> float:
        if timeout is not None:
            return arguments.check_timeout(timeout)
        configured = self._config.buses.get(bus) or _ANY_BUS
        return configured.timeout or EVENT_TIMEOUT

    def _check_item(self, item: Item) -> None:
        size = items.checked_size(item)
        if size.bytes > self._limits.smallest.item_bytes:
            raise PayloadTooLarge(
                f"item has {size.bytes} bytes, and {self._limits.takes('item_bytes')}; "
                "split it, or keep the large part elsewhere",
                field="item",
            )
        if size.depth > self._limits.smallest.nesting:
            raise PayloadTooLarge(
                f"item is nested {size.depth} deep, and {self._limits.takes('nesting')}; "
                "flatten it",
                field="item",
            )

    def _encoded(self, payload: Json, limit: str) -> bytes:
        items.check_json(payload, "payload")
        encoded = encode(payload)
        if len(encoded) > getattr(self._limits.smallest, limit):
            raise PayloadTooLarge(
                f"payload has {len(encoded)} bytes of JSON, and {self._limits.takes(limit)}; "
                "store it and send its key instead",
                field="payload",
            )
        return encoded

    def _loaded(self, call: Load, result: Result[Any]) -> Record | None:
        return results.loaded(call, result, self._clock.now())
