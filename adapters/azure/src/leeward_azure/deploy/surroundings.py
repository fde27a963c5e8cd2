"""What is around the app on Azure: what ``leeward.toml`` names.

Sources: the resources of the provider ``hashicorp/azurerm``; docs/azure.md, "Containers".
"""

from __future__ import annotations

from typing import Final

from leeward.adapter.packages import Configuration, Deployment, Table, Wish, of, unique
from leeward_azure.deploy.rights import GROUP, assign, cosmos

KEPT: Final = {"prevent_destroy": True}
"""What holds data is not deleted with the rest."""

BY_ITEM: Final = -1
"""A time to live of "on (no default)": items with an expiry are collected."""


def add_topics(made: Configuration, wish: Wish, location: str) -> None:
    """Add the buses of a region; one whose name another region has is made there alone."""
    for topic in unique(wish.declared.buses.values()):
        if made.known("azurerm_eventgrid_topic", topic) == topic:
            made.add(
                "azurerm_eventgrid_topic",
                topic,
                name=topic,
                resource_group_name=GROUP,
                location=location,
                input_schema="CloudEventSchemaV1_0",
                local_auth_enabled=False,
            )


def add_tables(made: Configuration, wish: Wish, deployment: Deployment) -> None:
    """Add the account of the tables, with their database; in the region of the first one."""
    if not deployment.tables:
        return
    location = deployment.tables[0].region
    account = made.add(
        "azurerm_cosmosdb_account",
        "tables",
        name="${var.cosmos_account}",
        resource_group_name=GROUP,
        location=location,
        offer_type="Standard",
        local_authentication_enabled=False,
        consistency_policy={"consistency_level": "Session"},
        geo_location=[{"location": location, "failover_priority": 0}],
        backup={"type": "Continuous"},
        lifecycle=KEPT,
    )
    name = of(f"{account}.name")
    database = made.add(
        "azurerm_cosmosdb_sql_database",
        "tables",
        name=cosmos(made, wish)[2],
        resource_group_name=GROUP,
        account_name=name,
    )
    for table in deployment.tables:
        made.add(
            "azurerm_cosmosdb_sql_container",
            table.name,
            name=table.name,
            resource_group_name=GROUP,
            account_name=name,
            database_name=of(f"{database}.name"),
            partition_key_paths=[_partition(table)],
            default_ttl=BY_ITEM,
            lifecycle=KEPT,
        )


def _partition(table: Table) -> str:
    return f"/{table.key[0]}" if len(table.key) > 1 else "/id"


def add_buckets(made: Configuration, deployment: Deployment, suffixes: dict[str, str]) -> None:
    """Add the containers of objects, each in the app's account of its region.

    The apps of other regions may use them, too.
    """
    for bucket in deployment.buckets:
        account = f"azurerm_storage_account.app{suffixes[bucket.region]}"
        made.add(
            "azurerm_storage_container",
            bucket.name,
            name=bucket.name,
            storage_account_id=of(f"{account}.id"),
            lifecycle=KEPT,
        )
        for region, suffix in suffixes.items():
            if region != bucket.region:
                principal = of(f"azurerm_user_assigned_identity.app{suffix}.principal_id")
                scope = of(f"azurerm_storage_container.{bucket.name}.id")
                name = f"objects-{bucket.name}{suffix}"
                assign(made, name, "Storage Blob Data Contributor", scope, principal)
