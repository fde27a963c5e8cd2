"""Dead letters of Pub/Sub: through Google's own runtime, whose worker is killed on the way."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from leeward.adapter import Driver, TargetConfig
from leeward.calls import (
    Attribute,
    HideMessage,
    PutMessage,
    QueueMessage,
    RemoveMessage,
    TakeMessages,
)
from leeward.errors import Outcome
from leeward_google.driver import open_driver
from tests.app import dead_letter_app as proof
from tests.servers.deploying import deploy, with_wire
from tests.servers.google.framework import FunctionsFramework
from tests.servers.google.pubsub import EmulatedPubSub
from tests.servers.google.push import push_once

MAIN = """from parcels import app

main = app.handler("google", dead_letters={"parcels": "parcels-dead"})
"""

PROJECT = "leeward-proof"
SUBSCRIPTION = f"projects/{PROJECT}/subscriptions/parcels"


def deliver(target: Driver, address: tuple[str, int]) -> int:
    """Do what Pub/Sub does with a subscription; return how often nobody answered."""
    unanswered = 0
    attempts: Counter[str] = Counter()
    while found := target.perform(TakeMessages("parcels", 600), 10).value:
        for each in found:
            attempts[each.id] += 1
            status = push_once(address, SUBSCRIPTION, each, attempts[each.id])
            if status in (200, 204):
                target.perform(RemoveMessage("parcels", each.receipt, each.id), 10)
                continue
            if status == 0:
                unanswered += 1
                time.sleep(0.5)  # until there is another worker
            again = HideMessage("parcels", each.receipt, 0, each.id)
            assert target.perform(again, 10).outcome is Outcome.OK
    return unanswered


@pytest.mark.vendors
def test_what_never_works_is_given_up_with_its_reason_and_nothing_is_lost(tmp_path: Path) -> None:
    """A tenth fails once, a fiftieth for good, and one message kills the process."""
    messages = proof.count()
    memory = tmp_path / "memory"
    with ExitStack() as stack:
        pubsub = stack.enter_context(EmulatedPubSub(PROJECT))
        for name in ("parcels", "parcels-dead"):
            pubsub.add_topic(name)
            pubsub.subscribe(name, name, ack_deadline_seconds=600)
        env = {
            "PUBSUB_EMULATOR_HOST": pubsub.url.partition("://")[2],
            "GOOGLE_CLOUD_PROJECT": PROJECT,
        }
        target = open_driver(TargetConfig("google", "google", None, {}, env))
        stack.callback(target.close)
        told = (Attribute("Sender", "shop"),)
        for n in range(messages):
            put = PutMessage("parcels", b'{"n":  %d}' % n, told)
            assert target.perform(put, 10).outcome is Outcome.OK
        environment = {**env, "MEMORY": str(memory), "KILLER": str(messages // 2)}
        environment["K_SERVICE"] = "parcels"
        code = with_wire(
            deploy(tmp_path / "code", "google", {"parcels.py": proof.APP}, "parcels"),
            "google",
            MAIN,
        )
        framework = stack.enter_context(FunctionsFramework(code, environment=environment))
        unanswered = deliver(target, framework.address)
        letters = proof.all_of(target, "parcels-dead")
        check(letters, memory, messages)
        assert proof.moved_back(target, "parcels-dead") == len(letters)
        mended = FunctionsFramework(code, environment=environment | {"MENDED": "1"})
        assert deliver(target, stack.enter_context(mended).address) == 0
        assert proof.all_of(target, "parcels-dead") == []
    assert unanswered >= 1
    assert proof.handled(memory).done == set(range(messages))


def check(letters: list[QueueMessage], memory: Path, messages: int) -> None:
    """Check what was done, and what was given up with which words."""
    broken = proof.broken(messages)
    done, tries = proof.handled(memory)
    assert done == set(range(messages)) - set(broken)
    assert len(letters) == len(broken)
    for each in letters:
        n = json.loads(each.body)["n"]
        assert each.body == b'{"n":  %d}' % n
        attributes = {name: value for name, value, _ in each.attributes}
        facts = json.loads(attributes.pop("leeward-dead-letter"))
        assert attributes == {"Sender": "shop"}
        assert (facts["queue"], facts["handler"], facts["reason"]) == ("parcels", "send", broken[n])
        assert (facts["ran"], facts["attempts"]) == ("maybe", 1 if broken[n] == "broken" else 3)
        assert tries[n] == facts["attempts"]
    assert all(tries[n] >= 2 for n in done if n % 10 == 2)
