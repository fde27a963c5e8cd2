"""The embedded target itself: every verb, and what users register on it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from leeward._delivery.dispatcher import Dispatcher, Receiver
from leeward._delivery.sqlite_store import PATIENCE, SqliteDeliveries, SqliteSchedules
from leeward._sqlite.database import MEMORY, Database
from leeward._sqlite.file_safety import keep_out_of_version_control
from leeward.adapter import Capability, Driver, Limits
from leeward.app.app import App
from leeward.app.context import Function, check_callable
from leeward.app.handlers import Handler
from leeward.app.triggers import Kind
from leeward.calls import OBJECT_VERBS, Call, Look, LookResult, Result, Store
from leeward.calls.looks import BUCKET, BUS, TABLE
from leeward.clock import Clock, SystemClock
from leeward.errors import ConfigError, LeewardError, Outcome, Unsupported
from leeward.leases.faults import DatabaseFault
from leeward.leases.rules import DeliveryPolicy
from leeward.local.bus import Bus, DeadLetter, to_dead_letter
from leeward.local.functions import Functions, PlainHandler, deliver
from leeward.local.object_events import ObjectEvents
from leeward.local.schedules import Schedules
from leeward.local.schema import SCHEMA
from leeward.local.settlements import Settlements
from leeward.local.tables import Tables, result_of
from leeward.logs import log_event
from leeward.stores import LeasedRow, Recipient

if TYPE_CHECKING:
    from leeward.calls import Look

F = TypeVar("F", bound=Function)

LOGGER = "leeward.local"
DIRECTORY = ".leeward"
"""Below the working directory: where the data lies if the configuration does not say."""

_EVERYTHING = frozenset(Capability) - {Capability.WORKFLOWS, Capability.SINGLE_STARTS}
"""What a driver can do here. Workflows run embedded in the client itself."""

LIMITS = Limits(batch_events=1000, model="embedded")
"""What runs here fits most other targets, too; how many events go in one request no caller sees."""

Verb = Callable[[Any, float], Result[Any]]


class Local(Driver):
    """A whole cloud in this process; independent of every other `Local`.

    Functions run on threads of this process. Data, objects and deliveries lie in SQLite: in memory
    until `close`, or in a file that outlives the process and that several processes may share.
    """

    def __init__(
        self,
        target: str = "local",
        *,
        path: str | os.PathLike[str] = MEMORY,
        clock: Clock | None = None,
    ) -> None:
        """Take the target's name, where its data lie, and the time for deadlines.

        Raises:
            ConfigError: the file, or its directory, is a symbolic link, another user's, or may be
                written by others.
        """
        self.target = target
        self.capabilities = _EVERYTHING
        self.limits = LIMITS
        self._closed = False
        self._apps: list[App] = []
        self._file = None if os.fspath(path) == MEMORY else Path(path).absolute()
        self._clock = clock or SystemClock()
        self._is_here = not Path(path).is_absolute()
        self._database = Database(self._file, SCHEMA, created=self._store_created)
        self._deliveries = SqliteDeliveries(self._database, DeliveryPolicy())
        self._dispatcher = Dispatcher(
            self._deliveries, self._list_receivers, self._clock, shared=self._file is not None
        )
        accept = self._dispatcher.accept
        self._functions = Functions(self._clock, self.limits.payload_bytes, accept)
        self._bus = Bus(accept)
        series, wake = SqliteSchedules(self._database), self._dispatcher.wake
        self._schedules = Schedules(self._clock, series, self._deliveries, wake)
        self._tables = tables = Tables(self._database)
        outlives = self._file is not None
        self._objects = ObjectEvents(self._clock, self._database, accept, wake, outlives=outlives)
        self._verbs: dict[str, Verb] = {
            "invoke": self._functions.invoke,
            "settle": self._functions.invoke,
            "enqueue": self._functions.enqueue,
            "publish": self._bus.publish,
            "store": tables.store,
            "load": tables.load,
            "delete": tables.delete,
            "scan": tables.scan,
            "settle_write": Settlements(self._database, self._clock).settle,
            **dict.fromkeys(OBJECT_VERBS, self._objects.perform),
        }

    def function(self, name: str) -> Callable[[F], F]:
        """Register the decorated function under `name`.

        It is called with the payload, decoded from JSON, and with a `Context` if it takes a
        second positional parameter.

        Raises:
            ConfigError: the name is empty or taken, or the function is a coroutine function.
        """
        _check_name(name, '@cloud.function("send-receipt")')

        def register(function: F) -> F:
            check_callable(function, f"the function {name!r}")
            self._functions.register(name, function)
            self._look_for_work()
            return function

        return register

    def subscribe(
        self,
        bus: str,
        type: str | None = None,
        *,
        name: str | None = None,
    ) -> Callable[[F], F]:
        """Subscribe the decorated function to events of `type` on `bus`; None for every type.

        It is called with an `Event`, at least once for each, and with a `Context` if it takes a
        second positional parameter. `name`, by default the function's qualified name, is what
        finds pending events again after a restart.

        Raises:
            ConfigError: the name is taken on this bus, or the function is a coroutine function.
        """
        _check_name(bus, '@cloud.subscribe("orders", "order.created")')

        def register(function: F) -> F:
            check_callable(function, f"the subscriber of {bus!r}")
            own = name or getattr(function, "__qualname__", None)
            if not isinstance(own, str):
                raise ConfigError(
                    f"the subscriber of {bus!r} is a {function.__class__.__name__} without a name; "
                    f'give one: @cloud.subscribe("{bus}", name="...")'
                )
            handler = PlainHandler(own, Kind.EVENT, function, bus=bus, type=type)
            self._bus.subscribe(handler)
            self._look_for_work()
            return function

        return register

    def mount(self, app: App) -> None:
        """Run the handlers of an app here, until this target is closed.

        Messages of a queue are what `enqueue` queues under its name. Mounting twice is harmless.

        Raises:
            ConfigError: a handler is wrong, or one of its names is taken.
        """
        if app in self._apps:
            return
        if app.name in (each.name for each in self._apps):  # of a module that is run and imported
            raise ConfigError(
                f"an app {app.name!r} runs here already, as leeward.toml may say; give it once: "
                "there, or to the client"
            )
        app.check()
        for handler in app.handlers.values():
            if handler.is_call:
                self._functions.register(handler.name, handler)
            elif handler.kind is Kind.MESSAGE:
                self._functions.register(handler.queue or handler.name, handler)
            elif handler.kind is Kind.EVENT:
                self._bus.subscribe(handler)
            elif handler.kind is Kind.SCHEDULE:
                self._schedules.add(handler)
        self._objects.add(each for each in app.handlers.values() if each.kind is Kind.OBJECT)
        self._apps.append(app)
        self._look_for_work()

    def wait_idle(self, timeout: float = 5.0) -> None:
        """Wait until every delivery to this process is done or dead, queued calls included.

        Rows for subscriptions and functions that are not registered here are not waited for.

        Raises:
            TimeoutError: some are left after `timeout` seconds; it names how many.
            LeewardError: the database cannot be used.
        """
        with self._translate_faults():
            self._dispatcher.wait_idle(timeout)

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Return the deliveries that were given up, oldest first.

        Raises:
            LeewardError: the database cannot be used.
        """
        if self._file is not None and not self._file.exists():
            return ()  # so that a look makes no file
        with self._translate_faults():
            return tuple(to_dead_letter(each) for each in self._deliveries.dead_rows())

    def discard(self, letter: DeadLetter) -> bool:
        """Delete a dead letter; return whether it was there.

        Raises:
            LeewardError: the database cannot be used.
        """
        with self._translate_faults():
            return self._deliveries.discard(letter.id)

    def redrive(self, letter: DeadLetter) -> bool:
        """Deliver a dead letter again, as if it were new; return whether it was there.

        It is delivered by whichever process has a handler for it.

        Raises:
            LeewardError: the database cannot be used.
        """
        with self._translate_faults():
            found = self._deliveries.redrive(letter.id)
        self._look_for_work()
        return found

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at any call."""
        if self._closed:
            return Result(Outcome.LOCAL, message="closed", reason="closed")
        if call.verb not in self._verbs:
            raise Unsupported(f"{self.target} does no {call.verb}", target=self.target)
        try:
            result = self._verbs[call.verb](call, timeout)
        except DatabaseFault as fault:
            return result_of(fault, self._database)
        if not self._dispatcher.started:
            self._look_for_work()
        return result

    def store_many(self, calls: Sequence[Store], timeout: float) -> list[Result[Any]]:
        """Make one attempt at each of many stores, in one transaction."""
        try:
            return self._tables.store_many(calls, timeout)
        except DatabaseFault as fault:
            return [result_of(fault, self._database)] * len(calls)

    def look(self, look: Look, timeout: float) -> Result[Any]:
        """Look whether a function is registered here; nothing else needs any making."""
        del timeout
        if look.verb in (BUS, TABLE, BUCKET) or look.name in self._functions.registry:
            return Result.ok(LookResult())
        return Result(Outcome.NOT_FOUND, message=f"no function {look.name!r} is registered")

    def describe(self) -> Mapping[str, str]:
        """Return the paths, SQLite's version, and how much is registered."""
        return {
            "path": str(self._database),
            "sqlite": sqlite3.sqlite_version,
            "functions": str(len(self._functions.registry)),
            "subscriptions": str(len(self._bus.subscriptions)),
        }

    def native(self, service: str) -> object:
        """Return what lies underneath.

        - ``dead_letters``: the same as `dead_letters`, for who has opened this by name.
        - ``functions``: the registry, a dict from name to callable that may be changed.
        - ``events``: the `Bus`.
        - ``schedules``: the `Schedules`.
        - ``workflows``: the path of the journal of runs, beside the store; None in memory.
        - ``tables``: a new `sqlite3.Connection` to the same database, also for one in memory;
          the caller closes it. A transaction left open on it makes calls fail as ``busy``.

        Raises:
            ConfigError: there is no such service.
            LeewardError: the database cannot be used.
        """
        if service == "dead_letters":
            return self.dead_letters()
        if service == "functions":
            return self._functions.registry
        if service == "events":
            return self._bus
        if service == "schedules":
            return self._schedules
        if service == "workflows":
            return self._file and self._file.with_suffix(".workflows.sqlite3")
        if service != "tables":
            raise ConfigError(
                f"no service {service!r} at {self.target}; known: "
                "dead_letters, events, functions, schedules, tables, workflows",
                target=self.target,
            )
        with self._translate_faults(), self._database.read(PATIENCE):
            return self._database.connect()

    def close(self) -> None:
        """Deliver what is pending, for a moment, then close the database.

        Subscribers may use this target until then. What is still pending in a file is delivered
        by the next process.
        """
        self._schedules.close()
        self._dispatcher.close()
        self._closed = True
        self._database.close()

    def _list_receivers(self) -> dict[Recipient, Receiver]:
        handlers = self._functions.recipients() | self._bus.recipients()
        handlers |= self._schedules.recipients() | self._objects.recipients()
        receivers = {
            recipient: Receiver(
                partial(self._deliver, each), 0 if each.retries is None else each.retries + 1
            )
            for recipient, each in handlers.items()
        }
        return receivers | {
            each: Receiver(self._objects.claim) for each in self._objects.unclaimed_recipients()
        }

    def _deliver(self, handler: Handler, row: LeasedRow, deadline: float) -> None:
        """Make one attempt to deliver a row; none where its object is gone, or was replaced."""
        if handler.kind is not Kind.OBJECT or self._objects.is_due(row):
            deliver(handler, row, deadline, self._clock)

    def _look_for_work(self) -> None:
        """Deliver what other processes left in the file for what is registered here."""
        if self._file is not None and self._file.exists() and self._list_receivers():
            self._dispatcher.wake()

    def _store_created(self) -> None:
        """Keep a new file out of version control; tell where it is, if `path` left that open.

        The same program in another working directory begins with an empty store there.
        """
        assert self._file is not None
        keep_out_of_version_control(self._file.parent)
        if self._is_here:
            log_event(LOGGER, "warning", "store_created", path=str(self._file))

    @contextmanager
    def _translate_faults(self) -> Iterator[None]:
        try:
            yield
        except DatabaseFault as fault:
            told = f"{self.target} is closed; open a new one" if self._closed else str(fault)
            raise LeewardError(told, target=self.target) from fault.__cause__


def _check_name(name: object, example: str) -> None:
    if not isinstance(name, str) or not name:
        raise ConfigError(f"give the name as a string: {example}")
