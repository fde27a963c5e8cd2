"""What the one identity of an app may do on Azure: what ``leeward.toml`` names.

Source: docs/azure.md, "Permissions"; "Configure role-based access control" of Cosmos DB.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from leeward.adapter.packages import Configuration, Wish, unique

GROUP: Final = "${var.resource_group}"

PROVIDERS: Final = (
    "/subscriptions/${data.azurerm_client_config.this.subscription_id}/resourceGroups/"
    "${var.resource_group}/providers"
)

COSMOS_CONTRIBUTOR: Final = "00000000-0000-0000-0000-000000000002"
"""Cosmos DB Built-in Data Contributor."""


def allow_calls(
    made: Configuration, wish: Wish, principal: str, suffix: str, topics: Iterable[str] = ()
) -> None:
    """Add what the app's own calls need; they may fail over to the topics of other regions."""
    declared = wish.declared
    for topic in unique([*declared.buses.values(), *topics]):
        name = f"publish-{topic}{suffix}"
        assign(made, name, "EventGrid Data Sender", topic_id(made, topic), principal)
    if not declared.tables:
        return
    account, name, database = cosmos(made, wish)
    for table in unique(declared.tables.values()):
        container = made.known("azurerm_cosmosdb_sql_container", table)
        made.add(
            "azurerm_cosmosdb_sql_role_assignment",
            f"{table}{suffix}",
            resource_group_name=GROUP,
            account_name=name,
            principal_id=principal,
            role_definition_id=f"{account}/sqlRoleDefinitions/{COSMOS_CONTRIBUTOR}",
            scope=f"{account}/dbs/{database}/colls/{container}",
        )


def cosmos(made: Configuration, wish: Wish) -> tuple[str, str, str]:
    """Return the id and the name of the account with the tables, and that of their database."""
    made.variable("cosmos_account", "the account of Cosmos DB that has the tables")
    database = wish.declared.settings.get("cosmos_database")
    if not database:
        made.variable("cosmos_database", "the database that has the tables")
    name = "${var.cosmos_account}"
    account = made.known("azurerm_cosmosdb_account", "tables", "id")
    if account == "tables":  # it is there already
        account = f"{PROVIDERS}/Microsoft.DocumentDB/databaseAccounts/{name}"
    return account, name, database or "${var.cosmos_database}"


def topic_id(made: Configuration, topic: str) -> str:
    """Return the id of a custom topic of Event Grid."""
    known = made.known("azurerm_eventgrid_topic", topic, "id")
    if known != topic:
        return known
    return f"{PROVIDERS}/Microsoft.EventGrid/topics/{topic}"


def assign(made: Configuration, name: str, role: str, scope: str, principal: str) -> None:
    """Add a role of an identity on one thing."""
    made.add(
        "azurerm_role_assignment",
        name.replace(" ", "-").lower(),
        scope=scope,
        role_definition_name=role,
        principal_id=principal,
        principal_type="ServicePrincipal",
    )
