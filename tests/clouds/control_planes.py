"""What makes and removes things on Azure and Google, as far as `make test-cloud` asks for it.

What is made is a server of the tests, and an app that is deployed runs as the package has it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any
from urllib.parse import urlsplit
from zipfile import ZipFile

from tests.servers.answering import Answer, AnsweringServer, Executed
from tests.servers.azure import azurite, cosmos_server, event_grid
from tests.servers.azure.azurite import Azurite
from tests.servers.azure.clients import cosmos_client
from tests.servers.azure.cosmos_server import CosmosServer
from tests.servers.azure.event_grid import EventGrid, Subscriber
from tests.servers.azure.functions_host import (
    EVENT_GRID_KEY,
    EVENTS_PATH,
    HOST_KEY,
    FunctionsHost,
)
from tests.servers.azure.queues import QueueListener
from tests.servers.google.api import Asked, Route
from tests.servers.google.cloud_run import CloudRun, Service
from tests.servers.google.firestore import Firestore
from tests.servers.google.framework import FunctionsFramework
from tests.servers.google.functions_admin import Deployed, FunctionsAdmin
from tests.servers.google.messages import read_body
from tests.servers.google.pubsub import PubSub


@contextmanager
def unpacked(code: bytes) -> Iterator[tuple[Path, dict[str, str]]]:
    """Unpack what was uploaded; yield the folder, and the variables that lead there."""
    with TemporaryDirectory() as name, ZipFile(BytesIO(code)) as archive:
        archive.extractall(name)
        yield Path(name), {"LEEWARD_CONFIG": f"{name}/leeward.toml"}


class Arm(AnsweringServer):
    """Azure Resource Manager: what was put there, until a group that has it is deleted.

    An account of Storage, a topic and an app are servers that end with the group; it takes the code
    of the app itself.

    Attributes:
        made: documents, by path in small letters.
        refuses: a part of the paths that nobody may put.
    """

    def __init__(self, cosmos: CosmosServer) -> None:
        super().__init__()
        self.made: dict[str, Any] = {}
        self.refuses = "nothing"
        self._cosmos = cosmos
        self._group = ExitStack()
        self._one_by_one = Lock()
        self._kinds = {
            "databaseaccounts": lambda *_: {"documentEndpoint": f"{cosmos.url}/"},
            "storageaccounts": self._make_storage,
            "queues": self._make_queue,
            "sites": self._make_site,
            "topics": self._make_topic,
            "eventsubscriptions": self._subscribe,
        }
        self._answer = self._answered

    def stop(self) -> None:
        """Stop the servers of a group that was not deleted."""
        self._group.close()

    def _answered(self, request: Executed) -> Answer:
        with self._one_by_one:  # a request goes on whose sender has left, before its group goes
            return self._answer_to(request, urlsplit(request.target).path.lower())

    def _answer_to(self, request: Executed, path: str) -> Answer:
        if request.method == "PUT":
            if self.refuses in path:
                return said(403, error={"code": "AuthorizationFailed"})
            if path.partition("/providers/")[0] not in {path, *self.made}:
                return said(404, error={"code": "ResourceGroupNotFound"})
            self._put(path, json.loads(request.body))
        elif request.method == "DELETE":
            self._group.close()
            for each in [each for each in self.made if each.startswith(path)]:
                del self.made[each]
        elif path == "/api/publish":
            self._publish(request.body)
            return said(202)
        elif path.endswith("/listkeys"):
            keys = {"key1": event_grid.KEY, "primaryMasterKey": cosmos_server.KEY}
            hosts = {"functionKeys": {"default": HOST_KEY}}
            return said(200, **keys, **hosts, keys=[{"value": azurite.KEY}])
        found = self.made.get(path)
        return said(404) if found is None else said(200, **found)

    def _put(self, path: str, body: Any) -> None:
        kind, name = path.split("/")[-2:]
        shown = {"provisioningState": "Succeeded"}
        make = self._make_database if "/sqldatabases/" in path else self._kinds.get(kind)
        self.made[path] = body | {"properties": shown | (make(path, name, body) if make else {})}

    def _make_database(self, path: str, name: str, body: Any) -> dict[str, Any]:
        """Make a database, or a container in one."""
        resource, database = body["properties"]["resource"], path.split("/")[-3]
        with cosmos_client(self._cosmos.url) as client:
            if "/containers/" not in path:
                client.create_database(name)
            else:
                client.get_database_client(database).create_container(
                    name,
                    import_module("azure.cosmos").PartitionKey(
                        resource["partitionKey"]["paths"][0]
                    ),
                    default_ttl=resource["defaultTtl"],
                )
        return {}

    def _make_storage(self, _path: str, name: str, _body: Any) -> dict[str, Any]:
        url = f"{self._group.enter_context(Azurite(name)).url}/{name}/"
        self._storage = azurite.connection_string(url.removesuffix(f"/{name}/"), name)
        return {"primaryEndpoints": {"queue": url, "blob": url}}

    def _make_queue(self, _path: str, name: str, _body: Any) -> dict[str, Any]:
        service: Any = import_module("azure.storage.queue").QueueServiceClient
        with service.from_connection_string(self._storage, retry_total=0) as client:
            client.create_queue(name)
        return {}

    def _make_site(self, path: str, _name: str, body: Any) -> dict[str, Any]:
        """Note an app, whose code comes later; this server takes it."""
        settings = body["properties"]["siteConfig"]["appSettings"]
        self._site = path, {each["name"]: each["value"] for each in settings}
        hosts = [{"name": "{}:{}".format(*self.address), "hostType": "Repository"}]
        return {"state": "Running", "hostNameSslStates": hosts}

    def _make_topic(self, _path: str, name: str, _body: Any) -> dict[str, Any]:
        self._events = self._group.enter_context(EventGrid({name: ()}))
        return {"endpoint": f"{self._events.url}/{name}/api/events"}

    def _subscribe(self, path: str, _name: str, body: Any) -> dict[str, Any]:
        """Deliver the events of a topic to a function, which has to be there."""
        function = body["properties"]["destination"]["properties"]["resourceId"]
        assert function.lower() in self.made
        query = f"functionName={function.rpartition('/')[2]}&code={EVENT_GRID_KEY}"
        subscriber = Subscriber(self._app.address, f"{EVENTS_PATH}?{query}")
        self._events.topics[path.split("/")[-5]] = (subscriber,)
        return {}

    def _publish(self, code: bytes) -> None:
        """Start an app."""
        site, settings = self._site
        folder, variables = self._group.enter_context(unpacked(code))
        packages = {"PYTHONPATH": f"{folder}/.python_packages/lib/site-packages"}
        host = FunctionsHost(folder, {**settings, **variables, **packages})
        self._app = self._group.enter_context(host)
        self._group.enter_context(QueueListener(self._app, settings["AzureWebJobsStorage"]))
        self.made[site]["properties"]["defaultHostName"] = "{}:{}".format(*self._app.address)
        for each in self._app.functions:
            self.made[f"{site}/functions/{each.name}"] = {}


class FirestoreAdmin(Firestore):
    """Firestore, with the methods that make and delete databases."""

    def _routes(self) -> list[Route]:
        one = r"/v1/projects/(?P<project>[^/]+)/databases/(?P<id>[^/:]+)"
        return [
            Route("POST", r"/v1/projects/(?P<project>[^/]+)/databases", self._make),
            Route("GET", one, lambda asked: said(200 if asked.names["id"] in self.stores else 404)),
            Route("DELETE", one, lambda asked: deleted(self.stores, asked.names["id"])),
            *super()._routes(),
        ]

    def _make(self, asked: Asked) -> Answer:
        read_body(import_module("google.cloud.firestore_admin_v1.types").Database, asked.body)
        self.add_database(dict(asked.query)["databaseId"])
        return said(200, name="operations/1")


class PubSubAdmin(PubSub):
    """Pub/Sub, with the methods that make and delete topics and subscriptions."""

    @property
    def made(self) -> list[str]:
        """Return the names of what is there."""
        return [*self._topics, *self._subscriptions]

    def _routes(self) -> list[Route]:
        def routes(kind: str, message: str, there: Any, make: Any) -> list[Route]:
            def put(asked: Asked) -> Answer:
                name = asked.names["name"]
                make(name, read_body(getattr(self._types, message), asked.body))
                return said(200, name=name)

            one = rf"/v1/(?P<name>projects/(?P<project>[^/]+)/{kind}/(?P<id>[^/:]+))"
            return [
                Route("PUT", one, put),
                Route(
                    "GET", one, lambda asked: said(200 if asked.names["name"] in there() else 404)
                ),
                Route("DELETE", one, lambda asked: deleted(there(), asked.names["name"])),
            ]

        return [
            *routes("topics", "Topic", lambda: self._topics, self._make_topic),
            *routes(
                *("subscriptions", "Subscription"),
                lambda: self._subscriptions,
                self._make_subscription,
            ),
            *super()._routes(),
        ]


class FunctionsMaker(FunctionsAdmin):
    """The Cloud Functions API, with the methods that make and delete functions.

    Args:
        cloud_run: serves them.
        project: the one that exists.
        region: likewise.
        variables: of all functions, besides their own.
    """

    def __init__(
        self, cloud_run: CloudRun, project: str, region: str, variables: Mapping[str, str]
    ) -> None:
        super().__init__(project, region, {})
        self._cloud_run = cloud_run
        self._variables = variables
        self._running: dict[str, ExitStack] = {}
        self._code: list[bytes] = []

    def stop(self) -> None:
        """Stop the functions that were not deleted."""
        for each in self._running.values():
            each.close()

    def _execute(self, request: Any) -> Answer:
        if request.method == "PUT" and request.target == "/upload?signature=s":
            assert "authorization" not in {name.lower() for name, _ in request.headers}
            self._code.append(request.payload)
            return said(200)
        return super()._execute(request)

    def _routes(self) -> Sequence[Route]:
        every = r"/v2/projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/functions"
        return [
            Route("POST", f"{every}:generateUploadUrl", self._place),
            Route("POST", every, self._make),
            Route("DELETE", f"{every}/(?P<id>[^/]+)", self._delete),
            *super()._routes(),
        ]

    def _place(self, asked: Asked) -> Answer:
        types = import_module("google.cloud.functions_v2.types")
        read_body(types.GenerateUploadUrlRequest, asked.body)
        source = {"bucket": "uploads", "object": str(len(self._code))}
        return said(200, uploadUrl=f"{self.url}/upload?signature=s", storageSource=source)

    def _make(self, asked: Asked) -> Answer:
        types = import_module("google.cloud.functions_v2.types")
        name, function = dict(asked.query)["functionId"], read_body(types.Function, asked.body)
        build, service = function.build_config, function.service_config
        stack = self._running[name] = ExitStack()
        code = self._code[int(build.source.storage_source.object_)]
        folder, variables = stack.enter_context(unpacked(code))
        variables |= {**self._variables, **service.environment_variables, "K_SERVICE": name}
        runtime = FunctionsFramework(folder, build.entry_point, environment=variables)
        self._cloud_run.services[name] = Service(stack.enter_context(runtime))
        self.functions[name] = Deployed(lambda: self._cloud_run.url_of(name))
        return said(200, name="operations/1")

    def _delete(self, asked: Asked) -> Answer:
        name = asked.names["id"]
        if name in self._running:
            self._running.pop(name).close()
            del self._cloud_run.services[name]
        return deleted(self.functions, name)


def deleted(there: dict[str, Any], name: str) -> Answer:
    """Remove what has a name, and say so."""
    return said(404 if there.pop(name, None) is None else 200)


def said(status: int, **document: object) -> Answer:
    """Return an answer in JSON."""
    return Answer(status, (("Content-Type", "application/json"),), json.dumps(document).encode())
