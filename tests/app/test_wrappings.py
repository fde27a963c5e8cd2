"""One message, whichever way and however often it comes, has one key and one digest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeward import App, Client, Context, Event
from leeward.app import Message
from leeward.app.idempotency import KeyReused, idempotent
from leeward.app.idempotency.digests import HEX_DIGITS, digest_of, is_same
from leeward.cloudevents import to_json
from leeward.local import Local
from leeward.local.functions import deliver
from leeward.stores import LeasedRow, Recipient
from leeward.testing import FakeClock
from tests.app import aws_events, google_events
from tests.app.google_events import TRACE, Posted
from tests.app.triggers import Cloud

pytestmark = pytest.mark.vendors

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
NAMES = st.text("abc/-.1", min_size=1, max_size=8)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=20)


class Seen(NamedTuple):
    """By what an idempotent function recognises a call."""

    key: str
    digest: str


def shop(seen: list[Seen]) -> App:
    """Make an app that notes by what its calls are recognised."""
    app = App("shop")

    @app.on_event("orders", "order.paid")
    def pay(event: Event, context: Context) -> None:
        seen.append(Seen(context.idempotency_key, digest_of({"event": event})))

    @app.on_message("orders")
    def work(message: Message, context: Context) -> None:
        seen.append(Seen(context.idempotency_key, digest_of({"message": message})))

    return app


def records(body: str, count: int, attributes: dict[str, str]) -> dict[str, Any]:
    """A batch of SQS with one message."""
    (record,) = aws_events.sqs(("m-1", body), queue="orders")["Records"]
    told = {
        name: {"stringValue": value, "dataType": "String"} for name, value in attributes.items()
    }
    counted = {**record["attributes"], "ApproximateReceiveCount": str(count)}
    return {"Records": [{**record, "attributes": counted, "messageAttributes": told}]}


def notification(body: str, attributes: dict[str, str]) -> dict[str, Any]:
    """A notification of SNS."""
    told = {name: {"Type": "String", "Value": value} for name, value in attributes.items()}
    arn = "arn:aws:sns:us-east-1:123456789012:orders"
    return aws_events.notification(body, TopicArn=arn, MessageAttributes=told)


def of_event(event: Event) -> Iterator[tuple[str, Any]]:
    """Yield the cloud, and one delivery, for each way in which an event comes."""
    document = to_json(event)
    text = json.dumps(document)
    data = event.data if isinstance(event.data, bytes) else json.dumps(event.data).encode()
    kind = "application/octet-stream" if isinstance(event.data, bytes) else "application/json"
    about = {name: value for name, value in document.items() if not name.startswith("data")}
    binary = {f"ce-{name}": str(value) for name, value in about.items()}
    yield "aws", aws_events.bus_event(document, **{"detail-type": event.type})
    yield "aws", {"Records": [{"EventSource": "aws:sns", "Sns": notification(text, {})}]}
    yield "aws", records(text, 3, {})
    yield "aws", records(json.dumps(notification(text, {})), 1, {})
    structured = {"content-type": "application/cloudevents+json"}
    yield "google", Posted("/", structured, text.encode())
    batched = {"content-type": "application/cloudevents-batch+json"}
    yield "google", Posted("/", batched, f"[{text}]".encode())
    yield "google", google_events.push("/", text.encode(), structured)
    yield "google", google_events.push("/", data, {**binary, "content-type": kind})
    yield "google", google_events.unwrapped("/", data, **{**binary, "content-type": kind})
    yield "google", google_events.eventarc(data, {**binary, "content-type": kind})
    extensions = {**event.extensions}
    if "data_base64" in document:
        extensions["data_base64"] = document["data_base64"]
    yield (
        "azure",
        SimpleNamespace(
            specversion="1.0",
            id=event.id,
            source=event.source,
            type=event.type,
            time=event.time,
            subject=event.subject,
            datacontenttype=document.get("datacontenttype"),
            extension_attrs=extensions,
            get_json=lambda: event.data,
        ),
    )
    yield "local", text


def of_message(body: str, key: str, more: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield the same for a message with a key of its sender, and attributes that come and go."""
    attributes = {"idempotency-key": key, **more}
    data = body.encode()
    yield "aws", records(body, 1, attributes)
    yield "aws", records(body, 9, {**attributes, "traceparent": TRACE})
    yield "aws", records(body, 1, {**attributes, "leeward-dead-letter": "{}"})
    yield "aws", {"Records": [{"EventSource": "aws:sns", "Sns": notification(body, attributes)}]}
    yield "google", google_events.push("/", data, attributes)
    yield "google", google_events.push("/", data, {**attributes, "googclient_traceparent": TRACE})
    yield "google", google_events.unwrapped("/", data, **attributes)
    yield "google", google_events.eventarc(data, attributes)
    yield (
        "azure",
        SimpleNamespace(
            message_id="m-1",
            delivery_count=2,
            application_properties=attributes,
            get_body=lambda: data,
        ),
    )
    yield "local", body


def put(seen: list[Seen], deployed: dict[str, Cloud], platform: str, sent: Any, key: str) -> Seen:
    """Deliver something, and return by what it was recognised."""
    seen.clear()
    if platform == "local":
        handler = shop(seen).handlers["pay" if key == "" else "work"]
        given = key or f"{json.loads(sent)['source']}#{json.loads(sent)['id']}"
        row = LeasedRow(7, Recipient("orders", handler.name), given, sent, 2, "lease")
        deliver(handler, row, FakeClock().monotonic() + 10, FakeClock())
    else:
        deployed[platform].put(sent, [])
    (found,) = seen
    return found


@cache
def deployments(own: str) -> tuple[list[Seen], dict[str, Cloud]]:
    """Deploy one handler on each cloud; return what it notes, too."""
    seen: list[Seen] = []
    app = shop(seen)
    found = {each: Cloud(each, app, own) for each in ("aws", "google")}
    buses = {"service_bus": {"orders": "CONNECTION"}}
    return seen, {**found, "azure": Cloud("azure", app, own, **(buses if own == "work" else {}))}


@given(
    id=NAMES,
    source=NAMES,
    data=JSON | st.binary(min_size=1, max_size=5),
    subject=st.none() | TEXT,
    later=st.datetimes(timezones=st.just(UTC)),
)
@settings(max_examples=20, deadline=None)
def test_an_event_is_one_however_it_comes(
    id: str, source: str, data: Any, subject: str | None, later: datetime
) -> None:
    """By each trigger of each cloud; in another trace; published again at another time."""
    seen, deployed = deployments("pay")
    first = Event("order.paid", data, id, source, datetime(2026, 1, 31, tzinfo=UTC))
    again = first._replace(time=later, subject=subject, extensions={"traceparent": TRACE})
    found = {
        put(seen, deployed, platform, sent, "")
        for event in (first, again)
        for platform, sent in of_event(event)
    }
    assert len(found) == 1


@given(body=st.text(st.characters(codec="utf-8"), max_size=20), key=NAMES, more=TEXT)
@settings(max_examples=20, deadline=None)
def test_a_message_is_one_however_it_comes(body: str, key: str, more: str) -> None:
    """Wrapped or not, delivered again, moved back by its queue, in another trace."""
    seen, deployed = deployments("work")
    found = {
        put(seen, deployed, platform, sent, key)
        for attributes in ({}, {"tenant": more})
        for platform, sent in of_message(body, key, attributes)
    }
    assert len(found) == 1


def test_another_payload_has_another_digest() -> None:
    """Each member that says what an event or a message is; and a plain payload has none of it."""
    event, message = Event("t", 1, "i", "s"), Message("q", "i", b"b")
    others = [Event("x", 1, "i", "s"), Event("t", 2, "i", "s"), Event("t", 1, "x", "s")]
    others.append(Event("t", 1, "i", "x"))
    values = [event, *others, message, message._replace(body=b"x"), {"id": "i"}]
    digests = [digest_of({"given": each}) for each in values]
    assert len(set(digests)) == len(values)
    assert [len(each) for each in digests] == [HEX_DIGITS + 2] * 7 + [HEX_DIGITS]


def test_the_records_of_an_earlier_version_hold() -> None:
    """Their digests of events and messages cannot be compared, so their key counts alone."""
    ran: list[str] = []
    with Client(Local()) as cloud:

        @idempotent(table="keys", key="event.id", name="pay", client=cloud)
        def pay(event: Event) -> str:
            ran.append(event.id or "")
            return "paid"

        assert pay(Event("t", 1, "i", "s")) == "paid"
        item = cloud.load_data("keys", "pay:i")
        assert item is not None
        cloud.store_data("keys", {**item.item, "payload": "0" * HEX_DIGITS})
        assert pay(Event("t", 1, "i", "s")) == "paid"
        cloud.store_data("keys", {**item.item, "payload": f"2:{'0' * HEX_DIGITS}"})
        with pytest.raises(KeyReused):
            pay(Event("t", 1, "i", "s"))
    assert ran == ["i"]
    assert is_same("a", "a")
    assert not is_same("a", "b")
