"""FailoverDriver: a driver around drivers, which takes each call to a target that serves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leeward.adapter import (
    Call,
    Capability,
    Delete,
    Driver,
    Limits,
    Load,
    Result,
    Scan,
    Store,
)
from leeward.clock import Clock, SystemClock
from leeward.entropy import random_unit
from leeward.errors import ConfigError
from leeward.forking import ForkLock
from leeward.routing.batches import outcome_of
from leeward.routing.call import Pause
from leeward.routing.health import Evidence, observed
from leeward.routing.journey import Ask, Journey, Reply, journey, spec_of
from leeward.routing.outcomes import is_pinned
from leeward.routing.soundness import result_of
from leeward.values import NOTHING

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

_OF_TABLES = (Store, Load, Delete, Scan)


class FailoverDriver(Driver):
    """Try targets in order, and move on only where the outcome table allows it.

    It fulfils the driver protocol itself, with the difference that one call may make several
    attempts: `Result.target` and `Result.attempts` say what happened.

    Args:
        drivers: in order of preference; their target names differ.
        home: the target that owns the tables that `homes` does not name. With one driver it is
            that one. With several and no home, a data call raises `ConfigError`.
        homes: table to the target that owns it.
        clock: for tests.
    """

    def __init__(
        self,
        drivers: Sequence[Driver],
        *,
        home: str | None = None,
        homes: Mapping[str, str] = NOTHING,
        clock: Clock | None = None,
    ) -> None:
        if not drivers:
            raise ConfigError("a failover order needs at least one target")
        self._drivers = {driver.target: driver for driver in drivers}
        if len(self._drivers) < len(drivers):
            raise ConfigError("two targets of one order have the same name; name each only once")
        self._order = tuple(self._drivers)
        self._home = self._order[0] if home is None and len(drivers) == 1 else home
        self._homes = homes
        self._clock: Clock = clock or SystemClock()
        self._evidence = dict.fromkeys(self._order, Evidence())
        self._lock = ForkLock()
        self.target = ",".join(self._order)
        everywhere = frozenset.intersection(*(driver.capabilities for driver in drivers))
        owners = [driver.capabilities for driver in self._home_drivers()]
        at_home = frozenset.intersection(*owners) if owners else frozenset[Capability]()
        self.capabilities = (everywhere - DATA) | (at_home & DATA)
        self.limits = Limits.smallest([driver.limits for driver in drivers])

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Take any call from its first attempt to its result, within `timeout` seconds."""
        course = self._journey(call, timeout)
        command = next(course)
        while True:
            began = self._clock.monotonic()
            result = self._carry_out(command)
            try:
                command = course.send(self._reply(command, began, result))
            except StopIteration as end:
                final: Result[Any] = end.value
                return final

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Do the same without blocking the event loop."""
        course = self._journey(call, timeout)
        command = next(course)
        while True:
            began = self._clock.monotonic()
            result = await self._carry_out_async(command)
            try:
                command = course.send(self._reply(command, began, result))
            except StopIteration as end:
                final: Result[Any] = end.value
                return final

    def evidence(self, target: str) -> Evidence:
        """Return what has been seen of `target`."""
        with self._lock:
            return self._evidence[target]

    def home_of(self, table: str) -> str:
        """Return the target that owns `table`; `ConfigError` if none was chosen."""
        home = self._homes.get(table, self._home)
        if home is None:
            raise ConfigError(
                f"table {table!r} has no home, and the order has several targets "
                f"({', '.join(self._order)}); set home in [tables.{table}] of leeward.toml, or "
                "LEEWARD_DATA_TARGET"
            )
        if home not in self._drivers:
            raise ConfigError(
                f"the home of table {table!r} is {home!r}, which is not in the order "
                f"({', '.join(self._order)}); add it, or set LEEWARD_DATA_TARGET to a target "
                "of the order if the data is to live there"
            )
        return home

    def candidates(self, call: Call) -> tuple[str, ...]:
        """Return the targets that may serve `call`: for data the table's home, else all.

        A keyed call that only one target would recognise again stays on the first.
        """
        if isinstance(call, _OF_TABLES):
            return (self.home_of(call.table),)
        if is_pinned(call):
            return self._order[:1]
        return self._order

    def describe(self) -> Mapping[str, str]:
        """Return the order."""
        return {"order": self.target}

    def native(self, service: str) -> object:
        """Return the vendor's own client of the first target."""
        return self._drivers[self._order[0]].native(service)

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

    def _journey(self, call: Call, timeout: float) -> Journey:
        spec = spec_of(call, self.candidates(call), self._clock.monotonic(), timeout)
        return journey(call, spec, random_unit)

    def _carry_out(self, command: Ask | Pause) -> object:
        if isinstance(command, Pause):
            self._clock.sleep(command.seconds)
            return None
        try:
            return self._drivers[command.target].perform(command.call, command.timeout)
        except Exception as error:  # noqa: BLE001 - what it means is decided in one place
            return error

    async def _carry_out_async(self, command: Ask | Pause) -> object:
        if isinstance(command, Pause):
            await self._clock.sleep_async(command.seconds)
            return None
        try:
            driver = self._drivers[command.target]
            return await driver.perform_async(command.call, command.timeout)
        except Exception as error:  # noqa: BLE001 - what it means is decided in one place
            return error

    def _reply(self, command: Ask | Pause, began: float, answer: object) -> Reply:
        now = self._clock.monotonic()
        if isinstance(command, Pause):
            return Reply(began, now, None)
        result = result_of(command.call, answer)
        with self._lock:
            before = self._evidence[command.target]
            self._evidence[command.target] = observed(before, outcome_of(result))
        return Reply(began, now, result)

    def _home_drivers(self) -> list[Driver]:
        names = {self._home, *self._homes.values()}
        return [driver for name, driver in self._drivers.items() if name in names]
