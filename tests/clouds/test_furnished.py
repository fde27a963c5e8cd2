"""`make test-cloud` for Azure and Google, with servers of the tests in their place.

What these cannot stand in for: time that passes until something is there or gone, quotas, rights,
and whether the control plane takes what the table of resources says: Azure Resource Manager is a
dictionary here, while Google's own message classes read what is sent to Google. The app is the one
that is deployed, from its package, in the hosts of the tests.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cloud_tests import delivery
from cloud_tests.options import PRICES, Refused, check_price, clouds
from cloud_tests.rest import Api, Refusal, Resource, State, provisioned
from cloud_tests.teardown import StillThere
from leeward import Config, NotFound
from leeward.config import TargetName
from leeward_contract_tests.rows import each_row
from tests.aws.test_cloud_suite import begun, packed_here, run
from tests.clouds.control_planes import Arm, FirestoreAdmin, FunctionsMaker, PubSubAdmin, said
from tests.servers.answering import Answer, AnsweringServer, Executed
from tests.servers.azure.cosmos_server import CosmosServer
from tests.servers.azure.identity import HEADER
from tests.servers.azure.identity import Identity as ManagedIdentity
from tests.servers.google.cloud_run import CloudRun
from tests.servers.google.identity import Identity as Metadata
from tests.servers.google.tokens import ACCOUNT

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


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Make what the app is packed of; return the variables that lead to it."""
    return {**AGREED, **packed_here(tmp_path_factory.mktemp("wheels"))}


@pytest.fixture
def arm(packages: dict[str, str]) -> Iterator[tuple[Arm, dict[str, str]]]:
    """Start Azure, and yield it with the variables that lead there."""
    with ExitStack() as stack:
        cosmos, identity = (
            stack.enter_context(CosmosServer()),
            stack.enter_context(ManagedIdentity()),
        )
        arm = stack.enter_context(Arm(cosmos))
        stack.callback(arm.stop)
        place = {"AZURE_SUBSCRIPTION_ID": "s", "AZURE_LOCATION": "westeurope"}
        credentials = {"IDENTITY_ENDPOINT": identity.endpoint, "IDENTITY_HEADER": HEADER}
        address = {"LEEWARD_TEST_AZURE_MANAGEMENT": arm.url}
        yield arm, {"LEEWARD_TEST_CLOUD": "azure", **packages, **place, **credentials, **address}


def test_azure_keeps_the_contract_and_nothing_is_left(arm: tuple[Arm, dict[str, str]]) -> None:
    """What can have a tag has it; the group goes, and all that is in it."""
    server, env = arm
    status, text = run(ONCE, env)
    assert (status, server.made) == (0, {}), text
    assert "container contract-pairs" in text
    put = [each for each in server.executed if each.method == "PUT"]
    bodies = [json.loads(each.body) for each in put]
    has_place = [each for each in bodies if "location" in each]
    assert {each["tags"]["leeward-test"] for each in has_place} == {
        urlsplit(put[0].target).path.rpartition("/")[2]
    }
    assert len(has_place) == 6


def test_google_keeps_the_contract_and_nothing_is_left(packages: dict[str, str]) -> None:
    """A database, a function, topics and subscriptions are made, used and deleted."""
    region = "us-central1"
    with ExitStack() as stack:
        enter = stack.enter_context
        identity, cloud_run = enter(Metadata("p")), enter(CloudRun())
        firestore, pubsub = enter(FirestoreAdmin("p")), enter(PubSubAdmin("p"))
        functions = enter(FunctionsMaker(cloud_run, "p", region, identity.env))
        stack.callback(functions.stop)
        env = {
            "GOOGLE_CLOUD_PROJECT": "p",
            "GOOGLE_CLOUD_REGION": region,
            "LEEWARD_TEST_GOOGLE_ACCOUNT": ACCOUNT,
            "LEEWARD_TEST_FIRESTORE": firestore.url,
            "LEEWARD_TEST_CLOUDFUNCTIONS": functions.url,
            "LEEWARD_TEST_PUBSUB": pubsub.url,
        }
        status, text = run(
            ONCE, {"LEEWARD_TEST_CLOUD": "google", **packages, **identity.env, **env}
        )
        left = [*firestore.stores, *pubsub.made, *functions.functions]
    assert (status, left) == (0, ["(default)"]), text


def test_what_was_made_before_a_failure_is_removed(arm: tuple[Arm, dict[str, str]]) -> None:
    """No test is tried, and the message has what the cloud said."""
    server, env = arm
    server.refuses = "/containers/"
    status, text = run(ONCE, env)
    assert (status, "AuthorizationFailed" in text, " passed" in text) == (1, True, False), text
    assert server.made == {}


def test_a_run_that_is_ended_removes_what_it_has_made(arm: tuple[Arm, dict[str, str]]) -> None:
    """SIGTERM is treated like Ctrl-C."""
    server, env = arm
    with begun(ONCE, env) as process:
        until = time.monotonic() + 120
        while len(server.made) < 5 and time.monotonic() < until:
            time.sleep(0.05)
        assert len(server.made) >= 5
        process.send_signal(signal.SIGTERM)
        text, _ = process.communicate(timeout=120)
    assert (process.returncode, server.made) == (2, {}), text


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


def test_a_bus_that_delivers_nothing_ends_the_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was last refused is the cause."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(delivery, "_LONGEST", 0.1)
    monkeypatch.setattr(delivery, "_PAUSE", 0.1)
    with pytest.raises(TimeoutError, match="the bus has delivered nothing") as caught:
        delivery.wait_for_delivery(Config(order=(TargetName("local"),)))
    assert isinstance(caught.value.__cause__, NotFound)


def test_a_table_is_made_in_its_order_and_removed_in_reverse() -> None:
    """What is not there yet is waited for; what is busy is asked again; parts go with the whole."""
    answers = iter([201, 200, 200, 201, 200, 409, 200, 404, 202, 404])
    states = iter(["Creating", "Ready"])

    def answer(request: Executed) -> Answer:
        is_state = request.method == "GET" and request.target == "/a"
        state = next(states, None) if is_state else None
        return said(next(answers), **({"state": state} if state else {}))

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
    lines: list[str] = []
    with AnsweringServer(
        lambda request: said(403 if request.method == "DELETE" else 200)
    ) as server:
        api = Api(lambda: "t", 0.0, 0.0)
        only = [Resource("a", f"{server.url}/a", {})]
        with (
            pytest.raises(StillThere, match="remove by hand: a"),
            provisioned(api, only, lines.append),
        ):
            pass
        failed = State(("state",), "Ready", ("Failed",))
        with pytest.raises(TimeoutError, match="there is not yet b"):
            api.make(Resource("b", f"{server.url}/b", {}, state=failed))
    assert lines == ["could not remove a: Refusal: DELETE a: 403 {}"]
    with (
        AnsweringServer(said(200, state="Failed")) as server,
        pytest.raises(Refusal, match="b: Fa"),
    ):
        api.make(Resource("b", f"{server.url}/b", {}, state=failed))
