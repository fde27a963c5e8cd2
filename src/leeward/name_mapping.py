"""Logical names become a target's own: a thin driver around a driver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from leeward.adapter import Driver, WrappingDriver
from leeward.calls import (
    OBJECT_VERBS,
    RUN_VERBS,
    Call,
    Delete,
    Enqueue,
    Invoke,
    Load,
    Publish,
    Result,
    Scan,
    Settle,
    Store,
)
from leeward.errors import ConfigError
from leeward.values import NOTHING

if TYPE_CHECKING:
    from leeward.calls import Look, ObjectCall, RunCall


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
        """Mount an app at the target, if it runs apps.

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
        return self._driver.perform(self._with_own_name(call), timeout)

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Await one attempt, under the target's own name."""
        return await self._driver.perform_async(self._with_own_name(call), timeout)

    def store_many(self, calls: Sequence[Store], timeout: float) -> list[Result[Any]] | None:
        """Make attempts at many stores, under the target's own names."""
        named: Any = [self._with_own_name(call) for call in calls]
        return self._driver.store_many(named, timeout)

    def look(self, look: Look, timeout: float) -> Result[Any]:
        """Look under the target's own name."""
        by_verb: Mapping[str, Mapping[str, str]] = {
            "look_bus": self._buses,
            "look_table": self._tables,
            "look_bucket": self._buckets,
        }
        if look.verb == "look_resource":  # a file has the target's own name of it
            return super().look(look, timeout)
        names = by_verb.get(look.verb, self._functions)
        return super().look(look._replace(name=names.get(look.name, look.name)), timeout)

    def _with_own_name(self, call: Call) -> Call:
        match call:
            case Invoke(function) | Settle(function) | Enqueue(function):
                own = self._functions.get(function)
                return call if own is None else call._replace(function=own)
            case Publish(bus):
                own = self._buses.get(bus)
                return call if own is None else call._replace(bus=own)
            case Store() | Load() | Delete() | Scan():
                own = self._tables.get(call.table)
                return call if own is None else call._replace(table=own)
        # By their verbs, so that a program without objects and runs does not load their classes.
        if call.verb == "start_native":
            table = self._tables.get(call.table, call.table)
            return call._replace(table=table, bucket=self._buckets.get(call.bucket, call.bucket))
        if call.verb in OBJECT_VERBS:
            objects = cast("ObjectCall", call)
            own = self._buckets.get(objects.bucket)
            return call if own is None else objects._replace(bucket=own)
        if call.verb in RUN_VERBS:
            run = cast("RunCall", call)
            own = self._workflows.get(run.workflow)
            return call if own is None else run._replace(workflow=own)
        return call
