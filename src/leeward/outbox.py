"""What the outbox of an adapter is made of: the calls, checked as a client checks them, as rows.

A transaction of the user's keeps the rows. So they are there once it is committed, and never if it
is not. ``leeward worker`` and ``leeward spool drain`` make the calls for other targets.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar, cast

from leeward._delivery.relay import (
    ANYWHERE,
    OUTBOX,
    RelayedCall,
    RunStart,
    WaitingCall,
    own_name,
    row_of,
)
from leeward._items.json_checks import check_json
from leeward._operations.arguments import OrderLimits
from leeward._operations.events import EventOperations
from leeward._operations.functions import FunctionOperations
from leeward.adapter import Limits
from leeward.calls import Call, Publish
from leeward.clock import SystemClock
from leeward.config import BusConfig, Config, FunctionConfig, load_settings
from leeward.config.model import Keeper, check_kept, parse_target
from leeward.stores import NewRow, Owner, Recipient
from leeward.values import Effect, EffectName, Event, Json
from leeward.watching import UNWATCHED, find_watcher, is_harmless
from leeward.workflow.checks import check_input, check_run_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime
    from pathlib import Path


R = TypeVar("R")

ORDER: Final = "order"
"""In the place of a target: any of the order of whoever makes the calls, as a client would."""

OutboxCall: TypeAlias = RelayedCall
"""A call that an outbox keeps: a `leeward.calls.Publish` of one event, an `Enqueue`, or the start
of a run."""

Configuration: TypeAlias = "str | Path | Config | None"  # as for `leeward.Client`


class OutboxSettings:
    """What holds for the calls of an outbox.

    Args:
        config: as for `leeward.Client`; its order does not count.
        to: the target of the calls, or `ORDER`; None for the database itself.

    Raises:
        ConfigError: the configuration is wrong, or `to` is not the name of a target.
    """

    def __init__(
        self, config: Configuration, database: str, to: str | None, limits: Limits
    ) -> None:
        if not isinstance(config, Config):
            config = load_settings(file=config, env=os.environ)
        self.is_own = to is None
        target = parse_target(database, "target")
        self.options = config.options.get(database, config.options.get(target.provider, {}))
        is_named = to not in (None, ORDER)
        self._targets = (str(parse_target(str(to), "to")),) if is_named else ()
        stage = config.prefix.removesuffix("-") or config.deploy.get("stage")
        target_of = self._targets[0] if self._targets else ANYWHERE
        self._recipient = Recipient(OUTBOX, own_name(target_of, Owner(stage=stage)))
        self._config = config
        self._database = target
        self._clock = clock = SystemClock()
        order_limits = OrderLimits({str(to or database): limits if to is None else Limits()})
        self.events = EventOperations(config, order_limits, clock, _accept)
        self.functions = FunctionOperations(config.functions, order_limits, clock, _accept)

    def with_own_name(self, call: OutboxCall) -> OutboxCall:
        """Return a call under the database's own name of its bus or function, if it is for it.

        Raises:
            ConfigError: the bus or function has a residency, and the database is elsewhere.
        """
        if not isinstance(call, RunStart):
            name = call.bus if isinstance(call, Publish) else call.function
            keys, database = ("targets", str(self._database)), str(self._database)
            remedy = "use the outbox of another database"
            check_kept(self._config, Keeper(keys, database, frozenset({name}), remedy))
        if isinstance(call, RunStart) or not self.is_own:
            return call
        configured: BusConfig | FunctionConfig | None
        if isinstance(call, Publish):
            configured = self._config.buses.get(call.bus)
            return call._replace(bus=self._own_name(call.bus, configured))
        configured = self._config.functions.get(call.function)
        return call._replace(function=self._own_name(call.function, configured))

    def _own_name(self, name: str, configured: BusConfig | FunctionConfig | None) -> str:
        names = {} if configured is None else configured.names
        return names.get(str(self._database), names.get(self._database.provider, name))

    def row_of(self, call: OutboxCall) -> NewRow:
        """Return the row that keeps a call for whoever makes it."""
        return row_of(self._recipient, WaitingCall(call, self._targets, self._clock.now()))


class CallOutbox(Generic[R]):
    """Writes calls into one transaction; nothing is sent before it is committed.

    Each method returns the id under which the call is made; with an awaited connection it has to be
    awaited.

    Args:
        write: writes a call into the transaction, and returns the id that it is given.
    """

    def __init__(
        self,
        settings: OutboxSettings,
        write: Callable[[OutboxCall, str], R],
        *,
        awaited: bool = False,
    ) -> None:
        self._settings = settings
        self._write_call = write
        self._awaited = awaited

    def _write(self, call: OutboxCall, id: str) -> R:
        """Write a call; the handler that runs is told first, as of a call that is sent.

        Nobody knows here whether the transaction is committed, so it counts in any case.
        """
        counts = isinstance(call, RunStart) or not is_harmless(call)
        watcher = find_watcher() if counts else UNWATCHED
        if not self._awaited:
            watcher.begin()
            return self._write_call(call, id)

        async def write() -> Any:
            await watcher.begin_async()
            return await cast("Awaitable[Any]", self._write_call(call, id))

        return cast("R", write())

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
    ) -> R:
        """Publish one CloudEvent; arguments as of `leeward.Client.publish_event`."""
        event = Event(type, data, id=id, time=time, subject=subject, ordering_key=ordering_key)
        call, _, _ = self._settings.events.publish_event(bus, event, None)
        return self._write(self._settings.with_own_name(call), str(call.events[0].id))

    def enqueue(
        self,
        function: str,
        payload: Json = None,
        *,
        effect: Effect | EffectName | None = None,
        idempotency_key: str | None = None,
    ) -> R:
        """Queue a call of a function; arguments as of `leeward.Client.enqueue`.

        Raises:
            NotFound: the queue is the database's own, and no worker has looked for it yet.
        """
        functions = self._settings.functions
        call, _, _ = functions.enqueue(function, payload, effect, idempotency_key, None)
        return self._write(self._settings.with_own_name(call), call.idempotency_key)

    def start_workflow(self, workflow: str, value: Json = None, *, id: str) -> R:
        """Start a run of a workflow; arguments as of `leeward.Client.start_workflow`.

        Whoever makes the calls starts it, where its configuration says that runs live.
        """
        check_json(value, "value")
        check_input(value)
        call = RunStart(workflow, value, check_run_id(workflow, id))
        return self._write(call, id)


def _accept(call: Call) -> None:
    """Refuse nothing: what a target cannot do, it says when the call is made."""
    del call
