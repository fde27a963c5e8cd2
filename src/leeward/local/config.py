"""The options of ``[targets.local]`` in ``leeward.toml``: see ``docs/configuration.md``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from leeward.adapter import TargetConfig
from leeward.app.app import App
from leeward.errors import ConfigError
from leeward.local.driver import DIRECTORY, Local
from leeward.records import NamedTuple
from leeward.registry import import_object, split_name

T = TypeVar("T")

HANDLERS = ("app", "functions", "subscriptions")
"""Options that name code of the user's, which is imported."""

_OPTIONS = {"path": str, "app": str, "functions": dict, "subscriptions": list}
_SUBSCRIPTION = {"bus": str, "type": str, "name": str, "function": str}
_QUALIFIER = re.compile(r"[A-Za-z0-9._-]+")


class _Subscriber(NamedTuple):
    bus: str
    type: str | None
    name: str | None
    function: Callable[..., Any]


def open_local(config: TargetConfig) -> Local:
    """Open the target, with the functions and subscriptions that its options name."""
    config.check_options(_OPTIONS)
    path = _path(config)
    app = _app(config, import_app)
    functions = _functions(config, _function)
    subscribers = _subscribers(config, _function)
    local = Local(config.name, path=path, stage=config.stage)
    try:
        if app is not None:
            local.mount(app)
        for name, function in functions.items():
            local.function(name)(function)
        for subscriber in subscribers:
            local.subscribe(subscriber.bus, subscriber.type, name=subscriber.name)(
                subscriber.function
            )
    except ConfigError:
        local.close()
        raise
    return local


def check_handlers(config: TargetConfig) -> None:
    """Check the options that name code of the user's, and import nothing of it."""
    config.check_options(_OPTIONS)
    _app(config, split_name)
    _functions(config, split_name)
    _subscribers(config, split_name)


def _path(config: TargetConfig) -> str:
    qualifier = config.qualifier
    if qualifier is not None and not _QUALIFIER.fullmatch(qualifier):
        raise ConfigError(
            f"the target {config.name!r} cannot be the name of a file; after the colon use only "
            f"letters, digits, '.', '_' and '-'"
        )
    name = "local.sqlite3" if qualifier is None else f"local-{qualifier}.sqlite3"
    path: str = config.options.get("path", f"{DIRECTORY}/{name}")
    if not path:
        raise ConfigError(f"'path' {_place(config)} is empty; name a file, or ':memory:'")
    return path


def _app(config: TargetConfig, read: Callable[[Any, str], T]) -> T | None:
    spec = config.options.get("app")
    return None if spec is None else read(spec, f"'app' {_place(config)}")


def _functions(config: TargetConfig, read: Callable[[Any, str], T]) -> dict[str, T]:
    table: Mapping[str, Any] = config.options.get("functions", {})
    return {
        name: read(spec, f"functions.{name!r} {_place(config)}") for name, spec in table.items()
    }


def _subscribers(config: TargetConfig, read: Callable[[Any, str], Any]) -> list[_Subscriber]:
    tables: list[Any] = config.options.get("subscriptions", [])
    return [
        _subscriber(table, f"subscriptions[{index}] {_place(config)}", read)
        for index, table in enumerate(tables)
    ]


def _subscriber(table: Any, where: str, read: Callable[[Any, str], Any]) -> _Subscriber:
    if not isinstance(table, dict):
        raise ConfigError(f"{where} must be a table with bus and function")
    for key, value in table.items():
        if key not in _SUBSCRIPTION:
            raise ConfigError(
                f"unknown key {key!r} in {where}; known: {', '.join(sorted(_SUBSCRIPTION))}"
            )
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{key!r} in {where} must be a string that is not empty")
    for key in ("bus", "function"):
        if key not in table:
            raise ConfigError(f"{where} lacks {key!r}; add it")
    return _Subscriber(
        table["bus"],
        table.get("type"),
        table.get("name"),
        read(table["function"], f"'function' in {where}"),
    )


def _function(spec: Any, where: str) -> Callable[..., Any]:
    function = import_object(spec, where)
    if not callable(function):
        raise ConfigError(f"{where}: {spec!r} is not callable; name a function")
    checked: Callable[..., Any] = function
    return checked


def import_app(spec: Any, where: str) -> App:
    """Return the app that ``module:app`` names."""
    app = import_object(spec, where)
    if not isinstance(app, App):
        raise ConfigError(f"{where}: {spec!r} is a {type(app).__name__}; name a leeward.App")
    return app


def _place(config: TargetConfig) -> str:
    return f"in {config.section}"
