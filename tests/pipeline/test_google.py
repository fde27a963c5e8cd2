"""The pipeline on Google Cloud: Pub/Sub pushes what a bucket tells to a worker, which is killed."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from leeward import Client
from leeward.adapter import Driver, TargetConfig
from leeward.calls import Attribute, HideMessage, PutMessage, RemoveMessage, TakeMessages
from leeward.errors import Outcome
from leeward_google.driver import open_driver
from tests.app import dead_letter_app
from tests.pipeline import proof
from tests.servers.answering import Executed
from tests.servers.deploying import deploy, with_wire
from tests.servers.google.framework import FunctionsFramework
from tests.servers.google.pubsub import EmulatedPubSub
from tests.servers.google.push import push_once
from tests.servers.google.storage import Storage

TOPIC = "summarize"
PROJECT = "leeward-proof"
SUBSCRIPTION = f"projects/{PROJECT}/subscriptions/of-a-topic"
MAIN = """from killing import app

main = app.handler("google", dead_letters={"summarize": "summarize-dead"})
"""


class EmulatedStorage(Storage):
    """Takes everybody, as an emulator does."""

    def _authorize(self, request: Executed, project: str) -> None:
        assert project == self.project


def told(name: str, generation: str, kind: str = "OBJECT_FINALIZE") -> PutMessage:
    """Return a notification of Cloud Storage."""
    resource = {"kind": "storage#object", "bucket": proof.BUCKET, "name": name}
    body = json.dumps({**resource, "generation": generation, "size": "1", "etag": "CAE="})
    attributes = {
        "notificationConfig": f"projects/_/buckets/{proof.BUCKET}/notificationConfigs/1",
        "eventType": kind,
        "payloadFormat": "JSON_API_V1",
        "bucketId": proof.BUCKET,
        "objectId": name,
        "objectGeneration": generation,
    }
    return PutMessage(TOPIC, body.encode(), tuple(map(Attribute, attributes, attributes.values())))


def deliver(target: Driver, address: tuple[str, int]) -> int:
    """Do what Pub/Sub does, and lose some ends; return how often nobody answered."""
    unanswered, random = 0, Random(1)
    attempts: Counter[str] = Counter()
    while found := list(target.perform(TakeMessages(TOPIC, 600), 10).value or ()):
        random.shuffle(found)
        for each in found:
            attempts[each.id] += 1
            status = push_once(address, SUBSCRIPTION, each, attempts[each.id])
            if status in (200, 204) and random.random() > 0.2:
                target.perform(RemoveMessage(TOPIC, each.receipt, each.id), 10)
                continue
            if status == 0:
                unanswered += 1
                time.sleep(0.5)  # until there is another worker
            again = HideMessage(TOPIC, each.receipt, 0, each.id)
            assert target.perform(again, 10).outcome is Outcome.OK
    return unanswered


@pytest.mark.vendors
def test_each_file_becomes_one_summary_however_the_worker_is_killed(tmp_path: Path) -> None:
    """With notifications, some twice, some of an overwritten object's end; poison is given up."""
    memory = tmp_path / "memory"
    proof.remember(memory)
    with ExitStack() as stack:
        pubsub = stack.enter_context(EmulatedPubSub(PROJECT))
        storage = stack.enter_context(EmulatedStorage(PROJECT, proof.BUCKET))
        for name in (TOPIC, "summarize-dead"):
            pubsub.add_topic(name)
            pubsub.subscribe(name, name, ack_deadline_seconds=600)
        env = {
            "PUBSUB_EMULATOR_HOST": pubsub.url.partition("://")[2],
            "STORAGE_EMULATOR_HOST": storage.url,
            "GOOGLE_CLOUD_PROJECT": PROJECT,
        }
        target = open_driver(TargetConfig("google", "google", None, {}, env))
        environment = {**env, "PROVIDER": "google", "MEMORY": str(memory), "K_SERVICE": TOPIC}
        with Client(target) as cloud:
            versions = proof.let_arrive(cloud, range(proof.FILES))
            for number, (name, generation) in enumerate(versions.items()):
                puts = [told(name, generation)] * (1 + (number % 5 == 0))
                puts += [told(name, "7", "OBJECT_DELETE")] * (number % 7 == 0)
                for put in puts:
                    assert target.perform(put, 10).outcome is Outcome.OK
            code = with_wire(
                deploy(tmp_path / "code", "google", proof.modules(), "killing"), "google", MAIN
            )
            framework = stack.enter_context(FunctionsFramework(code, environment=environment))
            unanswered = deliver(target, framework.address)
            proof.check(cloud, memory, versions, proof.FILES)
            letters = dead_letter_app.all_of(target, "summarize-dead")
    assert set(proof.reasons_in(letters)) == set(proof.poisons(range(proof.FILES)))
    assert unanswered >= len(proof.POINTS)
