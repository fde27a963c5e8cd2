"""What Cloud Storage tells of objects, by Pub/Sub and Eventarc, through the functions-framework."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.app import google_events as events
from tests.app.google_events import Posted
from tests.google.test_runtime import CANARY, Deployed
from tests.house.workspace import ROOT
from tests.servers.deploying import deploy
from tests.servers.google.framework import FunctionsFramework

GENERATION = "1769860800123456"
KEY = "in/a b+c/é.txt"
RESOURCE: dict[str, Any] = {
    "kind": "storage#object",
    "id": f"inbox/{KEY}/{GENERATION}",
    "name": KEY,
    "bucket": "inbox",
    "generation": GENERATION,
    "metageneration": "1",
    "contentType": "text/plain",
    "timeCreated": "2026-01-31T12:00:00.123Z",
    "size": "3",
    "md5Hash": "x",
    "etag": "CICAgICA",
    "unknown": None,
}


def attributes(kind: str = "OBJECT_FINALIZE", **more: str) -> dict[str, str]:
    """The attributes of a notification."""
    return {
        "notificationConfig": "projects/_/buckets/inbox/notificationConfigs/1",
        "eventType": kind,
        "payloadFormat": "JSON_API_V1",
        "bucketId": "inbox",
        "objectId": KEY,
        "objectGeneration": GENERATION,
        "eventTime": "2026-01-31T12:00:00.123456Z",
        **more,
    }


def told(**resource: Any) -> bytes:
    """The body of a notification: the object's own description."""
    return json.dumps({**RESOURCE, **resource}).encode()


def finalized(path: str = "/", **resource: Any) -> Posted:
    """An event of Cloud Storage itself, through Eventarc."""
    return events.binary(
        path,
        told(**resource),
        type="google.cloud.storage.object.v1.finalized",
        source="//storage.googleapis.com/projects/_/buckets/inbox",
        subject=f"objects/{resource.get('name', 'x')}",
    )


def unwrapped(path: str) -> Posted:
    """A notification that is pushed unwrapped: its attributes have become headers."""
    named = attributes(objectId="in/?")  # headers have no place for what is not ASCII
    named["x-goog-pubsub-subscription-name"] = "projects/demo/subscriptions/of-a-bucket"
    return events.unwrapped(path, told(), **named)


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Deploy the app once, for all of its handlers."""
    every = (ROOT / "tests/app/deployed/every.py").read_text(encoding="utf-8")
    code = deploy(
        tmp_path_factory.mktemp("google") / "code", "google", {"every.py": every}, "every"
    )
    with FunctionsFramework(code, environment={"CLOUD_RUN_TIMEOUT_SECONDS": "30"}) as opened:
        yield Deployed(opened)


@pytest.fixture(autouse=True)
def nothing_left(function: Deployed) -> None:
    """Forget what other tests have left."""
    function.seen()


def test_objects_reach_their_handler_by_every_way(function: Deployed) -> None:
    """Pushed wrapped and unwrapped, with and without a body, through Eventarc in both its forms."""
    for path in ("/", "/arrive"):
        table = [
            (events.push(path, told(), attributes(), deliveryAttempt=2), 2, 3),
            (unwrapped(path), 4, 3),
            (events.push(path, b"", attributes(payloadFormat="NONE")), None, None),
            (events.eventarc(told(), attributes(), topic="of-a-bucket"), None, 3),
            (finalized(path), None, 3),
        ]
        for posted, attempt, size in table:
            assert function.send(posted).status == 204
            ((name, (*found, revision), key, count, *_),) = function.seen()
            etag = None if size is None else "CICAgICA"
            assert found == ["inbox", KEY, GENERATION, size, etag, GENERATION.zfill(20)], posted
            assert (name, key, count) == ("arrive", f"inbox/{KEY}#{GENERATION}", attempt)
            assert revision == GENERATION
    assert function.send(finalized("/arrive-directly")).status == 204
    assert [each[1] for each in function.seen()] == [["direct", KEY, GENERATION]]


def test_the_end_of_an_overwritten_object_is_done_without_running(function: Deployed) -> None:
    """An overwrite tells of both; so do other keys, and changes of what is known of an object."""
    ends = attributes("OBJECT_DELETE", overwrittenByGeneration="9")
    others = [
        events.push("/arrive", told(), ends),
        events.push("/arrive", told(), attributes("OBJECT_ARCHIVE")),
        events.push("/arrive", told(), attributes("OBJECT_METADATA_UPDATE")),
        events.push("/arrive", told(name="out/a"), attributes(objectId="out/a")),
        events.push("/", told(name="out/a"), attributes(objectId="out/a")),
        events.binary("/arrive", told(), type="google.cloud.storage.object.v1.deleted"),
    ]
    for posted in others:
        assert function.send(posted).status == 204
    assert function.seen() == []


def test_a_failure_comes_again_and_what_makes_no_sense_is_refused(function: Deployed) -> None:
    """By a status; nothing of it is told."""
    table = [
        (events.push("/arrive", told(name="in/fail"), attributes()), 503),
        (events.push("/", told(name="in/fail"), attributes()), 503),
        (finalized("/", name="in/fail"), 503),
        (events.push("/arrive", told(generation=CANARY), attributes()), 400),
        (events.push("/arrive", CANARY.encode(), {}), 400),
        (finalized("/arrive", name=None), 400),
        (events.call("/arrive", {CANARY: 1}), 400),
    ]
    for posted, status in table:
        answer = function.send(posted)
        assert answer.status == status
        assert CANARY.encode() not in answer.body
    assert [each[1][1] for each in function.seen()] == ["in/fail"] * 3
