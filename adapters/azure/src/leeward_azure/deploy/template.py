"""The Terraform configuration of an app: one function app for all handlers, with one identity.

On Azure a function has no identity of its own, so what one handler needs all of them may do. Topics
of buses, containers of tables and namespaces of Service Bus have lives of their own: they are
named, and not made. Event Grid subscribes to a function that is there already, so its subscriptions
are made by a second run, when the code has been published.

Sources: the resources of the provider ``hashicorp/azurerm``; in the documentation of Azure "Grant
permission to the identity" of each trigger, "Event Grid delivery and retry", and "Configure
role-based access control" of Cosmos DB.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leeward.adapter.packages import (
    Configuration,
    Template,
    Wish,
    dead_queue,
    of,
    of_kind,
    seconds_of,
    unique,
)
from leeward.app.kit import Kind
from leeward_azure.deploy.host import deliveries, storage_queues
from leeward_azure.deploy.objects import PROVIDERS, delivery_of, tell_of_objects

GROUP: Final = "${var.resource_group}"

VARIABLES: Final = {
    "resource_group": "the name of the resource group, which is there",
    "location": "where the app is, such as westeurope",
    "app": "the name of the function app, which is part of its URL",
    "storage_account": "the name of the storage account to be made: 3 to 24 lower-case letters and "
    "digits",
}

COSMOS_CONTRIBUTOR: Final = "00000000-0000-0000-0000-000000000002"
"""Cosmos DB Built-in Data Contributor."""

HOST_ROLES: Final = ("Storage Blob Data Owner", "Storage Queue Data Contributor")
"""What the host needs on the app's own account: for its locks and keys; for queues, and for those
of poison messages, which it makes itself."""


def template(wish: Wish) -> Template:
    """Return the configuration.

    Raises:
        ConfigError: two things would have one name.
    """
    made = Configuration("hashicorp/azurerm", ">= 4.20", VARIABLES, {"features": {}})
    identity = made.add(
        "azurerm_user_assigned_identity",
        "app",
        name="${var.app}",
        resource_group_name=GROUP,
        location="${var.location}",
    )
    account = _account(made)
    principal = of(f"{identity}.principal_id")
    for role in HOST_ROLES:
        _assign(made, role, role, of(f"{account}.id"), principal)
    settings = _settings(wish, account, identity)
    _queues(made, wish, account)
    settings |= _service_bus(made, wish, principal, of(f"{identity}.client_id"))
    _calls(made, wish, principal)
    app = _app(made, wish, account, identity, settings)
    _subscriptions(made, wish, account, app)
    text = made.text({"azurerm_client_config": {"this": {}}})
    return Template("azure.tf.json", text, _notes(wish))


def _account(made: Configuration) -> str:
    """Add the app's own storage account; return a reference to it."""
    account = made.add(
        "azurerm_storage_account",
        "app",
        name="${var.storage_account}",
        resource_group_name=GROUP,
        location="${var.location}",
        account_tier="Standard",
        account_replication_type="ZRS",
        allow_nested_items_to_be_public=False,
        min_tls_version="TLS1_2",
    )
    for name in ("code", "dead-letters"):
        made.add(
            "azurerm_storage_container", name, name=name, storage_account_id=of(f"{account}.id")
        )
    return account


def _app(
    made: Configuration, wish: Wish, account: str, identity: str, settings: Mapping[str, str]
) -> str:
    """Add the function app and its plan; return a reference to it."""
    plan = made.add(
        "azurerm_service_plan",
        "app",
        name="${var.app}",
        resource_group_name=GROUP,
        location="${var.location}",
        os_type="Linux",
        sku_name="FC1",
    )
    container = of("azurerm_storage_container.code.name")
    return made.add(
        "azurerm_function_app_flex_consumption",
        "app",
        name="${var.app}",
        resource_group_name=GROUP,
        location="${var.location}",
        service_plan_id=of(f"{plan}.id"),
        runtime_name="python",
        runtime_version=wish.python,
        instance_memory_in_mb=2048,
        https_only=True,
        storage_container_type="blobContainer",
        storage_container_endpoint=f"{of(f'{account}.primary_blob_endpoint')}{container}",
        storage_authentication_type="UserAssignedIdentity",
        storage_user_assigned_identity_id=of(f"{identity}.id"),
        identity={"type": "UserAssigned", "identity_ids": [of(f"{identity}.id")]},
        app_settings=dict(settings),
        site_config={},
    )


def _settings(wish: Wish, account: str, identity: str) -> dict[str, str]:
    """Return the settings of the app: its own account by identity, and where its calls go."""
    storage = wish.entry.options.get("storage", "AzureWebJobsStorage")
    client = of(f"{identity}.client_id")
    found = {"AZURE_CLIENT_ID": client}
    for name in unique(("AzureWebJobsStorage", storage)):
        found[f"{name}__accountName"] = of(f"{account}.name")
        found[f"{name}__credential"] = "managedidentity"
        found[f"{name}__clientId"] = client
    # leeward's own client reads the whole URL.
    found["AzureWebJobsStorage__queueServiceUri"] = of(f"{account}.primary_queue_endpoint")
    found["AzureWebJobsStorage__blobServiceUri"] = of(f"{account}.primary_blob_endpoint")
    return found if wish.declared.ordered else {**found, "CLOUD_PROVIDER": "azure"}


def _queues(made: Configuration, wish: Wish, account: str) -> None:
    """Add the queues of the app's account, and those of dead letters that leeward puts there."""
    names = []
    for handler, queue in storage_queues(wish):
        dead = dead_queue(handler, queue, wish.entry.options)
        names += [queue, *([dead.name] if dead.by_leeward else [])]
    for name in unique(names):
        made.add("azurerm_storage_queue", name, name=name, storage_account_id=of(f"{account}.id"))


def _service_bus(made: Configuration, wish: Wish, principal: str, client: str) -> dict[str, str]:
    """Add the queues of Service Bus; return the settings that lead to their namespaces."""
    named = wish.entry.options.get("service_bus") or {}
    settings = {}
    for handler in of_kind(wish.app, Kind.MESSAGE):
        setting = named.get(handler.queue)
        if setting is None:
            continue
        variable = f"{setting.lower()}_namespace"
        made.variable(variable, f"the namespace of Service Bus that the setting {setting} leads to")
        settings[f"{setting}__fullyQualifiedNamespace"] = (
            f"${{var.{variable}}}.servicebus.windows.net"
        )
        settings[f"{setting}__credential"] = "managedidentity"
        settings[f"{setting}__clientId"] = client
        namespace = f"{PROVIDERS}/Microsoft.ServiceBus/namespaces/${{var.{variable}}}"
        queue = made.add(
            "azurerm_servicebus_queue",
            str(handler.queue),
            name=handler.queue,
            namespace_id=namespace,
            max_delivery_count=dead_queue(handler, str(handler.queue), {}).deliveries,
            dead_lettering_on_message_expiration=True,
        )
        role = "Azure Service Bus Data Receiver"
        _assign(made, f"receive-{handler.queue}", role, of(f"{queue}.id"), principal)
    return settings


def _calls(made: Configuration, wish: Wish, principal: str) -> None:
    """Add what the app's own calls need."""
    declared = wish.declared
    for topic in unique(declared.buses.values()):
        _assign(made, f"publish-{topic}", "EventGrid Data Sender", topic_id(topic), principal)
    if declared.tables:
        made.variable("cosmos_account", "the account of Cosmos DB that has the tables")
        account = f"{PROVIDERS}/Microsoft.DocumentDB/databaseAccounts/${{var.cosmos_account}}"
        database = declared.settings.get("cosmos_database")
        if not database:
            made.variable("cosmos_database", "the database that has the tables")
            database = "${var.cosmos_database}"
        for table in unique(declared.tables.values()):
            made.add(
                "azurerm_cosmosdb_sql_role_assignment",
                table,
                resource_group_name=GROUP,
                account_name="${var.cosmos_account}",
                principal_id=principal,
                role_definition_id=f"{account}/sqlRoleDefinitions/{COSMOS_CONTRIBUTOR}",
                scope=f"{account}/dbs/{database}/colls/{table}",
            )


def _subscriptions(made: Configuration, wish: Wish, account: str, app: str) -> None:
    """Add the subscriptions of Event Grid, for when the functions are there."""
    handlers = list(of_kind(wish.app, Kind.EVENT))
    tell_of_objects(made, wish, account, app)
    if handlers or any(not each.queued for each in of_kind(wish.app, Kind.OBJECT)):
        made.variable(
            "published",
            "true once the code has been published: Event Grid subscribes to functions that are "
            "there",
            type="bool",
            default=False,
        )
    for each in handlers:
        topic = wish.declared.buses.get(str(each.bus), str(each.bus))
        made.add(
            "azurerm_eventgrid_event_subscription",
            each.name,
            count="${var.published ? 1 : 0}",
            name=f"{wish.app.name}-{each.name}"[:64],
            scope=topic_id(topic),
            event_delivery_schema="CloudEventSchemaV1_0",
            azure_function_endpoint={"function_id": f"{of(f'{app}.id')}/functions/{each.name}"},
            **delivery_of(each, account),
            **({"included_event_types": [each.type]} if each.type else {}),
        )


def topic_id(topic: str) -> str:
    """Return the id of a custom topic of Event Grid."""
    return f"{PROVIDERS}/Microsoft.EventGrid/topics/{topic}"


def _assign(made: Configuration, name: str, role: str, scope: str, principal: str) -> None:
    made.add(
        "azurerm_role_assignment",
        name.replace(" ", "-").lower(),
        scope=scope,
        role_definition_name=role,
        principal_id=principal,
        principal_type="ServicePrincipal",
    )


def _notes(wish: Wish) -> tuple[str, ...]:
    """Return what stands in host.json, and counts for all handlers at once."""
    most = deliveries(wish)
    found = [
        f"{handler.name}: {handler.retries} retries are wanted, and host.json has one "
        f"maxDequeueCount for all queues, {most}; name a dead-letter queue in the entry file, and "
        "leeward gives up earlier"
        for handler, queue in storage_queues(wish)
        if handler.retries is not None
        and not (dead := dead_queue(handler, queue, wish.entry.options)).by_leeward
        and dead.deliveries != most
    ]
    if any(seconds_of(each) > 230 for each in of_kind(wish.app, Kind.CALL)):
        found.append("a function that is called by HTTP answers within 230 s on Azure")
    return tuple(found)
