"""What a worker is opened with: its configuration, its targets, and its shares, checked.

A target that runs no apps gets two drivers of the worker's: one before it, and one beside it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from leeward._delivery.functions import Functions
from leeward._delivery.runner import AppRunner, NamedLimit
from leeward.adapter import Capability, Driver, Limits, WrappingDriver
from leeward.app.app import App
from leeward.app.triggers import Kind
from leeward.calls import Call, Look, LookResult, Result
from leeward.config import Config, GroupConfig, LimitConfig, load_config, load_settings, with_order
from leeward.config.sections import read_attempts
from leeward.errors import ConfigError, Outcome, Unsupported
from leeward.opening import target_config
from leeward.registry import EMBEDDED, open_target
from leeward.text import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

WORKER: Final = "worker"
"""The target of calls of the app's own functions, which run in the worker's process."""

GROUP: Final = "(worker)"
"""The group of the functions that run here. No group of a ``leeward.toml`` needs this name."""


def configuration_of(
    targets: str | Driver | Sequence[Driver] | None,
    config: str | Path | Config | None,
    *,
    trust_env: bool,
) -> Config:
    """Return the configuration, with the order that is in force."""
    order = targets if isinstance(targets, str) else None
    if targets is not None and order is None:
        if isinstance(config, Config):
            return config
        return load_settings(file=config, env=os.environ, trust_env=trust_env)
    if not isinstance(config, Config):
        return load_config(order, file=config, env=os.environ, trust_env=trust_env)
    if config.order and order is None:
        return config
    return with_order(config, order, os.environ, trust_env=trust_env)


def open_drivers(targets: str | Driver | Sequence[Driver] | None, config: Config) -> list[Driver]:
    """Return the drivers of the order; the worker mounts the app itself."""
    if targets is not None and not isinstance(targets, str):
        return [targets] if isinstance(targets, Driver) else [*targets]
    options = {
        target: {name: value for name, value in option.items() if name != "app"}
        if target.partition(":")[0] == EMBEDDED
        else option
        for target, option in config.options.items()
    }
    config = config._replace(options=options)
    drivers: list[Driver] = []
    try:
        for target in config.order:
            drivers.append(open_target(target_config(target, config, os.environ)))
    except BaseException:
        for driver in drivers:
            driver.close()
        raise
    return drivers


def index_of(drivers: Sequence[Driver], target: str | None) -> int:
    """Return which driver a worker works for."""
    names = ", ".join(driver.target for driver in drivers)
    for at, driver in enumerate(drivers):
        if target in (None, driver.target) and driver.stores() is not None:
            return at
    if target is not None and all(driver.target != target for driver in drivers):
        raise ConfigError(f"the target {target!r} is not in the order ({names}); add it")
    raise ConfigError(
        f"{target or names} keeps no rows for workers: clouds deliver to deployed functions by "
        "themselves, see `leeward package`; name a target such as local or postgres"
    )


def check_names(app: App, config: Config, target: str) -> None:
    """Check that queues and functions of the app have no other name at the target."""
    for handler in app.handlers.values():
        name = handler.queue or handler.name
        names = config.functions[name].names if name in config.functions else {}
        native = names.get(target, names.get(target.partition(":")[0], name))
        if handler.kind in (Kind.CALL, Kind.MESSAGE) and native != name:
            raise ConfigError(
                f"{name!r} is {native!r} at {target}, by [functions.{name}.names], and the handler "
                f"{handler.name!r} would get nothing; take {target} out of the names"
            )


def with_own_functions(config: Config, app: App, drivers: Sequence[Driver], target: str) -> Config:
    """Return `config` with calls of the app's functions going to this process, or to its queue.

    A group of the configuration that has a function keeps it.
    """
    grouped = {name for group in config.groups.values() for name in group.functions}
    own = [each.name for each in app.handlers.values() if each.is_call and each.name not in grouped]
    if own:
        group = GroupConfig(functions=tuple(own), targets=(WORKER, target))
        config = config._replace(groups={**config.groups, GROUP: group})
    if config.data_target is None and len(drivers) == 1:
        config = config._replace(data_target=target)
    return config


def check_queues(app: App, queues: Mapping[str, int]) -> dict[str, int]:
    """Return them, checked: each is a queue, a function or a bus of the app."""
    handlers = app.handlers.values()
    names = {each.queue or each.bus or each.name for each in handlers if each.kind in _QUEUED}
    for name in queues:
        if name not in names:
            hint = did_you_mean(name, names) or f"; known: {', '.join(sorted(names)) or 'none'}"
            raise ConfigError(
                f"queues names {name!r}, and the app {app.name!r} has no queue, function or bus of "
                f"this name{hint}"
            )
    return {name: read_attempts(limit, f"queues.{name}") for name, limit in queues.items()}


_QUEUED: Final = (Kind.CALL, Kind.MESSAGE, Kind.EVENT)


def check_limits(app: App, limits: Mapping[str, LimitConfig]) -> dict[str, NamedLimit]:
    """Return them, checked: each is of handlers of the app."""
    checked = {}
    for name, limit in limits.items():
        for handler in limit.handlers or (name,):
            if handler not in app.handlers:
                hint = did_you_mean(handler, app.handlers) or (
                    f"; known: {', '.join(app.handlers) or 'none'}"
                )
                raise ConfigError(
                    f"limits.{name} is for {handler!r}, and the app {app.name!r} has no handler of "
                    f"this name{hint}"
                )
        count = read_attempts(limit.most, f"limits.{name}")
        checked[name] = NamedLimit(count, frozenset(limit.handlers or (name,)))
    return checked


class WorkedTarget(WrappingDriver):
    """A target whose rows a worker delivers in this process."""

    def __init__(self, driver: Driver, runner: AppRunner) -> None:
        super().__init__(driver)
        self._runner = runner

    def mount(self, app: Any) -> None:
        """Run the handlers of an app here."""
        self._runner.mount(app)

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt; what it has queued or published is looked for at once."""
        result = super().perform(call, timeout)
        if call.verb in ("enqueue", "publish"):
            self._runner.wake()
        return result


class WorkerFunctions(Driver):
    """The functions of the app, called in this process."""

    def __init__(self, functions: Functions, limits: Limits) -> None:
        self.target = WORKER
        self.capabilities = frozenset({Capability.INVOKE})
        self.limits = limits
        self._functions = functions

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at a call of a function."""
        if call.verb not in ("invoke", "settle"):
            raise Unsupported(f"{self.target} does no {call.verb}", target=self.target)
        answer: Result[Any] = self._functions.invoke(call, timeout)
        return answer

    def look(self, look: Look, timeout: float) -> Result[Any]:
        """Look whether a function is registered here."""
        del timeout
        if self.has_function(look.name):
            return Result.ok(LookResult())
        return Result(Outcome.NOT_FOUND, message=f"no function {look.name!r} is registered")

    def has_function(self, name: str) -> bool:
        """Return whether a function is registered here."""
        return name in self._functions.registry

    def describe(self) -> Mapping[str, str]:
        """Return how many functions are registered."""
        return {"functions": str(len(self._functions.registry))}
