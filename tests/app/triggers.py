"""Deliveries of every trigger of three clouds, put to an app in this process.

A deployment is for one handler or for all; a bus, a topic or a bucket has the name that the app
gives it, or the one that configuration maps it to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, NamedTuple

from leeward import App, Event
from leeward.app import Context, Message, ObjectEvent
from leeward.testing import recorded_logs
from tests.app import aws_events, google_events
from tests.app.google_events import Posted
from tests.azure.test_objects_told import as_cloud_event, told

PAID: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/shop",
    "type": "order.paid",
    "datacontenttype": "application/json",
    "data": {"id": "42"},
}
"""An event that `pay` takes."""

NOBODYS = {"event_without_handler", "object_without_handler", "no_object_written"}
"""What is logged of a delivery that the page says is nobody's."""


class Put(NamedTuple):
    """What came of a delivery.

    Attributes:
        ran: the handlers that ran, in order.
        acknowledged: it does not come again.
        logged: names of events of the log.
    """

    ran: list[str]
    acknowledged: bool
    logged: set[str]


def shop(ran: list[str], *, subscribes: bool = True) -> App:
    """Make an app whose bus and queue share a name, and which has one bucket."""
    app = App("shop")

    if subscribes:

        @app.on_event("orders", "order.paid")
        def pay(event: Event, context: Context) -> None:
            ran.append("pay")

    @app.on_message("orders")
    def work(message: Message, context: Context) -> None:
        ran.append("work")

    @app.on_message("parcels")
    def send(message: Message, context: Context) -> None:
        ran.append("send")

    @app.on_object("inbox", prefix="in/")
    def arrive(event: ObjectEvent, context: Context) -> None:
        ran.append("arrive")

    return app


class Cloud:
    """An app on one cloud, for all of its handlers or for one of them."""

    def __init__(self, platform: str, app: App, own: str | None = None, **options: Any) -> None:
        self._handler = app.handler(platform, **options)
        self._send = {"aws": self._lambda, "google": self._run, "azure": self._function}[platform]
        self._own = own
        self._functions = {
            each.get_function_name(): each.get_user_function()
            for each in (self._handler.get_functions() if platform == "azure" else ())
        }

    def put(self, delivery: Any, ran: list[str]) -> Put:
        """Deliver something, and see what comes of it."""
        ran.clear()
        acknowledged = False
        with recorded_logs() as logs, suppress(Exception):
            acknowledged = self._send(delivery)
        return Put(list(ran), acknowledged, {each.event for each in logs})

    def _lambda(self, event: Any) -> bool:
        answer = self._handler(event, lambda_context(self._own or "shop"))
        return not (answer or {}).get("batchItemFailures")

    def _run(self, posted: Posted) -> bool:
        path = posted.path if self._own is None else f"/{self._own}"
        request = SimpleNamespace(
            method="POST", path=path, headers=posted.headers, get_data=lambda: posted.body
        )
        _, status, _ = self._handler(request)
        return bool(status < 300)

    def _function(self, given: Any) -> bool:
        self._functions[self._own](given, SimpleNamespace(invocation_id="run"))
        return True


def lambda_context(function: str) -> Any:
    """The context of an invocation of Lambda, of which no client of leeward knows."""
    return SimpleNamespace(
        aws_request_id="run",
        function_name=function,
        client_context=None,
        get_remaining_time_in_millis=lambda: 10_000,
    )


def sns(message: str, topic: str = "orders", attributes: Any = None) -> dict[str, Any]:
    """A notification of a topic, for Lambda."""
    arn = f"arn:aws:sns:us-east-1:123456789012:{topic}"
    return aws_events.sns(message, TopicArn=arn, MessageAttributes=attributes)


def s3(bucket: str = "inbox", name: str = "ObjectCreated:Put", key: str = "in/a") -> dict[str, Any]:
    """A notification of S3."""
    record = aws_events.arrival(key)
    record["s3"]["bucket"]["name"] = bucket
    return {"Records": [{**record, "eventName": name}]}


def on_bus(bucket: str = "inbox", kind: str = "Object Created") -> dict[str, Any]:
    """What S3 tells EventBridge."""
    found = aws_events.on_bus(kind, key="in/a")
    found["detail"]["bucket"]["name"] = bucket
    return found


def stored(bucket: str = "inbox", kind: str = "finalized", name: str = "in/a") -> Posted:
    """What Eventarc tells of an object."""
    about = {"bucket": bucket, "name": name, "generation": "7", "size": "3"}
    return google_events.binary(
        data=json.dumps(about).encode(),
        type=f"google.cloud.storage.object.v1.{kind}",
        source=f"//storage.googleapis.com/projects/_/buckets/{bucket}",
    )


def notified(bucket: str = "inbox", kind: str = "OBJECT_FINALIZE") -> Posted:
    """What Cloud Storage tells Pub/Sub of an object."""
    attributes = {
        "eventType": kind,
        "bucketId": bucket,
        "objectId": "in/a",
        "objectGeneration": "7",
    }
    return google_events.push("/", b"", attributes)


def as_attributes(event: Mapping[str, Any]) -> dict[str, str]:
    """The attributes of a message of Pub/Sub that is an event."""
    known = {f"ce-{name}": value for name, value in event.items() if isinstance(value, str)}
    return {**known, "content-type": "application/json"}


def of_grid(event: Mapping[str, Any]) -> Any:
    """An event as Microsoft's library hands it over, in the one schema or the other."""
    if "specversion" not in event:
        return SimpleNamespace(
            event_type=event["eventType"],
            get_json=lambda: event["data"],
            id=event["id"],
            topic=event["topic"],
            event_time=None,
            subject=event["subject"],
        )
    return SimpleNamespace(
        specversion="1.0",
        id=event["id"],
        source=event["source"],
        type=event["type"],
        time=None,
        subject=event.get("subject"),
        datacontenttype="application/json",
        extension_attrs={},
        get_json=lambda: event["data"],
    )


def in_queue(event: Mapping[str, Any] | bytes) -> Any:
    """A message of a Storage queue."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    return SimpleNamespace(id="m-1", dequeue_count=1, get_body=lambda: body)


GONE = {**PAID, "type": "order.gone"}
TEXT = json.dumps(PAID)
DATA = json.dumps(PAID["data"]).encode()

SENT: Mapping[str, Mapping[str, Callable[[], Any]]] = {
    "aws": {
        "bus": lambda: aws_events.bus_event(PAID, **{"detail-type": "order.paid"}),
        "bus, of another type": lambda: aws_events.bus_event(GONE, **{"detail-type": "order.gone"}),
        "topic": lambda: sns(TEXT),
        "topic, mapped": lambda: sns(TEXT, "orders-topic"),
        "topic, of another type": lambda: sns(json.dumps(GONE)),
        "topic, a message": lambda: sns('{"n": 1}'),
        "topic, nobody's message": lambda: sns('{"n": 1}', "strange"),
        "topic, a test of S3": lambda: sns(json.dumps(aws_events.TEST_OF_S3), "told"),
        "queue": lambda: aws_events.sqs(("1", '{"n": 1}'), queue="orders"),
        "queue, an event": lambda: aws_events.sqs(("1", TEXT), queue="orders"),
        "queue, an event of another type": lambda: aws_events.sqs(
            ("1", json.dumps(GONE)), queue="orders"
        ),
        "queue, an event of another bus": lambda: aws_events.sqs(("1", TEXT), queue="parcels"),
        "queue, nobody's": lambda: aws_events.sqs(("1", '{"n": 1}'), queue="strange"),
        "queue, a test of S3": lambda: aws_events.sqs(
            ("1", json.dumps(aws_events.TEST_OF_S3)), queue="arrive"
        ),
        "objects": s3,
        "objects, mapped": lambda: s3("acme-inbox"),
        "objects, deleted": lambda: s3(name="ObjectRemoved:Delete"),
        "objects, deleted, mapped": lambda: s3("acme-inbox", name="ObjectRemoved:Delete"),
        "objects, of another prefix": lambda: s3(key="out/a"),
        "objects by bus": on_bus,
        "objects by bus, mapped": lambda: on_bus("acme-inbox"),
        "objects by bus, deleted": lambda: on_bus(kind="Object Deleted"),
        "objects by topic": lambda: sns(json.dumps(s3()), "told"),
        "objects by queue": lambda: aws_events.sqs(("1", json.dumps(s3())), queue="arrive"),
    },
    "google": {
        "event": lambda: google_events.structured(**PAID),
        "event, of another type": lambda: google_events.structured(**GONE),
        "topic": lambda: google_events.eventarc(DATA, as_attributes(PAID)),
        "topic, mapped": lambda: google_events.eventarc(DATA, as_attributes(PAID), "orders-topic"),
        "topic, of another type": lambda: google_events.eventarc(DATA, as_attributes(GONE)),
        "topic, mapped, of another type": lambda: google_events.eventarc(
            DATA, as_attributes(GONE), "orders-topic"
        ),
        "topic, a message": lambda: google_events.eventarc(b'{"n": 1}', None),
        "topic, nobody's message": lambda: google_events.eventarc(b'{"n": 1}', None, "strange"),
        "push": lambda: google_events.push("/", DATA, as_attributes(PAID)),
        "push, a message": lambda: google_events.push(
            "/", b"{}", None, subscription="projects/p/subscriptions/orders"
        ),
        "push, of the queue's name": lambda: google_events.push(
            "/", DATA, as_attributes(PAID), subscription="projects/p/subscriptions/orders"
        ),
        "unwrapped": lambda: google_events.unwrapped(
            "/", DATA, **as_attributes(PAID), **{"x-goog-pubsub-subscription-name": "sub-1"}
        ),
        "objects": stored,
        "objects, mapped": lambda: stored("acme-inbox"),
        "objects, deleted": lambda: stored(kind="deleted"),
        "objects, deleted, mapped": lambda: stored("acme-inbox", "deleted"),
        "objects, of another prefix": lambda: stored(name="out/a"),
        "objects by topic": notified,
        "objects by topic, mapped": lambda: notified("acme-inbox"),
        "objects by topic, deleted": lambda: notified(kind="OBJECT_DELETE"),
    },
    "azure": {
        "grid": lambda: of_grid(PAID),
        "grid, of another type": lambda: of_grid(GONE),
        "grid, objects": lambda: of_grid(told("in/a")),
        "queue": lambda: in_queue(b'{"n": 1}'),
        "queue, an event": lambda: in_queue(PAID),
        "queue, objects": lambda: in_queue(told("in/a")),
        "queue, objects, as CloudEvents": lambda: in_queue(as_cloud_event(told("in/a"))),
        "queue, objects, deleted": lambda: in_queue(
            {**told("in/a"), "eventType": "Microsoft.Storage.BlobDeleted"}
        ),
        "queue, objects, of another prefix": lambda: in_queue(told("out/a")),
    },
}
"""What is delivered, by cloud."""
