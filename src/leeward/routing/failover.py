"""FailoverDriver: a driver around drivers, which takes each call to a target that serves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leeward.adapter import Call, Capability, Driver, Limits, Result
from leeward.entropy import random_unit
from leeward.errors import ConfigError
from leeward.routing import select
from leeward.routing.execution import Core
from leeward.routing.health import Evidence, Health
from leeward.routing.outcomes import rules_of
from leeward.routing.policy import DEFAULT, RoutingPolicy
from leeward.routing.runners import aio, threads
from leeward.routing.runners.shared import Shared
from leeward.values import NOTHING
from leeward.watching import WATCHER, is_harmless, report

if TYPE_CHECKING:
    from leeward.clock import Clock

DATA = frozenset(
    {
        Capability.TABLES,
        Capability.CONDITIONS,
        Capability.EXPIRY,
        Capability.COMPOSITE_KEYS,
        Capability.SCAN,
    }
)
"""The capabilities that only the home of a table needs."""


class FailoverDriver(Driver):
    """Try targets in order, and move on only where the outcome table allows it.

    It fulfils the driver protocol itself, with the difference that one call may make several
    attempts: `Result.target` and `Result.attempts` say what happened.

    Args:
        drivers: in order of preference; their target names differ.
        home: the target that owns the tables that `homes` does not name. With one driver it is
            that one. With several and no home, a data call raises `ConfigError`.
        homes: table to the target that owns it.
        policy: the numbers to decide by.
        clock: for tests.
    """

    def __init__(
        self,
        drivers: Sequence[Driver],
        *,
        home: str | None = None,
        homes: Mapping[str, str] = NOTHING,
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
        self._targets = select.Targets(order, home, homes)
        self.target = ",".join(order)
        self.capabilities = self._common_capabilities()
        self.limits = Limits.smallest([driver.limits for driver in drivers])
        core = Core(self._targets, policy, Health(order), random_unit)
        self._shared = Shared(core, self._drivers, clock)

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Take any call from its first attempt to its result, within `timeout` seconds."""
        watcher = WATCHER.get()
        if watcher is None or is_harmless(call):
            return threads.run(self._shared, call, timeout)
        watcher.begin()
        result = threads.run(self._shared, call, timeout)
        report(watcher, result)
        return result

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Do the same without blocking the event loop."""
        watcher = WATCHER.get()
        if watcher is None or is_harmless(call):
            return await aio.run(self._shared, call, timeout)
        await watcher.begin_async()
        result = await aio.run(self._shared, call, timeout)
        report(watcher, result)
        return result

    def evidence(self, target: str) -> Evidence:
        """Return what has been seen of `target`."""
        with self._shared.lock:
            return self._shared.core.health.evidence(target)

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
        failures: list[Exception] = []
        for driver in self._drivers.values():
            try:
                await driver.close_async()
            except Exception as error:  # noqa: BLE001 - the others must still be closed
                failures.append(error)
        if failures:
            raise failures[0]

    def _common_capabilities(self) -> frozenset[Capability]:
        """Return what every target can do; for data, what every home can do."""
        everywhere = frozenset.intersection(*(d.capabilities for d in self._drivers.values()))
        homes = {self._targets.home, *self._targets.homes.values()}
        owners = [each.capabilities for name, each in self._drivers.items() if name in homes]
        at_home = frozenset.intersection(*owners) if owners else frozenset[Capability]()
        return (everywhere - DATA) | (at_home & DATA)
