"""What Lambda's runtime makes of a batch of SQS that has a dead-letter queue."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from leeward import App
from leeward.app import Problem
from leeward.app.kit import DeadLetters, SystemClock
from leeward.calls import HideMessage, PutMessage, QueueCall, Result
from leeward_aws.runtime import handler as runtime
from leeward_aws.runtime import queues
from tests.app import aws_events as events


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[QueueCall]:
    """Note what is wanted of queues, in the place of SQS."""
    found: list[QueueCall] = []

    def perform(call: QueueCall, seconds: float) -> Result[Any]:
        assert 0 < seconds <= 10
        found.append(call)
        return Result.ok(None)

    def made(queues: Any) -> DeadLetters:
        return DeadLetters(queues or {}, perform, SystemClock())

    monkeypatch.setattr(queues, "open_dead_letters", made)
    return found


def failed(event: Any, queue: str = "parcels", deployment: str = "send") -> list[str]:
    """Return the messages of a batch that SQS is to deliver again."""
    app = App("shop")

    @app.on_message(queue, retries=1)
    def send(parcel: dict[str, Any]) -> None:
        if parcel["n"] == "never":
            raise Problem("never", reason="broken")
        if parcel["n"] == "later":
            raise ConnectionError

    call = runtime.handler(app, dead_letters={queue: "dead"})
    context = SimpleNamespace(
        aws_request_id="r",
        function_name=deployment,
        client_context=None,
        get_remaining_time_in_millis=lambda: 60_000,
    )
    return [each["itemIdentifier"] for each in call(event, context)["batchItemFailures"]]


def batch(*words: str, count: str = "1", queue: str = "parcels") -> Any:
    """Make a batch, each message of a group of its own unless its id names one."""
    event = events.sqs(
        *((f"{i}", f'{{"n": "{word}"}}') for i, word in enumerate(words)), queue=queue
    )
    for each in event["Records"]:
        each["attributes"]["ApproximateReceiveCount"] = count
    return event


def test_each_message_of_a_batch_is_settled_by_itself(calls: list[QueueCall]) -> None:
    """What works is done, what never works given up, and the rest waits; then that is spent."""
    assert failed(batch("ok", "never", "later", "ok")) == ["2"]
    put, hide = calls
    assert isinstance(put, PutMessage)
    assert isinstance(hide, HideMessage)
    assert (put.queue, put.body, put.id) == ("dead", b'{"n": "never"}', "1")
    told = [(each.name, each.value, each.type) for each in put.attributes[:2]]
    assert told == [("Idempotency-Key", "key-1", "String"), ("blob", b"\x00", "Binary")]
    assert (hide.queue, hide.receipt) == ("parcels", "handle")
    calls.clear()
    assert failed(batch("ok", "later", count="2")) == []
    assert [type(each) for each in calls] == [PutMessage]


def test_a_batch_that_fails_nearly_whole_with_one_error_is_handed_back(
    calls: list[QueueCall],
) -> None:
    """However often it was delivered: the messages are not what is wrong."""
    assert failed(batch(*["never"] * 9, "ok", count="9")) == [str(n) for n in range(9)]
    assert {type(each) for each in calls} == {HideMessage}
    calls.clear()
    assert failed(batch(*["never"] * 8, "ok", "ok")) == []
    assert [type(each) for each in calls] == [PutMessage] * 8


def test_in_a_queue_that_keeps_an_order_a_group_goes_on_behind_what_is_given_up(
    calls: list[QueueCall],
) -> None:
    """And waits behind what is tried again."""
    event = batch("never", "ok", "later", "ok", queue="parcels.fifo")
    for each in event["Records"]:
        each["attributes"]["MessageGroupId"] = "g"
    assert failed(event) == ["2", "3"]
    put, hide = calls
    assert isinstance(put, PutMessage)
    assert put.group == "g"
    assert isinstance(hide, HideMessage)
    assert hide.queue == "parcels.fifo"


def test_a_queue_that_keeps_an_order_may_be_named_with_its_ending_or_without(
    calls: list[QueueCall],
) -> None:
    """By a handler and in `dead_letters`, whatever handlers a deployment is for."""
    event = batch("ok", "never", queue="parcels.fifo")
    for named in ("parcels", "parcels.fifo"):
        for deployment in ("send", "shop"):
            calls.clear()
            assert failed(event, named, deployment) == []
            (put,) = calls
            assert isinstance(put, PutMessage)
            assert (put.queue, put.id) == ("dead", "1")
