"""Azure as the contract needs it: its functions, its bus and its tables, behind fault proxies."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import cached_property
from http.client import HTTPConnection
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from leeward.adapter.wire import Request
from leeward_azure.identity.credentials import AccountKey
from leeward_azure.identity.signing import signed_storage
from leeward_contract_tests import Faults, contract_workflow
from leeward_contract_tests.fixtures import BUCKET, EVENTS, ITEMS, PAIRS, STARTS
from tests.servers.azure import cosmos_server, event_grid
from tests.servers.azure.arm import GROUP, SUBSCRIPTION, Arm, Site
from tests.servers.azure.azurite import KEY, Azurite, AzuriteBlobs, connection_string
from tests.servers.azure.clients import cosmos_client
from tests.servers.azure.cosmos_server import CosmosServer
from tests.servers.azure.durable import SYSTEM_KEY, DurableExtension
from tests.servers.azure.event_grid import EventGrid, Subscriber
from tests.servers.azure.faults import CloudFaults
from tests.servers.azure.functions_host import (
    EVENT_GRID_KEY,
    EVENTS_PATH,
    HOST_KEY,
    FunctionsHost,
)
from tests.servers.azure.identity import HEADER, Identity
from tests.servers.azure.queues import QueueListener
from tests.servers.azure.worker_process import DEPLOYED
from tests.servers.certificates import Authority
from tests.servers.faultproxy import FaultProxy

NAMES: Final = ("one", "two", "three")

PATHS: Final[Mapping[str, Sequence[str]]] = {
    ITEMS: ("/id",),
    PAIRS: ("/customer",),
    STARTS: ("/id",),
}
"""The partition paths of a container, by its name; several are hierarchical. Those of the contract
are as `leeward_azure.tables.documents` wants them."""

_REMEMBER: Final = "contract-remember"
"""The function that gets what `EVENTS` delivers."""


class AzureCloud:
    """One place on Azure: an app of Functions, topics, a database and an account of queues.

    Attributes:
        name: of the place.
        app: the name of the app of Functions, for Azure Resource Manager.
        functions: the app, to see what has run, and to disable it.
        events: Event Grid, to see what was published, and to add topics.
        cosmos: shared by the clouds that were opened together; each has a database of its own.
        queues: likewise; each has an account of its own.
        identity: Entra ID and the managed identity; shared too.
        proxies: what stands before ``functions``, ``event_grid``, ``cosmos``, ``queues`` and
            ``blobs``.
        control: what stands before ``arm`` and the managed identity; always with TLS.
        ca_bundle: the file of the authority that vouches for everything with TLS here.
        secure: whether `proxies` speak TLS as well.
    """

    def __init__(self, name: str, ground: _Ground) -> None:
        enter = ground.stack.enter_context
        self._stack = ground.stack
        self.name = name
        self.app = f"app-{name}"
        self.database = f"database-{name}"
        self.account = f"account{name}"
        self.cosmos = ground.cosmos
        self.queues = ground.queues
        self.identity = ground.identity
        self.ca_bundle = ground.ca_bundle
        self.secure = ground.tls is not None
        storage = connection_string(ground.queues.url, self.account)
        settings = {"MEMORY": str(ground.memory), "AzureWebJobsStorage": storage}
        self.functions = enter(FunctionsHost(DEPLOYED / "contract", settings))
        self.functions.durable = DurableExtension(contract_workflow())
        target = f"{EVENTS_PATH}?functionName={_REMEMBER}&code={EVENT_GRID_KEY}"
        subscriber = Subscriber(self.functions.address, target)
        self.events = enter(EventGrid({EVENTS: (subscriber,)}))
        upstreams = {
            "functions": self.functions.address,
            "event_grid": self.events.address,
            "cosmos": self.cosmos.address,
            "queues": self.queues.address,
            "blobs": ground.blobs.address,
        }
        self.proxies = {
            each: enter(FaultProxy(where, ground.tls)) for each, where in upstreams.items()
        }
        arm = enter(Arm({self.app: Site(lambda: self._host("functions"), self.functions)}))
        self.control = {
            "arm": enter(FaultProxy(arm.address, ground.authority)),
            "entra": enter(FaultProxy(self.identity.address, ground.authority)),
        }

    @property
    def target(self) -> str:
        """Give the name of this cloud as a target of leeward."""
        return f"azure:{self.name}"

    @property
    def storage(self) -> str:
        """Give the connection string of queues and blobs, through the proxies."""
        return connection_string(
            self.proxies["queues"].url, self.account, self.proxies["blobs"].url
        )

    @property
    def topic_url(self) -> str:
        """Give the endpoint of the contract's bus, a basic topic, through the proxy."""
        return f"{self.proxies['event_grid'].url}/{EVENTS}/api/events"

    @property
    def env(self) -> dict[str, str]:
        """Give the usual variables that lead here, through the proxies, with keys.

        There are none for Functions, the topics' URL and the database.
        """
        found = {
            "AzureWebJobsStorage": self.storage,
            "EVENTGRID_TOPIC_KEY": event_grid.KEY,
            "COSMOS_ENDPOINT": self.proxies["cosmos"].url,
            "COSMOS_KEY": cosmos_server.KEY,
        }
        if self.secure:
            found["REQUESTS_CA_BUNDLE"] = str(self.ca_bundle)
        return found

    @property
    def options(self) -> dict[str, str]:
        """Give the options of a target that lead here, keys included; no variable is needed."""
        keys = {
            "function_key": HOST_KEY,
            "storage_connection_string": self.storage,
            "eventgrid_key": event_grid.KEY,
            "cosmos_key": cosmos_server.KEY,
            "workflow_url": self.proxies["functions"].url,
            "workflow_key": SYSTEM_KEY,
        }
        return self.keyless | keys

    @property
    def keyless(self) -> dict[str, str]:
        """Give the options without any key, and without queues, which know nothing else here."""
        found = {
            "function_url": self.proxies["functions"].url,
            "eventgrid_topic_url": f"{self.proxies['event_grid'].url}/{{topic}}/api/events",
            "cosmos_endpoint": self.proxies["cosmos"].url,
            "cosmos_database": self.database,
        }
        return found | ({"ca_bundle": str(self.ca_bundle)} if self.secure else {})

    @property
    def discovery(self) -> dict[str, str]:
        """Give the options that let the app of Functions be looked up; for `function_url`."""
        return {
            "function_app": self.app,
            "subscription_id": SUBSCRIPTION,
            "resource_group": GROUP,
            "management_url": self.control["arm"].url,
            "ca_bundle": str(self.ca_bundle),
        }

    @property
    def identity_env(self) -> dict[str, str]:
        """Give the variables of the app's managed identity, as App Service sets them."""
        return {"IDENTITY_ENDPOINT": self.identity.endpoint, "IDENTITY_HEADER": HEADER}

    def faults(self) -> Faults:
        """Give the contract's faults, for everything but `control`."""
        return CloudFaults(self.proxies)

    @cached_property
    def documents(self) -> Any:
        """Give azure-cosmos's client of the database, which takes no proxy."""
        client = self._stack.enter_context(cosmos_client(self.cosmos.url))
        return client.get_database_client(self.database)

    def _host(self, service: str) -> str:
        return "{}:{}".format(*self.proxies[service].address)


def faults_of(*clouds: Any) -> Faults:
    """Give the faults of several clouds at once, some of which may be AWS's."""
    return CloudFaults(*(cloud.proxies for cloud in clouds))


class _Ground(NamedTuple):
    """What clouds stand on."""

    cosmos: CosmosServer
    queues: Azurite
    blobs: AzuriteBlobs
    identity: Identity
    memory: Path
    ca_bundle: Path
    authority: Authority
    tls: Authority | None
    stack: ExitStack


@contextmanager
def azure_clouds(
    number: int,
    *,
    tls: Authority | None = None,
    memory: Path | None = None,
    paths: Mapping[str, Sequence[str]] = PATHS,
) -> Iterator[tuple[AzureCloud, ...]]:
    """Open some clouds; their functions share what they remember.

    Args:
        number: how many, at most as many as there are `NAMES`.
        tls: whose certificates the proxies show; None for plain HTTP.
        memory: the SQLite file that functions remember in, where clouds elsewhere share it.
        paths: partition paths of the containers that are made, by name.
    """
    names = NAMES[:number]
    with ExitStack() as stack:
        enter = stack.enter_context
        folder = Path(enter(TemporaryDirectory()))
        authority = tls or Authority()
        bundle = folder / "ca.pem"
        bundle.write_bytes(authority.pem)
        ground = _Ground(
            enter(CosmosServer("https" if tls else "http")),
            enter(Azurite(*(f"account{each}" for each in names))),
            enter(AzuriteBlobs(*(f"account{each}" for each in names))),
            enter(Identity()),
            memory or folder / "memory",
            bundle,
            authority,
            tls,
            stack,
        )
        clouds = tuple(AzureCloud(each, ground) for each in names)
        for cloud in clouds:
            _make_tables(cloud, paths)
            _make_queues(cloud)
            make_container(ground.blobs, cloud.account, BUCKET)
            enter(
                QueueListener(cloud.functions, connection_string(cloud.queues.url, cloud.account))
            )
        yield clouds


def _make_tables(cloud: AzureCloud, paths: Mapping[str, Sequence[str]]) -> None:
    partition_key: Any = import_module("azure.cosmos").PartitionKey
    with cosmos_client(cloud.cosmos.url) as client:
        database = client.create_database(cloud.database)
        for table, each in paths.items():
            several = len(each) > 1
            key = partition_key(list(each), kind="MultiHash") if several else partition_key(each[0])
            # -1: items live for ever, unless they have a ttl of their own.
            database.create_container(table, key, default_ttl=-1)


def _make_queues(cloud: AzureCloud) -> None:
    kind: Any = import_module("azure.storage.queue").QueueServiceClient
    storage = connection_string(cloud.queues.url, cloud.account)
    with kind.from_connection_string(storage, retry_total=0) as client:
        for each in cloud.functions.functions:
            if each.kind == "queueTrigger":
                client.create_queue(each.trigger["queueName"])


def make_container(blobs: AzuriteBlobs, account: str, name: str) -> None:
    """Make a container."""
    request = Request("PUT", blobs.url, f"/{account}/{name}?restype=container")
    signed = signed_storage(account, request, AccountKey(KEY), time.time())
    headers = dict(signed.headers)
    with closing(HTTPConnection(*blobs.address, timeout=30)) as connection:
        connection.request(signed.method, signed.target, headers={**headers, "Content-Length": "0"})
        assert connection.getresponse().status == 201
