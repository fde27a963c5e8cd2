from __future__ import annotations

import sys
from typing import Any

import pytest
import responses
from azure.core.messaging import CloudEvent

from leeward.adapter.resolver import Unresolved
from leeward.errors import ConfigError, Outcome
from leeward_azure.identity.credentials import Bearer
from leeward_azure.identity.vendor_token import SharedTokenCredential
from leeward_azure.native import native
from tests.azure.sources import COSMOS, KEY, http, no_azure, target
from tests.http.wire import Wire, answer

TOPICS = "https://{topic}.westeurope-1.eventgrid.azure.net"
EVENT = CloudEvent(source="tests", type="order.created", data={"id": "42"})


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take Azure's variables away."""
    no_azure(monkeypatch)


def make(service: str, secret: Any = None, **options: Any) -> Any:
    settings, config = target(**options)

    def get(what: Any) -> Any:
        return secret or Bearer(f"canary-{what.service}")

    return native(service, settings, config, get)


def test_a_queue_client_with_the_accounts_key() -> None:
    """It goes to the configured endpoint, and its messages are signed with the configured key."""
    with Wire(answer(http(201, b""))) as wire:
        text = f"AccountName=shop;AccountKey={KEY};QueueEndpoint={wire.origin()}/shop"
        with make("queue", storage_connection_string=text) as client:
            client.create_queue("orders")
        assert wire.requests[0].startswith(b"PUT /shop/orders HTTP/1.1")
        assert b"Authorization: SharedKey shop:" in wire.requests[0]


def test_clients_with_tokens() -> None:
    """Each service is asked with the token that leeward has for it."""
    url = "https://shop.queue.core.windows.net"
    with make("queue", storage_queue_url=url) as client, responses.RequestsMock() as mocked:
        mocked.put(f"{url}/orders", status=201)
        client.create_queue("orders")
        assert mocked.calls[0].request.headers["Authorization"] == "Bearer canary-queue"
    with (
        make("eventgrid:orders", eventgrid_topic_url=TOPICS) as client,
        responses.RequestsMock() as mocked,
    ):
        mocked.post(TOPICS.replace("{topic}", "orders") + "/api/events", status=200)
        client.send(EVENT)
        assert mocked.calls[0].request.headers["Authorization"] == "Bearer canary-eventgrid"
    with (
        make("web", function_app="shop", subscription_id="0000") as client,
        responses.RequestsMock() as mocked,
    ):
        base = "https://management.azure.com/subscriptions/0000/resourceGroups/g"
        mocked.get(f"{base}/providers/Microsoft.Web/sites/shop", json={"name": "shop"})
        assert client.web_apps.get("g", "shop").name == "shop"
        assert mocked.calls[0].request.headers["Authorization"] == "Bearer canary-management"


def test_clients_of_event_grid_with_keys() -> None:
    """Custom topics and namespaces take their own forms of key and signature."""
    url = TOPICS.replace("{topic}", "orders") + "/api/events"
    for options, header, value in (
        ({"eventgrid_key": "canary"}, "aeg-sas-key", "canary"),
        ({"eventgrid_sas": "canary"}, "aeg-sas-token", "canary"),
    ):
        client = make("eventgrid:orders", eventgrid_topic_url=TOPICS, **options)
        with client, responses.RequestsMock() as mocked:
            mocked.post(url, status=200)
            client.send(EVENT)
            assert mocked.calls[0].request.headers[header] == value
    origin = "https://shop.westeurope-1.eventgrid.azure.net"
    client = make("eventgrid:orders", eventgrid_namespace_url=origin, eventgrid_key="canary")
    with client, responses.RequestsMock() as mocked:
        mocked.post(f"{origin}/topics/orders:publish", json={})
        client.send(EVENT)
        shown = mocked.calls[0].request.headers["Authorization"]
        assert shown == "SharedAccessKey canary"


def test_a_cosmos_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made for the configured account, with its key or a token."""
    import azure.cosmos

    made: list[Any] = []

    class Client:
        def __init__(self, url: str, credential: Any, *, transport: Any, **options: Any) -> None:
            made.append((url, credential, options))

    monkeypatch.setattr(azure.cosmos, "CosmosClient", Client)
    make("cosmos", **COSMOS, cosmos_key=KEY, ca_bundle="/ca.pem")
    make("cosmos", **COSMOS)
    url = "https://shop.documents.azure.com"
    assert made[0] == (url, KEY, {"connection_verify": "/ca.pem"})
    assert made[1][0] == url
    assert made[1][1].get_token("x").token == "canary-cosmos"


def test_a_lent_token_is_asked_for_anew() -> None:
    """It is lent for a little more than azure-core keeps one back, and refusals come out."""
    import time

    given = iter([Bearer("one"), Bearer("two")])
    lent = SharedTokenCredential(lambda: next(given))
    first, second = lent.get_token("s"), lent.get_token_info("s")
    assert (first.token, second.token) == ("one", "two")
    assert 300 < first.expires_on - time.time() <= 420
    lent.close()

    def refuse() -> Bearer:
        raise Unresolved(Outcome.AUTH, "why", "because")

    with pytest.raises(Unresolved, match="because"):
        SharedTokenCredential(refuse).get_token("s")


@pytest.mark.parametrize(
    ("service", "option"),
    [
        ("cosmos", "cosmos_endpoint"),
        ("queue", "storage_connection_string"),
        ("eventgrid:orders", "eventgrid_topic_url"),
        ("web", "subscription_id"),
    ],
)
def test_a_service_that_is_not_configured(service: str, option: str) -> None:
    """The message says what to set."""
    with pytest.raises(ConfigError, match=option):
        make(service, function_app="shop")


@pytest.mark.parametrize(
    ("service", "package"),
    [
        ("cosmos", "azure.cosmos"),
        ("queue", "azure.storage.queue"),
        ("eventgrid:orders", "azure.eventgrid"),
        ("web", "azure.mgmt.web"),
    ],
)
def test_a_package_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, service: str, package: str
) -> None:
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=r"leeward-azure\[native\]"):
        make(service, **COSMOS, subscription_id="0")
