"""Opening a PostgreSQL target, and one attempt at a call. Nothing is sent before the first call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from weakref import WeakKeyDictionary, finalize

from leeward.adapter import Capability, Driver, Limits, TargetConfig
from leeward.calls import Call, Enqueue, Look, LookResult, Publish, Result, Store
from leeward.errors import ConfigError, Outcome, Unsupported
from leeward.stores import Stores
from leeward_postgres import checks, deliveries, objects, queues, tables
from leeward_postgres.items import text_of
from leeward_postgres.settings import Settings, parameters_of, settings_from
from leeward_postgres.settlements import settle_write
from leeward_postgres.statements import CLOSED, MakePlan, Plan

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from leeward.workflow.embedded.journal import Journal
    from leeward_postgres.connections import LoopExchanges, ThreadExchanges
    from leeward_postgres.hints import Hints

CAPABILITIES: Final = frozenset(
    {
        Capability.ENQUEUE,
        Capability.PUBLISH,
        Capability.ORDERING,
        Capability.TABLES,
        Capability.CONDITIONS,
        Capability.EXPIRY,
        Capability.COMPOSITE_KEYS,
        Capability.SCAN,
        Capability.RANGES,
        Capability.OBJECTS,
        Capability.SETTLING,
    }
)

LIMITS: Final = Limits(batch_events=1000, model="postgres")
"""Items are left at what is safe everywhere. An entry of an index has a third of a page of 8 KiB:
enough for a key of two fields of 1,023 bytes, and the name of its table."""

CONNECTIONS: Final = 4
"""Of a journal, at most: one writes for all threads; others start runs, take them, and read."""

_Planner: TypeAlias = Callable[[Any, float], Plan]

_PLANNERS: Final[dict[str, _Planner]] = {
    "enqueue": queues.enqueue,
    "publish": queues.publish,
    "store": tables.store_item,
    "load": tables.load_item,
    "delete": tables.delete_item,
    "scan": tables.scan_items,
    "list_items": tables.list_items,
    "put_object": objects.put_object,
    "get_object": objects.get_object,
    "head_object": objects.head_object,
    "list_objects": objects.list_objects,
    "delete_object": objects.delete_object,
    "settle_write": settle_write,
}
"""What makes the plan of a call, by its verb."""


def open_driver(config: TargetConfig) -> Driver:
    """Open a target of PostgreSQL; the entry point ``postgres`` of ``leeward.adapters``.

    Raises:
        ConfigError: a setting is wrong; the message names it and the remedy.
    """
    return PostgresDriver(config.name, settings_from(config))


class PostgresDriver(Driver):
    """One database.

    Args:
        target: its name.
        settings: in force for it.
    """

    probe_fidelity = "data_plane"

    def __init__(self, target: str, settings: Settings) -> None:
        self.target = target
        self.capabilities = CAPABILITIES
        self.limits = LIMITS
        self._settings = settings
        self._lock = threading.Lock()
        self._is_closed = False
        self._threads: ThreadExchanges | None = None
        self._loops: WeakKeyDictionary[AbstractEventLoop, LoopExchanges] = WeakKeyDictionary()
        self._hints: Hints | None = None
        self._rows: deliveries.PostgresDeliveries | None = None

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at any call."""
        planner = self._planner(call)
        result = self._run(lambda seconds: planner(call, seconds), timeout)
        return self._hint(call, result)

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Await one attempt at any call, on a connection of this event loop."""
        from asyncio import get_running_loop

        planner = self._planner(call)
        loop = get_running_loop()
        with self._lock:
            if self._is_closed:
                return CLOSED
            exchanges = self._loops.get(loop)
            if exchanges is None:
                exchanges = self._loops[loop] = _connections().LoopExchanges(self._settings)
                finalize(loop, exchanges.close)
        result = await exchanges.carry_out(lambda seconds: planner(call, seconds), timeout)
        return self._hint(call, result)

    def store_many(self, calls: Sequence[Store], timeout: float) -> list[Result[Any]] | None:
        """Make one attempt at each of many stores, by one statement: all of them, or none."""
        result = self._run(lambda seconds: tables.store_items(calls, seconds), timeout)
        many: list[Result[Any]] | None = result.value
        return many if result.outcome is Outcome.OK else [result] * len(calls)

    def probe(self, timeout: float) -> Result[Any]:
        """Look whether the database answers."""
        return self._run(lambda _: checks.probe(), timeout)

    def look(self, look: Look, timeout: float) -> Result[LookResult]:
        """Look whether the schema is there, what it promises, and who takes what is sent."""
        return self._run(lambda _: checks.look(look), timeout)

    def stores(self) -> Stores:
        """Return the rows of queues, subscriptions and schedules, and the opener of the journal."""
        rows = self._open_rows()
        return Stores(
            rows,
            deliveries.PostgresSchedules(rows),
            self._open_journal,
            recipients=rows,
            listen=rows.listen,
        )

    def describe(self) -> Mapping[str, str]:
        """Return where the database is, as far as it is said here; never a password."""
        parameters = parameters_of(self._settings)
        shown = ("host", "hostaddr", "port", "dbname", "user", "sslmode", "service")
        shown_values = {name: str(parameters[name]) for name in shown if parameters.get(name)}
        sizes = {"schema": self._settings.schema, "pool_size": str(self._settings.pool_size)}
        rest = {"parameters": "libpq's variables"} if "host" not in shown_values else {}
        return shown_values | sizes | rest

    def places(self) -> tuple[int, int]:
        """Return how many exchanges are under way, and how many calls wait for a place."""
        with self._lock:
            used = [self._threads] if self._threads is not None else []
            counts = [loop.pool.counts for loop in (*used, *self._loops.values())]
        return sum(count for count, _ in counts), sum(count for _, count in counts)

    def native(self, service: str) -> object:
        """Return a new `psycopg.Connection`, as ``connection``; the caller closes it.

        Raises:
            ConfigError: there is no such service.
        """
        if service != "connection":
            raise ConfigError(
                f"no service {service!r} at {self.target}; known: connection", target=self.target
            )
        from psycopg import connect

        return connect(**parameters_of(self._settings))

    def close(self) -> None:
        """Close every connection; those in use when their exchange is over."""
        if self._hints is not None:
            self._hints.close()
        with self._lock:
            self._is_closed = True
            threads, loops = self._threads, list(self._loops.values())
        for connections in (*loops, *([threads] if threads is not None else [])):
            connections.close()

    async def close_async(self) -> None:
        """Do the same; nothing of it waits."""
        self.close()

    def _hint(self, call: Call, result: Result[Any]) -> Result[Any]:
        """Return the result of a call, and tell workers if there are rows for them."""
        if isinstance(call, Publish | Enqueue) and result.outcome is Outcome.OK:
            name = call.bus if isinstance(call, Publish) else call.function
            self._open_hints().send(text_of(name))
        return result

    def _open_rows(self) -> deliveries.PostgresDeliveries:
        """Return the rows, whose look is one for all who use them."""
        if self._rows is None:
            settings = self._settings
            self._rows = deliveries.PostgresDeliveries(
                self._run, settings.schema, settings.stage, self._open_hints
            )
        return self._rows

    def _open_hints(self) -> Hints:
        with self._lock:
            if self._hints is None:
                module = import_module("leeward_postgres.hints")
                ask = deliveries.StoreBase(self._run).ask
                self._hints = module.Hints(ask, self._settings)
            return self._hints

    def _planner(self, call: Call) -> _Planner:
        planner = _PLANNERS.get(call.verb)
        if planner is None:
            raise Unsupported(f"{self.target} does no {call.verb}", target=self.target)
        return planner

    def _run(self, make: MakePlan, timeout: float) -> Result[Any]:
        with self._lock:
            if self._is_closed:
                return CLOSED
            if self._threads is None:
                self._threads = _connections().ThreadExchanges(self._settings)
        return self._threads.run(make, timeout)

    def _open_journal(self) -> Journal:
        size = min(self._settings.pool_size, CONNECTIONS)
        exchanges = _connections().ThreadExchanges(self._settings._replace(pool_size=size))
        journals = import_module("leeward_postgres.journal")
        journal: Journal = journals.PostgresJournal(exchanges, self._open_rows())
        return journal


def _connections() -> Any:
    """Return the module that needs psycopg, once somebody needs it.

    Raises:
        ConfigError: psycopg, or the libpq that it needs, is not installed.
    """
    try:
        return import_module("leeward_postgres.connections")
    except ImportError as error:
        raise ConfigError(
            "psycopg cannot be imported, or finds no libpq; install it: "
            'pip install "leeward[postgres]"'
        ) from error
