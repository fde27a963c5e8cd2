"""Which subscription and region, and the table of what is made there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloud_tests.options import check_variables
from cloud_tests.rest import PREFIX, Account, Api, Resource, State
from leeward import Config
from leeward.config import TargetName
from leeward_contract_tests.fixtures import ITEMS, PAIR, PAIRS

SUBSCRIPTION: Final = "AZURE_SUBSCRIPTION_ID"
LOCATION: Final = "AZURE_LOCATION"
MANAGEMENT: Final = "LEEWARD_TEST_AZURE_MANAGEMENT"
"""The variable with another address of Azure Resource Manager, such as of a sovereign cloud."""

DATABASE: Final = "leeward"

PARTITIONS: Final = {ITEMS: "/id", PAIRS: f"/{PAIR[0]}"}
"""Logical name of a table to the path of its partition key."""

_STATE: Final = State(("properties", "provisioningState"), "Succeeded", ("Failed", "Canceled"))

_VERSION: Final = "?api-version=2024-11-15"
"""Of Cosmos DB's part of the Resource Manager."""

_PATIENCE: Final = 1_500.0
"""Seconds. An account of Cosmos DB takes 5 to 15 minutes, and a group as long to go."""


def check(env: Mapping[str, str]) -> None:
    """Find what is missing in `env`, without asking Azure.

    Raises:
        Refused: no subscription, or no region.
    """
    check_variables(env, **{SUBSCRIPTION: "the subscription", LOCATION: "the region"})


def open_account(env: Mapping[str, str], pause: float = 5.0) -> Account:
    """Return the account; credentials are those that azure-identity finds."""
    from azure.identity import DefaultAzureCredential

    check(env)
    management = env.get(MANAGEMENT, "https://management.azure.com")
    credential = DefaultAzureCredential()

    def token() -> str:
        return credential.get_token("https://management.azure.com/.default").token

    root = f"{management}/subscriptions/{env[SUBSCRIPTION]}"
    where = f"Azure subscription {env[SUBSCRIPTION]}, region {env[LOCATION]}"
    return Account(Api(token, _PATIENCE, pause), root, env[LOCATION], where)


def resources(account: Account, run: str) -> list[Resource]:
    """Return what is made for a run, in order. All of it is in the group, and goes with it."""
    group = f"{account.root}/resourcegroups/{run}"
    cosmos = _cosmos(account, run)
    common = {"location": account.location, "tags": {PREFIX: run}}
    serverless = {
        "databaseAccountOfferType": "Standard",
        "locations": [{"locationName": account.location, "failoverPriority": 0}],
        "capabilities": [{"name": "EnableServerless"}],
        "consistencyPolicy": {"defaultConsistencyLevel": "Session"},
    }

    def inner(what: str, path: str, **resource: Any) -> Resource:
        body = {"properties": {"resource": resource, "options": {}}}
        return Resource(f"{what} {resource['id']}", f"{path}{_VERSION}", body, is_part=True)

    database = f"{cosmos}/sqlDatabases/{DATABASE}"
    return [
        Resource(f"resource group {run}", f"{group}?api-version=2024-03-01", common, (), _STATE),
        Resource(
            f"account of Cosmos DB {run} (serverless)",
            f"{cosmos}{_VERSION}",
            common | {"kind": "GlobalDocumentDB", "properties": serverless},
            state=_STATE,
            is_part=True,
        ),
        inner("database", database, id=DATABASE),
        *(
            inner(
                *("container", f"{database}/containers/{name}"),
                id=name,
                partitionKey={"paths": [path], "kind": "Hash", "version": 2},
                defaultTtl=-1,  # items live for ever, unless they have a ttl of their own
            )
            for name, path in PARTITIONS.items()
        ),
    ]


def configure(account: Account, run: str) -> Config:
    """Return leeward's configuration, which leads to what was made."""
    url = _cosmos(account, run)
    found = account.api.send("GET", f"{url}{_VERSION}")
    keys = account.api.send("POST", f"{url}/listKeys{_VERSION}", {})
    options = {
        "cosmos_endpoint": found["properties"]["documentEndpoint"].rstrip("/"),
        "cosmos_key": keys["primaryMasterKey"],
        "cosmos_database": DATABASE,
    }
    return Config(order=(TargetName("azure"),), options={"azure": options})


def _cosmos(account: Account, run: str) -> str:
    group = f"{account.root}/resourceGroups/{run}"
    return f"{group}/providers/Microsoft.DocumentDB/databaseAccounts/{run}"
