import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event as Flag
from typing import Any

import pytest

from leeward.errors import LeewardError
from leeward.leases.rules import DeliveryPolicy
from leeward.local import Context, Local
from leeward.stores import LONGEST_ERROR
from leeward.values import Event
from tests.local.calls import PATIENT, enqueue, event, publish, until, value_of


def test_a_delivery_that_always_fails_is_given_up(cloud: Local) -> None:
    """After five attempts it is a dead letter, with the event, and what was raised last."""
    attempts: list[int | None] = []

    @cloud.subscribe("orders", name="broken")
    def subscriber(event: Event, context: Context) -> None:
        attempts.append(context.attempt)
        raise ValueError(f"no stock: {context.attempt}")

    sent = event(data={"n": 1})
    cloud.perform(publish(sent), 5)
    cloud.wait_idle(PATIENT)
    assert attempts == [1, 2, 3, 4, 5]
    (letter,) = cloud.dead_letters()
    assert letter[:6] == ("orders", sent, "broken", 5, "ValueError", "no stock: 5")
    assert (letter.reason, letter.ran) == (None, "maybe")
    assert "no stock" not in repr(letter)


class Unreadable(Exception):
    """An error whose text cannot be had."""

    def __str__(self) -> str:
        raise KeyError


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (ValueError(), ("ValueError", None)),
        (ValueError("a: b: \ud800"), ("ValueError", "a: b: ?")),
        (Unreadable(), ("Unreadable", None)),
        (ValueError("x" * 10_000), ("ValueError", "x" * (LONGEST_ERROR - len("ValueError: ")))),
    ],
    ids=["no text", "half a pair", "unreadable", "endless"],
)
def test_whatever_is_raised_can_be_kept(
    cloud: Local, error: Exception, kept: tuple[str, str | None]
) -> None:
    """An exception is anybody's code: its class and its text may be odd, or very long."""

    @cloud.subscribe("orders")
    def subscriber(event: Event) -> None:
        raise error

    cloud.perform(publish(), 5)
    cloud.wait_idle(PATIENT)
    assert [(each.error, each.message) for each in cloud.dead_letters()] == [kept]


def test_failures_are_logged_without_content(
    cloud: Local, caplog: pytest.LogCaptureFixture
) -> None:
    """Each attempt that fails, and the end of it: by stable names, with ids and classes."""

    @cloud.subscribe("orders", name="s")
    def subscriber(event: Event) -> None:
        raise ValueError(f"canary {event.data}")

    cloud.perform(publish(event(data="canary")), 5)
    cloud.wait_idle(PATIENT)

    def own() -> list[logging.LogRecord]:
        return [each for each in caplog.records if each.name == "leeward.delivery"]

    until(lambda: len(own()) == 6)
    facts = "id=1 queue='orders' handler='s' attempt={} error='ValueError'"
    line = subscriber.__code__.co_firstlineno + 2
    at = f" at='{__file__}:{line} {subscriber.__qualname__}'"
    assert [(each.levelname, each.getMessage()) for each in own()] == [
        *(("WARNING", f"handler_failed {facts.format(attempt)}{at}") for attempt in range(1, 6)),
        ("ERROR", f"dead_lettered {facts.format(5)}"),
    ]
    assert len({each.msg for each in own()}) == 2
    assert "canary" not in str([vars(each) for each in caplog.records])


def test_an_exit_in_a_subscriber_is_a_failure(cloud: Local) -> None:
    """SystemExit neither ends the loop nor loses the event."""
    seen: list[str | None] = []

    @cloud.subscribe("orders")
    def subscriber(event: Event) -> None:
        seen.append(event.id)
        if len(seen) == 1:
            raise SystemExit

    cloud.perform(publish(), 5)
    cloud.wait_idle(PATIENT)
    assert seen == ["1", "1"]


def test_a_queued_call_is_made_in_the_background(cloud: Local) -> None:
    """It is accepted first; the payload, the key and the attempt arrive."""
    calls: SimpleQueue[tuple[Any, str, int | None]] = SimpleQueue()
    go = Flag()

    @cloud.function("f")
    def function(payload: Any, context: Context) -> None:
        assert go.wait(PATIENT)
        calls.put((payload, context.idempotency_key, context.attempt))
        if context.attempt == 1:
            raise ConnectionError

    assert value_of(cloud.perform(enqueue("f", b'{"n": [1]}'), 5)) is None
    assert calls.empty()
    go.set()
    cloud.wait_idle(PATIENT)
    assert [calls.get(), calls.get()] == [({"n": [1]}, "key-1", 1), ({"n": [1]}, "key-1", 2)]


def test_events_of_one_key_are_delivered_in_order(cloud: Local) -> None:
    """One at a time, a failing head before all that follow; each subscription for itself."""
    seen: dict[str, list[str]] = {"a": [], "b": []}
    under_way = {"a": 0, "b": 0}

    def subscriber(name: str) -> Callable[[Event, Context], None]:
        def handle(event: Event, context: Context) -> None:
            assert under_way[name] == 0
            under_way[name] += 1
            seen[name].append(f"{event.id}")
            under_way[name] -= 1
            if name == "b" and context.attempt == 1:
                raise ConnectionError

        return handle

    for name in seen:
        cloud.subscribe("orders", name=name)(subscriber(name))
    ids = [str(number) for number in range(6)]
    for id in ids:
        cloud.perform(publish(event(id, ordering_key="k")), 5)
    cloud.wait_idle(PATIENT)
    assert seen["a"] == ids
    assert seen["b"] == [id for id in ids for _ in range(2)]


def test_a_dead_head_lets_the_next_go(cloud: Local) -> None:
    """A lane is not blocked for ever."""
    seen: list[str | None] = []

    @cloud.subscribe("orders")
    def subscriber(event: Event) -> None:
        if event.id == "1":
            raise ValueError
        seen.append(event.id)

    cloud.perform(publish(*(event(id, ordering_key="k") for id in "123")), 5)
    cloud.wait_idle(PATIENT)
    assert seen == ["2", "3"]
    assert [each.event and each.event.id for each in cloud.dead_letters()] == ["1"]


def test_subscriptions_do_not_wait_for_each_other(cloud: Local) -> None:
    """A subscriber that hangs on a key holds back only itself."""
    hang = Flag()
    seen: SimpleQueue[str | None] = SimpleQueue()
    cloud.subscribe("orders", name="hanging")(lambda event: hang.wait(PATIENT))
    cloud.subscribe("orders", name="well")(lambda event: seen.put(event.id))
    cloud.perform(publish(*(event(id, ordering_key="k") for id in "12")), 5)
    assert [seen.get(timeout=PATIENT) for _ in range(2)] == ["1", "2"]
    hang.set()
    cloud.wait_idle(PATIENT)


def test_keys_do_not_wait_for_each_other(cloud: Local) -> None:
    """A head that hangs holds back its own key only."""
    hang, others = Flag(), Flag()
    seen: list[str | None] = []

    @cloud.subscribe("orders")
    def subscriber(event: Event) -> None:
        if event.id == "1":
            assert hang.wait(PATIENT)
        seen.append(event.id)
        if len(seen) == 2:
            others.set()

    events = event("1", ordering_key="a"), event("2", ordering_key="b"), event("3")
    cloud.perform(publish(*events, event("4", ordering_key="a")), 5)
    assert others.wait(PATIENT)
    assert sorted(map(str, seen)) == ["2", "3"]
    hang.set()
    cloud.wait_idle(PATIENT)
    assert seen[2:] == ["1", "4"]


def test_attempts_run_side_by_side_up_to_a_bound(cloud: Local) -> None:
    """Eight at one time, and no more."""
    places = DeliveryPolicy().concurrency
    gate = threading.Barrier(places)
    lock = threading.Lock()
    counts = {"now": 0, "most": 0}

    @cloud.subscribe("orders")
    def subscriber(event: Event) -> None:
        with lock:
            counts["now"] += 1
            counts["most"] = max(counts.values())
        gate.wait(PATIENT)
        with lock:
            counts["now"] -= 1

    cloud.perform(publish(*(event(str(number)) for number in range(2 * places))), 5)
    cloud.wait_idle(PATIENT)
    assert counts == {"now": 0, "most": places}


def test_wait_idle_tells_how_many_are_left(cloud: Local) -> None:
    """It gives up after its time, and names the number."""
    hang = Flag()
    cloud.subscribe("orders")(lambda event: hang.wait(PATIENT))
    cloud.perform(publish(event("1"), event("2")), 5)
    with pytest.raises(TimeoutError, match=r"after 0\.01 seconds: 2"):
        cloud.wait_idle(0.01)
    hang.set()
    cloud.wait_idle(PATIENT)


def test_dead_letters_of_a_closed_target_are_refused(cloud: Local) -> None:
    """The error names the target."""
    cloud.close()
    for ask in (cloud.dead_letters, cloud.wait_idle):
        with pytest.raises(LeewardError, match="local is closed; open a new one") as caught:
            ask()
        assert caught.value.target == "local"


def test_closing_delivers_what_is_pending_first() -> None:
    """A program that ends right after it has published has not published in vain."""
    heard: list[str | None] = []
    cloud = Local()
    cloud.subscribe("orders")(lambda each: heard.append(each.id))
    value_of(cloud.perform(publish(event("1"), event("2")), PATIENT))
    cloud.close()
    assert sorted(map(str, heard)) == ["1", "2"]


def test_a_subscriber_may_use_its_target_while_it_closes() -> None:
    """What an event causes is not refused because the program is about to end."""
    heard: list[str] = []
    cloud = Local()

    @cloud.subscribe("orders")
    def forward(each: Event) -> None:
        value_of(cloud.perform(publish(event("2"), bus="shipping"), PATIENT))

    cloud.subscribe("shipping")(lambda each: heard.append(str(each.id)))
    value_of(cloud.perform(publish(event("1")), PATIENT))
    cloud.close()
    assert heard == ["2"]
