"""Opening an Azure target: settings in, a driver out. Nothing is sent before the first call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leeward.adapter import Capability, Driver, Limits, TargetConfig
from leeward.adapter.opening import LOAD_PROBE, Plans, open_plan_driver
from leeward_azure.identity.sources import describe_source, source_of
from leeward_azure.settings.options import Settings, settings_from

TABLES: Final = frozenset(
    {
        Capability.TABLES,
        Capability.CONDITIONS,
        Capability.EXPIRY,
        Capability.COMPOSITE_KEYS,
        Capability.SCAN,
        Capability.RANGES,
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
    name_bytes=64 * 1024,
    model="Cosmos DB",
)
"""Sources: "Azure Functions HTTP trigger", "Scalability targets for Queue storage", the quota pages
of Event Grid and Cosmos DB."""

_SERVICES: Final[Mapping[str, tuple[frozenset[Capability], str]]] = {
    "functions": (frozenset({Capability.INVOKE}), "function_app or function_url"),
    "queues": (frozenset({Capability.ENQUEUE}), "storage_connection_string or storage_queue_url"),
    "events": (
        frozenset({Capability.PUBLISH}),
        "eventgrid_topic_url, eventgrid_topic_urls or eventgrid_namespace_url",
    ),
    "blobs": (frozenset({Capability.OBJECTS}), "storage_connection_string or storage_blob_url"),
    "service_bus": (frozenset(), "service_bus_connection_string or service_bus_url"),
    "workflows": (frozenset({Capability.WORKFLOWS}), "workflow_url and workflow_key"),
    "logs": (frozenset(), "log_workspace_id"),
    "tables": (TABLES, "cosmos_endpoint or cosmos_connection_string, and cosmos_database"),
}
"""Settings to what a service can do, and what to set for it. Event Grid keeps no order."""


def open_driver(config: TargetConfig) -> Driver:
    """Open a target of Azure; the entry point ``azure`` of ``leeward.adapters``.

    It declares the verbs whose services are configured.

    Raises:
        ConfigError: nothing is configured, or a setting is wrong; the message names it and the
            remedy.
    """
    settings = settings_from(config)
    there = {name for name in _SERVICES if getattr(settings, name) is not None}
    return open_plan_driver(
        config,
        settings,
        PLANS,
        source=source_of,
        native="leeward_azure.native:native",
        capabilities=frozenset().union(*(_SERVICES[name][0] for name in there)),
        limits=LIMITS,
        probe=LOAD_PROBE,
        has_stages=True,
        functions_in_app=True,
        describe={
            **_endpoints(settings),
            "database": settings.tables.database if settings.tables else None,
            **{
                f"credentials.{name}": text
                for name, text in describe_source(settings, config).items()
            },
        },
        missing={
            capability: f"set {options} in {config.section}"
            for name, (capabilities, options) in _SERVICES.items()
            if name not in there
            for capability in capabilities
        },
    )


def _endpoints(settings: Settings) -> Mapping[str, str]:
    """Return the endpoint of each service; of one that is missing and has verbs, that it is."""
    functions, events = settings.functions, settings.events
    verbs = [name for name, (capabilities, _) in _SERVICES.items() if capabilities]
    places_of = dict.fromkeys((f"endpoint.{name}" for name in verbs), "not configured")
    if functions:
        place = functions.origin or f"looked up for {getattr(functions.lookup, 'app', '')}"
        places_of["endpoint.functions"] = place + f"/{functions.prefix}".removesuffix("/api")
    if events:
        urls = filter(None, (events.url, *sorted({*events.urls.values()})))
        places_of["endpoint.events"] = ", ".join(urls)
    for name in ("queues", "tables", "service_bus", "workflows", "logs", "blobs"):
        service = getattr(settings, name)
        if service:
            places_of[f"endpoint.{name}"] = service.origin + getattr(service, "path", "")
    return places_of


PLANS: Final = (
    Plans("invoke settle", "leeward_azure.functions.plans:functions", "functions"),
    Plans("enqueue", "leeward_azure.functions.messages:queues", "queues"),
    Plans(
        "put_message take_messages remove_message hide_message",
        "leeward_azure.functions.messages:messages",
    ),
    Plans("publish", "leeward_azure.events.plans:events", "events"),
    Plans("store load delete scan list_items", "leeward_azure.tables.plans:tables", "tables"),
    Plans(
        "put_object get_object head_object list_objects delete_object",
        "leeward_azure.objects.plans:objects",
        "blobs",
    ),
    Plans("start_run get_run abort_run", "leeward_azure.workflows.runs:runs", "workflows"),
    Plans("read_logs", "leeward_azure.functions.logs:logs", "logs"),
    Plans("look_function", "leeward_azure.looks:functions", "functions"),
    Plans("look_queue look_backlog", "leeward_azure.looks:queues", "queues"),
    Plans("look_bus", "leeward_azure.looks:events", "events"),
    Plans("look_table", "leeward_azure.looks:tables", "tables"),
    Plans("look_bucket", "leeward_azure.looks:blobs", "blobs"),
)
