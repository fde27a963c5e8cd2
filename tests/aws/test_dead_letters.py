"""Dead letters of SQS: through Lambda's own runtime, which is killed on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from leeward import App, Client
from leeward.adapter import Driver, TargetConfig
from leeward_aws.driver import open_driver
from tests.app import dead_letter_app as proof
from tests.servers.aws.clients import client
from tests.servers.aws.direct import DirectLambda, Ended, event_of
from tests.servers.aws.ministack import ACCOUNT, Ministack
from tests.servers.deploying import deploy, with_wire

ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:parcels"
HANDLER = """from parcels import app

lambda_handler = app.handler("aws", dead_letters={"parcels": "dead"})
"""


def batches(sqs: Any, queue: str) -> Iterator[list[Any]]:
    """Fetch as Lambda does, until nothing is left, hidden or not."""
    about = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    ends = time.monotonic() + 100
    while time.monotonic() < ends:
        found = sqs.receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
            VisibilityTimeout=600,
        ).get("Messages")
        if found:
            yield found
            continue
        left = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=about)["Attributes"]
        if not any(int(left[each]) for each in about):
            return
        time.sleep(0.1)
    raise AssertionError("messages are left")


def deliver(sqs: Any, queue: str, code: Path, environment: dict[str, str]) -> int:
    """Do what Lambda does with a queue; return how often the process was killed."""
    killed = 0
    with ExitStack() as stack:
        function = stack.enter_context(DirectLambda(code, environment))
        for batch in batches(sqs, queue):
            try:
                answer = function.invoke(event_of(batch, ARN), seconds=300).value
            except Ended:
                killed += 1
                function = stack.enter_context(DirectLambda(code, environment))
                for each in batch:
                    handle = {"QueueUrl": queue, "ReceiptHandle": each["ReceiptHandle"]}
                    sqs.change_message_visibility(**handle, VisibilityTimeout=0)
                continue
            failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
            for each in batch:
                if each["MessageId"] not in failed:
                    sqs.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
    return killed


def filled(sqs: Any, messages: int) -> str:
    """Make the queue, with all messages in it."""
    queue: str = sqs.create_queue(QueueName="parcels")["QueueUrl"]
    told = {"Sender": {"DataType": "String.name", "StringValue": "shop"}}
    for first in range(0, messages, 10):
        entries = [
            {"Id": str(n), "MessageBody": f'{{"n":  {n}}}', "MessageAttributes": told}
            for n in range(first, first + 10)
        ]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    return queue


def all_of(sqs: Any, queue: str) -> list[Any]:
    """Receive whatever is in a queue, and let it be there again."""
    found: list[Any] = []
    while more := sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=600
    ).get("Messages"):
        found += more
    for each in found:
        handle = {"QueueUrl": queue, "ReceiptHandle": each["ReceiptHandle"]}
        sqs.change_message_visibility(**handle, VisibilityTimeout=0)
    return found


@pytest.mark.vendors
def test_what_never_works_is_given_up_with_its_reason_and_nothing_is_lost(tmp_path: Path) -> None:
    """A tenth fails once, a fiftieth for good, and one message kills the process."""
    messages = proof.count()
    memory = tmp_path / "memory"
    with ExitStack() as stack:
        ministack = stack.enter_context(Ministack())
        sqs = stack.enter_context(closing(client("sqs", ministack.url, "us-east-1")))
        queue = filled(sqs, messages)
        dead: str = sqs.create_queue(QueueName="dead")["QueueUrl"]
        environment = {
            "MEMORY": str(memory),
            "KILLER": str(messages // 2),
            "AWS_ENDPOINT_URL": ministack.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        code = with_wire(
            deploy(tmp_path / "code", "aws", {"parcels.py": proof.APP}, "parcels"), "aws", HANDLER
        )
        killed = deliver(sqs, queue, code, environment)
        letters, tried = all_of(sqs, dead), proof.handled(memory)
        target = open_driver(TargetConfig("aws", "aws", "us-east-1", {}, environment))
        stack.callback(target.close)
        assert proof.moved_back(target, "dead") == len(proof.broken(messages))
        mended = environment | {"MENDED": "1"}
        assert deliver(sqs, queue, code, mended) == 0
        assert all_of(sqs, dead) == []
        enqueue(target)
        (queued,) = all_of(sqs, queue)
    assert queued["Body"] == '{"n":1}'
    assert queued["MessageAttributes"]["idempotency-key"]["StringValue"] == "k-1"
    assert proof.handled(memory).done == set(range(messages))
    assert killed == 1
    check(letters, tried, messages)


def enqueue(target: Driver) -> None:
    """Queue a call by a client of an app that handles the queue's messages."""
    app = App("shop")
    app.on_message("parcels", name="send")(print)
    Client([target], app=app).enqueue("parcels", {"n": 1}, idempotency_key="k-1")


def check(letters: list[Any], tried: proof.Handled, messages: int) -> None:
    """Check what was done before the redrive, and what was given up with which words."""
    done, tries = tried
    broken = proof.broken(messages)
    assert done == set(range(messages)) - set(broken)
    assert len(letters) == len(broken)
    for each in letters:
        n = json.loads(each["Body"])["n"]
        assert each["Body"] == f'{{"n":  {n}}}'
        told = each["MessageAttributes"]
        assert (told["Sender"]["DataType"], told["Sender"]["StringValue"]) == (
            "String.name",
            "shop",
        )
        facts = json.loads(told["leeward-dead-letter"]["StringValue"])
        assert (facts["queue"], facts["handler"], facts["reason"]) == ("parcels", "send", broken[n])
        assert facts["error"] == ("Problem" if broken[n] == "broken" else "TimeoutError")
        assert facts["ran"] == "maybe"
        assert facts["attempts"] in ((1, 2) if broken[n] == "broken" else (3,))
        assert tries[n] <= facts["attempts"]
    assert all(tries[n] >= 2 for n in done if n % 10 == 2)
