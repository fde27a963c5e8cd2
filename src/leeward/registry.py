"""What is known by its name: adapters, embedded and installed, and the engine of workflows.

Nothing is looked up before the first target is opened, and an adapter is loaded only if it is
named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from operator import attrgetter
from typing import Any

from leeward.adapter import Driver, TargetConfig
from leeward.entrypoints import EntryPoint, all_entry_points, entry_points, import_spec
from leeward.errors import ConfigError
from leeward.logs import import_flaw
from leeward.text import did_you_mean

GROUP = "leeward.adapters"

EMBEDDED = "local"  # the embedded target, and its engine of workflows

BUILT_IN = {EMBEDDED: "leeward.local:open_driver"}
"""Found without reading the metadata of every installed package."""

ENGINE = "leeward.workflow.embedded.engine:Engine"  # the embedded engine of workflows

JOURNAL = "leeward.workflow.embedded.sqlite_journal:SqliteJournal"
"""The journal of runs in a file."""

RUNS = "leeward.workflow.opening:open_runs"
"""What opens the runs of a client's workflows. It stands on a client, as apps do, so a client knows
it by its name alone; and a program without workflows does not load it."""

SPOOL = "leeward._delivery.spool:open_spool"
"""What keeps the events that no target takes. It stands on a client, too, and a program that spools
nothing does not load it."""

TYPED_CALL = "leeward.app.typed:typed_call"
ITEM_READER = "leeward.app.typed:item_reader"
PAGE_READER = "leeward.app.typed:page_reader"
"""What reads annotations, as apps do. A program that calls by name does not load it."""

INSTALL_HINTS = {
    "aws": 'pip install "leeward[aws]"',
    "azure": 'pip install "leeward[azure]"',
    "google": 'pip install "leeward[google]"',
    "http": 'pip install "leeward[http]"',
}


def open_target(config: TargetConfig) -> Driver:
    """Load the adapter of `config.provider` and open the target.

    Raises:
        ConfigError: the provider is unknown or not installed, two packages offer it, or what it
            opens is not a driver.
    """
    driver = _opener(config.provider)(config)
    opened = f"what the adapter {config.provider!r} opened for {config.name}"
    check_driver(driver, opened, "correct or update the adapter")
    if driver.target != config.name:
        driver.close()
        raise ConfigError(
            f"the adapter {config.provider!r} was asked for {config.name!r} and opened "
            f"{driver.target!r}; update the adapter"
        )
    return driver


def check_driver(driver: object, what: str, remedy: str) -> None:
    """Raise `ConfigError` if `driver` is not a `Driver`, or lacks an attribute; `what` names it."""
    if isinstance(driver, type):
        raise ConfigError(f"{what} is the class {driver.__name__}; call it to make a driver")
    if not isinstance(driver, Driver):
        raise ConfigError(
            f"{what} is not a driver but of type {type(driver).__name__}, which is not derived "
            f"from leeward.adapter.Driver; {remedy}"
        )
    absent = [name for name in ("target", "capabilities", "limits") if not hasattr(driver, name)]
    if absent:
        raise ConfigError(f"{what} lacks {', '.join(absent)}; set it before the driver is used")


def check_provider(provider: str, where: str) -> None:
    """Raise `ConfigError` if `provider` is not installed and not one of leeward's own either.

    `where` says where it is named, for the message.
    """
    if provider in BUILT_IN or provider in INSTALL_HINTS:
        return
    if all(point.name != provider for point in entry_points(GROUP)):
        installed = _by_name(all_entry_points(GROUP))
        if provider not in installed:
            raise ConfigError(f"{where}: {_unknown(provider, installed)}")


def import_room(spec: str) -> Any:
    """Return what ``module:attribute`` names in a room that a function's zip may be without.

    Raises:
        ConfigError: it is not in the zip that this runs from.
    """
    try:
        return import_spec(spec)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("leeward."):
            raise
        raise ConfigError(
            "this package was made without the embedded target, its engine of workflows and the "
            "spool; name 'local' in the order, set on_all_down in leeward.toml, or import "
            "leeward.local in the app, and make the package again"
        ) from error


def split_name(spec: Any, where: str) -> tuple[str, str]:
    """Return module and attribute of ``module:attribute``; raise `ConfigError` if it is not one."""
    match = (
        re.fullmatch(r"([A-Za-z_][\w.]*):([A-Za-z_][\w.]*)", spec) if type(spec) is str else None
    )
    if match is None:
        raise ConfigError(f'{where} must look like "module:name"')
    return match[1], match[2]


def import_object(spec: Any, where: str) -> Any:
    """Return what ``module:attribute`` names, in a program of the user's.

    Raises:
        ConfigError: it cannot be imported; `where` names what says so.
    """
    module, attribute = split_name(spec, where)
    try:
        found = import_module(module)
    except (Exception, SystemExit) as error:  # a module is a program
        raise ConfigError(
            f"{where}: the module {module!r} cannot be imported ({import_flaw(error)}); "
            f"check its name, that it is installed, and that `python -c 'import {module}'` works"
        ) from error
    try:
        return attrgetter(attribute)(found)
    except AttributeError as error:
        near = did_you_mean(attribute, vars(found)) or "; correct the name"
        raise ConfigError(f"{where}: the module {module!r} has no {attribute!r}{near}") from error


def _opener(provider: str) -> Callable[[TargetConfig], Driver]:
    if provider in BUILT_IN:
        opener: Callable[[TargetConfig], Driver] = import_room(BUILT_IN[provider])
        return opener
    installed = _by_name(entry_points(GROUP))
    if provider not in installed:
        installed = _by_name(all_entry_points(GROUP))
    offers = installed.get(provider, [])
    if not offers:
        raise ConfigError(_unknown(provider, installed))
    if len(offers) > 1:
        packages = ", ".join(sorted(point.distribution for point in offers))
        raise ConfigError(
            f"several packages offer the adapter {provider!r} ({packages}); uninstall all but one"
        )
    return _load(offers[0], provider)


def _load(point: EntryPoint, provider: str) -> Callable[[TargetConfig], Driver]:
    try:
        loaded: Any = point.load()
    except Exception as error:  # a package may fail in any way while it is imported
        hint = INSTALL_HINTS.get(provider, "install what it needs, or update it")
        raise ConfigError(
            f"the adapter {provider!r} ({point.value}) cannot be loaded: {error!r}; {hint}"
        ) from error
    if not callable(loaded):
        raise ConfigError(f"the adapter {provider!r} ({point.value}) is not callable")
    opener: Callable[[TargetConfig], Driver] = loaded
    return opener


def _by_name(points: list[EntryPoint]) -> dict[str, list[EntryPoint]]:
    named: dict[str, list[EntryPoint]] = {}
    for point in points:
        named.setdefault(point.name, []).append(point)
    return named


def _unknown(provider: str, installed: Mapping[str, object]) -> str:
    if provider in INSTALL_HINTS:
        return (
            f"the adapter {provider!r} is not installed; {INSTALL_HINTS[provider]}; "
            f"ready here: {', '.join(sorted({*BUILT_IN, *installed}))}"
        )
    from difflib import get_close_matches

    ready = sorted({*BUILT_IN, *installed})
    to_install = [f"{name} ({hint})" for name, hint in INSTALL_HINTS.items() if name not in ready]
    near = get_close_matches(provider, [*ready, *INSTALL_HINTS], n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown provider {provider!r}; {hint}known: {', '.join([*ready, *to_install])}"
