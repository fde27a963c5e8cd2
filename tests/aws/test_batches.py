"""Hundreds of messages through SQS and Lambda's own runtime, which is killed on the way."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.servers.aws.clients import client
from tests.servers.aws.direct import DirectLambda, Ended
from tests.servers.aws.ministack import Ministack
from tests.servers.deploying import deploy

MESSAGES = 300
RECEIVES = 3
"""After so many a message goes to the dead-letter queue."""

APP = """
import os
import sqlite3

from leeward import App, Context
from leeward.app import Problem

app = App("shop")


@app.warm
def memory():
    opened = sqlite3.connect(os.environ["MEMORY"], isolation_level=None)
    opened.execute("CREATE TABLE IF NOT EXISTS begun (n INTEGER, done INTEGER)")
    return opened


@app.on_message("parcels")
def send(parcel: dict, context: Context) -> None:
    n = parcel["n"]
    (times,) = memory().execute("SELECT count(*) FROM begun WHERE n = ?", (n,)).fetchone()
    memory().execute("INSERT INTO begun VALUES (?, 0)", (n,))
    if n == 125 and times == 0:
        os.kill(os.getpid(), 9)
    if n % 50 == 1:
        raise Problem("never", reason="broken")
    if n % 10 == 2 and times == 0:
        raise ConnectionError("not now")
    memory().execute("INSERT INTO begun VALUES (?, 1)", (n,))
"""


class Mapping:
    """What Lambda does with a queue: it fetches batches, and deletes what has not failed."""

    def __init__(self, sqs: Any, queue: str, arn: str) -> None:
        self._sqs, self._queue, self._arn = sqs, queue, arn

    def batches(self) -> Iterator[list[Any]]:
        """Yield batches until there is nothing more to fetch."""
        while True:
            found = self._sqs.receive_message(
                QueueUrl=self._queue,
                MaxNumberOfMessages=10,
                MessageSystemAttributeNames=["All"],
                VisibilityTimeout=600,
            ).get("Messages")
            if not found:
                return
            yield found

    def event(self, batch: list[Any]) -> Any:
        """Return a batch in Lambda's spelling."""
        return {
            "Records": [
                {
                    "messageId": each["MessageId"],
                    "body": each["Body"],
                    "attributes": each["Attributes"],
                    "messageAttributes": {},
                    "eventSource": "aws:sqs",
                    "eventSourceARN": self._arn,
                }
                for each in batch
            ]
        }

    def acknowledge(self, batch: list[Any], failed: set[str]) -> None:
        """Delete what is done; let the rest be fetched again at once."""
        for each in batch:
            handle = {"QueueUrl": self._queue, "ReceiptHandle": each["ReceiptHandle"]}
            if each["MessageId"] in failed:
                self._sqs.change_message_visibility(**handle, VisibilityTimeout=0)
            else:
                self._sqs.delete_message(**handle)


@pytest.mark.vendors
def test_no_message_is_lost_and_what_never_works_is_a_dead_letter(tmp_path: Path) -> None:
    """Of 300, a tenth fails once, a fiftieth always, and one kills the process."""
    code = deploy(tmp_path / "code", "aws", {"parcels.py": APP}, "parcels")
    environment = {"MEMORY": str(tmp_path / "memory")}
    killed = 0
    with ExitStack() as stack:
        ministack = stack.enter_context(Ministack())
        sqs = stack.enter_context(closing(client("sqs", ministack.url, "us-east-1")))
        queue, dead = _filled(sqs)
        mapping = Mapping(sqs, queue, _arn(sqs, queue))
        function = stack.enter_context(DirectLambda(code, environment))
        for batch in mapping.batches():
            try:
                answer = function.invoke(mapping.event(batch), seconds=300).value
                failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
            except Ended:
                killed += 1
                failed = {each["MessageId"] for each in batch}
                function = stack.enter_context(DirectLambda(code, environment))
            mapping.acknowledge(batch, failed)
        letters = {json.loads(each["Body"])["n"] for each in _all(sqs, dead)}
    with closing(sqlite3.connect(tmp_path / "memory")) as memory:
        done = {n for (n,) in memory.execute("SELECT n FROM begun WHERE done = 1")}
        tries = dict(memory.execute("SELECT n, count(*) FROM begun WHERE done = 0 GROUP BY n"))
    broken = {n for n in range(MESSAGES) if n % 50 == 1}
    assert killed == 1
    assert letters == broken
    assert done == set(range(MESSAGES)) - broken
    assert {tries[n] for n in broken} <= {RECEIVES, RECEIVES + 1}
    assert all(tries[n] >= 2 for n in done if n % 10 == 2)


def _filled(sqs: Any) -> tuple[str, str]:
    """Make the queue, with all messages in it, and its dead-letter queue."""
    dead: str = sqs.create_queue(QueueName="dead")["QueueUrl"]
    policy = json.dumps({"deadLetterTargetArn": _arn(sqs, dead), "maxReceiveCount": RECEIVES})
    made = sqs.create_queue(QueueName="parcels", Attributes={"RedrivePolicy": policy})
    queue: str = made["QueueUrl"]
    for first in range(0, MESSAGES, 10):
        entries = [
            {"Id": str(n), "MessageBody": json.dumps({"n": n})} for n in range(first, first + 10)
        ]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    return queue, dead


def _arn(sqs: Any, queue: str) -> str:
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    arn: str = found["Attributes"]["QueueArn"]
    return arn


def _all(sqs: Any, queue: str) -> Iterator[Any]:
    while found := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        yield from found
