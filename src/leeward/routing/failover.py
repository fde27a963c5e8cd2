"""FailoverDriver: a driver around drivers, which takes each call to a target that serves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from leeward.adapter import Capability, Driver, Limits
from leeward.calls import Call, Result
from leeward.entropy import random_key, random_unit
from leeward.errors import ConfigError, Outcome
from leeward.routing import select
from leeward.routing.call import Core
from leeward.routing.health import Evidence, Health
from leeward.routing.outcomes import rules_of
from leeward.routing.policy import DEFAULT, RoutingPolicy
from leeward.routing.runners import aio, threads
from leeward.routing.runners.shared import Shared
from leeward.values import NOTHING, RoutingEvent
from leeward.watching import RUNNING, is_harmless, report, time_within

if TYPE_CHECKING:
    from leeward.clock import Clock

DATA = frozenset(
    {
        Capability.TABLES,
        Capability.CONDITIONS,
        Capability.EXPIRY,
        Capability.COMPOSITE_KEYS,
        Capability.SCAN,
        Capability.OBJECTS,
    }
)
"""The capabilities that only the home of a table or bucket needs."""

RUNS = frozenset({Capability.WORKFLOWS, Capability.SINGLE_STARTS})
"""The capabilities that only the target at which runs live needs."""


_TOO_LATE: Final = Result[Any](
    Outcome.LOCAL, code="no_time", message="the handler that calls has no time left"
)


class FailoverDriver(Driver):
    """Try targets in order, and move on only where the outcome table allows it.

    It fulfils the driver protocol itself, with the difference that one call may make several
    attempts: `Result.target` and `Result.attempts` say what happened.

    Args:
        drivers: in order of preference; their target names differ.
        home: the target that owns the tables and buckets that have no home of their own. With one
            driver it is that one. With several and no home, a data call raises `ConfigError`.
        homes: table to the target that owns it.
        bucket_homes: bucket to the target that owns it.
        runs: the target at which runs of workflows live; by default the first one.
        groups: verb and name of a function or bus to the targets that serve it, where they are not
            the whole order.
        weights: target to the share of calls, in [0, 1], that it is asked for first although it is
            not the preferred one.
        fail_back: ``prefer_primary``, ``sticky`` or ``manual``; see `leeward.routing.select.Group`.
        hedging: ask a second target when a harmless call takes long.
        policy: the numbers to decide by.
        clock: for tests.
    """

    def __init__(
        self,
        drivers: Sequence[Driver],
        *,
        home: str | None = None,
        homes: Mapping[str, str] = NOTHING,
        bucket_homes: Mapping[str, str] = NOTHING,
        runs: str | None = None,
        groups: Mapping[tuple[str, str], select.Group] = select.NO_GROUPS,
        weights: Mapping[str, float] = NOTHING,
        fail_back: str = "prefer_primary",
        hedging: bool = False,
        policy: RoutingPolicy = DEFAULT,
        clock: Clock | None = None,
    ) -> None:
        if not drivers:
            raise ConfigError("a failover order needs at least one target")
        self._drivers = {driver.target: driver for driver in drivers}
        if len(self._drivers) < len(drivers):
            raise ConfigError("two targets of one order have the same name; name each only once")
        order = tuple(self._drivers)
        if home is None and len(order) == 1:
            home = order[0]
        self._targets = select.Targets(
            order, home, homes, groups, weights, fail_back, bucket_homes, runs
        )
        self.target = ",".join(order)
        self.capabilities = self._common_capabilities()
        self.limits = Limits.smallest([driver.limits for driver in drivers])
        health = Health(self._targets, random_unit, policy)
        health.poison_key = random_key()
        for target, driver in self._drivers.items():
            health.records[target].probes = driver.probe_fidelity is not None
        self._shared = Shared(Core(health, hedging), self._drivers, clock)

    def perform(self, call: Call, timeout: float, only: tuple[str, ...] = ()) -> Result[Any]:
        """Take any call from its first attempt to its result, within `timeout` seconds.

        `only` narrows the targets for this call, and is their order.
        """
        context, watcher = RUNNING.get()
        if watcher is None:
            return threads.run(self._shared, call, timeout, only)
        timeout = time_within(context, call, timeout)
        if timeout <= 0:
            return _TOO_LATE
        if is_harmless(call):
            return threads.run(self._shared, call, timeout, only)
        watcher.begin()
        result = threads.run(self._shared, call, timeout, only)
        report(watcher, result)
        return result

    async def perform_async(
        self, call: Call, timeout: float, only: tuple[str, ...] = ()
    ) -> Result[Any]:
        """Do the same without blocking the event loop."""
        context, watcher = RUNNING.get()
        if watcher is None:
            return await aio.run(self._shared, call, timeout, only)
        timeout = time_within(context, call, timeout)
        if timeout <= 0:
            return _TOO_LATE
        if is_harmless(call):
            return await aio.run(self._shared, call, timeout, only)
        await watcher.begin_async()
        result = await aio.run(self._shared, call, timeout, only)
        report(watcher, result)
        return result

    def evidence(self, target: str) -> Evidence:
        """Return what has been seen of `target`."""
        shared = self._shared
        with shared.lock:
            return shared.core.health.evidence(target, shared.clock.monotonic())

    def isolate(self, target: str) -> None:
        """Send nothing to `target` any more, until it is restored."""
        from leeward.routing.by_hand import isolate

        with self._shared.lock:
            isolate(self._shared.core.health, target)
        self._shared.deliver()

    def restore(self, target: str) -> None:
        """Let calls flow to `target` again: a share first, then all."""
        from leeward.routing.by_hand import restore

        with self._shared.lock:
            restore(self._shared.core.health, target, self._shared.clock.monotonic())
        self._shared.deliver()

    def explain(self, call_id: int) -> str:
        """Return in words what was decided about a call, and why."""
        from leeward.routing.explain import explain

        with self._shared.lock:
            return explain(self._shared.core.health, call_id)

    def check_health(self, interval: float, failures: int, recoveries: int) -> None:
        """Probe every target, whether or not calls go there, until the order is closed."""
        from leeward.routing.probing import HealthChecks
        from leeward.routing.runners.background import background_of
        from leeward.routing.runners.prober import Prober

        checks = HealthChecks(interval, failures, recoveries)
        background_of(self._shared).prober = Prober(self._shared, checks)

    def share_health(self, table: str, key: str) -> None:
        """Exchange what is seen with other processes, by way of a table."""
        from leeward.routing.runners.background import background_of
        from leeward.routing.runners.snapshot import Snapshot

        background_of(self._shared).snapshot = Snapshot(self._shared, table, key)

    def listen(self, listener: Callable[[RoutingEvent], object]) -> None:
        """Let `listener` know everything that is decided from now on."""
        self._shared.listeners.append(listener)

    def home_of(self, table: str) -> str:
        """Return the target that owns `table`; raise `ConfigError` if none was chosen."""
        return select.home_of(self._targets, table)

    def candidates(self, call: Call) -> tuple[str, ...]:
        """Return the targets that may serve `call`, in order of preference."""
        return select.candidates(self._targets, call, rules_of(call))

    def describe(self) -> Mapping[str, str]:
        """Return the order."""
        return {"order": self.target}

    def native(self, service: str) -> object:
        """Return the vendor's own client of the first target."""
        return self._drivers[self._targets.order[0]].native(service)

    def close(self) -> None:
        """Close every driver, whatever another one's closing raises."""
        self._shared.end()
        failures: list[Exception] = []
        for driver in self._drivers.values():
            try:
                driver.close()
            except Exception as error:  # noqa: BLE001 - the others must still be closed
                failures.append(error)
        if failures:
            raise failures[0]

    async def close_async(self) -> None:
        """Do the same without blocking the event loop."""
        self._shared.end()
        failures: list[Exception] = []
        for driver in self._drivers.values():
            try:
                await driver.close_async()
            except Exception as error:  # noqa: BLE001 - the others must still be closed
                failures.append(error)
        if failures:
            raise failures[0]

    def _common_capabilities(self) -> frozenset[Capability]:
        """Return what every target can do; for data and runs, what those can that have them."""
        everywhere = frozenset.intersection(*(d.capabilities for d in self._drivers.values()))
        homes = {
            self._targets.home,
            *self._targets.homes.values(),
            *self._targets.bucket_homes.values(),
        }
        owners = [each.capabilities for name, each in self._drivers.items() if name in homes]
        at_home = frozenset.intersection(*owners) if owners else frozenset[Capability]()
        runs = self._drivers[self._targets.runs or self._targets.order[0]].capabilities
        return (everywhere - DATA - RUNS) | (at_home & DATA) | (runs & RUNS)
