from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from leeward import Client, Config
from leeward.adapter import Capability, Driver, Limits, TargetConfig
from leeward.adapter.opening import LazyPlans
from leeward.calls import Enqueue, Invoke, Publish
from leeward.errors import ConfigError, Outcome, Unsupported
from leeward.values import Event
from leeward_azure.driver import LIMITS, PLANS, TABLES, open_driver
from leeward_contract_tests.rows import each_row
from tests.azure.sources import COSMOS, KEY, NOW, http, no_azure, settings
from tests.house.workspace import ROOT
from tests.http.wire import Wire, answer

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


def test_nothing_configured_is_refused() -> None:
    """The message names the target and what to set."""
    with pytest.raises(ConfigError, match="nothing is configured for 'azure:west'"):
        opened()


def test_every_verb_of_a_service_has_a_plan() -> None:
    """The plans are those of the configured services, each loaded when it is asked for."""
    made = LazyPlans(PLANS, settings(**ALL))
    objects = ["put_object", "get_object", "head_object", "list_objects", "delete_object"]
    verbs = [
        "invoke",
        "settle",
        "enqueue",
        "publish",
        "store",
        "load",
        "delete",
        "scan",
        "list_items",
    ]
    verbs += objects
    looks = ["look_function", "look_queue", "look_bus", "look_table", "look_bucket"]
    looks.append("look_backlog")
    messages = ["put_message", "take_messages", "remove_message", "hide_message"]
    more = ["start_run", "get_run", "abort_run"]
    assert sorted(made) == sorted([*verbs, *looks, *messages, *more])
    assert all(callable(made[verb]) for verb in made)
    storage = ["enqueue", *objects, *messages, "look_queue", "look_bucket", "look_backlog"]
    assert sorted(LazyPlans(PLANS, settings(**STORAGE))) == sorted(storage)
    assert LazyPlans(PLANS, settings(**STORAGE)).get("invoke") is None


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


def test_topics_with_urls_of_their_own_are_shown() -> None:
    """By their number, behind the template if there is one."""
    own: dict[str, Any] = {"eventgrid_topic_urls": {"a": "https://a.example", "b": "https://b"}}
    both = own | {"eventgrid_topic_url": TOPICS}
    for options, said in (own, "2 by name"), (both, f"{TOPICS}/api/events, 2 by name"):
        driver = opened(**options)
        assert driver.describe()["endpoint.events"] == said
        driver.close()


def test_each_topic_gets_its_own_key() -> None:
    """By its URL or by the template; no topic sees the key of another."""
    with Wire(answer(http(200, b""))) as one, Wire(answer(http(200, b""))) as rest:
        driver = opened(
            eventgrid_topic_url=rest.origin() + "/{topic}/api/events",
            eventgrid_topic_urls={"orders": f"{one.origin()}/own"},
            eventgrid_key="canary-rest",
            eventgrid_keys={"orders": "canary-one", "bills": "canary-two"},
        )
        event = Event("order.created", {"id": 1}, "1", "tests", _time())
        for bus in ("orders", "bills", "news"):
            assert driver.perform(Publish(bus, (event,)), 10.0).outcome is Outcome.OK
        driver.close()
    assert [each.partition(b"?")[0] for each in one.requests] == [b"POST /own"]
    assert b"aeg-sas-key: canary-one\r\n" in one.requests[0]
    bills, news = rest.requests
    assert bills.startswith(b"POST /bills/api/events?")
    assert b"aeg-sas-key: canary-two\r\n" in bills
    assert news.startswith(b"POST /news/api/events?")
    assert b"aeg-sas-key: canary-rest\r\n" in news


def test_a_driver_calls_queues_and_publishes() -> None:
    """From the entry point to the wire: each verb goes to its endpoint with its credential."""
    with (
        Wire(answer(http(200, {"sent": True}))) as app,
        Wire(answer(http(201, b"<x/>"))) as storage,
        Wire(answer(http(200, b""))) as grid,
    ):
        text = f"AccountName=shop;AccountKey={KEY};QueueEndpoint={storage.origin()}/shop"
        driver = opened(
            function_url=app.origin(),
            function_key="canary-key",
            storage_connection_string=text,
            eventgrid_topic_url=grid.origin() + "/{topic}/api/events",
            eventgrid_key="canary-topic",
        )
        assert driver.perform(Invoke("send", b"1", "key"), 10.0).value == {"sent": True}
        assert driver.perform(Enqueue("send", b"1", "key"), 10.0).outcome is Outcome.OK
        event = Event("order.created", {"id": 1}, "1", "tests", _time())
        assert driver.perform(Publish("orders", (event,)), 10.0).outcome is Outcome.OK
        driver.close()
    assert app.requests[0].startswith(b"POST /api/send HTTP/1.1\r\n")
    assert b"x-functions-key: canary-key\r\n" in app.requests[0]
    assert storage.requests[0].startswith(b"POST /shop/send/messages HTTP/1.1\r\n")
    assert grid.requests[0].startswith(b"POST /orders/api/events?api-version=2018-01-01 HTTP")
    assert b"aeg-sas-key: canary-topic\r\n" in grid.requests[0]
    everything = b"".join(app.requests + storage.requests + grid.requests)
    assert everything.count(b"canary-key") == everything.count(b"canary-topic") == 1


def _time() -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(NOW, UTC)


def test_native_goes_through_the_driver() -> None:
    """The vendor's client is made with the target's settings."""
    driver = opened(**STORAGE)
    client: Any = driver.native("queue")
    with client:
        assert client.url == "https://shop.queue.core.windows.net/"
    with pytest.raises(ConfigError, match="knows no service"):
        driver.native("blob")
    driver.close()


def test_the_limits_are_no_smaller_than_what_is_safe_everywhere() -> None:
    """Only a queued call is smaller on Azure than on every other cloud."""
    smaller = {
        name
        for name in Limits._fields
        if getattr(LIMITS, name) < getattr(Limits(), name) and name != "queued_bytes"
    }
    assert smaller == set()


SCRIPT = """
import sys
from leeward_azure.driver import open_driver
from leeward.adapter import TargetConfig
options = {"function_app": "shop", "function_key": "k", "eventgrid_topic_url": "%s"}
open_driver(TargetConfig("azure", "azure", None, options, {})).close()
ours = {name for name in sys.modules if name.startswith("leeward_azure.")}
rooms = [name for name in ours if name.count(".") == 2]
print(sorted(name for name in rooms if name.endswith((".plans", ".queues"))))
print(sorted({name.partition(".")[0] for name in sys.modules} & {"azure", "ssl", "asyncio"}))
"""


def test_opening_loads_no_plan_and_no_vendor_package() -> None:
    """A function that only publishes pays at its cold start for nothing else."""
    child = subprocess.run(
        [sys.executable, "-c", SCRIPT % TOPICS],
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'adapters/azure/src'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    assert child.stdout.splitlines() == ["[]", "[]"]
