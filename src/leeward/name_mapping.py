"""Logical names become a target's own: a thin driver around a driver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leeward.adapter import (
    Call,
    Delete,
    Driver,
    Enqueue,
    Invoke,
    Load,
    Publish,
    Result,
    Scan,
    Store,
    WrappingDriver,
)
from leeward.calls import OBJECT_VERBS, RUN_VERBS
from leeward.errors import ConfigError
from leeward.values import NOTHING

if TYPE_CHECKING:
    from leeward.adapter.looking import Look


class NameMappingDriver(WrappingDriver):
    """`driver`, with everything under the names of the configuration.

    Args:
        driver: knows only its own names.
        functions: logical name to the target's own; a name that is not in it stays as it is.
        buses: likewise.
        tables: likewise.
        buckets: likewise.
        workflows: likewise.
    """

    def __init__(
        self,
        driver: Driver,
        *,
        functions: Mapping[str, str],
        buses: Mapping[str, str],
        tables: Mapping[str, str],
        buckets: Mapping[str, str] = NOTHING,
        workflows: Mapping[str, str] = NOTHING,
    ) -> None:
        super().__init__(driver)
        self._functions = functions
        self._buses = buses
        self._tables = tables
        self._buckets = buckets
        self._workflows = workflows

    def mount(self, app: Any) -> None:
        """Let the target run an app, if it does that.

        Raises:
            ConfigError: its handlers would hear nothing of a bus or bucket that has another name.
        """
        runs_apps = getattr(type(self._driver), "mount", None) is not Driver.mount
        for handler in app.handlers.values() if runs_apps else ():
            for section, known, name in (
                ("buses", self._buses, handler.bus),
                ("buckets", self._buckets, handler.bucket),
            ):
                if name is not None and known.get(name, name) != name:
                    raise ConfigError(
                        f"{self.target} runs the app {app.name!r} in this process, and its handler "
                        f"{handler.name!r} would hear nothing of {name!r}, which is "
                        f"{known[name]!r} there; take {self.target} out of [{section}.{name}.names]"
                    )
        super().mount(app)

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt, under the target's own name."""
        return self._driver.perform(self._map(call), timeout)

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Await one attempt, under the target's own name."""
        return await self._driver.perform_async(self._map(call), timeout)

    def store_many(self, calls: Sequence[Store], timeout: float) -> list[Result[Any]] | None:
        """Make attempts at many stores, under the target's own names."""
        named: Any = [self._map(call) for call in calls]
        return self._driver.store_many(named, timeout)

    def look(self, look: Look, timeout: float) -> Result[Any]:
        """Look under the target's own name."""
        from leeward.adapter.looking import BUCKET, BUS, RESOURCE, TABLE

        by_verb = {BUS: self._buses, TABLE: self._tables, BUCKET: self._buckets}
        if look.verb == RESOURCE:  # a file has the target's own name of it
            return super().look(look, timeout)
        names = by_verb.get(look.verb, self._functions)
        return super().look(look._replace(name=names.get(look.name, look.name)), timeout)

    def _map(self, call: Call) -> Call:
        match call:
            case Invoke(function) | Enqueue(function):
                own = self._functions.get(function)
                return call if own is None else call._replace(function=own)
            case Publish(bus):
                own = self._buses.get(bus)
                return call if own is None else call._replace(bus=own)
            case Store() | Load() | Delete() | Scan():
                own = self._tables.get(call.table)
                return call if own is None else call._replace(table=own)
            case _:
                return self._map_late(call)

    def _map_late(self, call: Any) -> Call:
        """Name a call of objects or of runs, whose classes need not be there for that."""
        if call.verb == "start_native":
            table = self._tables.get(call.table, call.table)
            moved: Call = call._replace(
                table=table, bucket=self._buckets.get(call.bucket, call.bucket)
            )
            return moved
        if call.verb not in OBJECT_VERBS | RUN_VERBS:
            return call  # type: ignore[no-any-return]
        name: str = call[0]
        own = (self._workflows if call.verb in RUN_VERBS else self._buckets).get(name)
        named: Call = call if own is None else call._make((own, *call[1:]))
        return named
