"""The targets of an order, opened: configuration in, drivers out, which know their own names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from leeward.adapter import Driver, TargetConfig, WrappingDriver
from leeward.config import (
    Config,
    FunctionConfig,
    TargetName,
    load_config,
    load_settings,
    with_order,
)
from leeward.config.load import check_probes, check_providers, check_spool_disk, check_unused
from leeward.config.model import Keeper, TableConfig, check_kept, check_lists
from leeward.errors import ConfigError
from leeward.registry import check_driver, open_target
from leeward.values import NOTHING, Effect

if TYPE_CHECKING:
    from pathlib import Path

    from leeward._operations.protocols import MountableApp
    from leeward.calls import Call, Look, Result, Store


class NameMappingDriver(WrappingDriver):
    """`driver`, with everything under the names of the configuration.

    Args:
        driver: knows only its own names.
        names: "function", "bus", "table", "bucket" and "workflow", as the first fields of calls are
            named, to logical name to the target's own.
        unmarked: logical names of functions that mark their answers, but not at this target.
        prefixes: by the same words, how the target's own names begin that `names` does not have.
    """

    def __init__(
        self,
        driver: Driver,
        names: Mapping[str, Mapping[str, str]],
        unmarked: frozenset[str] = frozenset(),
        prefixes: Mapping[str, str] = NOTHING,
    ) -> None:
        super().__init__(driver)
        self._names = names
        self._unmarked = unmarked
        self._prefixes = prefixes

    def mount(self, app: Any) -> None:
        """Mount an app at the target, if it runs apps.

        Raises:
            ConfigError: its handlers would hear nothing of a bus or bucket that has another name.
        """
        runs_apps = getattr(type(self._driver), "mount", None) is not Driver.mount
        for handler in app.handlers.values() if runs_apps else ():
            for section, kind, name in (
                ("buses", "bus", handler.bus),
                ("buckets", "bucket", handler.bucket),
            ):
                if name is not None and (native := self._own_name(kind, name)) != name:
                    raise ConfigError(
                        f"{self.target} runs the app {app.name!r} in this process, and its handler "
                        f"{handler.name!r} would hear nothing of {name!r}, which is "
                        f"{native!r} there; take {self.target} out of [{section}.{name}.names]"
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

    def has_function(self, name: str) -> bool | None:
        """Return whether a function is there under the target's own name."""
        return self._driver.has_function(self._own_name("function", name))

    def look(self, look: Look, timeout: float) -> Result[Any]:
        """Look under the target's own name."""
        if look.verb == "look_resource":  # a file has the target's own name of it
            return super().look(look, timeout)
        kind = look.verb.removeprefix("look_")
        kind = kind if kind in ("bus", "table", "bucket") else "function"
        return super().look(look._replace(name=self._own_name(kind, look.name)), timeout)

    def _own_name(self, kind: str, name: str) -> str:
        native = self._names.get(kind, NOTHING).get(name)
        # A name of another account or place, such as an ARN, stays.
        return native or (name if ":" in name else f"{self._prefixes.get(kind, '')}{name}")

    def _with_own_name(self, call: Any) -> Any:
        kind, name = call._fields[0], call[0]  # the first field of every call names what it is for
        if kind == "place":
            write = self._with_own_name(call.write)
            return call._replace(place=write[0], write=write)
        native = self._own_name(kind, name)
        if kind == "function" and name in self._unmarked and call.verb in ("invoke", "settle"):
            return call._replace(function=native, marks=False)
        return call if native == name else call._replace(**{kind: native})


def resolve_targets(
    targets: str | Driver | Sequence[Driver] | None,
    config: str | Path | Config | None,
    app: MountableApp | None = None,
    *,
    trust_env: bool = True,
) -> tuple[Config, list[Driver]]:
    """Return the configuration and open what is not open yet; arguments as of `Client`.

    What `app` declares of a function counts where the configuration does not say it.
    """
    _check_switch(trust_env, "trust_env")
    if isinstance(config, Config):
        _check_switch(config.trust_env, "trust_env in the Config")
        check_lists(config)
    if targets is None or isinstance(targets, str):
        resolved = _with_app(_with_order(targets, config, trust_env=trust_env), app)
        return resolved, open_order(resolved, os.environ, app)
    several = isinstance(targets, Sequence) and not isinstance(targets, bytes | bytearray)
    drivers = cast("Sequence[Driver]", targets if several else [targets])
    if not isinstance(config, Config):
        config = load_settings(file=config, env=os.environ, trust_env=trust_env)
    config = _with_app(config, app)
    opened = own_order(drivers, config)
    if app is not None:
        for driver in opened:
            driver.mount(app)
    order = tuple(map(_name_of, drivers))
    check_providers(config, [target.provider for target in order])
    check_unused(config._replace(order=order), config.order)
    return config, opened


def _with_app(config: Config, app: MountableApp | None) -> Config:
    """Return `config` with what an app declares, key by key where a section says nothing of it.

    Of a function that is effect, deduplication and timeout, and that what is unknown is settled if
    it keeps records; of a handler of messages, its queue. That it marks its answers is not: another
    program may have a function of this name on a target.
    """
    functions = dict(config.functions)
    for name, handler in () if app is None else app.handlers.items():
        if handler.queue is not None:
            function = functions.get(handler.queue, FunctionConfig())
            queue = True if function.queue is None else function.queue
            functions[handler.queue] = function._replace(queue=queue)
        if not handler.is_call:
            continue
        function = functions.get(name, FunctionConfig())
        if function.effect in (None, handler.effect):  # another effect takes back what goes with it
            function = function._replace(effect=handler.effect)
            if function.shared_dedup is None and handler.effect is Effect.KEYED:
                function = function._replace(shared_dedup=handler.is_shared)
            if function.on_unknown is None and handler.keeps_records:
                function = function._replace(on_unknown="settle")
        functions[name] = function._replace(timeout=function.timeout or handler.timeout)
    config = config._replace(functions=functions)
    for name, handler in () if app is None else app.handlers.items():
        table = handler.record_table
        home = config.tables.get(table or "", TableConfig()).home or config.data_target
        if table is not None and home is not None:
            keys = ("tables", table, "home")
            check_kept(config, Keeper(keys, home, frozenset({name}), "keep records elsewhere"))
    check_probes(config, has_app=app is not None)
    if any(bus.on_all_down == "spool" for bus in config.buses.values()):
        check_spool_disk(config, os.environ)
    return config


def _check_switch(value: object, where: str) -> None:
    """Refuse a word in the place of a bool: ``"false"`` would count as true, and go unnoticed."""
    if not isinstance(value, bool):
        raise ConfigError(f"{where} must be True or False, not a value of {type(value).__name__}")


def _with_order(
    targets: str | None, config: str | Path | Config | None, *, trust_env: bool
) -> Config:
    if not isinstance(config, Config):
        return load_config(targets, file=config, env=os.environ, trust_env=trust_env)
    if config.order and targets is None:
        check_providers(config)
        check_unused(config, config.order)
        return config._replace(trust_env=trust_env and config.trust_env)
    return with_order(config, targets, os.environ, trust_env=trust_env)


def open_order(
    config: Config, env: Mapping[str, str], app: MountableApp | None = None
) -> list[Driver]:
    """Open every target of the order; if one cannot be opened, close those that were."""
    drivers: list[Driver] = []
    try:
        for target in config.order:
            driver = open_target(target_config(target, config, env))
            drivers.append(_map_names(driver, target, config))
            if app is not None:
                drivers[-1].mount(app)
        check_places(config, drivers)
    except BaseException:
        for driver in drivers:
            driver.close()
        raise
    return drivers


_PLACE = "region project database host hostaddr port dbname user service schema parameters path"
_SHARED: Final = ["region", "functions"]
"""What several targets may have in common: accounts in a region, functions of a host."""


def check_places(config: Config, drivers: Sequence[Driver]) -> None:
    """Raise `ConfigError` if drivers are of one place under two names: none is a failover."""
    seen = list[object]()
    for driver in drivers:
        said, target = driver.describe(), _name_of(driver)
        place = {
            name: said[name] for name in said if name in _PLACE.split() or name[:9] == "endpoint."
        }
        if place.get("path") == ":memory:":  # each target has a memory of its own
            place["path"] = str(target)
        shared = {name: said[name] for name in _SHARED if name in said}
        options = target_config(target, config, NOTHING).options if shared else None
        seen.append((target.provider, place, shared, options))
        first = seen.index(seen[-1])
        if (place or shared) and first < len(seen) - 1:
            raise ConfigError(
                f"the order has {shared.get('region', 'one place')} twice: "
                f"{drivers[first].target!r} and {driver.target!r}; name it once, or give each its "
                "own options"
            )


def own_order(drivers: Sequence[Driver], config: Config) -> list[Driver]:
    """Wrap drivers that are open already, so that calls go under the configured names."""
    for driver in drivers:
        remedy = "name an order such as 'local:a,local:b', or pass drivers"
        check_driver(driver, "an element of targets", remedy)
    return [_map_names(driver, _name_of(driver), config) for driver in drivers]


def _name_of(driver: Driver) -> TargetName:
    provider, _, qualifier = driver.target.partition(":")
    return TargetName(provider, qualifier or None)


def target_config(target: TargetName, config: Config, env: Mapping[str, str]) -> TargetConfig:
    """Return what an adapter is given to open `target`, one of the order."""
    name = str(target)
    mine = config.options.get(name)
    options = config.options.get(target.provider, {}) if mine is None else mine
    return TargetConfig(
        name=name,
        provider=target.provider,
        qualifier=target.qualifier,
        options=options,
        env=env if config.trust_env else {},
        trust_env=config.trust_env,
        shared=mine is None and target.provider in config.options,
        file=config.file,
        functions=_own_names(target, config.functions),
        stage=config.deploy.get("stage"),
    )


def _map_names(driver: Driver, target: TargetName, config: Config) -> Driver:
    prefix = config.prefix if driver.has_stages else ""
    sections: dict[str, Mapping[str, Any]] = {
        "function": config.functions,
        "bus": config.buses,
        "table": config.tables,
        "bucket": config.buckets,
        "workflow": config.workflows,
    }
    names = {kind: _own_names(target, section) for kind, section in sections.items()}
    prefixes = dict.fromkeys(sections, prefix)
    if driver.functions_in_app:
        del prefixes["function"]
    unmarked = frozenset(
        name for name, call in config.functions.items() if call.marks and not call.marks_at(target)
    )
    if not (prefix or unmarked or any(names.values())):
        return driver
    return NameMappingDriver(driver, names, unmarked, prefixes)


def _own_names(target: TargetName, section: Mapping[str, Any]) -> dict[str, str]:
    """Return logical name to own name; the whole target's name wins over its provider's."""
    natives: dict[str, str] = {}
    for logical, entry in section.items():
        name = entry.names.get(str(target), entry.names.get(target.provider))
        if name is not None:
            natives[logical] = name
    return natives
