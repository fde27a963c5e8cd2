"""What Event Grid tells of blobs, by itself and through a queue, on Microsoft's own worker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.azure.test_runtime import CANARY, Deployed, code
from tests.servers.azure.worker_process import FunctionsWorker, Raised

TOPIC = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/acme"
SEQUENCER = "00000000000000EB000000000046199A"
DATA: dict[str, Any] = {
    "api": "PutBlockList",
    "clientRequestId": "c",
    "requestId": "r",
    "eTag": "0x8D4BCC2E4835CD0",
    "contentType": "text/plain",
    "contentLength": 3,
    "blobType": "BlockBlob",
    "url": "https://acme.blob.core.windows.net/inbox/in/a%20b+c/%C3%A9.txt",
    "sequencer": SEQUENCER,
    "storageDiagnostics": {"batchId": "b"},
    "unknown": None,
}


def told(key: str = "in/a b+c/é.txt", container: str = "inbox", **data: Any) -> dict[str, Any]:
    """An event in the schema of Event Grid; a name stands in the subject as it is."""
    return {
        "topic": TOPIC,
        "subject": f"/blobServices/default/containers/{container}/blobs/{key}",
        "eventType": "Microsoft.Storage.BlobCreated",
        "id": "831e1650-001e-001b-66ab-eeb76e069631",
        "data": {**DATA, **data},
        "dataVersion": "",
        "metadataVersion": "1",
        "eventTime": "2026-01-31T12:00:00.1234567Z",
    }


def as_cloud_event(event: dict[str, Any]) -> dict[str, Any]:
    """The same as a CloudEvent, as Event Grid writes it."""
    return {
        "specversion": "1.0",
        "source": event["topic"],
        "subject": event["subject"],
        "type": event["eventType"],
        "time": event["eventTime"],
        "id": event["id"],
        "data": event["data"],
    }


@pytest.fixture(scope="module", params=["library", "runtime"])
def function(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Deployed]:
    """Deploy the app on the worker of the tests' host, and on Microsoft's own."""
    made: Path = code(tmp_path_factory.mktemp("azure") / "code")
    with FunctionsWorker(made, {}, runtime=request.param == "runtime") as worker:
        yield Deployed(worker)


def send(function: Deployed, name: str, event: dict[str, Any]) -> None:
    """Deliver an event as the trigger of a function wants it."""
    if function.functions[name].kind == "queueTrigger":
        function.queue(name, json.dumps(event).encode())
    else:
        function.event(name, event)


def test_blobs_reach_their_handler_in_both_schemas(function: Deployed) -> None:
    """By a queue of the handler's name, or by Event Grid itself; with one key whatever the way."""
    version = "0x8D4BCC2E4835CD0"
    plain, quoted = told(), told(eTag=f'"{version}"')
    for event in (plain, quoted, as_cloud_event(plain)):
        send(function, "arrive", event)
        send(function, "arrive-directly", event)
    by_queue = ["inbox", "in/a b+c/é.txt", version, 3, version, SEQUENCER, version]
    directly = ["direct", "in/a b+c/é.txt", version]
    found = function.seen()
    assert [each[:4] for each in found] == [
        ["arrive", by_queue, f"inbox/in/a b+c/é.txt#{version}", 2],
        ["arrive-directly", directly, f"direct/in/a b+c/é.txt#{version}", None],
    ] * 3
    queue = function.functions["arrive"].trigger
    assert (queue["queueName"], queue["connection"]) == ("arrive", "AzureWebJobsStorage")
    assert function.functions["arrive-directly"].kind == "eventGridTrigger"


def test_what_is_no_new_blob_is_done_without_running(function: Deployed) -> None:
    """Deletions, files of an account with folders that are made empty, other keys."""
    deleted = {**told(), "eventType": "Microsoft.Storage.BlobDeleted"}
    for event in (deleted, told(api="CreateFile"), told(api="SftpCreate")):
        for name in ("arrive", "arrive-directly"):
            send(function, name, event)
            send(function, name, as_cloud_event(event))
    send(function, "arrive", told("out/a.txt"))
    assert function.seen() == []
    send(function, "arrive", told("in/blobs/a", api="FlushWithClose"))
    assert [each[1][1] for each in function.seen()] == ["in/blobs/a"]


def test_an_event_that_makes_no_sense_is_refused(function: Deployed) -> None:
    """It comes again, as the host has it, until it is poison; nothing of it is told."""
    broken: list[Any] = [
        told(eTag=None),
        told(eTag='""'),
        told("in/\ufffd\ufffd.txt"),
        {**told(), "subject": CANARY},
        {**told(), "data": CANARY},
        [CANARY],
        {"specversion": "1.0", "id": CANARY},
    ]
    for event in broken:
        with pytest.raises(Raised) as raised:
            function.queue("arrive", json.dumps(event).encode())
        assert CANARY not in str(raised.value)
    with pytest.raises(Raised):
        function.queue("arrive", b"canary-8e03")
    with pytest.raises(Raised):
        send(function, "arrive", told("in/fail"))
    assert [each[1][1] for each in function.seen()] == ["in/fail"]
