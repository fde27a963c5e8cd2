"""Which subscription and region, and the table of what is made there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from cloud_tests.deployed.contract import MEMORY
from cloud_tests.deployed.package import PYTHON, TABLE
from cloud_tests.options import check_variables
from cloud_tests.rest import PREFIX, Account, Api, Resource, State
from leeward import Config
from leeward.config import TargetName
from leeward_contract_tests.fixtures import COUNT, EVENTS, FAIL, ITEMS, PAIR, PAIRS

PROVIDER: Final = "azure"

SUBSCRIPTION: Final = "AZURE_SUBSCRIPTION_ID"
LOCATION: Final = "AZURE_LOCATION"
MANAGEMENT: Final = "LEEWARD_TEST_AZURE_MANAGEMENT"
"""The variable with another address of Azure Resource Manager, such as of a sovereign cloud."""

DATABASE: Final = "leeward"
SETTINGS: Final = {"cosmos_database": DATABASE}

PARTITIONS: Final = {ITEMS: "/id", PAIRS: f"/{PAIR[0]}", MEMORY: f"/{TABLE[0]}"}
"""Logical name of a table to the path of its partition key."""

REMEMBER: Final = "contract-remember"
CODE: Final = "code"
"""The container that the app is loaded from."""

_STATE: Final = State(("properties", "provisioningState"), "Succeeded", ("Failed", "Canceled"))

_VERSIONS: Final = {
    "DocumentDB": "2024-11-15",
    "EventGrid": "2022-06-15",
    "Storage": "2023-05-01",
    "Web": "2024-04-01",
}
"""By provider the version of its part of the Resource Manager."""

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

    roots = {"management": f"{management}/subscriptions/{env[SUBSCRIPTION]}"}
    where = f"Azure subscription {env[SUBSCRIPTION]}, region {env[LOCATION]}"
    return Account(Api(token, _PATIENCE, pause), roots, env[LOCATION], where)


def place(_account: Account, _run: str) -> dict[str, str]:
    """Return the options of a target that keeps its tables in what is made for a run.

    Account and key come by variables.
    """
    return SETTINGS


def resources(account: Account, run: str, code: bytes) -> list[Resource]:
    """Return what is made for a run, in order. All of it is in the group, and goes with it."""
    common = {"location": account.location, "tags": {PREFIX: run}}
    group = f"{account.roots['management']}/resourcegroups/{run}"
    cosmos, storage, site, topic = (
        _path(account, run, each) for each in ("cosmos", "storage", "site", "topic")
    )

    def part(
        what: str, path: str, body: Mapping[str, Any] = {}, state: State | None = None
    ) -> Resource:
        return Resource(what, _url(path), body, state=state, is_part=True)

    def inner(what: str, path: str, **resource: Any) -> Resource:
        body = {"properties": {"resource": resource, "options": {}}}
        return part(f"{what} {resource['id']}", path, body)

    database = f"{cosmos}/sqlDatabases/{DATABASE}"
    containers = f"{storage}/blobServices/default/containers"
    queues = f"{storage}/queueServices/default/queues"
    serverless = {
        "databaseAccountOfferType": "Standard",
        "locations": [{"locationName": account.location, "failoverPriority": 0}],
        "capabilities": [{"name": "EnableServerless"}],
        # An instance of the app reads what another one has just written.
        "consistencyPolicy": {"defaultConsistencyLevel": "Strong"},
    }
    flex = {"sku": {"name": "FC1", "tier": "FlexConsumption"}, "properties": {"reserved": True}}
    private = {"allowBlobPublicAccess": False, "minimumTlsVersion": "TLS1_2"}
    subscription = {
        "destination": {
            "endpointType": "AzureFunction",
            "properties": {"resourceId": f"{_id(site)}/functions/{REMEMBER}"},
        },
        "eventDeliverySchema": "CloudEventSchemaV1_0",
    }
    return [
        Resource(f"resource group {run}", f"{group}?api-version=2024-03-01", common, (), _STATE),
        part(
            *(f"account of Cosmos DB {run} (serverless)", cosmos),
            {**common, "kind": "GlobalDocumentDB", "properties": serverless},
            _STATE,
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
        part(
            *(f"account of Storage {storage.rpartition('/')[2]}", storage),
            {
                **common,
                "kind": "StorageV2",
                "sku": {"name": "Standard_LRS"},
                "properties": private,
            },
            _STATE,
        ),
        part(f"container {CODE}", f"{containers}/{CODE}"),
        *(part(f"queue {each}", f"{queues}/{each}") for each in (COUNT, FAIL)),
        part(
            *(f"plan {run} (Flex Consumption)", _path(account, run, "plan")),
            {**common, "kind": "functionapp", **flex},
        ),
        part(f"function app {run}", site)._replace(
            body=partial(_app, account, run, common),
            state=State(("properties", "state"), "Running", ()),
        ),
        part(f"code of {run}", f"{site}/functions/{REMEMBER}")._replace(
            body=code, create=("POST", partial(_publishing, account, run))
        ),
        part(
            *(f"topic of Event Grid {run}", topic),
            {**common, "properties": {"inputSchema": "CloudEventSchemaV1_0"}},
            _STATE,
        ),
        part(
            f"subscription {REMEMBER}",
            f"{topic}/providers/Microsoft.EventGrid/eventSubscriptions/{REMEMBER}",
            {"properties": subscription},
            _STATE,
        ),
    ]


def _app(account: Account, run: str, common: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the app. Its variables have the keys of what it needs; nothing else does."""
    options, storage = _tables(account, run), _path(account, run, "storage")
    blobs = account.api.send("GET", _url(storage))["properties"]["primaryEndpoints"]["blob"]
    variables = {
        "AzureWebJobsStorage": _storage(account, run),
        "COSMOS_ENDPOINT": options["cosmos_endpoint"],
        "COSMOS_KEY": options["cosmos_key"],
    }
    key = {
        "type": "StorageAccountConnectionString",
        "storageAccountConnectionStringName": "AzureWebJobsStorage",
    }
    container = {"type": "blobContainer", "value": f"{blobs}{CODE}", "authentication": key}
    properties = {
        "serverFarmId": _id(_path(account, run, "plan")),
        "httpsOnly": True,
        "functionAppConfig": {
            "deployment": {"storage": container},
            "runtime": {"name": "python", "version": PYTHON},
            "scaleAndConcurrency": {"maximumInstanceCount": 40, "instanceMemoryMB": 2048},
        },
        "siteConfig": {
            "appSettings": [{"name": name, "value": value} for name, value in variables.items()]
        },
    }
    return {**common, "kind": "functionapp,linux", "properties": properties}


def _publishing(account: Account, run: str) -> str:
    """Return where the code goes: the host of the app that takes a zip, with the same token."""
    hosts = account.api.send("GET", _url(_path(account, run, "site")))["properties"]
    (name,) = (
        each["name"] for each in hosts["hostNameSslStates"] if each["hostType"] == "Repository"
    )
    return f"{_scheme(account)}://{name}/api/publish?RemoteBuild=false"


def configure(account: Account, run: str) -> Config:
    """Return leeward's configuration, which leads to what was made."""
    site, topic = _path(account, run, "site"), _path(account, run, "topic")
    host = account.api.send("GET", _url(site))["properties"]["defaultHostName"]
    bus = account.api.send("GET", _url(topic))["properties"]["endpoint"]
    keys = account.api.send("POST", _url(f"{site}/host/default/listKeys"), {})
    options: dict[str, Any] = _tables(account, run) | {
        "function_url": f"{_scheme(account)}://{host}",
        "function_key": keys["functionKeys"]["default"],
        "storage_connection_string": _storage(account, run),
        "eventgrid_topic_urls": {EVENTS: bus},
        "eventgrid_keys": {EVENTS: account.api.send("POST", _url(f"{topic}/listKeys"), {})["key1"]},
    }
    return Config(order=(TargetName("azure"),), options={"azure": options})


def _tables(account: Account, run: str) -> dict[str, str]:
    """Return the options that lead to the tables."""
    cosmos = _path(account, run, "cosmos")
    found = account.api.send("GET", _url(cosmos))
    keys = account.api.send("POST", _url(f"{cosmos}/listKeys"), {})
    endpoint = found["properties"]["documentEndpoint"].rstrip("/")
    return {**SETTINGS, "cosmos_endpoint": endpoint, "cosmos_key": keys["primaryMasterKey"]}


def _storage(account: Account, run: str) -> str:
    """Return the connection string of the account of queues."""
    storage = _path(account, run, "storage")
    places = account.api.send("GET", _url(storage))["properties"]["primaryEndpoints"]
    keys = account.api.send("POST", _url(f"{storage}/listKeys"), {})["keys"]
    parts = {
        "DefaultEndpointsProtocol": _scheme(account),
        "AccountName": storage.rpartition("/")[2],
        "AccountKey": keys[0]["value"],
        "QueueEndpoint": places["queue"].rstrip("/"),
        "BlobEndpoint": places["blob"].rstrip("/"),
    }
    return ";".join(f"{name}={value}" for name, value in parts.items())


_TYPES: Final = {
    "cosmos": "DocumentDB/databaseAccounts",
    "plan": "Web/serverfarms",
    "site": "Web/sites",
    "storage": "Storage/storageAccounts",
    "topic": "EventGrid/topics",
}


def _path(account: Account, run: str, kind: str) -> str:
    """Return where the one resource of a kind is. The name of a storage account has no hyphens."""
    name = run.replace("-", "") if kind == "storage" else run
    group = f"{account.roots['management']}/resourceGroups/{run}"
    return f"{group}/providers/Microsoft.{_TYPES[kind]}/{name}"


def _url(path: str) -> str:
    """Return a path with the version of its provider, the last one that it names."""
    provider = path.rpartition("/providers/Microsoft.")[2].partition("/")[0]
    return f"{path}?api-version={_VERSIONS[provider]}"


def _id(path: str) -> str:
    """Return what the Resource Manager calls a resource."""
    return f"/subscriptions/{path.partition('/subscriptions/')[2]}"


def _scheme(account: Account) -> str:
    """Return how hosts are spoken to that the Resource Manager names: as itself."""
    return account.roots["management"].partition("://")[0]
