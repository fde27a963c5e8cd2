"""Opening an Azure target: settings in, a driver out. Nothing is sent before the first call."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

from leeward.adapter import Capability, Driver, Limits, TargetConfig
from leeward.adapter.plan_driver import Facts, PlanDriver
from leeward.http.options import TransportOptions, options_from_env, refuse_key_log
from leeward.http.wire import curl_wire
from leeward_azure.identity.sources import describe_source, source_of
from leeward_azure.plans import plans
from leeward_azure.settings.options import Settings, settings_from
from leeward_azure.settings.services import Events

TABLES: Final = frozenset(
    {
        Capability.TABLES,
        Capability.CONDITIONS,
        Capability.EXPIRY,
        Capability.COMPOSITE_KEYS,
        Capability.SCAN,
    }
)

LIMITS: Final = Limits(
    payload_bytes=100 * 1024 * 1024,
    # 64 KiB once it is base64.
    queued_bytes=48 * 1024,
    # A megabyte for the whole array, with a bracket or a comma for each event.
    event_bytes=998_000,
    batch_events=1000,
    batch_bytes=998_000,
    # 2 MB of JSON, where bytes are base64 and leeward has an attribute of its own.
    item_bytes=1_400_000,
    # 128 levels; leeward itself takes no more than 64, on any cloud.
    nesting=64,
)
"""Sources: "Azure Functions HTTP trigger", "Scalability targets for Queue storage", the quota pages
of Event Grid and Cosmos DB."""

_MISSING: Final = "not configured"


def open_driver(config: TargetConfig) -> Driver:
    """Open a target of Azure; the entry point ``azure`` of ``leeward.adapters``.

    It declares the verbs whose services are configured.

    Raises:
        ConfigError: nothing is configured, or a setting is wrong; the message names it and the
            remedy.
    """
    settings = settings_from(config)
    if not config.trust_env:
        refuse_key_log(os.environ)
    options = options_from_env(config.env, settings.ca_bundle)
    options = options._replace(public_only=settings.public_only)
    wire = curl_wire(options)

    def native(service: str, answer: Callable[[Hashable], Any]) -> object:
        from leeward_azure.native import native

        return native(service, settings, config, answer)

    return PlanDriver(
        Facts(
            config.name,
            capabilities_of(settings),
            LIMITS,
            _described(settings, config, options),
            _missing(settings, config),
        ),
        plans(settings),
        source_of(settings, config, wire.transport()),
        wire,
        native=native,
    )


def capabilities_of(settings: Settings) -> frozenset[Capability]:
    """Return what the configured services can do. Event Grid keeps no order."""
    found = TABLES if settings.tables else frozenset()
    if settings.functions:
        found |= {Capability.INVOKE}
    if settings.queues:
        found |= {Capability.ENQUEUE}
    if settings.events:
        found |= {Capability.PUBLISH}
    return found


def _missing(settings: Settings, config: TargetConfig) -> Mapping[Capability, str]:
    """Return what to set for what is not configured."""
    tables = "cosmos_endpoint or cosmos_connection_string, and cosmos_database"
    options = {
        Capability.INVOKE: "function_app or function_url",
        Capability.ENQUEUE: "storage_connection_string or storage_queue_url",
        Capability.PUBLISH: "eventgrid_topic_url, eventgrid_topic_urls or eventgrid_namespace_url",
        **dict.fromkeys(TABLES, tables),
    }
    absent = options.keys() - capabilities_of(settings)
    return {each: f"set {options[each]} in {config.section}" for each in absent}


def _described(
    settings: Settings, config: TargetConfig, options: TransportOptions
) -> Mapping[str, str]:
    described = {
        **{f"endpoint.{name}": place for name, place in _endpoints(settings).items()},
        "database": settings.tables.database if settings.tables else "none",
        **{f"credentials.{name}": each for name, each in describe_source(settings, config).items()},
        "ca_file": options.ca_file or "none",
        "proxy": (options.proxy or "none").rpartition("@")[2],  # without its password
        "trust_env": str(config.trust_env).lower(),
    }
    return {name: value for name, value in described.items() if value != "none"}


def _endpoints(settings: Settings) -> Mapping[str, str]:
    """Return the endpoint of each service; of one that is missing, that it is."""
    functions, queues, events, tables = settings[:4]
    app = functions.lookup.app if functions and functions.lookup else ""
    return {
        "functions": (functions.origin or f"looked up for {app}") if functions else _MISSING,
        "queues": queues.origin + queues.path if queues else _MISSING,
        "events": _topics(events) if events else _MISSING,
        "tables": tables.origin if tables else _MISSING,
    }


def _topics(events: Events) -> str:
    own = f"{len(events.urls)} by name" if events.urls else None
    return ", ".join(filter(None, (events.topic_url or events.namespace, own)))
