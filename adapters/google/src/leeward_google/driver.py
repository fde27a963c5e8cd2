"""Opening a Google target: settings in, a driver out. Nothing is sent before the first call."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

from leeward.adapter import Capability, Driver, Limits, TargetConfig
from leeward.adapter.plan_driver import Facts, PlanDriver
from leeward.http.options import TransportOptions, options_from_env, refuse_key_log
from leeward.http.wire import curl_wire
from leeward_google.identity.sources import describe_source, source_of
from leeward_google.plans import plans
from leeward_google.settings.options import Settings, settings_from
from leeward_google.settings.services import Functions, Tasks

DATA: Final = frozenset(
    {
        Capability.ENQUEUE,
        Capability.PUBLISH,
        Capability.ORDERING,
        Capability.TABLES,
        Capability.CONDITIONS,
        Capability.EXPIRY,
        Capability.COMPOSITE_KEYS,
        Capability.SCAN,
    }
)
"""What a project can do without a word on functions."""

LIMITS: Final = Limits(
    payload_bytes=32 * 1024 * 1024,
    # 10 MB of Pub/Sub once it is base64; see `leeward_google.events.plans` for events.
    queued_bytes=6_500_000,
    event_bytes=6_500_000,
    batch_events=1000,
    batch_bytes=6_500_000,
    # Items are left at what is safe everywhere: a document has 1 MiB, with its name and leeward's
    # field, and 20 levels.
    key_bytes=1500,
)
"""Sources: the quota pages of Cloud Run functions, Pub/Sub and Firestore."""

TASK_BYTES: Final = 700_000
"""The largest payload of a task: Cloud Tasks takes 1 MiB, some of it for URL and headers."""

_NOWHERE: Final = "not configured"


def open_driver(config: TargetConfig) -> Driver:
    """Open a target of Google; the entry point ``google`` of ``leeward.adapters``.

    It declares `invoke` where a URL or a region of functions is configured, and everything else.

    Raises:
        ConfigError: a setting is wrong; the message names it and the remedy.
    """
    settings = settings_from(config)
    if not config.trust_env:
        refuse_key_log(os.environ)
    options = options_from_env(config.env, settings.ca_bundle)
    options = options._replace(public_only=settings.public_only)
    wire = curl_wire(options)

    def native(service: str, answer: Callable[[Hashable], Any]) -> object:
        from leeward_google.native import native

        return native(service, settings, config, answer)

    return PlanDriver(
        Facts(
            config.name,
            capabilities_of(settings),
            limits_of(settings),
            _described(settings, config, options),
            _missing(settings, config),
        ),
        plans(settings),
        source_of(settings, config, wire.transport()),
        wire,
        native=native,
    )


def capabilities_of(settings: Settings) -> frozenset[Capability]:
    """Return what the configured services can do."""
    return DATA | {Capability.INVOKE} if settings.functions else DATA


def _missing(settings: Settings, config: TargetConfig) -> Mapping[Capability, str]:
    """Return what to set for `invoke`, where nothing is."""
    if settings.functions:
        return {}
    told = f"set function_url, functions or a region in {config.section}"
    return {Capability.INVOKE: told}


def limits_of(settings: Settings) -> Limits:
    """Return the largest that the configured services take."""
    if isinstance(settings.queued, Tasks):
        return LIMITS._replace(queued_bytes=TASK_BYTES)
    return LIMITS


def _described(
    settings: Settings, config: TargetConfig, options: TransportOptions
) -> Mapping[str, str]:
    described = {
        "project": settings.project or "that of the credentials",
        **{f"endpoint.{name}": place for name, place in _endpoints(settings).items()},
        "database": settings.tables.database,
        "credentials": describe_source(settings, config),
        "quota_project": settings.identity.quota_project or "none",
        "ca_file": options.ca_file or "none",
        "proxy": (options.proxy or "none").rpartition("@")[2],  # without its password
        "trust_env": str(config.trust_env).lower(),
    }
    return {name: value for name, value in described.items() if value != "none"}


def _endpoints(settings: Settings) -> Mapping[str, str]:
    """Return the endpoint of each service; of one that is missing, that it is."""
    queued = settings.queued
    path = f"/v2/{queued.queue}" if isinstance(queued, Tasks) else ""
    return {
        "functions": _place_of(settings.functions),
        "queues": queued.origin + path,
        "events": settings.events.origin,
        "tables": settings.tables.origin,
    }


def _place_of(functions: Functions | None) -> str:
    if functions is None:
        return _NOWHERE
    if functions.url is not None:
        return functions.url
    looked_up = f"looked up in {functions.region}" if functions.region else ""
    own = f"{len(functions.urls)} by name" if functions.urls else ""
    return ", ".join(filter(None, (own, looked_up)))
