"""What the outbox of an adapter is made of: calls, checked as a client checks them, and their rows.

A transaction of the user's keeps the rows. So they are there once it is committed, and never if it
is not. `leeward worker` and ``leeward spool drain`` make the calls.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from leeward._delivery.relay import ANYWHERE, OUTBOX, RelayedCall, RunStart, WaitingCall, row_of
from leeward._items import check_json
from leeward._operations.arguments import OrderLimits, check_name
from leeward._operations.events import EventOperations
from leeward._operations.functions import FunctionOperations
from leeward.adapter import Limits
from leeward.calls import Call, Enqueue, Publish
from leeward.clock import SystemClock
from leeward.config import Config, load_settings
from leeward.config.model import Names, parse_target
from leeward.stores import NewRow, Recipient
from leeward.values import Effect, EffectName, Event, Json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from leeward.config import BusConfig, FunctionConfig

ORDER: Final = "order"
"""In the place of a target: any of the order of whoever makes the calls, as a client would."""


OutboxedCall: TypeAlias = RelayedCall
"""A call that an outbox keeps: a `leeward.calls.Publish` of one event, an `Enqueue`, or a start."""


class OutboxCalls:
    """The calls of one outbox.

    Args:
        config: as for `leeward.Client`; its order does not count.
        database: the target whose database has the outbox.
        to: the target of the calls, or `ORDER`; None for the database itself.
        limits: of the database's target.

    Attributes:
        config: what is configured.
        is_own: they are for the database itself.

    Raises:
        ConfigError: the configuration is wrong, or `to` is not the name of a target.
    """

    def __init__(
        self, config: str | Path | Config | None, database: str, to: str | None, limits: Limits
    ) -> None:
        if not isinstance(config, Config):
            config = load_settings(file=config, env=os.environ)
        self.config = config
        self._database = parse_target(database, "target")
        is_named = to not in (None, ORDER)
        self._targets = (str(parse_target(str(to), "to")),) if is_named else ()
        self.is_own = to is None
        known = OrderLimits({str(to or database): limits if to is None else Limits()})
        self._clock = SystemClock()
        self._events = EventOperations(config, known, self._clock, _accept)
        self._functions = FunctionOperations(config.functions, known, self._clock, _accept)

    def publish(self, bus: str, event: Event) -> Publish:
        """Return the call that publishes an event; it has its id, source and time."""
        call, _, _ = self._events.publish_event(bus, event, None)
        return call._replace(bus=self._own_name(bus, self.config.buses)) if self.is_own else call

    def enqueue(
        self,
        function: str,
        payload: Json,
        effect: Effect | EffectName | None,
        idempotency_key: str | None,
    ) -> Enqueue:
        """Return the call that queues a call of a function; it has its key."""
        call, _, _ = self._functions.enqueue(function, payload, effect, idempotency_key, None)
        own = self._own_name(function, self.config.functions) if self.is_own else function
        return call._replace(function=own)

    def start(self, workflow: str, value: Json, id: str) -> RunStart:
        """Return the start of a run, of which there is one of this id."""
        check_json(value, "value")
        return RunStart(check_name(workflow, "workflow"), value, check_name(id, "id"))

    def row_of(self, call: RelayedCall) -> NewRow:
        """Return the row that keeps a call for its target."""
        recipient = Recipient(OUTBOX, self._targets[0] if self._targets else ANYWHERE)
        return row_of(recipient, WaitingCall(call, self._targets, self._clock.now()))

    def _own_name(
        self, name: str, known: Mapping[str, BusConfig] | Mapping[str, FunctionConfig]
    ) -> str:
        """Return the database's own name of a bus or function."""
        configured = known.get(name)
        names: Names = {} if configured is None else configured.names
        return names.get(str(self._database), names.get(self._database.provider, name))


def _accept(call: Call) -> None:
    """Refuse nothing: what a target cannot do, it says when the call is made."""
    del call
