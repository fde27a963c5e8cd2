"""The pipeline on Azure: Event Grid tells a queue, and the host a worker, which is killed."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import pytest

from leeward import Client
from leeward.adapter import Driver, TargetConfig
from leeward.calls import HideMessage, PutMessage, RemoveMessage, TakeMessages
from leeward.errors import Outcome
from leeward_azure.driver import open_driver
from tests.app import dead_letter_app
from tests.pipeline import proof
from tests.servers.azure.azurite import Azurite, AzuriteBlobs, connection_string
from tests.servers.azure.clients import transport_apart
from tests.servers.azure.cloud import make_container
from tests.servers.azure.worker_process import FunctionsWorker, Raised, of_queue
from tests.servers.deploying import deploy

QUEUE = "summarize"
SECONDS = 60.0
"""For a request: azurite looks through all messages for one, and there may be ten thousand."""
HANDLER = """from killing import app as pipeline

function_app = pipeline.handler("azure", dead_letters={"summarize": "summarize-dead"})
"""


def told(name: str, etag: str, size: int, number: int) -> bytes:
    """Return what Event Grid puts into a queue, in the schema of CloudEvents or in its own."""
    data = {
        "api": "PutBlob",
        "eTag": etag,
        "contentLength": size,
        "blobType": "BlockBlob",
        "sequencer": f"{number:032X}",
    }
    subject = f"/blobServices/default/containers/{proof.BUCKET}/blobs/{name}"
    kind, time = "Microsoft.Storage.BlobCreated", "2026-05-01T12:00:00.1234567Z"
    if number % 2:
        event = {"specversion": "1.0", "source": "/acme", "type": kind, "time": time}
    else:
        event = {"topic": "/acme", "eventType": kind, "eventTime": time, "dataVersion": ""}
    return json.dumps({**event, "id": str(number), "subject": subject, "data": data}).encode()


def deliver(driver: Driver, code: Path, environment: dict[str, str]) -> int:
    """Do what the host does with a queue, and lose some ends; return how often the worker died."""
    killed, random = 0, Random(1)
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        worker = stack.enter_context(FunctionsWorker(code, environment))
        function = of_queue(worker)
        while found := list(driver.perform(TakeMessages(QUEUE, 600), SECONDS).value or ()):
            random.shuffle(found)
            for each in found:
                counts[each.id] += 1
                metadata = {"Id": each.id, "DequeueCount": str(counts[each.id])}
                try:
                    worker.by_queue(function, each.body, metadata)
                    if random.random() > 0.2:
                        driver.perform(RemoveMessage(QUEUE, each.receipt, each.id), SECONDS)
                        continue
                except Raised:
                    pass
                except (http.client.HTTPException, OSError):
                    killed += 1
                    worker = stack.enter_context(FunctionsWorker(code, environment))
                again = HideMessage(QUEUE, each.receipt, 0, each.id)
                assert driver.perform(again, SECONDS).outcome is Outcome.OK
    return killed


def made(stack: ExitStack, connection: str) -> None:
    """Make the queues, with Microsoft's client."""
    queue: Any = import_module("azure.storage.queue").QueueClient
    for name in (QUEUE, "summarize-dead"):
        opened = queue.from_connection_string(
            connection, name, retry_total=0, transport=transport_apart()
        )
        stack.enter_context(opened).create_queue()


@pytest.mark.vendors
def test_each_file_becomes_one_summary_however_the_worker_is_killed(tmp_path: Path) -> None:
    """With what Event Grid tells in both of its schemas, some of it twice, and poison given up."""
    memory = tmp_path / "memory"
    proof.remember(memory)
    with ExitStack() as stack:
        queues = stack.enter_context(Azurite("shop"))
        blobs = stack.enter_context(AzuriteBlobs("shop"))
        make_container(blobs, "shop", proof.BUCKET)
        connection = connection_string(queues.url, "shop", blobs.url)
        made(stack, connection)
        options = {"storage_connection_string": connection}
        driver = open_driver(TargetConfig("azure", "azure", None, options, {}))
        environment = {
            "PROVIDER": "azure",
            "MEMORY": str(memory),
            "AzureWebJobsStorage": connection,
        }
        code = deploy(tmp_path / "code", "azure", proof.modules(), "killing")
        (code / "function_app.py").write_text(HANDLER, encoding="utf-8")
        with Client(driver) as cloud:
            versions = proof.let_arrive(cloud, range(proof.FILES))
            for number, (name, etag) in enumerate(versions.items()):
                info = cloud.head_object(proof.BUCKET, name)
                assert info is not None
                for _ in range(1 + (number % 5 == 0)):
                    put = PutMessage(QUEUE, told(name, etag, info.size, number))
                    assert driver.perform(put, SECONDS).outcome is Outcome.OK
            killed = deliver(driver, code, environment)
            proof.check(cloud, memory, versions, proof.FILES)
            letters = dead_letter_app.all_of(driver, "summarize-dead")
    assert set(proof.reasons_in(letters)) == set(proof.poisons(range(proof.FILES)))
    assert killed == len(proof.POINTS)
