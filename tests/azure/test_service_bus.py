"""Dead letters of Service Bus: what is asked, what is kept, and a function that gives them up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from leeward import App
from leeward.adapter import Driver, TargetConfig
from leeward.app import Problem
from leeward.calls import (
    Attribute,
    HideMessage,
    PutMessage,
    QueueMessage,
    RemoveMessage,
    TakeMessages,
)
from leeward.cli.dead_letters import QueueLetters
from leeward.errors import ConfigError, InvalidRequest, Outcome, Unsupported
from leeward_azure.driver import open_driver
from leeward_azure.errors import judge_service_bus
from leeward_azure.runtime.inputs import FunctionFailed
from leeward_contract_tests.rows import each_row
from tests.azure.playing import answer
from tests.servers.azure.service_bus import ServiceBus

QUEUE = "servicebus:payments"
DEAD = "servicebus:payments-dead"
FACTS = Attribute("leeward-dead-letter", '{"queue":"q","ran":"no"}')


def opened(**options: str) -> Driver:
    return open_driver(TargetConfig("azure", "azure", None, options, {}))


def taken_from(driver: Driver, queue: str) -> tuple[QueueMessage, ...]:
    """Take what is in a queue."""
    found: tuple[QueueMessage, ...] = driver.perform(TakeMessages(queue, 60), 5).value or ()
    return found


@pytest.fixture
def bus() -> Iterator[ServiceBus]:
    with ServiceBus("payments", "payments-dead", "payments/$deadletterqueue") as server:
        yield server


@pytest.fixture
def driver(bus: ServiceBus) -> Iterator[Driver]:
    with ExitStack() as stack:
        found = opened(service_bus_connection_string=bus.connection_string)
        stack.callback(found.close)
        yield found


def test_a_message_is_put_locked_unlocked_and_completed(driver: Driver, bus: ServiceBus) -> None:
    """Byte for byte, with its properties; a lock that is gone is not found."""
    properties = (Attribute("tenant", "a b"), Attribute("count", "3", "json"))
    body = bytes(range(256))
    put = PutMessage(QUEUE, body, properties, "g", "m-1")
    assert driver.perform(put, 5).outcome is Outcome.OK
    ((sent,),) = (bus.queues["payments"],)
    assert (sent.broker, sent.body) == ({"MessageId": "m-1", "SessionId": "g"}, body)
    (taken,) = taken_from(driver, QUEUE)
    assert (taken.body, taken.attributes, taken.group) == (body, properties[:1], "g")
    assert taken_from(driver, QUEUE) == ()
    for call, outcome in (
        (HideMessage(QUEUE, taken.receipt, 0), Outcome.OK),
        (HideMessage(QUEUE, taken.receipt, 0), Outcome.NOT_FOUND),
    ):
        assert driver.perform(call, 5).outcome is outcome
    (again,) = taken_from(driver, QUEUE)
    assert (again.id, again.receipt == taken.receipt) == (taken.id, False)
    assert driver.perform(RemoveMessage(QUEUE, again.receipt), 5).outcome is Outcome.OK
    assert not bus.queues["payments"]


def test_a_dead_letter_has_its_properties_again_when_it_is_moved_back(
    driver: Driver, bus: ServiceBus
) -> None:
    """Whatever the case of their names and whatever is in them: in between they are JSON."""
    own = (Attribute("Tenant", 'é\n"x"'), Attribute("Count", "3", "json"))
    assert driver.perform(PutMessage(DEAD, b"x", (*own, FACTS)), 5).outcome is Outcome.OK
    (taken,) = taken_from(driver, DEAD)
    assert taken.attributes == (*own, FACTS)
    with pytest.raises(InvalidRequest, match="not plain ASCII"):
        driver.perform(PutMessage(QUEUE, b"x", own), 5)
    with pytest.raises(InvalidRequest, match="not bytes"):
        driver.perform(PutMessage(DEAD, b"x", (Attribute("Tenant", b"x"), FACTS)), 5)
    assert not bus.queues["payments"]


def test_what_azure_itself_has_given_up_can_be_looked_at_and_moved(
    driver: Driver, bus: ServiceBus
) -> None:
    """In the queue's own dead-letter queue; nobody has told whether it ran, nor where it was."""
    bus.send("payments/$deadletterqueue", b"{}", DeadLetterReason='"MaxDeliveryCountExceeded"')
    bus.send("payments/$deadletterqueue", b"[]")
    letters = QueueLetters(driver, f"{QUEUE}/$deadletterqueue", (QUEUE,))
    found = list(letters.each())
    assert [(letters.read(each), each.ran, each.queue) for each in found] == [
        (b"{}", "maybe", None),
        (b"[]", "maybe", None),
    ]
    for each in letters.each():
        letters.move(each)
    assert [each.body for each in bus.queues["payments"]] == [b"{}", b"[]"]
    assert not bus.queues["payments/$deadletterqueue"]


def test_what_is_not_configured_or_no_queue_is_refused(driver: Driver) -> None:
    """With what to set, before anything is sent."""
    for name in ("servicebus:", "servicebus:a//b", "servicebus:a/../b", "servicebus:a?x"):
        with pytest.raises(InvalidRequest, match="cannot be the name"):
            driver.perform(TakeMessages(name, 60), 5)
    with pytest.raises(Unsupported, match="set storage_connection_string"):
        driver.perform(TakeMessages("parcels", 60), 5)
    with ExitStack() as stack:
        storage = opened(storage_queue_url="https://shop.queue.core.windows.net")
        stack.callback(storage.close)
        with pytest.raises(Unsupported, match="set service_bus_connection_string"):
            storage.perform(TakeMessages(QUEUE, 60), 5)
    for text in ("Endpoint=sb://x/", "SharedAccessKeyName=a;SharedAccessKey=b"):
        with pytest.raises(ConfigError, match="must hold Endpoint=sb://"):
            opened(service_bus_connection_string=text)
    for text in ("sb://shop.servicebus.windows.net", "http://shop.servicebus.windows.net"):
        with pytest.raises(ConfigError, match="service_bus_url"):
            opened(service_bus_url=text)


@each_row(
    "status, body, outcome",
    [
        (400, b"<Error>", Outcome.CALLER),
        (401, b"<Error>", Outcome.AUTH),
        (403, b"<Error>", Outcome.UNUSABLE),
        (404, b"<Error>", Outcome.NOT_FOUND),
        (410, b"<Error>", Outcome.NOT_FOUND),
        (429, b"", Outcome.AMBIGUOUS),
        (500, b"<Error>", Outcome.AMBIGUOUS),
        (401, b"<html>", Outcome.AMBIGUOUS),
        (404, b"", Outcome.AMBIGUOUS),
    ],
)
def test_a_refusal_proves_what_the_service_itself_says(
    status: int, body: bytes, outcome: Outcome
) -> None:
    """Without its XML the answer may be anybody's."""
    assert judge_service_bus(answer(body, status)).meaning.outcome is outcome


def test_a_function_gives_up_what_never_works(
    bus: ServiceBus, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the queue beside it, with body, properties and reason; and it is moved back as it was."""
    app = App("shop")

    @app.on_message("payments", retries=1)
    def pay(order: dict[str, Any]) -> None:
        raise Problem("no", reason="broken") if order["n"] == 1 else TimeoutError

    monkeypatch.setenv("SERVICE_BUS", bus.connection_string)
    made = app.handler(
        "azure", service_bus={"payments": "SERVICE_BUS"}, dead_letters={"pay": "payments-dead"}
    )
    function, _ = made.get_functions()  # beside it, the one for health
    called = function.get_user_function()

    def deliver(n: int, count: int) -> None:
        message = SimpleNamespace(
            message_id=f"m-{n}",
            get_body=lambda: b'{"n":  %d}' % n,
            delivery_count=count,
            application_properties={"Tenant": "a", "n": 1, "late": True},
            session_id=None,
        )
        context = SimpleNamespace(invocation_id="i", trace_context=None)
        called(message, context)

    deliver(1, 1)
    with pytest.raises(FunctionFailed):
        deliver(2, 1)
    deliver(2, 2)
    letters = QueueLetters(driver, DEAD, (QUEUE,))
    found = list(letters.each())
    told = [
        (letters.read(each), each.reason, each.ran, each.attempts, each.queue) for each in found
    ]
    assert told == [
        (b'{"n":  1}', "broken", "maybe", 1, QUEUE),
        (b'{"n":  2}', "attempts", "maybe", 2, QUEUE),
    ]
    for each in letters.each():
        letters.move(each)
    moved = list(bus.queues["payments"])
    assert [(json.loads(each.body)["n"], dict(each.properties)) for each in moved] == [
        (1, {"Tenant": '"a"'}),
        (2, {"Tenant": '"a"'}),
    ]
    assert not bus.queues["payments-dead"]


def test_a_message_that_cannot_be_given_up_comes_again(
    bus: ServiceBus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its queue is not there, or it has a property that HTTP does not carry."""
    app = App("shop")

    @app.on_message("payments")
    def pay(order: Any) -> None:
        raise Problem("no")

    monkeypatch.setenv("SERVICE_BUS", bus.connection_string)
    for dead, properties in (("nowhere", {}), ("payments-dead", {"at": object()})):
        made = app.handler(
            "azure", service_bus={"payments": "SERVICE_BUS"}, dead_letters={"payments": dead}
        )
        called = made.get_functions()[0].get_user_function()
        message = SimpleNamespace(
            message_id="m",
            get_body=lambda: b"{}",
            delivery_count=1,
            application_properties=properties,
        )
        with pytest.raises(FunctionFailed) as raised:
            called(message, SimpleNamespace(invocation_id="i"))
        assert type(raised.value).__name__ == "Problem"
    assert not bus.queues["payments-dead"]
