"""Requests as Google Cloud delivers things to a function, made after its documentation.

Each is a path, headers and a body; each has something that the pages do not name.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/shop",
    "type": "order.created",
    "time": "2026-01-31T12:00:00Z",
    "subject": "42",
    "traceparent": TRACE,
}
"""The attributes of an event; its data goes beside them."""

DATA: dict[str, Any] = {"id": "42"}


class Posted(NamedTuple):
    """A request with POST."""

    path: str
    headers: Mapping[str, str]
    body: bytes


def call(path: str, payload: Any, **headers: str) -> Posted:
    """A call of a function over HTTP."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Posted(path, {"Content-Type": "application/json", **named}, json.dumps(payload).encode())


def binary(path: str = "/", data: bytes | None = None, **attributes: str) -> Posted:
    """A CloudEvent in the binary form, with headers in odd case, values percent-encoded."""
    headers = {f"Ce-{name.title()}": value for name, value in {**EVENT, **attributes}.items()}
    body = json.dumps(DATA).encode() if data is None else data
    return Posted(path, {"Content-Type": "application/json; charset=utf-8", **headers}, body)


def structured(path: str = "/", **attributes: Any) -> Posted:
    """A CloudEvent in the structured form."""
    document = {**EVENT, "datacontenttype": "application/json", "data": DATA, **attributes}
    kind = "application/cloudevents+json; charset=utf-8"
    return Posted(path, {"Content-Type": kind}, json.dumps(document).encode())


def batched(*subjects: str) -> Posted:
    """CloudEvents in the batched form."""
    documents = [{**EVENT, "subject": each, "data": DATA} for each in subjects]
    kind = "application/cloudevents-batch+json"
    return Posted("/", {"Content-Type": kind}, json.dumps(documents).encode())


def message(data: bytes, attributes: Any, **more: Any) -> dict[str, Any]:
    """A message of Pub/Sub in a push: both spellings of its names, as Pub/Sub sends them."""
    return {
        "attributes": attributes,
        "data": b64encode(data).decode(),
        "messageId": "m-1",
        "message_id": "m-1",
        "publishTime": "2026-01-31T12:00:00Z",
        "publish_time": "2026-01-31T12:00:00Z",
        **more,
    }


def push(path: str, data: bytes, attributes: Any = None, **more: Any) -> Posted:
    """A push of a wrapped message; `deliveryAttempt` comes with a dead-letter policy only."""
    document = {
        "message": message(data, attributes),
        "subscription": "projects/demo/subscriptions/sub-1",
        "unknown": 1,
        **more,
    }
    headers = {"Content-Type": "application/json", "Authorization": "Bearer canary-8e03"}
    return Posted(path, headers, json.dumps(document).encode())


def unwrapped(path: str, data: bytes, **attributes: str) -> Posted:
    """A push of an unwrapped message with its metadata: attributes have become headers."""
    headers = {
        "content-type": "application/octet-stream",
        "x-goog-pubsub-message-id": "m-1",
        "x-goog-pubsub-subscription-name": "projects/demo/subscriptions/parcels",
        "x-goog-pubsub-publish-time": "2026-01-31T12:00:00Z",
        "x-goog-pubsub-delivery-attempt": "4",
    }
    return Posted(path, {**headers, **attributes}, data)


def eventarc(data: bytes, attributes: Any, topic: str = "orders", **more: Any) -> Posted:
    """A message of Pub/Sub through Eventarc: an event in the binary form around a push."""
    subscription = "projects/demo/subscriptions/eventarc-us-central1-x-sub-001"
    body = {"message": message(data, attributes), "subscription": subscription, **more}
    return binary(
        data=json.dumps(body).encode(),
        id="m-1",
        type="google.cloud.pubsub.topic.v1.messagePublished",
        source=f"//pubsub.googleapis.com/projects/demo/topics/{topic}",
    )


def stored_object(name: str) -> Posted:
    """What Eventarc sends of an object in Cloud Storage."""
    return binary(
        data=json.dumps({"bucket": "objects", "name": name}).encode(),
        type="google.cloud.storage.object.v1.finalized",
        source="//storage.googleapis.com/projects/_/buckets/objects",
        subject=f"objects/{name}",
    )


def job(path: str, name: str) -> Posted:
    """A job of Cloud Scheduler; its type of content is this one unless it is set."""
    headers = {
        "User-Agent": "Google-Cloud-Scheduler",
        "Content-Type": "application/octet-stream",
        "X-CloudScheduler": "true",
        "X-CloudScheduler-JobName": name,
        "X-CloudScheduler-ScheduleTime": "2026-01-31T12:05:00Z",
    }
    return Posted(path, headers, b"")


def as_attributes(**more: str) -> dict[str, str]:
    """The attributes of a message that leeward publishes for an event, as they are."""
    named = {f"ce-{name}": value for name, value in EVENT.items()}
    return {**named, "content-type": "application/json", **more}
