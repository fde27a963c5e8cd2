from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leeward import Client, Config
from leeward.adapter import Capability, Driver, TargetConfig
from leeward.calls import Invoke, Publish
from leeward.errors import InvalidRequest, Outcome, Unsupported
from leeward.values import Event
from leeward_google.driver import DATA, open_driver
from tests.google.sources import ACCOUNT, NOW, http, no_google
from tests.http.wire import Peer, Wire
from tests.http.wire import answer as answering

RUN = "https://send-a1b2c3-uc.a.run.app"
QUEUE = "projects/shop-1/locations/us-central1/queues/calls"
TAKEN = {"messageIds": ["1"]}
CLOUD = set(Capability) - {Capability.SINGLE_STARTS, Capability.SETTLING}
ALL: dict[str, Any] = {"project": "shop-1", "functions": {"send": RUN}}
EVENT = Event("order.created", {"id": 1}, "1", "tests", datetime.fromtimestamp(NOW, UTC))


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take Google's variables away, and give an empty home."""
    no_google(monkeypatch, tmp_path)


def opened(env: dict[str, str] | None = None, **options: Any) -> Driver:
    return open_driver(TargetConfig("google", "google", None, options, env or {}))


@pytest.mark.parametrize(
    ("options", "capabilities"),
    [
        ({}, DATA),
        ({"project": "shop-1"}, DATA),
        (
            {"region": "us-central1"},
            CLOUD,
        ),
        (
            ALL,
            CLOUD - {Capability.WORKFLOWS},
        ),
    ],
)
def test_what_is_configured_is_declared(
    options: dict[str, Any], capabilities: set[Capability]
) -> None:
    """A project is enough for all but functions and workflows, and is found where none is set."""
    driver = opened(**options)
    assert driver.target == "google"
    assert driver.capabilities == capabilities
    if Capability.INVOKE not in capabilities:
        with pytest.raises(Unsupported, match="google has no invoke"):
            driver.perform(Invoke("f", b"1", "key"), 1.0)
    driver.close()


def test_what_is_not_configured_is_not_called_impossible() -> None:
    """The refusal says what to set, and where."""
    told = (
        "'invoke' is not configured for 'google': set function_url, functions or a region in "
        '[targets."google"]'
    )
    with Client(opened(), config=Config()) as cloud, pytest.raises(Unsupported) as caught:
        cloud.invoke("f")
    assert told in str(caught.value)


TASKS: dict[str, Any] = {"tasks_queue": QUEUE, "tasks_service_account": ACCOUNT}


def test_what_is_shown() -> None:
    """Endpoints, where credentials come from, and the transport's settings; never a secret."""
    env = {"HTTPS_PROXY": "http://user:canary@proxy:8080", "SSL_CERT_FILE": "/ca.pem"}
    driver = opened(env, **ALL, **TASKS, access_token="canary", quota_project="pays")
    assert driver.describe() == {
        "project": "shop-1",
        "endpoint.functions": "1 by name",
        "endpoint.queues": f"https://cloudtasks.googleapis.com/v2/{QUEUE}",
        "endpoint.events": "https://pubsub.googleapis.com",
        "endpoint.tables": "https://firestore.googleapis.com",
        "endpoint.objects": "https://storage.googleapis.com",
        "endpoint.logging": "https://logging.googleapis.com",
        "endpoint.workflows": "not configured",
        "database": "(default)",
        "credentials": "configured",
        "quota_project": "pays",
        "ca_file": "/ca.pem",
        "proxy": "proxy:8080",
        "max_in_flight": "64",
        "trust_env": "true",
    }
    driver.close()
    for options, shown in (
        ({}, "not configured"),
        ({"region": "us-central1"}, "looked up in us-central1"),
        (ALL | {"region": "us-central1"}, "1 by name, looked up in us-central1"),
        ({"function_url": "https://{name}.run.app"}, "https://{name}.run.app"),
    ):
        driver = opened(**options)
        assert driver.describe()["endpoint.functions"] == shown
        driver.close()


# The project of the credentials.


def serve_metadata(peer: Peer) -> None:
    """Answer as the metadata server does, as often as somebody asks."""
    token = {"access_token": "canary", "expires_in": 3600}
    while (asked := peer.read()) is not None:
        told: Any = b"shop-1" if b"/project/project-id " in asked else token
        peer.send(http(200, told, "Metadata-Flavor: Google"))


def test_a_project_that_is_not_set_is_asked_for_once() -> None:
    """Of the metadata server, at the first call that needs it, and never for bad input."""
    with Wire(serve_metadata) as server, Wire(answering(http(200, TAKEN))) as pubsub:
        env = {"GCE_METADATA_HOST": server.origin().partition("://")[2]}
        driver = opened(env, pubsub_endpoint=pubsub.origin())
        assert driver.describe()["project"] == "that of the credentials"
        with pytest.raises(InvalidRequest):
            driver.perform(Publish("a/b", (EVENT,)), 10.0)
        assert server.requests == []
        for _ in range(2):
            assert driver.perform(Publish("orders", (EVENT,)), 10.0).outcome is Outcome.OK
        assert len(server.requests) == 2
        assert b"/v1/projects/shop-1/topics/orders:publish " in pubsub.requests[1]
        driver.close()
