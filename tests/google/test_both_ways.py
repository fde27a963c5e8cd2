"""leeward and Google's clients at the same servers: each reads what the other wrote."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from leeward import Client, Conflict, Event, NotFound
from leeward_contract_tests.fixtures import COUNT, EVENTS, ITEMS, PAIRS, SEEN
from tests.clouds.doors import client_of, new_key
from tests.servers.google.clients import ONCE, firestore_client, publisher, static, subscriber
from tests.servers.google.cloud import DATABASE, GoogleCloud
from tests.servers.loopback import PATIENCE

T = TypeVar("T")

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)

ITEM = {
    "total": Decimal("9.90"),
    "ratio": 0.5,
    "count": 3,
    "large": 2**63 - 1,
    "larger": 2**63,
    "name": "Zoë",
    "paid": True,
    "note": None,
    "raw": b"\x00\xff",
    "when": MOMENT,
    "__x__": 5,
    "lines": [{"sku": "a", "n": 1}, [], [[2]]],
}

PLAIN = {
    "total": 9.9,
    "ratio": 0.5,
    "count": 3,
    "large": 2**63 - 1,
    "larger": "9223372036854775808",
    "name": "Zoë",
    "paid": True,
    "note": None,
    "raw": b"\x00\xff",
    "when": MOMENT,
    "~__x__": 5,
    "lines": [{"sku": "a", "n": 1}, {"list": []}, {"list": [{"list": [2]}]}],
}
"""The same, as a document."""


@pytest.fixture
def firestore(cloud: GoogleCloud) -> Iterator[Any]:
    """Give google-cloud-firestore's client of the database, which takes no proxy."""
    credentials = static(cloud.identity.access_token())
    with firestore_client(cloud.firestore.url, credentials, cloud.project) as client:
        yield client


def eventually(look: Callable[[], T], enough: Callable[[T], bool]) -> T:
    """Look until it is `enough`, or as long as nothing takes; give what was seen last."""
    deadline = time.monotonic() + PATIENCE
    while not enough(found := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def seen(client: Client, event_id: str, least: int = 1) -> list[Any]:
    """Give the deliveries of an event as soon as there are so many."""
    found: list[Any] = eventually(
        lambda: client.invoke(SEEN, {"id": event_id}).value, lambda events: len(events) >= least
    )
    return found


def test_google_cloud_firestore_reads_what_leeward_stored(client: Client, firestore: Any) -> None:
    """Native types where Firestore has them, text where it does not, and one field more."""
    key = new_key()
    client.store_data(ITEMS, {"id": key, **ITEM})
    document = firestore.collection(ITEMS).document(key).get(**ONCE).to_dict()
    assert document.pop("_leeward").keys() == {"w", "t", "d"}
    assert document == {"id": key, **PLAIN}
    record = client.load_data(ITEMS, key)
    assert record is not None
    assert (record.item, record.foreign) == ({"id": key, **ITEM}, False)


def test_leeward_reads_what_google_cloud_firestore_stored(client: Client, firestore: Any) -> None:
    """Such an item is foreign; numbers are int where integral, bytes and moments are themselves."""
    key = new_key()
    document = {"id": key, "n": 3, "x": 1.5, "y": 2.0, "raw": b"\x00", "when": MOMENT}
    firestore.collection(ITEMS).document(key).create(document | {"m": {"l": [1]}}, **ONCE)
    record = client.load_data(ITEMS, key)
    assert record is not None
    assert record.foreign
    assert record.item == document | {"x": Decimal("1.5"), "y": 2, "m": {"l": [1]}}


def test_a_change_by_google_cloud_firestore_is_noticed(client: Client, firestore: Any) -> None:
    """The digest no longer fits, and neither does the revision."""
    key = new_key()
    revision = client.store_data(ITEMS, {"id": key, "ratio": 0.5}).revision
    firestore.collection(ITEMS).document(key).update({"ratio": 0.75}, **ONCE)
    record = client.load_data(ITEMS, key)
    assert record is not None
    assert (record.item["ratio"], record.foreign) == (Decimal("0.75"), True)
    with pytest.raises(Conflict):
        client.store_data(ITEMS, {"id": key, "ratio": 1.0}, if_revision=revision)
    client.store_data(ITEMS, {"id": key, "ratio": 1.0}, if_revision=record.revision)


def test_a_key_of_two_fields_is_one_name(client: Client, firestore: Any) -> None:
    """Both are fields as well, beside an attribute `id` that is the item's own."""
    customer = new_key()
    item = {"customer": customer, "order": "a/b 1", "id": "mine"}
    client.store_data(PAIRS, item)
    document = firestore.collection(PAIRS).document(f"{customer}:a~2fb~201").get(**ONCE).to_dict()
    assert {name: document[name] for name in item} == item
    record = client.load_data(PAIRS, {"customer": customer, "order": "a/b 1"})
    assert record is not None
    assert record.item == item


def test_a_database_with_a_name_is_another(client: Client, cloud: GoogleCloud) -> None:
    """And one that is not there is no absent item."""
    key = new_key()
    with client_of(cloud, cloud.options | {"database": DATABASE}, cloud.env) as other:
        other.store_data(ITEMS, {"id": key})
        assert other.load_data(ITEMS, key) is not None
    assert client.load_data(ITEMS, key) is None
    absent = cloud.options | {"database": "absent"}
    with client_of(cloud, absent, cloud.env) as lost, pytest.raises(NotFound):
        lost.load_data(ITEMS, key)


def test_google_cloud_pubsub_reads_what_leeward_published(
    client: Client, cloud: GoogleCloud
) -> None:
    """The data is the event's, and the attributes are those of CloudEvents."""
    name = cloud.pubsub.subscribe(f"pull-{new_key()}", EVENTS)
    key = new_key()
    event = Event("order.created", {"n": [1, "é"]}, key, "urn:shop", MOMENT, "orders/42", "k")
    client.publish_events(EVENTS, [event]).raise_if_failed()
    with subscriber(cloud.pubsub.url, static(cloud.identity.access_token())) as pubsub:
        (received,) = pubsub.pull(subscription=name, max_messages=10, **ONCE).received_messages
    message = received.message
    assert json.loads(message.data) == {"n": [1, "é"]}
    assert message.ordering_key == "k"
    assert {"ce-id": key, "ce-source": "urn:shop", "ce-type": "order.created"}.items() <= dict(
        message.attributes
    ).items()


def test_an_event_of_google_cloud_pubsub_is_seen_like_ours(
    client: Client, cloud: GoogleCloud
) -> None:
    """Who takes in events cannot tell one from the other."""
    ours, theirs = new_key(), new_key()
    event = Event("order.created", {"n": [1, None]}, ours, "urn:shop", MOMENT, "orders/42")
    client.publish_events(EVENTS, [event]).raise_if_failed()
    attributes = {
        "ce-specversion": "1.0",
        "ce-id": theirs,
        "ce-source": "urn:shop",
        "ce-type": "order.created",
        "ce-time": "2026-01-02T03:04:05.678901Z",
        "ce-subject": "orders/42",
        "content-type": "application/json",
    }
    topic = f"projects/{cloud.project}/topics/{EVENTS}"
    with publisher(cloud.pubsub.url, static(cloud.identity.access_token())) as pubsub:
        message = {"data": b'{"n": [1, null]}', "attributes": attributes}
        pubsub.publish(topic=topic, messages=[message], **ONCE)
    (mine,), (other,) = seen(client, ours), seen(client, theirs)
    assert mine == other | {"id": ours}


def test_a_queued_call_runs_whoever_has_queued_it(client: Client, cloud: GoogleCloud) -> None:
    """The topic has the function's name, and the function finds the payload of either."""
    payload = {"name": new_key()}
    topic = f"projects/{cloud.project}/topics/{COUNT}"
    with publisher(cloud.pubsub.url, static(cloud.identity.access_token())) as pubsub:
        message = {"data": json.dumps(payload).encode()}
        pubsub.publish(topic=topic, messages=[message], **ONCE)
    client.enqueue(COUNT, payload)
    looks = 0

    def runs() -> int:
        nonlocal looks
        looks += 1
        return int(client.invoke(COUNT, payload).value) - looks

    assert eventually(runs, lambda count: count == 2) == 2
