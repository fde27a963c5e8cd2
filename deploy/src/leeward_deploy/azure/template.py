"""The Terraform configuration of an app: one function app for all handlers, with one identity.

On Azure a function has no identity of its own, so what one handler needs all of them may do. Topics
of buses, containers of tables and namespaces of Service Bus have lives of their own: they are
named, and not made. Event Grid subscribes to a function that is there already, so its subscriptions
are made by a second run, when the code has been published. What holds for all functions at once
stands in the app's ``host.json``.

Sources: the resources of the provider ``hashicorp/azurerm``; in the documentation of Azure "Grant
permission to the identity" of each trigger, "Event Grid delivery and retry", "Configure role-based
access control" of Cosmos DB, and the reference of host.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from leeward.app.kit import Handler, Kind
from leeward.values import NOTHING
from leeward_deploy.azure.host import deliveries_of, runs_of_consumers, storage_queues
from leeward_deploy.azure.objects import Around, delivery_of, tell_of_objects
from leeward_deploy.azure.rights import (
    GROUP,
    PROVIDERS,
    CosmosAccount,
    allow_calls,
    assign,
    topic_id,
)
from leeward_deploy.azure.rules import RULES
from leeward_deploy.azure.watch import (
    HEADS,
    LAYOUT,
    add_insights,
    add_logs,
    has_topics,
    watch,
)
from leeward_deploy.hcl import module
from leeward_deploy.needs import dead_queue, of_kind, seconds_of, shorten, stem
from leeward_deploy.recipe import PackageSpec, Template, changes_of
from leeward_deploy.terraform import Configuration, check, literal, of, schemas_in, unique

VERSION: Final = ">= 5.0"
"""Whose schemas are kept here."""

SCHEMAS: Final = Path(__file__).with_name("terraform_schemas.json")

PROVIDER: Final = {"features": {}, "storage_use_azuread": True}
"""An account without keys is looked at by the identity of who applies."""

MOST: Final = "max_instances"
"""The variable with the number of instances."""

SPARE_DAYS: Final = 7
"""That code and dead letters are kept which somebody deleted."""

LONGEST_SAS: Final = "01.00:00:00"
"""That a signature by a key of the account may hold, as a person should make it: a day."""

MEMORIES: Final = (512, 2048, 4096)
"""Megabytes that an instance may have. Source: "Flex Consumption plan", instance sizes."""

MEMORY: Final = 2048
"""Megabytes of an instance, if nobody asks for another size."""

VARIABLES: Final = {
    "resource_group": "the name of the resource group, which is there",
    "location": "where the app is, such as westeurope",
    "app": "the name of the function app, which is part of its URL",
    "storage_account": "the name of the storage account to be made: 3 to 24 lower-case letters and "
    "digits",
}

DATA: Final[dict[str, dict[str, dict[str, str]]]] = {"azurerm_client_config": {"this": {}}}

HOST_ROLES: Final = ("Storage Blob Data Owner", "Storage Queue Data Contributor")
"""What the host needs on the app's own account: for its locks and keys; for queues, and for those
of poison messages, which it makes itself."""


class AzureRegion(NamedTuple):
    """Where the app is to be.

    Attributes:
        location: such as ``westeurope``.
        suffix: of every name, so that several regions stand beside each other.
        storage: the name of its storage account.
        standby: it takes over, and runs no schedules until then.
        instances: that are kept ready for calls by HTTP; None for the platform's usual way.
        elsewhere: topics and containers of other regions, which tell the app there.
        retention: days that objects are kept which were deleted or overwritten; None for not.
        topics: of other regions, to which the app's calls may fail over.
        makes: the containers that `leeward.toml` names are made with the app.
        blobs: the URL of the account that has them, where it is there already.
        home: a reference to the account that has them, where it is that of another region.
        tables: the accounts of tables that are made, by the tables' own names.
        replication: of its storage account.
    """

    location: str = "${var.location}"
    suffix: str = ""
    storage: str = "${var.storage_account}"
    standby: bool = False
    instances: int | None = None
    retention: int | None = None
    elsewhere: frozenset[str] = frozenset()
    topics: tuple[str, ...] = ()
    makes: bool = True
    blobs: str | None = None
    home: str = ""
    tables: Mapping[str, CosmosAccount] = NOTHING
    replication: str = "${var.storage_replication}"


def template(spec: PackageSpec) -> tuple[Template, ...]:
    """Return the module of the handlers alone.

    Raises:
        ConfigError: two things would have one name.
    """
    made = Configuration("hashicorp/azurerm", VERSION, VARIABLES, PROVIDER)
    made.variable(
        "storage_replication",
        "of the storage account: ZRS keeps it in three zones, where the region has some",
        default="LRS",
        validation={
            "condition": '${contains(["LRS", "ZRS", "GRS", "GZRS"], var.storage_replication)}',
            "error_message": "It must be LRS, ZRS, GRS or GZRS.",
        },
    )
    region = AzureRegion(blobs=spec.declared.settings.get("storage_blob_url"))
    add_common(made, spec, region.location)
    add_app(made, spec, region)
    watch(made, spec)
    return tuple(
        each._replace(name=f"azure.module/{each.name}") for each in files_of(made, notes(spec))
    )


def add_common(made: Configuration, spec: PackageSpec, location: str) -> None:
    """Add what all regions have together: what a project sets, the tags, and the logs."""
    made.variable(
        MOST,
        "instances at most of each function of a queue, and of those called by HTTP together",
        type="number",
        default=100,
        validation={
            "condition": f"${{var.{MOST} >= 1 && var.{MOST} <= 1000}}",
            "error_message": "It must be 1 to 1000.",
        },
    )
    made.variable("tags", "more tags of everything", type="map(string)", default={})
    tags = ", ".join(f"{json.dumps(n)} = {json.dumps(t)}" for n, t in spec.settings.tags.items())
    made.local("tags", f"${{merge({{{tags}}}, var.tags)}}")
    add_logs(made, spec, location)


def files_of(made: Configuration, notes: tuple[str, ...]) -> tuple[Template, ...]:
    """Return the files of a configuration, checked; the first one has the notes.

    Raises:
        ConfigError: something in it is wrong.
    """
    schemas = schemas_in(SCHEMAS)
    made.mark(schemas, "${local.tags}", "tags")
    document = made.document(DATA)
    check(document, schemas, RULES, "Azure")
    first, *more = module(document, schemas, LAYOUT, HEADS)
    return (first._replace(notes=notes, document=document), *more)


def add_app(made: Configuration, spec: PackageSpec, region: AzureRegion) -> str:
    """Add the app of a region, and what calls its handlers; return a reference to it."""
    identity = made.add(
        "azurerm_user_assigned_identity",
        f"app{region.suffix}",
        name=f"${{var.app}}{region.suffix}",
        resource_group_name=GROUP,
        location=region.location,
    )
    account = _account(made, spec, region)
    principal = of(f"{identity}.principal_id")
    for role in HOST_ROLES:
        assign(made, f"{role}{region.suffix}", role, of(f"{account}.id"), principal)
    settings = _settings(spec, account, identity)
    settings |= add_insights(made, spec, region.location, region.suffix, identity)
    if region.standby:  # two would do everything twice
        schedules = of_kind(spec.app, Kind.SCHEDULE)
        settings |= {f"AzureWebJobs.{schedule.name}.Disabled": "true" for schedule in schedules}
    if region.home:  # else the containers are in the account itself
        endpoint = of(f"{region.home}.primary_blob_endpoint")
        settings["AZURE_STORAGEBLOB_RESOURCEENDPOINT"] = endpoint
    # Add the queues of the app's account, and those of dead letters that leeward puts there.
    names = []
    for handler, queue in storage_queues(spec):
        dead = dead_queue(handler, queue, spec.entry.options)
        names += [queue, *([dead.name] if dead.by_leeward else [])]
    for name in unique(names):
        made.add(
            "azurerm_storage_queue",
            f"{name}{region.suffix}",
            name=name,
            storage_account_id=of(f"{account}.id"),
        )
    settings |= _service_bus(made, spec, principal, of(f"{identity}.client_id"), region)
    allow_calls(made, spec, principal, region.suffix, topics=region.topics, homes=region.tables)
    own = Own(account, identity, settings)
    app = _app(made, spec, own, region)
    _subscriptions(made, spec, account, app, region)
    return app


def _account(made: Configuration, spec: PackageSpec, region: AzureRegion) -> str:
    """Add the app's own storage account; return a reference to it.

    Nobody needs its keys but Event Grid, which puts events into queues, and those that it gives up
    into a container, by them.
    """
    keys = has_topics(spec)
    why = {"//": "Event Grid uses the keys of this account: nothing else does."} if keys else {}
    kept = {"days": region.retention}
    blobs: dict[str, Any] = {"delete_retention_policy": {"days": SPARE_DAYS}}
    if region.retention is not None:
        blobs = {
            "versioning_enabled": True,
            "delete_retention_policy": kept,
            "container_delete_retention_policy": kept,
        }
    account = made.add(
        "azurerm_storage_account",
        f"app{region.suffix}",
        **why,
        name=region.storage,
        resource_group_name=GROUP,
        location=region.location,
        account_tier="Standard",
        account_replication_type=region.replication,
        allow_nested_items_to_be_public=False,
        shared_access_key_enabled=keys,
        default_to_oauth_authentication=True,
        min_tls_version="TLS1_2",
        sas_policy={"expiration_period": LONGEST_SAS},
        blob_properties=blobs,
    )
    for name in ("code", "dead-letters"):
        made.add(
            "azurerm_storage_container",
            f"{name}{region.suffix}",
            name=name,
            storage_account_id=of(f"{account}.id"),
        )
    return account


class Own(NamedTuple):
    """What an app has: references to its storage account and its identity, and its settings."""

    account: str
    identity: str
    settings: Mapping[str, str]


def _app(made: Configuration, spec: PackageSpec, own: Own, region: AzureRegion) -> str:
    """Add the function app and its plan; return a reference to it."""
    account, identity, settings = own
    name = f"${{var.app}}{region.suffix}"
    plan = made.add(
        "azurerm_service_plan",
        f"app{region.suffix}",
        name=name,
        resource_group_name=GROUP,
        location=region.location,
        os_type="Linux",
        sku_name="FC1",
    )
    made.output(
        f"host{region.suffix.replace('-', '_')}",
        of(f"azurerm_function_app_flex_consumption.app{region.suffix}.default_hostname"),
        f"The name of the host of the app in {region.location}.",
    )
    container = of(f"azurerm_storage_container.code{region.suffix}.name")
    ready = [{"name": "http", "instance_count": region.instances}]
    return made.add(
        "azurerm_function_app_flex_consumption",
        f"app{region.suffix}",
        name=name,
        resource_group_name=GROUP,
        location=region.location,
        service_plan_id=of(f"{plan}.id"),
        runtime_name="python",
        runtime_version=spec.python,
        instance_memory_in_mb=_memory(spec),
        maximum_instance_count=f"${{var.{MOST}}}",
        **({"http_concurrency": spec.settings.limit} if spec.settings.limit else {}),
        https_only=True,
        webdeploy_publish_basic_authentication_enabled=False,
        storage_container_type="blobContainer",
        storage_container_endpoint=f"{of(f'{account}.primary_blob_endpoint')}{container}",
        storage_authentication_type="UserAssignedIdentity",
        storage_user_assigned_identity_id=of(f"{identity}.id"),
        identity={"type": "UserAssigned", "identity_ids": [of(f"{identity}.id")]},
        app_settings=dict(settings),
        site_config={"minimum_tls_version": "1.2", "http2_enabled": True},
        **({"always_ready": ready} if region.instances else {}),
    )


def _most_memory(spec: PackageSpec) -> int:
    """Return the most megabytes that settings want; 0 for none."""
    sizes = [spec.settings.of(each).memory or 0 for each in spec.app.handlers]
    return max([spec.settings.memory or 0, *sizes])


def _memory(spec: PackageSpec) -> int:
    """Return the megabytes of an instance: all handlers of an app share what it has."""
    most = _most_memory(spec)
    return next((each for each in MEMORIES if each >= most), MEMORIES[-1]) if most else MEMORY


def _settings(spec: PackageSpec, account: str, identity: str) -> dict[str, str]:
    """Return the settings of the app: its own account by identity, and where its calls go."""
    storage = spec.entry.options.get("storage", "AzureWebJobsStorage")
    client = of(f"{identity}.client_id")
    # The provider writes a connection string without a key there, which host and client refuse.
    found = {"AZURE_CLIENT_ID": client, "AzureWebJobsStorage": ""}
    for name in unique(("AzureWebJobsStorage", storage)):
        found[f"{name}__accountName"] = of(f"{account}.name")
        found[f"{name}__credential"] = "managedidentity"
        found[f"{name}__clientId"] = client
    # leeward's own client reads the whole URL.
    found["AzureWebJobsStorage__queueServiceUri"] = of(f"{account}.primary_queue_endpoint")
    found["AzureWebJobsStorage__blobServiceUri"] = of(f"{account}.primary_blob_endpoint")
    declared = spec.declared
    if spec.settings.stage:
        found["LEEWARD_STAGE"] = spec.settings.stage
    return found if declared.ordered else {**found, "CLOUD_PROVIDER": declared.order or "azure"}


def _service_bus(
    made: Configuration, spec: PackageSpec, principal: str, client: str, region: AzureRegion
) -> dict[str, str]:
    """Add the queues of Service Bus; return the settings that lead to their namespaces."""
    named = spec.entry.options.get("service_bus") or {}
    settings = {}
    for handler in of_kind(spec.app, Kind.MESSAGE):
        setting = named.get(handler.queue)
        if setting is None:
            continue
        variable = f"{setting.lower()}_namespace{region.suffix.replace('-', '_')}"
        made.variable(variable, f"the namespace of Service Bus that the setting {setting} leads to")
        settings[f"{setting}__fullyQualifiedNamespace"] = (
            f"${{var.{variable}}}.servicebus.windows.net"
        )
        settings[f"{setting}__credential"] = "managedidentity"
        settings[f"{setting}__clientId"] = client
        namespace = f"{PROVIDERS}/Microsoft.ServiceBus/namespaces/${{var.{variable}}}"
        dead = dead_queue(handler, str(handler.queue), spec.entry.options)
        scope = f"{namespace}/queues/{handler.queue}"
        if not spec.settings.is_there("queues", str(handler.queue)):
            queue = made.add(
                "azurerm_servicebus_queue",
                f"{handler.queue}{region.suffix}",
                name=handler.queue,
                namespace_id=namespace,
                max_delivery_count=dead.deliveries,
                dead_lettering_on_message_expiration=True,
            )
            scope = of(f"{queue}.id")
        role = "Azure Service Bus Data Receiver"
        name = f"receive-{handler.queue}{region.suffix}"
        assign(made, name, role, scope, principal)
        if dead.by_leeward:
            queue = made.add(
                "azurerm_servicebus_queue",
                f"{dead.name}{region.suffix}",
                name=dead.name,
                namespace_id=namespace,
            )
            role = "Azure Service Bus Data Sender"
            name = f"give-up-{handler.queue}{region.suffix}"
            assign(made, name, role, of(f"{queue}.id"), principal)
    return settings


def _subscriptions(
    made: Configuration, spec: PackageSpec, account: str, app: str, region: AzureRegion
) -> None:
    """Add the subscriptions of Event Grid, for when the functions are there."""
    handlers = [
        each for each in of_kind(spec.app, Kind.EVENT) if _topic(spec, each) not in region.elsewhere
    ]
    about = Around(account, app, region.suffix, region.makes, region.elsewhere, region.blobs)
    directly = tell_of_objects(made, spec, about)
    if not handlers and not directly:
        return
    made.variable(
        "published",
        "true once the code has been published: Event Grid subscribes to functions that are there",
        type="bool",
        default=False,
    )
    for handler in handlers:
        made.add(
            "azurerm_eventgrid_event_subscription",
            f"{handler.name}{region.suffix}",
            count="${var.published ? 1 : 0}",
            name=shorten(f"{stem(spec)}{handler.name}", 64),
            scope=topic_id(made, _topic(spec, handler)),
            event_delivery_schema="CloudEventSchemaV1_0",
            azure_function_endpoint={"function_id": f"{of(f'{app}.id')}/functions/{handler.name}"},
            **delivery_of(handler, about),
            **({"included_event_types": [literal(handler.type)]} if handler.type else {}),
        )


def _topic(spec: PackageSpec, handler: Handler) -> str:
    """Return the topic of a handler's bus."""
    bus = str(handler.bus)
    return spec.declared.buses.get(bus) or spec.declared.usual(bus)


def notes(spec: PackageSpec) -> tuple[str, ...]:
    """Return what stands in host.json, and counts for all handlers at once."""
    most = deliveries_of(spec)
    found = [
        f"{handler.name}: {handler.retries} retries are wanted, and host.json has one "
        f"maxDequeueCount for all queues, {most}; name a dead-letter queue in the entry file, and "
        "leeward gives up earlier"
        for handler, queue in storage_queues(spec)
        if handler.retries is not None
        and not (dead := dead_queue(handler, queue, spec.entry.options)).by_leeward
        and dead.deliveries != most
    ]
    roles = [name for name, each in spec.settings.handlers.items() if each.role]
    if roles:
        found.append(
            f"{', '.join(roles)}: a role is named, and on Azure it does not count: all functions "
            "of an app have its one identity; to part them, make two apps"
        )
    if changes_of(spec):
        found.append(
            "all functions of an app have its one identity: each may do what any of them does, and "
            "one that stores items may also delete them"
        )
    if (most_memory := _most_memory(spec)) > MEMORIES[-1]:
        found.append(
            f"{most_memory} megabytes are wanted, and an instance on Azure has {MEMORIES[-1]} at "
            "most"
        )
    if runs_of_consumers(spec) is not None:
        found.append(
            "concurrency counts messages of one instance on Azure, alike for all queues: an app "
            f"takes that many times {MOST} at once"
        )
    if any(seconds_of(each) > 230 for each in of_kind(spec.app, Kind.CALL)):
        found.append("a function that is called by HTTP answers within 230 s on Azure")
    return (*found, *spec.notes)
