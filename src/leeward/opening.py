"""The targets of an order, opened: configuration in, drivers out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from leeward.adapter import Driver, TargetConfig
from leeward.config import (
    Config,
    FunctionConfig,
    TargetName,
    load_config,
    load_settings,
    with_order,
)
from leeward.config.load import check_providers
from leeward.config.model import Names
from leeward.errors import ConfigError
from leeward.name_mapping import NameMappingDriver
from leeward.registry import check_driver, open_target
from leeward.values import Effect

if TYPE_CHECKING:
    from pathlib import Path

    from leeward._operations.protocols import MountableApp


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
    resolved, drivers = _resolve(targets, config, app, trust_env=trust_env)
    return resolved if app is None else _with_app(resolved, app), drivers


def _resolve(
    targets: str | Driver | Sequence[Driver] | None,
    config: str | Path | Config | None,
    app: MountableApp | None,
    *,
    trust_env: bool,
) -> tuple[Config, list[Driver]]:
    _check_switch(trust_env, "trust_env")
    if isinstance(config, Config):
        _check_switch(config.trust_env, "trust_env in the Config")
    if targets is None or isinstance(targets, str):
        resolved = _with_order(targets, config, trust_env=trust_env)
        return resolved, open_order(resolved, os.environ, app)
    several = isinstance(targets, Sequence) and not isinstance(targets, bytes | bytearray)
    drivers = cast("Sequence[Driver]", targets if several else [targets])
    if not isinstance(config, Config):
        config = load_settings(file=config, env=os.environ, trust_env=trust_env)
    opened = own_order(drivers, config)
    if app is not None:
        for driver in opened:
            driver.mount(app)
    check_providers(config, [_name_of(driver).provider for driver in drivers])
    return config, opened


def _with_app(config: Config, app: MountableApp) -> Config:
    """Return `config` with what an app declares, unless it says otherwise.

    Of a function that is effect, deduplication and timeout, that it marks its answers, and that
    what is unknown is settled if it keeps records; of a handler of messages, its queue.
    """
    functions = dict(config.functions)
    for name, handler in app.handlers.items():
        if handler.queue is not None:
            known = functions.get(handler.queue, FunctionConfig())
            queue = True if known.queue is None else known.queue
            functions[handler.queue] = known._replace(queue=queue)
        if not handler.is_call:
            continue
        known = functions.get(name, FunctionConfig())
        if known.effect is None:
            shared = handler.effect is Effect.KEYED and handler.is_shared
            known = known._replace(effect=handler.effect, shared_dedup=shared)
            if known.on_unknown is None and handler.keeps_records:
                known = known._replace(on_unknown="settle")
        marks = True if known.marks is None else known.marks
        functions[name] = known._replace(timeout=known.timeout or handler.timeout, marks=marks)
    return config._replace(functions=functions)


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
    except BaseException:
        for driver in drivers:
            driver.close()
        raise
    return drivers


def own_order(drivers: Sequence[Driver], config: Config) -> list[Driver]:
    """Put the configured names before drivers that are open already."""
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
    own = config.options.get(name)
    options = config.options.get(target.provider, {}) if own is None else own
    return TargetConfig(
        name=name,
        provider=target.provider,
        qualifier=target.qualifier,
        options=options,
        env=env if config.trust_env else {},
        trust_env=config.trust_env,
        shared=own is None and target.provider in config.options,
        file=config.file,
    )


def _map_names(driver: Driver, target: TargetName, config: Config) -> Driver:
    functions = _own_names(target, {name: each.names for name, each in config.functions.items()})
    buses = _own_names(target, {name: each.names for name, each in config.buses.items()})
    tables = _own_names(target, {name: each.names for name, each in config.tables.items()})
    buckets = _own_names(target, {name: each.names for name, each in config.buckets.items()})
    workflows = _own_names(target, {name: each.names for name, each in config.workflows.items()})
    if not (functions or buses or tables or buckets or workflows):
        return driver

    return NameMappingDriver(
        driver,
        functions=functions,
        buses=buses,
        tables=tables,
        buckets=buckets,
        workflows=workflows,
    )


def _own_names(target: TargetName, names: Mapping[str, Names]) -> dict[str, str]:
    """Return logical name to own name; the whole target's name wins over its provider's."""
    own = {
        logical: each.get(str(target), each.get(target.provider)) for logical, each in names.items()
    }
    return {logical: name for logical, name in own.items() if name is not None}
