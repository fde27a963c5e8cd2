"""The client's operations as values: what both clients share, which is all but the waiting.

An operation checks its arguments, and is then a call, the seconds for it, and what makes a receipt
or an exception of its result. A client sends the call and finishes.

Whatever a client does passes one gate, outside the router, the spool and the engine of workflows:
`send` for calls, `act` for everything else. There the handler that runs is told of its effects.
What leeward does for itself, on threads of its own, does not pass it.

Everything that can be wrong with a call is found here, before any I/O. The operations on tables are
in this file; those on functions, events, objects and workflows have one each beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from leeward._items.json_checks import load_checks
from leeward._items.names import longest_name
from leeward._operations import arguments, results
from leeward._operations.arguments import POSSIBLE, OrderLimits, needed_by, require
from leeward._operations.functions import FunctionOperations
from leeward._operations.results import Operation, T
from leeward._routing import FailoverDriver
from leeward._routing.health import TargetEvidence
from leeward._routing.targets import NO_GROUPS
from leeward.adapter import Capability, Driver
from leeward.calls import Call, Delete, Key, ListItems, Load, Result, Store
from leeward.clock import Clock, running_loop
from leeward.config import Config, TableConfig
from leeward.config.model import Keeper, check_homes, check_kept, groups_of, residency_of, shares_of
from leeward.entropy import new_id
from leeward.entrypoints import import_spec
from leeward.errors import CallError, ConfigError, LeewardError, Outcome
from leeward.forking import ForkLock
from leeward.records import NamedTuple
from leeward.registry import ITEM_READER, RUNS, SPOOL, import_room
from leeward.values import NOTHING, Item, ItemPage, ProbeReport, Record, StoreReceipt, TargetStatus
from leeward.watching import (
    RUNNING,
    UNDER_WAY,
    UNWATCHED,
    PossibleRuns,
    find_watcher,
    is_harmless,
    report,
    report_end,
    time_within,
)

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from leeward._operations.events import EventOperations
    from leeward._operations.objects import ObjectOperations
    from leeward._operations.protocols import EventSpool, UnknownWatcher
    from leeward._operations.runs import RunOperations
    from leeward._operations.settling_data import Settling
    from leeward.workflow.model import Definition

PROBE_TIMEOUT: Final = 4.0  # seconds that a probe by hand may take
DATA_TIMEOUT: Final = 15.0  # seconds: the deadline of a call that names none

LISTS: Final = "leeward._operations.lists:list_data"
"""What lists a partition; a program that lists none does not load it."""

UNKNOWNS: Final = "leeward._operations.unknowns:UnknownKeeper"
"""What leaves unknown calls in a table. It stands on these operations, as any user of tables does;
and a program without such a table does not load it."""

MOST_KNOWN: Final = 1024
"""Tables whose names are remembered as checked. Where there are more, all are checked anew."""

_TOO_LATE: Final = Result[Any](
    Outcome.LOCAL, code="no_time", message="the handler that calls has no time left"
)

_ANY_TABLE: Final = TableConfig()  # what holds for a table that is not configured


class TableRules(NamedTuple):
    """What holds for a table."""

    key: tuple[str, ...]
    seconds: float


class Operations:
    """The operations of one client, and the router behind them.

    Attributes:
        owner: of what is kept for the client: app, stage and order, as of `leeward.stores.Owner`.
        unknowns: leaves calls in a table whose outcome is unknown; None where none is configured.
        closed: set it, and every operation is refused.
    """

    def __init__(
        self,
        config: Config,
        drivers: Sequence[Driver],
        clock: Clock,
        definitions: Iterable[Definition] = (),
        *,
        app: str | None = None,
        otel: bool = False,
    ) -> None:
        self.router = router_of(config, drivers, clock, otel=otel)
        self.closed = self._is_closing = False
        self.config = config
        self.definitions = tuple(definitions)
        self.drivers = {driver.target: driver for driver in drivers}
        stage = config.prefix.removesuffix("-") or config.deploy.get("stage")
        self.owner = app, stage, tuple(self.drivers)
        everywhere = frozenset.intersection(*(driver.capabilities for driver in drivers))
        self._lacking = frozenset(Capability) - everywhere
        self.clock = clock
        self.limits = OrderLimits({one.target: arguments.limits_of(one) for one in drivers})
        self._tables: dict[str, TableRules] = {}
        if (telemetry := getattr(self.router, "telemetry", None)) is not None:
            telemetry.watch_targets(self.targets)
        self.unknowns = keeper = self._open_unknowns()
        self._stored: Callable[[Store, Result[Any]], StoreReceipt] = results.write_receipt
        self._deleted: Callable[[Delete, Result[Any]], StoreReceipt] = results.write_receipt
        if keeper is not None:
            self._stored, self._deleted = keeper.watch(self._stored), keeper.watch(self._deleted)
        self.functions = FunctionOperations(
            config.functions, self.limits, clock, self.check, keeper
        )
        self._runs: RunOperations | None = None
        self._spool: EventSpool | None = None
        self._opening = ForkLock(whole=False)

    def store_data(
        self,
        table: str,
        item: Mapping[str, object],
        *,
        if_absent: bool,
        if_revision: str | None,
        expires_in: float | timedelta | None,
        timeout: float | None,
    ) -> Operation[Store, StoreReceipt]:
        """Store an item whole."""
        if type(item) is not dict and isinstance(item, Mapping):
            item = dict(item)
        self._check_item(item)
        if if_absent is not False or if_revision is not None:
            arguments.check_condition(if_absent, if_revision)
        now = self.clock.now()
        rules = self.table(table)
        call = Store(
            table,
            self._key_of(item, rules.key),
            item.copy(),
            new_id(now),
            now,
            None if expires_in is None else arguments.expires_at(expires_in, now),
            if_absent,
            if_revision,
        )
        seconds = rules.seconds if timeout is None else arguments.check_timeout(timeout)
        self.check(call)
        return call, seconds, results.with_hint(self._stored, table, self.config.tables)

    def load_data(
        self, table: str, key: str | Mapping[str, str], timeout: float | None, as_: object = None
    ) -> Operation[Load, Record | None]:
        """Load an item."""
        conclude: Callable[[Load, Any], Record | None] = self._record_of
        if as_ is not None:
            conclude = results.then(conclude, import_room(ITEM_READER)(as_))
        rules = self.table(table)
        call = Load(table, arguments.key_of(key, rules.key, self.limits))
        seconds = rules.seconds if timeout is None else arguments.check_timeout(timeout)
        self.check(call)
        return call, seconds, results.with_hint(conclude, table, self.config.tables)

    def delete_data(
        self,
        table: str,
        key: str | Mapping[str, str],
        if_revision: str | None,
        timeout: float | None,
    ) -> Operation[Delete, StoreReceipt]:
        """Delete an item."""
        rules, now = self.table(table), self.clock.now()
        call = Delete(
            table,
            arguments.key_of(key, rules.key, self.limits),
            now,
            arguments.check_condition(False, if_revision),
            new_id(now),
        )
        seconds = rules.seconds if timeout is None else arguments.check_timeout(timeout)
        self.check(call)
        return call, seconds, results.with_hint(self._deleted, table, self.config.tables)

    def list_data(
        self, table: str, partition: str, **arguments: Any
    ) -> Operation[ListItems, ItemPage]:
        """List one page of a partition; arguments as of `leeward._operations.lists.list_data`."""
        operation: Operation[ListItems, ItemPage] = import_spec(LISTS)(
            self, table, partition, **arguments
        )
        return operation

    @cached_property
    def events(self) -> EventOperations:
        """The operations on events; a program that uses none does not load them."""
        from leeward._operations.events import EventOperations

        return EventOperations(self.config, self.limits, self.clock, self.check, self.unknowns)

    def sender(self, bus: str, on_all_down: str | None) -> FailoverDriver | EventSpool:
        """Return what publishes to a bus: the router, or what keeps events that no target takes.

        Raises:
            ConfigError: the spool would be lost with the machine, or cannot be opened.
        """
        configured = self.config.buses.get(arguments.check_name(bus, "bus"))
        word = None if configured is None else configured.on_all_down
        spools = arguments.check_policy(on_all_down, word, "spool", "on_all_down")
        target = self.config.spool.target
        if spools and word != "spool" and target is not None:
            remedy = "publish without on_all_down"
            check_kept(self.config, Keeper(("spool", "target"), target, frozenset({bus}), remedy))
        return self.spool if spools else self.router

    @property
    def spool(self) -> EventSpool:
        """What keeps events that no target takes; a program that has none does not load it."""
        with self._opening:
            if self._spool is None:
                self._spool = spool = import_room(SPOOL)(self)
                if (telemetry := getattr(self.router, "telemetry", None)) is not None:
                    telemetry.count_backlog(spool.count_waiting)
                if self._is_closing:
                    self._spool.close()
            return self._spool

    @cached_property
    def objects(self) -> ObjectOperations:
        """The operations on objects; a program that uses none does not load them."""
        from leeward._operations.objects import ObjectOperations

        return ObjectOperations(self.config.buckets, self.limits, self.clock, self.check)

    @property
    def runs(self) -> RunOperations:
        """The operations on workflows; a program that uses none does not load them."""
        with self._opening:
            if self._runs is None:
                from leeward._operations.runs import RunOperations

                self._runs = RunOperations(lambda: import_spec(RUNS)(self))
                if self._is_closing:
                    self._runs.close(None)
            return self._runs

    def close(self, timeout: float | None = None) -> None:
        """Await the steps of workflows that are under way, and refuse every operation then."""
        timeout = None if timeout is None else arguments.check_wait(timeout)
        with self._opening:
            self._is_closing = True
        try:
            if self._runs is not None:
                self._runs.close(timeout)
            if self._spool is not None:
                self._spool.close()
            if self.unknowns is not None:
                self.unknowns.close()
        finally:
            self.closed = True

    def send(
        self,
        call: Call,
        timeout: float,
        only: tuple[str, ...] = (),
        sender: FailoverDriver | EventSpool | None = None,
    ) -> Result[Any]:
        """Make a call of a client, within `timeout` seconds; return its result.

        Whoever watches the thread or task hears of it, if it may change something. `sender` is the
        router if it is None, and `only` as of `FailoverDriver.perform`.
        """
        sender = sender or self.router
        context, watcher = RUNNING.get()
        if watcher is UNWATCHED or (watcher is None and not UNDER_WAY):
            return sender.perform(call, timeout, only)
        left = time_within(context, call, timeout)
        if left <= 0 < timeout:
            return _TOO_LATE
        if is_harmless(call):
            return sender.perform(call, left, only)
        watcher = watcher or PossibleRuns(UNDER_WAY)
        watcher.begin()
        result = sender.perform(call, left, only)
        report(watcher, result.outcome)
        return result

    async def send_async(
        self,
        call: Call,
        timeout: float,
        only: tuple[str, ...] = (),
        sender: FailoverDriver | EventSpool | None = None,
    ) -> Result[Any]:
        """Do the same without blocking the event loop."""
        sender = sender or self.router
        context, watcher = RUNNING.get()
        if watcher is UNWATCHED or (watcher is None and not UNDER_WAY):
            return await sender.perform_async(call, timeout, only)
        left = time_within(context, call, timeout)
        if left <= 0 < timeout:
            return _TOO_LATE
        if is_harmless(call):
            return await sender.perform_async(call, left, only)
        watcher = watcher or PossibleRuns(UNDER_WAY)
        await watcher.begin_async()
        result = await sender.perform_async(call, left, only)
        report(watcher, result.outcome)
        return result

    def act(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do what has an effect besides calls, such as the start of a run; return its result.

        Whoever watches the thread or task hears of it once, whatever calls are a part of it.
        """
        watcher = find_watcher()
        watcher.begin()
        with report_end(watcher):
            return work(*arguments)

    async def act_async(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do the same on a thread, because it waits for a disk; the event loop continues."""
        from asyncio import to_thread

        running_loop()
        watcher = find_watcher()
        await watcher.begin_async()
        with report_end(watcher):
            return await to_thread(work, *arguments)

    def targets(self) -> list[TargetStatus]:
        """Describe the targets, in order."""
        return [
            status_of(driver, self.router.evidence(driver.target), self.config)
            for driver in self.drivers.values()
        ]

    def native(self, target: str, service: str) -> object:
        """Return the vendor's own client of a service."""
        arguments.check_name(service, "service")
        return self.drivers[self.check_target(target)].native(service)

    def probe(self, target: str) -> ProbeReport:
        """Look whether a target works."""
        return probe_of(self.drivers[self.check_target(target)], self.clock)

    def share(self, kind: type[T]) -> T:
        """Return another client with these operations; closing one closes both."""
        client = kind.__new__(kind)
        vars(client).update(_operations=self, _router=self.router)
        return client

    def check_target(self, target: str) -> str:
        """Check the name of a target of the order."""
        if arguments.check_name(target, "target") not in self.drivers:
            raise ConfigError(
                f"no target {target!r} in the order; it has {', '.join(self.drivers)}"
            )
        return target

    def explain(self, call_id: int) -> str:
        """Return in words what was decided about a call, and why."""
        return self.router.explain(arguments.check_call_id(call_id))

    def settle(
        self,
        error_or_key: CallError | str,
        *,
        function: str | None,
        payload: object,
        sent: float | datetime | None,
        timeout: float | None,
        targets: str | Sequence[str] | None,
    ) -> Settling:
        """Settle a call; a program that has nothing to settle does not load what does it."""
        from leeward._operations.settling import observe, settle

        only: tuple[str, ...] = ()
        if targets is not None:
            only = arguments.check_targets(targets, self.drivers, tuple(self.drivers))
        functions, clock = self.config.functions, self.clock
        steps = settle(
            error_or_key,
            function,
            payload=payload,
            sent=sent,
            only=only,
            timeout=timeout,
            functions=functions,
            candidates=self.router.candidates,
            drivers=self.drivers,
            clock=clock,
            is_own=self.router.has_made,
        )
        telemetry = getattr(self.router, "telemetry", None)
        return steps if telemetry is None else observe(steps, telemetry.count_verdict)

    def narrow(self, call: Call, targets: str | Sequence[str]) -> tuple[str, ...]:
        """Check the targets that a caller narrows the order to, for one call."""
        return arguments.check_targets(targets, self.drivers, self.router.candidates(call))

    def check(self, call: Call) -> None:
        """Refuse a call of a closed client, and one that a target could not serve."""
        if self.closed:
            raise LeewardError("this client is closed, and nothing was sent; open a new one")
        lacking = self._lacking
        if not (lacking.isdisjoint(POSSIBLE[call.verb]) or lacking.isdisjoint(needed_by(call))):
            require(call, [self.drivers[name] for name in self.router.candidates(call)])

    def table(self, table: str) -> TableRules:
        """Return what holds for a table, by its logical name."""
        rules = self._tables.get(table) if type(table) is str else None
        if rules is not None:
            return rules
        checked = arguments.check_name(table, "table")
        configured = self.config.tables.get(checked) or _ANY_TABLE
        rules = TableRules(configured.key, configured.timeout or DATA_TIMEOUT)
        if len(self._tables) >= MOST_KNOWN:
            self._tables.clear()
        self._tables[table] = rules
        return rules

    def _open_unknowns(self) -> UnknownWatcher | None:
        """Return what leaves unknown calls in a table, if one is configured."""
        table = self.config.unknowns
        if table is None:
            return None
        keeper: UnknownWatcher = import_spec(UNKNOWNS)(
            self, table, with_payload=self.config.unknowns_payload
        )
        if (telemetry := getattr(self.router, "telemetry", None)) is not None:
            telemetry.count_open(keeper.open_count)
        return keeper

    def _key_of(self, item: Item, fields: tuple[str, ...]) -> Key:
        """Return the key of an item; nearly all have one field, and a plain text in it."""
        value = item.get(fields[0])
        longest = self.limits.smallest.key_bytes if len(fields) == 1 else 0
        if type(value) is str and value.isascii() and 0 < len(value) <= longest:
            return Key(fields, (value,))
        return arguments.key_of_item(item, fields, self.limits)

    @cached_property
    def _measure(self) -> Callable[[Item], Any]:
        """Return what checks and measures an item; a client that stores none does not load it."""
        measure: Callable[[Item], Any] = load_checks().checked_size
        return measure

    def _check_item(self, item: Item) -> None:
        size, smallest, check = self._measure(item), self.limits.smallest, self.limits.check
        large = size.bytes > smallest.name_bytes or size.bytes > smallest.item_bytes
        if large or size.depth > smallest.nesting:
            remedy = "; split it, or keep the large part elsewhere"
            check(size.bytes, "item_bytes", "item has", remedy, field="item")
            has, remedy = "item has a name of", "; shorten it"
            check(longest_name(item), "name_bytes", has, remedy, field="item")
            has, remedy = "item is nested", "; flatten it"
            check(size.depth, "nesting", has, remedy, field="item", unit="deep")

    def _record_of(self, call: Load, result: Result[Any]) -> Record | None:
        return results.record_of(call, result, self.clock.now())


def router_of(
    config: Config, drivers: Sequence[Driver], clock: Clock, *, otel: bool = False
) -> FailoverDriver:
    """Return the router that `config` describes, over `drivers` in order of preference.

    With `otel` its calls and decisions are told to OpenTelemetry.

    Raises:
        ConfigError: a group has no target left, a table's home is not where its data has to be,
            or OpenTelemetry is not installed.
    """
    groups, weights, runs = NO_GROUPS, NOTHING, config.workflow_target
    if config.groups or config.weights or any(table.residency for table in config.tables.values()):
        check_homes(config)
        groups = groups_of(config, tuple(driver.target for driver in drivers))
        weights = shares_of(config.weights)
    kind = FailoverDriver
    if otel:
        from leeward._operations.telemetry import ObservedRouter

        kind = ObservedRouter
    router = kind(
        drivers,
        home=config.data_target,
        homes=config.homes(),
        bucket_homes=config.bucket_homes(),
        runs=runs if any(driver.target == runs for driver in drivers) else None,
        groups=groups,
        weights=weights,
        fail_back=config.fail_back,
        hedging=config.hedge,
        clock=clock,
    )
    if config.health_checks is not None:
        router.check_health(*config.health_checks)
    if config.snapshot is not None:
        table = config.tables.get(config.snapshot) or TableConfig()
        router.share_health(config.snapshot, table.key[0])
    return router


def status_of(driver: Driver, evidence: TargetEvidence, config: Config) -> TargetStatus:
    """Describe a target."""
    places = driver.places()
    return TargetStatus(
        name=driver.target,
        capabilities=frozenset(capability.value for capability in driver.capabilities),
        settings=driver.describe(),
        attempts=evidence.attempts,
        failures=evidence.failures,
        last_outcome=evidence.last_outcome,
        state=evidence.state,
        circuits=evidence.circuits,
        residency=residency_of(config, driver.target),
        in_flight=None if places is None else places[0],
        waiting=None if places is None else places[1],
        isolation=evidence.isolation,
    )


def probe_of(driver: Driver, clock: Clock) -> ProbeReport:
    """Look whether a target works."""
    if driver.probe_fidelity is None:
        return ProbeReport(driver.target, None, None)
    began = clock.monotonic()
    result = driver.probe(PROBE_TIMEOUT)
    seconds = clock.monotonic() - began
    return ProbeReport(driver.target, result.outcome is Outcome.OK, seconds, result.code)
