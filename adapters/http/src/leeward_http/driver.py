"""Opening a target of functions by URL: settings in, a driver out; nothing is sent."""

from __future__ import annotations

from typing import Final

from leeward.adapter import Capability, Driver, Limits, TargetConfig, WrappingDriver
from leeward.adapter.opening import Plans, Probe, open_plan_driver
from leeward.calls import Look
from leeward.calls.looks import FUNCTION
from leeward_http.functions import find_location, source_of
from leeward_http.settings import MCP, Settings, settings_from

HEALTH: Final = Probe(Look("", FUNCTION), "data_plane")
"""A look at no function in particular: at the URL that `health` names."""

PLANS: Final = (Plans(f"invoke settle {FUNCTION}", "leeward_http.functions:functions"),)


class FunctionsByUrl(WrappingDriver):
    """A target of functions by URL, which knows of which it has one.

    Args:
        driver: calls them.
        settings: with the URLs.
    """

    def __init__(self, driver: Driver, settings: Settings) -> None:
        super().__init__(driver)
        self._settings = settings

    def has_function(self, name: str) -> bool:
        """Return whether the settings have a URL of a function."""
        return find_location(self._settings, name) is not None


def open_driver(config: TargetConfig) -> Driver:
    """Open a target of functions by URL; the entry point ``http`` of ``leeward.adapters``.

    Raises:
        ConfigError: a setting is wrong; the message names it and the remedy.
    """
    settings = settings_from(config)
    is_callable = bool(settings.url or settings.functions)
    remedy = f"set url or functions in {config.section}"
    driver = open_plan_driver(
        config,
        settings,
        PLANS,
        source=source_of,
        capabilities=[Capability.INVOKE] if is_callable else [],
        limits=Limits(),
        describe={
            "functions": _origins(settings),
            "token": _token_source(settings),
            "client_certificate": settings.http.client_certificate,
            "health": settings.health and settings.health.origin,
        },
        missing={} if is_callable else {Capability.INVOKE: remedy},
        probe=None if settings.health is None else HEALTH,
    )
    return FunctionsByUrl(driver, settings)


def _origins(settings: Settings) -> str:
    """Return where functions are called, without paths and queries, which may hold keys."""
    origins = {place.address.origin for place in settings.functions.values()}
    if settings.url:
        origins.add("/".join(settings.url.removeprefix(MCP).split("/")[:3]))
    return ", ".join(sorted(origins)) or "not configured"


def _token_source(settings: Settings) -> str | None:
    """Return where the token comes from; None for none."""
    if settings.identity.file is not None:
        return f"of the file {settings.identity.file}"
    return "given" if settings.identity.token is not None else None
