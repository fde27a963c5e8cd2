from __future__ import annotations

from typing import Any

import pytest

from leeward import Client, Config
from leeward.adapter import Capability, Driver, TargetConfig
from leeward.calls import Invoke
from leeward.errors import Unsupported
from leeward_azure.driver import TABLES, open_driver
from leeward_contract_tests.rows import each_row
from tests.azure.sources import COSMOS, KEY, no_azure

TOPICS = "https://{topic}.westeurope-1.eventgrid.azure.net"
CLOUD = set(Capability) - {Capability.SINGLE_STARTS, Capability.SETTLING}
STORAGE: dict[str, Any] = {"storage_connection_string": f"AccountName=shop;AccountKey={KEY}"}
ALL = COSMOS | STORAGE | {"cosmos_key": KEY, "eventgrid_topic_url": TOPICS, "eventgrid_key": "k"}
FLOWS = {"workflow_url": "https://flows.azurewebsites.net", "workflow_key": "canary-flows"}
ALL |= {"function_app": "shop", "function_key": "canary-key"} | FLOWS


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take Azure's variables away."""
    no_azure(monkeypatch)


def opened(env: dict[str, str] | None = None, **options: Any) -> Driver:
    return open_driver(TargetConfig("azure:west", "azure", "west", options, env or {}))


@each_row(
    "options, capabilities",
    [
        ({"function_app": "shop"}, {Capability.INVOKE}),
        (STORAGE, {Capability.ENQUEUE, Capability.OBJECTS}),
        ({"eventgrid_topic_url": TOPICS}, {Capability.PUBLISH}),
        (COSMOS, set(TABLES)),
        (FLOWS, {Capability.WORKFLOWS}),
        (ALL, CLOUD - {Capability.ORDERING}),
    ],
)
def test_what_is_configured_is_declared(
    options: dict[str, Any], capabilities: set[Capability]
) -> None:
    """Each service brings its verbs, and another verb is refused before anything is sent."""
    driver = opened(**options)
    assert driver.target == "azure:west"
    assert driver.capabilities == capabilities
    if Capability.INVOKE not in capabilities:
        with pytest.raises(Unsupported, match="azure:west has no invoke"):
            driver.perform(Invoke("f", b"1", "key"), 1.0)
    driver.close()


def test_what_is_not_configured_is_not_called_impossible() -> None:
    """The refusal says what to set, and where."""
    told = (
        "'enqueue' is not configured for 'azure:west': set storage_connection_string or "
        'storage_queue_url in [targets."azure:west"]'
    )
    cloud = Client(opened(function_app="shop"), config=Config())
    with cloud, pytest.raises(Unsupported) as caught:
        cloud.enqueue("f")
    assert told in str(caught.value)


def test_what_is_shown() -> None:
    """Endpoints, where credentials come from, and the transport's settings; never a secret."""
    env = {"HTTPS_PROXY": "http://user:canary@proxy:8080", "SSL_CERT_FILE": "/ca.pem"}
    driver = opened(env, **ALL)
    assert driver.describe() == {
        "endpoint.functions": "https://shop.azurewebsites.net",
        "endpoint.queues": "https://shop.queue.core.windows.net",
        "endpoint.events": f"{TOPICS}/api/events",
        "endpoint.tables": "https://shop.documents.azure.com",
        "endpoint.blobs": "https://shop.blob.core.windows.net",
        "endpoint.workflows": "https://flows.azurewebsites.net",
        "database": "shop",
        "credentials.functions": "key",
        "credentials.queues": "key",
        "credentials.events": "key",
        "credentials.tables": "key",
        "credentials.blobs": "key",
        "credentials.workflows": "key",
        "ca_file": "/ca.pem",
        "proxy": "proxy:8080",
        "max_in_flight": "64",
        "trust_env": "true",
    }
    driver.close()
    driver = opened(function_app="shop", resource_group="g", subscription_id="0")
    shown = driver.describe()
    assert shown["endpoint.functions"] == "looked up for shop"
    missing = {name for name, value in shown.items() if value == "not configured"}
    others = ("queues", "events", "tables", "blobs", "workflows")
    assert missing == {f"endpoint.{each}" for each in others}
    assert shown["credentials.functions"] == "looked up by vendor chain"
    driver.close()
