"""The pipeline on AWS: S3 tells SQS, SQS tells Lambda's own runtime, which is killed on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import unquote_plus

import pytest

from leeward import Client
from leeward.adapter import TargetConfig
from leeward_aws.driver import open_driver
from leeward_deploy.aws.facts import CLOUD
from leeward_deploy.recipe import Declared, Deployment, Entry, PackageSpec, Site
from tests.app import dead_letter_app
from tests.pipeline import proof
from tests.pipeline.simulated import pipeline
from tests.servers.aws.clients import client
from tests.servers.aws.direct import DirectLambda, Ended, event_of
from tests.servers.aws.ministack import ACCOUNT, Ministack
from tests.servers.deploying import deploy, with_wire

QUEUE = "summarize"
ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{QUEUE}"
HANDLER = """from killing import app

lambda_handler = app.handler("aws", dead_letters={"summarize": "summarize-dead"})
"""
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": ARN,
            "Condition": {"ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{proof.BUCKET}"}},
        }
    ],
}
"""Of the queue, as the module has it."""


def notification() -> Any:
    """Return what leeward says that a bucket is to tell."""
    with pipeline() as module:
        spec = PackageSpec(module.app, Entry("pipeline", "app"), "3.13", "x86_64")
        (note, *_) = CLOUD.notes(spec, Deployment((Site("us-east-1", Declared()),)))
    text = note.partition("--notification-configuration '")[2].rstrip("'")
    return json.loads(text.replace("REGION", "us-east-1").replace("ACCOUNT", ACCOUNT))


def batches(sqs: Any, queue: str) -> Iterator[list[Any]]:
    """Fetch as Lambda does, in batches, until nothing is left."""
    while found := sqs.receive_message(
        QueueUrl=queue,
        MaxNumberOfMessages=10,
        MessageSystemAttributeNames=["All"],
        VisibilityTimeout=600,
    ).get("Messages"):
        yield found


def deliver(sqs: Any, queue: str, code: Path, environment: dict[str, str]) -> int:
    """Do what Lambda does with a queue, and lose some of the ends; return how often it died."""
    killed, random = 0, Random(1)
    with ExitStack() as stack:
        function = stack.enter_context(DirectLambda(code, environment))
        for batch in batches(sqs, queue):
            random.shuffle(batch)
            try:
                answer = function.invoke(event_of(batch, ARN), function=QUEUE, seconds=60).value
            except Ended:
                killed += 1
                function = stack.enter_context(DirectLambda(code, environment))
                answer = {"batchItemFailures": [{"itemIdentifier": e["MessageId"]} for e in batch]}
            failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
            for each in batch:
                handle = {"QueueUrl": queue, "ReceiptHandle": each["ReceiptHandle"]}
                if each["MessageId"] in failed or random.random() < 0.2:
                    sqs.change_message_visibility(**handle, VisibilityTimeout=0)
                else:
                    sqs.delete_message(**handle)
    return killed


@pytest.mark.vendors
def test_each_file_becomes_one_summary_however_lambda_is_killed(tmp_path: Path) -> None:
    """By what a bucket sends that is set up as leeward says; some of it twice, and in batches."""
    memory = tmp_path / "memory"
    proof.remember(memory)
    with ExitStack() as stack:
        ministack = stack.enter_context(Ministack())
        sqs = stack.enter_context(closing(client("sqs", ministack.url, "us-east-1")))
        s3 = stack.enter_context(closing(client("s3", ministack.url, "us-east-1")))
        s3.create_bucket(Bucket=proof.BUCKET)
        attributes = {"Policy": json.dumps(POLICY)}
        queue: str = sqs.create_queue(QueueName=QUEUE, Attributes=attributes)["QueueUrl"]
        sqs.create_queue(QueueName="summarize-dead")
        s3.put_bucket_notification_configuration(
            Bucket=proof.BUCKET, NotificationConfiguration=notification()
        )
        environment = {
            "PROVIDER": "aws",
            "MEMORY": str(memory),
            "AWS_ENDPOINT_URL": ministack.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        target = open_driver(TargetConfig("aws", "aws", "us-east-1", {}, environment))
        with Client(target) as cloud:
            proof.let_arrive(cloud, range(proof.FILES))
            versions = told_twice(sqs, queue)
            killed = deliver(
                sqs,
                queue,
                with_wire(
                    deploy(tmp_path / "code", "aws", proof.modules(), "killing"), "aws", HANDLER
                ),
                environment,
            )
            proof.check(cloud, memory, versions, proof.FILES)
            letters = dead_letter_app.all_of(target, "summarize-dead")
    assert set(proof.reasons_in(letters)) == set(proof.poisons(range(proof.FILES)))
    assert killed == len(proof.POINTS)


def told_twice(sqs: Any, queue: str) -> dict[str, str]:
    """Send some of the messages again; return the versions that all of them tell, by name.

    The first one is the test that S3 makes of a notification.
    """
    versions: dict[str, str] = {}
    found = [each for batch in batches(sqs, queue) for each in batch]
    for number, each in enumerate(found):
        document = json.loads(each["Body"])
        for record in document.get("Records", ()):
            told = record["s3"]["object"]
            name = unquote_plus(told["key"])
            versions[name] = f"{told['eTag']}.{told['sequencer']}"
        handle = {"QueueUrl": queue, "ReceiptHandle": each["ReceiptHandle"]}
        sqs.change_message_visibility(**handle, VisibilityTimeout=0)
        if number % 5 == 0:
            sqs.send_message(QueueUrl=queue, MessageBody=each["Body"])
    assert any("s3:TestEvent" in each["Body"] for each in found)
    return versions
