"""What the one identity of an app may do on Azure: what ``leeward.toml`` names.

Source: docs/azure.md, "Permissions"; "Configure role-based access control" of Cosmos DB.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from leeward.values import NOTHING
from leeward_deploy.recipe import PackageSpec, Rights, rights_for
from leeward_deploy.terraform import Configuration, unique

GROUP: Final = "${var.resource_group}"

PROVIDERS: Final = (
    "/subscriptions/${data.azurerm_client_config.this.subscription_id}/resourceGroups/"
    "${var.resource_group}/providers"
)

COSMOS_READER: Final = "00000000-0000-0000-0000-000000000001"
"""Cosmos DB Built-in Data Reader."""

COSMOS_CONTRIBUTOR: Final = "00000000-0000-0000-0000-000000000002"
"""Cosmos DB Built-in Data Contributor."""


class CosmosAccount(NamedTuple):
    """The account of Cosmos DB that has a table.

    Attributes:
        suffix: of the names of what is made for it; empty for the first one.
        settings: of the target whose account it is.
    """

    suffix: str
    settings: Mapping[str, Any]


def rights_of_app(spec: PackageSpec) -> Rights:
    """Return what the one identity of an app needs: what any of its handlers uses."""
    found = spec.warm
    for handler in spec.app.handlers:
        found |= rights_for(spec, handler)
    return found


def allow_calls(
    made: Configuration,
    spec: PackageSpec,
    principal: str,
    suffix: str,
    *,
    topics: Iterable[str] = (),
    homes: Mapping[str, CosmosAccount] = NOTHING,
) -> None:
    """Add what the app's own calls need.

    Args:
        made: what it is added to.
        spec: what is packaged.
        principal: who may.
        suffix: of the region of the app.
        topics: of other regions, to which calls may fail over.
        homes: accounts of the tables, by their own names; those that are made.
    """
    declared, rights = spec.declared, rights_of_app(spec)
    own = [declared.buses[each] for each in rights.publishes if each in declared.buses]
    for topic in unique([*own, *topics]):
        name = f"publish-{topic}{suffix}"
        assign(made, name, "EventGrid Data Sender", topic_id(made, topic), principal)
    used = {declared.tables[n]: n in rights.changes for n in rights.reads if n in declared.tables}
    used |= {declared.tables[name]: True for name in rights.changes if name in declared.tables}
    for table, writes in sorted(used.items()):
        account, name, database = cosmos(
            made, homes.get(table, CosmosAccount("", declared.settings))
        )
        container = made.reference("azurerm_cosmosdb_sql_container", table)
        made.add(
            "azurerm_cosmosdb_sql_role_assignment",
            f"{table}{suffix}",
            resource_group_name=GROUP,
            account_name=name,
            principal_id=principal,
            role_definition_id=f"{account}/sqlRoleDefinitions/"
            f"{COSMOS_CONTRIBUTOR if writes else COSMOS_READER}",
            scope=f"{account}/dbs/{database}/colls/{container}",
        )


def cosmos(made: Configuration, home: CosmosAccount) -> tuple[str, str, str]:
    """Return the id and the name of an account with tables, and the name of its database."""
    named = home.suffix.replace("-", "_")
    made.variable(f"cosmos_account{named}", "the account of Cosmos DB that has the tables")
    database = home.settings.get("cosmos_database")
    if not database:
        made.variable(f"cosmos_database{named}", "the database that has the tables")
        database = f"${{var.cosmos_database{named}}}"
    name = f"${{var.cosmos_account{named}}}"
    account = made.reference("azurerm_cosmosdb_account", f"tables{home.suffix}", "id")
    if account == f"tables{home.suffix}":  # it is there already
        account = f"{PROVIDERS}/Microsoft.DocumentDB/databaseAccounts/{name}"
    return account, name, database


def topic_id(made: Configuration, topic: str) -> str:
    """Return the id of a custom topic of Event Grid."""
    known = made.reference("azurerm_eventgrid_topic", topic, "id")
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
