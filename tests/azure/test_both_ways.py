"""leeward and Microsoft's clients at the same servers: each reads what the other wrote."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest

from leeward import Client, Conflict, Event
from leeward.errors import Outcome
from leeward.testing import FakeClock
from leeward_contract_tests.fixtures import COUNT, EVENTS, ITEMS, PAIRS, SEEN
from tests.clouds.doors import client_of, new_key
from tests.servers.azure import event_grid
from tests.servers.azure.azurite import connection_string
from tests.servers.azure.clients import eventually, publisher, queue_client
from tests.servers.azure.cloud import AzureCloud

CLOUD_EVENT: Any = import_module("azure.core.messaging").CloudEvent
KEY_CREDENTIAL: Any = import_module("azure.core.credentials").AzureKeyCredential

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)

ITEM = {
    "total": Decimal("9.90"),
    "ratio": 0.5,
    "count": 3,
    "big": 2**53 + 1,
    "name": "Zoë",
    "paid": True,
    "note": None,
    "raw": b"\x00\xff",
    "when": MOMENT,
    "ttl": 5,
    "lines": [{"sku": "a", "n": 1}, []],
}

PLAIN = {
    "total": 9.9,
    "ratio": 0.5,
    "count": 3,
    "big": "9007199254740993",
    "name": "Zoë",
    "paid": True,
    "note": None,
    "raw": "AP8=",
    "when": "2026-01-02T03:04:05.678901+00:00",
    "~ttl": 5,
    "lines": [{"sku": "a", "n": 1}, []],
}
"""The same, as a document."""


def container(cloud: AzureCloud, table: str) -> Any:
    """Give azure-cosmos's client of a table."""
    return cloud.documents.get_container_client(table)


def test_azure_cosmos_reads_what_leeward_stored(client: Client, cloud: AzureCloud) -> None:
    """JSON's types where they hold the value, text where they do not, and one attribute more."""
    key = new_key()
    client.store_data(ITEMS, {"id": key, **ITEM})
    document = container(cloud, ITEMS).read_item(key, key)
    assert document.pop("_leeward").keys() == {"w", "t", "d"}
    own = {name: value for name, value in document.items() if not name.startswith("_")}
    assert own == {"id": key, "~id": key, **PLAIN}
    record = client.load_data(ITEMS, key)
    assert record is not None
    assert (record.item, record.foreign) == ({"id": key, **ITEM}, False)


def test_leeward_reads_what_azure_cosmos_stored(client: Client, cloud: AzureCloud) -> None:
    """Such an item is foreign; numbers are int where integral, and Cosmos' attributes are gone."""
    key = new_key()
    container(cloud, ITEMS).create_item({"id": key, "n": 3, "x": 1.5, "deep": [{"y": 2.0}, []]})
    record = client.load_data(ITEMS, key)
    assert record is not None
    assert record.foreign
    assert record.item == {"id": key, "n": 3, "x": Decimal("1.5"), "deep": [{"y": 2}, []]}


def test_a_change_by_azure_cosmos_is_noticed(client: Client, cloud: AzureCloud) -> None:
    """The digest no longer fits, and neither does the revision."""
    key = new_key()
    revision = client.store_data(ITEMS, {"id": key, "ratio": 0.5}).revision
    items = container(cloud, ITEMS)
    items.replace_item(key, items.read_item(key, key) | {"ratio": 0.75})
    record = client.load_data(ITEMS, key)
    assert record is not None
    assert (record.item["ratio"], record.foreign) == (Decimal("0.75"), True)
    with pytest.raises(Conflict):
        client.store_data(ITEMS, {"id": key, "ratio": 1.0}, if_revision=revision)
    client.store_data(ITEMS, {"id": key, "ratio": 1.0}, if_revision=record.revision)


def test_a_key_of_two_fields_is_a_partition_and_an_id(client: Client, cloud: AzureCloud) -> None:
    """An attribute called `id` stays the item's own, beside the document's."""
    customer = new_key()
    item = {"customer": customer, "order": "a/b 1", "id": "mine", "n": 1}
    client.store_data(PAIRS, item)
    pairs = container(cloud, PAIRS)
    document = pairs.read_item("a~2fb~201", customer)
    assert (document["customer"], document["order"]) == (customer, "a/b 1")
    assert document["~id"] == "mine"
    record = client.load_data(PAIRS, {"customer": customer, "order": "a/b 1"})
    assert record is not None
    assert record.item == item


def test_a_foreign_item_of_two_fields_has_its_id(client: Client, cloud: AzureCloud) -> None:
    """The document's `id` is the field then, for nothing else was there."""
    customer = new_key()
    document = {"id": "7", "customer": customer, "order": "7", "n": 1}
    container(cloud, PAIRS).create_item(document)
    record = client.load_data(PAIRS, {"customer": customer, "order": "7"})
    assert record is not None
    assert (record.item, record.foreign) == (document, True)


def test_azure_storage_queue_reads_what_leeward_enqueued(client: Client, cloud: AzureCloud) -> None:
    """In the encoding that the Functions host expects."""
    name = f"unheard-{new_key()}"
    direct = connection_string(cloud.queues.url, cloud.account)
    with queue_client(direct, name) as queue:
        queue.create_queue()
        client.enqueue(name, {"order": "Zoë", "n": [None]})
        (message,) = queue.receive_messages()
    assert json.loads(message.content) == {"order": "Zoë", "n": [None]}


def test_a_queued_call_runs_whoever_has_queued_it(client: Client, cloud: AzureCloud) -> None:
    """The function finds the payload of either."""
    name = new_key()
    payload = {"name": name}
    direct = connection_string(cloud.queues.url, cloud.account)
    with queue_client(direct, COUNT) as queue:
        queue.send_message(json.dumps(payload).encode())
    client.enqueue(COUNT, payload)
    eventually(lambda: len(_begun(cloud, name)) == 2 or None)
    assert eventually(lambda: client.invoke(COUNT, payload).value >= 3 or None)


def _begun(cloud: AzureCloud, name: str) -> list[Any]:
    return [each for each in cloud.functions.begun if name.encode() in each.payload]


def test_an_event_of_azure_eventgrid_is_seen_like_ours(client: Client, cloud: AzureCloud) -> None:
    """Who takes in events cannot tell one from the other."""
    ours, theirs = new_key(), new_key()
    event = Event("order.created", {"n": [1, None]}, ours, "urn:shop", MOMENT, "orders/42")
    client.publish_events(EVENTS, [event]).raise_if_failed()
    url = f"{cloud.events.url}/{EVENTS}/api/events"  # this client takes no CA file
    with publisher(url, KEY_CREDENTIAL(event_grid.KEY)) as grid:
        grid.send(
            CLOUD_EVENT(
                source="urn:shop",
                type="order.created",
                data={"n": [1, None]},
                id=theirs,
                time=MOMENT,
                subject="orders/42",
                datacontenttype="application/json",
            )
        )
    (mine,), (other,) = (client.invoke(SEEN, {"id": each}).value for each in (ours, theirs))
    assert mine == other | {"id": ours}


def test_a_topic_of_a_namespace_takes_events(cloud: AzureCloud) -> None:
    """With an access key, at the origin of the namespace."""
    options = cloud.options | {"eventgrid_namespace_url": cloud.proxies["event_grid"].url}
    del options["eventgrid_topic_url"]
    key = new_key()
    with client_of(cloud, options) as client:
        client.publish_event(EVENTS, "order.created", {"n": 1}, id=key)
        assert [each["data"] for each in client.invoke(SEEN, {"id": key}).value] == [{"n": 1}]


# azure-cosmos looks at no certificate of 127.0.0.1.
@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_the_native_client_is_azure_cosmos_on_the_same_settings(
    client: Client, cloud: AzureCloud
) -> None:
    """It goes to the same endpoint with the same key."""
    key = new_key()
    client.store_data(ITEMS, {"id": key})
    before = len(cloud.proxies["cosmos"].requests)
    native: Any = client.native(cloud.target, "cosmos")
    with native:
        items = native.get_database_client(cloud.database).get_container_client(ITEMS)
        assert items.read_item(key, key)["~id"] == key
    assert len(cloud.proxies["cosmos"].requests) > before


def test_a_client_reads_what_it_wrote_from_replicas_that_lag(cloud: AzureCloud) -> None:
    """One that has not come as far says so, and is not believed; another is asked."""
    key = new_key()
    with client_of(cloud, cloud.options, clock=FakeClock()) as client:
        client.store_data(ITEMS, {"id": key, "n": 1})
        cloud.cosmos.fall_behind(1)
        client.store_data(ITEMS, {"id": key, "n": 2})
        record = client.load_data(ITEMS, key)
    assert record is not None
    assert record.item["n"] == 2
    assert [each.code for each in record.attempts] == ["404/1002", None]
    assert record.attempts[0].outcome is Outcome.REJECTED


def test_a_conflict_is_believed_before_a_replica_that_lags(
    client: Client, cloud: AzureCloud
) -> None:
    """An item that another client has stored is in the way, though a read does not see it yet."""
    key = new_key()
    cloud.cosmos.fall_behind(1)
    client.store_data(ITEMS, {"id": key, "n": 1})
    with (
        client_of(cloud, cloud.options, clock=FakeClock()) as other,
        pytest.raises(Conflict) as raised,
    ):
        other.store_data(ITEMS, {"id": key, "n": 2}, if_absent=True)
    assert [each.outcome for each in raised.value.attempts] == [Outcome.REJECTED, Outcome.CONFLICT]
