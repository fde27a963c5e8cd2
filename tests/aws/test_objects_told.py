"""What S3 tells of objects, in every way that it goes, through AWS's own runtime client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.app import aws_events as events
from tests.house.workspace import ROOT
from tests.servers.aws.direct import DirectLambda
from tests.servers.deploying import deploy

CANARY = "canary-8e03"
NONE: dict[str, Any] = {"batchItemFailures": []}


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectLambda]:
    """Deploy the app once; the name of the function is given with each invocation."""
    every = (ROOT / "tests/app/deployed/every.py").read_text(encoding="utf-8")
    code = deploy(tmp_path_factory.mktemp("aws") / "code", "aws", {"every.py": every}, "every")
    with DirectLambda(code) as opened:
        yield opened


@pytest.fixture(autouse=True)
def nothing_left(function: DirectLambda) -> None:
    """Forget what other tests have left."""
    seen(function)


def seen(function: DirectLambda) -> Any:
    """Return what handlers were given since the last look."""
    return function.invoke({}, function="seen").value


SEQUENCE = "0055AED6DCD90281E5".zfill(40)
ARRIVED = ["inbox", "in/a b+c/é.txt", "d41d8cd9.0055AED6DCD90281E5", 3, "d41d8cd9", SEQUENCE]
ARRIVED_KEY = "inbox/in/a b+c/é.txt#d41d8cd9.0055AED6DCD90281E5"


def records(*found: Any) -> str:
    """Return the text of a notification of S3."""
    return json.dumps({"Records": found})


def test_objects_reach_their_handler_by_every_way(function: DirectLambda) -> None:
    """Directly, through a queue, a topic and a topic's queue, by EventBridge and its queue."""
    told = records(events.arrival())
    batch = events.sqs(("a", told), queue="of-a-bucket")
    by_topic = events.notification(told)
    for name in ("shop", "arrive"):
        assert function.invoke(json.loads(told), function=name).value is None
        assert function.invoke(batch, function=name).value == NONE
        assert function.invoke(events.sns(told), function=name).value is None
        through = events.sqs(("a", json.dumps(by_topic)), queue="of-a-topic")
        assert function.invoke(through, function=name).value == NONE
    own = ["arrive", [*ARRIVED, '"d41d8cd9"'], ARRIVED_KEY]
    found = seen(function)
    assert [each[:3] for each in found] == [own] * 8
    assert [each[3] for each in found] == [None, 2] * 4
    for name in ("shop", "arrive"):
        assert function.invoke(events.on_bus(), function=name).value is None
        text = json.dumps(events.on_bus(**{"version-id": "v1"}))
        assert function.invoke(events.sqs(("a", text), queue="q"), function=name).value == NONE
    found = [each[1] for each in seen(function)]
    assert [(each[1], each[2]) for each in found] == [
        ("in/a b+c/é.txt", "d41d8cd9.0055AED6DCD9"),
        ("in/a b+c/é.txt", "v1"),
    ] * 2
    assert function.invoke(json.loads(told), function="arrive-directly").value is None
    ((_, (bucket, key, _), *_),) = seen(function)
    assert (bucket, key) == ("direct", "in/a b+c/é.txt")  # a deployment for one knows its own name


def test_what_is_no_new_object_is_done_without_running(function: DirectLambda) -> None:
    """A notification that is tried out, deletions, and keys that begin otherwise."""
    deleted = {**events.arrival(), "eventName": "ObjectRemoved:Delete"}
    bodies = [
        json.dumps(events.TEST_OF_S3),
        records(deleted),
        json.dumps(events.on_bus("Object Deleted")),
        records(events.arrival("out/a.txt")),
    ]
    for name in ("arrive", "arrive-directly"):
        for body in bodies[:3] if name == "arrive-directly" else bodies:
            assert function.invoke(events.sqs(("a", body)), function=name).value == NONE
            assert function.invoke(json.loads(body), function=name).value is None
    assert function.invoke(events.sqs(("a", bodies[3]), queue="q"), function="shop").value == NONE
    assert seen(function) == []


def test_a_message_may_tell_of_several_objects(function: DirectLambda) -> None:
    """All of them are handled, with their own keys, whatever fails; a message fails by its id."""
    good, bad = events.arrival("in/1"), events.arrival("in/fail")
    again = events.arrival("in/1", versionId="null", sequencer="F")
    batch = events.sqs(("a", records(bad, good, again)), ("b", records(good)), ("c", "{"))
    found = function.invoke(batch, function="arrive").value
    failed = [each["itemIdentifier"] for each in found["batchItemFailures"]]
    assert failed == ["a", "c"]
    assert [each[2] for each in seen(function)] == [
        "inbox/in/fail#d41d8cd9.0055AED6DCD90281E5",
        "inbox/in/1#d41d8cd9.0055AED6DCD90281E5",
        "inbox/in/1#d41d8cd9.F",
        "inbox/in/1#d41d8cd9.0055AED6DCD90281E5",
    ]
    final = events.arrival("in/poison")
    raised = function.invoke(json.loads(records(final, bad, good)), function="shop")
    assert (raised.error or {})["errorType"] == "ValueError"  # that may go well the next time
    assert len(seen(function)) == 3


def test_a_notification_that_makes_no_sense_is_refused(function: DirectLambda) -> None:
    """By its place; nothing of it goes along."""
    broken = [
        records({**events.arrival(), "s3": CANARY}),
        records(events.arrival(eTag=None, sequencer=None)),
        records(events.arrival(None)),  # type: ignore[arg-type]
        json.dumps({**events.on_bus(), "detail": CANARY}),
        json.dumps({CANARY: 1}),
    ]
    for text in broken:
        found = function.invoke(json.loads(text), function="arrive")
        assert (found.error or {})["errorType"] == "InvalidInput"
        assert CANARY not in found.posted
        answer = function.invoke(events.sqs(("a", text)), function="arrive").value
        assert answer == {"batchItemFailures": [{"itemIdentifier": "a"}]}
    assert seen(function) == []


def test_a_record_without_an_object_fails_its_own_message_alone(function: DirectLambda) -> None:
    """In a deployment for all handlers, which looks for events in it, too."""
    odd: list[Any] = [CANARY, None, [], {"bucket": CANARY, "object": CANARY}]
    for strange in odd:
        broken = records({**events.arrival(), "s3": strange})
        batch = events.sqs(("a", broken), ("b", records(events.arrival())), queue="of-a-bucket")
        answer = function.invoke(batch, function="shop").value
        assert answer == {"batchItemFailures": [{"itemIdentifier": "a"}]}, strange
        found = function.invoke(json.loads(broken), function="shop")
        assert (found.error or {})["errorType"] == "InvalidInput"
        assert CANARY not in found.posted
    assert len(seen(function)) == 4
    for name in ("shop", "arrive"):
        text = records(events.arrival(), CANARY)
        batch = events.sqs(("a", text), ("b", records(events.arrival())), queue="of-a-bucket")
        answer = function.invoke(batch, function=name).value
        assert answer == {"batchItemFailures": [{"itemIdentifier": "a"}]}, name
        by_topic = {**events.notification(records(events.arrival())), "MessageAttributes": CANARY}
        batch = events.sqs(("a", json.dumps(by_topic)), queue="of-a-topic")
        assert function.invoke(batch, function=name).value == NONE
    assert len(seen(function)) == 4
