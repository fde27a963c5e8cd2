"""Handlers of objects on Azure: Event Grid tells a queue, or a function, of blobs.

The containers are in the app's own account, which the template makes, and them with it; or in one
that `leeward.toml` names by its URL, which is there.

Sources: "Azure Blob Storage as Event Grid source" and "Event Grid delivery and retry"; the resource
``azurerm_eventgrid_event_subscription`` of the provider ``hashicorp/azurerm``.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from leeward.app.kit import Handler, Kind
from leeward.errors import ConfigError
from leeward_deploy.azure.rights import PROVIDERS, assign
from leeward_deploy.needs import bucket_of, of_kind, prefixes_of, retries_of, shorten, stem
from leeward_deploy.recipe import PackageSpec
from leeward_deploy.terraform import Configuration, literal, of, unique

DELIVERIES: Final = 30
"""Of Event Grid, at most."""

MINUTES: Final = 1440
"""That Event Grid tries to deliver an event, at most."""

CREATED: Final = "Microsoft.Storage.BlobCreated"

CONTRIBUTOR: Final = "Storage Blob Data Contributor"


class Around(NamedTuple):
    """What is around the handlers of a region.

    Attributes:
        account: a reference to the app's own account.
        app: a reference to the function app.
        suffix: of what Terraform calls things.
        makes: containers are made with the account; else elsewhere, if `leeward.toml` names them.
        elsewhere: containers of other regions, which tell the app there; and of other providers.
        url: of the account that has the containers, where that is there already.
    """

    account: str
    app: str
    suffix: str
    makes: bool
    elsewhere: frozenset[str]
    url: str | None

    def dead_letters(self) -> dict[str, Any]:
        """Return where Event Grid puts what it could not deliver."""
        container = of(f"azurerm_storage_container.dead-letters{self.suffix}.name")
        return {
            "storage_blob_dead_letter_destination": {
                "storage_account_id": of(f"{self.account}.id"),
                "storage_blob_container_name": container,
            }
        }


def delivery_of(handler: Handler, around: Around) -> dict[str, Any]:
    """Return how often Event Grid delivers to a function, and where it puts what has failed."""
    return {
        "retry_policy": {
            "max_delivery_attempts": 1 + retries_of(handler, DELIVERIES - 1),
            "event_time_to_live": MINUTES,
        },
        **around.dead_letters(),
    }


def tell_of_objects(made: Configuration, spec: PackageSpec, around: Around) -> bool:
    """Add the subscriptions of handlers of objects; return whether one is to a function itself."""
    buckets = {each: bucket_of(spec.declared, each) for each in of_kind(spec.app, Kind.OBJECT)}
    handlers = [each for each, bucket in buckets.items() if bucket not in around.elsewhere]
    host = urlsplit(around.url or "").hostname or ""
    there = f"{PROVIDERS}/Microsoft.Storage/storageAccounts/{host.partition('.')[0]}"
    scope = of(f"{around.account}.id") if around.url is None else there
    places = [place for each in buckets for place in prefixes_of(spec.declared, each)]
    used, named = [*buckets.values(), *(each.bucket for each in places)], spec.declared.buckets
    if around.url is not None:
        principal = of(f"azurerm_user_assigned_identity.app{around.suffix}.principal_id")
        for name in unique([*used, *named.values()]):
            container = f"{scope}/blobServices/default/containers/{name}"
            assign(made, f"objects-{name}{around.suffix}", CONTRIBUTOR, container, principal)
        used = []
    for name in unique(used):
        if name in around.elsewhere:
            continue
        if around.makes or name not in named.values():
            id = f"{name}{around.suffix}"
            made.add("azurerm_storage_container", id, name=name, storage_account_id=scope)
    for handler in handlers:
        made.add(
            "azurerm_eventgrid_event_subscription",
            f"{handler.name}{around.suffix}",
            name=shorten(f"{stem(spec)}{handler.name}", 64),
            scope=scope,
            event_delivery_schema="CloudEventSchemaV1_0",
            included_event_types=[CREATED],
            subject_filter={
                "subject_begins_with": f"/blobServices/default/containers/{buckets[handler]}/blobs/"
                f"{literal(handler.prefix)}",
                "case_sensitive": True,
            },
            **_endpoint(spec, handler, around),
        )
    return any(not each.queued for each in handlers)


def _endpoint(spec: PackageSpec, handler: Handler, around: Around) -> dict[str, Any]:
    """Return where Event Grid delivers: the queue of a handler, or its function.

    Raises:
        ConfigError: the queue is to be one of Service Bus.
    """
    if not handler.queued:
        function = f"{of(f'{around.app}.id')}/functions/{handler.name}"
        return {
            "count": "${var.published ? 1 : 0}",
            "azure_function_endpoint": {"function_id": function},
            **delivery_of(handler, around),
        }
    if handler.name in (spec.entry.options.get("service_bus") or {}):
        raise ConfigError(
            f"service_bus names {handler.name!r}, a handler of objects, whose queue the template "
            "makes in the app's storage account; leave it out of service_bus"
        )
    return {
        "storage_queue_endpoint": {
            "storage_account_id": of(f"{around.account}.id"),
            "queue_name": of(f"azurerm_storage_queue.{handler.name}{around.suffix}.name"),
        },
        **around.dead_letters(),
    }
