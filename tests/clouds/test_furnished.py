"""`make test-cloud` for Azure and Google, with servers of the tests in their place.

What these cannot stand in for: time that passes until something is there or gone, quotas, rights,
and whether the control plane takes what the table of resources says: Azure Resource Manager is a
dictionary here, and Google's own message class reads the body for Firestore.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import pytest

from cloud_tests.options import PRICES, Refused, check_price, clouds
from cloud_tests.rest import Api, Refusal, Resource, State, provisioned
from cloud_tests.teardown import StillThere
from leeward_contract_tests.rows import each_row
from tests.aws.test_cloud_suite import begun, run
from tests.servers.answering import Answer, AnsweringServer, Executed
from tests.servers.azure.clients import cosmos_client
from tests.servers.azure.cosmos_server import KEY, CosmosServer
from tests.servers.azure.identity import HEADER
from tests.servers.azure.identity import Identity as ManagedIdentity
from tests.servers.google.api import Asked, Route
from tests.servers.google.firestore import Firestore
from tests.servers.google.identity import Identity as Metadata
from tests.servers.google.messages import read_body

AGREED = {"LEEWARD_TEST_USD": "1"}

ONCE = (
    "-m",
    "cloud_tests",
    "-p",
    "no:unraisableexception",
    "-k",
    "not (Awaited or every or odd or many)",
)
"""What asks for much, or is awaited, is done over the same servers by tests/contract. A signal may
come while Python reads a module, whose file it then closes with a warning."""


class Arm(AnsweringServer):
    """Azure Resource Manager: what was put there, until a group that has it is deleted.

    Attributes:
        made: documents, by path in small letters.
        refuses: a part of the paths that nobody may put.
    """

    def __init__(self, cosmos: CosmosServer) -> None:
        super().__init__()
        self.made: dict[str, Any] = {}
        self.refuses = "nothing"
        self._cosmos = cosmos
        self._answer = self._answered

    def _answered(self, request: Executed) -> Answer:
        path = urlsplit(request.target).path.lower()
        if request.method == "PUT":
            if self.refuses in path:
                return _said(403, error={"code": "AuthorizationFailed"})
            self._put(path, json.loads(request.body))
        elif request.method == "DELETE":
            for each in [each for each in self.made if each.startswith(path)]:
                del self.made[each]
        elif path.endswith("/listkeys"):
            return _said(200, primaryMasterKey=KEY)
        found = self.made.get(path)
        return _said(404) if found is None else _said(200, **found)

    def _put(self, path: str, body: Any) -> None:
        kind, resource = path.split("/")[-2], body.get("properties", {}).get("resource", {})
        with cosmos_client(self._cosmos.url) as client:
            if kind == "sqldatabases":
                client.create_database(resource["id"])
            if kind == "containers":
                key, database = resource["partitionKey"], path.split("/")[-3]
                partition = import_module("azure.cosmos").PartitionKey(key["paths"][0])
                client.get_database_client(database).create_container(
                    resource["id"], partition, default_ttl=resource["defaultTtl"]
                )
        shown = {"provisioningState": "Succeeded", "documentEndpoint": f"{self._cosmos.url}/"}
        self.made[path] = body | {"properties": shown}


class FirestoreAdmin(Firestore):
    """Firestore, with the methods that make and delete databases."""

    def _routes(self) -> list[Route]:
        one = r"/v1/projects/(?P<project>[^/]+)/databases/(?P<id>[^/:]+)"
        made = [Route("POST", r"/v1/projects/(?P<project>[^/]+)/databases", self._make)]
        methods = {"GET": self._look, "DELETE": self._delete}
        return [
            *made,
            *(Route(verb, one, each) for verb, each in methods.items()),
            *super()._routes(),
        ]

    def _make(self, asked: Asked) -> Answer:
        read_body(import_module("google.cloud.firestore_admin_v1.types").Database, asked.body)
        self.add_database(dict(asked.query)["databaseId"])
        return _said(200, name="operations/1")

    def _look(self, asked: Asked) -> Answer:
        return _said(200 if asked.names["id"] in self.stores else 404)

    def _delete(self, asked: Asked) -> Answer:
        return _said(404 if self.stores.pop(asked.names["id"], None) is None else 200)


def _said(status: int, **document: object) -> Answer:
    return Answer(status, (("Content-Type", "application/json"),), json.dumps(document).encode())


@pytest.fixture
def arm() -> Iterator[tuple[Arm, dict[str, str]]]:
    """Start Azure, and yield it with the variables that lead there."""
    with ExitStack() as stack:
        cosmos, identity = (
            stack.enter_context(CosmosServer()),
            stack.enter_context(ManagedIdentity()),
        )
        arm = stack.enter_context(Arm(cosmos))
        place = {"AZURE_SUBSCRIPTION_ID": "s", "AZURE_LOCATION": "westeurope"}
        credentials = {"IDENTITY_ENDPOINT": identity.endpoint, "IDENTITY_HEADER": HEADER}
        address = {"LEEWARD_TEST_AZURE_MANAGEMENT": arm.url}
        yield arm, {"LEEWARD_TEST_CLOUD": "azure", **AGREED, **place, **credentials, **address}


def test_azure_keeps_the_contract_and_nothing_is_left(arm: tuple[Arm, dict[str, str]]) -> None:
    """What can have a tag has it; the group goes, and all that is in it."""
    server, env = arm
    status, said = run(ONCE, env)
    assert (status, server.made) == (0, {}), said
    assert "container contract-pairs" in said
    put = [each for each in server.executed if each.method == "PUT"]
    tagged = [json.loads(each.body).get("tags", {}).get("leeward-test") for each in put]
    assert tagged == [urlsplit(put[0].target).path.rpartition("/")[2]] * 2 + [None] * 3


def test_google_keeps_the_contract_and_nothing_is_left() -> None:
    """One database is made, used and deleted."""
    with Metadata("p") as identity, FirestoreAdmin("p") as firestore:
        host = "{}:{}".format(*identity.address)
        place = {"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_REGION": "us-central1"}
        found = {"GCE_METADATA_HOST": host, "GCE_METADATA_IP": host}
        address = {"LEEWARD_TEST_FIRESTORE": firestore.url}
        status, said = run(
            ONCE, {"LEEWARD_TEST_CLOUD": "google", **AGREED, **place, **found, **address}
        )
        assert (status, [*firestore.stores]) == (0, ["(default)"]), said


def test_what_was_made_before_a_failure_is_removed(arm: tuple[Arm, dict[str, str]]) -> None:
    """No test is tried, and the message has what the cloud said."""
    server, env = arm
    server.refuses = "/containers/"
    status, said = run(ONCE, env)
    assert (status, "AuthorizationFailed" in said, " passed" in said) == (1, True, False), said
    assert server.made == {}


def test_a_run_that_is_ended_removes_what_it_has_made(arm: tuple[Arm, dict[str, str]]) -> None:
    """SIGTERM is treated like Ctrl-C."""
    server, env = arm
    with begun(ONCE, env) as process:
        until = time.monotonic() + 120
        while len(server.made) < 5 and time.monotonic() < until:
            time.sleep(0.05)
        assert len(server.made) == 5
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=120)
    assert (process.returncode, server.made) == (2, {}), said


@each_row("given", ["", "0.99", "many"])
def test_nothing_is_made_that_nobody_has_agreed_to_pay(given: str) -> None:
    """Each cloud has a bound, and the message has it."""
    assert {*PRICES} == {*clouds()}
    for cloud in clouds():
        with pytest.raises(Refused, match="to agree, set LEEWARD_TEST_USD=1"):
            check_price(cloud, {"LEEWARD_TEST_USD": given})


@each_row("cloud", ["azure", "google"])
def test_what_is_missing_is_named(cloud: str) -> None:
    """Before anything is sent."""
    with pytest.raises(Refused, match="must name the (subscription|project)"):
        import_module(f"cloud_tests.{cloud}.account").check({})


def test_a_table_is_made_in_its_order_and_removed_in_reverse() -> None:
    """What is not there yet is waited for; what is busy is asked again; parts go with the whole."""
    answers = iter([201, 200, 200, 201, 200, 409, 200, 404, 202, 404])
    states = iter(["Creating", "Ready"])

    def answer(request: Executed) -> Answer:
        is_state = request.method == "GET" and request.target == "/a"
        state = next(states, None) if is_state else None
        return _said(next(answers), **({"state": state} if state else {}))

    with AnsweringServer(answer) as server:
        first = Resource("a", f"{server.url}/a", {}, state=State(("state",), "Ready", ("Failed",)))
        second = Resource("b", f"{server.url}/b", {}, ("POST", f"{server.url}/all?id=b"))
        with provisioned(Api(lambda: "t", 5.0, 0.0), [first, second], print):
            pass
    assert [f"{each.method} {each.target}" for each in server.executed] == [
        *("PUT /a", "GET /a", "GET /a", "POST /all?id=b", "GET /b"),
        *("DELETE /b", "DELETE /b", "GET /b", "DELETE /a", "GET /a"),
    ]


def test_what_fails_or_stays_is_named() -> None:
    """A state that is not left ends the wait; what cannot be removed is for a person."""
    said: list[str] = []
    with AnsweringServer(
        lambda request: _said(403 if request.method == "DELETE" else 200)
    ) as server:
        api = Api(lambda: "t", 0.0, 0.0)
        only = [Resource("a", f"{server.url}/a", {})]
        with (
            pytest.raises(StillThere, match="remove by hand: a"),
            provisioned(api, only, said.append),
        ):
            pass
        failed = State(("state",), "Ready", ("Failed",))
        with pytest.raises(TimeoutError, match="there is not yet b"):
            api.make(Resource("b", f"{server.url}/b", {}, state=failed))
    assert said == ["could not remove a: Refusal: DELETE a: 403 {}"]
    with (
        AnsweringServer(_said(200, state="Failed")) as server,
        pytest.raises(Refusal, match="b: Fa"),
    ):
        api.make(Resource("b", f"{server.url}/b", {}, state=failed))
