"""Every trigger of every cloud: who runs, and what is acknowledged."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from leeward import App, Context, Event
from leeward.app import Message
from leeward_contract_tests.rows import each_row
from tests.app import aws_events, google_events
from tests.app.triggers import (
    NOBODYS,
    PAID,
    SENT,
    Cloud,
    as_attributes,
    in_queue,
    lambda_context,
    notified,
    of_grid,
    s3,
    shop,
)
from tests.azure.test_objects_told import told

pytestmark = pytest.mark.vendors

ALL = [
    ("aws", "bus", ["pay"]),
    ("aws", "bus, of another type", []),
    ("aws", "topic", ["pay"]),
    ("aws", "topic, mapped", ["pay"]),
    ("aws", "topic, of another type", []),
    ("aws", "topic, a message", ["work"]),
    ("aws", "topic, nobody's message", None),
    ("aws", "topic, a test of S3", []),
    ("aws", "queue", ["work"]),
    ("aws", "queue, an event", ["pay"]),
    ("aws", "queue, an event of another type", ["work"]),
    ("aws", "queue, an event of another bus", ["send"]),
    ("aws", "queue, nobody's", None),
    ("aws", "queue, a test of S3", []),
    ("aws", "objects", ["arrive"]),
    ("aws", "objects, mapped", ["arrive"]),
    ("aws", "objects, deleted", []),
    ("aws", "objects, deleted, mapped", []),
    ("aws", "objects, of another prefix", []),
    ("aws", "objects by bus", ["arrive"]),
    ("aws", "objects by bus, mapped", ["arrive"]),
    ("aws", "objects by bus, deleted", []),
    ("aws", "objects by topic", ["arrive"]),
    ("aws", "objects by queue", ["arrive"]),
    ("google", "event", ["pay"]),
    ("google", "event, of another type", []),
    ("google", "topic", ["pay"]),
    ("google", "topic, mapped", ["pay"]),
    ("google", "topic, of another type", []),
    ("google", "topic, mapped, of another type", None),
    ("google", "topic, a message", ["work"]),
    ("google", "topic, nobody's message", None),
    ("google", "push", ["pay"]),
    ("google", "push, a message", ["work"]),
    ("google", "push, of the queue's name", ["pay"]),
    ("google", "unwrapped", ["pay"]),
    ("google", "objects", ["arrive"]),
    ("google", "objects, mapped", ["arrive"]),
    ("google", "objects, deleted", []),
    ("google", "objects, deleted, mapped", []),
    ("google", "objects, of another prefix", []),
    ("google", "objects by topic", ["arrive"]),
    ("google", "objects by topic, mapped", ["arrive"]),
    ("google", "objects by topic, deleted", []),
]
"""Cloud, delivery, and who runs in a deployment for all handlers; None: it comes again."""


@each_row("platform, what, expected", ALL)
def test_a_deployment_for_all_hands_each_delivery_to_who_takes_it(
    platform: str, what: str, expected: list[str] | None
) -> None:
    """By names that the app has, whatever else a bus or bucket is called; an event first."""
    ran: list[str] = []
    put = Cloud(platform, shop(ran)).put(SENT[platform][what](), ran)
    assert put.ran == (expected or [])
    assert put.acknowledged is (expected is not None)


@each_row(
    "platform, own, what, expected",
    [
        ("aws", "work", "topic", []),
        ("aws", "work", "topic, a message", ["work"]),
        ("aws", "work", "queue, an event", ["work"]),
        ("aws", "pay", "topic", ["pay"]),
        ("aws", "pay", "topic, mapped", ["pay"]),
        ("aws", "pay", "topic, of another type", []),
        ("aws", "pay", "bus, of another type", []),
        ("aws", "arrive", "objects, mapped", ["arrive"]),
        ("google", "work", "topic", []),
        ("google", "work", "topic, a message", ["work"]),
        ("google", "pay", "topic", ["pay"]),
        ("google", "pay", "topic, mapped", ["pay"]),
        ("google", "pay", "topic, of another type", []),
        ("google", "arrive", "objects, mapped", ["arrive"]),
        ("azure", "pay", "grid", ["pay"]),
        ("azure", "pay", "grid, of another type", []),
        ("azure", "work", "queue, an event", ["work"]),
    ],
)
def test_a_deployment_for_one_handler_takes_what_is_meant_for_it(
    platform: str, own: str, what: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a bus or bucket is called; a queue's handler takes no event of the bus's topic."""
    monkeypatch.setenv("LEEWARD_FUNCTION", own)
    ran: list[str] = []
    put = Cloud(platform, shop(ran), own).put(SENT[platform][what](), ran)
    assert (put.ran, put.acknowledged) == (expected, True)


@each_row("platform", ["aws", "google", "azure"])
@pytest.mark.parametrize("subscribes", [True, False])
def test_nothing_is_acknowledged_in_silence(
    platform: str, subscribes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For one handler or for all: a handler has run, or it is logged whose it is not."""
    ran: list[str] = []
    app = shop(ran, subscribes=subscribes)
    silent: list[Any] = []
    for own in [*app.handlers, *([] if platform == "azure" else [None])]:
        monkeypatch.setenv("LEEWARD_FUNCTION", own or "")
        cloud = Cloud(platform, app, own)
        for what, make in SENT[platform].items():
            put = cloud.put(make(), ran)
            if put.acknowledged and not put.ran and not put.logged & NOBODYS:
                silent.append((own, what))
            if own is not None and put.ran not in ([], [own]):
                silent.append((own, what, put.ran))
    assert silent == []


def test_a_bus_that_nobody_subscribes_to_is_not_acknowledged() -> None:
    """Of no handler's bus, and of no type that anybody takes: it comes again, with an error."""
    ran: list[str] = []
    app = shop(ran, subscribes=False)
    for platform, delivery in (
        ("aws", aws_events.bus_event(PAID, **{"detail-type": "order.paid"})),
        ("google", google_events.structured(**PAID)),
        ("google", google_events.eventarc(b"{}", as_attributes(PAID), "strange")),
    ):
        put = Cloud(platform, app).put(delivery, ran)
        assert (put.acknowledged, put.ran) == (False, [])
        assert "bus_without_handler" in put.logged


@each_row(
    "platform, delivery, acknowledged",
    [
        ("azure", in_queue({**told(), "eventType": "Microsoft.Storage.BlobTierChanged"}), True),
        ("azure", in_queue({**told(), "eventType": "Microsoft.Resources.ResourceWrite"}), False),
        ("azure", in_queue(PAID), False),
        ("azure", in_queue(b"{}"), False),
        ("azure", of_grid(PAID), False),
        ("aws", aws_events.sqs(("1", json.dumps(PAID)), queue="arrive"), False),
        ("aws", aws_events.bus_event(PAID), False),
        ("google", notified(kind="OBJECT_ARCHIVE"), True),
        ("google", notified(kind="SECRET_ROTATE"), False),
        ("google", google_events.structured(**PAID), False),
    ],
)
def test_a_handler_of_objects_passes_over_its_own_store_alone(
    platform: str, delivery: Any, acknowledged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another service tells is not acknowledged: somebody has to see it."""
    monkeypatch.setenv("LEEWARD_FUNCTION", "arrive")
    app, ran = App("shop"), list[str]()
    app.on_object("inbox", name="arrive")(lambda event: ran.append("arrive"))
    put = Cloud(platform, app, "arrive").put(delivery, ran)
    assert (put.ran, put.acknowledged) == ([], acknowledged)
    assert ("no_object_written" in put.logged) is acknowledged


def test_each_object_of_one_request_is_an_event_of_its_own() -> None:
    """One request deletes several; told again, each has the id that it had; none has no id."""
    app, keys = App("shop"), list[str]()

    @app.on_event("inbox")
    def note(event: Event, context: Context) -> None:
        keys.append(context.idempotency_key)

    (record,) = s3(name="ObjectRemoved:Delete")["Records"]
    item: dict[str, Any] = {"sequencer": "0055", "key": "a" * 1000}
    items = [{**item, "key": f"in/{n}"} for n in range(4)]
    items += [item, {**item, "sequencer": "0056"}, {**item, "versionId": "1"}, {"key": "in/0"}]
    told = [{**record, "s3": {**record["s3"], "object": each}} for each in items]
    told += [{**each, "responseElements": None} for each in told]
    told += [{**told[-1], "eventTime": "2026-02-01T00:00:00Z"}]
    cloud = Cloud("aws", app)
    for each in told * 2:
        assert cloud.put({"Records": [each]}, []).acknowledged
    first, again = keys[: len(told)], keys[len(told) :]
    assert first == again
    assert len(set(first)) == len(told)
    assert not any("None" in key or len(key) > 150 for key in first)
    bare = {"detail-type": "a", "source": "b", "detail": {}}
    for each in (bare, bare, {**bare, "detail": {"n": 1}}):
        assert cloud.put(each, []).acknowledged
    assert keys[-3] == keys[-2] != keys[-1]
    assert "None" not in keys[-1]


def test_an_unwrapped_message_keeps_its_attributes() -> None:
    """All but those that have the very name of a header which every request has."""
    app, given = App("shop"), list[Message]()

    @app.on_message("parcels")
    def send(message: Message) -> None:
        given.append(message)

    names = (
        "accepted-at host-id via-x forwarded-by authorization-id x-forwarded-tenant from".split()
    )
    sent = dict.fromkeys([*names, "x-goog-pubsub-custom", "traceparent"], "value")
    headers = {"Host": "a.run.app", "Accept-Encoding": "gzip", "X-Forwarded-For": "192.0.2.1"}
    posted = google_events.unwrapped("/", b"{}", **sent, **headers, Authorization="Bearer x")
    assert Cloud("google", app, "send").put(posted, []).acknowledged
    assert given[0].attributes == {"content-type": "application/octet-stream", **sent}


def test_a_call_that_looks_like_a_push_is_a_call() -> None:
    """Of a function that takes queued calls, too; what Pub/Sub pushes is one of those."""
    app = App("shop")

    @app.function(queued=True)
    def echo(payload: Any) -> Any:
        return payload

    handler = app.handler("google")
    pushed = {"subscription": "projects/p/subscriptions/s", "message": {"messageId": "1"}}
    table: list[tuple[dict[str, Any], dict[str, str], bool]] = [
        ({"message": "hello", "subscription": "monthly"}, {}, True),
        ({"message": {"messageId": "1"}, "subscription": "monthly"}, {}, True),
        ({**pushed, "message": "hello"}, {}, True),
        ({**pushed, "message": {"text": "hello"}}, {}, True),
        (pushed, {"x-leeward-deadline-ms": "9000"}, True),
        (pushed, {}, False),
    ]
    for payload, headers, is_call in table:
        body = json.dumps(payload).encode()
        request = SimpleNamespace(
            method="POST", path="/echo", headers=headers, get_data=lambda body=body: body
        )
        answer, status, _ = handler(request)
        assert (status, answer) == (
            (200, body.replace(b", ", b",").replace(b": ", b":")) if is_call else (204, b"")
        )


def of_balancer(body: str, **more: Any) -> dict[str, Any]:
    """A request of a load balancer that tells all values of headers, as Lambda gets it."""
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn"}},
        "httpMethod": "POST",
        "path": "/echo",
        "multiValueQueryStringParameters": {},
        "multiValueHeaders": {"Idempotency-Key": ["k-1"], "x-tag": ["a", "b"]},
        "body": body,
        "isBase64Encoded": False,
        **more,
    }


def test_a_balancer_that_tells_all_values_is_heard_and_answered() -> None:
    """Its headers come through, the key among them, and it gets its own form of headers back."""
    app, seen = App("shop"), list[Any]()

    @app.function()
    def echo(payload: Any, context: Context) -> Any:
        seen.append((context.idempotency_key, context.headers["x-tag"]))
        return payload

    handler, context = app.handler("aws"), lambda_context("shop")
    answer = handler(of_balancer("[1]"), context)
    assert seen == [("k-1", "a, b")]
    assert answer["multiValueHeaders"]["x-leeward"] == ["1"]
    once = of_balancer("[1]", multiValueHeaders=None, headers={"x-tag": "a"})
    assert "multiValueHeaders" not in handler(once, context)


@each_row("body", ["a", "====", "AAA", "\u00e9", "A A=", 7])
def test_a_body_that_is_not_base64_is_a_bad_request(body: Any) -> None:
    """As the sender has said that it is; nothing runs."""
    app = App("shop")
    app.function(name="echo")(lambda payload: pytest.fail("it ran"))
    answer = app.handler("aws")(of_balancer(body, isBase64Encoded=True), lambda_context("shop"))
    assert (answer["statusCode"], json.loads(answer["body"])["reason"]) == (400, "bad_input")
