"""Arguments become calls: checked against the configuration and the limits, ids minted.

Everything that can be wrong with a call is found here, before any I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from leeward import items
from leeward.adapter import Delete, Enqueue, Invoke, Limits, Load, Publish, Store
from leeward.config import BusConfig, Config, FunctionConfig, TableConfig
from leeward.entropy import new_id
from leeward.errors import InvalidRequest, PayloadTooLarge
from leeward.json_text import encode
from leeward.operations import arguments
from leeward.operations.limits import OrderLimits
from leeward.values import Effect, Event, Item, Json

if TYPE_CHECKING:
    from datetime import timedelta

INVOKE_TIMEOUT = 60.0
EVENT_TIMEOUT = 10.0
DATA_TIMEOUT = 15.0
"""Seconds: the deadline of a call that names none."""

_ANY_FUNCTION = FunctionConfig()
_ANY_BUS = BusConfig()
_ANY_TABLE = TableConfig()
"""What holds for a name that is not configured."""


class Preparation:
    """Turns arguments into calls.

    Args:
        config: what was configured.
        limits: target to the largest that it takes.
        now: gives Unix seconds.
    """

    def __init__(
        self, config: Config, limits: Mapping[str, Limits], now: Callable[[], float]
    ) -> None:
        self._config = config
        self._limits = OrderLimits(limits)
        self._now = now

    def invoke(
        self, function: str, payload: Json, effect: Effect | str | None, key: str | None
    ) -> Invoke:
        """Check a function call that waits for its answer."""
        configured = self._function(function)
        said = arguments.effect(effect)
        return Invoke(
            function,
            self._encoded(payload, "payload_bytes"),
            arguments.idempotency_key(key) or new_id(self._now()),
            configured.effect if said is None else said,
            configured.shared_dedup,
            configured.timeout or 0.0,
        )

    def enqueue(
        self, function: str, payload: Json, effect: Effect | str | None, key: str | None
    ) -> Enqueue:
        """Check a function call that has no answer."""
        configured = self._function(function)
        said = arguments.effect(effect)
        return Enqueue(
            function,
            self._encoded(payload, "queued_bytes"),
            arguments.idempotency_key(key) or new_id(self._now()),
            configured.effect if said is None else said,
            configured.shared_dedup,
        )

    def publish(self, bus: str, event: Event) -> Publish:
        """Check and complete one event."""
        return self.events(bus, [event], "event")[0]

    def events(self, bus: str, events: Sequence[Event], field: str = "events") -> list[Publish]:
        """Check and complete a batch, and split it into requests that every target takes."""
        # Loaded by the first event: a program that only calls functions does without.
        from leeward.operations.events import complete, in_chunks

        arguments.name(bus, "bus")
        completed = complete(events, field, self._config.source, self._limits, self._now())
        return [Publish(bus, chunk) for chunk in in_chunks(completed, self._limits.smallest)]

    def store(
        self,
        table: str,
        item: Item,
        if_absent: bool,
        if_revision: str | None,
        expires_in: float | timedelta | None,
    ) -> Store:
        """Check a write."""
        items.check_item(item)
        self._check_size(item)
        if _flag(if_absent, "if_absent") and if_revision is not None:
            raise InvalidRequest(
                "if_absent and if_revision exclude each other; give one", field="if_revision"
            )
        now = self._now()
        return Store(
            table,
            arguments.key_of_item(item, self._table(table).key, self._limits),
            dict(item),
            new_id(now),
            now,
            arguments.expires_at(expires_in, now),
            if_absent,
            arguments.revision(if_revision),
        )

    def load(self, table: str, key: str | Mapping[str, str]) -> Load:
        """Check a read."""
        return Load(table, arguments.key_of(key, self._table(table).key, self._limits))

    def delete(self, table: str, key: str | Mapping[str, str], if_revision: str | None) -> Delete:
        """Check a delete."""
        return Delete(
            table,
            arguments.key_of(key, self._table(table).key, self._limits),
            self._now(),
            arguments.revision(if_revision),
        )

    def invoke_timeout(self, call: Invoke, timeout: float | None) -> float:
        """Settle the deadline of a function call, in seconds."""
        seconds = arguments.timeout(timeout, call.time_limit or INVOKE_TIMEOUT)
        if call.effect is Effect.UNSAFE and seconds < call.time_limit:
            raise InvalidRequest(
                f"timeout is {seconds:g} s, but {call.function!r} may run for "
                f"{call.time_limit:g} s and is unsafe to repeat: giving up earlier would leave its "
                "outcome unknown; raise timeout, or declare the function's effect",
                field="timeout",
            )
        return seconds

    def enqueue_timeout(self, timeout: float | None) -> float:
        """Settle the deadline of queueing a function call, in seconds."""
        return arguments.timeout(timeout, EVENT_TIMEOUT)

    def event_timeout(self, bus: str, timeout: float | None) -> float:
        """Settle the deadline of a publish, in seconds."""
        configured = self._config.buses.get(bus, _ANY_BUS).timeout
        return arguments.timeout(timeout, configured or EVENT_TIMEOUT)

    def data_timeout(self, table: str, timeout: float | None) -> float:
        """Settle the deadline of a data call, in seconds."""
        return arguments.timeout(timeout, self._table(table).timeout or DATA_TIMEOUT)

    def _function(self, function: str) -> FunctionConfig:
        return self._config.functions.get(arguments.name(function, "function"), _ANY_FUNCTION)

    def _table(self, table: str) -> TableConfig:
        return self._config.tables.get(arguments.name(table, "table"), _ANY_TABLE)

    def _check_size(self, item: Item) -> None:
        size = items.measure(item)
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


def _flag(value: object, field: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidRequest(
            f"{field} must be True or False, not {arguments.shown(value)}", field=field
        )
    return value
