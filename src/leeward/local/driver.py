"""The embedded target itself: every verb, and what users register on it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from traceback import clear_frames
from typing import TYPE_CHECKING, Any, TypeVar, cast

from leeward._delivery.bus import DeadLetter, to_dead_letter
from leeward._delivery.functions import PlainHandler
from leeward._delivery.runner import AppRunner
from leeward._delivery.sqlite_store import SqliteDeliveries, SqliteRecipients, SqliteSchedules
from leeward._sqlite.database import MEMORY, Database, FilePresence
from leeward._sqlite.file_safety import keep_out_of_version_control
from leeward.adapter import Capability, Driver, Limits
from leeward.app.app import App
from leeward.app.context import Function, check_callable
from leeward.app.triggers import Kind, Platform
from leeward.calls import OBJECT_VERBS, Call, Look, LookResult, Result, Store
from leeward.calls.looks import BUCKET, BUS, TABLE
from leeward.clock import Clock, SystemClock
from leeward.errors import ConfigError, LeewardError, Outcome, Unsupported
from leeward.leases.faults import DatabaseFault
from leeward.leases.rules import DeliveryPolicy
from leeward.local.object_events import ObjectEvents
from leeward.local.schema import SCHEMA
from leeward.local.settlements import Settlements
from leeward.local.tables import Tables, result_of
from leeward.logs import log_event
from leeward.registry import JOURNAL, import_room
from leeward.stores import PATIENCE, QUEUED_CALL, Recipient, Stores, is_taken, walk_dead_rows

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
        stage: str | None = None,
    ) -> None:
        """Check the path; nothing is opened yet. `clock` is for deadlines.

        The rows of a file belong to the `stage` that an app there has first.

        Raises:
            ConfigError: the file, or its directory, is a symbolic link, another user's, or may be
                written by others.
        """
        if {"/", ".", os.sep} & {*os.fspath(target).partition(":")[0]}:
            raise ConfigError(f"{target!r} would be in memory; write path={target!r}")
        self.target = target
        self.capabilities = _EVERYTHING
        self.limits = LIMITS
        self._closed = False
        self._file = None if os.fspath(path) == MEMORY else Path(path).absolute()
        self._clock = clock or SystemClock()
        self._is_here = not Path(path).is_absolute()
        self._database = Database(self._file, SCHEMA, created=self._store_created)
        self._stores = Stores(
            SqliteDeliveries(self._database, DeliveryPolicy(), self._clock),
            SqliteSchedules(self._database),
            open_journal=self._open_journal,
            is_shared=self._file is not None,
            has_rows=lambda: self._file is None or self._is_there(),
            has_runs=self._has_runs,
            presence=FilePresence(self._file),
            recipients=None if self._file is None else SqliteRecipients(self._database, stage),
        )
        platform = Platform("local", None, self._clock, self.limits.payload_bytes)
        self._runner = runner = AppRunner(self._stores, platform, is_there=self._is_there)
        self._tables = tables = Tables(self._database)
        runner.objects = objects = ObjectEvents(
            *(self._clock, self._database, runner.accept, runner.wake, runner.name_of),
            outlives=self._stores.is_shared,
        )
        self._verbs: dict[str, Verb] = {
            "invoke": runner.functions.invoke,
            "settle": runner.functions.invoke,
            "enqueue": runner.functions.enqueue,
            "publish": runner.bus.publish,
            "store": tables.store,
            "load": tables.load,
            "delete": tables.delete,
            "scan": tables.scan,
            "list_items": tables.list,
            "settle_write": Settlements(self._database, self._clock).settle,
            **dict.fromkeys(OBJECT_VERBS, objects.perform),
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
            self._runner.functions.register(name, function)
            self._runner.look_for_work()
            return function

        return register

    def subscribe(
        self, bus: str, type: str | None = None, *, name: str | None = None
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
            default = name or getattr(function, "__qualname__", None)
            if not isinstance(default, str):
                raise ConfigError(
                    f"the subscriber of {bus!r} is a {function.__class__.__name__} without a name; "
                    f'give one: @cloud.subscribe("{bus}", name="...")'
                )
            handler = PlainHandler(default, Kind.EVENT, function, bus=bus, type=type)
            self._runner.bus.subscribe(handler)
            self._runner.look_for_work()
            return function

        return register

    def mount(self, app: App) -> None:
        """Run the handlers of an app here, until this target is closed.

        Messages of a queue are what `enqueue` queues under its name. Mounting twice is harmless.

        Raises:
            ConfigError: a handler is wrong, or one of its names is taken.
        """
        self._runner.mount(app)

    def wait_idle(self, timeout: float = 5.0) -> None:
        """Wait until every delivery to this process is done or dead, queued calls included.

        Rows for subscriptions and functions that are not registered here are not waited for.

        Raises:
            TimeoutError: some are left after `timeout` seconds; it names how many.
            LeewardError: the database cannot be used.
        """
        with self._translate_faults():
            self._runner.wait_idle(timeout)

    def dead_letters(
        self, *, after: int | None = None, limit: int | None = None
    ) -> tuple[DeadLetter, ...]:
        """Return the deliveries that were given up, in the order in which they were made.

        Args:
            after: only those with an `id` above this; None for all.
            limit: how many, at most; None for all, with their documents in memory at once.

        Raises:
            LeewardError: the database cannot be used.
        """
        store = self._stores.deliveries
        if not self._stores.has_rows():
            return ()  # so that a look makes no file
        with self._translate_faults():
            heads = islice(walk_dead_rows(store, after), limit)
            rows = (store.dead_row(head.id) for head in heads)
            return tuple(to_dead_letter(row) for row in rows if row is not None)

    def discard(self, letter: DeadLetter) -> bool:
        """Delete a dead letter; return whether it was there.

        Raises:
            LeewardError: the database cannot be used.
        """
        with self._translate_faults():
            return self._stores.deliveries.discard(letter.id)

    def redrive(self, letter: DeadLetter) -> bool:
        """Deliver a dead letter again, as if it were new; return whether it was there.

        It is delivered by whichever process has a handler for it.

        Raises:
            LeewardError: the database cannot be used, or no version of the app has its handler.
        """
        with self._translate_faults():
            recipient = Recipient(letter.bus or QUEUED_CALL, letter.subscription)
            if not is_taken(recipient, self._stores.read_handlers()):
                raise LeewardError(
                    f"no version of the app has the handler {letter.subscription!r} now; deploy "
                    "one that has it, or move its letters with leeward dlq redrive --to NAME",
                    target=self.target,
                )
            count = self._stores.deliveries.redrive(letter.id)
        self._runner.look_for_work()
        return count

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
        except BaseException as error:
            clear_frames(error.__traceback__)  # one that was struck in a `with` keeps its lock
            raise
        if not self._runner.is_started:
            self._runner.look_for_work()
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
        if look.verb in (BUS, TABLE, BUCKET) or self.has_function(look.name):
            return Result.ok(LookResult())
        return Result(Outcome.NOT_FOUND, message=f"no function {look.name!r} is registered")

    def has_function(self, name: str) -> bool:
        """Return whether a function is registered here."""
        return name in self._runner.functions.registry

    def stores(self) -> Stores:
        """Return the stores in SQLite, with what runs apps over them in this process."""
        return self._stores._replace(runner=self._runner)

    def describe(self) -> Mapping[str, str]:
        """Return the paths, SQLite's version, and how much is registered."""
        return {
            "path": str(self._database),
            "sqlite": sqlite3.sqlite_version,
            "functions": str(len(self._runner.functions.registry)),
            "subscriptions": str(len(self._runner.bus.subscriptions)),
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
        services: dict[str, Callable[[], object]] = {
            "dead_letters": self.dead_letters,
            "events": lambda: self._runner.bus,
            "functions": lambda: self._runner.functions.registry,
            "schedules": lambda: self._runner.schedules,
            "tables": self._connect,
            "workflows": lambda: self._file and self._file.with_suffix(".workflows.sqlite3"),
        }
        if service not in services:
            known = ", ".join(services)
            text = f"no service {service!r} at {self.target}; known: {known}"
            raise ConfigError(text, target=self.target)
        return services[service]()

    def _connect(self) -> sqlite3.Connection:
        with self._translate_faults(), self._database.read(PATIENCE):
            return self._database.connect()

    def close(self) -> None:
        """Deliver what is pending, for a moment, then close the database.

        Subscribers may use this target until then. What is still pending in a file is delivered
        by the next process.
        """
        self._runner.close()
        self._closed = True
        self._database.close()

    def _is_there(self) -> bool:
        """Return whether the file is there: a look makes none."""
        return self._file is not None and self._file.exists()

    def _has_runs(self) -> bool:
        journal = cast("Path | None", self.native("workflows"))
        return journal is not None and journal.exists()

    def _open_journal(self) -> object:
        return import_room(JOURNAL)(self.native("workflows"), self._clock)

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
            problem = f"{self.target} is closed; open a new one" if self._closed else str(fault)
            raise LeewardError(problem, target=self.target) from fault.__cause__


def _check_name(name: object, example: str) -> None:
    if not isinstance(name, str) or not name:
        raise ConfigError(f"give the name as a string: {example}")
