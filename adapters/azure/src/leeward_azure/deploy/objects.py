"""Handlers of objects on Azure: Event Grid tells a queue, or a function, of blobs.

The containers are in the app's own account, which the template makes, and them with it; or in one
that `leeward.toml` names by its URL, which is there.

Sources: "Azure Blob Storage as Event Grid source" and "Event Grid delivery and retry"; the resource
``azurerm_eventgrid_event_subscription`` of the provider ``hashicorp/azurerm``.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from leeward.adapter.packages import (
    Configuration,
    Wish,
    bucket_of,
    of,
    of_kind,
    prefixes_of,
    retries_of,
    unique,
)
from leeward.app.kit import Handler, Kind
from leeward.errors import ConfigError

PROVIDERS: Final = (
    "/subscriptions/${data.azurerm_client_config.this.subscription_id}/resourceGroups/"
    "${var.resource_group}/providers"
)

DELIVERIES: Final = 30
"""Of Event Grid, at most."""

MINUTES: Final = 1440
"""That Event Grid tries to deliver an event, at most."""

CREATED: Final = "Microsoft.Storage.BlobCreated"

CONTRIBUTOR: Final = "Storage Blob Data Contributor"


def delivery_of(handler: Handler, account: str) -> dict[str, Any]:
    """Return how often Event Grid delivers to a function, and where it puts what has failed."""
    return {
        "retry_policy": {
            "max_delivery_attempts": 1 + retries_of(handler, DELIVERIES - 1),
            "event_time_to_live": MINUTES,
        },
        **_kept(account),
    }


def tell_of_objects(made: Configuration, wish: Wish, account: str, app: str) -> None:
    """Add the subscriptions of handlers of objects, and what those need.

    Args:
        made: the configuration.
        wish: with the app.
        account: a reference to the app's own account.
        app: a reference to the function app.
    """
    handlers = list(of_kind(wish.app, Kind.OBJECT))
    if not handlers:
        return
    elsewhere = wish.declared.settings.get("storage_blob_url")
    places = [each for handler in handlers for each in prefixes_of(wish.declared, handler)]
    buckets = [bucket_of(wish.declared, each) for each in handlers]
    scope = of(f"{account}.id") if elsewhere is None else _account_at(str(elsewhere))
    for name in unique([*buckets, *(each.bucket for each in places)]):
        if elsewhere is None:
            made.add("azurerm_storage_container", name, name=name, storage_account_id=scope)
        else:
            made.add(
                "azurerm_role_assignment",
                f"objects-{name}",
                scope=f"{scope}/blobServices/default/containers/{name}",
                role_definition_name=CONTRIBUTOR,
                principal_id=of("azurerm_user_assigned_identity.app.principal_id"),
                principal_type="ServicePrincipal",
            )
    for handler, bucket in zip(handlers, buckets, strict=True):
        made.add(
            "azurerm_eventgrid_event_subscription",
            handler.name,
            name=f"{wish.app.name}-{handler.name}"[:64],
            scope=scope,
            event_delivery_schema="CloudEventSchemaV1_0",
            included_event_types=[CREATED],
            subject_filter={
                "subject_begins_with": f"/blobServices/default/containers/{bucket}/blobs/"
                f"{handler.prefix}",
                "case_sensitive": True,
            },
            **_endpoint(wish, handler, account, app),
        )


def _endpoint(wish: Wish, handler: Handler, account: str, app: str) -> dict[str, Any]:
    """Return where Event Grid delivers: the queue of a handler, or its function.

    Raises:
        ConfigError: the queue is to be one of Service Bus.
    """
    if not handler.queued:
        function = f"{of(f'{app}.id')}/functions/{handler.name}"
        return {
            "count": "${var.published ? 1 : 0}",
            "azure_function_endpoint": {"function_id": function},
            **delivery_of(handler, account),
        }
    if handler.name in (wish.entry.options.get("service_bus") or {}):
        raise ConfigError(
            f"service_bus names {handler.name!r}, a handler of objects, whose queue the template "
            "makes in the app's storage account; leave it out of service_bus"
        )
    queue = of(f"azurerm_storage_queue.{handler.name}.name")
    return {
        "storage_queue_endpoint": {
            "storage_account_id": of(f"{account}.id"),
            "queue_name": queue,
        },
        **_kept(account),
    }


def _kept(account: str) -> dict[str, Any]:
    return {
        "storage_blob_dead_letter_destination": {
            "storage_account_id": of(f"{account}.id"),
            "storage_blob_container_name": of("azurerm_storage_container.dead-letters.name"),
        }
    }


def _account_at(url: str) -> str:
    name = (urlsplit(url).hostname or "").partition(".")[0]
    return f"{PROVIDERS}/Microsoft.Storage/storageAccounts/{name}"
